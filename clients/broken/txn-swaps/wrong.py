"""A wrong transactional program: of two batches of a transaction it sends the second first."""
import raw_transactional


class Transactional(raw_transactional.Transactional):
    def send_ready(self):
        for lane in self.lanes:
            if not lane.again and all(batch.sequence is None for batch in lane.queue):
                lane.queue.reverse()
        super().send_ready()

    def fill(self):
        pass
