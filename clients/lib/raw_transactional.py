"""A transactional program on the raw protocol (the transactions of KIP-98, with the group's metadata of KIP-447), as a
subject. It is the raw producer with a transaction around its batches; where there is an input topic, a raw consumer
reads it. Wrong clients change the steps: add_partition(), end(), may_commit(), heeds()."""
import sys
import time

import raw_consumer
import raw_producer
import subject
import transactions
import wire

END_LIMIT_S = 10
POLL_S = 0.5
LOADING = (wire.COORDINATOR_LOADING, wire.CONCURRENT_TRANSACTIONS)
FENCED = (wire.INVALID_PRODUCER_EPOCH, wire.PRODUCER_FENCED)
REJOIN = (wire.ILLEGAL_GENERATION, wire.UNKNOWN_MEMBER_ID, wire.REBALANCE_IN_PROGRESS)
GROUP, TRANSACTION = 0, 1  # kinds of coordinators


class Reader(raw_consumer.Consumer):
    """The consumer of the input: what it is given waits here, and its offsets go with the transaction."""

    def __init__(self, options, stop):
        super().__init__(options, stop)
        self.config["isolation.level"] = "read_committed"
        self.rows = []

    def deliver(self, records):
        self.rows += [(place, *row) for place, rows in records.items() for row in rows]

    def leave_partitions(self, lost):
        super().leave_partitions(lost)
        self.rows = []

    def next_rows(self, most):
        end_s = time.monotonic() + POLL_S
        while not self.rows and time.monotonic() < end_s and not self.stop.asked.is_set():
            try:
                self.step()
            except raw_consumer.Rejoin as e:
                self.end_membership(e)
            except wire.Broken as e:
                print(f"transactional: {e}", file=sys.stderr)
                self.back_off()
        rows, self.rows = self.rows[:most], self.rows[most:]
        return rows

    def rewind(self, rows):
        self.forget_fetches()
        self.rows = []
        for (_topic, partition), offset, _key, _value in reversed(rows):
            if partition in self.positions:
                self.positions[partition] = offset


