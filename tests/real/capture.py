"""Small captures made up message by message, for tests of the program that need what no session gives: who speaks when, what is known
when. A classic pcap of raw IPv4; a millisecond a packet from 2026-01-01 on."""
import json
import socket
import struct
import subprocess

EPOCH = 1767225600
CLIENT_SOFTWARE = b"tester"
SEGMENT = 60000


class Capture:
    def __init__(self, ktrial):
        self.ktrial, self.packets, self.seq = ktrial, [], {}

    def write(self, path):
        with open(path, "wb") as f:
            f.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 262144, 101))
            for i, p in enumerate(self.packets):
                f.write(struct.pack("<IIII", EPOCH + i // 1000, i % 1000 * 1000, len(p), len(p)) + p)
        return path

    def tcp(self, src, dst, data, flags=0x18):
        key = (src, dst)
        for end in (key, (dst, src)):  # each direction from a number of its own: equal ones make one conversation, seen behind translated addresses
            self.seq.setdefault(end, 1000 + 1000003 * len(self.seq))
        seq = self.seq[key]
        self.seq[key] = seq + len(data) + (flags & 3 != 0)
        segment = struct.pack(">HHIIBBHHH", src[1], dst[1], seq, self.seq[dst, src], 0x50, flags, 65535, 0, 0) + data
        self.packets.append(struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(segment), 0, 0, 64, 6, 0, socket.inet_aton(src[0]),
                                        socket.inet_aton(dst[0])) + segment)

    def stream(self, src, dst, data):
        for at in range(0, len(data), SEGMENT):
            self.tcp(src, dst, data[at:at + SEGMENT])

    def shake(self, client, server):
        self.tcp(client, server, b"", 0x02)
        self.tcp(server, client, b"", 0x12)

    def body(self, api, version, kind, value):
        p = subprocess.run([self.ktrial, "message", "--api", api, "--version", str(version), "--type", kind, "--encode"],
                           input=json.dumps(value), capture_output=True, text=True, timeout=20)
        if p.returncode:
            raise ValueError(f"{api} v{version} {kind}: {p.stderr}")
        return bytes.fromhex(p.stdout)

    def exchange(self, client, server, key, api, version, correlation, request, response, flexible=True):
        """A request and, unless None, its answer. flexible: the headers' form."""
        tags = b"\0" if flexible else b""
        body = self.body(api, version, "request", request)
        frame = struct.pack(">hhih", key, version, correlation, len(CLIENT_SOFTWARE)) + CLIENT_SOFTWARE + tags + body
        self.stream(client, server, struct.pack(">i", len(frame)) + frame)
        if response is not None:
            frame = struct.pack(">i", correlation) + tags + self.body(api, version, "response", response)
            self.stream(server, client, struct.pack(">i", len(frame)) + frame)
