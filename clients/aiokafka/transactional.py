"""aiokafka's transactional producer as a subject, with a consumer where there is an input topic. The library
lives in an event loop on a thread of its own, the transactions on the main one."""
import asyncio
import sys
import threading

import aiokafka
import consumer as reading
import mapping
import producer as writing
import subject
import transactions

END_LIMIT_S = 10
BLOCK_S = 60


class Transactor(transactions.Transactor):
    def __init__(self, options, sends):
        self.options, self.sends = options, sends
        self.loop, self.open = asyncio.new_event_loop(), []
        self.producer = self.consumer = None
        threading.Thread(target=self.loop.run_forever, daemon=True).start()

    def step(self, coroutine):
        """A step of the library, run in its loop."""
        try:
            return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result()
        except (aiokafka.errors.KafkaError, asyncio.TimeoutError) as e:
            fenced = isinstance(e, (aiokafka.errors.ProducerFenced, aiokafka.errors.InvalidProducerEpoch))
            raise transactions.Failed(f"{type(e).__name__}: {e}", fenced=fenced) from None

    async def start(self, produce, consume):
        self.producer = mapping.build(aiokafka.AIOKafkaProducer, produce)
        await self.producer.start()
        if consume:
            self.consumer = mapping.build(aiokafka.AIOKafkaConsumer, consume)
            self.consumer.subscribe([self.options.input_topic], listener=reading.Listener())
            await self.consumer.start()

    async def end(self):
        for client in filter(None, (self.consumer, self.producer)):
            await client.stop()

    def begin(self):
        self.open = []
        self.step(self.producer.begin_transaction())

    async def _send(self, record):
        future = await writing.send(self.producer, self.options.topic, record, BLOCK_S)
        future.add_done_callback(writing.answer(self.sends, record[0]))
        self.open.append(future)

    def send(self, number, key, value):
        try:
            self.step(self._send((number, key, value, None)))
        except transactions.Failed as e:
            self.sends.error(number, "Failed", str(e))
            raise

    async def _flush(self):
        await self.producer.flush()
        for future in self.open:
            await future

    def flush(self):
        self.step(self._flush())

    def read(self, most):
        records = self.step(reading.poll(self.consumer, most))
        return [(tp, *row) for tp, rows in records.items() for row in rows]

    def rewind(self, rows):
        first = {}
        for place, offset, _key, _value in rows:
            first.setdefault(aiokafka.TopicPartition(*place), offset)

        async def seek():
            for tp in first.keys() & self.consumer.assignment():
                self.consumer.seek(tp, first[tp])
        if rows:
            self.step(seek())

    def commit(self, offsets):
        if offsets:
            given = {aiokafka.TopicPartition(*place): offset for place, offset in offsets.items()}
            self.step(self.producer.send_offsets_to_transaction(given, self.options.group_id))
        self.step(self.producer.commit_transaction())

    def abort(self):
        self.step(self.producer.abort_transaction())


def configurations(options):
    """The producer's and, with an input topic, the consumer's: keys of the file that only one of them knows are
    left to that."""
    own = {**options.properties, "transactional.id": options.properties.get("transactional.id", options.transactional_id)}
    both = {**mapping.PRODUCER, **mapping.CONSUMER, **mapping.ANYWAY}
    read = bool(options.input_topic)
    options.properties = {k: v for k, v in own.items() if not read or k in {**mapping.PRODUCER, **mapping.ANYWAY} or k not in both}
    produce = mapping.producer(options)
    if not read:
        return produce, None
    options.group_instance_id = options.group_remote_assignor = options.session_timeout = None
    options.assignment_strategy, options.enable_autocommit = None, False
    options.group_protocol, options.reset_policy = "classic", "earliest"
    options.properties = {"isolation.level": "read_committed", **{k: v for k, v in own.items() if k in mapping.CONSUMER}}
    return produce, mapping.consumer(options)


def main():
    options = subject.transactional_options(sys.argv[1:])
    stop = subject.Stop(END_LIMIT_S)
    sends = subject.Sends(options)
    produce, consume = configurations(options)
    transactor = Transactor(options, sends)
    status = 1
    try:
        transactor.step(transactor.start(produce, consume))
        subject.say("startup_complete")
        status = transactions.run(options, transactor, sends, stop)
        transactor.step(transactor.end())
    except stop.Now:
        print("transactional: a call had to be broken off", file=sys.stderr)
    except transactions.Failed as e:
        print(f"transactional: {e}", file=sys.stderr)
        if e.fenced:
            subject.say("transaction", state="fenced", number=0, message=str(e))
    stop.give(0)
    sends.finish()
    return status


subject.run(main)
