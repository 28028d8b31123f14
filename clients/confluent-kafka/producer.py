"""confluent-kafka's Producer as a subject: sends what the flags ask for and reports each record."""
import sys
import time

import confluent_kafka
import mapping
import subject

END_LIMIT_S = 5  # after a signal, for what is still in the producer


def answer(sends, number):
    """What librdkafka calls when a record is answered."""
    def on_delivery(error, message):
        if error is None:
            offset = message.offset()  # None where the broker did not say
            sends.success(number, message.partition(), -1 if offset is None or offset < 0 else offset)
        else:
            sends.error(number, error.name(), error.str())
    return on_delivery


def send(producer, topic, record, on_delivery, block_s):
    """Hand a record over; waits while the library's queue is full."""
    _number, key, value, timestamp_ms = record
    end_s = time.monotonic() + block_s
    more = {} if timestamp_ms is None else {"timestamp": timestamp_ms}
    while True:
        try:
            producer.produce(topic, value.encode(), key and key.encode(), on_delivery=on_delivery, **more)
            return
        except BufferError:
            if time.monotonic() > end_s:
                raise
            producer.poll(0.05)


def send_all(producer, options, sends, stop, block_s):
    while not stop.asked.is_set() and (options.max_messages < 0 or sends.sent < options.max_messages):
        record = sends.attempt()
        try:
            send(producer, options.topic, record, answer(sends, record[0]), block_s)
        except (BufferError, confluent_kafka.KafkaException) as e:
            sends.error(record[0], type(e).__name__, str(e))
        producer.poll(0)
        stop.asked.wait(sends.wait_s())
    while not stop.asked.is_set() and producer.flush(0.1):
        pass


def main():
    options = subject.producer_options(sys.argv[1:])
    stop = subject.Stop(END_LIMIT_S * 2)
    block_s = mapping.take(options.properties, "max.block.ms", 60000) / 1000
    producer = mapping.build(confluent_kafka.Producer, mapping.producer(options))
    subject.say("startup_complete")
    sends = subject.Sends(options)
    try:
        send_all(producer, options, sends, stop, block_s)
        producer.flush(END_LIMIT_S)
    except stop.Now:
        print("producer: a call had to be broken off", file=sys.stderr)
    stop.give(0)
    return sends.finish()


if __name__ == "__main__":
    subject.run(main)
