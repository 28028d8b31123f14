"""A member of a cooperative group (KIP-429) on raw bytes: it keeps its partitions while the group rebalances, and gives
back only those that it is to lose, before somebody else is given them."""
import subject
import raw_consumer
import wire


class Consumer(raw_consumer.Consumer):
    """The right one."""

    protocol = "cooperative-sticky"

    def __init__(self, options, stop):
        super().__init__(options, stop)
        self.owned = []

    def subscription(self):
        """Version 2: with what we own, and since which generation (KIP-792)."""
        owned = [wire.string(self.options.topic) + wire.array([wire.i32(p) for p in self.owned])] if self.owned else []
        return (wire.i16(2) + wire.array([wire.string(self.options.topic)]) + wire.blob(None) + wire.array(owned) +
                wire.i32(self.generation))

    def read_members(self, rows):
        """{member id: what belongs to it}, of what the members say that they own."""
        return self.settle({member: self.read_claim(data) for member, _instance, data in rows})

    @staticmethod
    def read_claim(data):
        """(partitions, generation since which they are owned) of one member's subscription."""
        try:
            r = wire.Reader(data)
            version = r.i16()
            r.array(r.string), r.blob()
            owned = r.array(lambda: (r.string(), r.array(r.i32))) if version >= 1 else []
            return [p for _topic, row in owned for p in row], r.i32() if version >= 2 else -1
        except wire.Broken:
            return [], -1  # what nobody can read claims nothing

    def settle(self, claims):
        """A partition belongs to whom claims it since the newest generation; if two do, to nobody (KAFKA-12984)."""
        newest = {}
        for partitions, since in claims.values():
            for p in partitions:
                newest.setdefault(p, []).append(since)
        return {member: [p for p in partitions if since == max(newest[p]) and newest[p].count(since) == 1]
                for member, (partitions, since) in claims.items()}

    def divide(self, members, partitions):
        """Who owns something keeps its fair share; what is too much is given to nobody yet."""
        most = -(-len(partitions) // len(members))
        shares = {m: [p for p in owned if p in partitions][:most] for m, owned in members.items()}
        free = [p for p in partitions if not any(p in owned for owned in members.values())]
        for p in free:
            shares[min(shares, key=lambda m: (len(shares[m]), m))].append(p)
        return shares

    def join(self):
        """One pass; what is retained goes on being read."""
        if not self.cluster.refresh(self.options.topic):
            raise raw_consumer.Rejoin("the topic has no leaders yet", True)
        self.find_coordinator()
        members = self.ask_to_join()
        partitions = None if members is None else self.sync(members)
        if partitions is None:
            return
        self.take_over(partitions)

    def take_over(self, partitions):
        lost, new = [p for p in self.owned if p not in partitions], [p for p in partitions if p not in self.owned]
        if lost:
            self.give_back(lost)
        self.owned = self.assigned = partitions
        self.begin_generation()
        if new or not lost:
            subject.say("partitions_assigned", partitions=subject.partition_list((self.options.topic, p) for p in new))
        self.forget_fetches()
        self.find_positions(new)
        if lost:  # others wait for what we gave back
            self.assigned = None
            raise raw_consumer.Rejoin("partitions were given back", True)

    def give_back(self, lost):
        due = {p: self.delivered[p] for p in lost if p in self.delivered and self.committed.get(p) != self.delivered[p]}
        if due:
            self.commit_guarded(due)
        for p in lost:
            self.positions.pop(p, None)
            self.delivered.pop(p, None)
        subject.say("partitions_revoked", partitions=subject.partition_list((self.options.topic, p) for p in lost))

    def leave_partitions(self, lost):
        """Between two generations nothing is given back, unless the membership is over or we stop."""
        if lost or self.stop.asked.is_set() or self.left == 0:
            self.assigned = self.owned
            super().leave_partitions(lost)
            self.owned, self.positions = [], {}
        self.assigned = None
