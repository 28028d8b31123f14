// segmentio/kafka-go as a subject: its Writer, and its ConsumerGroup with a Reader for each partition.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
)

func main() {
	start(map[string]func(*options) int{"producer": runProducer, "consumer": runConsumer})
}

func servers(o *options) []string { return strings.Split(o.properties["bootstrap.servers"], ",") }

func common(t *kafka.Transport) map[string]setter {
	return map[string]setter{
		"bootstrap.servers":                  func(string) error { return nil },
		"client.id":                          field(t, "ClientID"),
		"connections.max.idle.ms":            field(t, "IdleTimeout"),
		"metadata.max.age.ms":                field(t, "MetadataTTL"),
		"security.protocol":                  always("PLAINTEXT"),
		"socket.connection.setup.timeout.ms": field(t, "DialTimeout"),
	}
}

// ---- producer ----

func producerTable(w *kafka.Writer) map[string]setter {
	table := common(w.Transport.(*kafka.Transport))
	table["acks"] = oneOf(map[string]kafka.RequiredAcks{"all": kafka.RequireAll, "-1": kafka.RequireAll, "1": kafka.RequireOne,
		"0": kafka.RequireNone}, func(a kafka.RequiredAcks) { w.RequiredAcks = a })
	table["batch.size"] = field(w, "BatchBytes")
	table["compression.type"] = oneOf(map[string]kafka.Compression{"none": 0, "gzip": kafka.Gzip, "snappy": kafka.Snappy,
		"lz4": kafka.Lz4, "zstd": kafka.Zstd}, func(c kafka.Compression) { w.Compression = c })
	table["enable.idempotence"] = always("false")
	table["linger.ms"] = millis(func(d time.Duration) { w.BatchTimeout = max(d, time.Microsecond) }) // 0 would be a second
	table["max.in.flight.requests.per.connection"] = below(1)                                        // one batch of a partition
	table["request.timeout.ms"] = both(field(w, "ReadTimeout"), field(w, "WriteTimeout"))
	table["retries"] = number(func(n int) { w.MaxAttempts = min(n, 1<<30) + 1 })
	table["retry.backoff.max.ms"] = field(w, "WriteBackoffMax")
	table["retry.backoff.ms"] = field(w, "WriteBackoffMin")
	return table
}

// answered takes the outcome of a batch. Only later versions know an offset.
func answered(s *sends, w *kafka.Writer, messages []kafka.Message, numbers func(kafka.Message) int, err error) {
	var each kafka.WriteErrors
	errors.As(err, &each)
	for i, m := range messages {
		one := err
		if i < len(each) {
			one = each[i]
		}
		offset := m.Offset
		if w.RequiredAcks == kafka.RequireNone {
			offset = -1
		}
		s.answered(numbers(m), int32(m.Partition), offset, one)
	}
}

// write hands a message over. What a topic lacks that is being made, the library does not wait for; its
// documentation tells the application to.
func write(w *kafka.Writer, m kafka.Message, block time.Duration, stopping stop) error {
	for tries := 1; ; tries++ {
		ctx, cancel := context.WithTimeout(context.Background(), block)
		err := w.WriteMessages(ctx, m)
		cancel()
		missing := errors.Is(err, kafka.LeaderNotAvailable) || errors.Is(err, kafka.UnknownTopicOrPartition)
		if !missing || tries == 10 || stopping.within(250*time.Millisecond) {
			return err
		}
	}
}

func runProducer(o *options) int {
	s := newSends(o)
	w := &kafka.Writer{Topic: o.topic, Async: true, Transport: &kafka.Transport{}}
	set(w, "AllowAutoTopicCreation", "true") // as every other producer; before it was an option, it was so
	o.flag("acks", o.acks)
	block := time.Minute
	table := producerTable(w)
	table["max.block.ms"] = millis(func(d time.Duration) { block = d })
	o.configure(table)
	w.Addr = kafka.TCP(servers(o)...)
	var numbers sync.Map // of the record, by the address of its value: the library hands back copies of the message
	number := func(m kafka.Message) int {
		n, _ := numbers.LoadAndDelete(&m.Value[0])
		return n.(int)
	}
	w.Completion = func(messages []kafka.Message, err error) { answered(s, w, messages, number, err) }
	w.ErrorLogger = kafka.LoggerFunc(complain)
	say("startup_complete", nil)
	stopping := newStop(func() { s.finish() })
	s.produce(stopping, func(r record) {
		m := kafka.Message{Key: r.keyBytes(), Value: []byte(r.value), Time: s.timestamp(r)}
		numbers.Store(&m.Value[0], r.number)
		if err := write(w, m, block, stopping); err != nil {
			s.answered(r.number, 0, 0, err)
		}
	})
	if !soon(endLimit, func() { w.Close() }) {
		complain("producer: Close did not come back")
	}
	return s.finish()
}