class Transactional(raw_producer.Producer, transactions.Transactor):
    """The right one."""

    config_table = {**raw_producer.CONFIG, "transactional.id": (str, None), "transaction.timeout.ms": (int, 60000)}

    def __init__(self, options, stop, reader=None):
        super().__init__(options)
        if not self.config["transactional.id"]:
            raise subject.Unsupported("a transactional program needs a transactional.id")
        self.stop, self.reader = stop, reader
        self.coordinator = None
        self.added, self.error, self.gap = set(), None, False

    # What wrong clients change.

    def heeds(self, code):
        """Whether an error code of a transaction's step is one."""
        return code != 0

    def may_commit(self):
        """Whether every record of the transaction is written."""
        return self.error is None

    def add_partition(self, lane):
        """Tell the coordinator that the transaction has this partition, before the first batch goes there."""
        if lane.index not in self.added:
            self.ask(wire.ADD_PARTITIONS_TO_TXN, wire.array([
                wire.string(self.options.topic) + wire.array([wire.i32(lane.index)])]),
                lambda r: r.array(lambda: (r.string(), r.array(lambda: (r.i32(), r.i16()))))[0][1][0][1])
            self.added.add(lane.index)

    def end(self, commit):
        self.ask(wire.END_TXN, wire.i8(int(commit)), lambda r: r.i16())

    # The coordinator.

    def connect(self):
        """A connection to the transaction's coordinator."""
        if self.coordinator:
            return self.coordinator
        code, address = self.cluster.find(TRANSACTION, self.config["transactional.id"])
        if code:
            raise wire.Broken(f"FindCoordinator answered error {code}")
        self.coordinator = wire.Connection(address, self.config["client.id"])
        return self.coordinator

    def drop_coordinator(self):
        if self.coordinator:
            self.coordinator.close()
        self.coordinator = None

    def ask(self, api, rest, code_of):
        """One step at the coordinator, until it has an answer that is not "later" or "elsewhere"."""
        attempts = 0
        end_s = time.monotonic() + self.config["max.block.ms"] / 1000
        while time.monotonic() < end_s:
            attempts += 1
            try:
                body = wire.string(self.config["transactional.id"]) + self.identity() + rest
                r = self.connect().call(api, body, self.config["request.timeout.ms"] / 1000)
                r.i32()  # throttle
                code = code_of(r)
                if code in (wire.NOT_COORDINATOR, wire.COORDINATOR_NOT_AVAILABLE):
                    self.drop_coordinator()
                elif code not in LOADING:
                    self.judge_step(api, code)
                    return
            except wire.Broken as e:
                print(f"transactional: {wire.NAMES[api]}: {e}", file=sys.stderr)
                self.drop_coordinator()
            self.stop.asked.wait(self.backoff_s(attempts))
        raise transactions.Failed(f"{wire.NAMES[api]}: max.block.ms is over", ended=True)

    def identity(self):
        return wire.i64(self.producer_id) + wire.i16(self.producer_epoch)

    def judge_step(self, api, code):
        if not self.heeds(code):
            return
        text = f"{wire.NAMES[api]} answered error {code}"
        if code in REJOIN:
            raise transactions.Failed(text)
        raise transactions.Failed(text, ended=True, fenced=code in FENCED)

    def _learn_producer_id(self):
        """InitProducerId, which also fences whoever had this transactional id before; sequences begin anew."""
        r = self.connect_and_init()
        r.i32()  # throttle
        code = r.i16()
        if code in (wire.NOT_COORDINATOR, wire.COORDINATOR_NOT_AVAILABLE):
            self.drop_coordinator()
        if code and code not in wire.RETRIABLE:
            raise wire.KafkaError(wire.INIT_PRODUCER_ID, code)
        if not code:
            self.producer_id, self.producer_epoch = r.i64(), r.i16()
        for lane in self.lanes:
            lane.next_sequence = 0
        return not code

    def connect_and_init(self):
        try:
            return self.connect().call(wire.INIT_PRODUCER_ID, wire.string(self.config["transactional.id"]) +
                                       wire.i32(self.config["transaction.timeout.ms"]), 5)
        except wire.Broken:
            self.drop_coordinator()
            raise

    # A transaction.

    def begin(self):
        if self.fatal:
            raise transactions.Failed(self.fatal, ended=True)
        self.added, self.error = set(), None

    def send(self, number, key, value):
        self.add_record(number, key, value, None)

    def wants_more(self):
        return False

    def transactional_id(self):
        return self.config["transactional.id"]

    def send_one(self, lane, batch):
        self.add_partition(lane)
        return super().send_one(lane, batch)

    def give_up(self, batch, why):
        """The transaction can only be aborted now, and the gap in the sequences needs a new epoch."""
        for number, *_ in batch.records:
            self.sends.error(number, "KafkaError", why)
        self.error, self.gap = self.error or why, True

    def judge(self, lane, batch, code, base_offset):
        if code in FENCED:
            self.fatal = f"Produce answered error {code}"
        super().judge(lane, batch, code, base_offset)

    def turn(self):
        self.fill()
        self.send_ready()
        self.wait()
        self.take_answers()
        self.expire()
        self.refresh()

    def flush(self):
        while not all(lane.is_empty() for lane in self.lanes) and not self.error:
            self.turn()
        if self.fatal:
            raise transactions.Failed(self.fatal, fenced=True)
        if not self.may_commit():
            raise transactions.Failed(self.error)

    def read(self, most):
        return self.reader.next_rows(most)

    def rewind(self, rows):
        if self.reader and rows:
            self.reader.rewind(rows)

    def commit(self, offsets):
        if offsets:
            self.send_offsets({partition: offset for (_topic, partition), offset in offsets.items()})
        if self.added or offsets:
            self.end(True)

    def send_offsets(self, offsets):
        """The group's offsets, as a part of the transaction (KIP-447)."""
        group = self.options.group_id
        self.ask(wire.ADD_OFFSETS_TO_TXN, wire.string(group), lambda r: r.i16())
        rows = [wire.i32(p) + wire.i64(o) + wire.i32(-1) + wire.cstring("") + wire.TAGS for p, o in offsets.items()]
        body = wire.cstring(self.config["transactional.id"]) + wire.cstring(group) + self.identity()
        body += self.membership() + wire.carray([
            wire.cstring(self.options.input_topic) + wire.carray(rows) + wire.TAGS]) + wire.TAGS
        attempts = 0
        while True:
            attempts += 1
            code = self.commit_offsets(body)
            if code not in (*LOADING, *raw_consumer.COORDINATOR_ELSEWHERE, None):
                return self.judge_step(wire.TXN_OFFSET_COMMIT, code)
            self.stop.asked.wait(self.backoff_s(attempts))

    def membership(self):
        """Who reads: generation, member id, group.instance.id."""
        return wire.i32(self.reader.generation) + wire.cstring(self.reader.member_id) + wire.cstring(None)

    def commit_offsets(self, body):
        """One TxnOffsetCommit to the group's coordinator: its error code; None without an answer."""
        try:
            self.reader.find_coordinator()
            r = self.reader.coordinator.call(wire.TXN_OFFSET_COMMIT, body, self.config["request.timeout.ms"] / 1000)
        except (wire.Broken, raw_consumer.Rejoin) as e:
            print(f"transactional: TxnOffsetCommit: {e}", file=sys.stderr)
            self.reader.drop_coordinator()
            return None
        r.i32()  # throttle
        rows = r.carray(lambda: (r.cstring(), r.carray(lambda: (r.i32(), r.i16(), r.tags())), r.tags()))
        code = max((row[1] for _topic, row, _ in rows for row in row), default=0)
        if code in (wire.NOT_COORDINATOR, wire.COORDINATOR_NOT_AVAILABLE):
            self.reader.drop_coordinator()
        return code

    def abort(self):
        """What was not sent is dropped, what is in flight awaited."""
        for lane in self.lanes:
            if lane.filling:
                lane.close_batch()
            for batch in [*lane.queue, *lane.again]:
                self.give_up(batch, "the transaction is aborted")
            lane.queue.clear()
            lane.again = []
        while any(lane.flying for lane in self.lanes):
            self.take_answers()
            self.wait()
            self.expire()
        if self.added:
            self.end(False)
        if self.gap:
            self.gap = False
            while not self._learn_producer_id():
                self.stop.asked.wait(self.backoff_s(1))


