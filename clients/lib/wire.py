"""The few Kafka messages that the raw clients speak, byte by byte: primitives, record batches v2 and the messages of
before them, connections. Standard library only. VERSIONS has the versions of each API that the clients can build, the
preferred one first; each connection asks ApiVersions v0 first and speaks none that it was not told."""
import os
import select
import socket
import struct
import time
import zlib

import subject

PRODUCE, FETCH, LIST_OFFSETS, METADATA, OFFSET_COMMIT, OFFSET_FETCH = 0, 1, 2, 3, 8, 9
FIND_COORDINATOR, JOIN_GROUP, HEARTBEAT, LEAVE_GROUP, SYNC_GROUP = 10, 11, 12, 13, 14
API_VERSIONS, INIT_PRODUCER_ID, ADD_PARTITIONS_TO_TXN, ADD_OFFSETS_TO_TXN, END_TXN = 18, 22, 24, 25, 26
OFFSET_FOR_LEADER_EPOCH, TXN_OFFSET_COMMIT, CONSUMER_GROUP_HEARTBEAT = 23, 28, 68
VERSIONS = {PRODUCE: (7, 3), FETCH: (11, 7, 4), LIST_OFFSETS: (1,), METADATA: (12, 1), OFFSET_COMMIT: (7, 2),
            OFFSET_FETCH: (1,), FIND_COORDINATOR: (1,), JOIN_GROUP: (5, 2), HEARTBEAT: (3, 1),
            LEAVE_GROUP: (1,), SYNC_GROUP: (3, 1), API_VERSIONS: (0,), INIT_PRODUCER_ID: (0,),
            ADD_PARTITIONS_TO_TXN: (0,), ADD_OFFSETS_TO_TXN: (0,), END_TXN: (0,), TXN_OFFSET_COMMIT: (3,),
            OFFSET_FOR_LEADER_EPOCH: (3,), CONSUMER_GROUP_HEARTBEAT: (1,)}
NEWEST = {FETCH: (16,)} if os.environ.get("KTRIAL_RAW") == "newest" else {}  # preferred to those
FLEXIBLE = {FETCH: 12, METADATA: 9, OFFSET_COMMIT: 8, TXN_OFFSET_COMMIT: 3, CONSUMER_GROUP_HEARTBEAT: 0}  # the version from which on an API has compact lengths and tags (KIP-482)
NAMES = {PRODUCE: "Produce", FETCH: "Fetch", LIST_OFFSETS: "ListOffsets", METADATA: "Metadata",
         OFFSET_COMMIT: "OffsetCommit", OFFSET_FETCH: "OffsetFetch", FIND_COORDINATOR: "FindCoordinator",
         JOIN_GROUP: "JoinGroup", HEARTBEAT: "Heartbeat", LEAVE_GROUP: "LeaveGroup",
         SYNC_GROUP: "SyncGroup", INIT_PRODUCER_ID: "InitProducerId",
         ADD_PARTITIONS_TO_TXN: "AddPartitionsToTxn", ADD_OFFSETS_TO_TXN: "AddOffsetsToTxn", END_TXN: "EndTxn",
         OFFSET_FOR_LEADER_EPOCH: "OffsetForLeaderEpoch", TXN_OFFSET_COMMIT: "TxnOffsetCommit",
         CONSUMER_GROUP_HEARTBEAT: "ConsumerGroupHeartbeat"}

# Error codes that these clients treat by name.
OFFSET_OUT_OF_RANGE, NOT_LEADER, COORDINATOR_LOADING, COORDINATOR_NOT_AVAILABLE = 1, 6, 14, 15
NOT_COORDINATOR, ILLEGAL_GENERATION, UNKNOWN_MEMBER_ID, REBALANCE_IN_PROGRESS = 16, 22, 25, 27
OUT_OF_ORDER_SEQUENCE, DUPLICATE_SEQUENCE = 45, 46
INVALID_PRODUCER_EPOCH, CONCURRENT_TRANSACTIONS, UNKNOWN_PRODUCER_ID, PRODUCER_FENCED = 47, 51, 59, 90
FENCED_LEADER_EPOCH, FENCED_MEMBER_EPOCH, STALE_MEMBER_EPOCH = 74, 110, 113
FETCH_SESSION_ID_NOT_FOUND, INVALID_FETCH_SESSION_EPOCH, MEMBER_ID_REQUIRED = 70, 71, 79
RETRIABLE = {2, 3, 5, 6, 7, 8, 9, 13, 14, 15, 16, 19, 20, 51, 56, 72, 74, 75, 100}