// ---- consumer ----

// What of the configuration goes to the readers, and what to the group.
type settings struct {
	group    kafka.ConsumerGroupConfig
	read     kafka.ReaderConfig
	dialer   kafka.Dialer
	interval time.Duration // of automatic commits
}

func consumerTable(c *settings) map[string]setter {
	table := map[string]setter{
		"bootstrap.servers":                  func(string) error { return nil },
		"client.id":                          field(&c.dialer, "ClientID"),
		"group.id":                           field(&c.group, "ID"),
		"security.protocol":                  always("PLAINTEXT"),
		"socket.connection.setup.timeout.ms": field(&c.dialer, "Timeout"),
	}
	table["auto.commit.interval.ms"] = millis(func(d time.Duration) { c.interval = d })
	table["auto.offset.reset"] = oneOf(map[string]int64{"earliest": kafka.FirstOffset, "latest": kafka.LastOffset},
		func(at int64) { c.group.StartOffset, c.read.StartOffset = at, at })
	table["check.crcs"] = always("true")
	table["enable.auto.commit"] = truth(func(bool) {})
	table["fetch.max.bytes"] = field(&c.read, "MaxBytes")
	table["fetch.max.wait.ms"] = field(&c.read, "MaxWait")
	table["fetch.min.bytes"] = field(&c.read, "MinBytes")
	table["group.protocol"] = always("classic")
	table["heartbeat.interval.ms"] = field(&c.group, "HeartbeatInterval")
	table["isolation.level"] = oneOf(map[string]kafka.IsolationLevel{"read_uncommitted": kafka.ReadUncommitted,
		"read_committed": kafka.ReadCommitted}, func(l kafka.IsolationLevel) { c.read.IsolationLevel = l })
	table["max.poll.interval.ms"] = field(&c.group, "RebalanceTimeout")
	table["partition.assignment.strategy"] = func(value string) error {
		known := map[string]kafka.GroupBalancer{"RangeAssignor": kafka.RangeGroupBalancer{}, "RoundRobinAssignor": kafka.RoundRobinGroupBalancer{}}
		for _, name := range list(value) {
			if known[name] == nil {
				return fmt.Errorf("has no %s", name)
			}
			c.group.GroupBalancers = append(c.group.GroupBalancers, known[name])
		}
		return nil
	}
	table["retry.backoff.max.ms"] = field(&c.read, "ReadBackoffMax")
	table["retry.backoff.ms"] = both(field(&c.read, "ReadBackoffMin"), field(&c.group, "JoinGroupBackoff"))
	table["session.timeout.ms"] = field(&c.group, "SessionTimeout")
	return table
}

// A reading is one generation of the group: what it read and has not committed yet.
type reading struct {
	c    *settings
	o    *options
	gen  *kafka.Generation
	lock sync.Mutex
	open map[place]int64
	left *int
	full func()
}

// commit is called with the lock held.
func (r *reading) commit(tell bool) {
	if len(r.open) == 0 {
		return
	}
	offsets := map[string]map[int]int64{}
	for p, offset := range r.open {
		if offsets[p.topic] == nil {
			offsets[p.topic] = map[int]int64{}
		}
		offsets[p.topic][int(p.partition)] = offset
	}
	err := r.gen.CommitOffsets(offsets)
	if tell {
		committed(r.open, err)
	} else if err != nil {
		complain("consumer: commit: %v", err)
	}
	r.open = map[place]int64{}
}

// take reports rows, as many as are left.
func (r *reading) take(ctx context.Context, rows []row) {
	r.lock.Lock()
	defer r.lock.Unlock()
	if *r.left >= 0 {
		rows = rows[:min(*r.left, len(rows))]
		*r.left -= len(rows)
	}
	if len(rows) == 0 || ctx.Err() != nil {
		return
	}
	consumed(rows, r.o.verbose)
	for p, offset := range nextOffsets(rows) {
		r.open[p] = offset
	}
	if !r.o.autocommit {
		r.commit(true)
	}
	if *r.left == 0 {
		r.full()
	}
}

