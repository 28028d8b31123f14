"""A wrong producer: it loses. When a connection ends it forgets what waits in its buffer for that
partition, sends nothing again, and reports everything as acknowledged; so it does with an error."""
import raw_producer


class Producer(raw_producer.Producer):
    heeds_idempotence = False

    def failed(self, lane, batch, code, why):
        self.pretend(lane, batch)
        while code is None and lane.queue:
            self.pretend(lane, lane.queue.popleft())

    def pretend(self, lane, batch):
        """Success, at the offset where the batch would be had all gone well."""
        self.succeed(lane, batch, lane.last_offset + 1)
