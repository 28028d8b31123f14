"""A wrong group consumer: as leader it gives the first partition to every member."""
import raw_consumer


class Consumer(raw_consumer.Consumer):
    def divide(self, members, partitions):
        shares = super().divide(members, partitions)
        return {member: sorted({partitions[0], *share}) for member, share in shares.items()}
