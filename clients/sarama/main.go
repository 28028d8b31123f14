// sarama as a subject: AsyncProducer, ConsumerGroup and transactions.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/IBM/sarama"
)

func main() {
	start(map[string]func(*options) int{"producer": runProducer, "consumer": runConsumer, "transactional": runTransactional})
}

// ---- configuration ----

func common(c *sarama.Config) map[string]setter {
	return map[string]setter{
		"bootstrap.servers":                  func(string) error { return nil },
		"client.id":                          field(c, "ClientID"),
		"metadata.max.age.ms":                field(c, "Metadata.RefreshFrequency"),
		"request.timeout.ms":                 both(field(c, "Net.ReadTimeout"), field(c, "Producer.Timeout")),
		"security.protocol":                  always("PLAINTEXT"),
		"socket.connection.setup.timeout.ms": field(c, "Net.DialTimeout"),
	}
}

func producerTable(c *sarama.Config, o *options, block *time.Duration) map[string]setter {
	table := common(c)
	table["acks"] = oneOf(map[string]sarama.RequiredAcks{"all": sarama.WaitForAll, "-1": sarama.WaitForAll,
		"1": sarama.WaitForLocal, "0": sarama.NoResponse}, func(a sarama.RequiredAcks) { c.Producer.RequiredAcks = a })
	table["batch.size"] = func(value string) error { // the size that no batch exceeds; full ones need not linger
		if o.properties["linger.ms"] != "" && o.properties["linger.ms"] != "0" {
			set(c, "Producer.Flush.Bytes", value)
		}
		return field(c, "Producer.MaxMessageBytes")(value)
	}
	table["compression.type"] = oneOf(map[string]sarama.CompressionCodec{"none": sarama.CompressionNone,
		"gzip": sarama.CompressionGZIP, "snappy": sarama.CompressionSnappy, "lz4": sarama.CompressionLZ4,
		"zstd": sarama.CompressionZSTD}, func(k sarama.CompressionCodec) { c.Producer.Compression = k })
	table["enable.idempotence"] = truth(func(on bool) {
		c.Producer.Idempotent = on
		if on && o.properties["max.in.flight.requests.per.connection"] == "" {
			c.Net.MaxOpenRequests = 1 // which the library demands with it
		}
	})
	table["linger.ms"] = field(c, "Producer.Flush.Frequency")
	table["max.block.ms"] = millis(func(d time.Duration) { *block = d })
	table["max.in.flight.requests.per.connection"] = field(c, "Net.MaxOpenRequests")
	table["retries"] = field(c, "Producer.Retry.Max")
	table["retry.backoff.ms"] = both(field(c, "Producer.Retry.Backoff"), field(c, "Metadata.Retry.Backoff"))
	table["transactional.id"] = field(c, "Producer.Transaction.ID")
	table["transaction.timeout.ms"] = field(c, "Producer.Transaction.Timeout")
	return table
}

func consumerTable(c *sarama.Config) map[string]setter {
	table := common(c)
	table["group.id"] = func(string) error { return nil }
	table["group.instance.id"] = field(c, "Consumer.Group.InstanceId")
	table["group.protocol"] = always("classic")
	table["allow.auto.create.topics"] = field(c, "Metadata.AllowAutoTopicCreation")
	table["auto.commit.interval.ms"] = field(c, "Consumer.Offsets.AutoCommit.Interval")
	table["auto.offset.reset"] = oneOf(map[string]int64{"earliest": sarama.OffsetOldest, "latest": sarama.OffsetNewest},
		func(at int64) { c.Consumer.Offsets.Initial = at })
	table["check.crcs"] = always("true")
	table["client.rack"] = field(c, "RackID")
	table["enable.auto.commit"] = field(c, "Consumer.Offsets.AutoCommit.Enable")
	table["fetch.max.bytes"] = field(c, "Consumer.Fetch.MaxBytes")
	table["fetch.max.wait.ms"] = field(c, "Consumer.MaxWaitTime")
	table["fetch.min.bytes"] = field(c, "Consumer.Fetch.Min")
	table["heartbeat.interval.ms"] = field(c, "Consumer.Group.Heartbeat.Interval")
	table["isolation.level"] = oneOf(map[string]sarama.IsolationLevel{"read_uncommitted": sarama.ReadUncommitted,
		"read_committed": sarama.ReadCommitted}, func(l sarama.IsolationLevel) { c.Consumer.IsolationLevel = l })
	table["max.partition.fetch.bytes"] = field(c, "Consumer.Fetch.Default")
	table["max.poll.interval.ms"] = field(c, "Consumer.Group.Rebalance.Timeout")
	table["partition.assignment.strategy"] = func(value string) error {
		known := map[string]sarama.BalanceStrategy{"RangeAssignor": sarama.BalanceStrategyRange,
			"RoundRobinAssignor": sarama.BalanceStrategyRoundRobin, "StickyAssignor": sarama.BalanceStrategySticky}
		c.Consumer.Group.Rebalance.GroupStrategies = nil
		for _, name := range list(value) {
			if known[name] == nil {
				return fmt.Errorf("has no %s", name)
			}
			c.Consumer.Group.Rebalance.GroupStrategies = append(c.Consumer.Group.Rebalance.GroupStrategies, known[name])
		}
		return nil
	}
	table["retry.backoff.ms"] = field(c, "Consumer.Retry.Backoff")
	table["session.timeout.ms"] = field(c, "Consumer.Group.Session.Timeout")
	return table
}

