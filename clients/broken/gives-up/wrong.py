"""A wrong producer: the first error of any kind ends a batch, and nothing is tried again."""
import raw_producer


class Producer(raw_producer.Producer):
    def judge(self, lane, batch, code, base_offset):
        if code:
            self.give_up(batch, f"error {code}")
        else:
            self.succeed(lane, batch, base_offset)

    def failed(self, lane, batch, code, why):
        self.give_up(batch, why)
