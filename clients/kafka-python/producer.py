"""kafka-python's KafkaProducer as a subject: sends what the flags ask for and reports each record."""
import sys
import threading

import kafka
import mapping
import subject

END_LIMIT_S = 5  # after a signal, for what is still in the producer


def send_all(producer, options, sends, stop):
    """Send until the count is reached or somebody asks to stop; then wait for all answers."""
    while not stop.asked.is_set() and (options.max_messages < 0 or sends.sent < options.max_messages):
        number, key, value, timestamp_ms = sends.attempt()
        try:
            future = producer.send(options.topic, key=key and key.encode(), value=value.encode(),
                                   timestamp_ms=timestamp_ms)
            future.add_callback(lambda got, n=number: sends.success(n, got.partition, got.offset))
            future.add_errback(lambda e, n=number: sends.error(n, type(e).__name__, str(e)))
        except Exception as e:  # whatever the library throws is the outcome of this send
            sends.error(number, type(e).__name__, str(e))
        stop.asked.wait(sends.wait_s())
    if not stop.asked.is_set():
        producer.flush()


def main():
    options = subject.producer_options(sys.argv[1:])
    stop = subject.Stop(END_LIMIT_S * 2)
    producer = mapping.build(kafka.KafkaProducer, mapping.producer(options))
    subject.say("startup_complete")
    sends = subject.Sends(options)

    def work():
        try:
            send_all(producer, options, sends, stop)
        finally:
            stop.woken.set()
    # send() may wait a minute for metadata, and can't be woken: the main thread stays free to end.
    worker = threading.Thread(target=work, daemon=True)
    worker.start()
    try:
        stop.woken.wait()
        worker.join(1)  # a send() that runs would find the producer closed under its feet
        producer.close(timeout=END_LIMIT_S)
    except (stop.Now, kafka.errors.KafkaError) as e:
        print(f"producer: the end was cut short: {type(e).__name__} {e}", file=sys.stderr)
    stop.give(0)
    return sends.finish()


def guarded():
    try:
        return main()
    except kafka.errors.KafkaError as e:
        print(f"producer: {type(e).__name__}: {e}", file=sys.stderr)
    except subject.Stop.Now:
        print("producer: stopped before it was up", file=sys.stderr)
    return 1


subject.run(guarded)