GZIP, TRANSACTIONAL, CONTROL = 1, 0x10, 0x20  # attributes of a batch
FRAME_MAX = 64 << 20
CONNECT_LIMIT_S = 3


class Broken(Exception):
    """The connection is gone, or what came over it is no Kafka answer."""


class Unreadable(Broken):
    """A batch that can't be expanded."""


class KafkaError(Exception):
    """An error code that the caller can't mend."""

    def __init__(self, api, code):
        super().__init__(f"{NAMES[api]} answered error {code}")
        self.code = code


def _crc_table():
    rows = []
    for n in range(256):
        for _ in range(8):
            n = (n >> 1) ^ (0x82F63B78 if n & 1 else 0)
        rows.append(n)
    return rows


_CRC = _crc_table()


def crc32c(data):
    """CRC-32C (Castagnoli), as record batches v2 carry it."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _CRC[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


def i8(n):
    return struct.pack(">b", n)


def i16(n):
    return struct.pack(">h", n)


def i32(n):
    return struct.pack(">i", n)


def i64(n):
    return struct.pack(">q", n)


def string(s):
    """A string with int16 length; None is null."""
    return i16(-1) if s is None else i16(len(s.encode())) + s.encode()


def blob(data):
    """Bytes with int32 length; None is null."""
    return i32(-1) if data is None else i32(len(data)) + data


def array(items):
    """An array of encoded items."""
    return i32(len(items)) + b"".join(items)


def varint(n):
    """A signed number in zigzag and seven bits a byte."""
    n = (n << 1) ^ (n >> 63)
    return uvarint(n & (1 << 64) - 1)


def uvarint(n):
    """An unsigned number in seven bits a byte."""
    out = bytearray()
    while n > 0x7F:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    out.append(n)
    return bytes(out)


def cstring(s):
    """A compact string; None is null."""
    return uvarint(0) if s is None else uvarint(len(s.encode()) + 1) + s.encode()


def carray(items):
    """A compact array of encoded items; None is null."""
    return uvarint(0) if items is None else uvarint(len(items) + 1) + b"".join(items)


TAGS = b"\0"  # no tagged fields


class Reader:
    """Takes a body apart from the front. Reading past its end raises Broken."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, count):
        if count < 0 or self.at + count > len(self.data):
            raise Broken("an answer ends too early")
        self.at += count
        return self.data[self.at - count:self.at]

    def number(self, form):
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def i8(self):
        return self.number(">b")

    def i16(self):
        return self.number(">h")

    def i32(self):
        return self.number(">i")

    def i64(self):
        return self.number(">q")

    def string(self):
        size = self.i16()
        return None if size < 0 else self.take(size).decode()

    def blob(self):
        size = self.i32()
        return None if size < 0 else self.take(size)

    def array(self, read):
        """A list of what read() gives; null is empty."""
        return [read() for _ in range(self.i32())]

    def uvarint(self):
        n = shift = 0
        while True:
            byte = self.take(1)[0]
            n |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80 or shift > 63:
                return n

    def varint(self):
        n = self.uvarint()
        return (n >> 1) ^ -(n & 1)

    def cstring(self):
        size = self.uvarint()
        return None if size == 0 else self.take(size - 1).decode()

    def carray(self, read):
        return [read() for _ in range(self.uvarint() - 1)]

    def tags(self):
        """Tagged fields are skipped."""
        self.tagged()

    def tagged(self):
        """Tagged fields: {tag: bytes}."""
        return {self.uvarint(): self.take(self.uvarint()) for _ in range(self.uvarint())}

    def cblob(self):
        size = self.uvarint()
        return None if size == 0 else self.take(size - 1)

    def varblob(self):
        size = self.varint()
        return None if size < 0 else self.take(size)


def encode_batch(records, producer_id=-1, producer_epoch=-1, base_sequence=-1, attributes=0):
    """A record batch v2, not compressed. records: [(key, value, timestamp in ms)], bytes or None."""
    first = records[0][2]
    rows = []
    for delta, (key, value, timestamp) in enumerate(records):
        row = b"\0" + varint(timestamp - first) + varint(delta)
        for part in (key, value):
            row += varint(-1) if part is None else varint(len(part)) + part
        row += varint(0)  # headers
        rows.append(varint(len(row)) + row)
    checked = struct.pack(">hiqqqhii", attributes, len(records) - 1, first, max(r[2] for r in records), producer_id,
                          producer_epoch, base_sequence, len(records)) + b"".join(rows)
    rest = struct.pack(">ibI", -1, 2, crc32c(checked)) + checked
    return i64(0) + i32(len(rest)) + rest


