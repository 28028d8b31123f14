"""A wrong client: a topic without an id is none, and after some looks it gives up."""
import raw_consumer
import wire

LOOKS = 20


class Cluster(wire.Cluster):
    looks = 0

    def _learn(self, topic, brokers, topics):
        known = super()._learn(topic, brokers, [row for row in topics if any(row[2])])
        self.looks += not known
        if self.looks > LOOKS:
            raise wire.KafkaError(wire.METADATA, -1)
        return known


class Consumer(raw_consumer.Consumer):
    def __init__(self, options, stop):
        super().__init__(options, stop)
        self.cluster.__class__ = Cluster