def main(cls=Transactional):
    """The program: cls is Transactional or a wrong one."""
    def program():
        options = subject.transactional_options(sys.argv[1:])
        options.properties.setdefault("transactional.id", options.transactional_id or "")
        stop = subject.Stop(END_LIMIT_S)
        reader = None
        if options.input_topic:
            reader = Reader(subject.consumer_options([
                "--topic", options.input_topic, "--bootstrap-server", options.bootstrap_server,
                "--group-id", options.group_id or ""]), stop)
            reader.cluster.client_id = reader.config["client.id"] = options.properties.get("client.id", "ktrial-raw")
        transactor = cls(options, stop, reader)
        status = 1
        try:
            if transactor.start(stop):
                subject.say("startup_complete")
                status = transactions.run(options, transactor, transactor.sends, stop)
        except stop.Now:
            print("transactional: the end was cut short", file=sys.stderr)
        except (wire.Broken, wire.KafkaError) as e:
            print(f"transactional: {e}", file=sys.stderr)
        except transactions.Failed as e:
            print(f"transactional: {e}", file=sys.stderr)
            if e.fenced:
                subject.say("transaction", state="fenced", number=0, message=str(e))
        if reader:
            reader.close()
        stop.give(0)
        transactor.sends.finish()
        return status
    subject.run(program)
