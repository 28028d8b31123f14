"""A producer on the raw protocol, as a subject. `Producer` does it right: with idempotence it keeps up to
five requests in flight and sends again in the order of the sequences; without, one batch of a partition
is in flight at a time. The wrong clients in clients/broken/ change may_send() and failed() alone.

Each Produce request carries one batch of one partition, of at most BATCH_RECORDS records (fewer if
batch.size says so), so that a short run has many requests. One thread; the loop never waits longer than TICK_S."""
import collections
import select
import sys
import time
import zlib

import subject
import wire

BATCH_RECORDS = 20
BUFFER_RECORDS = 200
TICK_S = 0.05
END_LIMIT_S = 5  # after a signal, for what is still open
IDEMPOTENT_IN_FLIGHT_MAX = 5  # a broker remembers the last five batches of a producer (KIP-98)
BACKOFF_MAX_S = 1.0

CONFIG = {  # Kafka's name: (how to read it, default)
    "acks": (subject.to_acks, None),
    "batch.size": (int, 16384),
    "bootstrap.servers": (str, None),
    "client.id": (str, "ktrial-raw"),
    "delivery.timeout.ms": (int, 120000),
    "enable.idempotence": (subject.to_bool, True),
    "linger.ms": (int, 0),
    "max.block.ms": (int, 60000),
    "max.in.flight.requests.per.connection": (int, 5),
    "metadata.max.age.ms": (int, 300000),
    "request.timeout.ms": (int, 30000),
    "retries": (int, 2147483647),
    "retry.backoff.ms": (int, 100),
}


def configuration(table, given):
    """The values of all keys of the table; a key that is not in it, or a bad value, is unsupported."""
    out = {key: default for key, (_, default) in table.items()}
    for key, value in given.items():
        if key not in table:
            raise subject.Unsupported(f"the raw client has no {key} (asked for: {value})")
        try:
            out[key] = table[key][0](value.strip())
        except ValueError as e:
            raise subject.Unsupported(f"{key}: {e}") from None
    return out


class Batch:
    """Records of one partition that are sent together, always with the same bytes."""

    def __init__(self):
        self.records = []  # (number, key, value, timestamp in ms)
        self.born_s = time.monotonic()
        self.sequence = None  # of the first record; set at the first sending
        self.attempts = 0
        self.sent_s = 0.0
        self.data = None
        self.size = 61  # bytes of a batch's header; then an upper bound for each record

    def add(self, number, key, value, ms):
        self.records.append((number, key, value, ms))
        self.size += self.size_of(key, value)

    @staticmethod
    def size_of(key, value):
        return 21 + len(key or "") + len(value)

    def encode(self, producer_id, producer_epoch, attributes):
        if self.data is None:
            rows = [(None if key is None else key.encode(), value.encode(), ms) for _, key, value, ms in self.records]
            sequence = -1 if self.sequence is None else self.sequence
            self.data = wire.encode_batch(rows, producer_id, producer_epoch, sequence, attributes)
        return self.data


class Lane:
    """One partition: the batch that fills, those that wait, those in flight, those to send again."""

    def __init__(self, index):
        self.index = index
        self.filling = None
        self.queue = collections.deque()
        self.flying = []  # (broker, batch), in the order of sending
        self.again = []
        self.next_sequence = 0
        self.not_before_s = 0.0
        self.last_offset = -1  # the highest that a broker told us

    def close_batch(self):
        self.queue.append(self.filling)
        self.filling = None

    def is_empty(self):
        return not (self.filling or self.queue or self.flying or self.again)


