"""The sequences. Each function is played with a run (run.py): ask() sends a request to both sides and compares
the answers, with broken copies before it; send() and receive() part the two, for requests that wait."""
import base64
import struct

from notation import ZERO_UUID
from run import Batch, Kept
from side import BREAKERS

ALL = {}
# A follower's or an earlier time's request is another thing than a wrong one; a size of a session's answers, too.
FETCH_SOUND = [("Fetch", "replicaId"), ("Fetch", "replicaState"), ("Fetch", "maxBytes"), ("Fetch", "partitionMaxBytes"),
               ("Produce", "acks")]
# Fields that are never broken: a broken one would make a broker wait or forget for long, or be unsure.
SOUND = {("*", "maxWaitMs"), ("*", "timeoutMs"), ("*", "timeout"), ("*", "minBytes")}


class Scene:
    def __init__(self, name, apis, sound, function):
        self.name, self.apis, self.sound, self.play = name, apis, SOUND | set(sound), function

    def runs(self, common):
        """Twice the longest range of versions of its APIs."""
        return 2 * max([common[a][1] - common[a][0] + 1 for a in self.apis if a in common], default=0)


def scene(*apis, sound=()):
    def made(function):
        name = function.__name__
        ALL[name] = Scene(name, apis, sound, function)
        return function
    return made


def named(name):
    return {"topics": [{"name": name, "topicId": ZERO_UUID}], "allowAutoTopicCreation": False}


@scene("ApiVersions", "Metadata", "FindCoordinator", "DescribeCluster")
def cluster(s):
    s.ask("ApiVersions", {"clientSoftwareName": "differential", "clientSoftwareVersion": "1.0"})
    name = s.topic("t", 2)
    asked = {"name": name, "topicId": Kept("t") if s.version("Metadata") >= 12 else ZERO_UUID}
    s.ask("Metadata", {"topics": [asked], "allowAutoTopicCreation": False, "includeTopicAuthorizedOperations": True})
    if s.version("Metadata") >= 4:  # below, asking makes the topic, some time later
        s.ask("Metadata", {"topics": [asked, {"name": s.name("none"), "topicId": ZERO_UUID}], "allowAutoTopicCreation": False})
    s.ask("Metadata", {"topics": None, "allowAutoTopicCreation": False})
    s.ask("Metadata", {"topics": [], "allowAutoTopicCreation": False})
    ready(s)
    s.ask("FindCoordinator", {"key": s.name("g"), "coordinatorKeys": [s.name("g"), s.name("h")]}, broken=0)
    for kind in (0, 1):
        key = s.name(f"key{kind}")
        s.wait("FindCoordinator", {"key": key, "keyType": kind}, 3, lambda a: a["errorCode"] == 0)
        s.ask("FindCoordinator", {"key": key, "keyType": kind, "coordinatorKeys": [key, s.name("b")]})
    s.ask("DescribeCluster", {"includeClusterAuthorizedOperations": True, "endpointType": 1})


@scene("CreateTopics", "DeleteTopics", "CreatePartitions", "Metadata")
def topics(s):
    name, other = s.name("t"), s.name("u")
    row = {"name": name, "numPartitions": 2, "replicationFactor": 1, "configs": [{"name": "retention.ms", "value": "7000"}]}
    s.ask("CreateTopics", {"timeoutMs": 5000, "validateOnly": True, "topics": [row]})
    s.ask("CreateTopics", {"timeoutMs": 5000, "topics": [row, {**row, "name": other, "configs": []}]}, broken=0)
    s.ask("CreateTopics", {"timeoutMs": 5000, "topics": [row]}, wrong=True)
    for bad in ({"name": "."}, {"name": s.name("a b")}, {"numPartitions": 0}, {"replicationFactor": 9},
                {"configs": [{"name": "nope", "value": "1"}]}, {"configs": [{"name": "retention.ms", "value": "soon"}]},
                {"assignments": [{"partitionIndex": 0, "brokerIds": [99]}]}, {"numPartitions": -1, "replicationFactor": -1,
                 "assignments": [{"partitionIndex": 0, "brokerIds": [1]}]}):
        s.ask("CreateTopics", {"timeoutMs": 5000, "validateOnly": True, "topics": [{**row, "name": s.name("v"), **bad}]},
              broken=0, wrong=True)
    s.ask("CreateTopics", {"timeoutMs": 5000, "topics": [{**row, "name": s.name("w")}] * 2}, broken=0, wrong=True)
    s.wait("Metadata", named(name), 12,
           lambda a: a["topics"][0]["errorCode"] == 0, keep={"t": "topics[0].topicId"})
    if s.has("CreatePartitions"):
        more_partitions(s, name)
    if s.has("DeleteTopics"):
        delete_topics(s, name)


def more_partitions(s, name):
    row = {"name": name, "count": 3, "assignments": None}
    s.ask("CreatePartitions", {"timeoutMs": 5000, "validateOnly": True, "topics": [row]})
    for brokers in ([], [[99]], [[1, 1]], [[1], [1]], [[]]):
        s.ask("CreatePartitions", {"timeoutMs": 5000, "topics": [{**row, "assignments": [{"brokerIds": b} for b in brokers]}]},
              broken=0, wrong=True)
    s.ask("CreatePartitions", {"timeoutMs": 5000, "topics": [row]}, broken=0)
    s.wait("Metadata", named(name), 12, lambda a: len(a["topics"][0]["partitions"]) >= 3)
    s.ask("CreatePartitions", {"timeoutMs": 5000, "topics": [row]}, broken=0, wrong=True)
    s.ask("Metadata", named(name), broken=0)


def delete_topics(s, name):
    by_id = s.version("DeleteTopics") >= 6 and s.number % 2
    gone = {"timeoutMs": 5000, "topicNames": [name], "topics": [{"name": None, "topicId": Kept("t")} if by_id else
                                                               {"name": name, "topicId": ZERO_UUID}]}
    s.ask("DeleteTopics", gone)
    s.wait("Metadata", named(name), 12, lambda a: a["topics"][0]["errorCode"] == 3)
    s.ask("DeleteTopics", gone, broken=0, wrong=True)


def produce(s, name, batch, partition=0, **more):
    return {"acks": more.get("acks", -1), "timeoutMs": 5000, "transactionalId": more.get("txn"), "topicData": [
        {"name": name, "topicId": Kept("t"), "partitionData": [{"index": partition, "records": batch}]}]}


@scene("Produce", "ListOffsets", sound=[("Produce", "acks")])
def producing(s):
    name = s.topic("t", 2)
    s.ask("Produce", produce(s, name, Batch([b"a", b"b", b"c"])))
    s.ask("Produce", produce(s, name, Batch([b"d" * 300] * 3, codec=1), acks=1))
    s.ask("Produce", produce(s, name, Batch([b"e"]), acks=0))
    s.ask("Produce", produce(s, name, Batch([b"e"]), acks=2), wrong=True, broken=0)
    s.ask("Produce", produce(s, name, Batch([b"f"]), partition=7), wrong=True, broken=0)
    s.ask("Produce", produce(s, name, Batch([b"f"]), partition=7, acks=0), wrong=True, broken=0)
    s.ask("Produce", produce(s, name, Batch([b"x" * 1100000], base=1)), wrong=True, broken=0)
    s.ask("Produce", produce(s, name, Batch([b"z"], base=4000000000000)), wrong=True, broken=0)
    for kind in s.random.sample(list(BREAKERS), 4):
        s.ask("Produce", produce(s, name, Batch([b"g", b"h"], break_it=kind), partition=1), wrong=True, broken=0)
    for timestamp in (-1, -2, -3, Kept("now"), Kept("now", lambda now: now + 1), Kept("now", lambda now: now + 10 ** 10)):
        s.ask("ListOffsets", offsets(name, timestamp))
    s.ask("ListOffsets", offsets(name, -1, epoch=0))
    s.ask("ListOffsets", offsets(name, -1, epoch=9), wrong=True, broken=0)


