"""The few Kafka messages that the raw clients speak, byte by byte: primitives, record batches v2,
connections. Standard library only. Versions are fixed (see VERSIONS) and none is flexible; each
connection asks ApiVersions v0 first and refuses to speak a version that it was not told."""
import select
import socket
import struct
import time

import subject

PRODUCE, FETCH, LIST_OFFSETS, METADATA, OFFSET_COMMIT, OFFSET_FETCH = 0, 1, 2, 3, 8, 9
FIND_COORDINATOR, JOIN_GROUP, HEARTBEAT, LEAVE_GROUP, SYNC_GROUP = 10, 11, 12, 13, 14
API_VERSIONS, INIT_PRODUCER_ID = 18, 22
VERSIONS = {PRODUCE: 3, FETCH: 4, LIST_OFFSETS: 1, METADATA: 1, OFFSET_COMMIT: 2, OFFSET_FETCH: 1,
            FIND_COORDINATOR: 0, JOIN_GROUP: 2, HEARTBEAT: 1, LEAVE_GROUP: 1, SYNC_GROUP: 1,
            API_VERSIONS: 0, INIT_PRODUCER_ID: 0}
NAMES = {PRODUCE: "Produce", FETCH: "Fetch", LIST_OFFSETS: "ListOffsets", METADATA: "Metadata",
         OFFSET_COMMIT: "OffsetCommit", OFFSET_FETCH: "OffsetFetch", FIND_COORDINATOR: "FindCoordinator",
         JOIN_GROUP: "JoinGroup", HEARTBEAT: "Heartbeat", LEAVE_GROUP: "LeaveGroup",
         SYNC_GROUP: "SyncGroup", INIT_PRODUCER_ID: "InitProducerId"}

# Error codes that these clients treat by name.
OFFSET_OUT_OF_RANGE, NOT_LEADER, COORDINATOR_LOADING, COORDINATOR_NOT_AVAILABLE = 1, 6, 14, 15
NOT_COORDINATOR, ILLEGAL_GENERATION, UNKNOWN_MEMBER_ID, REBALANCE_IN_PROGRESS = 16, 22, 25, 27
OUT_OF_ORDER_SEQUENCE, DUPLICATE_SEQUENCE = 45, 46
RETRIABLE = {2, 3, 5, 6, 7, 8, 9, 13, 14, 15, 16, 19, 20, 51, 56, 72, 74, 75, 100}

FRAME_MAX = 64 << 20
CONNECT_LIMIT_S = 3


class Broken(Exception):
    """The connection is gone, or what came over it is no Kafka answer."""


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
    n &= (1 << 64) - 1
    out = bytearray()
    while n > 0x7F:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    out.append(n)
    return bytes(out)


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

    def varint(self):
        n = shift = 0
        while True:
            byte = self.take(1)[0]
            n |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80 or shift > 63:
                return (n >> 1) ^ -(n & 1)

    def varblob(self):
        size = self.varint()
        return None if size < 0 else self.take(size)


def encode_batch(records, producer_id=-1, producer_epoch=-1, base_sequence=-1):
    """A record batch v2, not compressed. records: [(key, value, timestamp in ms)], bytes or None."""
    first = records[0][2]
    rows = []
    for delta, (key, value, timestamp) in enumerate(records):
        row = b"\0" + varint(timestamp - first) + varint(delta)
        for part in (key, value):
            row += varint(-1) if part is None else varint(len(part)) + part
        row += varint(0)  # headers
        rows.append(varint(len(row)) + row)
    checked = struct.pack(">hiqqqhii", 0, len(records) - 1, first, max(r[2] for r in records), producer_id,
                          producer_epoch, base_sequence, len(records)) + b"".join(rows)
    rest = struct.pack(">ibI", -1, 2, crc32c(checked)) + checked
    return i64(0) + i32(len(rest)) + rest


