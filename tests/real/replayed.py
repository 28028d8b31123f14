"""`ktrial replay --as broker` for tests: started, asked in frames of one's own, ended; and what it said."""
import json
import re
import signal
import socket
import struct
import subprocess

CLIENT = b"tester"


class Broker:
    """A replay until the end of the block; then `status` and `said` (stderr) are there."""

    def __init__(self, ktrial, capture, *options):
        self.ktrial = ktrial
        self.words = [ktrial, "replay", str(capture), "--as", "broker", "--listen", "127.0.0.1:0", "--with-parent", *options]
        self.status = self.said = None

    def __enter__(self):
        self.process = subprocess.Popen(self.words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True,
                                        errors="replace")
        line = self.process.stdout.readline()
        ready = re.fullmatch(r"ready bootstrap=(\S+) control=off\n", line)
        if not ready:
            raise RuntimeError(f"not ready: {line!r} {self.process.communicate(timeout=20)[1]}")
        self.bootstrap = ready[1]
        self.addresses = [(a.rsplit(":", 1)[0], int(a.rsplit(":", 1)[1])) for a in ready[1].split(",")]
        return self

    def __exit__(self, *_):
        self.end()

    def end(self):
        if self.status is None:
            self.process.send_signal(signal.SIGTERM)
            _, self.said = self.process.communicate(timeout=60)
            self.status = self.process.returncode

    def connect(self, broker=0):
        return Peer(self.ktrial, self.addresses[broker])


class Peer:
    """A connection; bodies are JSON as `ktrial message` has it."""

    def __init__(self, ktrial, address):
        self.ktrial, self.correlation = ktrial, 100
        self.socket = socket.create_connection(address, timeout=20)

    def message(self, api, version, kind, given, *options):
        p = subprocess.run([self.ktrial, "message", "--api", api, "--version", str(version), "--type", kind, *options],
                           input=given, capture_output=True, text=True, timeout=20)
        if p.returncode:
            raise ValueError(f"{api} v{version} {kind}: {p.stderr}")
        return p.stdout

    def send(self, key, api, version, request, flexible):
        self.correlation += 1
        body = bytes.fromhex(self.message(api, version, "request", json.dumps(request), "--encode"))
        head = struct.pack(">hhih", key, version, self.correlation, len(CLIENT)) + CLIENT + (b"\0" if flexible else b"")
        self.socket.sendall(struct.pack(">i", len(head) + len(body)) + head + body)

    def take(self, n):
        got = b""
        while len(got) < n:
            piece = self.socket.recv(n - len(got))
            if not piece:
                raise ConnectionError("closed")
            got += piece
        return got

    def receive(self, api, version, flexible):
        frame = self.take(struct.unpack(">i", self.take(4))[0])
        if struct.unpack(">i", frame[:4])[0] != self.correlation:
            raise ValueError("another correlation id")
        return json.loads(self.message(api, version, "response", frame[5 if flexible else 4:].hex()))

    def ask(self, key, api, version, request, flexible=True):
        """The answer; "closed" or "reset" where the connection ends in its place."""
        try:
            self.send(key, api, version, request, flexible)
            return self.receive(api, version, flexible and api != "ApiVersions")
        except ConnectionResetError:
            return "reset"
        except ConnectionError:
            return "closed"
