"""A wrong consumer: it asks where the log begins before each Fetch."""
import raw_consumer


class Consumer(raw_consumer.Consumer):
    def fetch(self):
        for partition in list(self.positions):
            if not self.fetching:
                self.reset(partition)
        super().fetch()