def offsets(name, timestamp, epoch=-1, isolation=0):
    return {"replicaId": -1, "isolationLevel": isolation, "timeoutMs": 5000, "topics": [{"name": name, "partitions": [
        {"partitionIndex": 0, "currentLeaderEpoch": epoch, "timestamp": timestamp, "maxNumOffsets": 1}]}]}


@scene("Produce", "InitProducerId", sound=[("InitProducerId", "transactionTimeoutMs"), ("Produce", "acks")])
def idempotent(s):
    name = s.topic("t", 1)
    s.wait("InitProducerId", init(s, transactionalId=None), 4, lambda a: a["errorCode"] == 0)
    s.ask("InitProducerId", {"transactionalId": None, "transactionTimeoutMs": 60000, "producerId": -1, "producerEpoch": -1},
          keep={"pid": "producerId", "epoch": "producerEpoch"})
    ids = (Kept("pid"), Kept("epoch"))
    for first in (0, 2, 4, 6, 8, 10):
        s.ask("Produce", produce(s, name, Batch([b"a", b"b"], producer=(*ids, first))), broken=0)
    for first in (10, 6, 0, 2, 13, 11):
        s.ask("Produce", produce(s, name, Batch([b"a", b"b"], producer=(*ids, first))), broken=0, wrong=True)
    s.ask("Produce", produce(s, name, Batch([b"a"], producer=(Kept("pid"), 1, 5))), broken=0, wrong=True)
    s.ask("Produce", produce(s, name, Batch([b"a"], producer=(Kept("pid"), 1, 0))), broken=0)
    s.ask("Produce", produce(s, name, Batch([b"a"], producer=(*ids, 12))), broken=0, wrong=True)
    s.ask("Produce", produce(s, name, Batch([b"a"], producer=(*ids, -1))), broken=0, wrong=True)
    s.ask("Produce", produce(s, name, Batch([b"a"], producer=(987654, 0, 40))))
    s.ask("InitProducerId", {"transactionalId": None, "transactionTimeoutMs": 60000, "producerId": Kept("pid"),
                             "producerEpoch": Kept("epoch")})


def fetch(name, offset=0, session=(0, -1), topics=None, forgotten=(), **more):
    row = {"partition": 0, "fetchOffset": offset, "partitionMaxBytes": more.get("part", 1 << 20), "currentLeaderEpoch": -1,
           "lastFetchedEpoch": -1, "logStartOffset": -1}
    row.update(more.get("row", {}))
    asked = [{"topic": name, "topicId": Kept("t"), "partitions": [row, {**row, "partition": 1, "fetchOffset": 0}]}]
    return {"replicaId": -1, "maxWaitMs": more.get("wait", 0), "minBytes": more.get("min", 0), "maxBytes": more.get("max", 1 << 22),
            "isolationLevel": more.get("isolation", 0), "sessionId": session[0], "sessionEpoch": session[1],
            "topics": asked if topics is None else topics, "rackId": "",
            "forgottenTopicsData": [{"topic": name, "topicId": Kept("t"), "partitions": list(forgotten)}] if forgotten else []}


@scene("Fetch", "Produce", "OffsetForLeaderEpoch", "DeleteRecords", sound=FETCH_SOUND)
def fetching(s):
    name = s.topic("t", 2)
    for values in ([b"a", b"b"], [b"c"], [b"d", b"e", b"f"]):
        s.ask("Produce", produce(s, name, Batch(values)), broken=0)
    s.ask("Produce", produce(s, name, Batch([b"g" * 400] * 2, codec=1), partition=1), broken=0)
    s.ask("Fetch", fetch(name))
    s.ask("Fetch", fetch(name, 3))
    s.ask("Fetch", fetch(name, max=1))
    s.ask("Fetch", fetch(name, part=1))
    s.ask("Fetch", fetch(name, 6, isolation=1))
    for offset in (7, -5):
        s.ask("Fetch", fetch(name, offset), wrong=True, broken=0)
    s.ask("Fetch", fetch(name, row={"currentLeaderEpoch": 9}), wrong=True, broken=0)
    s.ask("Fetch", fetch(name, row={"currentLeaderEpoch": 0, "lastFetchedEpoch": 0}), broken=0)
    s.ask("Fetch", fetch(name, row={"lastFetchedEpoch": 5}), wrong=True, broken=0)
    s.ask("Fetch", fetch(name, 6, wait=150, min=1), broken=0)
    for epoch in (0, -1, 5):
        s.ask("OffsetForLeaderEpoch", {"replicaId": -1, "topics": [{"topic": name, "partitions": [
            {"partition": 0, "currentLeaderEpoch": -1, "leaderEpoch": epoch}]}]})
    s.ask("DeleteRecords", {"timeoutMs": 5000, "topics": [{"name": name, "partitions": [{"partitionIndex": 0, "offset": 3}]}]})
    s.ask("DeleteRecords", {"timeoutMs": 5000, "topics": [{"name": name, "partitions": [{"partitionIndex": 0, "offset": 99}]}]},
          wrong=True, broken=0)
    s.ask("Fetch", fetch(name, 0), wrong=True, broken=0)
    s.ask("Fetch", fetch(name, 3), broken=0)
    s.ask("ListOffsets", offsets(name, -2), broken=0)
    s.topic("z", 1, compression_type="zstd")  # which old versions do not know
    s.ask("Fetch", fetch(name, topics=[{"topic": s.name("z"), "topicId": Kept("z"), "partitions": [
        {"partition": 0, "fetchOffset": 0, "partitionMaxBytes": 1000, "currentLeaderEpoch": -1, "lastFetchedEpoch": -1, "logStartOffset": -1}]}]), broken=0)
    s.ask("Produce", produce(s, name, Batch([b"x"], codec=4)), broken=0, wrong=True)


@scene("Fetch", sound=FETCH_SOUND + [("Fetch", n) for n in ("sessionId", "sessionEpoch", "topics", "forgottenTopicsData")])
def sessions(s):
    if not s.has("Fetch") or s.version("Fetch") < 7:
        return
    name = s.topic("t", 2)
    s.ask("Fetch", fetch(name, session=(0, 0)), broken=0, keep={"id": "sessionId"})
    s.ask("Fetch", fetch(name, session=(Kept("id"), 1), topics=[]), broken=0)
    s.ask("Produce", produce(s, name, Batch([b"a", b"b"])), broken=0)
    s.ask("Fetch", fetch(name, session=(Kept("id"), 2), topics=[]), broken=0)
    s.ask("Fetch", fetch(name, 2, session=(Kept("id"), 3)), broken=0)
    s.ask("Fetch", fetch(name, session=(Kept("id"), 3), topics=[]), broken=0, wrong=True)
    s.ask("Fetch", fetch(name, session=(123456, 1), topics=[]), broken=0, wrong=True)
    s.ask("Fetch", fetch(name, session=(Kept("id"), 4), topics=[], forgotten=[1]), broken=0)
    s.ask("Fetch", fetch(name, session=(Kept("id"), 5), topics=[], forgotten=[0]), broken=0)
    s.ask("Fetch", fetch(name, session=(Kept("id"), 6), topics=[]), broken=0, wrong=True)
    s.ask("Fetch", fetch(name, session=(0, 0)), broken=0, keep={"id": "sessionId"})
    s.ask("Fetch", fetch(name, session=(Kept("id"), -1)), broken=0)
    s.ask("Fetch", fetch(name, session=(Kept("id"), 1), topics=[]), broken=0, wrong=True)


def text64(text):
    return base64.b64encode(text.encode()).decode()


