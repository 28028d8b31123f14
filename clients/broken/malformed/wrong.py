"""A wrong client of both kinds: three bytes too many stand behind every second request, and correlation ids repeat."""
import raw_consumer
import raw_producer
import wire


class Odd(wire.Connection):
    def send(self, api, body, answered=True):
        self.correlation = self.correlation % 2
        super().send(api, body + b"\0\0\0" if api == wire.METADATA else body, answered)


class Producer(raw_producer.Producer):
    def __init__(self, options):
        super().__init__(options)
        self.cluster.connect = Odd
