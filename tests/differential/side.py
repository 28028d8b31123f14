"""One side of the comparison: connections to a broker, whole requests to whole answers. The bodies are put
into bytes and back by ktrial's own codec (`ktrial message --batch`), which the wire fixtures prove."""
import base64
import functools
import gzip
import json
import pathlib
import socket
import struct
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent.parent / "clients/lib"))
from wire import Reader, crc32c, varint  # noqa: E402  the raw clients' own

ANSWER_S = 6


class Codec:
    """JSON to hex and back, by two `ktrial message --batch` processes that stay."""

    def __init__(self, ktrial):
        self.encoder = self._start(ktrial, "--encode")
        self.decoder = self._start(ktrial)

    @staticmethod
    def _start(ktrial, *more):
        return subprocess.Popen(["stdbuf", "-oL", ktrial, "message", "--batch", *more], stdin=subprocess.PIPE,
                                stdout=subprocess.PIPE, text=True, bufsize=1)

    @staticmethod
    def _ask(process, key, version, kind, **what):
        process.stdin.write(json.dumps({"apiKey": key, "version": version, "type": kind, **what}) + "\n")
        process.stdin.flush()
        return json.loads(process.stdout.readline())

    def encode(self, key, version, value):
        """The body's bytes, or None and why it can't be encoded."""
        got = self._ask(self.encoder, key, version, "request", value=value)
        return (bytes.fromhex(got["hex"]), None) if "hex" in got else (None, got.get("error"))

    def decode(self, key, version, body):
        got = self._ask(self.decoder, key, version, "response", hex=body.hex())
        return got.get("value", {"undecodable": got.get("error"), "hex": body.hex()})

    def close(self):
        for process in (self.encoder, self.decoder):
            process.stdin.close()
            process.wait(5)


class Side:
    """A broker and the connections to it, by name. What a scene keeps of its answers is in `kept`."""

    def __init__(self, name, bootstrap, codec):
        parts = [address.rsplit(":", 1) for address in bootstrap.split(",")]
        self.addresses = [(host, int(port)) for host, port in parts]  # of the brokers 1, 2, ...
        self.name, self.codec = name, codec
        self.connections, self.kept, self.correlation = {}, {}, 0

    def reset(self):
        for connection in self.connections.values():
            connection.close()
        self.connections, self.kept = {}, {}

    def connection(self, name):
        """A name that ends in a digit is a connection to that broker, others to the first."""
        if name not in self.connections:
            broker = int(name[-1]) if name[-1].isdigit() else 1
            self.connections[name] = socket.create_connection(self.addresses[broker - 1], ANSWER_S)
            self.connections[name].setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self.connections[name]

    def send(self, name, message, version, body, client="differential"):
        """Sends a request of any bytes; the correlation id."""
        self.correlation += 1
        header = struct.pack(">hhih", message.key, version, self.correlation, len(client)) + client.encode()
        if version >= message.flexible_since:
            header += b"\0"
        try:
            self.connection(name).sendall(struct.pack(">i", len(header) + len(body)) + header + body)
        except OSError:
            pass  # the answer will tell
        return self.correlation

    def receive(self, name, message, version, seconds=ANSWER_S):
        """{"answer": JSON}, or what came instead: "closed", "silent", or another correlation id."""
        connection = self.connection(name)
        connection.settimeout(seconds)
        try:
            size = struct.unpack(">i", self._exactly(connection, 4))[0]
            frame = self._exactly(connection, size)
        except socket.timeout:
            self._drop(name)
            return {"outcome": "silent"}
        except OSError:
            self._drop(name)
            return {"outcome": "closed"}
        correlation = struct.unpack_from(">i", frame)[0]
        if correlation != self.correlation and name != "b":
            return {"outcome": f"an answer with correlation id {correlation - self.correlation:+d}"}
        skip = 5 if version >= message.flexible_since and message.key != 18 else 4
        if message.key == 18 and frame[4:6] == b"\0\x23":
            version = 0
        return {"answer": self.codec.decode(message.key, version, frame[skip:])}

    @staticmethod
    def _exactly(connection, size):
        data = b""
        while len(data) < size:
            part = connection.recv(size - len(data))
            if not part:
                raise ConnectionError
            data += part
        return data

    def _drop(self, name):
        self.connections.pop(name).close()


