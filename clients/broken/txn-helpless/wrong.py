"""A wrong transactional program: every error of a step is its end."""
import raw_transactional
import transactions


class Transactional(raw_transactional.Transactional):
    def drop_coordinator(self):
        raise transactions.Failed("the coordinator is not there", ended=True)

    def backoff_s(self, attempts):
        raise transactions.Failed("it failed", ended=True)
