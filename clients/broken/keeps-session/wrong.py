"""A wrong consumer: a fetch session that the broker refused it tries once more."""
import raw_consumer


class Stubborn(raw_consumer.Session):
    refused = 0

    def over(self):
        self.refused += 1
        if not self.refused % 2:
            super().over()


class Consumer(raw_consumer.Consumer):
    def fetch_body(self, broker, offsets, version):
        self.sessions.setdefault(broker, Stubborn())
        return super().fetch_body(broker, offsets, version)
