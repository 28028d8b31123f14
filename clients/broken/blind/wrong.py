"""A wrong producer: it takes three seconds to ask for metadata, whatever it is told."""
import time

import raw_producer


class Producer(raw_producer.Producer):
    def look_again(self):
        self.stale_s = self.stale_s or time.monotonic() + 3