class Aborted:
    """Which batches of a Fetch answer belong to aborted transactions. listed: [(producer id, first offset)]; from
    there on what a producer wrote in transactions is aborted, up to its abort marker."""

    def __init__(self, listed):
        self.coming, self.open = sorted(listed, key=lambda row: row[1]), set()

    def hides(self, base_offset, producer_id, attributes, records):
        while self.coming and self.coming[0][1] <= base_offset:
            self.open.add(self.coming.pop(0)[0])
        if attributes & CONTROL:
            if records and records[0][1][2:4] == b"\0\0":  # the marker's type: 0 abort, 1 commit
                self.open.discard(producer_id)
            return True
        return bool(attributes & TRANSACTIONAL) and producer_id in self.open


def decode_batches(data, aborted=()):
    """Read a Fetch answer's records: [(next offset, [(offset, key, value)])], one entry a batch, or a message of before
    there were batches. A batch that is cut off at the end is left away, as brokers may cut. Control batches have no
    records, nor those of the aborted transactions, [(producer id, first offset)]."""
    out, filter_ = [], Aborted(aborted)
    for base_offset, body in split(data):
        try:
            next_offset, producer_id, attributes, records = decode_batch(base_offset, body)
        except Unreadable:
            if not out:
                raise
            break  # first what stands before it
        hidden = filter_.hides(base_offset, producer_id, attributes, records)
        out.append((next_offset, [] if hidden else records))
    return out


def split(data):
    """What stands behind each other, in an answer or inside a compressed message: (offset, the bytes behind the length)."""
    at = 0
    while at + 17 <= len(data):
        offset, size = struct.unpack_from(">qi", data, at)
        end = at + 12 + size
        if size < (14 if data[at + 16] < 2 else 49) or end > len(data):
            break
        yield offset, data[at + 12:end]
        at = end


def last_epoch(data):
    """The leader epoch of the last whole batch of a Fetch answer; -1 if there is none."""
    epoch = -1
    for _offset, body in split(data):
        epoch = struct.unpack_from(">i", body)[0] if body[4] == 2 else -1
    return epoch


def decode_message(offset, body):
    """A message of magic 0 or 1, with what is compressed in it: [(offset, key, value)]."""
    crc, magic, attributes = struct.unpack_from(">IBb", body)
    if crc != zlib.crc32(body[4:]):
        raise Broken(f"message at offset {offset} with a wrong CRC")
    reader = Reader(body)
    reader.take(6 + 8 * magic)  # magic 1 has a timestamp
    key, value = reader.blob(), reader.blob()
    if not attributes & 7:
        return [(offset, key, value)]
    if attributes & 7 != GZIP:
        raise Unreadable(f"message at offset {offset} with codec {attributes & 7}; the raw clients read gzip alone")
    try:
        found = split(zlib.decompress(value, 31))
    except zlib.error as e:
        raise Unreadable(f"message at offset {offset}: {e}") from e
    return place(offset, magic, [row for at, inner in found for row in decode_message(at, inner)])


def place(offset, magic, rows):
    """Offsets inside a compressed message are absolute in magic 0. In magic 1 they count from 0, and the message around
    them has the last one's (KIP-31)."""
    base = offset - rows[-1][0] if magic else 0
    return [(base + at, key, value) for at, key, value in rows]


def decode_batch(base_offset, body, checked=True):
    """One batch, or message of before: (next offset, producer id, attributes, records)."""
    _epoch, magic, crc = struct.unpack_from(">ibI", body)
    if magic in (0, 1):
        return base_offset + 1, -1, 0, decode_message(base_offset, body)
    if magic != 2:
        raise Broken(f"record batch with magic {magic}")
    if checked and crc != crc32c(body[9:]):
        raise Broken(f"record batch at offset {base_offset} with a wrong CRC")
    reader = Reader(body)
    reader.take(9)
    attributes, last_delta = reader.i16(), reader.i32()
    reader.take(8 + 8)
    producer_id = reader.i64()
    reader.take(2 + 4)
    count = reader.i32()
    if attributes & 7 == GZIP:
        try:
            reader = Reader(zlib.decompress(reader.data[reader.at:], 31))
        except zlib.error as e:
            raise Unreadable(f"record batch at offset {base_offset}: {e}") from e
    elif attributes & 7:
        raise Unreadable(f"record batch at offset {base_offset} with codec {attributes & 7}; the raw clients read gzip alone")
    records = []
    for _ in range(count):
        reader.varint()  # length
        reader.i8()  # attributes
        reader.varint()  # timestamp
        offset = base_offset + reader.varint()
        key, value = reader.varblob(), reader.varblob()
        for _ in range(reader.varint()):
            reader.varblob()
            reader.varblob()
        records.append((offset, key, value))
    return base_offset + last_delta + 1, producer_id, attributes, records


