"""A wrong consumer: it waits 100 ms for an answer, and then begins at the first offset again."""
import raw_consumer


class Consumer(raw_consumer.Consumer):
    def __init__(self, options, stop):
        super().__init__(options, stop)
        self.config["request.timeout.ms"] = 100

    def lost_leader(self, broker, why):
        super().lost_leader(broker, why)
        self.config["request.timeout.ms"] *= 2
        self.positions = dict.fromkeys(self.positions, 0)

    def hand_over(self, records):
        super().hand_over(records)
        self.config["request.timeout.ms"] = 100
