"""What aiokafka can do against the cluster at BOOTSTRAP."""
import asyncio
import contextlib
import functools
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
from feature import NotAvailable, bootstrap, equal, main, unique  # noqa: E402

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener, TopicPartition  # noqa: E402
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic, RecordsToDelete  # noqa: E402
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType  # noqa: E402
from aiokafka.structs import OffsetAndMetadata  # noqa: E402

BOOTSTRAP = bootstrap()
VALUES = [b"value %d" % i for i in range(20)]


async def until(what, condition, seconds=20):
    """Wait for the first true result of condition(), a plain function or a coroutine's."""
    end = time.monotonic() + seconds
    while True:
        got = condition()
        got = await got if asyncio.iscoroutine(got) else got
        if got:
            return got
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {what}")
        await asyncio.sleep(0.05)


@contextlib.asynccontextmanager
async def admin():
    client = AIOKafkaAdminClient(bootstrap_servers=BOOTSTRAP)
    await client.start()
    try:
        yield client
    finally:
        await client.close()


@contextlib.asynccontextmanager
async def producer(**config):
    client = AIOKafkaProducer(bootstrap_servers=BOOTSTRAP, **config)
    await client.start()
    try:
        yield client
    finally:
        await client.stop()


@contextlib.asynccontextmanager
async def consumer(*topics, **config):
    config = {"auto_offset_reset": "earliest", "enable_auto_commit": False, **config}
    client = AIOKafkaConsumer(*topics, bootstrap_servers=BOOTSTRAP, **config)
    await client.start()
    try:
        yield client
    finally:
        await client.stop()


async def topic(name, partitions=1):
    name = unique(name)
    async with admin() as client:
        await client.create_topics([NewTopic(name, partitions, 1)])
        await until("the topic has leaders", lambda: leaders(client, name, partitions))
    return name


async def leaders(client, name, count):
    found = (await client.describe_topics([name]))[0]["partitions"]
    return len(found) == count and all(p["error_code"] == 0 and p["leader"] >= 0 for p in found)


async def produce(name, values=VALUES, **config):
    async with producer(**config) as client:
        sent = [await client.send(name, v) for v in values]
        await client.flush()
        return [(await f).offset if config.get("acks") != 0 else await f for f in sent]


async def read(name, count, start=None, **config):
    """The first records of partition 0, from the beginning or an offset; no more may follow at once."""
    got, partition = [], TopicPartition(name, 0)
    async with consumer(**config) as client:
        client.assign([partition])
        if start is not None:
            client.seek(partition, start)

        async def enough():
            for records in (await client.getmany(timeout_ms=200)).values():
                got.extend(records)
            return len(got) >= count
        await until(f"{count} records", enough)
        await enough()
    equal(len(got), count, "number of records")
    return got


def values(records):
    return [r.value for r in records]


def acks(level):
    async def feature():
        name = await topic("acks")
        offsets = await produce(name, acks=level)
        if level != 0:
            equal(offsets, list(range(20)), "offsets")
        equal(values(await read(name, 20)), VALUES, "values")
    return feature


def codec(kind):
    async def feature():
        name = await topic(kind)
        long = [b"%d " % i * 200 for i in range(20)]
        await produce(name, long, compression_type=kind, linger_ms=50)
        equal(values(await read(name, 20)), long, "values")
    return feature


async def headers():
    name = await topic("headers")
    async with producer() as client:
        await client.send_and_wait(name, b"v", b"k", headers=[("a", b"1"), ("b", b"")])
        await client.send_and_wait(name, None, b"k")
    full, empty = await read(name, 2)
    equal((full.key, full.value, full.headers), (b"k", b"v", (("a", b"1"), ("b", b""))), "record")
    equal((empty.key, empty.value), (b"k", None), "record")


async def timestamps():
    name, wanted = await topic("timestamps"), int(time.time() * 1000) - 5000
    async with producer() as client:
        await client.send_and_wait(name, b"v", timestamp_ms=wanted)
    record = (await read(name, 1))[0]
    equal((record.timestamp, record.timestamp_type), (wanted, 0), "timestamp and type")


