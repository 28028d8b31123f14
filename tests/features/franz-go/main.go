// What franz-go can do against the cluster at BOOTSTRAP.
package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

var (
	seed   = bootstrap()
	values = values20()
	admin  = kadm.NewClient(client())
)

func soon() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 12*time.Second)
	time.AfterFunc(12*time.Second, cancel)
	return ctx
}

func client(options ...kgo.Opt) *kgo.Client {
	all := append([]kgo.Opt{kgo.SeedBrokers(seed), kgo.MetadataMinAge(100 * time.Millisecond)}, options...)
	c, err := kgo.NewClient(all...)
	if err != nil {
		panic(err)
	}
	return c
}

func topic(name string, partitions int32) string {
	name = unique(name)
	if _, err := admin.CreateTopic(soon(), partitions, 1, nil, name); err != nil {
		panic(err)
	}
	if err := until("the topic has leaders", func() bool { return leaders(name) == int(partitions) }); err != nil {
		panic(err)
	}
	return name
}

func leaders(name string) int {
	found, err := admin.ListTopics(soon(), name)
	if err != nil || found[name].Err != nil {
		return 0
	}
	count := 0
	for _, p := range found[name].Partitions {
		if p.Err == nil && p.Leader >= 0 {
			count++
		}
	}
	return count
}

func send(c *kgo.Client, name string, values ...string) ([]int64, error) {
	var records []*kgo.Record
	for _, v := range values {
		records = append(records, &kgo.Record{Topic: name, Value: []byte(v)})
	}
	var offsets []int64
	for _, got := range c.ProduceSync(soon(), records...) {
		if got.Err != nil {
			return nil, got.Err
		}
		offsets = append(offsets, got.Record.Offset)
	}
	return offsets, nil
}

