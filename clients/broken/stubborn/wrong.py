"""A wrong client of both kinds: it stops at the first thing that goes wrong."""
import sys

import raw_consumer
import raw_producer
import wire


class Producer(raw_producer.Producer):
    def __init__(self, options):
        super().__init__(options)
        self.cluster.bootstrap = self.cluster.bootstrap[:1]

    def lost(self, broker, why):
        raise why

    def failed(self, lane, batch, code, why):
        raise wire.Broken(why)

    def start(self, stop):
        self.config["max.block.ms"] = 0
        return super().start(stop)


class Consumer(raw_consumer.Consumer):
    def end_membership(self, reason):
        print(f"consumer: {reason}", file=sys.stderr)
        raise wire.KafkaError(wire.JOIN_GROUP, 0)

    def lost_leader(self, broker, why):
        raise wire.KafkaError(wire.FETCH, 0)

    def back_off(self):
        raise wire.KafkaError(wire.OFFSET_COMMIT, 0)
