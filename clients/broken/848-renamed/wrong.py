"""A wrong KIP-848 member: fenced, it joins under a new member id, and then gives up."""
import raw_consumer848
import wire


class Consumer848(raw_consumer848.Consumer):
    renamed = False

    def fenced(self):
        self.member_id, self.renamed = self.member_id[::-1], True
        super().fenced()

    def join(self):
        super().join()
        if self.renamed:
            raise wire.KafkaError(wire.CONSUMER_GROUP_HEARTBEAT, wire.FENCED_MEMBER_EPOCH)
