"""Fetch as of version 16, where an answer that says "not the leader" may name the leader (KIP-951). In a trial whose environment
says KTRIAL_RAW=newest the raw consumer speaks it; else what it speaks stays as old as it was."""
import wire

LEADER_ERRORS = (wire.NOT_LEADER, wire.FENCED_LEADER_EPOCH)
CURRENT_LEADER, NODE_ENDPOINTS = 1, 0  # tags


class Hints:
    """A part of a consumer; what it reads of it are cluster, options and config."""

    def flexible_fetch(self, session, rows, gone):
        """The request's body. rows: [(partition, offset)]; gone: partitions."""
        epoch = {p: wire.i32(self.cluster.epochs.get(p, -1)) for p, _offset in rows}
        size = wire.i32(self.config["max.partition.fetch.bytes"])
        named = [wire.i32(p) + epoch[p] + wire.i64(o) + wire.i32(-1) + wire.i64(-1) + size + wire.TAGS for p, o in rows]
        return (wire.i32(self.config["fetch.max.wait.ms"]) + wire.i32(self.config["fetch.min.bytes"]) +
                wire.i32(self.config["fetch.max.bytes"]) + wire.i8(self.isolation()) + wire.i32(session.id) +
                wire.i32(session.epoch) + self.by_id(named) + self.by_id([wire.i32(p) for p in gone]) +
                wire.cstring(self.config["client.rack"]) + wire.TAGS)

    def by_id(self, rows):
        """An array of one topic, or of none."""
        return wire.carray([self.cluster.topic_id + wire.carray(rows) + wire.TAGS] if rows else [])

    def flexible_answers(self, r):
        """As the older answers: [(topic, rows)]. What they tell of leaders is taken."""
        hints = {}

        def row():
            partition, code, high, stable, start = r.i32(), r.i16(), r.i64(), r.i64(), r.i64()
            aborted = r.carray(lambda: (r.i64(), r.i64(), r.tags())[:2])
            preferred, data, tags = r.i32(), r.cblob(), r.tagged()
            if code in LEADER_ERRORS and CURRENT_LEADER in tags:
                hint = wire.Reader(tags[CURRENT_LEADER])
                hints[partition] = (hint.i32(), hint.i32())
            return partition, code, high, stable, start, aborted, preferred, data
        answers = r.carray(lambda: (r.take(16), r.carray(row), r.tags()))
        nodes = wire.Reader(r.tagged().get(NODE_ENDPOINTS, b"\1"))
        told = {node: address for node, address, *_ in nodes.carray(
            lambda: (nodes.i32(), (nodes.cstring(), nodes.i32()), nodes.cstring(), nodes.tags()))}
        followed = {p for p, (leader, epoch) in hints.items() if self.follow(p, leader, epoch, told)}
        return [(self.options.topic, [row for row in rows if row[0] not in followed]) for _id, rows, _tags in answers]

    def follow(self, partition, leader, epoch, told):
        """Whether a hint is of use: it tells of a newer epoch than is known, and of a broker whose address is."""
        if not self.is_newer(partition, epoch) or leader not in {**self.cluster.brokers, **told}:
            return False
        self.cluster.brokers = {**self.cluster.brokers, **told}
        self.cluster.leaders[partition], self.cluster.epochs[partition] = leader, epoch
        return True

    def is_newer(self, partition, epoch):
        return epoch > self.cluster.epochs.get(partition, -1)
