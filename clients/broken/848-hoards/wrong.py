"""A wrong KIP-848 member: it says that it owns a partition more than it was given. It tries that thrice."""
import raw_consumer848
import wire


class Consumer848(raw_consumer848.Consumer):
    tries = 3

    def body(self, epoch, owned):
        if not owned:
            return super().body(epoch, owned)
        self.tries -= 1
        if self.tries == 0:
            raise wire.KafkaError(wire.CONSUMER_GROUP_HEARTBEAT, 0)
        return super().body(epoch, [*owned, max(owned) + 1])
