"""What confluent-kafka (librdkafka) can do against the cluster at BOOTSTRAP."""
import pathlib
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
from feature import bootstrap, equal, main, unique, until  # noqa: E402

from confluent_kafka import (  # noqa: E402
    Consumer, ConsumerGroupState, ConsumerGroupTopicPartitions, IsolationLevel, KafkaError, KafkaException,
    Producer, TopicPartition)
from confluent_kafka.admin import (  # noqa: E402
    AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewPartitions, NewTopic, OffsetSpec, ResourceType)

BOOTSTRAP = bootstrap()
VALUES = [b"value %d" % i for i in range(20)]
COMMON = {"bootstrap.servers": BOOTSTRAP, "log_level": 0, "topic.metadata.propagation.max.ms": 2000}


def admin():
    return AdminClient(dict(COMMON))


def result(futures):
    """The result of the only future of an admin call."""
    (future,) = futures.values()
    return future.result(10)


def topic(name, partitions=1):
    name = unique(name)
    client = admin()
    result(client.create_topics([NewTopic(name, partitions, 1)]))
    until("the topic has leaders", lambda: leaders(client, name) == partitions)
    return name


def leaders(client, name):
    found = client.list_topics(name, 10).topics[name].partitions.values()
    return sum(p.error is None and p.leader >= 0 for p in found)


def producer(**config):
    return Producer({**COMMON, **{k.replace("_", "."): v for k, v in config.items()}})


def consumer(group=None, **config):
    return Consumer({**COMMON, "group.id": group or unique("reader"), "auto.offset.reset": "earliest",
                     "enable.auto.commit": False, "isolation.level": "read_uncommitted",
                     **{k.replace("_", "."): v for k, v in config.items()}})


def send(client, name, value, **more):
    """Produce one record and wait for its offset."""
    return send_all(client, name, [value], **more)[0]


def send_all(client, name, values, **more):
    offsets, errors = [], []

    def on_delivery(error, message):
        (errors if error else offsets).append(error or message.offset())
    for value in values:
        client.produce(name, value, on_delivery=on_delivery, **more)
    equal(client.flush(10), 0, "records not sent")
    equal(errors, [], "errors")
    return offsets


def read(name, count, start=0, **config):
    """The first records of partition 0 from an offset on; no more may follow at once."""
    client = consumer(**config)
    client.assign([TopicPartition(name, 0, start)])
    got = []

    def enough():
        got.extend(client.consume(count + 1 - len(got), 0.2))
        return len(got) >= count
    until(f"{count} records", enough)
    enough()
    client.close()
    equal([m.error() for m in got], [None] * count, "errors")
    return got


def values(records):
    return [m.value() for m in records]


def acks(level):
    def feature():
        name = topic("acks")
        offsets = send_all(producer(acks=level), name, VALUES)
        if level != 0:
            equal(offsets, list(range(20)), "offsets")
        equal(values(read(name, 20)), VALUES, "values")
    return feature


def codec(kind):
    def feature():
        name = topic(kind)
        long = [b"%d " % i * 200 for i in range(20)]
        send_all(producer(compression_type=kind, linger_ms=50), name, long)
        equal(values(read(name, 20)), long, "values")
    return feature


def headers():
    name, client = topic("headers"), producer()
    send(client, name, b"v", key=b"k", headers=[("a", b"1"), ("b", b""), ("c", None)])
    send(client, name, None, key=b"k")
    full, empty = read(name, 2)
    equal((full.key(), full.value(), full.headers()), (b"k", b"v", [("a", b"1"), ("b", b""), ("c", None)]), "record")
    equal((empty.key(), empty.value()), (b"k", None), "record")


def timestamps():
    name, wanted = topic("timestamps"), int(time.time() * 1000) - 5000
    send(producer(), name, b"v", timestamp=wanted)
    equal(read(name, 1)[0].timestamp(), (1, wanted), "type and timestamp")


def idempotent():
    name = topic("idempotent")
    equal(send_all(producer(enable_idempotence=True), name, VALUES * 5), list(range(100)), "offsets")
    equal(values(read(name, 100)), VALUES * 5, "values")


def transaction(end):
    def feature():
        name, client = topic("txn"), producer(transactional_id=unique("txn"))
        client.init_transactions(10)
        client.begin_transaction()
        send(client, name, b"first")
        getattr(client, end)(10)
        client.begin_transaction()
        client.produce(name, b"second")
        client.commit_transaction(10)
        committed = [b"second"] if end == "abort_transaction" else [b"first", b"second"]
        equal(values(read(name, len(committed), isolation_level="read_committed")), committed, "read_committed")
        equal(values(read(name, 2)), [b"first", b"second"], "read_uncommitted")
    return feature


