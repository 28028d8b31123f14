"""A wrong consumer: a follower that it was sent to once it asks for ever, and when that one does not have its position it
begins anew."""
import raw_consumer


class Consumer(raw_consumer.Consumer):
    def leave_follower(self, broker):
        self.sessions.pop(broker, None)
        self.back_off()
