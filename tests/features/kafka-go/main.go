// What segmentio/kafka-go can do against the cluster at BOOTSTRAP.
package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
)

var (
	seed   = bootstrap()
	values = values20()
	client = &kafka.Client{Addr: kafka.TCP(seed), Timeout: 12 * time.Second}
	ctx    = context.Background()
)

func topic(name string, partitions int) string {
	name = unique(name)
	got, err := client.CreateTopics(ctx, &kafka.CreateTopicsRequest{
		Topics: []kafka.TopicConfig{{Topic: name, NumPartitions: partitions, ReplicationFactor: 1}}})
	if err == nil {
		err = first(got.Errors[name], until("the topic has leaders", func() bool { return leaders(name) == partitions }))
	}
	if err != nil {
		panic(err)
	}
	return name
}

// found asks without the cache that a client has.
func found(names ...string) []kafka.Partition {
	c, err := kafka.Dial("tcp", seed)
	if err != nil {
		return nil
	}
	defer c.Close()
	all, err := c.ReadPartitions(names...)
	if err != nil {
		return nil
	}
	return all
}

func leaders(name string) int {
	count := 0
	for _, p := range found(name) {
		if p.Error == nil && p.Leader.Host != "" {
			count++
		}
	}
	return count
}

func texts(values []string) []kafka.Message {
	var all []kafka.Message
	for _, v := range values {
		all = append(all, kafka.Message{Value: []byte(v)})
	}
	return all
}

func write(name string, messages []kafka.Message, change ...func(*kafka.Writer)) error {
	w := &kafka.Writer{Addr: kafka.TCP(seed), Topic: name, RequiredAcks: kafka.RequireAll,
		BatchTimeout: 10 * time.Millisecond, Transport: &kafka.Transport{}}
	for _, f := range change {
		f(w)
	}
	return first(w.WriteMessages(ctx, messages...), w.Close())
}

// read gives the first records of partition 0 from an offset on; no more may follow at once.
func read(name string, count int, from int64) ([]kafka.Message, error) {
	r := kafka.NewReader(kafka.ReaderConfig{Brokers: []string{seed}, Topic: name, Partition: 0, MaxWait: 100 * time.Millisecond})
	defer r.Close()
	if err := r.SetOffset(from); err != nil {
		return nil, err
	}
	var got []kafka.Message
	for wait := 12 * time.Second; ; {
		limited, cancel := context.WithTimeout(ctx, wait)
		m, err := r.ReadMessage(limited)
		cancel()
		if errors.Is(err, context.DeadlineExceeded) {
			return got, equal(len(got), count, "number of records")
		}
		if err != nil {
			return nil, err
		}
		got = append(got, m)
		if len(got) >= count {
			wait = 250 * time.Millisecond
		}
	}
}

func expect(name string, wanted []string, from int64) error {
	got, err := read(name, len(wanted), from)
	if err != nil {
		return err
	}
	var values []string
	for _, m := range got {
		values = append(values, string(m.Value))
	}
	return equal(values, wanted, "values")
}

func acks(level kafka.RequiredAcks) func() (string, error) {
	return plain(func() error {
		name := topic("acks", 1)
		err := write(name, texts(values), func(w *kafka.Writer) { w.RequiredAcks = level })
		return first(err, expect(name, values, 0))
	})
}

func codec(kind kafka.Compression) func() (string, error) {
	return plain(func() error {
		var long []string
		for _, v := range values {
			long = append(long, strings.Repeat(v, 100))
		}
		name := topic(kind.String(), 1)
		return first(write(name, texts(long), func(w *kafka.Writer) { w.Compression = kind }), expect(name, long, 0))
	})
}

func headers() error {
	name := topic("headers", 1)
	full := kafka.Message{Key: []byte("k"), Value: []byte("v"),
		Headers: []kafka.Header{{Key: "a", Value: []byte("1")}, {Key: "b", Value: []byte("")}}}
	if err := write(name, []kafka.Message{full, {Key: []byte("k")}}); err != nil {
		return err
	}
	got, err := read(name, 2, 0)
	if err != nil {
		return err
	}
	shown := fmt.Sprintf("%s %s %s %s %v", got[0].Key, got[0].Value, got[0].Headers, got[1].Key, len(got[1].Value))
	return equal(shown, "k v [{a 1} {b }] k 0", "records")
}

