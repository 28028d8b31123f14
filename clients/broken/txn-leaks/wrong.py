"""A wrong transactional program: what it has not sent when a transaction is aborted goes into the next one."""
import raw_transactional


class Transactional(raw_transactional.Transactional):
    def flush(self):
        if self.count % 2:
            super().flush()

    count = 0

    def begin(self):
        self.count += 1
        super().begin()

    def abort(self):
        while any(lane.flying for lane in self.lanes):
            self.take_answers()
            self.wait()
        if self.added:
            self.end(False)
