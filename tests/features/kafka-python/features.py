"""What kafka-python can do against the cluster at BOOTSTRAP; for 2.0.2 and 3.x alike."""
import pathlib
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
from feature import NotAvailable, bootstrap, equal, main, refused, unique, until  # noqa: E402

import kafka  # noqa: E402
from kafka import KafkaConsumer, KafkaProducer, TopicPartition  # noqa: E402
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient, NewPartitions, NewTopic  # noqa: E402
from kafka.errors import TopicAlreadyExistsError  # noqa: E402
from kafka.structs import OffsetAndMetadata  # noqa: E402

BOOTSTRAP = bootstrap()
OLD = kafka.__version__.startswith("2.")
VALUES = [b"value %d" % i for i in range(20)]
# Kafka-python 3.0.12 never takes an assignment whose SyncGroup is under way when a poll's time is over, if it rejoined by itself
# (docs/findings/kafka-python-lost-assignment.md). A member's first rejoin comes 100 ms after its first poll began, so this is far from it.
MEMBER_POLL_MS = 1000


def only_new(what):
    if OLD:
        raise NotAvailable(f"no {what} in {kafka.__version__}")


def admin():
    return KafkaAdminClient(bootstrap_servers=BOOTSTRAP)


def topic(name, partitions=1):
    name = unique(name)
    client = admin()
    client.create_topics([NewTopic(name, partitions, 1)])
    until("the topic has leaders", lambda: leaders(client, name) == partitions)
    client.close()
    return name


def leaders(client, name):
    found = client.describe_topics([name])[0]
    key = "leader" if OLD else "leader_id"
    return sum(p["error_code"] == 0 and p[key] >= 0 for p in found["partitions"])


def producer(**config):
    return KafkaProducer(bootstrap_servers=BOOTSTRAP, max_block_ms=10000, **config)


def consumer(group=None, **config):
    config = {"auto_offset_reset": "earliest", "enable_auto_commit": False, **config}
    return KafkaConsumer(bootstrap_servers=BOOTSTRAP, group_id=group, **config)


def produce(name, values=VALUES, **config):
    client = producer(**config)
    sent = [client.send(name, v) for v in values]
    client.flush(10)
    offsets = [f.get(10).offset for f in sent]
    client.close(5)
    return offsets


def read(name, count, start=None, **config):
    """The first records of partition 0, from the beginning or an offset; no more may follow at once."""
    client = consumer(**config)
    partition = TopicPartition(name, 0)
    client.assign([partition])
    if start is not None:
        client.seek(partition, start)
    got = []

    def enough():
        for records in client.poll(200).values():
            got.extend(records)
        return len(got) >= count
    until(f"{count} records", enough)
    enough()
    client.close()
    equal(len(got), count, "number of records")
    return got


def values(records):
    return [r.value for r in records]


def acks(level):
    def feature():
        name = topic("acks")
        offsets = produce(name, acks=level)
        if level != 0:
            equal(offsets, list(range(20)), "offsets")
        equal(values(read(name, 20)), VALUES, "values")
    return feature


def codec(kind):
    def feature():
        name = topic(kind)
        long = [b"%d " % i * 200 for i in range(20)]
        produce(name, long, compression_type=kind, linger_ms=50)
        equal(values(read(name, 20)), long, "values")
    return feature


def headers():
    name = topic("headers")
    client = producer()
    client.send(name, b"v", b"k", headers=[("a", b"1"), ("b", b"")])
    client.send(name, None, b"k")
    client.flush(10)
    client.close(5)
    full, empty = read(name, 2)
    equal((full.key, full.value, full.headers), (b"k", b"v", [("a", b"1"), ("b", b"")]), "record")
    equal((empty.key, empty.value), (b"k", None), "record")


def timestamps():
    name = topic("timestamps")
    client = producer()
    wanted = int(time.time() * 1000) - 5000
    client.send(name, b"v", timestamp_ms=wanted)
    client.flush(10)
    client.close(5)
    equal((read(name, 1)[0].timestamp, read(name, 1)[0].timestamp_type), (wanted, 0), "timestamp and type")


def idempotent():
    only_new("idempotent producer")
    name = topic("idempotent")
    equal(produce(name, VALUES * 5, enable_idempotence=True), list(range(100)), "offsets")
    equal(values(read(name, 100)), VALUES * 5, "values")


def transaction(end):
    def feature():
        only_new("transactional producer")
        name = topic("txn")
        client = producer(transactional_id=unique("txn"))
        client.init_transactions()
        client.begin_transaction()
        client.send(name, b"first").get(10)
        getattr(client, end)()
        client.begin_transaction()
        client.send(name, b"second")
        client.commit_transaction()
        client.close(5)
        committed = [b"second"] if end == "abort_transaction" else [b"first", b"second"]
        equal(values(read(name, len(committed), isolation_level="read_committed")), committed, "read_committed")
        equal(values(read(name, 2, isolation_level="read_uncommitted")), [b"first", b"second"], "read_uncommitted")
    return feature


