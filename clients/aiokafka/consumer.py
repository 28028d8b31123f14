"""aiokafka's AIOKafkaConsumer as a subject: subscribes, reports every poll, commits what it reported."""
import asyncio
import sys

import aiokafka
import mapping
import subject

POLL_MS = 200
END_LIMIT_S = 5  # after a signal, for the poll or commit that runs; then once more for close


class Listener(aiokafka.ConsumerRebalanceListener):
    """Prints what the group gives and takes."""

    async def on_partitions_revoked(self, revoked):
        subject.say("partitions_revoked", partitions=subject.partition_list(revoked))

    async def on_partitions_assigned(self, assigned):
        subject.say("partitions_assigned", partitions=subject.partition_list(assigned))


async def poll(consumer, most):
    """{(topic, partition): [(offset, key, value)]}, at most so many records; None: as many as the library likes."""
    polled = await consumer.getmany(timeout_ms=POLL_MS, max_records=most)
    return {(tp.topic, tp.partition): [(r.offset, r.key, r.value) for r in rows] for tp, rows in polled.items() if rows}


async def commit(consumer, records):
    """Commit what was just reported, and nothing else; print the outcome, whatever it is."""
    offsets = {tp: rows[-1][0] + 1 for tp, rows in records.items()}
    try:
        await consumer.commit({aiokafka.TopicPartition(*tp): offset for tp, offset in offsets.items()})
    except aiokafka.errors.KafkaError as e:
        subject.offsets_committed(offsets, f"{type(e).__name__}: {e}")
    else:
        subject.offsets_committed(offsets)


async def consume(consumer, options, stop, autocommit):
    left = options.max_messages
    while left != 0 and not stop.asked.is_set():
        records = await poll(consumer, left if left > 0 else None)
        if not records:
            continue
        subject.records_consumed(records, options.verbose)
        if left > 0:
            left -= sum(map(len, records.values()))
        if not autocommit:
            await commit(consumer, records)


async def work(options, stop):
    config = mapping.consumer(options)
    consumer = mapping.build(aiokafka.AIOKafkaConsumer, config)
    status = 0
    subject.say("startup_complete")
    consumer.subscribe([options.topic], listener=Listener())
    try:
        await consumer.start()
        await consume(consumer, options, stop, config["enable_auto_commit"])
    except aiokafka.errors.KafkaError as e:
        print(f"consumer: {type(e).__name__}: {e}", file=sys.stderr)
        status = 1
    stop.give(END_LIMIT_S)
    await consumer.stop()
    return status


def main():
    options = subject.consumer_options(sys.argv[1:])
    stop = subject.Stop(END_LIMIT_S * 2)
    try:
        status = asyncio.run(work(options, stop))
    except stop.Now:
        print("consumer: a call had to be broken off", file=sys.stderr)
        status = 1
    stop.give(0)
    subject.say("shutdown_complete")
    return status


if __name__ == "__main__":
    subject.run(main)