async def idempotent():
    name = await topic("idempotent")
    equal(await produce(name, VALUES * 5, enable_idempotence=True), list(range(100)), "offsets")
    equal(values(await read(name, 100)), VALUES * 5, "values")


def transaction(end):
    async def feature():
        name = await topic("txn")
        async with producer(transactional_id=unique("txn")) as client:
            await client.begin_transaction()
            await client.send_and_wait(name, b"first")
            await getattr(client, end)()
            async with client.transaction():
                await client.send(name, b"second")
        committed = [b"second"] if end == "abort_transaction" else [b"first", b"second"]
        equal(values(await read(name, len(committed), isolation_level="read_committed")), committed, "read_committed")
        equal(values(await read(name, 2)), [b"first", b"second"], "read_uncommitted")
    return feature


async def txn_offsets():
    name, group = await topic("txn-offsets"), unique("group")
    async with producer(transactional_id=unique("txn")) as client:
        async with client.transaction():
            await client.send(name, b"v")
            await client.send_offsets_to_transaction({TopicPartition(name, 0): OffsetAndMetadata(7, "m")}, group)
    async with consumer(group_id=group) as reader:
        equal(await until("the offset", lambda: reader.committed(TopicPartition(name, 0))), 7, "committed")


async def earliest():
    name = await topic("earliest")
    await produce(name)
    equal([r.offset for r in await read(name, 20)], list(range(20)), "offsets")


async def seek():
    name = await topic("seek")
    await produce(name)
    equal(values(await read(name, 7, start=13)), VALUES[13:], "values")


async def offset_for_time():
    name, base = await topic("time"), int(time.time() * 1000) - 10000
    async with producer() as client:
        for i in range(5):
            await client.send_and_wait(name, b"v", timestamp_ms=base + 1000 * i)
    partition = TopicPartition(name, 0)
    async with consumer() as reader:
        found = (await reader.offsets_for_times({partition: base + 2500}))[partition]
        equal((found.offset, found.timestamp), (3, base + 3000), "offset and timestamp")
        equal((await reader.offsets_for_times({partition: base + 60000}))[partition], None, "past the end")


def member(group, name, **config):
    """A consumer of a group; it beats and joins by itself."""
    return consumer(name, group_id=group, heartbeat_interval_ms=200, session_timeout_ms=6000, **config)


def owned(client):
    return {p.partition for p in client.assignment()}


def shared(*members):
    """Four partitions, each with one owner, spread evenly."""
    each = 4 // len(members)
    return all(len(owned(m)) == each for m in members) and set().union(*map(owned, members)) == {0, 1, 2, 3}


async def group_share():
    name, group = await topic("share", 4), unique("group")
    async with contextlib.AsyncExitStack() as second_stays:
        async with member(group, name) as first:
            await until("one has all", lambda: shared(first))
            second = await second_stays.enter_async_context(member(group, name))
            await until("two each", lambda: shared(first, second))
        await until("the second has all", lambda: shared(second))


async def group_resume():
    name, group = await topic("resume"), unique("group")
    await produce(name)
    partition = TopicPartition(name, 0)
    async with consumer(name, group_id=group) as first:
        got = await until("records", lambda: first.getmany(timeout_ms=200, max_records=8))
        equal(len(got[partition]), 8, "first poll")
        await first.commit()
    async with consumer(name, group_id=group) as second:
        got = await until("records", lambda: second.getmany(timeout_ms=200))
        equal(values(got[partition]), VALUES[8:], "the rest")
        equal(await second.committed(partition), 8, "committed")


async def static():
    name, group = await topic("static", 4), unique("group")
    async with member(group, name, group_instance_id="one") as first:
        async with member(group, name, group_instance_id="two") as second:
            await until("two each", lambda: shared(first, second))
            had = owned(second)
            generation = second._coordinator.generation
        async with member(group, name, group_instance_id="two") as again:
            await until("its partitions again", lambda: owned(again) == had)
            equal(again._coordinator.generation, generation, "generation")


async def cooperative():
    raise NotAvailable("no cooperative assignor")