class Connection:
    """One connection to a broker. Requests may be pipelined with send(); answers come in order."""

    def __init__(self, address, client_id):
        self.client_id, self.waiting, self.correlation, self.buffer = client_id, [], 0, b""
        try:
            self.socket = socket.create_connection(address, CONNECT_LIMIT_S)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as e:
            raise Broken(f"connect to {address[0]}:{address[1]}: {e}") from e
        self.versions = {API_VERSIONS: (0, 0)}
        self.flexible = {}  # {correlation id: whether the answer's header has tags}
        self.muted_until_s = 0.0  # a broker asked for silence until then
        try:
            self.versions = self._ask_versions()
        except Broken:
            self.close()
            raise

    def _ask_versions(self):
        """What the broker speaks: {key: (lowest, highest version)}."""
        r = self.call(API_VERSIONS, b"", CONNECT_LIMIT_S)
        code = r.i16()
        if code:
            raise Broken(f"ApiVersions answered error {code}")
        return dict(r.array(lambda: (r.i16(), (r.i16(), r.i16()))))

    def close(self):
        self.socket.close()

    def version(self, api):
        """The preferred version of those that the broker has, too."""
        low, high = self.versions.get(api, (0, -1))
        for version in NEWEST.get(api, ()) + VERSIONS[api]:
            if low <= version <= high:
                return version
        raise subject.Unsupported(f"the broker has no {NAMES[api]} v{VERSIONS[api][-1]}")

    def send(self, api, body, answered=True, version=None):
        """Write a request; its answer, if the broker gives one, is awaited later."""
        version = self.version(api) if version is None else version
        self.correlation += 1
        head = struct.pack(">hhi", api, version, self.correlation) + string(self.client_id)
        flexible = version >= FLEXIBLE.get(api, version + 1)
        head += TAGS if flexible else b""
        try:
            self.socket.settimeout(30)
            self.socket.sendall(i32(len(head) + len(body)) + head + body)
        except OSError as e:
            raise Broken(f"send: {e}") from e
        if answered:
            self.waiting.append(self.correlation)
            self.flexible[self.correlation] = flexible

    def poll(self, timeout_s):
        """The next answer as a Reader, or None when none is whole in time."""
        end = time.monotonic() + timeout_s
        while True:
            frame = self._frame()
            if frame is not None:
                return frame
            try:
                ready, _, _ = select.select([self.socket], [], [], max(0, end - time.monotonic()))
                if not ready:
                    return None
                got = self.socket.recv(1 << 16)
            except OSError as e:
                raise Broken(f"receive: {e}") from e
            if not got:
                raise Broken("closed by the broker")
            self.buffer += got

    def _frame(self):
        if len(self.buffer) < 4:
            return None
        size = struct.unpack(">i", self.buffer[:4])[0]
        if not 4 <= size <= FRAME_MAX:
            raise Broken(f"a frame of {size} bytes")
        if len(self.buffer) < 4 + size:
            return None
        reader = Reader(self.buffer[4:4 + size])
        self.buffer = self.buffer[4 + size:]
        correlation = reader.i32()
        self.match(correlation)
        if self.flexible.pop(correlation, False):
            reader.tags()
        return reader

    def match(self, correlation):
        """The answer must be that to the oldest open request."""
        if not self.waiting or correlation != self.waiting.pop(0):
            raise Broken(f"an answer with correlation id {correlation} out of turn")

    def is_over(self):
        """Whether the broker has closed it while nothing was under way."""
        try:
            return not self.waiting and bool(select.select([self.socket], [], [], 0)[0]) and not self.socket.recv(1, socket.MSG_PEEK)
        except OSError:
            return True

    def call(self, api, body, limit_s, stop=None):
        """Send and await one answer. None when `stop` (a Flag) is set meanwhile."""
        self.send(api, body)
        end = time.monotonic() + limit_s
        while time.monotonic() < end:
            answer = self.poll(min(0.1, max(0, end - time.monotonic())))
            if answer:
                return answer
            if stop and stop.is_set():
                return None
        raise Broken(f"{NAMES.get(api, api)}: no answer within {limit_s} s")