def join(s, member="", generation=None, protocols=("range",), **more):
    return {"groupId": s.name("g"), "sessionTimeoutMs": 30000, "rebalanceTimeoutMs": 20000, "memberId": member,
            "groupInstanceId": more.get("instance"), "protocolType": more.get("type", "consumer"),
            "protocols": [{"name": p, "metadata": text64(p)} for p in protocols]}


def ready(s, key=None):
    """The group's coordinator answers."""
    key = key or s.name("g")
    s.wait("FindCoordinator", {"key": key, "keyType": 0}, 3, lambda a: a["errorCode"] == 0)


def join_alone(s, **more):
    """A first member of the group: its id is kept as m, its generation as g."""
    keep = {"m": "memberId", "g": "generationId"}
    s.ask("JoinGroup", join(s, **more), keep=keep, broken=0)
    if s.version("JoinGroup") >= 4 and not more.get("instance"):
        s.ask("JoinGroup", join(s, Kept("m"), **more), keep=keep, broken=0)


def sync(s, member=Kept("m"), generation=Kept("g"), assignments=(), **more):
    return {"groupId": s.name("g"), "generationId": generation, "memberId": member, "groupInstanceId": more.get("instance"),
            "protocolType": "consumer", "protocolName": "range",
            "assignments": [{"memberId": m, "assignment": text64(a)} for m, a in assignments]}


def beat(s, **more):
    return {"groupId": s.name("g"), "generationId": more.get("generation", Kept("g")), "memberId": more.get("member", Kept("m")),
            "groupInstanceId": more.get("instance")}


def leave(s, member=Kept("m"), instance=None):
    return {"groupId": s.name("g"), "memberId": member, "members": [{"memberId": member, "groupInstanceId": instance}]}


# A broken JoinGroup that is right after all would leave a member behind, and a rebalance would wait for it.
@scene("JoinGroup", "SyncGroup", "Heartbeat", "LeaveGroup", "DescribeGroups", "DeleteGroups", "ListGroups",
       sound=[("JoinGroup", "rebalanceTimeoutMs"), ("JoinGroup", "memberId"), ("JoinGroup", "groupInstanceId"),
              ("JoinGroup", "reason"), ("LeaveGroup", "reason"), ("JoinGroup", "protocols"), ("JoinGroup", "metadata"),
              ("JoinGroup", "sessionTimeoutMs"), ("JoinGroup", "groupId")])
def classic_group(s):
    ready(s)
    for bad in ({"sessionTimeoutMs": 1}, {"sessionTimeoutMs": 3600000}, {"groupId": ""}, {"protocols": []}, {"memberId": "nope"}):
        s.ask("JoinGroup", {**join(s), "groupId": s.name("bad"), **bad}, wrong=True, broken=0)
    s.ask("DescribeGroups", {"groups": [s.name("g"), ""]}, wrong=True)
    join_alone(s)
    s.ask("SyncGroup", sync(s, assignments=[(Kept("m"), "mine")]))
    s.ask("Heartbeat", beat(s))
    s.ask("SyncGroup", sync(s), broken=0)
    s.ask("JoinGroup", join(s, Kept("m"), protocols=("other",), type="other"), wrong=True, broken=0)
    s.ask("DescribeGroups", {"groups": [s.name("g")], "includeAuthorizedOperations": True})
    s.ask("DeleteGroups", {"groupsNames": [s.name("g"), s.name("none"), ""]}, wrong=True, broken=0)
    s.ask("Heartbeat", beat(s, generation=9), wrong=True, broken=0)
    s.ask("Heartbeat", beat(s, member="nope"), wrong=True, broken=0)
    s.ask("LeaveGroup", leave(s, "nope"), wrong=True)
    s.ask("LeaveGroup", leave(s), broken=0)
    s.ask("Heartbeat", beat(s), wrong=True, broken=0)
    s.ask("DescribeGroups", {"groups": [s.name("g")]}, broken=0)
    s.ask("DeleteGroups", {"groupsNames": [s.name("g")]})
    s.ask("DescribeGroups", {"groups": [s.name("g")]}, broken=0)


@scene("JoinGroup", "SyncGroup", "Heartbeat", "LeaveGroup", sound=ALL["classic_group"].sound)
def two_members(s):
    ready(s)
    join_alone(s)
    s.ask("SyncGroup", sync(s, assignments=[(Kept("m"), "all")]), broken=0)
    first = {"n": "memberId", "g": "generationId"}
    if s.version("JoinGroup") >= 4:
        s.ask("JoinGroup", join(s), on="b", keep=first, broken=0)
    s.send("JoinGroup", join(s, Kept("n") if s.version("JoinGroup") >= 4 else ""), on="b")
    s.wait("Heartbeat", {**beat(s), "generationId": 1}, 3, lambda a: a["errorCode"] == 27)
    s.ask("Heartbeat", {**beat(s), "generationId": 1}, broken=0)
    s.send("JoinGroup", join(s, Kept("m")))
    s.receive("b", keep=first)
    s.receive("a")
    s.send("SyncGroup", sync(s, Kept("n")), on="b")
    s.ask("SyncGroup", sync(s, assignments=[(Kept("m"), "half"), (Kept("n"), "other half")]), broken=0)
    s.receive("b")
    s.ask("Heartbeat", beat(s, member=Kept("n")), broken=0)
    s.ask("DescribeGroups", {"groups": [s.name("g")]}, broken=0)
    s.ask("LeaveGroup", leave(s, Kept("n")), broken=0)
    s.ask("Heartbeat", beat(s), broken=0)
    s.ask("LeaveGroup", leave(s), broken=0)


@scene("JoinGroup", "SyncGroup", "Heartbeat", "LeaveGroup", sound=ALL["classic_group"].sound)
def static_member(s):
    if not s.has("JoinGroup") or s.version("JoinGroup") < 5:
        return
    ready(s)
    for name in ("old", "m"):
        s.ask("JoinGroup", join(s, instance="one"), keep={name: "memberId", "g": "generationId"}, broken=0)
        s.ask("SyncGroup", sync(s, Kept(name), assignments=[(Kept(name), "all")], instance="one"), broken=0)
    low = {"version": max(3, s.version("Heartbeat"))}
    s.ask("Heartbeat", beat(s, instance="one"), broken=0, **low)
    s.ask("Heartbeat", beat(s, instance="one", member=Kept("old")), wrong=True, broken=0, **low)
    s.ask("Heartbeat", beat(s, instance="two"), wrong=True, broken=0, **low)
    s.ask("SyncGroup", sync(s, Kept("old"), instance="one"), wrong=True, broken=0, version=max(3, s.version("SyncGroup")))
    s.ask("DescribeGroups", {"groups": [s.name("g")]}, broken=0)
    s.ask("LeaveGroup", leave(s, "", "none"), wrong=True, broken=0, version=max(3, s.version("LeaveGroup")))
    s.ask("LeaveGroup", leave(s, "", "one"), broken=0, version=max(3, s.version("LeaveGroup")))


def commit(s, offset=5, member="", generation=-1, **more):
    return {"groupId": s.name("g"), "generationIdOrMemberEpoch": generation, "memberId": member, "retentionTimeMs": -1,
            "groupInstanceId": more.get("instance"), "topics": [{"name": s.name("t"), "topicId": Kept("t"), "partitions": [
                {"partitionIndex": more.get("partition", 0), "committedOffset": offset, "committedLeaderEpoch": -1,
                 "committedMetadata": more.get("metadata", "meta")}]}]}


def committed(s, whole=False, **more):
    old = None if whole else [{"name": s.name("t"), "partitionIndexes": [0, 1]}]
    rows = None if whole else [{**old[0], "topicId": Kept("t")}]
    return {"groupId": s.name("g"), "topics": old, "requireStable": more.get("stable", False), "groups": [
        {"groupId": s.name("g"), "memberId": more.get("member"), "memberEpoch": more.get("epoch", -1), "topics": rows}]}