async def kip848():
    raise NotAvailable("no group protocol but the classic one")


async def topics():
    name = await topic("topics", 3)
    async with admin() as client:
        assert name in await client.list_topics(), "not listed"
        equal(len((await client.describe_topics([name]))[0]["partitions"]), 3, "partitions")
        again = await client.create_topics([NewTopic(name, 1, 1)])
        equal(again.topic_errors[0][1], 36, "error of a second creation")
        await client.delete_topics([name])
        await until("it is gone", lambda: gone(client, name))


async def gone(client, name):
    return name not in await client.list_topics()


async def partitions():
    name = await topic("partitions")
    async with admin() as client:
        await client.create_partitions({name: NewPartitions(4)})
        await until("four partitions", lambda: leaders(client, name, 4))


async def retention(client, name):
    got = await client.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name, {"retention.ms": None})])
    return got[0].resources[0][4][0][1]


async def configs():
    name = await topic("configs")
    async with admin() as client:
        await client.alter_configs([ConfigResource(ConfigResourceType.TOPIC, name, {"retention.ms": "123456"})])

        async def altered():
            return await retention(client, name) == "123456"
        await until("the new value", altered)


async def groups():
    name, group = await topic("groups", 4), unique("group")
    async with admin() as client, member(group, name) as one:
        await until("it has all", lambda: shared(one))
        assert (group, "consumer") in {g[:2] for g in await client.list_consumer_groups()}, "not listed"
        described = (await client.describe_consumer_groups([group]))[0].groups[0]
        equal((described[0], described[2], len(described[5])), (0, "Stable", 1), "error, state and members")
    return "no delete in this client"


async def group_offsets():
    name, group = await topic("group-offsets", 2), unique("group")
    partition = TopicPartition(name, 1)
    async with consumer(group_id=group) as outside:
        outside.assign([partition])
        await outside.commit({partition: (5, "m")})
    async with admin() as client:
        got = (await client.list_consumer_group_offsets(group))[partition]
        equal((got.offset, got.metadata), (5, "m"), "offset and metadata")
    return "committed by a consumer without membership"


async def list_offsets():
    name = await topic("list-offsets")
    await produce(name)
    partition = TopicPartition(name, 0)
    async with consumer() as reader:
        equal((await reader.beginning_offsets([partition]))[partition], 0, "first")
        equal((await reader.end_offsets([partition]))[partition], 20, "last")


async def delete_records():
    name = await topic("delete-records")
    await produce(name)
    partition = TopicPartition(name, 0)
    async with admin() as client:
        equal((await client.delete_records({partition: RecordsToDelete(15)}))[partition], 15, "low watermark")
    equal(values(await read(name, 5)), VALUES[15:], "what is left")


async def cluster():
    async with admin() as client:
        found = await client.describe_cluster()
    assert found["cluster_id"], "no cluster id"
    ids = {b["node_id"] for b in found["brokers"]}
    assert found["controller_id"] in ids, f"controller {found['controller_id']} is not among {ids}"
    return f"{len(ids)} brokers"


def in_a_loop(feature):
    return functools.wraps(feature)(lambda: asyncio.run(feature()))


main({name: in_a_loop(feature) for name, feature in {
    "acks-0": acks(0), "acks-1": acks(1), "acks-all": acks("all"),
    "gzip": codec("gzip"), "snappy": codec("snappy"), "lz4": codec("lz4"), "zstd": codec("zstd"),
    "headers": headers, "timestamps": timestamps, "idempotent": idempotent,
    "txn-commit": transaction("commit_transaction"), "txn-abort": transaction("abort_transaction"),
    "txn-offsets": txn_offsets, "earliest": earliest, "seek": seek, "offset-for-time": offset_for_time,
    "group-share": group_share, "group-resume": group_resume, "static": static,
    "cooperative": cooperative, "kip848": kip848, "topics": topics, "partitions": partitions,
    "configs": configs, "groups": groups, "group-offsets": group_offsets,
    "list-offsets": list_offsets, "delete-records": delete_records, "cluster": cluster,
}.items()})