class Cluster:
    """Who leads which partition, and the connections to the brokers."""

    connect = Connection

    def __init__(self, bootstrap, client_id):
        self.client_id = client_id
        self.bootstrap = [self._address(part) for part in bootstrap.split(",")]
        self.brokers, self.leaders, self.epochs, self.connections = {}, {}, {}, {}
        self.topic_id, self.turn = b"", 0

    @staticmethod
    def _address(part):
        host, _, port = part.strip().rpartition(":")
        return host.strip("[]"), int(port)

    def refresh(self, topic):
        """Ask any broker for the topic's metadata; False when it gives no leader yet."""
        last, known = None, list(self.brokers.values())
        self.turn += 1  # not always the same broker
        first = self.turn % max(1, len(known))
        for address in [*known[first:], *known[:first], *self.bootstrap]:
            try:
                connection = self.connect(address, self.client_id)
                try:
                    return self._ask(topic, connection)
                finally:
                    connection.close()
            except Broken as e:
                last = e
        raise Broken(f"no broker answers Metadata: {last}")

    def _ask(self, topic, connection):
        if connection.version(METADATA) == 1:
            r = connection.call(METADATA, array([string(topic)]), 5)
            brokers = r.array(lambda: (r.i32(), (r.string(), r.i32()), r.string()))
            r.i32()  # controller
            topics = r.array(lambda: (r.i16(), r.string(), b"", r.i8(), r.array(
                lambda: (r.i16(), r.i32(), r.i32(), -1, (r.array(r.i32), r.array(r.i32))))))
            return self._learn(topic, brokers, topics)
        body = carray([bytes(16) + cstring(topic) + TAGS]) + b"\1\0" + TAGS
        r = connection.call(METADATA, body, 5)
        r.i32()  # throttle
        brokers = r.carray(lambda: (r.i32(), (r.cstring(), r.i32()), (r.cstring(), r.tags())))
        r.cstring(), r.i32()  # cluster id, controller
        topics = r.carray(lambda: (r.i16(), r.cstring(), r.take(16), r.i8(), r.carray(lambda: (
            r.i16(), r.i32(), r.i32(), r.i32(),
            (r.carray(r.i32), r.carray(r.i32), r.carray(r.i32), r.tags()))), r.i32(), r.tags()))
        return self._learn(topic, brokers, [row[:5] for row in topics])

    def _learn(self, topic, brokers, topics):
        self.brokers = {broker: address for broker, address, _rack in brokers}
        before, self.leaders = self.leaders, {}
        for code, name, topic_id, _internal, partitions in topics:
            if name != topic or code:
                continue
            if topic_id != self.topic_id:  # made anew: nothing that was known counts
                self.topic_id, self.epochs = topic_id, {}
            for _, index, leader, epoch, _ in partitions:
                if self.is_old(index, epoch) and index in before:
                    self.leaders[index] = before[index]
                else:
                    self.leaders[index], self.epochs[index] = leader, epoch
        return bool(self.leaders) and all(leader in self.brokers for leader in self.leaders.values())

    def is_old(self, partition, epoch):
        """Whether a broker tells of a leader that is known to be past (KIP-320)."""
        return 0 <= epoch < self.epochs.get(partition, -1)

    def to(self, broker):
        """The connection to a broker by its id; made when there is none."""
        if broker not in self.brokers:
            raise Broken(f"broker {broker} is not known")
        if broker not in self.connections:
            self.connections[broker] = self.connect(self.brokers[broker], self.client_id)
        return self.connections[broker]

    def find(self, kind, key):
        """Ask any broker for a coordinator (kind 0: of a group, 1: of a transactional id): (code, address)."""
        broker = min(self.brokers)
        try:
            r = self.to(broker).call(FIND_COORDINATOR, string(key) + i8(kind), 5)
        except Broken:
            self.drop(broker)
            raise
        r.i32()  # throttle
        code, _message, _node = r.i16(), r.string(), r.i32()
        return code, (r.string(), r.i32())

    def drop(self, broker):
        """Close a broker's connection and forget it."""
        connection = self.connections.pop(broker, None)
        if connection:
            connection.close()

    def close(self):
        for broker in list(self.connections):
            self.drop(broker)
