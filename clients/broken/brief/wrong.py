"""A wrong consumer: the coordinator has 100 ms for each answer, and one chance."""
import raw_consumer
import wire


class Consumer(raw_consumer.Consumer):
    def __init__(self, options, stop):
        super().__init__(options, stop)
        self.config["request.timeout.ms"] = 100

    def end_membership(self, reason):
        raise wire.KafkaError(wire.SYNC_GROUP, -1)
