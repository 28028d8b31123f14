"""A wrong member: it sends no heartbeat."""
import raw_consumer


class Consumer(raw_consumer.Consumer):
    def send_heartbeat(self):
        pass
