// What sarama can do against the cluster at BOOTSTRAP.
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

	"github.com/IBM/sarama"
)

var (
	seed   = []string{bootstrap()}
	values = values20()
	admin  = newAdmin()
)

func config(change ...func(*sarama.Config)) *sarama.Config {
	c := sarama.NewConfig()
	c.Version = sarama.MaxVersion
	c.Producer.Return.Successes = true
	c.Producer.RequiredAcks = sarama.WaitForAll
	c.Producer.Partitioner = sarama.NewManualPartitioner
	c.Consumer.Offsets.Initial = sarama.OffsetOldest
	c.Consumer.Offsets.AutoCommit.Enable = false
	c.Consumer.MaxWaitTime = 100 * time.Millisecond
	c.Consumer.Group.Heartbeat.Interval = 200 * time.Millisecond
	c.Consumer.Group.Session.Timeout = 6 * time.Second
	c.Consumer.Group.Rebalance.GroupStrategies = []sarama.BalanceStrategy{sarama.NewBalanceStrategyRange()}
	for _, f := range change {
		f(c)
	}
	return c
}

func newAdmin() sarama.ClusterAdmin {
	a, err := sarama.NewClusterAdmin(seed, config())
	if err != nil {
		panic(err)
	}
	return a
}

func topic(name string, partitions int32) string {
	name = unique(name)
	err := admin.CreateTopic(name, &sarama.TopicDetail{NumPartitions: partitions, ReplicationFactor: 1}, false)
	if err == nil {
		err = until("the topic has leaders", func() bool { return leaders(name) == int(partitions) })
	}
	if err != nil {
		panic(err)
	}
	return name
}

func leaders(name string) int {
	found, err := admin.DescribeTopics([]string{name})
	if err != nil || found[0].Err != sarama.ErrNoError {
		return 0
	}
	count := 0
	for _, p := range found[0].Partitions {
		if p.Err == sarama.ErrNoError && p.Leader >= 0 {
			count++
		}
	}
	return count
}

func withProducer(work func(sarama.SyncProducer) error, change ...func(*sarama.Config)) error {
	p, err := sarama.NewSyncProducer(seed, config(change...))
	if err != nil {
		return err
	}
	return first(work(p), p.Close())
}

func text(name, value string) *sarama.ProducerMessage {
	return &sarama.ProducerMessage{Topic: name, Value: sarama.StringEncoder(value)}
}

// produce sends values as one list, and checks their offsets when they were answered.
func produce(name string, values []string, change ...func(*sarama.Config)) error {
	return withProducer(func(p sarama.SyncProducer) error {
		var all []*sarama.ProducerMessage
		for _, v := range values {
			all = append(all, text(name, v))
		}
		if err := p.SendMessages(all); err != nil {
			return err
		}
		for i, m := range all {
			if m.Offset != int64(i) && config(change...).Producer.RequiredAcks != sarama.NoResponse {
				return fmt.Errorf("offset %d, not %d", m.Offset, i)
			}
		}
		return nil
	}, change...)
}

// read gives the first records of partition 0 from an offset on; no more may follow at once.
func read(name string, count int, from int64, change ...func(*sarama.Config)) ([]*sarama.ConsumerMessage, error) {
	c, err := sarama.NewConsumer(seed, config(change...))
	if err != nil {
		return nil, err
	}
	defer c.Close()
	p, err := c.ConsumePartition(name, 0, from)
	if err != nil {
		return nil, err
	}
	defer p.Close()
	var got []*sarama.ConsumerMessage
	for wait := 12 * time.Second; ; {
		select {
		case m := <-p.Messages():
			got = append(got, m)
		case <-time.After(wait):
			return got, equal(len(got), count, "number of records")
		}
		if len(got) >= count {
			wait = 250 * time.Millisecond
		}
	}
}

func expect(name string, wanted []string, from int64, change ...func(*sarama.Config)) error {
	got, err := read(name, len(wanted), from, change...)
	if err != nil {
		return err
	}
	var values []string
	for _, m := range got {
		values = append(values, string(m.Value))
	}
	return equal(values, wanted, "values")
}

func produced(values []string, change ...func(*sarama.Config)) func() (string, error) {
	return plain(func() error {
		name := topic("produce", 1)
		return first(produce(name, values, change...), expect(name, values, 0))
	})
}

func acks(level sarama.RequiredAcks) func() (string, error) {
	return produced(values, func(c *sarama.Config) { c.Producer.RequiredAcks = level })
}

func codec(kind sarama.CompressionCodec) func() (string, error) {
	var long []string
	for _, v := range values {
		long = append(long, strings.Repeat(v, 100))
	}
	return produced(long, func(c *sarama.Config) { c.Producer.Compression = kind })
}