// valid ends the program as unsupported when the library refuses its configuration.
func valid(c *sarama.Config) {
	if err := c.Validate(); err != nil {
		unsupported("%s refuses its configuration: %v", library(), err)
	}
}

func producerConfig(o *options) (*sarama.Config, time.Duration) {
	c, block := sarama.NewConfig(), time.Minute
	o.flag("acks", o.acks)
	c.Producer.Return.Successes = true
	table := producerTable(c, o, &block)
	o.configure(table)
	valid(c)
	return c, block
}

func brokers(o *options) []string { return strings.Split(o.properties["bootstrap.servers"], ",") }

// ---- producer ----

type answer func(partition int32, offset int64, err error)

// answers passes on what becomes of the messages, until the producer is closed.
func answers(p sarama.AsyncProducer, c *sarama.Config) {
	go func() {
		for m := range p.Successes() {
			offset := m.Offset
			if c.Producer.RequiredAcks == sarama.NoResponse {
				offset = -1
			}
			m.Metadata.(answer)(m.Partition, offset, nil)
		}
	}()
	go func() {
		for e := range p.Errors() {
			e.Msg.Metadata.(answer)(0, 0, e.Err)
		}
	}()
}

func message(o *options, s *sends, r record, done answer) *sarama.ProducerMessage {
	m := &sarama.ProducerMessage{Topic: o.topic, Value: sarama.StringEncoder(r.value), Metadata: done, Timestamp: s.timestamp(r)}
	if r.key != nil {
		m.Key = sarama.StringEncoder(*r.key)
	}
	return m
}

func runProducer(o *options) int {
	c, block := producerConfig(o)
	p, err := sarama.NewAsyncProducer(brokers(o), c)
	if err != nil {
		complain("producer: %v", err)
		return 1
	}
	say("startup_complete", nil)
	s := newSends(o)
	stopping := newStop(func() { s.finish() })
	answers(p, c)
	s.produce(stopping, func(r record) {
		done := answer(func(partition int32, offset int64, err error) { s.answered(r.number, partition, offset, err) })
		select {
		case p.Input() <- message(o, s, r, done):
		case <-time.After(block):
			done(0, 0, errors.New("no room for the message"))
		}
	})
	if !soon(endLimit, func() { p.Close() }) {
		complain("producer: Close did not come back")
	}
	return s.finish()
}

// ---- consumer ----

// A reader reports and commits what its claims deliver, until the count is reached.
type reader struct {
	o    *options
	lock sync.Mutex
	left int
	full context.CancelFunc
}

func claims(name string, s sarama.ConsumerGroupSession) error {
	partitions(name, s.Claims())
	return nil
}

func (*reader) Setup(s sarama.ConsumerGroupSession) error   { return claims("partitions_assigned", s) }
func (*reader) Cleanup(s sarama.ConsumerGroupSession) error { return claims("partitions_revoked", s) }

func rowOf(m *sarama.ConsumerMessage) row {
	return row{place{m.Topic, m.Partition}, m.Offset, m.Key, m.Value}
}

