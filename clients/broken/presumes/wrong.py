"""A wrong client of both kinds: it uses versions that the broker did not name."""
import raw_consumer
import raw_producer
import wire


class Presumptuous(wire.Connection):
    def version(self, api):
        return wire.VERSIONS[api][0]


class Producer(raw_producer.Producer):
    def __init__(self, options):
        super().__init__(options)
        self.cluster.connect = Presumptuous
        self.config["max.block.ms"] = 1000


class Consumer(raw_consumer.Consumer):
    def __init__(self, options, stop):
        super().__init__(options, stop)
        self.cluster.connect = Presumptuous

    def end_membership(self, reason):
        raise wire.KafkaError(wire.JOIN_GROUP, 0)

    def find_coordinator(self):
        super().find_coordinator()
        self.coordinator.version = lambda api: wire.VERSIONS[api][0]
