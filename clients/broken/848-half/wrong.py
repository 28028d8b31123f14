"""A wrong KIP-848 member: it joins without a time-out for its rebalances, until it is told to; and a lost coordinator or a
commit that comes too late is its end."""
import raw_consumer
import raw_consumer848
import wire


class Consumer848(raw_consumer848.Consumer):
    joins = 0

    def body(self, epoch, owned):
        self.joins += 1
        kept = self.config["max.poll.interval.ms"]
        self.config["max.poll.interval.ms"] = 0 if self.joins == 1 else kept
        try:
            return super().body(epoch, owned)
        finally:
            self.config["max.poll.interval.ms"] = kept

    def judge(self, api, code):
        if code == 42:
            raise raw_consumer.Rejoin("once more", True)
        super().judge(api, code)

    def commit_once(self, offsets, limit_s):
        code = super().commit_once(offsets, limit_s)
        if code:
            raise wire.KafkaError(wire.OFFSET_COMMIT, code)
        return 0

    def drop_coordinator(self):
        if self.coordinator and not self.left == 0:
            raise wire.KafkaError(wire.CONSUMER_GROUP_HEARTBEAT, 16)
        super().drop_coordinator()