// take reports rows, as many as are left, and commits them. The library's Commit gives no result: what goes
// wrong comes as an error of the group.
func (h *reader) take(s sarama.ConsumerGroupSession, rows []row) {
	h.lock.Lock()
	defer h.lock.Unlock()
	if h.left >= 0 {
		rows = rows[:min(h.left, len(rows))]
		h.left -= len(rows)
	}
	if len(rows) == 0 || s.Context().Err() != nil {
		return
	}
	consumed(rows, h.o.verbose)
	offsets := nextOffsets(rows)
	for p, offset := range offsets {
		s.MarkOffset(p.topic, p.partition, offset, "")
	}
	if !h.o.autocommit {
		s.Commit()
		committed(offsets, nil)
	}
	if h.left == 0 {
		h.full()
	}
}

func (h *reader) ConsumeClaim(s sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for {
		select {
		case m, open := <-claim.Messages():
			if !open {
				return nil
			}
			rows := []row{rowOf(m)}
			for waiting := len(claim.Messages()); waiting > 0; waiting-- {
				if m, open = <-claim.Messages(); open {
					rows = append(rows, rowOf(m))
				}
			}
			h.take(s, rows)
		case <-s.Context().Done():
			return nil
		}
	}
}

func newGroup(o *options) sarama.ConsumerGroup {
	c := sarama.NewConfig()
	o.consumerFlags()
	c.Consumer.Return.Errors = true
	o.configure(consumerTable(c))
	valid(c)
	g, err := sarama.NewConsumerGroup(brokers(o), o.properties["group.id"], c)
	if err != nil {
		complain("consumer: %v", err)
		os.Exit(1)
	}
	go func() {
		for err := range g.Errors() {
			complain("consumer: %v", err)
		}
	}()
	return g
}

// sessions joins again and again until the context ends.
func sessions(ctx context.Context, g sarama.ConsumerGroup, topic string, h sarama.ConsumerGroupHandler) {
	for ctx.Err() == nil {
		if err := g.Consume(ctx, []string{topic}, h); err != nil {
			complain("consumer: %v", err)
			select {
			case <-ctx.Done():
			case <-time.After(pollLimit):
			}
		}
	}
}

func runConsumer(o *options) int {
	g := newGroup(o)
	say("startup_complete", nil)
	stopping := newStop(func() { say("shutdown_complete", nil) })
	ctx, full := context.WithCancel(context.Background())
	go func() {
		<-stopping
		full()
	}()
	status := 0
	sessions(ctx, g, o.topic, &reader{o: o, left: o.maxMessages, full: full})
	if !soon(endLimit, func() { g.Close() }) {
		complain("consumer: Close did not come back")
		status = 1
	}
	say("shutdown_complete", nil)
	return status
}

// ---- transactions ----

// A funnel hands the records of all claims to a transactional program; a rewind ends the session, and the
// next one begins at the committed offsets.
type funnel struct {
	lock    sync.Mutex
	session sarama.ConsumerGroupSession
	number  int
	rows    chan numbered
	end     context.CancelFunc
}

type numbered struct {
	row
	session int
}

func (f *funnel) Setup(s sarama.ConsumerGroupSession) error {
	f.lock.Lock()
	defer f.lock.Unlock()
	f.session = s
	f.number++
	return claims("partitions_assigned", s)
}

func (f *funnel) Cleanup(s sarama.ConsumerGroupSession) error {
	f.lock.Lock()
	defer f.lock.Unlock()
	f.number++
	return claims("partitions_revoked", s)
}

func (f *funnel) ConsumeClaim(s sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	f.lock.Lock()
	number := f.number
	f.lock.Unlock()
	for {
		select {
		case m, open := <-claim.Messages():
			if !open {
				return nil
			}
			select {
			case f.rows <- numbered{rowOf(m), number}:
			case <-s.Context().Done():
				return nil
			}
		case <-s.Context().Done():
			return nil
		}
	}
}

type txn struct {
	o     *options
	p     sarama.AsyncProducer
	s     *sends
	input *funnel
}

func (t *txn) begin() error { return t.p.BeginTxn() }
func (t *txn) abort() error { return t.p.AbortTxn() }

func (t *txn) send(r record, answered func(int32, int64, error)) {
	t.p.Input() <- message(t.o, t.s, r, answered)
}

// take is the next record of the present session.
func (t *txn) take(limit time.Duration) (row, bool) {
	for after := time.After(limit); ; {
		select {
		case r := <-t.input.rows:
			t.input.lock.Lock()
			present := r.session == t.input.number
			t.input.lock.Unlock()
			if present {
				return r.row, true
			}
		case <-after:
			return row{}, false
		}
	}
}