@scene("OffsetCommit", "OffsetFetch", "OffsetDelete", "DescribeGroups", "DeleteGroups", sound=ALL["classic_group"].sound
       | {("OffsetCommit", "retentionTimeMs")})
def group_offsets(s):
    s.topic("t", 2)
    ready(s)
    s.ask("OffsetFetch", committed(s), broken=0)
    s.ask("OffsetCommit", commit(s))
    s.ask("OffsetCommit", commit(s, 7, partition=1, metadata=None))
    s.ask("OffsetFetch", committed(s))
    s.ask("OffsetFetch", committed(s, whole=s.version("OffsetFetch") >= 2, stable=True))
    s.ask("OffsetCommit", commit(s, metadata="m" * 5000), wrong=True, broken=0)
    s.ask("OffsetCommit", commit(s, partition=9), wrong=True, broken=0)
    s.ask("OffsetCommit", commit(s, -3), wrong=True, broken=0)
    s.ask("OffsetCommit", commit(s, 5, "nope", 3), wrong=True, broken=0)
    s.ask("DescribeGroups", {"groups": [s.name("g")]}, broken=0)
    s.ask("OffsetDelete", {"groupId": s.name("g"), "topics": [{"name": s.name("t"), "partitions": [{"partitionIndex": 1}]}]})
    s.ask("OffsetFetch", committed(s), broken=0)
    join_alone(s)
    s.ask("SyncGroup", sync(s, assignments=[(Kept("m"), "mine")]), broken=0)
    s.ask("OffsetCommit", commit(s, 11, Kept("m"), Kept("g")))
    s.ask("OffsetCommit", commit(s, 12), wrong=True, broken=0)
    s.ask("OffsetCommit", commit(s, 12, Kept("m"), 8), wrong=True, broken=0)
    s.ask("OffsetFetch", committed(s), broken=0)
    s.ask("LeaveGroup", leave(s), broken=0)
    s.ask("DeleteGroups", {"groupsNames": [s.name("g")]}, broken=0)
    s.ask("OffsetFetch", committed(s), broken=0)


def transactional(s, name, values=(b"a",), first=0, epoch=Kept("e"), **more):
    batch = Batch(list(values), producer=(Kept("p"), epoch, first), attributes=0x10)
    return produce(s, name, batch, **{"txn": s.name("x"), **more})


def init(s, **more):
    return {"transactionalId": s.name("x"), "transactionTimeoutMs": 60000, "producerId": -1, "producerEpoch": -1, **more}


def add(s, *names, **more):
    topics = [{"name": n, "partitions": [0]} for n in names]
    ids = {"transactionalId": s.name("x"), "producerId": Kept("p"), "producerEpoch": Kept("e"), **more}
    return {"v3AndBelowTransactionalId": ids["transactionalId"], "v3AndBelowProducerId": ids["producerId"],
            "v3AndBelowProducerEpoch": ids["producerEpoch"], "v3AndBelowTopics": topics,
            "transactions": [{**ids, "verifyOnly": False, "topics": topics}]}


def end(s, commit=True, **more):
    return {"transactionalId": s.name("x"), "producerId": Kept("p"), "producerEpoch": Kept("e"), "committed": commit, **more}


def begun(s):
    """The transactional id has a coordinator on both sides."""
    s.wait("FindCoordinator", {"key": s.name("x"), "keyType": 1}, 3, lambda a: a["errorCode"] == 0)
    s.wait("InitProducerId", init(s), 4, lambda a: a["errorCode"] == 0)


def settled(s):
    """The markers of the last transaction are written: the next one can begin."""
    s.wait("DescribeTransactions", {"transactionalIds": [s.name("x")]}, 0, lambda a: a["transactionStates"][0][
        "transactionState"] in ("CompleteCommit", "CompleteAbort", "Empty"))


TXN_SOUND = FETCH_SOUND + [("ListTransactions", "producerIdFilters"), ("InitProducerId", "transactionTimeoutMs"), ("AddPartitionsToTxn", "transactions"),
             ("EndTxn", "committed"), ("AddPartitionsToTxn", "v3AndBelowTopics")]


# Brokers add partitions by themselves from Produce v12 on, so what is asked depends on the versions of the run.
@scene("InitProducerId", "AddPartitionsToTxn", "Produce", "EndTxn", "ListOffsets", "Fetch", "DescribeProducers",
       "DescribeTransactions", "ListTransactions", sound=TXN_SOUND)
def transactions(s):
    if not (s.has("EndTxn") and s.has("AddPartitionsToTxn")):
        return
    name = s.topic("t", 2)
    begun(s)
    for bad in ({"transactionalId": ""}, {"transactionTimeoutMs": 0}, {"transactionTimeoutMs": 900001}):
        s.ask("InitProducerId", init(s, **bad), wrong=True, broken=0)
    for commit in (True, False):
        s.ask("InitProducerId", init(s), keep={"p": "producerId", "e": "producerEpoch"}, broken=0)
        s.ask("EndTxn", end(s, commit), wrong=True, broken=0)
        settled(s)
        s.ask("InitProducerId", init(s), keep={"p": "producerId", "e": "producerEpoch"}, broken=0)
        if s.version("Produce") < 12:
            s.ask("Produce", transactional(s, name), wrong=True, broken=0)
            s.ask("AddPartitionsToTxn", add(s, name, s.name("nope")), wrong=True, broken=0)
            s.ask("AddPartitionsToTxn", add(s, name), broken=0)
        s.ask("Produce", transactional(s, name, [b"a", b"b"]), broken=0)
        s.ask("Produce", transactional(s, name, [b"a"], 2, txn=None), wrong=True, broken=0)
        s.ask("ListOffsets", offsets(name, -1, isolation=1), broken=0)
        s.ask("DescribeProducers", {"topics": [{"name": name, "partitionIndexes": [0, 7]}]}, broken=0)
        s.ask("DescribeTransactions", {"transactionalIds": [s.name("x"), s.name("none")]}, broken=0)
        s.ask("Fetch", fetch(name, isolation=1), broken=0)
        s.ask("EndTxn", end(s, commit, producerEpoch=9), wrong=True, broken=0)
        s.ask("EndTxn", end(s, commit), broken=0)
        settled(s)
        s.ask("EndTxn", end(s, not commit), wrong=True, broken=0)
        s.ask("ListOffsets", offsets(name, -1, isolation=1), broken=0)
        s.ask("Fetch", fetch(name, isolation=1))
        s.ask("Fetch", fetch(name), broken=0)
        s.ask("Produce", transactional(s, name, [b"late"], 2), wrong=True, broken=0)
    s.ask("DescribeTransactions", {"transactionalIds": [s.name("x")]})
    s.ask("ListTransactions", {"stateFilters": [], "producerIdFilters": [Kept("p")]})
    s.wait("InitProducerId", init(s), 4, lambda a: a["errorCode"] == 0)  # ends what the late batch may have begun, before its time is up


@scene("InitProducerId", "AddOffsetsToTxn", "TxnOffsetCommit", "EndTxn", "OffsetFetch", sound=TXN_SOUND
       + [("TxnOffsetCommit", "groupId"), ("AddOffsetsToTxn", "groupId")])