def txn_offsets():
    only_new("transactional producer")
    name, group = topic("txn-offsets"), unique("group")
    client = producer(transactional_id=unique("txn"))
    client.init_transactions()
    client.begin_transaction()
    client.send(name, b"v")
    client.send_offsets_to_transaction({TopicPartition(name, 0): OffsetAndMetadata(7, "m", -1)}, group)
    client.commit_transaction()
    client.close(5)
    reader = consumer(group)
    equal(until("the offset", lambda: reader.committed(TopicPartition(name, 0))), 7, "committed")
    reader.close()


def earliest():
    name = topic("earliest")
    produce(name)
    equal([r.offset for r in read(name, 20)], list(range(20)), "offsets")


def seek():
    name = topic("seek")
    produce(name)
    equal(values(read(name, 7, start=13)), VALUES[13:], "values")


def offset_for_time():
    name = topic("time")
    client = producer()
    base = int(time.time() * 1000) - 10000
    for i in range(5):
        client.send(name, b"v", timestamp_ms=base + 1000 * i)
        client.flush(10)
    client.close(5)
    reader, partition = consumer(), TopicPartition(name, 0)
    found = reader.offsets_for_times({partition: base + 2500})[partition]
    equal((found.offset, found.timestamp), (3, base + 3000), "offset and timestamp")
    equal(reader.offsets_for_times({partition: base + 60000})[partition], None, "past the end")
    reader.close()


class Member(threading.Thread):
    """A consumer of a group in a thread of its own."""

    def __init__(self, group, name, **config):
        super().__init__(daemon=True)
        self.client = consumer(group, heartbeat_interval_ms=200, session_timeout_ms=6000, **config)
        self.listener = Listener()
        self.client.subscribe([name], listener=self.listener)
        self.ending = False
        self.start()

    @property
    def owned(self):
        """The partitions it has now."""
        return {p.partition for p in self.client.assignment()}

    def run(self):
        while not self.ending:
            self.client.poll(MEMBER_POLL_MS)
        self.client.close()

    def leave(self):
        self.ending = True
        self.join(10)
        return self


class Listener(kafka.ConsumerRebalanceListener):
    def __init__(self):
        self.revoked = []

    def on_partitions_revoked(self, revoked):
        self.revoked.append({p.partition for p in revoked})

    def on_partitions_assigned(self, assigned):
        pass


def shared(*members):
    """Four partitions, each with one owner, spread evenly."""
    each = 4 // len(members)
    return all(len(m.owned) == each for m in members) and set().union(*(m.owned for m in members)) == {0, 1, 2, 3}


def group_share():
    name, group = topic("share", 4), unique("group")
    first = Member(group, name)
    until("one has all", lambda: shared(first))
    second = Member(group, name)
    until("two each", lambda: shared(first, second))
    first.leave()
    until("the second has all", lambda: shared(second))
    second.leave()


def group_resume():
    name, group = topic("resume"), unique("group")
    produce(name)
    first = consumer(group, max_poll_records=8)
    first.subscribe([name])
    got = until("records", lambda: first.poll(MEMBER_POLL_MS))
    equal(len(got[TopicPartition(name, 0)]), 8, "first poll")
    first.commit()
    first.close()
    second = consumer(group)
    second.subscribe([name])
    got = until("records", lambda: second.poll(MEMBER_POLL_MS))[TopicPartition(name, 0)]
    equal(values(got), VALUES[8:], "the rest")
    equal(second.committed(TopicPartition(name, 0)), 8, "committed")
    second.close()


def static():
    only_new("group.instance.id")
    name, group = topic("static", 4), unique("group")
    first, second = (Member(group, name, group_instance_id=i) for i in ("one", "two"))
    until("two each", lambda: shared(first, second))
    had, generation = second.owned, second.client.group_metadata().generation_id
    second.leave()
    again = Member(group, name, group_instance_id="two")
    until("its partitions again", lambda: again.owned == had)
    equal(again.client.group_metadata().generation_id, generation, "generation")
    again.leave()
    first.leave()


def cooperative():
    only_new("cooperative assignor")
    from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
    name, group = topic("cooperative", 4), unique("group")
    config = {"partition_assignment_strategy": [CooperativeStickyAssignor]}
    first = Member(group, name, **config)
    until("one has all", lambda: shared(first))
    second = Member(group, name, **config)
    until("two each", lambda: shared(first, second))
    equal(sum(map(len, first.listener.revoked)), 2, "number of revoked partitions")
    second.leave()
    first.leave()


