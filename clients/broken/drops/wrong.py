"""A wrong producer: every second batch is reported as written and never sent."""
import raw_producer


class Producer(raw_producer.Producer):
    heeds_idempotence = False
    count = 0

    def send_one(self, lane, batch):
        self.count += 1
        if self.count % 2:
            return super().send_one(lane, batch)
        self.succeed(lane, lane.queue.popleft(), lane.last_offset + 1)
        return True