def txn_offsets(s):
    if not (s.has("EndTxn") and s.has("TxnOffsetCommit")):
        return
    s.topic("t", 2)
    ready(s)
    begun(s)
    for commit in (True, False):
        s.ask("InitProducerId", init(s), keep={"p": "producerId", "e": "producerEpoch"}, broken=0)
        body = {"transactionalId": s.name("x"), "groupId": s.name("g"), "producerId": Kept("p"), "producerEpoch": Kept("e"),
                "generationIdOrMemberEpoch": -1, "memberId": "", "topics": [{"name": s.name("t"), "topicId": Kept("t"),
                 "partitions": [{"partitionIndex": 0, "committedOffset": 7 + commit, "committedLeaderEpoch": -1,
                                 "committedMetadata": "m"}]}]}
        if s.version("TxnOffsetCommit") < 5:
            s.ask("AddOffsetsToTxn", {"transactionalId": s.name("x"), "producerId": Kept("p"), "producerEpoch": Kept("e"),
                                      "groupId": s.name("g")})
        s.ask("TxnOffsetCommit", {**body, "producerEpoch": 99}, wrong=True, broken=0)
        s.ask("TxnOffsetCommit", body, broken=0)
        s.ask("OffsetFetch", committed(s), broken=0)
        if s.version("OffsetFetch") >= 7:
            s.ask("OffsetFetch", committed(s, stable=True), broken=0, wrong=True)
        s.ask("EndTxn", end(s, commit), broken=0)
        settled(s)
        s.wait("OffsetFetch", committed(s, stable=True), 7, lambda a: a["errorCode"] == 0 and all(
            p["errorCode"] == 0 for t in a["topics"] for p in t["partitions"]))
        s.ask("OffsetFetch", committed(s), broken=0)


def consumer_beat(s, epoch=Kept("e"), member=Kept("m"), **more):
    return {"groupId": s.name("g"), "memberId": member, "memberEpoch": epoch, "instanceId": None, "rackId": None,
            "rebalanceTimeoutMs": -1, "subscribedTopicNames": None, "subscribedTopicRegex": None, "serverAssignor": None,
            "topicPartitions": None, **more}


@scene("ConsumerGroupHeartbeat", "ConsumerGroupDescribe", "OffsetCommit", "OffsetFetch", "DescribeGroups", "ListGroups",
       sound=[("ConsumerGroupHeartbeat", n) for n in ("groupId", "memberId", "subscribedTopicNames", "instanceId", "memberEpoch",
              "subscribedTopicRegex", "rackId", "serverAssignor", "rebalanceTimeoutMs", "topicPartitions")])
def consumer_group(s):
    if not s.has("ConsumerGroupHeartbeat"):
        return
    s.topic("t", 2)
    ready(s)
    mine = {"rebalanceTimeoutMs": 5000, "subscribedTopicNames": [s.name("t")], "topicPartitions": []}
    uuid = "aaaaaaaaaaaaaaaaaaaaa" + "ABCDEFGHIJ"[s.number % 10]
    for bad in ({"topicPartitions": None}, {"rebalanceTimeoutMs": -1}, {"subscribedTopicNames": None}, {"serverAssignor": "nope"},
                {"groupId": ""}, {"subscribedTopicRegex": "(", "subscribedTopicNames": None}, {"instanceId": ""}):
        s.ask("ConsumerGroupHeartbeat", consumer_beat(s, 0, uuid, **{**mine, **bad}), wrong=True, broken=0)
    s.ask("ConsumerGroupHeartbeat", consumer_beat(s, 3, "nobody"), wrong=True, broken=0)
    s.ask("ConsumerGroupHeartbeat", consumer_beat(s, 0, uuid, **mine), keep={"m": "memberId", "e": "memberEpoch"}, broken=0)
    s.ask("ConsumerGroupHeartbeat", consumer_beat(s), broken=0, keep={"e": "memberEpoch"})
    both = [{"topicId": Kept("t"), "partitions": [0, 1]}]
    s.ask("ConsumerGroupHeartbeat", consumer_beat(s, topicPartitions=both), broken=0, keep={"e": "memberEpoch"})
    s.ask("ConsumerGroupHeartbeat", consumer_beat(s, 99), wrong=True, broken=0)
    s.ask("ConsumerGroupHeartbeat", consumer_beat(s, member="nobody"), wrong=True, broken=0)
    s.ask("ConsumerGroupDescribe", {"groupIds": [s.name("g"), s.name("none"), ""], "includeAuthorizedOperations": True})
    s.ask("DescribeGroups", {"groups": [s.name("g")]}, broken=0)
    s.ask("OffsetCommit", commit(s, 5, Kept("m"), Kept("e")), broken=0)
    s.ask("OffsetCommit", commit(s, 5, Kept("m"), 77), broken=0, wrong=True)
    s.ask("OffsetFetch", committed(s, member=Kept("m"), epoch=Kept("e")), broken=0)
    s.ask("OffsetFetch", committed(s, member=Kept("m"), epoch=77), broken=0, wrong=True)
    begun(s)
    s.ask("InitProducerId", init(s), keep={"p": "producerId", "pe": "producerEpoch"}, broken=0)
    for member, epoch in ((Kept("m"), 77), ("nobody", Kept("e")), (Kept("m"), Kept("e"))):
        s.ask("TxnOffsetCommit", {"transactionalId": s.name("x"), "groupId": s.name("g"), "producerId": Kept("p"), "producerEpoch": Kept("pe"),
              "generationIdOrMemberEpoch": epoch, "memberId": member, "topics": [{"name": s.name("t"), "topicId": Kept("t"), "partitions": [
                  {"partitionIndex": 0, "committedOffset": 3, "committedLeaderEpoch": -1, "committedMetadata": "m"}]}]},
              version=max(5, s.version("TxnOffsetCommit")), broken=0, wrong=epoch == 77 or member == "nobody")
    s.ask("EndTxn", end(s, producerEpoch=Kept("pe")), version=5, broken=0)
    s.ask("ConsumerGroupHeartbeat", consumer_beat(s, -1), broken=0)
    s.ask("ConsumerGroupDescribe", {"groupIds": [s.name("g")]}, broken=0)
    s.ask("ListGroups", {"statesFilter": ["Empty"], "typesFilter": ["consumer"]}, broken=0)


def resource(name, kind=2, **more):
    return {"resourceType": kind, "resourceName": name, **more}


def text16(text):
    return struct.pack(">h", len(text)) + text.encode()


def partitions_of(topic, partitions):
    """An array of one topic with its partitions, or none, as the consumer protocol has it."""
    if not partitions:
        return struct.pack(">i", 0)
    return struct.pack(">i", 1) + text16(topic) + struct.pack(f">i{len(partitions)}i", len(partitions), *partitions)


def subscribing(s, owned=(), version=1, topic="t"):
    """What a classic consumer says with its JoinGroup."""
    data = struct.pack(">hi", version, 1) + text16(s.name(topic)) + struct.pack(">i", -1)
    data += partitions_of(s.name(topic), owned) if version >= 1 else b""
    data += struct.pack(">i", 7) if version >= 2 else b""
    data += text16("rack") if version >= 3 else b""
    return base64.b64encode(data).decode()


def assigning(s, partitions, version=1):
    """What a classic leader gives to a member."""
    return base64.b64encode(struct.pack(">h", version) + partitions_of(s.name("t"), partitions) + struct.pack(">i", -1)).decode()


def consumer_join(s, member="", owned=(), **more):
    version = s.number % 4
    return {**join(s, member, **more), "protocols": [{"name": n, "metadata": subscribing(s, owned, version)} for n in ("range", "roundrobin")]}


def at_once(s):
    """The group's target assignment is not made to wait for its interval."""
    s.ask("IncrementalAlterConfigs", {"resources": [{**resource(s.name("g"), 32), "configs": [
        {"name": "consumer.assignment.interval.ms", "configOperation": 0, "value": "0"}]}], "validateOnly": False}, version=1, broken=0)
    s.wait("DescribeConfigs", {"resources": [{**resource(s.name("g"), 32), "configurationKeys": ["consumer.assignment.interval.ms"]}]}, 4,
           lambda a: a["results"][0]["configs"][0]["value"] == "0")


