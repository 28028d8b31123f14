// franz-go as a subject: a kgo.Client as producer, as group consumer, and with transactions.
package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

const roomRecords = 10000 // the library's own limit is not below that

func main() {
	start(map[string]func(*options) int{"producer": runProducer, "consumer": runConsumer, "transactional": runTransactional})
}

// ---- configuration ----

// A build collects the library's options.
type build struct {
	o                   *options
	opts                []kgo.Opt
	block               time.Duration
	pollRecords         int
	backoff, backoffMax time.Duration
}

func newBuild(o *options) *build {
	return &build{o: o, block: time.Minute, pollRecords: 500, backoffMax: time.Second}
}

func (b *build) add(opts ...kgo.Opt) { b.opts = append(b.opts, opts...) }

// on adds an option whenever its key is asked for.
func duration[T kgo.Opt](b *build, option func(time.Duration) T) setter {
	return millis(func(d time.Duration) { b.add(option(d)) })
}

func (b *build) common() map[string]setter {
	return map[string]setter{
		"bootstrap.servers":                  func(v string) error { b.add(kgo.SeedBrokers(strings.Split(v, ",")...)); return nil },
		"client.id":                          func(v string) error { b.add(kgo.ClientID(v)); return nil },
		"connections.max.idle.ms":            duration(b, kgo.ConnIdleTimeout),
		"retry.backoff.max.ms":               millis(func(d time.Duration) { b.backoffMax = d }),
		"retry.backoff.ms":                   millis(func(d time.Duration) { b.backoff = d }),
		"security.protocol":                  always("PLAINTEXT"),
		"socket.connection.setup.timeout.ms": duration(b, kgo.DialTimeout),
		"metadata.max.age.ms": millis(func(d time.Duration) {
			b.add(kgo.MetadataMaxAge(d))
			if d < 5*time.Second { // the library wants its minimum below
				b.add(kgo.MetadataMinAge(d))
			}
		}),
	}
}

