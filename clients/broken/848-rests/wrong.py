"""A wrong KIP-848 member: it goes on with its epoch for two heartbeats after it was fenced, and leaves without a word."""
import raw_consumer848


class Consumer848(raw_consumer848.Consumer):
    deaf = 2

    def fenced(self):
        if self.deaf == 0:
            super().fenced()
        self.deaf -= 1

    def beat(self, owned):
        epoch = self.epoch
        super().beat(owned)
        if 0 <= self.deaf < 2:
            self.epoch = self.epoch or epoch

    def leave(self):
        pass
