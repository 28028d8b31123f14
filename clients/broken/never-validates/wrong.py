"""A wrong consumer: a new leader has the log that it knows, it thinks."""
import raw_consumer


class Consumer(raw_consumer.Consumer):
    def is_confirmed(self, partition):
        return True
