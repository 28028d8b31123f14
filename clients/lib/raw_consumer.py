"""A consumer of the classic group protocol on raw bytes, as a subject. `Consumer` does it right, eagerly:
all partitions are given back before each JoinGroup. A wrong client changes divide() alone.

One thread. Fetches are outstanding, one a leader, while heartbeats and commits go over a connection of
their own; a fetch from before a rebalance is dropped when it comes in."""
import importlib
import select
import sys
import time

import raw_hints
import raw_producer
import raw_validation
import subject
import wire

TICK_S = 0.05
BROKEN_PAUSE_S = 0.3  # after bytes that nobody can read
CALL_LIMIT_S = 10  # and no longer than request.timeout.ms
LEAVE_LIMIT_S = 3
EARLIEST, LATEST = -2, -1
COMMIT_TRIES = 10
COORDINATOR_ELSEWHERE = (wire.COORDINATOR_LOADING, wire.COORDINATOR_NOT_AVAILABLE, wire.NOT_COORDINATOR)
FENCED = (wire.UNKNOWN_MEMBER_ID, wire.ILLEGAL_GENERATION)  # the membership, with all that it owned


def _strategy(value):
    names = [name.strip().rsplit(".", 1)[-1] for name in value.split(",")]
    if names not in (["RangeAssignor"], ["CooperativeStickyAssignor"]):
        raise ValueError("the raw client has RangeAssignor or CooperativeStickyAssignor, one of them")
    return names[0]


def _only(allowed):
    def check(value):
        if value not in allowed:
            raise ValueError(f"expected {' or '.join(allowed)}, not '{value}'")
        return value
    return check


CONFIG = {  # Kafka's name: (how to read it, default)
    "auto.commit.interval.ms": (int, 5000),
    "auto.offset.reset": (_only(("earliest", "latest", "none")), "earliest"),
    "bootstrap.servers": (str, None),
    "check.crcs": (_only(("true",)), "true"),
    "client.id": (str, "ktrial-raw"),
    "client.rack": (str, ""),
    "enable.auto.commit": (subject.to_bool, False),
    "fetch.max.bytes": (int, 50 << 20),
    "fetch.max.wait.ms": (int, 500),
    "fetch.min.bytes": (int, 1),
    "group.id": (str, None),
    "group.instance.id": (str, None),
    "group.protocol": (_only(("classic", "consumer")), "classic"),
    "heartbeat.interval.ms": (int, 3000),
    "isolation.level": (_only(("read_uncommitted", "read_committed")), "read_uncommitted"),
    "max.partition.fetch.bytes": (int, 1 << 20),
    "max.poll.interval.ms": (int, 300000),
    "max.poll.records": (int, 500),
    "metadata.max.age.ms": (int, 300000),
    "partition.assignment.strategy": (_strategy, "RangeAssignor"),
    "request.timeout.ms": (int, 30000),
    "retry.backoff.ms": (int, 100),
    "session.timeout.ms": (int, 30000),
}


def _flags(options):
    """The flags as configuration; the file wins over them."""
    flags = {
        "bootstrap.servers": options.bootstrap_server,
        "group.id": options.group_id,
        "group.instance.id": options.group_instance_id,
        "group.protocol": options.group_protocol,
        "group.remote.assignor": options.group_remote_assignor,
        "session.timeout.ms": None if options.session_timeout is None else str(options.session_timeout),
        "enable.auto.commit": "true" if options.enable_autocommit else "false",
        "auto.offset.reset": options.reset_policy,
        "partition.assignment.strategy": options.assignment_strategy,
    }
    return {key: value for key, value in flags.items() if value is not None}


class Rejoin(Exception):
    """The membership is over. keeps: the group still knows the member id."""

    def __init__(self, why, keeps):
        super().__init__(why)
        self.keeps = keeps


