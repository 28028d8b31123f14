// What the Go programs share: the flags of Kafka's VerifiableProducer and VerifiableConsumer, the
// configuration with Java's names, JSON lines on stdout, what a producer has sent, transactions, and a clean
// end on SIGTERM or SIGINT. Knows no Kafka library. See clients/README.md.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"reflect"
	"runtime/debug"
	"sort"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	endLimit  = 5 * time.Second        // after a signal, for what is open; then once more for close
	pollLimit = 200 * time.Millisecond // how long a consumer waits before it looks up
)

type fields map[string]any

var sayLock sync.Mutex

// say writes one event as one line, at once.
func say(name string, f fields) {
	line := fields{"timestamp": time.Now().UnixMilli(), "name": name}
	for k, v := range f {
		line[k] = v
	}
	sayLock.Lock()
	defer sayLock.Unlock()
	out := json.NewEncoder(os.Stdout)
	out.SetEscapeHTML(false)
	out.Encode(line)
}

func complain(format string, args ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", args...)
}

// unsupported ends the program: this client can't do what the configuration asks for.
func unsupported(format string, args ...any) {
	say("unsupported", fields{"reason": fmt.Sprintf(format, args...)})
	os.Exit(0)
}

// library names the client's module and its version.
func library() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			if strings.HasSuffix(m.Path, "/sarama") || strings.HasSuffix(m.Path, "/franz-go") || strings.HasSuffix(m.Path, "/kafka-go") {
				return m.Path[strings.LastIndex(m.Path, "/")+1:] + " " + m.Version
			}
		}
	}
	return "the library"
}

// ---- flags ----

type options struct {
	topic, bootstrap, file, acks, groupID, instanceID, protocol, remoteAssignor, reset, strategy string
	inputTopic, transactionalID, prefix                                                          string
	maxMessages, throughput, createTime, sessionTimeout, transactionSize, abortEvery             int
	repeatingKeys                                                                                int
	verbose, autocommit                                                                          bool
	properties                                                                                   map[string]string
	seen                                                                                         map[string]bool
}

// parse reads the flags of a role. Usage errors end the program with status 2.
func parse(role string, args []string) *options {
	o := &options{}
	all := flag.NewFlagSet(role, flag.ExitOnError)
	home := os.Getenv("KTRIAL_BOOTSTRAP")
	if home == "" {
		home = os.Getenv("BOOTSTRAP_SERVERS")
	}
	all.StringVar(&o.topic, "topic", "", "")
	all.StringVar(&o.bootstrap, "bootstrap-server", home, "HOST:PORT[,...]")
	all.StringVar(&o.bootstrap, "broker-list", home, "the same")
	all.IntVar(&o.maxMessages, "max-messages", -1, "-1: until stopped")
	all.StringVar(&o.file, "command-config", "", "FILE")
	if role == "consumer" {
		all.StringVar(&o.file, "consumer.config", "", "the same")
		all.StringVar(&o.instanceID, "group-instance-id", "", "")
		all.StringVar(&o.protocol, "group-protocol", "classic", "")
		all.StringVar(&o.remoteAssignor, "group-remote-assignor", "", "")
		all.IntVar(&o.sessionTimeout, "session-timeout", 0, "ms")
		all.BoolVar(&o.verbose, "verbose", false, "")
		all.BoolVar(&o.autocommit, "enable-autocommit", false, "")
		all.StringVar(&o.reset, "reset-policy", "earliest", "")
		all.StringVar(&o.strategy, "assignment-strategy", "", "Java classes")
	} else {
		all.StringVar(&o.file, "producer.config", "", "the same")
		all.IntVar(&o.throughput, "throughput", -1, "records a second; -1: no limit")
		all.StringVar(&o.acks, "acks", "-1", "all, -1, 0 or 1")
		all.IntVar(&o.createTime, "message-create-time", -1, "ms, of the first record")
		all.StringVar(&o.prefix, "value-prefix", "", "")
		all.IntVar(&o.repeatingKeys, "repeating-keys", 0, "")
	}
	if role != "producer" {
		all.StringVar(&o.groupID, "group-id", "", "")
	}
	if role == "transactional" {
		all.StringVar(&o.inputTopic, "input-topic", "", "what to read; else values are made up")
		all.StringVar(&o.transactionalID, "transactional-id", "", "")
		all.IntVar(&o.transactionSize, "transaction-size", 10, "records")
		all.IntVar(&o.abortEvery, "abort-every", 0, "abort each so many")
	}
	all.Parse(args)
	if o.topic == "" || o.bootstrap == "" || role == "consumer" && o.groupID == "" || all.NArg() > 0 {
		complain("%s: --topic, --bootstrap-server and a consumer's --group-id are needed, and flags alone", role)
		os.Exit(2)
	}
	var err error
	if o.properties, err = readProperties(o.file); err != nil {
		complain("%s: %v", role, err)
		os.Exit(2)
	}
	o.seen = map[string]bool{}
	return o
}