func timestamps() error {
	name, wanted := topic("timestamps", 1), time.UnixMilli(time.Now().UnixMilli()-5000)
	if err := write(name, []kafka.Message{{Value: []byte("v"), Time: wanted}}); err != nil {
		return err
	}
	got, err := read(name, 1, 0)
	if err != nil {
		return err
	}
	return equal(got[0].Time.UnixMilli(), wanted.UnixMilli(), "timestamp")
}

// kafka-go sends a transaction's requests but can't produce records in one.
func txnOffsets() (string, error) {
	name, group, id := topic("txn-offsets", 1), unique("group"), unique("txn")
	var session *kafka.ProducerSession
	if err := until("a producer id", func() bool {
		got, err := client.InitProducerID(ctx, &kafka.InitProducerIDRequest{TransactionalID: id, TransactionTimeoutMs: 60000})
		if err != nil || got.Error != nil {
			return false
		}
		session = got.Producer
		return true
	}); err != nil {
		return "", err
	}
	added, err := client.AddOffsetsToTxn(ctx, &kafka.AddOffsetsToTxnRequest{TransactionalID: id,
		ProducerID: session.ProducerID, ProducerEpoch: session.ProducerEpoch, GroupID: group})
	if err := first(err, added.Error); err != nil {
		return "", err
	}
	sent, err := client.TxnOffsetCommit(ctx, &kafka.TxnOffsetCommitRequest{TransactionalID: id, GroupID: group,
		ProducerID: session.ProducerID, ProducerEpoch: session.ProducerEpoch, GenerationID: -1,
		Topics: map[string][]kafka.TxnOffsetCommit{name: {{Partition: 0, Offset: 7}}}})
	if err := first(err, sent.Topics[name][0].Error); err != nil {
		return "", err
	}
	ended, err := client.EndTxn(ctx, &kafka.EndTxnRequest{TransactionalID: id, ProducerID: session.ProducerID,
		ProducerEpoch: session.ProducerEpoch, Committed: true})
	if err := first(err, ended.Error); err != nil {
		return "", err
	}
	return "requests of its low-level client", until("the committed offset", func() bool { return offset(group, name, 0) == 7 })
}

// offset is the group's committed offset; -1: none, -2: an error.
func offset(group, name string, partition int) int64 {
	got, err := client.OffsetFetch(ctx, &kafka.OffsetFetchRequest{GroupID: group, Topics: map[string][]int{name: {partition}}})
	if err != nil || got.Error != nil || got.Topics[name][0].Error != nil {
		return -2
	}
	return got.Topics[name][0].CommittedOffset
}

func earliest() error {
	name := topic("earliest", 1)
	return first(write(name, texts(values)), expect(name, values, kafka.FirstOffset))
}

func seek() error {
	name := topic("seek", 1)
	return first(write(name, texts(values)), expect(name, values[13:], 13))
}

func listed(name string, what kafka.OffsetRequest) (kafka.PartitionOffsets, error) {
	got, err := client.ListOffsets(ctx, &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{name: {what}}})
	if err != nil {
		return kafka.PartitionOffsets{}, err
	}
	return got.Topics[name][0], got.Topics[name][0].Error
}

func offsetForTime() error {
	name, base := topic("time", 1), time.UnixMilli(time.Now().UnixMilli()-10000)
	var all []kafka.Message
	for i := range 5 {
		all = append(all, kafka.Message{Value: []byte("v"), Time: base.Add(time.Duration(i) * time.Second)})
	}
	if err := write(name, all); err != nil {
		return err
	}
	got, err := listed(name, kafka.TimeOffsetOf(0, base.Add(2500*time.Millisecond)))
	_, found := got.Offsets[3]
	return first(err, equal(found, true, "offset 3"))
}

func listOffsets() error {
	name := topic("list-offsets", 1)
	if err := write(name, texts(values)); err != nil {
		return err
	}
	low, err := listed(name, kafka.FirstOffsetOf(0))
	if err != nil {
		return err
	}
	high, err := listed(name, kafka.LastOffsetOf(0))
	return first(err, equal([]int64{low.FirstOffset, high.LastOffset}, []int64{0, 20}, "first and last"))
}

// A member of a group; owned is what its generation gave it.
type member struct {
	group *kafka.ConsumerGroup
	stop  context.CancelFunc
	mutex sync.Mutex
	owned []int
}

