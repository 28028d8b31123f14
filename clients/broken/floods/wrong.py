"""A wrong producer: each record is sent by itself, all of them at once, and what fails is sent again at once."""
import raw_producer


class Producer(raw_producer.Producer):
    heeds_idempotence = False

    def __init__(self, options):
        super().__init__(options)
        self.config["batch.size"] = 1

    def backoff_s(self, attempts):
        return 0

    def in_flight_max(self):
        return 1000

    def may_send(self, lane):
        return True
