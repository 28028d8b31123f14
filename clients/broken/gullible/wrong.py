"""A wrong consumer: who an answer names as the leader is the leader to it, under whatever epoch."""
import raw_consumer


class Consumer(raw_consumer.Consumer):
    def is_newer(self, partition, epoch):
        return True
