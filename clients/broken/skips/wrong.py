"""A wrong consumer: after anything that goes wrong it goes on ten records further, and it reads on behind what it gave
when a group gives it its partitions again."""
import raw_consumer


class Consumer(raw_consumer.Consumer):
    ahead = 0

    def is_confirmed(self, partition):
        return True  # else it would be told, and set right

    def lost_leader(self, broker, why):
        super().lost_leader(broker, why)
        self.jump()

    def drop_coordinator(self):
        if self.coordinator:
            self.forget_fetches()
            self.jump()
        super().drop_coordinator()

    def jump(self):
        self.positions = {p: o + 10 for p, o in self.positions.items()}

    def end_membership(self, reason):
        super().end_membership(reason)
        self.ahead = 10

    def find_positions(self, partitions):
        super().find_positions(partitions)
        self.positions = {p: o + self.ahead for p, o in self.positions.items()}

    def out_of_range(self, partition):
        start = super().out_of_range(partition)
        return start + 10 if start > self.positions[partition] else self.positions[partition]