func exactlyOnce(c *sarama.Config) {
	c.Producer.Idempotent = true
	c.Net.MaxOpenRequests = 1
}

func transactional(c *sarama.Config) {
	exactlyOnce(c)
	c.Producer.Transaction.ID = unique("txn")
}

func headers() error {
	name := topic("headers", 1)
	full := text(name, "v")
	full.Key = sarama.StringEncoder("k")
	full.Headers = []sarama.RecordHeader{{Key: []byte("a"), Value: []byte("1")}, {Key: []byte("b")}}
	empty := &sarama.ProducerMessage{Topic: name, Key: sarama.StringEncoder("k")}
	if err := withProducer(func(p sarama.SyncProducer) error {
		return p.SendMessages([]*sarama.ProducerMessage{full, empty})
	}); err != nil {
		return err
	}
	got, err := read(name, 2, 0)
	if err != nil {
		return err
	}
	shown := fmt.Sprintf("%s %s %s=%s %s=%s", got[0].Key, got[0].Value, got[0].Headers[0].Key, got[0].Headers[0].Value,
		got[0].Headers[1].Key, got[0].Headers[1].Value)
	return first(equal(shown, "k v a=1 b=", "record"), equal(got[1].Value == nil, true, "null value"))
}

func timestamps() error {
	name, wanted := topic("timestamps", 1), time.UnixMilli(time.Now().UnixMilli()-5000)
	m := text(name, "v")
	m.Timestamp = wanted
	if err := withProducer(func(p sarama.SyncProducer) error { _, _, err := p.SendMessage(m); return err }); err != nil {
		return err
	}
	got, err := read(name, 1, 0)
	if err != nil {
		return err
	}
	return equal(got[0].Timestamp.UnixMilli(), wanted.UnixMilli(), "timestamp")
}

func transaction(commit bool) func() (string, error) {
	return plain(func() error {
		name := topic("txn", 1)
		if err := withProducer(func(p sarama.SyncProducer) error {
			for i, end := range []func() error{p.AbortTxn, p.CommitTxn} {
				if commit {
					end = p.CommitTxn
				}
				if err := p.BeginTxn(); err != nil {
					return err
				}
				if _, _, err := p.SendMessage(text(name, strconv.Itoa(i))); err != nil {
					return err
				}
				if err := end(); err != nil {
					return err
				}
			}
			return nil
		}, transactional); err != nil {
			return err
		}
		committed := []string{"0", "1"}
		if !commit {
			committed = committed[1:]
		}
		return first(expect(name, committed, 0, func(c *sarama.Config) { c.Consumer.IsolationLevel = sarama.ReadCommitted }),
			expect(name, []string{"0", "1"}, 0))
	})
}

func txnOffsets() error {
	name, group := topic("txn-offsets", 1), unique("group")
	return first(withProducer(func(p sarama.SyncProducer) error {
		if err := p.BeginTxn(); err != nil {
			return err
		}
		_, _, err := p.SendMessage(text(name, "v"))
		offsets := map[string][]*sarama.PartitionOffsetMetadata{name: {{Partition: 0, Offset: 7}}}
		return first(err, p.AddOffsetsToTxn(offsets, group), p.CommitTxn())
	}, transactional), offsetIs(group, name, 0, 7))
}

// offsetIs waits: a transaction's offsets are the group's only once its markers are written.
func offsetIs(group, name string, partition int32, wanted int64) error {
	return until(fmt.Sprintf("committed offset %d", wanted), func() bool {
		got, err := admin.ListConsumerGroupOffsets(group, map[string][]int32{name: {partition}})
		return err == nil && got.GetBlock(name, partition).Offset == wanted
	})
}

func earliest() error {
	name := topic("earliest", 1)
	return first(produce(name, values), expect(name, values, sarama.OffsetOldest))
}

func seek() error {
	name := topic("seek", 1)
	return first(produce(name, values), expect(name, values[13:], 13))
}

func withClient(work func(sarama.Client) error) error {
	c, err := sarama.NewClient(seed, config())
	if err != nil {
		return err
	}
	return first(work(c), c.Close())
}