// partition reads one partition until the generation ends.
func (r *reading) partition(ctx context.Context, number int, from int64) {
	config := r.c.read
	config.Partition = number
	reader := kafka.NewReader(config)
	defer func() { go reader.Close() }() // which waits for the Fetch request that is out
	if err := reader.SetOffset(from); err != nil {
		complain("consumer: %v", err)
		return
	}
	for ctx.Err() == nil {
		rows := fetch(ctx, reader)
		r.take(ctx, rows)
	}
}

// fetch waits for a message, and takes what has come with it.
func fetch(ctx context.Context, reader *kafka.Reader) (rows []row) {
	for limit := pollLimit; len(rows) < 500; limit = time.Millisecond {
		once, cancel := context.WithTimeout(ctx, limit)
		m, err := reader.FetchMessage(once)
		cancel()
		if err != nil {
			if !errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
				complain("consumer: %v", err)
				time.Sleep(pollLimit)
			}
			break
		}
		rows = append(rows, row{place{m.Topic, int32(m.Partition)}, m.Offset, m.Key, m.Value})
	}
	return rows
}

func (r *reading) autocommit(ctx context.Context) {
	for tick := time.NewTicker(r.c.interval); ; {
		select {
		case <-tick.C:
			r.lock.Lock()
			r.commit(false)
			r.lock.Unlock()
		case <-ctx.Done():
			tick.Stop()
			return
		}
	}
}

// generation reads what the group gave until it takes it back or ctx ends.
func generation(ctx context.Context, c *settings, o *options, gen *kafka.Generation, left *int, full func()) {
	own, end := context.WithCancel(ctx)
	r := &reading{c: c, o: o, gen: gen, open: map[place]int64{}, left: left, full: func() { end(); full() }}
	mine := map[string][]int32{}
	for _, a := range gen.Assignments[o.topic] {
		mine[o.topic] = append(mine[o.topic], int32(a.ID))
	}
	partitions("partitions_assigned", mine)
	var all sync.WaitGroup
	run := func(work func(context.Context)) {
		all.Add(1)
		go func() {
			defer all.Done()
			work(own)
		}()
	}
	for _, a := range gen.Assignments[o.topic] {
		a := a
		run(func(ctx context.Context) { r.partition(ctx, a.ID, a.Offset) })
	}
	if o.autocommit {
		run(r.autocommit)
	}
	over := make(chan struct{})
	gen.Start(func(ended context.Context) { // the library waits for it before it joins again
		select {
		case <-ended.Done():
		case <-own.Done():
		}
		end()
		all.Wait()
		r.lock.Lock()
		r.commit(!o.autocommit)
		r.lock.Unlock()
		partitions("partitions_revoked", mine)
		close(over)
	})
	<-over
}

func runConsumer(o *options) int {
	c := &settings{interval: 5 * time.Second, dialer: *kafka.DefaultDialer}
	o.consumerFlags()
	o.configure(consumerTable(c))
	c.group.Brokers, c.group.Topics, c.group.Dialer = servers(o), []string{o.topic}, &c.dialer
	c.read.Brokers, c.read.Topic, c.read.Dialer = c.group.Brokers, o.topic, &c.dialer
	c.group.ErrorLogger, c.read.ErrorLogger = kafka.LoggerFunc(complain), kafka.LoggerFunc(complain)
	if err := errors.Join(c.group.Validate(), c.read.Validate()); err != nil {
		unsupported("%s refuses its configuration: %v", library(), err)
	}
	say("startup_complete", nil)
	stopping := newStop(func() { say("shutdown_complete", nil) })
	group, err := kafka.NewConsumerGroup(c.group)
	if err != nil {
		complain("consumer: %v", err)
		os.Exit(1)
	}
	ctx, full := context.WithCancel(context.Background())
	go func() {
		<-stopping
		full()
	}()
	left, status := o.maxMessages, 0
	for ctx.Err() == nil {
		gen, err := group.Next(ctx)
		if err == nil {
			generation(ctx, c, o, gen, &left, full)
		} else if ctx.Err() == nil {
			complain("consumer: %v", err)
		}
	}
	if !soon(2*endLimit, func() { group.Close() }) {
		complain("consumer: Close did not come back")
		status = 1
	}
	say("shutdown_complete", nil)
	return status
}
