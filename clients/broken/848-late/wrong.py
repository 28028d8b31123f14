"""A wrong KIP-848 member: it once uses the epoch before the last one."""
import raw_consumer848


class Consumer848(raw_consumer848.Consumer):
    done = False

    def body(self, epoch, owned):
        old, self.done = epoch > 1 and not self.done, self.done or epoch > 1
        return super().body(epoch - 1 if old else epoch, owned)
