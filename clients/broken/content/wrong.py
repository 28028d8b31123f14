"""A wrong leader of a group: the partitions that a topic has when it first divides them are all that it ever will have."""
import raw_consumer


class Consumer(raw_consumer.Consumer):
    def has_grown(self):
        return False
