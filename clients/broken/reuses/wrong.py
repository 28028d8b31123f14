"""A wrong producer: the sequence numbers of what it gave up it gives to the next records."""
import raw_producer


class Producer(raw_producer.Producer):
    def give_up(self, batch, why):
        super().give_up(batch, why)
        self.fatal = None
        for lane in self.lanes:
            lane.next_sequence = min(lane.next_sequence, batch.sequence or 0)
