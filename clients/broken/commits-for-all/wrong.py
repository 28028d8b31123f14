"""A wrong member: it commits for all partitions of the topic, with 0 where it has read nothing."""
import raw_consumer


class Consumer(raw_consumer.Consumer):
    def commit(self, offsets, limit_s=raw_consumer.CALL_LIMIT_S):
        return super().commit({**{p: 0 for p in self.cluster.leaders}, **offsets}, limit_s)