class Session:
    """A fetch session with one broker (KIP-227): what the broker remembers of the last Fetch."""

    def __init__(self):
        self.id, self.epoch, self.offsets = 0, 0, {}

    def changed(self, offsets):
        """What the next Fetch must name: all of it in a full one."""
        return [(p, o) for p, o in offsets.items() if self.epoch == 0 or self.offsets.get(p) != o]

    def answered(self, code, session_id):
        """An answer's first fields; False when the broker knows no such session, and a full Fetch is next."""
        if code in (wire.FETCH_SESSION_ID_NOT_FOUND, wire.INVALID_FETCH_SESSION_EPOCH):
            self.over()
            return False
        if code:
            raise wire.KafkaError(wire.FETCH, code)
        self.id, self.epoch = session_id, self.epoch + 1 if session_id else 0
        return True

    def over(self):
        self.id, self.epoch, self.offsets = 0, 0, {}


class Consumer(raw_validation.Validation, raw_hints.Hints):
    """The right one."""

    protocol = "range"

    def __init__(self, options, stop):
        super().__init__()
        self.options, self.stop = options, stop
        self.config = raw_producer.configuration(CONFIG, {**_flags(options), **options.properties})
        self.cluster = wire.Cluster(self.config["bootstrap.servers"], self.config["client.id"])
        self.coordinator = None  # a connection
        self.member_id, self.generation = "", -1
        self.assigned = None  # partitions; None outside the group
        self.positions = {}  # {partition: next offset to fetch}
        self.preferred = {}  # {partition: a follower that the leader named}
        self.sessions = {}  # {broker: fetch session}
        self.delivered, self.committed = {}, {}  # {partition: next offset}, in this generation
        self.divided = None  # the partitions that we gave to the members as their leader
        self.fetching = {}  # {broker: (generation, {partition: offset}, when it was sent)}
        self.heartbeat_s = self.commit_s = 0.0
        self.asked_s = time.monotonic()  # when metadata was asked for last
        self.left = options.max_messages

    # What a wrong client changes.

    def divide(self, members, partitions):
        """The leader's work: {member id: partitions}; members in order. As Kafka's range assignor."""
        shares, start = {}, 0
        for place, member in enumerate(members):
            count = len(partitions) // len(members) + (place < len(partitions) % len(members))
            shares[member] = partitions[start:start + count]
            start += count
        return shares

    # Group.

    def call(self, api, body, limit_s=CALL_LIMIT_S):
        """Ask the coordinator. Rejoin when it is gone; None when we were told to stop meanwhile."""
        limit_s = min(limit_s, max(self.config["request.timeout.ms"] / 1000, 0 if limit_s == CALL_LIMIT_S else limit_s))
        try:
            return self.coordinator.call(api, body, limit_s, self.stop.asked)
        except wire.Broken as e:
            self.drop_coordinator()
            raise Rejoin(f"{wire.NAMES[api]}: {e}", True) from e

    def drop_coordinator(self):
        if self.coordinator:
            self.coordinator.close()
        self.coordinator = None

    def judge(self, api, code):
        """Turn an error code of the group into what follows from it."""
        if code in (wire.COORDINATOR_NOT_AVAILABLE, wire.NOT_COORDINATOR):
            self.drop_coordinator()
        if code in FENCED:
            raise Rejoin(f"{wire.NAMES[api]} answered error {code}", False)
        if code == wire.REBALANCE_IN_PROGRESS or code in wire.RETRIABLE:
            raise Rejoin(f"{wire.NAMES[api]} answered error {code}", True)
        if code:
            raise wire.KafkaError(api, code)

    def find_coordinator(self):
        """Connect to the coordinator, asking any broker for it."""
        if self.coordinator:
            return
        try:
            code, address = self.cluster.find(0, self.config["group.id"])
            self.judge(wire.FIND_COORDINATOR, code)
            self.coordinator = wire.Connection(address, self.config["client.id"])
        except wire.Broken as e:
            raise Rejoin(f"FindCoordinator: {e}", True) from e

    def renew_coordinator(self):
        """A connection that the broker closed while nobody used it is opened again; the membership lives on."""
        if self.coordinator and self.coordinator.is_over():
            self.drop_coordinator()
            self.find_coordinator()

    def join(self):
        """One pass of JoinGroup and SyncGroup, then the positions. Told to stop, it just returns."""
        self.forget_fetches()
        if not self.cluster.refresh(self.options.topic):
            raise Rejoin("the topic has no leaders yet", True)
        self.find_coordinator()
        members = self.ask_to_join()
        if members is None:
            return
        partitions = self.sync(members)
        if partitions is None:
            return
        subject.say("partitions_assigned",
                    partitions=subject.partition_list((self.options.topic, p) for p in partitions))
        self.assigned, self.positions, self.delivered = partitions, {}, {}
        self.begin_generation()
        self.find_positions(partitions)

    def begin_generation(self):
        self.committed = {}
        self.heartbeat_s = self.commit_s = time.monotonic()

    def ask_to_join(self):
        """JoinGroup, twice where the group first tells an id (KIP-394): the members whom we lead, or []; None
        when we were told to stop."""
        rebalance_ms = self.config["max.poll.interval.ms"]
        r = self.call(wire.JOIN_GROUP, wire.string(self.config["group.id"]) +
                      wire.i32(self.config["session.timeout.ms"]) + wire.i32(rebalance_ms) +
                      wire.string(self.member_id) + self.instance(wire.JOIN_GROUP) + wire.string("consumer") +
                      wire.array([wire.string(self.protocol) + wire.blob(self.subscription())]), rebalance_ms / 1000 + 5)
        if r is None:
            return None
        r.i32()  # throttle
        code = r.i16()
        generation, _protocol, leader, member_id = r.i32(), r.string(), r.string(), r.string()
        if code == wire.MEMBER_ID_REQUIRED:
            self.take_id(member_id)
            return self.ask_to_join()
        self.judge(wire.JOIN_GROUP, code)
        self.generation, self.member_id = generation, member_id
        versioned = self.coordinator.version(wire.JOIN_GROUP) >= 5
        members = r.array(lambda: (r.string(), r.string() if versioned else None, r.blob()))
        return self.read_members(members) if leader == member_id else []

    def subscription(self):
        """What a member says of itself."""
        return wire.i16(0) + wire.array([wire.string(self.options.topic)]) + wire.blob(None)

    def read_members(self, rows):
        """The members in order."""
        return sorted(member for member, _instance, _data in rows)

    def take_id(self, member_id):
        """The group tells the id to join with."""
        self.member_id = member_id

    def instance(self, api):
        """group.instance.id, in the versions of the group's messages that have it (KIP-345)."""
        if self.coordinator.version(api) >= {wire.JOIN_GROUP: 5, wire.OFFSET_COMMIT: 7}.get(api, 3):
            return wire.string(self.config["group.instance.id"])
        if self.config["group.instance.id"]:
            raise subject.Unsupported("the broker has no static members")
        return b""

    def sync(self, members):
        """Give what the leader divided (members: empty for others), and learn what is ours."""
        self.divided = sorted(self.cluster.leaders) if members else None
        shares = self.divide(members, self.divided) if members else {}
        rows = [wire.string(member) + wire.blob(wire.i16(0) + wire.array([
            wire.string(self.options.topic) + wire.array([wire.i32(p) for p in share])]) + wire.blob(None))
            for member, share in shares.items()]
        r = self.call(wire.SYNC_GROUP, wire.string(self.config["group.id"]) + wire.i32(self.generation) +
                      wire.string(self.member_id) + self.instance(wire.SYNC_GROUP) + wire.array(rows))
        if r is None:
            return None
        r.i32()  # throttle
        self.judge(wire.SYNC_GROUP, r.i16())
        r = wire.Reader(r.blob())
        if not r.data:
            return []
        r.i16()  # version
        return [p for _topic, share in r.array(lambda: (r.string(), r.array(r.i32))) for p in share]

    def find_positions(self, partitions):
        """Where each partition goes on: the committed offset, else by the reset policy."""
        self.forget_epochs(partitions)
        if not partitions:
            return
        r = self.call(wire.OFFSET_FETCH, wire.string(self.config["group.id"]) + wire.array([
            wire.string(self.options.topic) + wire.array([wire.i32(p) for p in partitions])]))
        if r is None:
            return
        rows = r.array(lambda: (r.string(), r.array(lambda: (r.i32(), r.i64(), r.string(), r.i16()))))
        for _topic, row in rows:
            for partition, offset, _metadata, code in row:
                self.judge(wire.OFFSET_FETCH, code)
                self.positions[partition] = offset if offset >= 0 else self.reset(partition)

    def reset(self, partition):
        """The offset that auto.offset.reset stands for, asked of the partition's leader."""
        policy = self.config["auto.offset.reset"]
        if policy == "none":
            raise wire.KafkaError(wire.FETCH, wire.OFFSET_OUT_OF_RANGE)
        when = EARLIEST if policy == "earliest" else LATEST
        leader = self.cluster.leaders[partition]
        self.fetching.pop(leader, None)  # its answer would come first: the connection is made anew
        self.cluster.drop(leader)
        try:
            r = self.cluster.to(leader).call(wire.LIST_OFFSETS, wire.i32(-1) + wire.array([
                wire.string(self.options.topic) + wire.array([wire.i32(partition) + wire.i64(when)])]),
                CALL_LIMIT_S)
        except wire.Broken as e:
            self.cluster.drop(leader)
            raise Rejoin(f"ListOffsets: {e}", True) from e
        row = r.array(lambda: (r.string(), r.array(lambda: (r.i32(), r.i16(), r.i64(), r.i64()))))[0][1][0]
        self.judge(wire.LIST_OFFSETS, row[1])
        return row[3]

    def heartbeat(self):
        if time.monotonic() < self.heartbeat_s + self.config["heartbeat.interval.ms"] / 1000:
            return
        self.heartbeat_s = time.monotonic()
        self.send_heartbeat()

    def send_heartbeat(self):
        r = self.call(wire.HEARTBEAT, wire.string(self.config["group.id"]) + wire.i32(self.generation) +
                      wire.string(self.member_id) + self.instance(wire.HEARTBEAT))
        if r is not None:
            r.i32()  # throttle
            self.judge(wire.HEARTBEAT, r.i16())

    def commit(self, offsets, limit_s=CALL_LIMIT_S):
        """Commit {partition: next offset}; the line is printed unless auto-commit is on. An error code that time
        mends, or 0."""
        modern = self.coordinator.version(wire.OFFSET_COMMIT) >= 7
        rows = [wire.i32(p) + wire.i64(o) + (wire.i32(-1) if modern else b"") + wire.string("")
                for p, o in offsets.items()]
        self.coordinator.send(wire.OFFSET_COMMIT, wire.string(self.config["group.id"]) +
                              wire.i32(self.generation) + wire.string(self.member_id) +
                              (self.instance(wire.OFFSET_COMMIT) if modern else wire.i64(-1)) +
                              wire.array([wire.string(self.options.topic) + wire.array(rows)]))
        r = self.coordinator.poll(limit_s)
        if r is None:
            raise wire.Broken(f"no answer within {limit_s} s")
        if modern:
            r.i32()  # throttle
        answered = r.array(lambda: (r.string(), r.array(lambda: (r.i32(), r.i16()))))
        codes = {code for _topic, row in answered for _partition, code in row if code}
        if codes and codes <= set(COORDINATOR_ELSEWHERE):
            return min(codes)
        self.committed.update(offsets if not codes else {})
        self.say_committed(offsets, f"error {min(codes)}" if codes else None)
        for code in codes:
            self.judge(wire.OFFSET_COMMIT, code)
        return 0

    def say_committed(self, offsets, error):
        if not self.config["enable.auto.commit"]:
            subject.offsets_committed({(self.options.topic, p): o for p, o in offsets.items()}, error)

    def commit_guarded(self, offsets):
        """commit(), again while the coordinator loads or moves; a connection that ends is an outcome to report."""
        self.renew_coordinator()
        try:
            for _ in range(COMMIT_TRIES):
                if self.commit(offsets) not in COORDINATOR_ELSEWHERE:
                    break
                self.back_off()
                self.drop_coordinator()
                self.find_coordinator()
        except wire.Broken as e:
            self.drop_coordinator()
            self.say_committed(offsets, str(e))
            raise Rejoin(f"OffsetCommit: {e}", True) from e

    def auto_commit(self, at_once):
        """With auto-commit: commit what was delivered, when it is time."""
        due = time.monotonic() >= self.commit_s + self.config["auto.commit.interval.ms"] / 1000
        if not self.config["enable.auto.commit"] or not (due or at_once):
            return
        self.commit_s = time.monotonic()
        new = {p: o for p, o in self.delivered.items() if self.committed.get(p) != o}
        if new:
            self.commit_guarded(new)

    # Records.

    def fetch(self):
        """Keep one fetch outstanding for each leader of ours."""
        leaders = {p: self.preferred.get(p, self.cluster.leaders.get(p)) for p in self.positions}
        for broker in set(leaders.values()) - set(self.fetching):
            offsets = {p: o for p, o in self.positions.items() if leaders[p] == broker and self.is_confirmed(p)}
            if not offsets:
                continue
            try:
                connection = self.cluster.to(broker)
                connection.send(wire.FETCH, self.fetch_body(broker, offsets, connection.version(wire.FETCH)))
                self.fetching[broker] = (self.generation, offsets, time.monotonic())
            except wire.Broken as e:
                self.lost_leader(broker, str(e))

    def fetch_body(self, broker, offsets, version):
        """A Fetch: in a session (KIP-227) only what changed since the last one is named."""
        size = self.config["max.partition.fetch.bytes"]
        body = wire.i32(-1) + wire.i32(self.config["fetch.max.wait.ms"])
        body += wire.i32(self.config["fetch.min.bytes"]) + wire.i32(self.config["fetch.max.bytes"])
        body += wire.i8(self.isolation())
        if version < 7:
            return body + self.topic_rows([wire.i32(p) + wire.i64(o) + wire.i32(size)
                                           for p, o in offsets.items()])
        session = self.sessions.setdefault(broker, Session())
        epochs = {p: wire.i32(self.cluster.epochs.get(p, -1)) if version >= 9 else b"" for p in offsets}
        changed, gone = session.changed(offsets), [p for p in session.offsets if p not in offsets]
        session.offsets = dict(offsets)
        if version >= 16:
            return self.flexible_fetch(session, changed, gone)
        rows = [wire.i32(p) + epochs[p] + wire.i64(o) + wire.i64(-1) + wire.i32(size) for p, o in changed]
        gone = [wire.i32(p) for p in gone]
        body += wire.i32(session.id) + wire.i32(session.epoch) + self.topic_rows(rows) + self.topic_rows(gone)
        return body + (wire.string(self.config["client.rack"]) if version >= 11 else b"")

    def topic_rows(self, rows):
        """An array of one topic, or of none."""
        return wire.array([wire.string(self.options.topic) + wire.array(rows)] if rows else [])

    def isolation(self):
        return int(self.config["isolation.level"] == "read_committed")

    def forget_fetches(self):
        """Fetches of the past are answered on connections of the past: what is asked next would read them."""
        for broker in self.fetching:
            self.cluster.drop(broker)
        self.fetching, self.sessions = {}, {}

    def lost_leader(self, broker, why):
        """No use of this broker for now: look who leads, after a backoff."""
        print(f"consumer: broker {broker}: {why}", file=sys.stderr)
        self.leave_follower(broker)
        self.cluster.drop(broker)
        self.forget_fetches()
        self.back_off()
        self.look_again()

    def leave_follower(self, broker):
        """A follower failed: its partitions are read from their leaders again."""
        self.preferred = {p: b for p, b in self.preferred.items() if b != broker}

    def back_off(self):
        self.stop.asked.wait(self.config["retry.backoff.ms"] / 1000)

    def look_again(self):
        self.asked_s = time.monotonic()
        try:
            self.cluster.refresh(self.options.topic)
        except wire.Broken as e:
            print(f"consumer: {e}", file=sys.stderr)

    def has_grown(self):
        """Whether there are partitions that we, who lead the group, have given to nobody."""
        return self.divided is not None and not set(self.cluster.leaders) <= set(self.divided)

    def take(self):
        """Wait a tick for answers and deliver what they hold."""
        sockets = [self.cluster.connections[b].socket for b in self.fetching if b in self.cluster.connections]
        if sockets:
            select.select(sockets, [], [], TICK_S)
        else:
            time.sleep(TICK_S)
        for broker in list(self.fetching):
            if broker not in self.fetching:
                continue  # with the one before it all were forgotten
            try:
                r = self.cluster.connections[broker].poll(0)
            except wire.Broken as e:
                self.lost_leader(broker, str(e))
                continue
            if r is not None:
                generation, offsets, _sent_s = self.fetching.pop(broker)
                if self.is_current(generation):
                    self.hand_over(self.parse_fetch(broker, r, offsets))
            elif time.monotonic() > self.fetching[broker][2] + self.config["request.timeout.ms"] / 1000:
                self.lost_leader(broker, "request.timeout.ms is over")

    def is_current(self, generation):
        """Whether what was fetched in that generation still is ours to give."""
        return generation == self.generation

    def parse_fetch(self, broker, r, asked):
        """Records of one Fetch answer: {(topic, partition): rows}; moves the positions."""
        version = self.cluster.connections[broker].version(wire.FETCH)
        modern = version >= 7
        r.i32()  # throttle
        if modern and not self.sessions[broker].answered(r.i16(), r.i32()):
            return {}
        answers = self.flexible_answers(r) if version >= 16 else r.array(lambda: (r.string(), r.array(lambda: (
            r.i32(), r.i16(), r.i64(), r.i64(), r.i64() if modern else -1, r.array(lambda: (r.i64(), r.i64())),
            r.i32() if version >= 11 else -1, r.blob()))))
        found, moved = {}, False
        for topic, rows in answers:
            for partition, code, _high, _stable, _start, aborted, preferred, data in rows:
                if preferred >= 0:
                    self.preferred[partition] = preferred
                if code and self.preferred.get(partition) == broker:
                    self.leave_follower(broker)
                elif code == wire.OFFSET_OUT_OF_RANGE:
                    self.positions[partition] = self.out_of_range(partition)
                elif code:
                    moved = True
                else:
                    self.note_epoch(partition, data or b"")
                    self.read(found, topic, partition, asked[partition], self.batches(data or b"", aborted))
        if moved:
            self.lost_leader(broker, "a partition's fetch failed")
        return found

    def out_of_range(self, partition):
        """Where to go on when the position is not in the log."""
        return self.reset(partition)

    def batches(self, data, aborted):
        """The batches of an answer; for read_committed without what belongs to the aborted transactions."""
        return wire.decode_batches(data, aborted if self.isolation() else [])

    def read(self, found, topic, partition, start, batches):
        """Add a partition's new records; what lies below the position comes with its batch."""
        rows = [row for _, records in batches for row in records if row[0] >= start]
        if batches:
            self.positions[partition] = batches[-1][0]
        if rows:
            found[(topic, partition)] = rows

    def hand_over(self, records):
        """Give what was fetched in polls of at most max.poll.records."""
        most = self.config["max.poll.records"]
        while records and self.left != 0:
            poll = subject.limit(records, most)
            records = {place: rows[len(poll.get(place, [])):] for place, rows in records.items()}
            records = {place: rows for place, rows in records.items() if rows}
            self.deliver(poll)

    def deliver(self, records):
        records = subject.limit(records, self.left)
        if not records:
            return
        subject.records_consumed(records, self.options.verbose)
        if self.left > 0:
            self.left -= sum(map(len, records.values()))
        offsets = {partition: rows[-1][0] + 1 for (_topic, partition), rows in records.items()}
        self.delivered.update(offsets)
        if not self.config["enable.auto.commit"]:
            self.commit_guarded(offsets)

    # Life.

    def leave_partitions(self, lost):
        """Give the partitions back, or note that they are gone."""
        if self.assigned is not None:
            subject.say("partitions_lost" if lost else "partitions_revoked", partitions=subject.partition_list(
                (self.options.topic, p) for p in self.assigned))
        self.assigned = None

    def step(self):
        if self.assigned is None:
            self.join()
            return
        self.renew_coordinator()
        self.heartbeat()
        self.auto_commit(False)
        if time.monotonic() > self.asked_s + self.config["metadata.max.age.ms"] / 1000:
            self.look_again()
        if self.has_grown():
            raise Rejoin("the topic has more partitions", True)
        self.validate()
        self.fetch()
        self.take()

    def end_membership(self, reason):
        """After Rejoin: commit what auto-commit owes, give back, and try again after a backoff."""
        print(f"consumer: {reason}", file=sys.stderr)
        try:
            if reason.keeps and self.assigned is not None and self.coordinator:
                self.auto_commit(True)
        except Rejoin as e:
            reason = e
        self.leave_partitions(not reason.keeps)
        if not reason.keeps:
            self.forget_membership()
        self.back_off()

    def forget_membership(self):
        self.member_id, self.generation = "", -1

    def run(self):
        """Consume until the count is reached or somebody asks to stop."""
        while self.left != 0 and not self.stop.asked.is_set():
            try:
                self.step()
            except Rejoin as e:
                self.end_membership(e)
            except wire.Broken as e:
                print(f"consumer: {e}", file=sys.stderr)
                self.stop.asked.wait(BROKEN_PAUSE_S)

    def close(self):
        """Commit, give back, leave the group."""
        try:
            if self.assigned is not None and self.coordinator:
                self.auto_commit(True)
            self.leave_partitions(False)
            if self.coordinator and self.member_id and not self.config["group.instance.id"]:
                self.leave()
        except (Rejoin, wire.Broken, wire.KafkaError) as e:
            print(f"consumer: close: {e}", file=sys.stderr)
        self.drop_coordinator()
        self.cluster.close()


    def leave(self):
        """A static member comes back, and so doesn't say this (KIP-345)."""
        self.coordinator.send(wire.LEAVE_GROUP, wire.string(self.config["group.id"]) +
                              wire.string(self.member_id))
        self.coordinator.poll(LEAVE_LIMIT_S)


def main(classic=Consumer, cls848=None, cooperative=None):
    """The program: Consumer or a wrong one, one for group.protocol=consumer, one for CooperativeStickyAssignor."""
    def program():
        options = subject.consumer_options(sys.argv[1:])
        if "consumer" in (options.group_protocol, options.properties.get("group.protocol")):
            cls = cls848 or importlib.import_module("raw_consumer848").Consumer
        elif "Cooperative" in (options.assignment_strategy or options.properties.get("partition.assignment.strategy", "")):
            cls = cooperative or importlib.import_module("raw_cooperative").Consumer
        else:
            cls = classic
        stop = subject.Stop(CALL_LIMIT_S + LEAVE_LIMIT_S)
        consumer = cls(options, stop)
        subject.say("startup_complete")
        status = 0
        try:
            consumer.run()
            consumer.close()
        except wire.KafkaError as e:
            print(f"consumer: {e}", file=sys.stderr)
            consumer.close()
            status = 1
        except stop.Now:
            print("consumer: the end was cut short", file=sys.stderr)
            status = 1
        stop.give(0)
        subject.say("shutdown_complete")
        return status
    subject.run(program)
