"""What every subject shares: the flags of Kafka's VerifiableProducer and VerifiableConsumer, a
configuration file in Java's properties format, JSON lines on stdout, and a clean end on SIGTERM or
SIGINT. Standard library only. Knows no Kafka library and no socket."""
import argparse
import contextlib
import json
import os
import select
import signal
import sys
import threading
import time

_line_lock = threading.Lock()


def say(name, **fields):
    """Write one event as one line, at once. Callable from any thread."""
    line = json.dumps({"timestamp": int(time.time() * 1000), "name": name, **fields})
    with _line_lock:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()


class Unsupported(Exception):
    """The client can't do what the configuration asks for; the text is the reason."""


def text(data):
    """Bytes of a record as text for a line; None stays None."""
    return None if data is None else data.decode("utf-8", "replace")


class Flag:
    """What threading.Event is, for a signal's handler to set: that one has a lock, and when the signal comes while the
    main thread is inside wait() with it, the handler waits for ever. A byte in a pipe has none."""

    def __init__(self):
        self._is_set = False
        self._read, self._write = os.pipe()
        os.set_blocking(self._read, False)

    def is_set(self):
        return self._is_set

    def set(self):
        if not self._is_set:
            self._is_set = True
            os.write(self._write, b"x")

    def clear(self):
        self._is_set = False
        with contextlib.suppress(BlockingIOError):
            os.read(self._read, 100)

    def wait(self, timeout_s=None):
        if not self._is_set:
            select.select([self._read], [], [], None if timeout_s is None else max(0, timeout_s))
        return self._is_set


class Stop:
    """The wish to end. `asked` is set by the first SIGTERM or SIGINT. A call into a library that does
    not come back within `patience_s` after that is broken off with Stop.Now in the main thread."""

    class Now(BaseException):
        """Raised inside whatever the main thread is stuck in."""

    def __init__(self, patience_s):
        self.asked = Flag()
        self.patience_s = patience_s
        self.woken = Flag()  # also set by those who want the main thread to look up
        signal.signal(signal.SIGTERM, self._on_signal)
        signal.signal(signal.SIGINT, self._on_signal)
        signal.signal(signal.SIGALRM, self._on_alarm)

    def _on_signal(self, _number, _frame):
        if not self.asked.is_set():
            self.asked.set()
            self.woken.set()
            signal.setitimer(signal.ITIMER_REAL, self.patience_s)

    def _on_alarm(self, _number, _frame):
        raise Stop.Now

    def give(self, seconds):
        """A fresh limit for the next step; 0 takes the limit away."""
        signal.setitimer(signal.ITIMER_REAL, seconds)


def run(program):
    """Call program() and leave with its status. Unsupported becomes its line and status 0."""
    try:
        status = program()
    except Unsupported as e:
        say("unsupported", reason=str(e))
        status = 0
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)  # a library's threads that hang must not keep the process


def _unescape(raw):
    """Java's escapes in a key or value of a properties file."""
    out, i = [], 0
    while i < len(raw):
        c = raw[i]
        if c == "\\" and i + 1 < len(raw):
            i += 1
            c = raw[i]
            if c == "u":
                out.append(chr(int(raw[i + 1:i + 5], 16)))
                i += 5
                continue
            c = {"t": "\t", "n": "\n", "r": "\r", "f": "\f"}.get(c, c)
        out.append(c)
        i += 1
    return "".join(out)


def _logical_lines(lines):
    """Lines without comments and blank ones, those that end in an odd number of backslashes joined."""
    held = ""
    for line in lines:
        line = line.lstrip()
        if not held and (not line or line[0] in "#!"):
            continue
        held += line
        if (len(held) - len(held.rstrip("\\"))) % 2:
            held = held[:-1]
            continue
        yield held
        held = ""
    if held:
        yield held


def _split(line):
    """Key and value of one logical line: the first unescaped =, : or blank parts them."""
    i = 0
    while i < len(line) and line[i] not in "=: \t\f":
        i += 2 if line[i] == "\\" else 1
    rest = line[i:].lstrip(" \t\f")
    if rest[:1] in ("=", ":"):
        rest = rest[1:].lstrip(" \t\f")
    return _unescape(line[:i]), _unescape(rest)


def read_properties(path):
    """A file in Java's properties format as a dict of strings; {} for None."""
    if path is None:
        return {}
    with open(path, encoding="utf-8") as f:
        return dict(_split(line) for line in _logical_lines(f.read().splitlines()))


def to_bool(value):
    """Kafka's booleans; anything else is an error with the value in it."""
    if value.strip().lower() not in ("true", "false"):
        raise ValueError(f"expected true or false, not '{value}'")
    return value.strip().lower() == "true"


def to_acks(value):
    """Kafka's acks: all and -1 are the same."""
    if value not in ("all", "-1", "0", "1"):
        raise ValueError(f"expected all, -1, 0 or 1, not '{value}'")
    return -1 if value == "all" else int(value)


def _parser(what):
    parser = argparse.ArgumentParser(description=f"A {what} on trial; see clients/README.md.",
                                     allow_abbrev=False)
    bootstrap = os.environ.get("KTRIAL_BOOTSTRAP") or os.environ.get("BOOTSTRAP_SERVERS")
    parser.add_argument("--topic", required=True)
    parser.add_argument("--bootstrap-server", "--broker-list", default=bootstrap, required=not bootstrap,
                        metavar="HOST:PORT[,...]")
    parser.add_argument("--max-messages", type=int, default=-1, help="-1: until stopped")
    return parser


