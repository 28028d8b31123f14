"""A wrong consumer: it takes what one read gives for a whole answer to Fetch."""
import raw_consumer
import wire


class Hurried(wire.Connection):
    fetching = False

    def send(self, api, body, answered=True):
        super().send(api, body, answered)
        self.fetching = api == wire.FETCH

    def _frame(self):
        if self.fetching and len(self.buffer) > 4:
            raise wire.Broken(f"a frame that ends after {len(self.buffer)} bytes")
        return super()._frame()


class Consumer(raw_consumer.Consumer):
    def __init__(self, options, stop):
        super().__init__(options, stop)
        self.cluster.connect = Hurried
        self.tries = 0

    def lost_leader(self, broker, why):
        super().lost_leader(broker, why)
        self.tries += 1
        if self.tries == 3:
            raise wire.KafkaError(wire.FETCH, -1)