func join(group, name string) *member {
	g, err := kafka.NewConsumerGroup(kafka.ConsumerGroupConfig{ID: group, Brokers: []string{seed}, Topics: []string{name},
		HeartbeatInterval: 200 * time.Millisecond, SessionTimeout: 6 * time.Second, RebalanceTimeout: 6 * time.Second,
		JoinGroupBackoff: 200 * time.Millisecond})
	if err != nil {
		panic(err)
	}
	limited, stop := context.WithCancel(ctx)
	m := &member{group: g, stop: stop}
	go func() {
		for limited.Err() == nil {
			m.next(limited, name)
		}
	}()
	return m
}

func (m *member) next(limited context.Context, name string) {
	generation, err := m.group.Next(limited)
	if err != nil {
		return
	}
	m.set(generation.Assignments[name])
	generation.Start(func(ended context.Context) { <-ended.Done(); m.set(nil) })
}

func (m *member) set(assigned []kafka.PartitionAssignment) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	m.owned = nil
	for _, p := range assigned {
		m.owned = append(m.owned, p.ID)
	}
}

func (m *member) has() []int {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	return slices.Clone(m.owned)
}

func (m *member) leave() {
	m.stop()
	_ = m.group.Close()
}

func shared(members ...*member) func() bool {
	return func() bool {
		var all []int
		for _, m := range members {
			if len(m.has()) != 4/len(members) {
				return false
			}
			all = append(all, m.has()...)
		}
		slices.Sort(all)
		return slices.Equal(all, []int{0, 1, 2, 3})
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

func groupResume() error {
	name, group := topic("resume", 1), unique("group")
	if err := write(name, texts(values)); err != nil {
		return err
	}
	var got []string
	for _, count := range []int{8, 12} {
		r := kafka.NewReader(kafka.ReaderConfig{Brokers: []string{seed}, GroupID: group, Topic: name,
			StartOffset: kafka.FirstOffset, MaxWait: 100 * time.Millisecond})
		for range count {
			limited, cancel := context.WithTimeout(ctx, 12*time.Second)
			m, err := r.ReadMessage(limited) // commits
			cancel()
			if err != nil {
				return err
			}
			got = append(got, string(m.Value))
		}
		if err := r.Close(); err != nil {
			return err
		}
	}
	return first(equal(got, values, "values"), equal(offset(group, name, 0), int64(20), "committed offset"))
}

func names() []string {
	var all []string
	for _, p := range found() {
		all = append(all, p.Topic)
	}
	return all
}

func topics() error {
	name := topic("topics", 3)
	if err := equal(slices.Contains(names(), name), true, "listed"); err != nil {
		return err
	}
	again, err := client.CreateTopics(ctx, &kafka.CreateTopicsRequest{
		Topics: []kafka.TopicConfig{{Topic: name, NumPartitions: 1, ReplicationFactor: 1}}})
	if err != nil || !errors.Is(again.Errors[name], kafka.TopicAlreadyExists) {
		return fmt.Errorf("a second creation: %v %v", err, again)
	}
	got, err := client.DeleteTopics(ctx, &kafka.DeleteTopicsRequest{Topics: []string{name}})
	if err != nil {
		return err
	}
	return first(got.Errors[name], until("it is gone", func() bool { return !slices.Contains(names(), name) }))
}

func partitions() error {
	name := topic("partitions", 1)
	got, err := client.CreatePartitions(ctx, &kafka.CreatePartitionsRequest{
		Topics: []kafka.TopicPartitionsConfig{{Name: name, Count: 4}}})
	if err != nil {
		return err
	}
	return first(got.Errors[name], until("four partitions", func() bool { return leaders(name) == 4 }))
}

func configs() error {
	name := topic("configs", 1)
	change := kafka.IncrementalAlterConfigsRequestConfig{Name: "retention.ms", Value: "123456", ConfigOperation: kafka.ConfigOperationSet}
	got, err := client.IncrementalAlterConfigs(ctx, &kafka.IncrementalAlterConfigsRequest{
		Resources: []kafka.IncrementalAlterConfigsRequestResource{{ResourceType: kafka.ResourceTypeTopic, ResourceName: name,
			Configs: []kafka.IncrementalAlterConfigsRequestConfig{change}}}})
	if err != nil {
		return err
	}
	if err := got.Resources[0].Error; err != nil {
		return err
	}
	ask := &kafka.DescribeConfigsRequest{Resources: []kafka.DescribeConfigRequestResource{
		{ResourceType: kafka.ResourceTypeTopic, ResourceName: name, ConfigNames: []string{"retention.ms"}}}}
	return until("the new value", func() bool {
		got, err := client.DescribeConfigs(ctx, ask)
		return err == nil && len(got.Resources[0].ConfigEntries) == 1 && got.Resources[0].ConfigEntries[0].ConfigValue == "123456"
	})
}

func groups() error {
	name, group := topic("groups", 4), unique("group")
	m := join(group, name)
	if err := until("it has all", shared(m)); err != nil {
		return err
	}
	all, err := client.ListGroups(ctx, &kafka.ListGroupsRequest{})
	if err != nil {
		return err
	}
	found := slices.ContainsFunc(all.Groups, func(g kafka.ListGroupsResponseGroup) bool { return g.GroupID == group })
	described, err := client.DescribeGroups(ctx, &kafka.DescribeGroupsRequest{GroupIDs: []string{group}})
	if err := first(err, equal(found, true, "listed")); err != nil {
		return err
	}
	shown := fmt.Sprintf("%s %d", described.Groups[0].GroupState, len(described.Groups[0].Members))
	m.leave()
	deleted, err := client.DeleteGroups(ctx, &kafka.DeleteGroupsRequest{GroupIDs: []string{group}})
	if err != nil {
		return err
	}
	return first(equal(shown, "Stable 1", "state and members"), deleted.Errors[group])
}

func groupOffsets() error {
	name, group := topic("group-offsets", 2), unique("group")
	got, err := client.OffsetCommit(ctx, &kafka.OffsetCommitRequest{GroupID: group, GenerationID: -1,
		Topics: map[string][]kafka.OffsetCommit{name: {{Partition: 1, Offset: 5}}}})
	if err != nil {
		return err
	}
	if err := first(got.Topics[name][0].Error, equal(offset(group, name, 1), int64(5), "offset")); err != nil {
		return err
	}
	deleted, err := client.OffsetDelete(ctx, &kafka.OffsetDeleteRequest{GroupID: group, Topics: map[string][]int{name: {1}}})
	if err != nil {
		return err
	}
	return first(deleted.Error, equal(offset(group, name, 1), int64(-1), "deleted offset"))
}

func cluster() (string, error) {
	got, err := client.Metadata(ctx, &kafka.MetadataRequest{})
	if err != nil {
		return "", err
	}
	known := slices.ContainsFunc(got.Brokers, func(b kafka.Broker) bool { return b.ID == got.Controller.ID })
	return fmt.Sprint(len(got.Brokers), " brokers"), first(equal(got.ClusterID != "", true, "a cluster id"),
		equal(known, true, "controller among the brokers"))
}

func main() {
	run([]feature{
		{"group-share", plain(share)}, {"static", notAvailable("no group.instance.id in its consumer groups")},
		{"cooperative", notAvailable("no cooperative balancer")}, {"kip848", notAvailable("no protocol but the classic one")},
		{"acks-0", acks(kafka.RequireNone)}, {"acks-1", acks(kafka.RequireOne)}, {"acks-all", acks(kafka.RequireAll)},
		{"gzip", codec(kafka.Gzip)}, {"snappy", codec(kafka.Snappy)}, {"lz4", codec(kafka.Lz4)}, {"zstd", codec(kafka.Zstd)},
		{"headers", plain(headers)}, {"timestamps", plain(timestamps)}, {"idempotent", notAvailable("no idempotent writer")},
		{"txn-commit", notAvailable("no transactional writer")}, {"txn-abort", notAvailable("no transactional writer")},
		{"txn-offsets", txnOffsets}, {"earliest", plain(earliest)}, {"seek", plain(seek)},
		{"offset-for-time", plain(offsetForTime)}, {"group-resume", plain(groupResume)}, {"topics", plain(topics)},
		{"partitions", plain(partitions)}, {"configs", plain(configs)}, {"groups", plain(groups)},
		{"group-offsets", plain(groupOffsets)}, {"list-offsets", plain(listOffsets)},
		{"delete-records", notAvailable("no DeleteRecords")}, {"cluster", cluster},
	})
}