MIXED = ("JoinGroup", "SyncGroup", "Heartbeat", "LeaveGroup", "ConsumerGroupHeartbeat", "ConsumerGroupDescribe", "OffsetCommit", "OffsetFetch")
MIXED_SOUND = ALL["classic_group"].sound | ALL["consumer_group"].sound | {("LeaveGroup", "memberId"), ("LeaveGroup", "members"), (
    "LeaveGroup", "groupInstanceId"), ("LeaveGroup", "groupId"), ("OffsetCommit", "retentionTimeMs"), ("Heartbeat", "memberId"), ("Heartbeat", "generationId")}


def described(s):
    s.ask("ConsumerGroupDescribe", {"groupIds": [s.name("g")]}, broken=0)
    s.ask("DescribeGroups", {"groups": [s.name("g")]}, broken=0)
    s.ask("ListGroups", {"statesFilter": [], "typesFilter": ["consumer", "classic"]}, broken=0)


def classic_id(s, **more):
    """A classic member joins on connection b; its id and generation are kept as n and h."""
    keep = {"n": "memberId", "h": "generationId"}
    s.ask("JoinGroup", consumer_join(s, **more), on="b", keep=keep, broken=0)
    if s.version("JoinGroup") >= 4 and not more.get("instance"):
        s.ask("JoinGroup", consumer_join(s, Kept("n"), **more), on="b", keep=keep, broken=0)


def synced(s, **more):
    body = sync(s, Kept("n"), Kept("h"))
    s.ask("SyncGroup", {**body, **more}, on="b", broken=0, wrong=bool(more))


def classic_beat(s, **more):
    s.ask("Heartbeat", {**beat(s, member=Kept("n"), generation=Kept("h")), **more}, broken=0, wrong=bool(more))


# Rule 34: a classic member is admitted to a consumer group and led like the others, by JoinGroup and SyncGroup.
@scene(*MIXED, sound=MIXED_SOUND)
def classic_in_consumer_group(s):
    if not s.has("ConsumerGroupHeartbeat"):
        return
    s.topic("t", 2)
    ready(s)
    at_once(s)
    both, first = ([{"topicId": Kept("t"), "partitions": p}] for p in ([0, 1], [0]))
    uuid = "aaaaaaaaaaaaaaaaaaaaa" + "ABCDEFGHIJ"[s.number % 10]
    mine = {"rebalanceTimeoutMs": 5000, "subscribedTopicNames": [s.name("t")], "topicPartitions": []}
    told = {"m": "memberId", "e": "memberEpoch"}
    s.ask("ConsumerGroupHeartbeat", consumer_beat(s, 0, uuid, **mine), keep=told, broken=0)
    s.ask("ConsumerGroupHeartbeat", consumer_beat(s, topicPartitions=both), keep=told, broken=0)
    s.ask("JoinGroup", {**consumer_join(s), "protocolType": "other"}, broken=0, wrong=True)
    s.ask("JoinGroup", {**consumer_join(s), "protocols": []}, broken=0, wrong=True)
    s.ask("JoinGroup", join(s), broken=0, wrong=True)
    s.ask("JoinGroup", join(s, "who"), broken=0, wrong=True)
    classic_id(s)
    described(s)
    s.ask("ConsumerGroupHeartbeat", consumer_beat(s, topicPartitions=both), keep=told, broken=0)
    described(s)
    classic_beat(s)
    for bad in ({"generationId": 77}, {"memberId": "nobody"}, {"protocolName": "other"}, {"protocolType": "other"}, {"memberId": Kept("m")}):
        if not ("protocolName" in bad or "protocolType" in bad) or s.version("SyncGroup") >= 5:
            synced(s, **bad)
    synced(s)
    for bad in ({"generationId": 77}, {"memberId": "nobody"}, {"memberId": Kept("m")}):
        classic_beat(s, **bad)
    s.ask("ConsumerGroupHeartbeat", consumer_beat(s, topicPartitions=first), keep=told, broken=0)
    described(s)
    classic_beat(s)
    s.ask("JoinGroup", consumer_join(s, Kept("n")), on="b", keep={"h": "generationId"}, broken=0)
    synced(s)
    synced(s)
    classic_beat(s)
    described(s)
    s.ask("OffsetCommit", commit(s, 4, Kept("n"), Kept("h")), broken=0)
    s.ask("OffsetCommit", commit(s, 5, Kept("n"), 99), broken=0, wrong=True)
    s.ask("OffsetCommit", commit(s, 6, "nobody", 2), broken=0, wrong=True)
    s.ask("OffsetFetch", committed(s), broken=0)
    s.ask("OffsetDelete", {"groupId": s.name("g"), "topics": [{"name": s.name("t"), "partitions": [{"partitionIndex": 0}]}]}, broken=0, wrong=True)
    s.ask("LeaveGroup", leave(s, "nobody"), broken=0, wrong=True)
    if s.number % 2:
        s.ask("LeaveGroup", leave(s, Kept("n")), broken=0)
        classic_beat(s)
        s.ask("ConsumerGroupHeartbeat", consumer_beat(s, topicPartitions=first), keep=told, broken=0)
        s.ask("LeaveGroup", leave(s, Kept("m")), broken=0)
        s.ask("ConsumerGroupHeartbeat", consumer_beat(s, -1), broken=0)
        described(s)
        join_alone(s)
        described(s)
        s.ask("LeaveGroup", leave(s), broken=0)
        return
    # The last of the new protocol goes: the group is a classic one again, and its member must join.
    s.ask("ConsumerGroupHeartbeat", consumer_beat(s, -1), broken=0)
    described(s)
    classic_beat(s)
    keep = {"h": "generationId"}
    s.ask("JoinGroup", consumer_join(s, Kept("n")), on="b", keep=keep, broken=0)
    s.ask("SyncGroup", {**sync(s, Kept("n"), Kept("h")), "assignments": [{"memberId": Kept("n"), "assignment": assigning(s, [0, 1])}]}, on="b", broken=0)
    classic_beat(s)
    described(s)
    s.ask("LeaveGroup", leave(s, Kept("n")), broken=0)
    described(s)