func (t *txn) read(most int, stopping stop) (rows []row, err error) {
	for limit := pollLimit; len(rows) < most && !stopping.asked(); limit = pollLimit / 10 {
		r, there := t.take(limit)
		if !there {
			break
		}
		rows = append(rows, r)
	}
	return rows, nil
}

func (t *txn) rewind(rows []row) {
	if t.input != nil {
		t.input.lock.Lock()
		defer t.input.lock.Unlock()
		t.input.number++
		t.input.end()
	}
}

// addOffsets hands the group's metadata over in versions that can.
func (t *txn) addOffsets(offsets map[string][]*sarama.PartitionOffsetMetadata) error {
	add := reflect.ValueOf(t.p).MethodByName("AddOffsetsToTxnWithGroupMetadata")
	if !add.IsValid() {
		return t.p.AddOffsetsToTxn(offsets, t.o.properties["group.id"])
	}
	group := reflect.New(add.Type().In(1).Elem())
	t.input.lock.Lock()
	set(group.Interface(), "GroupID", t.o.properties["group.id"])
	set(group.Interface(), "MemberID", t.input.session.MemberID())
	set(group.Interface(), "GenerationID", strconv.Itoa(int(t.input.session.GenerationID())))
	t.input.lock.Unlock()
	err, _ := add.Call([]reflect.Value{reflect.ValueOf(offsets), group})[0].Interface().(error)
	return err
}

func (t *txn) commit(rows []row) error {
	offsets := map[string][]*sarama.PartitionOffsetMetadata{}
	for p, offset := range nextOffsets(rows) {
		one := &sarama.PartitionOffsetMetadata{Partition: p.partition, Offset: offset}
		set(one, "LeaderEpoch", "-1") // not in every version
		offsets[p.topic] = append(offsets[p.topic], one)
	}
	if len(rows) > 0 {
		if err := t.addOffsets(offsets); err != nil {
			return err
		}
	}
	return t.p.CommitTxn()
}

func (t *txn) fatal(err error) (bool, bool) {
	fenced := errors.Is(err, sarama.ErrProducerFenced) || errors.Is(err, sarama.ErrInvalidProducerEpoch)
	return fenced || t.p.TxnStatus()&sarama.ProducerTxnFlagFatalError != 0, fenced
}

// divide parts the file: keys that only the other client of the program knows are left to that.
func divide(o *options) (producer, consumer *options) {
	p, c := *o, *o
	p.properties, c.properties = map[string]string{}, map[string]string{"isolation.level": "read_committed"}
	ours, theirs := producerTable(sarama.NewConfig(), o, new(time.Duration)), consumerTable(sarama.NewConfig())
	for key, value := range o.properties {
		if _, known := ours[key]; known || theirs[key] == nil {
			p.properties[key] = value
		}
		if _, known := theirs[key]; known {
			c.properties[key] = value
		}
	}
	return &p, &c
}

func runTransactional(o *options) int {
	t := &txn{}
	var input *options
	t.o, input = divide(o)
	t.o.flag("transactional.id", o.transactionalID)
	t.o.flag("enable.idempotence", "true")
	c, _ := producerConfig(t.o)
	p, err := sarama.NewAsyncProducer(brokers(t.o), c)
	if err != nil {
		complain("transactional: %v", err)
		return 1
	}
	t.p, t.s = p, newSends(o)
	answers(p, c)
	stopping := newStop(func() { t.s.finish() })
	all, end := context.WithCancel(context.Background())
	ended := make(chan struct{})
	if o.inputTopic != "" {
		input.reset = "earliest"
		t.input = &funnel{rows: make(chan numbered)}
		t.o.properties["group.id"] = input.groupID
		g := newGroup(input)
		say("startup_complete", nil)
		go func() {
			for all.Err() == nil {
				one, cancel := context.WithCancel(all)
				t.input.lock.Lock()
				t.input.end = cancel
				t.input.lock.Unlock()
				sessions(one, g, o.inputTopic, t.input)
			}
			g.Close()
			close(ended)
		}()
	} else {
		say("startup_complete", nil)
		close(ended)
	}
	status := (&transactions{o: o, t: t, s: t.s, stopping: stopping}).run()
	end()
	soon(endLimit, func() { <-ended })
	soon(endLimit, func() { p.Close() })
	t.s.finish()
	return status
}
