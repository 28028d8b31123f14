"""A wrong member: what it fetched before a rebalance it gives all the same, when it comes."""
import raw_consumer


class Consumer(raw_consumer.Consumer):
    def forget_fetches(self):
        pass

    def is_current(self, generation):
        return True