# The same from the other end: a member of the new protocol makes a consumer group of a classic one.
@scene(*MIXED, sound=MIXED_SOUND)
def consumer_in_classic_group(s):
    if not s.has("ConsumerGroupHeartbeat"):
        return
    s.topic("t", 2)
    in_rebalance = s.number % 4 == 3  # the group is converted in the middle of it
    other = s.topic("u", 1) if in_rebalance else None  # of two members without anything a hash table decides who gets what
    ready(s)
    at_once(s)  # and by then the coordinator has heard of the topics
    instance = {"instance": "one"} if s.number % 3 == 1 and s.version("JoinGroup") >= 5 else {}
    keep = {"h": "generationId"}
    classic_id(s, **instance)
    uuid = "aaaaaaaaaaaaaaaaaaaaa" + "ABCDEFGHIJ"[s.number % 10]
    mine = {"rebalanceTimeoutMs": 5000, "subscribedTopicNames": [s.name("t")], "topicPartitions": []}
    told = {"m": "memberId", "e": "memberEpoch"}
    if in_rebalance:
        s.ask("ConsumerGroupHeartbeat", consumer_beat(s, 0, uuid, **{**mine, "subscribedTopicNames": [other]}), keep=told, broken=0)
        described(s)
        s.ask("Heartbeat", {**beat(s, member=Kept("n"), generation=Kept("h"), **instance)}, broken=0)
        s.ask("SyncGroup", sync(s, Kept("n"), Kept("h"), **instance), broken=0)
        s.ask("JoinGroup", consumer_join(s, Kept("n"), **instance), on="b", keep=keep, broken=0)
        synced(s, **({"groupInstanceId": "one"} if instance and s.version("SyncGroup") >= 3 else {}))
        s.ask("ConsumerGroupHeartbeat", consumer_beat(s, -1), broken=0)
        described(s)
        s.ask("LeaveGroup", leave(s, Kept("n")), broken=0)
        described(s)
        return
    else:
        s.ask("SyncGroup", {**sync(s, Kept("n"), Kept("h"), **instance), "assignments": [{"memberId": Kept("n"), "assignment": assigning(s, [0, 1])}]},
              on="b", broken=0)
    s.ask("OffsetCommit", commit(s, 4, Kept("n"), Kept("h"), **instance), broken=0)
    s.ask("ConsumerGroupHeartbeat", consumer_beat(s, 3, uuid), broken=0, wrong=True)
    s.ask("ConsumerGroupHeartbeat", consumer_beat(s, 0, uuid, **mine), keep=told, broken=0)
    described(s)
    s.ask("OffsetFetch", committed(s), broken=0)
    s.ask("Heartbeat", {**beat(s, member=Kept("n"), generation=Kept("h"), **instance)}, broken=0)
    s.ask("JoinGroup", consumer_join(s, Kept("n"), owned=[0, 1], **instance), on="b", keep=keep, broken=0)
    synced(s, **({"groupInstanceId": "one"} if instance and s.version("SyncGroup") >= 3 else {}))
    described(s)
    s.ask("Heartbeat", {**beat(s, member=Kept("n"), generation=Kept("h"), **instance)}, broken=0)
    s.ask("JoinGroup", consumer_join(s, Kept("n"), owned=[0], **instance), on="b", keep=keep, broken=0)
    synced(s, **({"groupInstanceId": "one"} if instance and s.version("SyncGroup") >= 3 else {}))
    s.ask("ConsumerGroupHeartbeat", consumer_beat(s), keep=told, broken=0)
    s.ask("Heartbeat", {**beat(s, member=Kept("n"), generation=Kept("h"), **instance)}, broken=0)
    described(s)
    if instance:
        s.ask("JoinGroup", consumer_join(s, **instance), on="b", keep={**keep, "n": "memberId"}, broken=0)
        described(s)
        s.ask("ConsumerGroupHeartbeat", consumer_beat(s, 0, "b" + uuid[1:], instanceId="one", **mine), broken=0, keep={"k": "memberId"})
        described(s)
        s.ask("Heartbeat", {**beat(s, member=Kept("n"), generation=Kept("h"), **instance)}, broken=0, wrong=True)
        s.ask("ConsumerGroupHeartbeat", consumer_beat(s, -1, Kept("k"), instanceId="one"), broken=0)
    else:
        s.ask("LeaveGroup", leave(s, Kept("n")), broken=0)
    s.ask("ConsumerGroupHeartbeat", consumer_beat(s), keep=told, broken=0)
    s.ask("ConsumerGroupHeartbeat", consumer_beat(s, -1), broken=0)
    described(s)
    s.ask("DeleteGroups", {"groupsNames": [s.name("g")]}, broken=0)


# A broker never answers an AlterConfigs that names a resource twice; ours refuses it.
@scene("DescribeConfigs", "IncrementalAlterConfigs", "AlterConfigs", sound=[("AlterConfigs", "resources"), ("AlterConfigs", "resourceType"), (
       "AlterConfigs", "resourceName"), ("IncrementalAlterConfigs", "resourceType"), ("IncrementalAlterConfigs", "resourceName")])
def configs(s):
    name = s.topic("t", 1, retention_ms="7000")

    def describe(keys=("retention.ms", "cleanup.policy", "nope"), **more):
        s.ask("DescribeConfigs", {"includeSynonyms": bool(s.number % 2), "includeDocumentation": False, "resources": [
            {**resource(name), "configurationKeys": list(keys), **more}]}, broken=0.5, again=True)

    def change(*changes, **more):
        rows = [{"name": n, "configOperation": op, "value": v} for n, op, v in changes]
        s.ask("IncrementalAlterConfigs", {"resources": [{**resource(name), "configs": rows, **more}], "validateOnly": False},
              broken=0.5, wrong=bool(more))
    describe()
    describe(resourceName=s.name("none"))
    change(("retention.ms", 0, "8000"), ("cleanup.policy", 2, "compact"))
    describe()
    change(("retention.ms", 1, None), ("cleanup.policy", 3, "compact"))
    describe()
    change(("retention.ms", 0, "never"))
    change(("retention.ms", 2, "1"))
    change(("nope", 0, "1"))
    change(("retention.ms", 7, "1"))
    change(("retention.ms", 0, "1"), ("retention.ms", 0, "2"))
    change(("retention.ms", 0, "1"), resourceName=s.name("none"))
    s.ask("AlterConfigs", {"resources": [{**resource(name), "configs": [{"name": "retention.ms", "value": "9000"}]}],
                           "validateOnly": False})
    describe()
    s.ask("DescribeConfigs", {"resources": [{**resource(name), "configurationKeys": None}]}, broken=0)
    s.ask("DescribeConfigs", {"resources": [{**resource("1", 4), "configurationKeys": ["num.partitions", "message.max.bytes"]}]},
          broken=0)


@scene("DescribeTopicPartitions", "DescribeLogDirs", "AlterReplicaLogDirs", "ElectLeaders", "ListPartitionReassignments", "AlterPartitionReassignments",
       "DescribeAcls", "CreateAcls", "DeleteAcls", "ListConfigResources", "DescribeClientQuotas", "DescribeUserScramCredentials",
       "ListGroups", "SaslHandshake", sound=[("DescribeTopicPartitions", "topics"), ("ElectLeaders", "topicPartitions"), ("AlterPartitionReassignments", "replicas"), ("AlterPartitionReassignments", "name")])
def other_admin(s):
    name = s.topic("t", 3)
    s.ask("DescribeTopicPartitions", {"topics": [{"name": name}, {"name": s.name("none")}], "responsePartitionLimit": 2000,
                                      "cursor": None})
    s.ask("DescribeTopicPartitions", {"topics": [{"name": name}], "responsePartitionLimit": 2, "cursor": None}, broken=0)
    s.ask("DescribeTopicPartitions", {"topics": [{"name": name}], "responsePartitionLimit": 2, "cursor": {
        "topicName": name, "partitionIndex": 2}}, broken=0)
    s.ask("DescribeLogDirs", {"topics": [{"topic": name, "partitions": [0, 1]}]}, keep={"dir": "results[0].logDir"})
    moved = [{"name": name, "partitions": [0, 9]}, {"name": s.name("none"), "partitions": [0]}]
    s.ask("AlterReplicaLogDirs", {"dirs": [{"path": "/nowhere", "topics": moved}]}, wrong=True, broken=0)
    s.ask("AlterReplicaLogDirs", {"dirs": [{"path": Kept("dir"), "topics": moved}]})
    s.ask("ElectLeaders", {"electionType": 0, "timeoutMs": 5000, "topicPartitions": [{"topic": name, "partitions": [0, 9]}]})
    s.ask("ListPartitionReassignments", {"timeoutMs": 5000, "topics": [{"name": name, "partitionIndexes": [0]}]})
    s.ask("AlterPartitionReassignments", {"timeoutMs": 5000, "topics": [{"name": name, "partitions": [
        {"partitionIndex": 0, "replicas": [1]}]}]})
    s.ask("DescribeAcls", {"resourceTypeFilter": 2, "resourceNameFilter": name, "patternTypeFilter": 3, "principalFilter": None,
                           "hostFilter": None, "operation": 1, "permissionType": 1})
    s.ask("CreateAcls", {"creations": [{"resourceType": 2, "resourceName": name, "resourcePatternType": 3,
                                        "principal": "User:one", "host": "*", "operation": 3, "permissionType": 3}]})
    s.ask("DeleteAcls", {"filters": [{"resourceTypeFilter": 2, "resourceNameFilter": name, "patternTypeFilter": 3,
                                      "principalFilter": None, "hostFilter": None, "operation": 1, "permissionType": 1}]})
    s.ask("DescribeClientQuotas", {"components": [{"entityType": "user", "matchType": 0, "match": "one"}], "strict": False})
    s.ask("DescribeUserScramCredentials", {"users": [{"name": "nobody"}]})
    s.ask("ListConfigResources", {"resourceTypes": [2]})
    s.ask("SaslHandshake", {"mechanism": "PLAIN"})
    s.ask("ListGroups", {"statesFilter": ["Nowhere"], "typesFilter": []})