def txn_offsets():
    name, client, reader = topic("txn-offsets"), producer(transactional_id=unique("txn")), consumer()
    client.init_transactions(10)
    client.begin_transaction()
    client.produce(name, b"v")
    client.send_offsets_to_transaction([TopicPartition(name, 0, 7)], reader.consumer_group_metadata(), 10)
    client.commit_transaction(10)
    until("the offset", lambda: reader.committed([TopicPartition(name, 0)], 10)[0].offset == 7)
    reader.close()


def earliest():
    name, reader = topic("earliest"), consumer()
    send_all(producer(), name, VALUES)
    reader.subscribe([name])
    got = []
    until("20 records", lambda: got.extend(reader.consume(20, 0.2)) or len(got) == 20)
    equal([m.offset() for m in got], list(range(20)), "offsets")
    reader.close()


def seek():
    name, reader = topic("seek"), consumer()
    send_all(producer(), name, VALUES)
    reader.assign([TopicPartition(name, 0, 0)])
    equal(until("a record", lambda: reader.poll(0.2)).value(), VALUES[0], "value at the start")
    reader.seek(TopicPartition(name, 0, 13))
    equal(until("a record", lambda: reader.poll(0.2)).value(), VALUES[13], "value after the seek")
    reader.close()


def offset_for_time():
    name, client, reader = topic("time"), producer(), consumer()
    base = int(time.time() * 1000) - 10000
    for i in range(5):
        send(client, name, b"v", timestamp=base + 1000 * i)
    equal(reader.offsets_for_times([TopicPartition(name, 0, base + 2500)], 10)[0].offset, 3, "offset")
    equal(reader.offsets_for_times([TopicPartition(name, 0, base + 60000)], 10)[0].offset, -1, "past the end")
    reader.close()


class Member(threading.Thread):
    """A consumer of a group in a thread of its own; `owned` is what it has now, `revoked` what it lost."""

    def __init__(self, group, name, **config):
        super().__init__(daemon=True)
        if "group_protocol" not in config:
            config.update(heartbeat_interval_ms=200, session_timeout_ms=6000)
        self.client = consumer(group, **config)
        self.client.subscribe([name], on_revoke=lambda _client, lost: self.revoked.append(len(lost)))
        self.ending, self.owned, self.revoked = False, set(), []
        self.start()

    def run(self):
        while not self.ending:
            self.client.poll(0.1)
            self.owned = {p.partition for p in self.client.assignment()}
        self.generation = self.client.consumer_group_metadata()
        self.client.close()

    def leave(self):
        self.ending = True
        self.join(10)


def shared(*members):
    """Four partitions, each with one owner, spread evenly."""
    each = 4 // len(members)
    return all(len(m.owned) == each for m in members) and set().union(*(m.owned for m in members)) == {0, 1, 2, 3}


def group_share(**config):
    def feature():
        name, group = topic("share", 4), unique("group")
        first = Member(group, name, **config)
        until("one has all", lambda: shared(first))
        second = Member(group, name, **config)
        until("two each", lambda: shared(first, second), 18)
        revoked = sum(first.revoked)
        first.leave()
        until("the second has all", lambda: shared(second), 18)
        second.leave()
        if config:
            equal(revoked, 2, "partitions revoked")
    return feature


def group_resume():
    name, group = topic("resume"), unique("group")
    send_all(producer(), name, VALUES)
    first, got = consumer(group), []
    first.subscribe([name])
    until("records", lambda: got.extend(first.consume(8 - len(got), 0.2)) or len(got) == 8)
    first.commit(got[-1], asynchronous=False)
    first.close()
    second, rest = consumer(group), []
    second.subscribe([name])
    until("the rest", lambda: rest.extend(second.consume(12 - len(rest), 0.2)) or len(rest) == 12)
    equal(values(rest), VALUES[8:], "the rest")
    equal(second.committed([TopicPartition(name, 0)], 10)[0].offset, 8, "committed")
    second.close()


def static():
    name, group = topic("static", 4), unique("group")
    first, second = (Member(group, name, group_instance_id=i) for i in ("one", "two"))
    until("two each", lambda: shared(first, second))
    had = second.owned
    before = list(first.revoked)
    second.leave()
    again = Member(group, name, group_instance_id="two")
    until("its partitions again", lambda: again.owned == had)
    time.sleep(0.5)  # two heartbeats: the first member would have heard of a rebalance
    equal(first.revoked, before, "revocations of the other member")
    again.leave()
    first.leave()


