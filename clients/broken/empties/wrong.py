"""A wrong producer: a key that is null it sends as an empty one."""
import raw_producer


class Producer(raw_producer.Producer):
    def add_record(self, number, key, value, ms):
        lane = self.lane_of(number, key)
        super().add_record(number, key, value, ms)
        batch = lane.filling or lane.queue[-1]
        batch.records = [(n, k or b"".decode(), v, t) for n, k, v, t in batch.records]
