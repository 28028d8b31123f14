"""A consumer of the KIP-848 group protocol on raw bytes, as a subject: the raw consumer, whose membership is one
repeated message, ConsumerGroupHeartbeat. The broker assigns; we say what we own, and give back before others get it.
Wrong clients change take_assignment(), fenced(), full() or leave()."""
import base64
import time
import uuid

import raw_consumer
import subject
import wire

JOIN, LEAVE, LEAVE_STATIC = 0, -1, -2  # epochs with a meaning
FENCED = (wire.FENCED_MEMBER_EPOCH, wire.UNKNOWN_MEMBER_ID)
STALE_TRIES = 5


class Consumer(raw_consumer.Consumer):
    """The right one."""

    def __init__(self, options, stop):
        super().__init__(options, stop)
        self.member_id = base64.urlsafe_b64encode(uuid.uuid4().bytes)[:22].decode()
        self.epoch, self.generation = JOIN, 0
        self.interval_s = 0.0
        self.say_all = True  # the next heartbeat has every field: the first one, and the one after a lost answer

    # The heartbeat.

    def full(self):
        """Whether every field is sent, and not only what changed."""
        return self.epoch == JOIN or self.say_all

    def body(self, epoch, owned):
        """owned: partitions, or None when they are as they were told last."""
        everything = self.full() and epoch >= 0
        names = wire.carray([wire.cstring(self.options.topic)] if everything else None)
        rows = None
        if owned is not None:
            rows = [self.cluster.topic_id + wire.carray([wire.i32(p) for p in owned]) + wire.TAGS] if owned else []
        return (wire.cstring(self.config["group.id"]) + wire.cstring(self.member_id) + wire.i32(epoch) +
                wire.cstring(self.config["group.instance.id"]) + wire.cstring(None) +
                wire.i32(self.config["max.poll.interval.ms"] if everything else -1) + names + wire.cstring(None) +
                wire.cstring(self.options.group_remote_assignor if everything else None) + wire.carray(rows) + wire.TAGS)

    def beat(self, owned):
        """One heartbeat; what it tells is acted on."""
        if self.full():
            owned = sorted(self.assigned or [])
        self.heartbeat_s = time.monotonic()
        try:
            r = self.call(wire.CONSUMER_GROUP_HEARTBEAT, self.body(self.epoch, owned))
        except raw_consumer.Rejoin:
            self.say_all = True
            raise
        if r is None:
            return
        r.i32()  # throttle
        code, _message, _member, epoch, interval_ms = r.i16(), r.cstring(), r.cstring(), r.i32(), r.i32()
        self.judge(wire.CONSUMER_GROUP_HEARTBEAT, code)
        self.epoch, self.interval_s, self.say_all = epoch, interval_ms / 1000, False
        if r.i8() >= 0:
            rows = r.carray(lambda: (r.take(16), r.carray(r.i32), r.tags()))
            self.take_assignment([p for topic, share, _ in rows if topic == self.cluster.topic_id for p in share])

    def judge(self, api, code):
        if code in FENCED:
            self.fenced()
        if code == wire.STALE_MEMBER_EPOCH:
            return
        if code in raw_consumer.COORDINATOR_ELSEWHERE:
            self.say_all = True
            if code != wire.COORDINATOR_LOADING:
                self.drop_coordinator()
            raise raw_consumer.Rejoin(f"{wire.NAMES[api]} answered error {code}", True)
        if code and code not in FENCED:
            super().judge(api, code)

    def fenced(self):
        """All is lost, but not the member id."""
        self.leave_partitions(True)
        self.forget_fetches()
        self.positions, self.epoch = {}, JOIN
        raise raw_consumer.Rejoin("the member was fenced", True)

    def take_assignment(self, wanted):
        """Give back what is not ours any more, say so, and take what is new."""
        had = set(self.assigned or [])
        lost, new = sorted(had - set(wanted)), sorted(set(wanted) - had)
        self.forget_fetches()
        if lost:
            self.say_partitions("partitions_revoked", lost)
        self.positions = {p: o for p, o in self.positions.items() if p not in lost}
        self.delivered = {p: o for p, o in self.delivered.items() if p not in lost}
        self.assigned = sorted(wanted)
        if new or not had:
            self.say_partitions("partitions_assigned", new)
        self.find_positions(new)
        self.beat(self.assigned)

    def say_partitions(self, name, partitions):
        subject.say(name, partitions=subject.partition_list((self.options.topic, p) for p in partitions))

    # What the classic protocol does otherwise.

    def join(self):
        if not self.cluster.refresh(self.options.topic):
            raise raw_consumer.Rejoin("the topic has no leaders yet", True)
        self.find_coordinator()
        if self.assigned is None:
            self.assigned = []
            self.commit_s = time.monotonic()
        self.beat([])

    def heartbeat(self):
        if not self.coordinator or self.epoch == JOIN:
            self.join()
        elif time.monotonic() >= self.heartbeat_s + self.interval_s:
            self.beat(None)

    def end_membership(self, reason):
        """The membership goes on; the coordinator is looked for again."""
        print(f"consumer: {reason}", flush=True, file=raw_consumer.sys.stderr)
        self.back_off()

    def commit(self, offsets, limit_s=raw_consumer.CALL_LIMIT_S):
        """Commit with the member's epoch; an epoch that has moved on is learnt by a heartbeat first."""
        for _ in range(STALE_TRIES):
            code = self.commit_once(offsets, limit_s)
            if code != wire.STALE_MEMBER_EPOCH:
                break
            self.beat(None)
        if code in raw_consumer.COORDINATOR_ELSEWHERE:
            return code
        self.committed.update(offsets if not code else {})
        self.say_committed(offsets, f"error {code}" if code else None)
        self.judge(wire.OFFSET_COMMIT, code)
        return 0

    def commit_once(self, offsets, limit_s):
        rows = [wire.i32(p) + wire.i64(o) + wire.i32(-1) + wire.cstring("") + wire.TAGS for p, o in offsets.items()]
        self.coordinator.send(wire.OFFSET_COMMIT, wire.cstring(self.config["group.id"]) + wire.i32(self.epoch) +
                              wire.cstring(self.member_id) + wire.cstring(self.config["group.instance.id"]) +
                              wire.carray([wire.cstring(self.options.topic) + wire.carray(rows) + wire.TAGS]) +
                              wire.TAGS, version=9)
        r = self.coordinator.poll(limit_s)
        if r is None:
            raise wire.Broken(f"no answer within {limit_s} s")
        r.i32()  # throttle
        answered = r.carray(lambda: (r.cstring(), r.carray(lambda: (r.i32(), r.i16(), r.tags())), r.tags()))
        return max((code for _topic, row, _ in answered for _partition, code, _ in row), default=0)

    def leave(self):
        self.say_goodbye(LEAVE)

    def say_goodbye(self, epoch):
        if self.epoch != JOIN:
            self.coordinator.send(wire.CONSUMER_GROUP_HEARTBEAT, self.body(epoch, None))
            self.coordinator.poll(raw_consumer.LEAVE_LIMIT_S)

    def close(self):
        if self.config["group.instance.id"] and self.coordinator:
            self.leave_partitions(False)
            self.say_goodbye(LEAVE_STATIC)
            self.assigned = None
        super().close()