@functools.lru_cache(64)  # a large one takes long
def batch(records, base, codec=0, attributes=0, producer=(-1, -1, -1), break_it=None):
    """A record batch of magic 2 in base64. records: values, or (key, value) pairs; timestamps count up from
    base. codec: 0 none, 1 gzip. producer: id, epoch, first sequence. break_it changes the finished bytes."""
    rows = []
    for delta, record in enumerate(records):
        row = b"\0" + varint(delta) + varint(delta)
        for part in record if isinstance(record, tuple) else (b"k", record):
            row += varint(-1) if part is None else varint(len(part)) + part
        row += varint(0)
        rows.append(varint(len(row)) + row)
    content = b"".join(rows)
    if codec == 1:
        content = gzip.compress(content, mtime=0)
    last = len(records) - 1
    fields = [attributes | codec, last, base, base + last, *producer, len(records)]
    whole = assemble(fields, content)
    return base64.b64encode(break_it(whole) if break_it else whole).decode()


def assemble(fields, content):
    checked = struct.pack(">hiqqqhii", *fields) + content
    rest = struct.pack(">ibI", -1, 2, crc32c(checked)) + checked
    return struct.pack(">qi", 0, len(rest)) + rest


def recomputed(change):
    """A breaker that changes the part under the CRC and makes the CRC right again."""
    def breaker(whole):
        checked = bytearray(whole[21:])
        change(checked)
        return whole[:17] + struct.pack(">I", crc32c(bytes(checked))) + bytes(checked)
    return breaker


def put(at, data):
    def change(raw):
        raw[at:at + len(data)] = data
    return change


def flip_crc(whole):
    return whole[:17] + bytes([whole[17] ^ 255]) + whole[18:]


# Batches that a broker must look at: name and what makes one of a right batch.
BREAKERS = {
    "crc": flip_crc,
    "magic": lambda w: w[:16] + b"\x09" + w[17:],
    "short": lambda w: w[:-3],
    "twice": lambda w: w + w,
    "length": lambda w: w[:8] + struct.pack(">i", 5) + w[12:],
    "base-offset": lambda w: struct.pack(">q", 7) + w[8:],
    "codec": recomputed(put(0, b"\0\x07")),
    "control": recomputed(put(0, b"\0\x20")),
    "last-delta": recomputed(put(2, struct.pack(">i", 9))),
    "count": recomputed(put(36, struct.pack(">i", 9))),
    "count-0": recomputed(put(36, struct.pack(">i", 0))),
}


def batches(text):
    """What a broker's records field says, as JSON."""
    if text is None:
        return None
    data, out, at = base64.b64decode(text), [], 0
    while at + 61 <= len(data):
        base, size, epoch, magic, crc = struct.unpack_from(">qiibI", data, at)
        end = at + 12 + size
        if end > len(data):
            break
        if magic != 2:
            out.append({"magic": magic, "hex": data[at:end].hex()})
        else:
            out.append(one_batch(base, epoch, crc, data[at:end]))
        at = end
    if at < len(data):
        out.append({"partial": True})
    return out


def one_batch(base, epoch, crc, raw):
    names = ("attributes", "lastOffsetDelta", "baseTimestamp", "maxTimestamp", "producerId", "producerEpoch",
             "baseSequence", "count")
    got = dict(zip(names, struct.unpack_from(">hiqqqhii", raw, 21)))
    got.update(baseOffset=base, leaderEpoch=epoch, crcRight=crc == crc32c(raw[21:]))
    content = raw[61:]
    if got["attributes"] & 7 == 1:
        content = gzip.decompress(content)
    if got["attributes"] & 7 > 1:
        got["content"] = content.hex()
        return got
    got["records"] = [one_record(reader) for reader in [Reader(content)] for _ in range(got["count"])]
    if got["attributes"] & 0x20:
        got["controlTimestamps"] = [got.pop("baseTimestamp"), got.pop("maxTimestamp")]
    return got


def one_record(reader):
    reader.varint()
    reader.i8()
    times, offset = reader.varint(), reader.varint()
    key, value = reader.varblob(), reader.varblob()
    for _ in range(2 * reader.varint()):
        reader.varblob()
    return [times, offset, *(None if b is None else b.hex() for b in (key, value))]
