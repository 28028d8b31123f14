"""A wrong producer: it duplicates. Asked for idempotence it says nothing and does without producer id and
sequences; a request without answer is sent again, in order, and lands a second time."""
import raw_producer


class Producer(raw_producer.Producer):
    heeds_idempotence = False
