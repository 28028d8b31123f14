"""A wrong producer: asked for silence, it goes on sending."""
import raw_producer


class Producer(raw_producer.Producer):
    def is_muted(self, connection):
        return False
