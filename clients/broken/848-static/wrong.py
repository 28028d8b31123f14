"""A wrong KIP-848 member: static, it leaves like any other."""
import raw_consumer848


class Consumer848(raw_consumer848.Consumer):
    def say_goodbye(self, epoch):
        super().say_goodbye(raw_consumer848.LEAVE)
