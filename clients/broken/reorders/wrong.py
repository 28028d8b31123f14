"""A wrong producer: it reorders. It keeps five batches of a partition in flight, whatever was asked for and
without sequences, and puts a failed one behind all newer ones."""
import raw_producer


class Producer(raw_producer.Producer):
    heeds_idempotence = False

    def in_flight_max(self):
        return raw_producer.IDEMPOTENT_IN_FLIGHT_MAX

    def may_send(self, lane):
        return True

    def failed(self, lane, batch, code, why):
        lane.queue.append(batch)
