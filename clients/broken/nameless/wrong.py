"""A wrong member: it uses the member id that the group tells it at the third time alone."""
import raw_consumer


class Consumer(raw_consumer.Consumer):
    told = 0

    def take_id(self, member_id):
        self.told += 1
        self.member_id = "" if self.told < 3 else member_id