// readProperties reads Java's format; an empty path is an empty file.
func readProperties(path string) (map[string]string, error) {
	all := map[string]string{}
	if path == "" {
		return all, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	held := ""
	for lines := bufio.NewScanner(f); lines.Scan(); {
		line := strings.TrimLeft(lines.Text(), " \t\f")
		if held == "" && (line == "" || line[0] == '#' || line[0] == '!') {
			continue
		}
		held += line
		if (len(held)-len(strings.TrimRight(held, `\`)))%2 == 1 {
			held = held[:len(held)-1]
			continue
		}
		key, value := splitProperty(held)
		all[key] = value
		held = ""
	}
	return all, nil
}

// splitProperty parts a line at its first unescaped =, : or blank.
func splitProperty(line string) (string, string) {
	i := 0
	for i < len(line) && !strings.ContainsRune("=: \t\f", rune(line[i])) {
		if line[i] == '\\' {
			i++
		}
		i++
	}
	i = min(i, len(line))
	rest := strings.TrimLeft(line[i:], " \t\f")
	if rest != "" && (rest[0] == '=' || rest[0] == ':') {
		rest = strings.TrimLeft(rest[1:], " \t\f")
	}
	return unescape(line[:i]), strings.TrimSpace(unescape(rest))
}

func unescape(raw string) string {
	var out strings.Builder
	for i := 0; i < len(raw); i++ {
		if raw[i] != '\\' || i+1 == len(raw) {
			out.WriteByte(raw[i])
			continue
		}
		i++
		code, err := strconv.ParseUint(raw[min(i+1, len(raw)):min(i+5, len(raw))], 16, 16)
		at := strings.IndexByte("tnrf", raw[i])
		switch {
		case raw[i] == 'u' && err == nil:
			out.WriteRune(rune(code))
			i += 4
		case at >= 0:
			out.WriteByte("\t\n\r\f"[at])
		default:
			out.WriteByte(raw[i])
		}
	}
	return out.String()
}

// ---- configuration ----

// A setter takes a value of Java's configuration over into a library's.
type setter func(value string) error

// flag puts a flag beside the file, which wins; "" is no flag.
func (o *options) flag(key, value string) {
	if _, there := o.properties[key]; !there && value != "" {
		o.properties[key] = value
	}
}

// consumerFlags are the flags of a consumer by their configuration's names.
func (o *options) consumerFlags() {
	o.flag("group.id", o.groupID)
	o.flag("group.instance.id", o.instanceID)
	o.flag("group.protocol", o.protocol)
	o.flag("group.remote.assignor", o.remoteAssignor)
	if o.sessionTimeout != 0 {
		o.flag("session.timeout.ms", strconv.Itoa(o.sessionTimeout))
	}
	o.flag("enable.auto.commit", strconv.FormatBool(o.autocommit))
	o.flag("auto.offset.reset", o.reset)
	o.flag("partition.assignment.strategy", o.strategy)
	o.autocommit = o.properties["enable.auto.commit"] == "true"
}

// configure takes over all keys that the file and the flags name; one that the table has not is unsupported.
func (o *options) configure(table map[string]setter) {
	o.flag("bootstrap.servers", o.bootstrap)
	keys := make([]string, 0, len(o.properties))
	for key := range o.properties {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	for _, key := range keys {
		set, known := table[key]
		if !known {
			unsupported("%s has no %s (asked for: %s)", library(), key, o.properties[key])
		}
		if err := set(o.properties[key]); err != nil {
			unsupported("%s: %s: %v", library(), key, err)
		}
	}
}

// millis reads a duration in ms.
func millis(use func(time.Duration)) setter {
	return number(func(ms int) { use(time.Duration(ms) * time.Millisecond) })
}

func number(use func(int)) setter {
	return func(value string) error {
		n, err := strconv.Atoi(value)
		if err == nil {
			use(n)
		}
		return err
	}
}

func truth(use func(bool)) setter {
	return func(value string) error {
		if value != "true" && value != "false" {
			return fmt.Errorf("expected true or false, not '%s'", value)
		}
		use(value == "true")
		return nil
	}
}

// oneOf takes one of the values that the library can do; use gets what stands beside it.
func oneOf[T any](values map[string]T, use func(T)) setter {
	return func(value string) error {
		got, ok := values[value]
		if !ok {
			return fmt.Errorf("can't be '%s'", value)
		}
		use(got)
		return nil
	}
}

// always accepts only values that describe what the library does anyway.
func always(values ...string) setter {
	return func(value string) error {
		for _, v := range values {
			if v == value {
				return nil
			}
		}
		return fmt.Errorf("is always %s, not '%s'", strings.Join(values, " or "), value)
	}
}

// below accepts any upper limit from n on, which the library keeps anyway.
func below(n int) setter {
	return func(value string) error {
		if got, err := strconv.Atoi(value); err != nil || got < n {
			return fmt.Errorf("can't be kept below %d, but '%s' is asked for", n, value)
		}
		return nil
	}
}

// many accepts a number of retries that no scenario uses up, for a library that retries until a time is over.
func many(value string) error {
	if n, err := strconv.Atoi(value); err != nil || n < 10 {
		return fmt.Errorf("can't be limited to '%s'; it is a time that limits them", value)
	}
	return nil
}

// both takes a value over in two places.
func both(a, b setter) setter {
	return func(value string) error { return errors.Join(a(value), b(value)) }
}

// list splits at commas and gives the last part of each name: org.apache...RangeAssignor.
func list(value string) []string {
	var short []string
	for _, name := range strings.Split(value, ",") {
		name = strings.TrimSpace(name)
		short = append(short, name[strings.LastIndex(name, ".")+1:])
	}
	return short
}

// field sets a field of a struct, named by its path; a version of the library without it can't do it.
// Durations come in ms.
func field(config any, path string) setter {
	return func(value string) error {
		at := reflect.ValueOf(config).Elem()
		for _, name := range strings.Split(path, ".") {
			if at = at.FieldByName(name); !at.IsValid() {
				return errors.New("not in this version")
			}
		}
		n, err := strconv.ParseInt(value, 10, 64)
		switch {
		case at.Kind() == reflect.String:
			at.SetString(value)
			return nil
		case at.Kind() == reflect.Bool:
			return truth(at.SetBool)(value)
		case err != nil:
			return err
		case at.Type() == reflect.TypeOf(time.Duration(0)):
			at.SetInt(n * int64(time.Millisecond))
		default:
			at.SetInt(n)
		}
		return nil
	}
}

// set sets a field if this version of the library has it.
func set(config any, path, value string) { _ = field(config, path)(value) }

// ---- the end ----

// A stop is closed by the first SIGTERM or SIGINT.
type stop chan struct{}

// newStop also ends the program, after late(), if it has not ended by itself some time after the signal.
func newStop(late func()) stop {
	asked, signals := make(stop), make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	go func() {
		<-signals
		close(asked)
		time.Sleep(2 * endLimit)
		complain("a call did not come back after the signal")
		late()
		os.Exit(1)
	}()
	return asked
}

func (s stop) asked() bool {
	select {
	case <-s:
		return true
	default:
		return false
	}
}

// within waits; true when somebody asks to stop meanwhile.
func (s stop) within(d time.Duration) bool {
	if d <= 0 {
		return s.asked()
	}
	select {
	case <-s:
		return true
	case <-time.After(d):
		return false
	}
}

// soon calls work, and is false when it does not come back in time.
func soon(limit time.Duration, work func()) bool {
	done := make(chan struct{})
	go func() {
		work()
		close(done)
	}()
	select {
	case <-done:
		return true
	case <-time.After(limit):
		return false
	}
}

// ---- producers ----

type record struct {
	number int
	key    *string
	value  string
}

func (r record) keyBytes() []byte {
	if r.key == nil {
		return nil
	}
	return []byte(*r.key)
}

// sends is what a producer has sent and what became of it; it prints the lines.
type sends struct {
	o           *options
	lock        sync.Mutex
	all         sync.WaitGroup // open ones
	open        map[int]record
	sent, acked int
	start       time.Time
}

func newSends(o *options) *sends {
	return &sends{o: o, open: map[int]record{}, start: time.Now()}
}

// next announces the next record by the flags.
func (s *sends) next() record {
	value := strconv.Itoa(s.sent)
	if s.o.prefix != "" {
		value = s.o.prefix + "." + value
	}
	var key *string
	if s.o.repeatingKeys > 0 {
		text := strconv.Itoa(s.sent % s.o.repeatingKeys)
		key = &text
	}
	return s.attempt(key, value)
}

func (s *sends) attempt(key *string, value string) record {
	s.lock.Lock()
	defer s.lock.Unlock()
	r := record{s.sent, key, value}
	s.sent++
	s.open[r.number] = r
	s.all.Add(1)
	say("send_attempt", fields{"key": r.key, "value": r.value, "topic": s.o.topic})
	return r
}

// answered takes the answer to a record; the first one counts. An offset that is not known is -1.
func (s *sends) answered(number int, partition int32, offset int64, err error) {
	s.lock.Lock()
	defer s.lock.Unlock()
	r, there := s.open[number]
	if !there {
		return
	}
	delete(s.open, number)
	s.all.Done()
	line := fields{"key": r.key, "value": r.value, "topic": s.o.topic}
	if err != nil {
		line["exception"], line["message"] = strings.TrimPrefix(fmt.Sprintf("%T", err), "*"), err.Error()
		say("producer_send_error", line)
		return
	}
	s.acked++
	line["partition"], line["offset"] = partition, offset
	say("producer_send_success", line)
}

// timestamp of a record, where the flags ask for one.
func (s *sends) timestamp(r record) time.Time {
	if s.o.createTime < 0 {
		return time.Time{}
	}
	return time.UnixMilli(int64(s.o.createTime + r.number))
}

// pace is how long the wanted throughput says to wait before the next record.
func (s *sends) pace() time.Duration {
	if s.o.throughput <= 0 {
		return 0
	}
	return time.Until(s.start.Add(time.Duration(s.sent) * time.Second / time.Duration(s.o.throughput)))
}

// produce sends until the count is reached or somebody asks to stop, and waits for the answers.
func (s *sends) produce(stopping stop, send func(record)) {
	for !stopping.asked() && (s.o.maxMessages < 0 || s.sent < s.o.maxMessages) {
		send(s.next())
		stopping.within(s.pace())
	}
	answered := make(chan struct{})
	go func() {
		s.all.Wait()
		close(answered)
	}()
	select {
	case <-answered:
	case <-stopping:
		soon(endLimit, func() { <-answered })
	}
}

// finish reports what nobody answered, prints the summary, and gives the exit status.
func (s *sends) finish() int {
	s.lock.Lock()
	var left []int
	for n := range s.open {
		left = append(left, n)
	}
	s.lock.Unlock()
	sort.Ints(left)
	for _, n := range left {
		s.answered(n, 0, 0, unresolved{})
	}
	s.lock.Lock()
	defer s.lock.Unlock()
	took := max(time.Since(s.start).Seconds(), 0.001)
	say("shutdown_complete", nil)
	say("tool_data", fields{"sent": s.sent, "acked": s.acked, "target_throughput": s.o.throughput,
		"avg_throughput": float64(int(float64(s.acked)/took*1000)) / 1000})
	if s.acked == s.sent {
		return 0
	}
	return 1
}

type unresolved struct{}

func (unresolved) Error() string { return "the producer ended before this record was answered" }

// ---- consumers ----

type place struct {
	topic     string
	partition int32
}

// row is one record that was read.
type row struct {
	place
	offset     int64
	key, value []byte
}

func text(data []byte) *string {
	if data == nil {
		return nil
	}
	s := string(data)
	return &s
}

// consumed prints what one poll gave.
func consumed(rows []row, verbose bool) {
	order, parts := []place{}, map[place]fields{}
	for _, r := range rows {
		if verbose {
			say("record_data", fields{"key": text(r.key), "value": text(r.value), "topic": r.topic,
				"partition": r.partition, "offset": r.offset})
		}
		part, there := parts[r.place]
		if !there {
			part = fields{"topic": r.topic, "partition": r.partition, "count": 0, "minOffset": r.offset}
			parts[r.place] = part
			order = append(order, r.place)
		}
		part["count"] = part["count"].(int) + 1
		part["maxOffset"] = r.offset
	}
	all := []fields{}
	for _, p := range order {
		all = append(all, parts[p])
	}
	say("records_consumed", fields{"count": len(rows), "partitions": all})
}

// partitions prints what the group gives or takes.
func partitions(name string, all map[string][]int32) {
	rows := []fields{}
	for topic, numbers := range all {
		for _, p := range numbers {
			rows = append(rows, fields{"topic": topic, "partition": p})
		}
	}
	sort.Slice(rows, func(i, j int) bool {
		if rows[i]["topic"] != rows[j]["topic"] {
			return rows[i]["topic"].(string) < rows[j]["topic"].(string)
		}
		return rows[i]["partition"].(int32) < rows[j]["partition"].(int32)
	})
	say(name, fields{"partitions": rows})
}

// nextOffsets are what to commit for rows: the last offset of each partition + 1.
func nextOffsets(rows []row) map[place]int64 {
	offsets := map[place]int64{}
	for _, r := range rows {
		offsets[r.place] = r.offset + 1
	}
	return offsets
}

// committed prints the outcome of a commit.
func committed(offsets map[place]int64, err error) {
	rows := []fields{}
	for p, offset := range offsets {
		rows = append(rows, fields{"topic": p.topic, "partition": p.partition, "offset": offset})
	}
	line := fields{"offsets": rows, "success": err == nil}
	if err != nil {
		line["error"] = err.Error()
	}
	say("offsets_committed", line)
}

// ---- transactions ----

// A transactor is a library's transactional producer, and its consumer if there is an input topic.
type transactor interface {
	begin() error
	send(r record, answered func(partition int32, offset int64, err error))
	read(most int, stopping stop) ([]row, error) // what is next in the input topic; waits for it
	rewind(rows []row)                           // reads them again
	commit(rows []row) error                     // with the offsets of rows
	abort() error
	fatal(err error) (ended, fenced bool) // whether nothing but the end is left
}

type transactions struct {
	o            *options
	t            transactor
	s            *sends
	stopping     stop
	number, done int
}

func (x *transactions) say(state string, err error) {
	line := fields{"state": state, "number": x.number}
	if err != nil {
		line["message"] = err.Error()
	}
	say("transaction", line)
}

// fill sends the records of a transaction and waits for their answers; the first error.
func (x *transactions) fill(rows []row, size int) error {
	var lock sync.Mutex
	var failed error
	send := func(r record) {
		x.t.send(r, func(partition int32, offset int64, err error) {
			lock.Lock()
			failed = errors.Join(failed, err)
			lock.Unlock()
			x.s.answered(r.number, partition, offset, err)
		})
	}
	for _, r := range rows {
		value := string(r.value)
		if x.o.prefix != "" {
			value = x.o.prefix + "." + value
		}
		send(x.s.attempt(text(r.key), value))
	}
	for i := 0; x.o.inputTopic == "" && i < size && !x.stopping.asked(); i++ {
		send(x.s.next())
		x.stopping.within(x.s.pace())
	}
	answered := make(chan struct{})
	go func() {
		x.s.all.Wait()
		close(answered)
	}()
	<-answered
	lock.Lock()
	defer lock.Unlock()
	return failed
}

// one transaction; what was read is read again after an abort, made-up values are not sent again.
func (x *transactions) one(rows []row, size int) error {
	x.number++
	if err := x.t.begin(); err != nil {
		return err
	}
	x.say("begun", nil)
	err := x.fill(rows, size)
	asked := x.o.abortEvery > 0 && x.number%x.o.abortEvery == 0
	if err == nil && !asked {
		if err = x.t.commit(rows); err == nil {
			x.say("committed", nil)
			x.done += len(rows)
			return nil
		}
	}
	if ended, _ := x.t.fatal(err); err != nil && ended {
		return err
	}
	if again := x.t.abort(); again != nil {
		return errors.Join(err, again)
	}
	x.t.rewind(rows)
	if err == nil {
		x.say("aborted", errors.New("as asked for"))
		return nil
	}
	x.say("aborted", err)
	return err
}

// run makes transactions until the count is reached or somebody asks to stop; the exit status.
func (x *transactions) run() int {
	status := 0
	for !x.stopping.asked() {
		size := x.o.transactionSize
		if x.o.maxMessages >= 0 {
			size = min(size, x.o.maxMessages-x.done)
		}
		if size <= 0 {
			break
		}
		var rows []row
		if x.o.inputTopic == "" {
			x.done += size
		} else {
			var err error
			if rows, err = x.t.read(size, x.stopping); err != nil {
				complain("transactional: read: %v", err)
				status = 1
				break
			}
			if len(rows) == 0 {
				continue
			}
		}
		if err := x.one(rows, size); err != nil {
			complain("transactional: %v", err)
			status = 1
			if ended, fenced := x.t.fatal(err); fenced {
				x.say("fenced", err)
				break
			} else if ended {
				break
			}
		}
	}
	return status
}

// ---- main ----

// start runs the role that the command line names; each ends with an exit status.
func start(roles map[string]func(*options) int) {
	if len(os.Args) < 2 || roles[os.Args[1]] == nil {
		complain("usage: program producer|consumer|transactional FLAGS")
		os.Exit(2)
	}
	os.Exit(roles[os.Args[1]](parse(os.Args[1], os.Args[2:])))
}
