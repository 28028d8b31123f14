"""A cluster for each test process: with pytest-xdist each worker has its own, on free ports."""
import json
import os
import subprocess
import urllib.request

import pytest


class Cluster:
    def __init__(self, ready):
        words = dict(word.split("=", 1) for word in ready.split()[1:])
        self.bootstrap, self.control = words["bootstrap"].split(","), words["control"]

    def ask(self, path, body=None, method=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"http://{self.control}{path}", data, method=method)
        return json.load(urllib.request.urlopen(request, timeout=30))

    def rule(self, name, text):
        return self.ask("/rules", {"name": name, "rule": text})

    def hits(self, name):
        return self.ask(f"/rules/{name}")["hits"]


@pytest.fixture(scope="session")
def process():
    command = ["ktrial", "serve", "--brokers", "3", "--listen", "127.0.0.1:0", "--topic", "orders:3", "--with-parent"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as p:
        yield p.stdout.readline()
        p.terminate()


@pytest.fixture
def cluster(process):
    """The same cluster for each test of a worker, as after its start."""
    c = Cluster(process)
    c.ask("/reset", method="POST")
    return c


@pytest.fixture
def bootstrap(request):
    """For tests that need no fault of their own: under `ktrial run --under` the scenario's cluster."""
    given = os.environ.get("KTRIAL_BOOTSTRAP")
    return given.split(",") if given else request.getfixturevalue("cluster").bootstrap
