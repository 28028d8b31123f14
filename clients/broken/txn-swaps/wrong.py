"""A wrong transactional program: a transaction's batches are kept until its end, and sent last first."""
import raw_transactional


class Transactional(raw_transactional.Transactional):
    def flush(self):
        for lane in self.lanes:
            if lane.filling:
                lane.close_batch()
            lane.queue.reverse()
        super().flush()
