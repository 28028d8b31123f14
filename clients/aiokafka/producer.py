"""aiokafka's AIOKafkaProducer as a subject: sends what the flags ask for and reports each record."""
import asyncio
import sys

import aiokafka
import mapping
import subject

END_LIMIT_S = 5  # after a signal, for what is still in the producer


def answer(sends, number):
    """What is called with the future of a record when it is answered."""
    def on_done(future):
        error = asyncio.CancelledError() if future.cancelled() else future.exception()
        got = None if error else future.result()
        if error:
            sends.error(number, type(error).__name__, str(error))
        else:
            sends.success(number, got.partition if got else 0, got.offset if got else -1)
    return on_done


async def send(producer, topic, record, block_s):
    """Hand a record over; the future of its answer."""
    _number, key, value, timestamp_ms = record
    return await asyncio.wait_for(producer.send(topic, value.encode(), key and key.encode(), timestamp_ms=timestamp_ms),
                                  block_s)


async def send_all(producer, options, sends, stop, block_s):
    while not stop.asked.is_set() and (options.max_messages < 0 or sends.sent < options.max_messages):
        record = sends.attempt()
        try:
            (await send(producer, options.topic, record, block_s)).add_done_callback(answer(sends, record[0]))
        except (aiokafka.errors.KafkaError, asyncio.TimeoutError) as e:
            sends.error(record[0], type(e).__name__, str(e))
        await asyncio.sleep(min(sends.wait_s(), 0.2))
        while sends.wait_s() and not stop.asked.is_set():
            await asyncio.sleep(min(sends.wait_s(), 0.2))
    flush = asyncio.ensure_future(producer.flush())
    while not flush.done() and not stop.asked.is_set():
        await asyncio.wait([flush], timeout=0.1)


async def work(options, stop, sends, block_s):
    producer = mapping.build(aiokafka.AIOKafkaProducer, mapping.producer(options))
    await producer.start()
    subject.say("startup_complete")
    await send_all(producer, options, sends, stop, block_s)
    await asyncio.wait_for(producer.stop(), END_LIMIT_S)


def main():
    options = subject.producer_options(sys.argv[1:])
    stop = subject.Stop(END_LIMIT_S * 2)
    sends = subject.Sends(options)
    block_s = int(options.properties.pop("max.block.ms", "60000")) / 1000
    try:
        asyncio.run(work(options, stop, sends, block_s))
    except (stop.Now, asyncio.TimeoutError):
        print("producer: a call had to be broken off", file=sys.stderr)
    except aiokafka.errors.KafkaError as e:
        print(f"producer: {type(e).__name__}: {e}", file=sys.stderr)
        return 1
    stop.give(0)
    return sends.finish()


if __name__ == "__main__":
    subject.run(main)