def kip848():
    raise NotAvailable("no group.protocol")


def topics():
    name = topic("topics", 3)
    client = admin()
    assert name in client.list_topics(), "not listed"
    equal(len(client.describe_topics([name])[0]["partitions"]), 3, "partitions")
    refused(TopicAlreadyExistsError, lambda: client.create_topics([NewTopic(name, 1, 1)]))
    client.delete_topics([name])
    until("it is gone", lambda: name not in client.list_topics())
    client.close()


def partitions():
    name = topic("partitions")
    client = admin()
    client.create_partitions({name: NewPartitions(4)})
    until("four partitions", lambda: leaders(client, name) == 4)
    client.close()


def retention(client, name):
    resource = ConfigResource(ConfigResourceType.TOPIC, name, {"retention.ms": None} if OLD else ["retention.ms"])
    got = client.describe_configs([resource] if OLD else [resource])
    if OLD:
        return got[0].resources[0][4][0][1]
    return got["topic"][name].get("retention.ms", {}).get("value")  # only what is not at its default


def configs():
    name = topic("configs")
    client = admin()
    client.alter_configs([ConfigResource(ConfigResourceType.TOPIC, name, {"retention.ms": "123456"})])
    until("the new value", lambda: retention(client, name) == "123456")
    client.close()


def groups():
    name, group = topic("groups", 4), unique("group")
    client, member = admin(), Member(group, name)
    until("it has all", lambda: shared(member))
    listed = client.list_consumer_groups() if OLD else [(g["group_id"], g["protocol_type"]) for g in client.list_groups()]
    assert (group, "consumer") in listed, "not listed"
    if OLD:
        described = client.describe_consumer_groups([group])[0]
        state, members = described.state, described.members
    else:
        described = client.describe_groups([group])[group]
        state, members = described["group_state"], described["members"]
    equal((state, len(members)), ("Stable", 1), "state and members")
    member.leave()
    delete = client.delete_consumer_groups if OLD else client.delete_groups
    until("the group is empty", lambda: deleted(delete, group))
    client.close()


def deleted(delete, group):
    got = delete([group])
    return "NoError" in str(got) or "OK" in str(got)


def group_offsets():
    name, group = topic("group-offsets", 2), unique("group")
    partition = TopicPartition(name, 1)
    client = admin()
    if OLD:
        outside = consumer(group)
        outside.assign([partition])
        outside.commit({partition: OffsetAndMetadata(5, "m")})
        outside.close()
        equal(client.list_consumer_group_offsets(group)[partition].offset, 5, "offset")
        return "committed by a consumer without membership"
    client.alter_group_offsets(group, {partition: OffsetAndMetadata(5, "m", -1)})
    got = client.list_group_offsets(group)[group][partition]
    equal((got.offset, got.metadata), (5, "m"), "offset and metadata")
    client.delete_group_offsets(group, [partition])
    equal(client.list_group_offsets(group)[group].get(partition), None, "deleted offset")
    client.close()


def list_offsets():
    name = topic("list-offsets")
    produce(name)
    reader, partition = consumer(), TopicPartition(name, 0)
    equal(reader.beginning_offsets([partition])[partition], 0, "first")
    equal(reader.end_offsets([partition])[partition], 20, "last")
    reader.close()


def delete_records():
    only_new("delete_records")
    name = topic("delete-records")
    produce(name)
    client, partition = admin(), TopicPartition(name, 0)
    client.delete_records({partition: 15})
    client.close()
    equal(values(read(name, 5)), VALUES[15:], "what is left")


def cluster():
    client = admin()
    found = client.describe_cluster()
    assert found["cluster_id"], "no cluster id"
    ids = {b.get("node_id", b.get("broker_id")) for b in found["brokers"]}
    assert found["controller_id"] in ids, f"controller {found['controller_id']} is not among {ids}"
    client.close()
    return f"{len(ids)} brokers"


main({
    "acks-0": acks(0), "acks-1": acks(1), "acks-all": acks("all"),
    "gzip": codec("gzip"), "snappy": codec("snappy"), "lz4": codec("lz4"), "zstd": codec("zstd"),
    "headers": headers, "timestamps": timestamps, "idempotent": idempotent,
    "txn-commit": transaction("commit_transaction"), "txn-abort": transaction("abort_transaction"),
    "txn-offsets": txn_offsets, "earliest": earliest, "seek": seek, "offset-for-time": offset_for_time,
    "group-share": group_share, "group-resume": group_resume, "static": static,
    "cooperative": cooperative, "kip848": kip848, "topics": topics, "partitions": partitions,
    "configs": configs, "groups": groups, "group-offsets": group_offsets,
    "list-offsets": list_offsets, "delete-records": delete_records, "cluster": cluster,
})