def _sending(parser):
    """Flags of everybody who sends."""
    parser.add_argument("--throughput", type=float, default=-1, help="records a second; -1: no limit")
    parser.add_argument("--acks", default="-1", choices=["all", "-1", "0", "1"])
    parser.add_argument("--command-config", "--producer.config", metavar="FILE")
    parser.add_argument("--message-create-time", type=int, default=-1, metavar="MS",
                        help="timestamp of the first record; the next have one ms more each")
    parser.add_argument("--value-prefix")
    parser.add_argument("--repeating-keys", type=int)


def producer_options(argv):
    """The flags of a producer, with `properties` read. Usage errors leave with status 2."""
    parser = _parser("producer")
    _sending(parser)
    options = parser.parse_args(argv)
    options.properties = read_properties(options.command_config)
    return options


def consumer_options(argv):
    """The flags of a consumer, with `properties` read. Usage errors leave with status 2."""
    parser = _parser("consumer")
    parser.add_argument("--group-id", required=True)
    parser.add_argument("--group-instance-id")
    parser.add_argument("--group-protocol", default="classic")
    parser.add_argument("--group-remote-assignor")
    parser.add_argument("--session-timeout", type=int, metavar="MS")
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("--enable-autocommit", action="store_true")
    parser.add_argument("--reset-policy", default="earliest")
    parser.add_argument("--assignment-strategy", metavar="CLASS")
    parser.add_argument("--command-config", "--consumer.config", metavar="FILE")
    options = parser.parse_args(argv)
    options.properties = read_properties(options.command_config)
    return options


def transactional_options(argv):
    """The flags of a transactional program, with `properties` read. Usage errors leave with status 2."""
    parser = _parser("transactional program")
    _sending(parser)
    parser.add_argument("--input-topic", help="what to read; without it values are made up")
    parser.add_argument("--group-id", help="the group that reads")
    parser.add_argument("--transactional-id")
    parser.add_argument("--transaction-size", type=int, default=10, help="records")
    parser.add_argument("--abort-every", type=int, default=0, help="abort each so many on purpose")
    options = parser.parse_args(argv)
    options.properties = read_properties(options.command_config)
    return options


class Sends:
    """What a producer has sent and what became of it; prints the lines. Callable from any thread."""

    def __init__(self, options):
        self.options = options
        self.sent = self.acked = 0
        self.open = {}  # number of the record -> (key, value)
        self.lock = threading.Lock()
        self.start_s = time.monotonic()

    def attempt(self, partition=None, record=None):
        """Name the next record, or this (key, value), and print its attempt: (number, key, value, timestamp in
        ms or None)."""
        o, number = self.options, self.sent
        key, value = record or (str(number % o.repeating_keys) if o.repeating_keys else None, str(number))
        value = value if o.value_prefix is None else f"{o.value_prefix}.{value}"
        with self.lock:
            self.sent += 1
            self.open[number] = (key, value)
        known = {} if partition is None else {"partition": partition}
        say("send_attempt", key=key, value=value, topic=o.topic, **known)
        return number, key, value, None if o.message_create_time < 0 else o.message_create_time + number

    def _close(self, number, acked):
        """Take the record out of the open ones; None when it was answered before."""
        with self.lock:
            record = self.open.pop(number, None)
            self.acked += 1 if acked and record else 0
            return record

    def success(self, number, partition, offset):
        record = self._close(number, True)
        if record:
            say("producer_send_success", key=record[0], value=record[1], topic=self.options.topic,
                partition=partition, offset=offset)

    def error(self, number, exception, message):
        record = self._close(number, False)
        if record:
            say("producer_send_error", key=record[0], value=record[1], topic=self.options.topic,
                exception=exception, message=message)

    def wait_s(self):
        """How long the wanted throughput says to wait before the next record."""
        if self.options.throughput <= 0:
            return 0
        return max(0, self.start_s + self.sent / self.options.throughput - time.monotonic())

    def finish(self):
        """Report what nobody answered, print the summary, and give the exit status."""
        for number in sorted(self.open):
            self.error(number, "Unresolved", "the producer ended before this record was answered")
        took_s = max(time.monotonic() - self.start_s, 0.001)
        say("shutdown_complete")
        say("tool_data", sent=self.sent, acked=self.acked, target_throughput=self.options.throughput,
            avg_throughput=round(self.acked / took_s, 3))
        return 0 if self.acked == self.sent else 1


def records_consumed(records, verbose):
    """Print what one poll gave: {(topic, partition): [(offset, key, value)]}, each list not empty."""
    if verbose:
        for (topic, partition), rows in records.items():
            for offset, key, value in rows:
                say("record_data", key=text(key), value=text(value), topic=topic, partition=partition,
                    offset=offset)
    say("records_consumed", count=sum(map(len, records.values())),
        partitions=[{"topic": topic, "partition": partition, "count": len(rows), "minOffset": rows[0][0],
                     "maxOffset": rows[-1][0]} for (topic, partition), rows in records.items()])


def partition_list(partitions):
    """Pairs of topic and partition, as the lines want them."""
    return [{"topic": topic, "partition": partition} for topic, partition in sorted(partitions)]


def offsets_committed(offsets, error=None):
    """Print a commit of {(topic, partition): next offset}; error: text, or None."""
    rows = [{"topic": t, "partition": p, "offset": o} for (t, p), o in sorted(offsets.items())]
    say("offsets_committed", offsets=rows, success=error is None, **({} if error is None else {"error": error}))


def limit(records, left):
    """At most `left` records (-1: all) of a poll; also without empty lists."""
    kept = {}
    for partition, rows in records.items():
        take = rows if left < 0 else rows[:left]
        if take:
            kept[partition] = take
        if left >= 0:
            left -= len(take)
    return kept
