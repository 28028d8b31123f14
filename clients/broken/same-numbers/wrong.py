"""A wrong producer: a batch takes the sequence that the last acknowledged one left, and not that of the last sent."""
import raw_producer


class Producer(raw_producer.Producer):
    def number(self, lane, batch):
        if batch.sequence is None:
            batch.sequence = lane.next_sequence

    def succeed(self, lane, batch, base_offset):
        super().succeed(lane, batch, base_offset)
        lane.next_sequence = (batch.sequence or 0) + len(batch.records)