def decode_batches(data):
    """Read a Fetch answer's records: [(next offset, [(offset, key, value)])], one entry a batch. A batch
    that is cut off at the end is left away, as brokers may cut. Control batches have no records."""
    out, at = [], 0
    while at + 12 <= len(data):
        base_offset, size = struct.unpack_from(">qi", data, at)
        end = at + 12 + size
        if size < 49 or end > len(data):
            break
        out.append(_decode_batch(base_offset, data[at + 12:end]))
        at = end
    return out


def _decode_batch(base_offset, body):
    _epoch, magic, crc = struct.unpack_from(">ibI", body)
    if magic != 2:
        raise Broken(f"record batch with magic {magic}; the raw clients read 2 alone")
    if crc != crc32c(body[9:]):
        raise Broken(f"record batch at offset {base_offset} with a wrong CRC")
    reader = Reader(body)
    reader.take(9)
    attributes, last_delta = reader.i16(), reader.i32()
    reader.take(8 + 8 + 8 + 2 + 4)
    count = reader.i32()
    if attributes & 7:
        raise Broken("compressed record batch; the raw clients have no codec")
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
    return base_offset + last_delta + 1, [] if attributes & 0x20 else records


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

    def send(self, api, body, answered=True):
        """Write a request; its answer, if the broker gives one, is awaited later."""
        low, high = self.versions.get(api, (0, -1))
        if not low <= VERSIONS[api] <= high:
            raise subject.Unsupported(f"the broker has no {NAMES[api]} v{VERSIONS[api]}")
        self.correlation += 1
        head = struct.pack(">hhi", api, VERSIONS[api], self.correlation) + string(self.client_id)
        try:
            self.socket.settimeout(30)
            self.socket.sendall(i32(len(head) + len(body)) + head + body)
        except OSError as e:
            raise Broken(f"send: {e}") from e
        if answered:
            self.waiting.append(self.correlation)

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
        if not self.waiting or correlation != self.waiting.pop(0):
            raise Broken(f"an answer with correlation id {correlation} out of turn")
        return reader

    def call(self, api, body, limit_s, stop=None):
        """Send and await one answer. None when `stop` (an Event) is set meanwhile."""
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

    def __init__(self, bootstrap, client_id):
        self.client_id = client_id
        self.bootstrap = [self._address(part) for part in bootstrap.split(",")]
        self.brokers, self.leaders, self.connections = {}, {}, {}

    @staticmethod
    def _address(part):
        host, _, port = part.strip().rpartition(":")
        return host.strip("[]"), int(port)

    def refresh(self, topic):
        """Ask any broker for the topic's metadata; False when it gives no leader yet."""
        last = None
        for address in [*self.brokers.values(), *self.bootstrap]:
            try:
                connection = Connection(address, self.client_id)
                try:
                    return self._learn(topic, connection.call(METADATA, array([string(topic)]), 5))
                finally:
                    connection.close()
            except Broken as e:
                last = e
        raise Broken(f"no broker answers Metadata: {last}")

    def _learn(self, topic, r):
        brokers = r.array(lambda: (r.i32(), (r.string(), r.i32()), r.string()))
        r.i32()  # controller
        topics = r.array(lambda: (r.i16(), r.string(), r.i8(), r.array(
            lambda: (r.i16(), r.i32(), r.i32(), r.array(r.i32), r.array(r.i32)))))
        self.brokers = {broker: address for broker, address, _rack in brokers}
        self.leaders = {}
        for code, name, _internal, partitions in topics:
            if name == topic and not code:
                self.leaders = {index: leader for _, index, leader, _, _ in partitions}
        return bool(self.leaders) and all(leader in self.brokers for leader in self.leaders.values())

    def to(self, broker):
        """The connection to a broker by its id; made when there is none."""
        if broker not in self.brokers:
            raise Broken(f"broker {broker} is not known")
        if broker not in self.connections:
            self.connections[broker] = Connection(self.brokers[broker], self.client_id)
        return self.connections[broker]

    def drop(self, broker):
        """Close a broker's connection and forget it."""
        connection = self.connections.pop(broker, None)
        if connection:
            connection.close()

    def close(self):
        for broker in list(self.connections):
            self.drop(broker)
