"""A wrong client of both kinds: it has no pause anywhere, and where one question or one attempt to connect would do it
makes many at once. So it storms on a slow machine, too."""
import raw_consumer
import raw_producer
import wire

AT_ONCE = 50


class Connection(wire.Connection):
    def __init__(self, address, client_id):
        for _ in range(AT_ONCE - 1):
            try:
                super().__init__(address, client_id)
                return
            except wire.Broken:
                pass
        super().__init__(address, client_id)

    def call(self, api, body, limit_s, stop=None):
        more = AT_ONCE - 1 if api == wire.METADATA else 0
        for _ in range(more):
            self.send(api, body)
        for _ in range(more):
            if self.poll(limit_s) is None:
                raise wire.Broken(f"{wire.NAMES[api]}: no answer within {limit_s} s")
        return super().call(api, body, limit_s, stop)


class Cluster(wire.Cluster):
    connect = Connection


class Producer(raw_producer.Producer):
    def __init__(self, options):
        super().__init__(options)
        self.cluster = Cluster(self.config["bootstrap.servers"], self.config["client.id"])

    def backoff_s(self, attempts):
        return 0

    def wait(self):
        self.stale_s = 0.0


class Consumer(raw_consumer.Consumer):
    def __init__(self, options, stop):
        super().__init__(options, stop)
        self.cluster = Cluster(self.config["bootstrap.servers"], self.config["client.id"])

    def back_off(self):
        pass