def topics():
    name, client = topic("topics", 3), admin()
    assert name in client.list_topics(timeout=10).topics, "not listed"
    equal(len(client.list_topics(name, 10).topics[name].partitions), 3, "partitions")
    try:
        result(client.create_topics([NewTopic(name, 1, 1)]))
        raise AssertionError("created twice")
    except KafkaException as e:
        equal(e.args[0].code(), KafkaError.TOPIC_ALREADY_EXISTS, "error of a second creation")
    result(client.delete_topics([name]))
    until("it is gone", lambda: name not in client.list_topics(timeout=10).topics)


def partitions():
    name, client = topic("partitions"), admin()
    result(client.create_partitions([NewPartitions(name, 4)]))
    until("four partitions", lambda: leaders(client, name) == 4)


def configs():
    name, client = topic("configs"), admin()

    def entry(key):
        return result(client.describe_configs([ConfigResource(ResourceType.TOPIC, name)]))[key].value
    for value in ("123456", "234567"):
        change = ConfigEntry("retention.ms", value, incremental_operation=AlterConfigOpType.SET)
        result(client.incremental_alter_configs(
            [ConfigResource(ResourceType.TOPIC, name, incremental_configs=[change])]))
        until("the new value", lambda value=value: entry("retention.ms") == value)


def groups():
    name, group, client = topic("groups", 4), unique("group"), admin()
    member = Member(group, name)
    until("it has all", lambda: shared(member))
    listed = client.list_consumer_groups().result(10).valid
    assert group in {g.group_id for g in listed}, "not listed"
    described = result(client.describe_consumer_groups([group]))
    equal((described.state, len(described.members)), (ConsumerGroupState.STABLE, 1), "state and members")
    member.leave()
    result(client.delete_consumer_groups([group]))
    assert group not in {g.group_id for g in client.list_consumer_groups().result(10).valid}, "listed"


def group_offsets():
    name, group, client = topic("group-offsets", 2), unique("group"), admin()
    partition = TopicPartition(name, 1, 5)
    result(client.alter_consumer_group_offsets([ConsumerGroupTopicPartitions(group, [partition])]))
    got = result(client.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)]))
    equal([(p.partition, p.offset) for p in got.topic_partitions], [(1, 5)], "offsets")


def list_offsets():
    name, client = topic("list-offsets"), admin()
    send_all(producer(), name, VALUES)
    partition = TopicPartition(name, 0)
    for spec, offset in ((OffsetSpec.earliest(), 0), (OffsetSpec.latest(), 20)):
        got = result(client.list_offsets({partition: spec}, isolation_level=IsolationLevel.READ_UNCOMMITTED))
        equal(got.offset, offset, "offset")


def delete_records():
    name, client = topic("delete-records"), admin()
    send_all(producer(), name, VALUES)
    equal(result(client.delete_records([TopicPartition(name, 0, 15)])).low_watermark, 15, "low watermark")
    reader = consumer()
    equal(reader.get_watermark_offsets(TopicPartition(name, 0), 10), (15, 20), "first and last offset")
    reader.close()
    equal(values(read(name, 5, start=15)), VALUES[15:], "what is left")


def cluster():
    client = admin()
    found = client.describe_cluster().result(10)
    assert found.cluster_id, "no cluster id"
    ids = {n.id for n in found.nodes}
    assert found.controller.id in ids, f"controller {found.controller.id} is not among {ids}"
    return f"{len(ids)} brokers"


main({
    "acks-0": acks(0), "acks-1": acks(1), "acks-all": acks("all"),
    "gzip": codec("gzip"), "snappy": codec("snappy"), "lz4": codec("lz4"), "zstd": codec("zstd"),
    "headers": headers, "timestamps": timestamps, "idempotent": idempotent,
    "txn-commit": transaction("commit_transaction"), "txn-abort": transaction("abort_transaction"),
    "txn-offsets": txn_offsets, "earliest": earliest, "seek": seek, "offset-for-time": offset_for_time,
    "group-share": group_share(), "group-resume": group_resume, "static": static,
    "cooperative": group_share(partition_assignment_strategy="cooperative-sticky"),
    "kip848": group_share(group_protocol="consumer"), "topics": topics, "partitions": partitions,
    "configs": configs, "groups": groups, "group-offsets": group_offsets,
    "list-offsets": list_offsets, "delete-records": delete_records, "cluster": cluster,
})
