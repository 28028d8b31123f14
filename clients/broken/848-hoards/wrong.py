"""A wrong KIP-848 member: it says that it owns a partition more than it was given. When more is asked of it, it goes."""
import raw_consumer848
import wire


class Consumer848(raw_consumer848.Consumer):
    claimed = False

    def body(self, epoch, owned):
        if not owned:
            return super().body(epoch, owned)
        if self.claimed:
            raise wire.KafkaError(wire.CONSUMER_GROUP_HEARTBEAT, 0)
        self.claimed = True
        return super().body(epoch, [*owned, max(owned) + 1])
