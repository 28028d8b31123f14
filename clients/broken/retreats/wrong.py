"""A wrong consumer: every second commit is one of five records less."""
import raw_consumer


class Consumer(raw_consumer.Consumer):
    count = 0

    def commit(self, offsets, limit_s=raw_consumer.CALL_LIMIT_S):
        self.count += 1
        if self.count % 2 == 0:
            offsets = {p: max(0, self.committed.get(p, o) - 5) for p, o in offsets.items()}
        return super().commit(offsets, limit_s)
