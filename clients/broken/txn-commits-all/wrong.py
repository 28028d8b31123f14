"""A wrong transactional program: a record that failed is no reason not to commit."""
import raw_transactional


class Transactional(raw_transactional.Transactional):
    def may_commit(self):
        return True

    def flush(self):
        super().flush()
        while any(lane.flying for lane in self.lanes):
            self.take_answers()
            self.wait()