func (b *build) producer() map[string]setter {
	table, p := b.common(), b.o.properties
	idempotent := p["enable.idempotence"] != "false"
	if a := p["acks"]; p["enable.idempotence"] == "" && a != "all" && a != "-1" {
		idempotent = false // as with Java's, where the library would refuse
	}
	if !idempotent {
		b.add(kgo.DisableIdempotentWrite())
	}
	table["acks"] = oneOf(map[string]kgo.Acks{"all": kgo.AllISRAcks(), "-1": kgo.AllISRAcks(), "1": kgo.LeaderAck(),
		"0": kgo.NoAck()}, func(a kgo.Acks) { b.add(kgo.RequiredAcks(a)) })
	table["batch.size"] = number(func(n int) { b.add(kgo.ProducerBatchMaxBytes(int32(n))) })
	table["buffer.memory"] = bufferBytes(b)
	table["compression.type"] = oneOf(map[string]kgo.CompressionCodec{"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(),
		"snappy": kgo.SnappyCompression(), "lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression()},
		func(c kgo.CompressionCodec) { b.add(kgo.ProducerBatchCompression(c)) })
	table["delivery.timeout.ms"] = duration(b, kgo.RecordDeliveryTimeout)
	table["enable.idempotence"] = truth(func(bool) {})
	table["linger.ms"] = duration(b, kgo.ProducerLinger)
	table["max.block.ms"] = millis(func(d time.Duration) { b.block = d })
	table["max.in.flight.requests.per.connection"] = below(5)
	if !idempotent {
		table["max.in.flight.requests.per.connection"] = number(func(n int) { b.add(kgo.MaxProduceRequestsInflightPerBroker(n)) })
	}
	// A Produce request is waited for as long as the broker may take, and the overhead.
	table["request.timeout.ms"] = millis(func(d time.Duration) {
		b.add(kgo.ProduceRequestTimeout(d/2), kgo.RequestTimeoutOverhead(d/2))
	})
	table["retries"] = number(func(n int) { b.add(kgo.RecordRetries(n)) })
	table["transactional.id"] = func(v string) error { b.add(kgo.TransactionalID(v)); return nil }
	table["transaction.timeout.ms"] = duration(b, kgo.TransactionTimeout)
	return table
}

func balancers(b *build) setter {
	return func(value string) error {
		known := map[string]kgo.GroupBalancer{"RangeAssignor": kgo.RangeBalancer(), "RoundRobinAssignor": kgo.RoundRobinBalancer(),
			"StickyAssignor": kgo.StickyBalancer(), "CooperativeStickyAssignor": kgo.CooperativeStickyBalancer()}
		var all []kgo.GroupBalancer
		for _, name := range list(value) {
			if known[name] == nil {
				return fmt.Errorf("has no %s", name)
			}
			all = append(all, known[name])
		}
		b.add(kgo.Balancers(all...))
		return nil
	}
}

func (b *build) consumer() map[string]setter {
	table := b.common()
	table["allow.auto.create.topics"] = truth(func(on bool) {
		if on {
			b.add(kgo.AllowAutoTopicCreation())
		}
	})
	table["auto.commit.interval.ms"] = duration(b, kgo.AutoCommitInterval)
	table["auto.offset.reset"] = oneOf(map[string]kgo.Offset{"earliest": kgo.NewOffset().AtStart(),
		"latest": kgo.NewOffset().AtEnd(), "none": kgo.NoResetOffset()}, func(at kgo.Offset) { b.add(kgo.ConsumeResetOffset(at)) })
	table["check.crcs"] = always("true")
	table["client.rack"] = func(v string) error { b.add(kgo.Rack(v)); return nil }
	table["enable.auto.commit"] = truth(func(on bool) {
		if !on {
			b.add(kgo.DisableAutoCommit())
		}
	})
	table["fetch.max.bytes"] = number(func(n int) { b.add(kgo.FetchMaxBytes(int32(n))) })
	table["fetch.max.wait.ms"] = duration(b, kgo.FetchMaxWait)
	table["fetch.min.bytes"] = number(func(n int) { b.add(kgo.FetchMinBytes(int32(n))) })
	table["group.id"] = func(v string) error { b.add(kgo.ConsumerGroup(v)); return nil }
	table["group.instance.id"] = func(v string) error { b.add(kgo.InstanceID(v)); return nil }
	table["group.protocol"] = func(value string) error {
		opts, can := nextGen()
		if value == "consumer" && can {
			b.add(opts...)
			return nil
		}
		return always("classic")(value)
	}
	table["group.remote.assignor"] = oneOf(map[string]kgo.GroupBalancer{"range": kgo.RangeBalancer(), "uniform": kgo.StickyBalancer()},
		func(g kgo.GroupBalancer) { b.add(kgo.Balancers(g)) })
	table["heartbeat.interval.ms"] = duration(b, kgo.HeartbeatInterval)
	table["isolation.level"] = oneOf(map[string]kgo.IsolationLevel{"read_committed": kgo.ReadCommitted(),
		"read_uncommitted": kgo.ReadUncommitted()}, func(l kgo.IsolationLevel) { b.add(kgo.FetchIsolationLevel(l)) })
	table["max.partition.fetch.bytes"] = number(func(n int) { b.add(kgo.FetchMaxPartitionBytes(int32(n))) })
	table["max.poll.interval.ms"] = duration(b, kgo.RebalanceTimeout)
	table["max.poll.records"] = number(func(n int) { b.pollRecords = n })
	table["partition.assignment.strategy"] = balancers(b)
	table["request.timeout.ms"] = duration(b, kgo.RequestTimeoutOverhead)
	table["session.timeout.ms"] = duration(b, kgo.SessionTimeout)
	return table
}

// configured reads the options and checks them; a refused configuration is unsupported.
func (b *build) configured(tables ...map[string]setter) {
	all := map[string]setter{}
	for _, t := range tables {
		for key, set := range t {
			all[key] = set
		}
	}
	b.o.configure(all)
	if b.backoff > 0 {
		b.add(kgo.RetryBackoffFn(func(tries int) time.Duration {
			d := min(b.backoff<<min(max(tries-1, 0), 20), max(b.backoff, b.backoffMax))
			return time.Duration(float64(d) * (0.8 + 0.4*rand.Float64()))
		}))
	}
}

func refused(err error) {
	if err != nil {
		unsupported("%s refuses its configuration: %v", library(), err)
	}
}

func newProducer(o *options) (*kgo.Client, *build) {
	o.flag("acks", o.acks)
	b := newBuild(o)
	b.configured(b.producer())
	b.add(kgo.AllowAutoTopicCreation()) // as every other producer
	c, err := kgo.NewClient(b.opts...)
	refused(err)
	return c, b
}

// ---- producer ----

func produce(c *kgo.Client, s *sends, r record, answered func(int32, int64, error)) {
	sent := &kgo.Record{Topic: s.o.topic, Key: r.keyBytes(), Value: []byte(r.value), Timestamp: s.timestamp(r)}
	noAcks := s.o.properties["acks"] == "0"
	c.Produce(context.Background(), sent, func(got *kgo.Record, err error) {
		offset := got.Offset
		if noAcks {
			offset = -1
		}
		answered(got.Partition, offset, err)
	})
}

func runProducer(o *options) int {
	c, b := newProducer(o)
	say("startup_complete", nil)
	s := newSends(o)
	stopping := newStop(func() { s.finish() })
	s.produce(stopping, func(r record) {
		answered := func(partition int32, offset int64, err error) { s.answered(r.number, partition, offset, err) }
		for end := time.Now().Add(b.block); c.BufferedProduceRecords() >= roomRecords; {
			if time.Now().After(end) || stopping.within(time.Millisecond) {
				answered(0, 0, errors.New("no room for the record"))
				return
			}
		}
		produce(c, s, r, answered)
	})
	if !soon(endLimit, c.Close) {
		complain("producer: Close did not come back")
	}
	return s.finish()
}

// ---- consumer ----

func listener(name string) func(context.Context, *kgo.Client, map[string][]int32) {
	return func(_ context.Context, _ *kgo.Client, all map[string][]int32) { partitions(name, all) }
}

func (b *build) listeners() {
	b.add(kgo.OnPartitionsAssigned(listener("partitions_assigned")), kgo.OnPartitionsRevoked(listener("partitions_revoked")),
		kgo.OnPartitionsLost(listener("partitions_lost")))
}

// rowsOf also prints what went wrong, which the library goes on with by itself.
func rowsOf(fetched kgo.Fetches) (rows []row) {
	for _, e := range fetched.Errors() {
		if !errors.Is(e.Err, context.DeadlineExceeded) {
			complain("consumer: %s[%d]: %v", e.Topic, e.Partition, e.Err)
		}
	}
	fetched.EachRecord(func(r *kgo.Record) {
		rows = append(rows, row{place{r.Topic, r.Partition}, r.Offset, r.Key, r.Value})
	})
	return rows
}

func poll(from func(context.Context, int) kgo.Fetches, most int) kgo.Fetches {
	ctx, cancel := context.WithTimeout(context.Background(), pollLimit)
	defer cancel()
	return from(ctx, most)
}

// commit the records that were just reported, and nothing else.
func commit(c *kgo.Client, records []*kgo.Record, rows []row) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	committed(nextOffsets(rows), c.CommitRecords(ctx, records...))
}

