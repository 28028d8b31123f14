"""confluent-kafka's Consumer as a subject: subscribes, reports every poll, commits what it reported."""
import sys

import confluent_kafka
import mapping
import subject

POLL_S = 0.2
END_LIMIT_S = 5  # after a signal, for the poll or commit that runs; then once more for close
GIVEN_UP = ("_AUTO_OFFSET_RESET", "_FATAL", "_MAX_POLL_EXCEEDED")  # what the library does not mend by itself


def said(name):
    """A listener of the group that prints."""
    def listener(_consumer, partitions):
        subject.say(name, partitions=subject.partition_list({(p.topic, p.partition) for p in partitions}))
    return listener


def subscribe(consumer, topic):
    consumer.subscribe([topic], on_assign=said("partitions_assigned"), on_revoke=said("partitions_revoked"),
                       on_lost=said("partitions_lost"))


def poll(consumer, most):
    """What came: {(topic, partition): [(offset, key, value)]}. Errors are printed; one that the library does not
    mend by itself is raised."""
    records = {}
    for m in consumer.consume(most, POLL_S):
        error = m.error()
        if error is None:
            records.setdefault((m.topic(), m.partition()), []).append((m.offset(), m.key(), m.value()))
            continue
        print(f"consumer: {m.topic()}[{m.partition()}]: {error}", file=sys.stderr)
        if error.fatal() or error.name() in GIVEN_UP:
            raise confluent_kafka.KafkaException(error)
    return records


def commit(consumer, records):
    """Commit what was just reported, and nothing else; print the outcome, whatever it is."""
    offsets = {tp: rows[-1][0] + 1 for tp, rows in records.items()}
    try:
        done = consumer.commit(offsets=[confluent_kafka.TopicPartition(*tp, offset) for tp, offset in offsets.items()],
                               asynchronous=False)
        errors = [str(p.error) for p in done if p.error]
        subject.offsets_committed(offsets, "; ".join(errors) if errors else None)
    except confluent_kafka.KafkaException as e:
        subject.offsets_committed(offsets, str(e))


def consume(consumer, options, stop, autocommit, most):
    left = options.max_messages
    while left != 0 and not stop.asked.is_set():
        records = poll(consumer, most if left < 0 else min(left, most))
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
    finally:
        stop.give(0)
    return True


def main():
    options = subject.consumer_options(sys.argv[1:])
    stop = subject.Stop(END_LIMIT_S)
    most = mapping.take(options.properties, "max.poll.records", 500)
    config = mapping.consumer(options)
    consumer = mapping.build(confluent_kafka.Consumer, config)
    subject.say("startup_complete")
    status = 0
    try:
        subscribe(consumer, options.topic)
        consume(consumer, options, stop, config["enable.auto.commit"] == "true", most)
    except stop.Now:
        print("consumer: a call had to be broken off", file=sys.stderr)
    except confluent_kafka.KafkaException as e:
        print(f"consumer: {e}", file=sys.stderr)
        status = 1
    if not close(consumer, stop):
        status = 1
    subject.say("shutdown_complete")
    return status


if __name__ == "__main__":
    subject.run(main)
