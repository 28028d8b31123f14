"""A wrong consumer: a fetch session that the broker does not know is no matter to it; it goes on, and takes the
partitions of that Fetch for read."""
import raw_consumer


class Forever(raw_consumer.Session):
    def over(self):
        self.id, self.epoch, self.offsets = 0, 0, {p: o + 10 for p, o in self.offsets.items()}


class Consumer(raw_consumer.Consumer):
    def fetch_body(self, broker, offsets, version):
        self.sessions.setdefault(broker, Forever())
        for partition, offset in self.sessions[broker].offsets.items():
            if self.sessions[broker].epoch == 0:
                self.positions[partition] = offsets[partition] = offset
        return super().fetch_body(broker, offsets, version)