func consume(c *kgo.Client, b *build, stopping stop) {
	o := b.o
	for left := o.maxMessages; left != 0 && !stopping.asked(); c.AllowRebalance() {
		most := b.pollRecords
		if left > 0 {
			most = min(left, most)
		}
		fetched := poll(c.PollRecords, most)
		rows := rowsOf(fetched)
		if len(rows) == 0 {
			continue
		}
		consumed(rows, o.verbose)
		if left > 0 {
			left -= len(rows)
		}
		if !o.autocommit {
			commit(c, fetched.Records(), rows)
		}
	}
}

func runConsumer(o *options) int {
	o.consumerFlags()
	b := newBuild(o)
	b.configured(b.consumer())
	b.listeners()
	b.add(kgo.ConsumeTopics(o.topic), kgo.BlockRebalanceOnPoll())
	c, err := kgo.NewClient(b.opts...)
	refused(err)
	say("startup_complete", nil)
	stopping := newStop(func() { say("shutdown_complete", nil) })
	consume(c, b, stopping)
	status := 0
	if !soon(endLimit, func() {
		if o.autocommit {
			c.CommitUncommittedOffsets(context.Background())
		}
		c.CloseAllowingRebalance()
	}) {
		complain("consumer: Close did not come back")
		status = 1
	}
	say("shutdown_complete", nil)
	return status
}

