"""A wrong producer: with a new producer id the partitions that had no trouble go on with their old sequences."""
import raw_producer


class Producer(raw_producer.Producer):
    def begin_anew(self, lane):
        if lane.again:
            super().begin_anew(lane)
