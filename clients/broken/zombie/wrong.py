"""A wrong member: told that its generation is over, it goes on with it for a while."""
import time

import raw_consumer

LATE = float("inf")


class Consumer(raw_consumer.Consumer):
    told_s = 0.0

    def judge(self, api, code):
        if code in raw_consumer.FENCED and not self.told_s:
            self.told_s = time.monotonic()
        elif not 0 < self.told_s < LATE:
            super().judge(api, code)

    def heartbeat(self):
        super().heartbeat()
        if 0 < self.told_s < time.monotonic() - 0.7:
            self.told_s = LATE
            raise raw_consumer.Rejoin("it was told, after all", False)
