"""A wrong member: what it is given before Metadata knows the topic it takes for nothing."""
import raw_consumer848


class Consumer848(raw_consumer848.Consumer):
    def join(self):
        self.cluster.refresh(self.options.topic)
        self.find_coordinator()
        self.assigned = self.assigned or []
        self.beat([])
