"""A wrong member: what it is given before Metadata knows the topic it takes for nothing. A second after it could have known
better it ends."""
import raw_consumer848

IDLE_TICKS = 20


class Consumer848(raw_consumer848.Consumer):
    idle = 0

    def join(self):
        self.cluster.refresh(self.options.topic)
        self.find_coordinator()
        self.assigned = self.assigned or []
        self.beat([])

    def take(self):
        super().take()
        self.idle += bool(self.cluster.leaders) and not self.positions
        if self.idle > IDLE_TICKS:
            self.left = 0
