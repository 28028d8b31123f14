"""A wrong client: it asks in the newest version that the broker offers, whether it knows that one or not."""
import raw_consumer
import raw_producer
import wire


class Newest(wire.Connection):
    def version(self, api):
        super().version(api)
        return self.versions[api][1]


class Producer(raw_producer.Producer):
    def __init__(self, options):
        super().__init__(options)
        self.cluster.connect = Newest
        self.config["max.block.ms"] = 1000


class Consumer(raw_consumer.Consumer):
    def __init__(self, options, stop):
        super().__init__(options, stop)
        self.cluster.connect = Newest
