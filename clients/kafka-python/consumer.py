"""kafka-python's KafkaConsumer as a subject: subscribes, reports every poll, commits what it reported."""
import sys

import kafka
import mapping
import subject
from kafka.consumer.subscription_state import ConsumerRebalanceListener

POLL_MS = 1000  # longer than a rejoin takes: an assignment that comes when a poll is over is lost (docs/findings/kafka-python-lost-assignment.md)
# 2.1.0 to 2.1.6 ask for a leader epoch as well.
NO_EPOCH = [-1] if "leader_epoch" in kafka.OffsetAndMetadata._fields else []
END_LIMIT_S = 5  # after a signal, for the poll or commit that runs; then once more for close


class Listener(ConsumerRebalanceListener):
    """Prints what the group gives and takes."""

    def on_partitions_revoked(self, revoked):
        subject.say("partitions_revoked", partitions=subject.partition_list(revoked))

    def on_partitions_assigned(self, assigned):
        subject.say("partitions_assigned", partitions=subject.partition_list(assigned))

    def on_partitions_lost(self, lost):
        subject.say("partitions_lost", partitions=subject.partition_list(lost))


def commit(consumer, records):
    """Commit what was just reported, and nothing else; print the outcome, whatever it is."""
    offsets = {tp: rows[-1][0] + 1 for tp, rows in records.items()}
    try:
        consumer.commit({kafka.TopicPartition(*tp): kafka.OffsetAndMetadata(offset, "", *NO_EPOCH)
                         for tp, offset in offsets.items()})
    except kafka.errors.KafkaError as e:
        subject.offsets_committed(offsets, f"{type(e).__name__}: {e}")
    else:
        subject.offsets_committed(offsets)


def consume(consumer, options, stop, autocommit):
    """Poll until the count is reached or somebody asks to stop."""
    left = options.max_messages
    while left != 0 and not stop.asked.is_set():
        polled = consumer.poll(timeout_ms=POLL_MS)
        records = subject.limit({(tp.topic, tp.partition): [(r.offset, r.key, r.value) for r in rows]
                                 for tp, rows in polled.items()}, left)
        if not records:
            continue
        subject.records_consumed(records, options.verbose)
        if left > 0:
            left -= sum(map(len, records.values()))
        if not autocommit:
            commit(consumer, records)


def close(consumer, stop):
    """Leave the group. False when the library did not come back in time."""
    stop.give(END_LIMIT_S)
    try:
        consumer.close()
    except stop.Now:
        print("consumer: close() did not come back", file=sys.stderr)
        return False
    except kafka.errors.KafkaError as e:
        print(f"consumer: close: {type(e).__name__}: {e}", file=sys.stderr)
    finally:
        stop.give(0)
    return True


def main():
    options = subject.consumer_options(sys.argv[1:])
    stop = subject.Stop(END_LIMIT_S)
    config = mapping.consumer(options)
    consumer = mapping.build(kafka.KafkaConsumer, config)
    subject.say("startup_complete")
    consumer.subscribe([options.topic], listener=Listener())
    status = 0
    try:
        consume(consumer, options, stop, config["enable_auto_commit"])
    except stop.Now:
        print("consumer: a call had to be broken off", file=sys.stderr)
    except kafka.errors.KafkaError as e:
        print(f"consumer: {type(e).__name__}: {e}", file=sys.stderr)
        status = 1
    if not close(consumer, stop):
        status = 1
    subject.say("shutdown_complete")
    return status


def guarded():
    try:
        return main()
    except kafka.errors.KafkaError as e:
        print(f"consumer: {type(e).__name__}: {e}", file=sys.stderr)
    except subject.Stop.Now:
        print("consumer: stopped before it was up", file=sys.stderr)
    return 1


subject.run(guarded)
