"""A wrong KIP-848 member: it asks again and again, whatever it is told."""
import raw_consumer
import raw_consumer848


class Consumer848(raw_consumer848.Consumer):
    def judge(self, api, code):
        if code:
            raise raw_consumer.Rejoin(f"error {code}", True)
