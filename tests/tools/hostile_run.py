"""A run that is hostile to whoever shows it: markup in the claim, in what a subject says, and in a record's key and value on the wire."""
import os
import pathlib
import subprocess

EVIL = "</script><img src=x onerror=hurt()><!--"
SCENARIO = """scenario { name = "t/hostile", claim = "%s", timeout = "20s" }
local t = cluster { brokers = 1 }:topic("t")
local p = client("p", { speaks = "verifiable-producer", args = { topic = t, max_messages = 2 } })
must(delivery.no_loss(p, t))
"""
PRODUCER = """#!/usr/bin/python3
import os, sys, json, kafka
evil = %r
p = kafka.KafkaProducer(bootstrap_servers=os.environ["KTRIAL_BOOTSTRAP"].split(","), client_id="p")
done = p.send("t", evil.encode(), key=evil.encode()).get(timeout=10)
for name in ("startup_complete", "send_attempt", "producer_send_success", "shutdown_complete"):
    print(json.dumps({"name": name, "topic": "t", "key": evil, "value": evil, "partition": 0, "offset": 0}), flush=True)
print(json.dumps({"name": evil}), flush=True)
print(evil, file=sys.stderr)
"""


def run(ktrial, folder):
    """Runs it; (the page, the folder of results)."""
    folder = pathlib.Path(folder)
    (folder / "client").mkdir()
    (folder / "hostile.lua").write_text(SCENARIO % EVIL)
    (folder / "client" / "producer").write_text(PRODUCER % EVIL)
    (folder / "client" / "producer").chmod(0o755)
    subprocess.run([ktrial, "run", str(folder / "hostile.lua"), "--client", str(folder / "client"), "--html",
                    str(folder / "one.html"), "--out", str(folder / "out")], capture_output=True, timeout=60, check=False)
    return folder / "one.html", folder / "out"


def large(ktrial, folder, page):
    """A page of a wrong client's run, with verdicts of both kinds, groups and faults."""
    out = os.path.join(folder, "many")
    subprocess.run([ktrial, "run", "scenarios/produce/lost-ack.lua", "scenarios/group/two-members.lua", "--client", "broken/reorders", "--client",
                    "consumer=raw", "-j2", "--html", page, "--out", out], capture_output=True, timeout=100, check=False)
    return out
