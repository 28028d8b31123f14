"""A wrong client of both kinds: it has no pause anywhere, neither between attempts to connect nor between questions."""
import raw_consumer
import raw_producer


class Producer(raw_producer.Producer):
    def backoff_s(self, attempts):
        return 0

    def wait(self):
        self.stale_s = 0.0


class Consumer(raw_consumer.Consumer):
    def back_off(self):
        pass