// ---- transactions ----

type txn struct {
	c     *kgo.Client
	group *kgo.GroupTransactSession // nil: values are made up
	s     *sends
	over  bool // the library has ended the present transaction by itself
}

func (t *txn) begin() error {
	t.over = false
	if t.group != nil {
		return t.group.Begin()
	}
	return t.c.BeginTransaction()
}

func (t *txn) send(r record, answered func(int32, int64, error)) { produce(t.c, t.s, r, answered) }

func (t *txn) read(most int, _ stop) ([]row, error) {
	return rowsOf(poll(t.group.PollRecords, most)), nil
}

func (t *txn) rewind([]row) {} // the session does it

// end is false without an error when the session aborts what it was to commit.
func (t *txn) end(try kgo.TransactionEndTry) (bool, error) {
	if t.group != nil {
		return t.group.End(context.Background(), try)
	}
	if try == kgo.TryAbort {
		if err := t.c.AbortBufferedRecords(context.Background()); err != nil {
			return false, err
		}
	}
	return bool(try), t.c.EndTransaction(context.Background(), try)
}

func (t *txn) commit([]row) error {
	done, err := t.end(kgo.TryCommit)
	if err == nil && !done {
		t.over = true
		return errors.New("the group has changed")
	}
	return err
}

func (t *txn) abort() error {
	if t.over {
		return nil
	}
	_, err := t.end(kgo.TryAbort)
	return err
}

func (t *txn) fatal(err error) (bool, bool) {
	fenced := errors.Is(err, kerr.ProducerFenced) || errors.Is(err, kerr.InvalidProducerEpoch)
	return fenced || errors.Is(err, kgo.ErrClientClosed), fenced
}

func runTransactional(o *options) int {
	o.flag("transactional.id", o.transactionalID)
	t := &txn{s: newSends(o)}
	if o.inputTopic == "" {
		t.c, _ = newProducer(o)
	} else {
		o.flag("group.id", o.groupID)
		o.flag("isolation.level", "read_committed")
		o.flag("auto.offset.reset", "earliest")
		o.flag("acks", o.acks)
		b := newBuild(o)
		b.configured(b.consumer(), b.producer())
		b.listeners()
		b.add(kgo.ConsumeTopics(o.inputTopic), kgo.RequireStableFetchOffsets(), kgo.AllowAutoTopicCreation())
		var err error
		t.group, err = kgo.NewGroupTransactSession(b.opts...)
		refused(err)
		t.c = t.group.Client()
	}
	say("startup_complete", nil)
	stopping := newStop(func() { t.s.finish() })
	status := (&transactions{o: o, t: t, s: t.s, stopping: stopping}).run()
	soon(endLimit, t.c.Close)
	t.s.finish()
	return status
}
