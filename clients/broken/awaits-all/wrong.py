"""A wrong producer: it waits for answers that nobody sends: those to acks=0, and the rest of what is no answer."""
import time

import raw_producer
import wire


class Patient(wire.Connection):
    def send(self, api, body, answered=True):
        super().send(api, body, True)

    def match(self, correlation):
        if correlation in self.waiting:
            self.waiting.remove(correlation)

    def poll(self, timeout_s):
        try:
            return super().poll(timeout_s)
        except wire.Broken:
            return None


class Producer(raw_producer.Producer):
    def __init__(self, options):
        super().__init__(options)
        self.cluster.connect = Patient

    def expire(self):
        pass

    def is_done(self):
        if time.monotonic() > self.sends.start_s + 2:  # enough has been seen
            self.sends.open.clear()
            return True
        return super().is_done()
