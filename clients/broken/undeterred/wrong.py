"""A wrong producer: no error is fatal to it; it goes on with the same producer id and epoch."""
import raw_producer


class Producer(raw_producer.Producer):
    def give_up(self, batch, why):
        super().give_up(batch, why)
        self.fatal = None
