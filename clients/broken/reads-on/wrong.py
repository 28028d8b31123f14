"""A wrong consumer: asked for committed records only, it takes what is not decided for committed."""
import raw_consumer


class Consumer(raw_consumer.Consumer):
    asked = 0

    def isolation(self):
        return 0

    def fetch_body(self, broker, offsets, version):
        self.asked += 1
        body = super().fetch_body(broker, offsets, version)
        return body if self.asked % 2 == 0 else body[:16] + b"\1" + body[17:]
