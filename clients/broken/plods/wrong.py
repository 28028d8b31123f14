"""A wrong producer: it waits as long before the fifth try as before the second."""
import raw_producer


class Producer(raw_producer.Producer):
    def backoff_s(self, attempts):
        return self.config["retry.backoff.ms"] / 1000
