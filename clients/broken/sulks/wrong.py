"""A wrong client of both kinds: once something has gone wrong it never uses that partition or group again."""
import time

import raw_consumer
import raw_producer


class Producer(raw_producer.Producer):
    def failed(self, lane, batch, code, why):
        lane.not_before_s = time.monotonic() + 1000
        lane.queue.appendleft(batch)

    def is_done(self):
        return time.monotonic() > self.sends.start_s + 16.5 or super().is_done()

    def wait(self):
        self.look_again()
        super().wait()


class Consumer(raw_consumer.Consumer):
    def lost_leader(self, broker, why):
        self.positions = {}
        super().lost_leader(broker, why)

    def end_membership(self, reason):
        super().end_membership(reason)
        self.stop.asked.wait()
