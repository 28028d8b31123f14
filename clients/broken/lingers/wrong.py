"""A wrong member: it sends heartbeats after it has left."""
import raw_consumer


class Consumer(raw_consumer.Consumer):
    def leave(self):
        super().leave()
        self.stop.give(5)
        for _ in range(4):  # no answer is on its way any more
            self.stop.asked.clear()
            self.back_off()
        self.send_heartbeat()