// read gives the first records of partition 0 from an offset on; no more may follow at once.
func read(name string, count int, from int64, options ...kgo.Opt) ([]*kgo.Record, error) {
	start := map[string]map[int32]kgo.Offset{name: {0: kgo.NewOffset().At(from)}}
	c := client(append(options, kgo.ConsumePartitions(start), kgo.FetchMaxWait(200*time.Millisecond))...)
	defer c.Close()
	var got []*kgo.Record
	for ctx := soon(); len(got) < count; {
		fetched := c.PollFetches(ctx)
		if err := fetched.Err0(); err != nil {
			return nil, fmt.Errorf("%d of %d records: %w", len(got), count, err)
		}
		got = append(got, fetched.Records()...)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	got = append(got, c.PollFetches(ctx).Records()...)
	return got, equal(len(got), count, "number of records")
}

func expect(name string, wanted []string, from int64, options ...kgo.Opt) error {
	got, err := read(name, len(wanted), from, options...)
	if err != nil {
		return err
	}
	return equal(valuesOf(got), wanted, "values")
}

func valuesOf(records []*kgo.Record) []string {
	var all []string
	for _, r := range records {
		all = append(all, string(r.Value))
	}
	return all
}

func produced(wanted []string, offsets bool, options ...kgo.Opt) error {
	name, c := topic("produce", 1), client(options...)
	defer c.Close()
	got, err := send(c, name, wanted...)
	if err != nil {
		return err
	}
	for i, offset := range got {
		if offsets && offset != int64(i) {
			return fmt.Errorf("offset %d, not %d", offset, i)
		}
	}
	return expect(name, wanted, 0)
}

func acks(level kgo.Acks, offsets bool) func() (string, error) {
	return plain(func() error { return produced(values, offsets, kgo.RequiredAcks(level), kgo.DisableIdempotentWrite()) })
}

func codec(kind kgo.CompressionCodec) func() (string, error) {
	var long []string
	for _, v := range values {
		long = append(long, strings.Repeat(v, 100))
	}
	return plain(func() error { return produced(long, true, kgo.ProducerBatchCompression(kind)) })
}

func idempotent() error {
	return produced(slices.Repeat(values, 5), true)
}

func headers() error {
	name, c := topic("headers", 1), client()
	defer c.Close()
	full := &kgo.Record{Topic: name, Key: []byte("k"), Value: []byte("v"),
		Headers: []kgo.RecordHeader{{Key: "a", Value: []byte("1")}, {Key: "b"}}}
	if err := c.ProduceSync(soon(), full, &kgo.Record{Topic: name, Key: []byte("k")}).FirstErr(); err != nil {
		return err
	}
	got, err := read(name, 2, 0)
	if err != nil {
		return err
	}
	shown := fmt.Sprintf("%s %s %v %s %v", got[0].Key, got[0].Value, got[0].Headers, got[1].Key, got[1].Value == nil)
	return equal(shown, "k v [{a [49]} {b []}] k true", "records")
}

func timestamps() error {
	name, c := topic("timestamps", 1), client()
	defer c.Close()
	wanted := time.UnixMilli(time.Now().UnixMilli() - 5000)
	if err := c.ProduceSync(soon(), &kgo.Record{Topic: name, Timestamp: wanted}).FirstErr(); err != nil {
		return err
	}
	got, err := read(name, 1, 0)
	if err != nil {
		return err
	}
	return equal(got[0].Timestamp.UnixMilli(), wanted.UnixMilli(), "timestamp")
}

func transaction(end kgo.TransactionEndTry) func() (string, error) {
	return plain(func() error {
		name, c := topic("txn", 1), client(kgo.TransactionalID(unique("txn")))
		defer c.Close()
		for i, how := range []kgo.TransactionEndTry{end, kgo.TryCommit} {
			if err := c.BeginTransaction(); err != nil {
				return err
			}
			if _, err := send(c, name, strconv.Itoa(i)); err != nil {
				return err
			}
			if err := c.EndTransaction(soon(), how); err != nil {
				return err
			}
		}
		committed := []string{"0", "1"}
		if end == kgo.TryAbort {
			committed = committed[1:]
		}
		return first(expect(name, committed, 0, kgo.FetchIsolationLevel(kgo.ReadCommitted())),
			expect(name, []string{"0", "1"}, 0))
	})
}

// A session consumes and produces in one transaction.
func txnOffsets() error {
	from, to, group := topic("from", 1), topic("to", 1), unique("group")
	c := client()
	defer c.Close()
	if _, err := send(c, from, values...); err != nil {
		return err
	}
	session, err := kgo.NewGroupTransactSession(kgo.SeedBrokers(seed), kgo.TransactionalID(unique("txn")),
		kgo.ConsumerGroup(group), kgo.ConsumeTopics(from), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	if err != nil {
		return err
	}
	defer session.Close()
	fetched := session.PollFetches(soon())
	if err := first(fetched.Err0(), session.Begin()); err != nil {
		return err
	}
	session.Produce(soon(), &kgo.Record{Topic: to, Value: []byte("v")}, nil)
	committed, err := session.End(soon(), kgo.TryCommit)
	if err := first(err, equal(committed, true, "committed")); err != nil {
		return err
	}
	return first(offsetIs(group, from, 0, int64(fetched.NumRecords())), expect(to, []string{"v"}, 0))
}

// offsetIs waits: a transaction's offsets are the group's only once its markers are written.
func offsetIs(group, name string, partition int32, wanted int64) error {
	return until(fmt.Sprintf("committed offset %d", wanted), func() bool {
		got, err := admin.FetchOffsets(soon(), group)
		found, _ := got.Lookup(name, partition)
		return err == nil && found.At == wanted
	})
}

func earliest() error {
	name, c := topic("earliest", 1), client()
	defer c.Close()
	_, err := send(c, name, values...)
	return first(err, expect(name, values, 0))
}

func seek() error {
	name, c := topic("seek", 1), client()
	defer c.Close()
	_, err := send(c, name, values...)
	return first(err, expect(name, values[13:], 13))
}

func offsetForTime() error {
	name, c := topic("time", 1), client()
	defer c.Close()
	base := time.Now().UnixMilli() - 10000
	for i := range int64(5) {
		if err := c.ProduceSync(soon(), &kgo.Record{Topic: name, Timestamp: time.UnixMilli(base + 1000*i)}).FirstErr(); err != nil {
			return err
		}
	}
	got, err := admin.ListOffsetsAfterMilli(soon(), base+2500, name)
	if err != nil {
		return err
	}
	found, _ := got.Lookup(name, 0)
	return equal(fmt.Sprint(found.Offset, found.Timestamp), fmt.Sprint(3, base+3000), "offset and timestamp")
}

// A member polls in a goroutine; owned is what it has now, revoked how many it lost.
type member struct {
	*kgo.Client
	mutex    sync.Mutex
	owned    map[int32]bool
	revoked  int
	assigned int
}

func join(group, name string, options ...kgo.Opt) *member {
	m := &member{owned: map[int32]bool{}}
	m.Client = client(append([]kgo.Opt{kgo.ConsumerGroup(group), kgo.ConsumeTopics(name), kgo.DisableAutoCommit(),
		kgo.HeartbeatInterval(200 * time.Millisecond), kgo.SessionTimeout(6 * time.Second),
		kgo.OnPartitionsAssigned(func(_ context.Context, _ *kgo.Client, got map[string][]int32) {
			m.mutex.Lock()
			defer m.mutex.Unlock()
			m.assigned++
			for _, p := range got[name] {
				m.owned[p] = true
			}
		}),
		kgo.OnPartitionsRevoked(func(_ context.Context, _ *kgo.Client, lost map[string][]int32) {
			m.mutex.Lock()
			defer m.mutex.Unlock()
			m.revoked += len(lost[name])
			for _, p := range lost[name] {
				delete(m.owned, p)
			}
		})}, options...)...)
	go func() {
		for !m.PollFetches(context.Background()).IsClientClosed() {
		}
	}()
	return m
}

func (m *member) has() []int32 {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	var all []int32
	for p := range m.owned {
		all = append(all, p)
	}
	slices.Sort(all)
	return all
}

func shared(members ...*member) func() bool {
	return func() bool {
		var all []int32
		for _, m := range members {
			if len(m.has()) != 4/len(members) {
				return false
			}
			all = append(all, m.has()...)
		}
		slices.Sort(all)
		return slices.Equal(all, []int32{0, 1, 2, 3})
	}
}

// share has two members share four partitions; revoked is how many the first loses on the way.
func share(revoked int, options ...kgo.Opt) func() (string, error) {
	return plain(func() error {
		name, group := topic("share", 4), unique("group")
		one := join(group, name, options...)
		if err := until("one has all", shared(one)); err != nil {
			return err
		}
		two := join(group, name, options...)
		if err := until("two each", shared(one, two)); err != nil {
			return err
		}
		if err := equal(one.revoked, revoked, "revoked partitions"); err != nil {
			return err
		}
		one.Close()
		err := until("the second has all", shared(two))
		two.Close()
		return err
	})
}

func groupResume() error {
	name, group, c := topic("resume", 1), unique("group"), client()
	defer c.Close()
	if _, err := send(c, name, values...); err != nil {
		return err
	}
	var got []string
	for _, count := range []int{8, 12} {
		reader := client(kgo.ConsumerGroup(group), kgo.ConsumeTopics(name), kgo.DisableAutoCommit(),
			kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
		fetched := reader.PollRecords(soon(), count)
		got = append(got, valuesOf(fetched.Records())...)
		err := first(fetched.Err0(), reader.CommitRecords(soon(), fetched.Records()...))
		reader.Close()
		if err != nil {
			return err
		}
	}
	return first(equal(got, values, "values"), offsetIs(group, name, 0, 20))
}

func static() error {
	name, group := topic("static", 4), unique("group")
	one, two := join(group, name, kgo.InstanceID("one")), join(group, name, kgo.InstanceID("two"))
	if err := until("two each", shared(one, two)); err != nil {
		return err
	}
	had := two.has()
	_, generation := two.GroupMetadata()
	two.Close()
	again := join(group, name, kgo.InstanceID("two"))
	if err := until("its partitions again", func() bool { return slices.Equal(again.has(), had) }); err != nil {
		return err
	}
	_, now := again.GroupMetadata()
	again.Close()
	one.Close()
	return equal(now, generation, "generation")
}

func topics() error {
	name := topic("topics", 3)
	listed, err := admin.ListTopics(soon())
	if err := first(err, equal(listed.Has(name), true, "listed"), equal(leaders(name), 3, "partitions")); err != nil {
		return err
	}
	if _, err := admin.CreateTopic(soon(), 1, 1, nil, name); !errors.Is(err, kerr.TopicAlreadyExists) {
		return fmt.Errorf("a second creation: %v", err)
	}
	if _, err := admin.DeleteTopic(soon(), name); err != nil {
		return err
	}
	return until("it is gone", func() bool {
		listed, err := admin.ListTopics(soon())
		return err == nil && !listed.Has(name)
	})
}

func partitions() error {
	name := topic("partitions", 1)
	got, err := admin.UpdatePartitions(soon(), 4, name)
	if err := first(err, got.Error()); err != nil {
		return err
	}
	return until("four partitions", func() bool { return leaders(name) == 4 })
}

func configs() error {
	name, value := topic("configs", 1), "123456"
	change := []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "retention.ms", Value: &value}}
	if _, err := admin.AlterTopicConfigs(soon(), change, name); err != nil {
		return err
	}
	return until("the new value", func() bool {
		got, err := admin.DescribeTopicConfigs(soon(), name)
		if err != nil {
			return false
		}
		return slices.ContainsFunc(got[0].Configs, func(c kadm.Config) bool {
			return c.Key == "retention.ms" && c.MaybeValue() == value
		})
	})
}

func groups() error {
	name, group := topic("groups", 4), unique("group")
	m := join(group, name)
	if err := until("it has all", shared(m)); err != nil {
		return err
	}
	described, err := admin.DescribeGroups(soon(), group)
	if err != nil {
		return err
	}
	found := described[group]
	listed, err := admin.ListGroups(soon())
	if err := first(err, equal(fmt.Sprintf("%s %d", found.State, len(found.Members)), "Stable 1", "state and members"),
		equal(slices.Contains(listed.Groups(), group), true, "listed")); err != nil {
		return err
	}
	m.Close()
	_, err = admin.DeleteGroup(soon(), group)
	return err
}

func groupOffsets() error {
	name, group := topic("group-offsets", 2), unique("group")
	offsets := kadm.Offsets{}
	offsets.AddOffset(name, 1, 5, -1)
	if err := first(admin.CommitAllOffsets(soon(), group, offsets), offsetIs(group, name, 1, 5)); err != nil {
		return err
	}
	deleted, err := admin.DeleteOffsets(soon(), group, offsets.TopicsSet())
	if err := first(err, deleted.Error()); err != nil {
		return err
	}
	got, err := admin.FetchOffsets(soon(), group)
	_, found := got.Lookup(name, 1)
	return first(err, equal(found, false, "offset after its deletion"))
}

func listOffsets() error {
	name, c := topic("list-offsets", 1), client()
	defer c.Close()
	if _, err := send(c, name, values...); err != nil {
		return err
	}
	start, err := admin.ListStartOffsets(soon(), name)
	if err != nil {
		return err
	}
	end, err := admin.ListEndOffsets(soon(), name)
	if err != nil {
		return err
	}
	low, _ := start.Lookup(name, 0)
	high, _ := end.Lookup(name, 0)
	return equal([]int64{low.Offset, high.Offset}, []int64{0, 20}, "first and last")
}

func deleteRecords() error {
	name, c := topic("delete-records", 1), client()
	defer c.Close()
	if _, err := send(c, name, values...); err != nil {
		return err
	}
	offsets := kadm.Offsets{}
	offsets.AddOffset(name, 0, 15, -1)
	got, err := admin.DeleteRecords(soon(), offsets)
	if err != nil {
		return err
	}
	done, _ := got.Lookup(name, 0)
	return first(done.Err, equal(done.LowWatermark, int64(15), "low watermark"), expect(name, values[15:], 15))
}

func cluster() (string, error) {
	found, err := admin.BrokerMetadata(soon())
	if err != nil {
		return "", err
	}
	ids := found.Brokers.NodeIDs()
	return fmt.Sprint(len(ids), " brokers"), first(equal(found.Cluster != "", true, "a cluster id"),
		equal(slices.Contains(ids, found.Controller), true, "controller among the brokers"))
}

func main() {
	run([]feature{
		{"kip848", share(2, kgo.ServerSideBalancer(), kgo.Balancers(kgo.StickyBalancer()))},
		{"cooperative", share(2, kgo.Balancers(kgo.CooperativeStickyBalancer()))},
		{"group-share", share(4, kgo.Balancers(kgo.RangeBalancer()))},
		{"static", plain(static)},
		{"acks-0", acks(kgo.NoAck(), false)}, {"acks-1", acks(kgo.LeaderAck(), true)}, {"acks-all", acks(kgo.AllISRAcks(), true)},
		{"gzip", codec(kgo.GzipCompression())}, {"snappy", codec(kgo.SnappyCompression())},
		{"lz4", codec(kgo.Lz4Compression())}, {"zstd", codec(kgo.ZstdCompression())},
		{"headers", plain(headers)}, {"timestamps", plain(timestamps)}, {"idempotent", plain(idempotent)},
		{"txn-commit", transaction(kgo.TryCommit)}, {"txn-abort", transaction(kgo.TryAbort)},
		{"txn-offsets", plain(txnOffsets)}, {"earliest", plain(earliest)}, {"seek", plain(seek)},
		{"offset-for-time", plain(offsetForTime)}, {"group-resume", plain(groupResume)},
		{"topics", plain(topics)}, {"partitions", plain(partitions)}, {"configs", plain(configs)},
		{"groups", plain(groups)}, {"group-offsets", plain(groupOffsets)}, {"list-offsets", plain(listOffsets)},
		{"delete-records", plain(deleteRecords)}, {"cluster", cluster},
	})
}
