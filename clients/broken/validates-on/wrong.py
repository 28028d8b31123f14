"""A wrong consumer: it is never sure enough of its position."""
import raw_consumer


class Consumer(raw_consumer.Consumer):
    def confirmed(self, partition, position, end):
        super().confirmed(partition, position, end)
        self.confirmed_epochs[partition] = -1
