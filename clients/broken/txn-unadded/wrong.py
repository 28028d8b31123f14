"""A wrong transactional program: a partition that it added once it takes for added in every later transaction."""
import raw_transactional


class Transactional(raw_transactional.Transactional):
    def begin(self):
        added = self.added
        super().begin()
        self.added = added

    def failed(self, lane, batch, code, why):
        self.give_up(batch, why)
