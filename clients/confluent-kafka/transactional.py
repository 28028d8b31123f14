"""confluent-kafka's transactional Producer as a subject, with a Consumer where there is an input topic."""
import sys

import confluent_kafka
import consumer as reading
import mapping
import producer as writing
import subject
import transactions

END_LIMIT_S = 10
BLOCK_S = 60
POLL_S = 0.1


def failed(e):
    """The library's error as the loop's."""
    error = e.args[0]
    fenced = error.name() in ("_FENCED", "PRODUCER_FENCED", "INVALID_PRODUCER_EPOCH")
    return transactions.Failed(f"{error.name()}: {error.str()}", error.fatal(), fenced)


def step(call, *args):
    """A step of the library; what it calls retriable is tried again."""
    while True:
        try:
            return call(*args)
        except confluent_kafka.KafkaException as e:
            if not e.args[0].retriable():
                raise failed(e) from None


class Transactor(transactions.Transactor):
    def __init__(self, options, sends, producer, consumer):
        self.options, self.sends, self.producer, self.consumer = options, sends, producer, consumer
        self.error = None

    def begin(self):
        self.error = None
        step(self.producer.begin_transaction)

    def send(self, number, key, value):
        answered = writing.answer(self.sends, number)

        def on_delivery(error, message):
            self.error = self.error or error
            answered(error, message)
        try:
            writing.send(self.producer, self.options.topic, (number, key, value, None), on_delivery, BLOCK_S)
        except (BufferError, confluent_kafka.KafkaException) as e:
            self.sends.error(number, type(e).__name__, str(e))
            raise transactions.Failed(str(e)) from None

    def flush(self):
        while len(self.producer) and not self.error:  # after an error only the transaction's end is left
            try:
                self.producer.poll(POLL_S)
            except confluent_kafka.KafkaException as e:
                if e.args[0].fatal():
                    raise failed(e) from None
        if self.error:
            raise transactions.Failed(self.error.str(), self.error.fatal())

    def read(self, most):
        records = reading.poll(self.consumer, most)
        return [(tp, *row) for tp, rows in records.items() for row in rows]

    def rewind(self, rows):
        first = {}
        for place, offset, _key, _value in rows:
            first.setdefault(place, offset)
        mine = {(p.topic, p.partition) for p in self.consumer.assignment()} if rows else ()
        for place in first.keys() & mine:
            self.consumer.seek(confluent_kafka.TopicPartition(*place, first[place]))

    def commit(self, offsets):
        if offsets:
            step(self.producer.send_offsets_to_transaction,
                 [confluent_kafka.TopicPartition(*place, offset) for place, offset in offsets.items()],
                 self.consumer.consumer_group_metadata())
        step(self.producer.commit_transaction)

    def abort(self):
        step(self.producer.abort_transaction)


def main():
    options = subject.transactional_options(sys.argv[1:])
    stop = subject.Stop(END_LIMIT_S)
    options.properties.setdefault("transactional.id", options.transactional_id or "")
    config = mapping.producer(options)
    producer = mapping.build(confluent_kafka.Producer, config)
    consumer = None
    if options.input_topic:
        both = {**config, "group.id": options.group_id, "enable.auto.commit": "false"}
        consumer = mapping.build(confluent_kafka.Consumer, {"isolation.level": "read_committed",
                                                            "auto.offset.reset": "earliest", **both})
    sends = subject.Sends(options)
    status = 1
    try:
        step(producer.init_transactions)
        subject.say("startup_complete")
        if consumer:
            reading.subscribe(consumer, options.input_topic)
        status = transactions.run(options, Transactor(options, sends, producer, consumer), sends, stop)
    except stop.Now:
        print("transactional: a call had to be broken off", file=sys.stderr)
    except transactions.Failed as e:
        print(f"transactional: {e}", file=sys.stderr)
        if e.fenced:
            subject.say("transaction", state="fenced", number=0, message=str(e))
    if consumer and not reading.close(consumer, stop):
        status = 1
    stop.give(0)
    sends.finish()
    return status


subject.run(main)