class Producer:
    """The right one."""

    heeds_idempotence = True
    config_table = CONFIG

    def __init__(self, options):
        flags = {"bootstrap.servers": options.bootstrap_server, "acks": options.acks}
        self.config = configuration(self.config_table, {**flags, **options.properties})
        self.options = options
        self.sends = subject.Sends(options)
        self.cluster = wire.Cluster(self.config["bootstrap.servers"], self.config["client.id"])
        self.lanes = []
        self.producer_id, self.producer_epoch = -1, -1
        self.fatal = None  # why no further Produce may be sent
        self.forgotten = False  # the broker does not know the producer id: a new one is due
        self.stale_s = None  # when metadata is asked again, because it is wrong
        self.asked_s = time.monotonic()  # when it was asked last
        self.idempotent = self.config["enable.idempotence"] and self.heeds_idempotence
        if self.idempotent:
            self._check_idempotence()

    def _check_idempotence(self):
        """As Kafka's producer: a contradiction switches idempotence off, or is refused if it was asked for."""
        limit = self.config["max.in.flight.requests.per.connection"]
        if self.config["acks"] == -1 and limit <= IDEMPOTENT_IN_FLIGHT_MAX and self.config["retries"] > 0:
            return
        if "enable.idempotence" in self.options.properties:
            raise subject.Unsupported("enable.idempotence needs acks=all, retries, and at most 5 in flight")
        self.idempotent = False

    # What the wrong clients change.

    def may_send(self, lane):
        """Whether the lane's next batch may go out now."""
        if lane.again:
            return False  # first everything in flight comes back; then all goes again, in order
        return len(lane.flying) < (IDEMPOTENT_IN_FLIGHT_MAX if self.idempotent else 1)

    def failed(self, lane, batch, code, why):
        """A batch came back with an error code, or (code None) without an answer."""
        if code == wire.UNKNOWN_PRODUCER_ID and not self.transactional_id():
            self.forgotten = True
        disturbed = self.forgotten or (code == wire.OUT_OF_ORDER_SEQUENCE and lane.again)
        if code is not None and code not in wire.RETRIABLE and not disturbed:
            self.give_up(batch, why)
        elif batch.attempts > self.config["retries"]:
            self.give_up(batch, f"{why}; no retries left")
        else:
            lane.again.append(batch)

    # What they all share.

    def give_up(self, batch, why):
        """Report a batch as failed. With idempotence its gap in the sequence is the end of sending."""
        for number, *_ in batch.records:
            self.sends.error(number, "KafkaError", why)
        if self.idempotent:
            self.fatal = why

    def succeed(self, lane, batch, base_offset):
        for delta, (number, *_) in enumerate(batch.records):
            self.sends.success(number, lane.index, base_offset + delta if base_offset >= 0 else -1)
        lane.last_offset = max(lane.last_offset, base_offset + len(batch.records) - 1)

    def backoff_s(self, attempts):
        return min(BACKOFF_MAX_S, self.config["retry.backoff.ms"] / 1000 * 2 ** min(attempts - 1, 10))

    def start(self, stop):
        """Learn the partitions and, with idempotence, the producer id. False when told to stop."""
        end_s = time.monotonic() + self.config["max.block.ms"] / 1000
        attempts = 0
        while not stop.asked.wait(self.backoff_s(attempts) if attempts else 0):
            attempts += 1
            try:
                if self.cluster.refresh(self.options.topic) and self._learn_producer_id():
                    self.lanes = [Lane(index) for index in sorted(self.cluster.leaders)]
                    return True
                why = "no leaders yet"
            except wire.Broken as e:
                why = str(e)
            if time.monotonic() > end_s:
                raise wire.Broken(f"not started within max.block.ms: {why}")
        return False

    def _learn_producer_id(self):
        if not self.idempotent:
            return True
        broker = min(self.cluster.brokers)
        try:
            r = self.cluster.to(broker).call(wire.INIT_PRODUCER_ID, wire.string(None) + wire.i32(60000), 5)
        except wire.Broken:
            self.cluster.drop(broker)
            raise
        r.i32()  # throttle
        code = r.i16()
        if code and code not in wire.RETRIABLE:
            raise wire.KafkaError(wire.INIT_PRODUCER_ID, code)
        self.producer_id, self.producer_epoch = r.i64(), r.i16()
        return not code

    def lane_of(self, number, key):
        """By the key's hash, else a batch's worth of records for each partition in turn."""
        if key is not None:
            return self.lanes[zlib.crc32(key.encode()) % len(self.lanes)]
        return self.lanes[number // BATCH_RECORDS % len(self.lanes)]

    def wants_more(self):
        limit = self.options.max_messages
        return (limit < 0 or self.sends.sent < limit) and not self.fatal

    def fill(self):
        """Take new records as far as throughput and buffer allow, and close what is full or has lingered."""
        while self.wants_more() and len(self.sends.open) < BUFFER_RECORDS and self.sends.wait_s() == 0:
            self.add_record(*self.sends.attempt())
        lingered_s = time.monotonic() - self.config["linger.ms"] / 1000
        for lane in self.lanes:
            if lane.filling and (lane.filling.born_s <= lingered_s or not self.wants_more()):
                lane.close_batch()

    def add_record(self, number, key, value, ms):
        """Put a record into its partition's batch."""
        lane = self.lane_of(number, key)
        if lane.filling and lane.filling.size + Batch.size_of(key, value) > self.config["batch.size"]:
            lane.close_batch()
        lane.filling = lane.filling or Batch()
        lane.filling.add(number, key, value, ms or int(time.time() * 1000))
        if len(lane.filling.records) == BATCH_RECORDS:
            lane.close_batch()

    def renew(self):
        """A new producer id, once nothing is in flight: with it every partition begins at sequence 0 (KIP-360)."""
        if any(lane.flying for lane in self.lanes) or not self._learn_producer_id():
            return
        self.forgotten = False
        for lane in self.lanes:
            self.begin_anew(lane)

    def begin_anew(self, lane):
        lane.next_sequence = 0
        for batch in [*lane.again, *lane.queue]:
            batch.sequence = batch.data = None

    def send_ready(self):
        if self.forgotten:
            self.renew()
        for lane in self.lanes if not self.forgotten else []:
            if lane.again and not lane.flying:  # all are back: again, in the order of the first sending
                lane.queue.extendleft(reversed(lane.again))
                lane.not_before_s = time.monotonic() + self.backoff_s(max(b.attempts for b in lane.again))
                lane.again = []
            while lane.queue and self.may_send(lane) and time.monotonic() >= lane.not_before_s:
                if self.fatal or self.stale_s is not None or not self.send_one(lane, lane.queue[0]):
                    break

    def send_one(self, lane, batch):
        """Send one batch; False when it can't go out now. It leaves the queue once it is on its way."""
        broker = self.cluster.leaders[lane.index]
        try:
            connection = self.cluster.to(broker)
            if len(connection.waiting) >= self.in_flight_max() or self.is_muted(connection):
                return False
            self.number(lane, batch)
            txn = self.transactional_id()
            data = batch.encode(self.producer_id, self.producer_epoch, wire.TRANSACTIONAL if txn else 0)
            body = wire.string(txn) + wire.i16(self.config["acks"])
            body += wire.i32(self.config["request.timeout.ms"]) + wire.array([
                wire.string(self.options.topic) + wire.array([wire.i32(lane.index) + wire.blob(data)])])
            lane.queue.popleft()
            lane.flying.append((broker, batch))
            batch.attempts += 1
            batch.sent_s = time.monotonic()
            connection.send(wire.PRODUCE, body, answered=self.config["acks"] != 0)
        except wire.Broken as e:
            self.lost(broker, e)
            return False
        if self.config["acks"] == 0:
            lane.flying.pop()
            self.succeed(lane, batch, -1)
        return True

    def is_muted(self, connection):
        return time.monotonic() < connection.muted_until_s

    def transactional_id(self):
        """Whose transaction the batches belong to; None without one."""

    def in_flight_max(self):
        return self.config["max.in.flight.requests.per.connection"]

    def number(self, lane, batch):
        """Give a batch its sequence when it is sent first."""
        if self.idempotent and batch.sequence is None:
            batch.sequence = lane.next_sequence
            lane.next_sequence = (lane.next_sequence + len(batch.records)) & 0x7FFFFFFF

    def lost(self, broker, why):
        """The connection to a broker is gone: nothing that was in flight on it will be answered."""
        self.cluster.drop(broker)
        self.look_again()
        for lane in self.lanes:
            back = [batch for b, batch in lane.flying if b == broker]
            lane.flying = [(b, batch) for b, batch in lane.flying if b != broker]
            for batch in back:
                self.failed(lane, batch, None, f"no answer: {why}")

    def look_again(self):
        """Ask for metadata, a backoff from now."""
        if self.stale_s is None:
            self.stale_s = time.monotonic() + self.backoff_s(1)

    def refresh(self):
        due_s = self.asked_s + self.config["metadata.max.age.ms"] / 1000 if self.stale_s is None else self.stale_s
        if time.monotonic() < due_s:
            return
        self.asked_s = time.monotonic()
        try:
            done = self.cluster.refresh(self.options.topic)
        except wire.Broken as e:
            print(f"producer: {e}", file=sys.stderr)
            done = False
        self.stale_s = None if done else time.monotonic() + self.backoff_s(3)

    def take_answers(self):
        for broker, connection in list(self.cluster.connections.items()):
            try:
                answer = connection.poll(0)
                while answer:
                    self.take_answer(answer, connection.version(wire.PRODUCE) >= 5)
                    connection.muted_until_s = max(connection.muted_until_s, time.monotonic() + answer.i32() / 1000)
                    answer = connection.poll(0)
            except wire.Broken as e:
                self.lost(broker, e)

    def take_answer(self, r, starts):
        """One Produce answer up to its throttle time; the oldest batch in flight of its partition is meant.
        starts: each partition's log start is told, too."""
        answers = r.array(lambda: (r.string(), r.array(lambda: (
            r.i32(), r.i16(), r.i64(), r.i64(), r.i64() if starts else -1))))
        for _topic, partitions in answers:
            for index, code, base_offset, _append_time, _start in partitions:
                lane = next(lane for lane in self.lanes if lane.index == index)
                _, batch = lane.flying.pop(0)
                self.judge(lane, batch, code, base_offset)

    def judge(self, lane, batch, code, base_offset):
        """What a batch's answer means."""
        if code == wire.DUPLICATE_SEQUENCE:
            self.succeed(lane, batch, -1)
        elif code:
            self.look_again()
            self.failed(lane, batch, code, f"{wire.NAMES[wire.PRODUCE]} answered error {code}")
        else:
            self.succeed(lane, batch, base_offset)

    def expire(self):
        """End connections that owe an answer for too long, and records that wait for too long."""
        now_s = time.monotonic()
        for lane in self.lanes:
            if lane.flying and now_s > lane.flying[0][1].sent_s + self.config["request.timeout.ms"] / 1000:
                self.lost(lane.flying[0][0], "request.timeout.ms is over")
            old_s = now_s - self.config["delivery.timeout.ms"] / 1000
            while lane.queue and (lane.queue[0].born_s < old_s or self.fatal):
                self.give_up(lane.queue.popleft(), self.fatal or "delivery.timeout.ms is over")

    def wait(self):
        """Until an answer may be there, or a tick is over."""
        sockets = [c.socket for c in self.cluster.connections.values()]
        limit_s = min(TICK_S, self.sends.wait_s() or TICK_S)
        if sockets:
            select.select(sockets, [], [], limit_s)
        else:
            time.sleep(limit_s)

    def is_done(self):
        return not self.wants_more() and all(lane.is_empty() for lane in self.lanes)

    def run(self, stop):
        """Send until all is answered; after a signal, no new records and END_LIMIT_S for the rest."""
        end_s = None
        while not self.is_done():
            if stop.asked.is_set() and end_s is None:
                end_s = time.monotonic() + END_LIMIT_S
                self.options.max_messages = self.sends.sent
            if end_s and time.monotonic() > end_s:
                break
            self.fill()
            self.send_ready()
            self.wait()
            self.take_answers()
            self.expire()
            self.refresh()


def main(cls=Producer):
    """The program: cls is Producer or a wrong one."""
    def program():
        options = subject.producer_options(sys.argv[1:])
        stop = subject.Stop(END_LIMIT_S * 2)
        producer = cls(options)
        subject.say("startup_complete")
        try:
            if not producer.start(stop):
                print("producer: stopped before it was up", file=sys.stderr)
                return 1
            producer.run(stop)
        except (wire.Broken, wire.KafkaError) as e:
            print(f"producer: {e}", file=sys.stderr)
            producer.sends.finish()
            return 1
        except stop.Now:
            print("producer: the end was cut short", file=sys.stderr)
        stop.give(0)
        producer.cluster.close()
        return producer.sends.finish()
    subject.run(program)
