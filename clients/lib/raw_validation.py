"""What a consumer does when a partition has a new leader (KIP-320): it asks where the epoch of the last record that it read ended.
If that lies before its position, the log was cut, and reading goes on there. Wrong clients change confirmed()."""
import sys
import time

import wire

ASK_LIMIT_S = 10


class Validation:
    """A part of a consumer; what it reads of it are cluster, positions, options and config."""

    def __init__(self):
        self.read_epochs = {}  # {partition: leader epoch of the last record that was read}
        self.confirmed_epochs = {}  # {partition: leader epoch under which the position is known to be good}
        self.validating = {}  # {partition: (connection, leader epoch, position, when it was asked)}
        self.not_before_s = {}

    def note_epoch(self, partition, data):
        epoch = wire.last_epoch(data)
        if epoch >= 0:
            self.read_epochs[partition] = epoch

    def forget_epochs(self, partitions):
        """A new position is good under whatever leader there is."""
        for partition in partitions:
            self.read_epochs.pop(partition, None)
            self.confirmed_epochs.pop(partition, None)

    def is_confirmed(self, partition):
        now = self.cluster.epochs.get(partition, -1)
        confirmed = self.confirmed_epochs.get(partition)
        if confirmed is None or now < confirmed or partition not in self.read_epochs:
            self.confirmed_epochs[partition] = confirmed = now
        return now <= confirmed

    def validate(self):
        """Ask for those that have a new leader, and take what is answered."""
        for partition in list(self.positions):
            if not self.is_confirmed(partition):
                self.ask_for(partition, self.cluster.epochs[partition])
        for partition in list(self.validating):
            self.take_end(partition)

    def ask_for(self, partition, epoch):
        if partition in self.validating or time.monotonic() < self.not_before_s.get(partition, 0):
            return
        try:
            connection = wire.Connection(self.cluster.brokers[self.cluster.leaders[partition]], self.config["client.id"])
            if wire.OFFSET_FOR_LEADER_EPOCH not in connection.versions:
                self.confirmed_epochs[partition] = epoch
                return connection.close()
            connection.send(wire.OFFSET_FOR_LEADER_EPOCH, wire.i32(-1) + wire.array([
                wire.string(self.options.topic) + wire.array([
                    wire.i32(partition) + wire.i32(epoch) + wire.i32(self.read_epochs[partition])])]))
            self.validating[partition] = (connection, epoch, self.positions[partition], time.monotonic())
        except (wire.Broken, KeyError) as e:
            self.failed_to_ask(partition, str(e))

    def failed_to_ask(self, partition, why):
        """Later again, perhaps of another leader."""
        print(f"consumer: OffsetForLeaderEpoch of {partition}: {why}", file=sys.stderr)
        self.not_before_s[partition] = time.monotonic() + self.config["retry.backoff.ms"] / 1000
        self.look_again()

    def take_end(self, partition):
        connection, epoch, position, asked_s = self.validating[partition]
        try:
            r = connection.poll(0)
            if r is None and time.monotonic() < asked_s + ASK_LIMIT_S and partition in self.positions:
                return
            if r is None:
                raise wire.Broken("no answer in time")
            r.i32()  # throttle
            rows = r.array(lambda: (r.string(), r.array(lambda: (r.i16(), r.i32(), r.i32(), r.i64()))))
            code, _partition, _epoch, end = rows[0][1][0]
            if code:
                raise wire.Broken(f"error {code}")
            self.confirmed_epochs[partition] = epoch
            if partition in self.positions:
                self.confirmed(partition, position, end)
        except wire.Broken as e:
            self.failed_to_ask(partition, str(e))
        self.validating.pop(partition)
        connection.close()

    def confirmed(self, partition, position, end):
        """position: when it was asked. A negative end says that nothing is known of that epoch, and so nothing against us."""
        if 0 <= end < self.positions[partition]:
            print(f"consumer: the log of {partition} was cut at {end}", file=sys.stderr)
            self.positions[partition] = end