def quorum(*names):
    return {"topics": [{"topicName": n, "partitions": [{"partitionIndex": 0}]} for n in names]}


# What brokers hear of later than the controller is asked of the answering one, and put back as it was.
@scene("DescribeQuorum", "UpdateFeatures", "ApiVersions", "ConsumerGroupDescribe", sound=[("UpdateFeatures", "featureUpdates"), (
       "UpdateFeatures", "feature"), ("UpdateFeatures", "validateOnly")])
def features(s):
    s.ask("DescribeQuorum", quorum("__cluster_metadata"))
    s.ask("DescribeQuorum", quorum("__cluster_metadata", "more"), wrong=True)
    s.ask("DescribeQuorum", quorum("__consumer_offsets"), wrong=True)

    def update(*levels, dry=True, **more):
        rows = [{"feature": n, "maxVersionLevel": level, "upgradeType": kind, "allowDowngrade": kind > 1} for n, level, kind in levels]
        s.ask("UpdateFeatures", {"timeoutMs": 5000, "featureUpdates": rows, "validateOnly": dry and s.version("UpdateFeatures") > 0}, **more)
    same = [("transaction.version", 2, 1), ("group.version", 1, 1)]
    update(*same)
    update(*same, dry=False, broken=0)
    for bad in (("nope", 1, 1), ("nope", 0, 2), ("transaction.version", 3, 1), ("transaction.version", -1, 1), ("transaction.version", 1, 1),
                ("transaction.version", 2, 0), ("metadata.version", 30, 2), ("metadata.version", 30, 3), ("metadata.version", 99, 1)):
        update(same[0], bad, wrong=True, broken=0)
    update()
    if s.version("UpdateFeatures") == 0:  # which ignores allowDowngrade
        update(("transaction.version", 1, 2), wrong=True, broken=0)
        return
    for kind in (2, 3):
        update(("transaction.version", 1, kind), ("group.version", 0, kind))
        update(("group.version", 0, kind), dry=False, broken=0)
        s.wait("ConsumerGroupDescribe", {"groupIds": [s.name("g")]}, 0, lambda a: a["groups"][0]["errorCode"] == 35)
        s.ask("ApiVersions", {"clientSoftwareName": "differential", "clientSoftwareVersion": "1.0"}, broken=0)
        s.ask("ConsumerGroupDescribe", {"groupIds": [s.name("g"), ""]}, broken=0)
        s.ask("ConsumerGroupHeartbeat", consumer_beat(s, 0, "m"), version=0, broken=0, wrong=True)
        update(("group.version", 1, 1), dry=False, broken=0)
        s.wait("ConsumerGroupDescribe", {"groupIds": [s.name("g")]}, 0, lambda a: a["groups"][0]["errorCode"] != 35)
        s.ask("ApiVersions", {"clientSoftwareName": "differential", "clientSoftwareVersion": "1.0"}, broken=0)


def known_by(s, name, broker):
    """All partitions have leaders as that broker sees it."""
    s.wait("Metadata", named(name), 12, lambda a: all(p["errorCode"] == 0 and len(p["isrNodes"]) == 3 for t in a["topics"]
           for p in t["partitions"] or [{"errorCode": 3}]), keep={"t": "topics[0].topicId"}, on=f"w{broker}")


def at_broker(s, name, broker, wrong):
    """What the leader of partition 0, or another, answers."""
    on = f"a{broker}"
    for batch in ([b"a", b"b"], [b"c"]):
        s.ask("Produce", produce(s, name, Batch(batch)), on=on, wrong=wrong, broken=0.3)
    s.ask("ListOffsets", offsets(name, -1), on=on, wrong=wrong, broken=0.3)
    for epoch in (0, 1, 9):
        s.ask("ListOffsets", offsets(name, -1, epoch=epoch), on=on, wrong=wrong or epoch == 9, broken=0)
        s.ask("Fetch", fetch(name, row={"currentLeaderEpoch": epoch}), on=on, wrong=wrong or epoch == 9, broken=0, again=True)
        s.ask("OffsetForLeaderEpoch", {"replicaId": -1, "topics": [{"topic": name, "partitions": [
            {"partition": 0, "currentLeaderEpoch": epoch, "leaderEpoch": 0}]}]}, on=on, wrong=wrong, broken=0)
    for rack in ("r1", "r2", "r3", "r9"):  # KIP-392: consumers are sent to the replica in their rack
        for offset in (0, 3, 99):
            s.ask("Fetch", {**fetch(name, offset), "rackId": rack}, on=on, wrong=wrong or offset == 99, broken=0, again=True)
    s.ask("Fetch", {**fetch(name, wait=300, min=1 << 20), "rackId": "r2"}, on=on, wrong=wrong, broken=0)
    s.ask("Fetch", {**fetch(name, row={"currentLeaderEpoch": 9}), "rackId": "r2"}, on=on, wrong=True, broken=0)
    s.ask("DeleteRecords", {"timeoutMs": 5000, "topics": [{"name": name, "partitions": [{"partitionIndex": 0, "offset": 1}]}]},
          on=on, wrong=wrong, broken=0)
    s.ask("Fetch", {**fetch(name), "rackId": "r3"}, on=on, wrong=True, broken=0, again=True)


# Needs three brokers: who is not the leader says so (6), who leads knows its epoch (74, 75), hints name the leader (KIP-951).
@scene("Produce", "Fetch", "ListOffsets", "OffsetForLeaderEpoch", "DeleteRecords", "ElectLeaders", "AlterPartitionReassignments",
       sound=FETCH_SOUND)
def leaders(s):
    if s.brokers() < 3:
        return
    name = s.name("t")
    rows = [{"partitionIndex": 0, "brokerIds": [1, 2, 3]}, {"partitionIndex": 1, "brokerIds": [2, 3, 1]}]
    s.ask("CreateTopics", {"timeoutMs": 5000, "topics": [{"name": name, "numPartitions": -1, "replicationFactor": -1,
                                                         "assignments": rows}]}, broken=0)
    for broker in (1, 2, 3):
        known_by(s, name, broker)
        s.ask("Metadata", named(name), on=f"a{broker}", broken=0)
    at_broker(s, name, 1, wrong=False)
    for broker in (2, 3):
        at_broker(s, name, broker, wrong=True)
    if s.has("AlterPartitionReassignments") and s.has("ElectLeaders"):
        move_leader(s, name)


def move_leader(s, name):
    s.ask("AlterPartitionReassignments", {"timeoutMs": 5000, "topics": [{"name": name, "partitions": [
        {"partitionIndex": 0, "replicas": [3, 1, 2]}]}]}, broken=0)
    s.wait("ListPartitionReassignments", {"timeoutMs": 5000, "topics": None}, 0, lambda a: not a["topics"])
    s.ask("ElectLeaders", {"electionType": 0, "timeoutMs": 5000, "topicPartitions": [{"topic": name, "partitions": [0]}]}, broken=0)
    for broker in (1, 2, 3):
        s.wait("Metadata", named(name), 12, lambda a: a["topics"][0]["partitions"][0]["leaderId"] == 3
               or a["topics"][0]["partitions"][-1]["leaderId"] == 3, on=f"w{broker}")
        s.ask("Metadata", named(name), on=f"a{broker}", broken=0)
    at_broker(s, name, 3, wrong=False)
    at_broker(s, name, 1, wrong=True)