func offsetForTime() error {
	name, base := topic("time", 1), time.Now().UnixMilli()-10000
	if err := withProducer(func(p sarama.SyncProducer) error {
		for i := range int64(5) {
			m := text(name, "v")
			m.Timestamp = time.UnixMilli(base + 1000*i)
			if _, _, err := p.SendMessage(m); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		return err
	}
	return withClient(func(c sarama.Client) error {
		got, err := c.GetOffset(name, 0, base+2500)
		return first(err, equal(got, int64(3), "offset"))
	})
}

// A member of a group; owned is what its session has now.
type member struct {
	group      sarama.ConsumerGroup
	stop       context.CancelFunc
	mutex      sync.Mutex
	owned      []int32
	generation int32
	revoked    int // sessions' partitions at their ends
	began      int // claims
	ended      int
	got        []*sarama.ConsumerMessage
	session    sarama.ConsumerGroupSession
	name       string
}

func join(group, name string, change ...func(*sarama.Config)) *member {
	g, err := sarama.NewConsumerGroup(seed, group, config(change...))
	if err != nil {
		panic(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	m := &member{group: g, stop: stop, name: name}
	go func() {
		for ctx.Err() == nil {
			if err := g.Consume(ctx, []string{name}, m); err != nil {
				return
			}
		}
	}()
	return m
}

func (m *member) Setup(s sarama.ConsumerGroupSession) error {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	m.owned, m.generation, m.session = slices.Clone(s.Claims()[m.name]), s.GenerationID(), s
	return nil
}

func (m *member) Cleanup(s sarama.ConsumerGroupSession) error {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	m.revoked += len(m.owned)
	m.owned = nil
	return nil
}

func (m *member) ConsumeClaim(s sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	m.count(&m.began)
	defer m.count(&m.ended)
	for {
		select {
		case message, ok := <-claim.Messages():
			if !ok {
				return nil
			}
			m.mutex.Lock()
			m.got = append(m.got, message)
			m.mutex.Unlock()
		case <-s.Context().Done():
			return nil
		}
	}
}

func (m *member) count(what *int) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	*what++
}

// claims is how many partitions are being consumed.
func (m *member) claims() int {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	return m.began - m.ended
}

func (m *member) leave() {
	m.stop()
	_ = m.group.Close()
}

func (m *member) has() []int32 {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	return slices.Clone(m.owned)
}

func (m *member) values() []string {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	var all []string
	for _, message := range m.got {
		all = append(all, string(message.Value))
	}
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

func share() error {
	name, group := topic("share", 4), unique("group")
	one := join(group, name)
	if err := until("one has all", shared(one)); err != nil {
		return err
	}
	two := join(group, name)
	if err := until("two each", shared(one, two)); err != nil {
		return err
	}
	one.leave()
	err := until("the second has all", shared(two))
	two.leave()
	return err
}

// In a cooperative rebalance the session lives on; what a member keeps goes on being consumed.
func cooperative() error {
	sticky := func(c *sarama.Config) {
		c.Consumer.Group.Rebalance.GroupStrategies = []sarama.BalanceStrategy{sarama.NewBalanceStrategyCooperativeSticky()}
	}
	name, group := topic("cooperative", 4), unique("group")
	one := join(group, name, sticky)
	if err := until("one has all", func() bool { return one.claims() == 4 }); err != nil {
		return err
	}
	two := join(group, name, sticky)
	err := until("two each", func() bool { return one.claims() == 2 && two.claims() == 2 })
	ended, dropped := one.ended, one.revoked
	two.leave()
	one.leave()
	return first(err, equal(ended, 2, "claims that ended"), equal(dropped, 0, "sessions that ended"))
}

func groupResume() error {
	name, group := topic("resume", 1), unique("group")
	if err := produce(name, values); err != nil {
		return err
	}
	one := join(group, name)
	if err := until("records", func() bool { return len(one.values()) == 20 }); err != nil {
		return err
	}
	one.session.MarkOffset(name, 0, 8, "")
	one.session.Commit()
	one.leave()
	two := join(group, name)
	err := until("the rest", func() bool { return len(two.values()) >= 12 })
	two.leave()
	return first(err, equal(two.values(), values[8:], "values"), offsetIs(group, name, 0, 8))
}

func static() error {
	name, group := topic("static", 4), unique("group")
	instance := func(id string) func(*sarama.Config) {
		return func(c *sarama.Config) { c.Consumer.Group.InstanceId = id }
	}
	one, two := join(group, name, instance("one")), join(group, name, instance("two"))
	if err := until("two each", shared(one, two)); err != nil {
		return err
	}
	had, generation := two.has(), two.generation
	two.leave()
	again := join(group, name, instance("two"))
	err := until("its partitions again", func() bool { return slices.Equal(again.has(), had) })
	now := again.generation
	again.leave()
	one.leave()
	return first(err, equal(now, generation, "generation"))
}

func topics() error {
	name := topic("topics", 3)
	listed, err := admin.ListTopics()
	if err := first(err, equal(listed[name].NumPartitions, int32(3), "partitions")); err != nil {
		return err
	}
	err = admin.CreateTopic(name, &sarama.TopicDetail{NumPartitions: 1, ReplicationFactor: 1}, false)
	if !errors.Is(err, sarama.ErrTopicAlreadyExists) {
		return fmt.Errorf("a second creation: %v", err)
	}
	if err := admin.DeleteTopic(name); err != nil {
		return err
	}
	return until("it is gone", func() bool {
		listed, err := admin.ListTopics()
		_, found := listed[name]
		return err == nil && !found
	})
}

func partitions() error {
	name := topic("partitions", 1)
	return first(admin.CreatePartitions(name, 4, nil, false), until("four partitions", func() bool { return leaders(name) == 4 }))
}

func configs() error {
	name, value := topic("configs", 1), "123456"
	change := map[string]sarama.IncrementalAlterConfigsEntry{
		"retention.ms": {Operation: sarama.IncrementalAlterConfigsOperationSet, Value: &value}}
	if err := admin.IncrementalAlterConfig(sarama.TopicResource, name, change, false); err != nil {
		return err
	}
	resource := sarama.ConfigResource{Type: sarama.TopicResource, Name: name, ConfigNames: []string{"retention.ms"}}
	return until("the new value", func() bool {
		got, err := admin.DescribeConfig(resource)
		return err == nil && len(got) == 1 && got[0].Value == value
	})
}

func groups() error {
	name, group := topic("groups", 4), unique("group")
	m := join(group, name)
	if err := until("it has all", shared(m)); err != nil {
		return err
	}
	listed, err := admin.ListConsumerGroups()
	if err := first(err, equal(listed[group], "consumer", "protocol type")); err != nil {
		return err
	}
	found, err := admin.DescribeConsumerGroups([]string{group})
	if err != nil {
		return err
	}
	shown := fmt.Sprintf("%s %d", found[0].State, len(found[0].Members))
	m.leave()
	return first(equal(shown, "Stable 1", "state and members"), admin.DeleteConsumerGroup(group))
}

func groupOffsets() error {
	name, group := topic("group-offsets", 2), unique("group")
	offsets := map[string]map[int32]sarama.OffsetAndMetadata{name: {1: {Offset: 5, Metadata: "m", LeaderEpoch: -1}}}
	_, err := admin.AlterConsumerGroupOffsets(group, offsets, nil)
	return first(err, offsetIs(group, name, 1, 5), admin.DeleteConsumerGroupOffset(group, name, 1), offsetIs(group, name, 1, -1))
}

func listOffsets() error {
	name := topic("list-offsets", 1)
	if err := produce(name, values); err != nil {
		return err
	}
	for spec, wanted := range map[int64]int64{sarama.OffsetOldest: 0, sarama.OffsetNewest: 20} {
		got, err := admin.ListOffsets(map[string]map[int32]int64{name: {0: spec}}, nil)
		if err := first(err, equal(got[name][0].Offset, wanted, "offset")); err != nil {
			return err
		}
	}
	return nil
}

func deleteRecords() error {
	name := topic("delete-records", 1)
	return first(produce(name, values), admin.DeleteRecords(name, map[int32]int64{0: 15}),
		expect(name, values[15:], sarama.OffsetOldest))
}

func cluster() (string, error) {
	brokers, controller, err := admin.DescribeCluster()
	known := slices.ContainsFunc(brokers, func(b *sarama.Broker) bool { return b.ID() == controller })
	return fmt.Sprint(len(brokers), " brokers"), first(err, equal(known, true, "controller among the brokers"))
}

func main() {
	run([]feature{
		{"group-share", plain(share)}, {"static", plain(static)},
		{"cooperative", plain(cooperative)}, {"kip848", notAvailable("no protocol but the classic one")},
		{"acks-0", acks(sarama.NoResponse)}, {"acks-1", acks(sarama.WaitForLocal)}, {"acks-all", acks(sarama.WaitForAll)},
		{"gzip", codec(sarama.CompressionGZIP)}, {"snappy", codec(sarama.CompressionSnappy)},
		{"lz4", codec(sarama.CompressionLZ4)}, {"zstd", codec(sarama.CompressionZSTD)},
		{"headers", plain(headers)}, {"timestamps", plain(timestamps)}, {"idempotent", produced(values, exactlyOnce)},
		{"txn-commit", transaction(true)}, {"txn-abort", transaction(false)}, {"txn-offsets", plain(txnOffsets)},
		{"earliest", plain(earliest)}, {"seek", plain(seek)}, {"offset-for-time", plain(offsetForTime)},
		{"group-resume", plain(groupResume)}, {"topics", plain(topics)}, {"partitions", plain(partitions)},
		{"configs", plain(configs)}, {"groups", plain(groups)}, {"group-offsets", plain(groupOffsets)},
		{"list-offsets", plain(listOffsets)}, {"delete-records", plain(deleteRecords)}, {"cluster", cluster},
	})
}
