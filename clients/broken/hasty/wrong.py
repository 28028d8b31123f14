"""A wrong producer: it tries again at once and asks for metadata all the time, and keeps more in flight than it was
told to."""
import raw_producer


class Producer(raw_producer.Producer):
    heeds_idempotence = False

    def backoff_s(self, attempts):
        return 0

    def in_flight_max(self):
        return 2 * super().in_flight_max() + 4

    def may_send(self, lane):
        return True

    def wait(self):
        self.stale_s = 0.0
