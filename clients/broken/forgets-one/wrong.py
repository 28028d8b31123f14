"""A wrong leader of a group: it gives the last partition to nobody."""
import raw_consumer


class Consumer(raw_consumer.Consumer):
    def divide(self, members, partitions):
        return super().divide(members, partitions[:-1])
