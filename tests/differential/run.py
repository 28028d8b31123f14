"""One run of a scene: its requests to both sides, broken copies between them, the answers compared."""
import base64
import collections
import copy
import json
import random
import re
import time

import side
from compare import Comparison, shown
from notation import NUMBERS, ZERO_UUID, fill, read_all

UNTIL_S = 20
BROKEN_PER_REQUEST = 1.0
BETWEEN_BROKERS = ("WriteTxnMarkers",)  # no client sends it
NOWHERE = "bm93aGVyZS1ub3doZXJlIQ"  # a uuid that nobody gave to a topic


def alike(value):
    """A value for telling kinds of difference apart: not this run's names, times and ids."""
    if isinstance(value, int):
        return value if abs(value) < 1000 else "a large number"
    if isinstance(value, str) and not value.startswith(("absent", "{", "[")):
        return re.sub(r"\d.*", "", value)[:12]
    return re.sub(r"\d+", "", shown(value, 40))


class Difference:
    """One answer that was not the same on both sides."""

    def __init__(self, run, step, first, api, version, request, answers, found):
        self.run, self.step, self.first = run, step, first
        self.api, self.version, self.request, self.answers, self.found = api, version, request, answers, found

    def kind(self):
        path, real, mock = self.found[0]
        return self.api, path, *map(alike, (real, mock))

    def text(self, limit):
        lines = [f"{self.api} v{self.version} in {self.run}, step {self.step}"
                 + ("" if self.first else " (after an earlier difference)")]
        lines += [f"  {path}: real {shown(real, limit or 4000)}, mock {shown(mock, limit or 4000)}"
                  for path, real, mock in self.found[:8]]
        lines.append(f"  request {shown(self.request, limit or 20000)}")
        if not limit:
            lines += [f"  {name} {shown(answer, 20000)}" for name, answer in zip(("real", "mock"), self.answers)]
        return "\n".join(lines)


class Tally:
    """What all runs found."""

    def __init__(self, sides):
        self.sides = sides
        self.requests, self.responses = read_all()
        self.pairs, self.differences = collections.Counter(), []
        self.exchanges = self.wrong = 0
        self.common = self._common()

    def _common(self):
        """{API: (lowest, highest)} of what both advertise."""
        message, ranges = self.requests["ApiVersions"], []
        for s in self.sides:
            s.send("a", message, 0, b"")
            keys = s.receive("a", message, 0)["answer"]["apiKeys"]
            ranges.append({row["apiKey"]: (row["minVersion"], row["maxVersion"]) for row in keys})
        both = {}
        for name, request in self.requests.items():
            if name not in BETWEEN_BROKERS and all(request.key in r for r in ranges):
                pair = [r[request.key] for r in ranges]
                both[name] = (max(p[0] for p in pair + [request.versions]), min(p[1] for p in pair + [request.versions]))
        if "Produce" in both:
            both["Produce"] = (max(3, both["Produce"][0]), both["Produce"][1])  # 0 to 2 are advertised only
        return both


class Kept:
    """Stands in a request for what each side's own answer said."""

    def __init__(self, name, change=None):
        self.name, self.change = name, change

    def on(self, one):
        value = one.kept.get(self.name)
        return self.change(value) if self.change and value is not None else value


class Batch:
    """Stands in a request for a batch; producer id, epoch and such may be Kept."""

    def __init__(self, values, producer=(-1, -1, -1), break_it=None, **more):
        self.values, self.producer, self.break_it, self.more = values, producer, break_it, more

    def on(self, one):
        producer = tuple(resolve(p, one) for p in self.producer)
        producer = tuple(-1 if p is None else p for p in producer)
        more = {"base": one.kept["now"], **self.more}
        return side.batch(tuple(self.values), producer=producer, break_it=side.BREAKERS.get(self.break_it), **more)


def resolve(value, one):
    if isinstance(value, (Kept, Batch)):
        return value.on(one)
    if isinstance(value, dict):
        return {k: resolve(v, one) for k, v in value.items()}
    if isinstance(value, list):
        return [resolve(v, one) for v in value]
    return value


def path_of(value, path):
    """What stands at a.b[0].c; None where there is nothing."""
    for part in path.replace("]", "").replace("[", ".").split("."):
        if part.isdigit():
            value = value[int(part)] if isinstance(value, list) and int(part) < len(value) else None
        else:
            value = value.get(part) if isinstance(value, dict) else None
    return value


class Run:
    def __init__(self, tally, allowed, scene, number, seed):
        self.tally, self.scene, self.number = tally, scene, number
        self.random = random.Random(f"{seed}/{scene.name}/{number}")
        self.comparison = Comparison(allowed)
        self.label = f"{scene.name} run {number}"
        self.prefix = f"d{int(time.time()) % 100000000}-{scene.name}-{number}"
        self.step, self.differed = 0, False
        self.pending = {}

    def play(self):
        now = int(time.time() * 1000) - 1000  # older batches would roll segments and expire producers
        for one in self.tally.sides:
            one.reset()
            one.kept["now"] = now
        self.scene.play(self)

    # ---- for scenes

    def name(self, text):
        """A topic's, group's or transactional id's name that is this run's own."""
        return f"{self.prefix}-{text}"

    def has(self, api):
        return api in self.tally.common

    def version(self, api):
        low, high = self.tally.common[api]
        return low + self.number % (high - low + 1)

    def topic(self, text, partitions=1, **configs):
        """A topic that both sides have; its id is kept under `text`. Made at the highest version."""
        name = self.name(text)
        rows = [{"name": k.replace("_", "."), "value": v} for k, v in configs.items()]
        self.ask("CreateTopics", {"timeoutMs": 5000, "topics": [
            {"name": name, "numPartitions": partitions, "replicationFactor": 1, "configs": rows}]},
            broken=0, keep={text: "topics[0].topicId"})
        self.wait("Metadata", {"topics": [{"name": name, "topicId": ZERO_UUID}], "allowAutoTopicCreation": False}, 12,
                  lambda a: all(p["errorCode"] == 0 for t in a["topics"] for p in t["partitions"] or [{"errorCode": 3}]),
                  keep={text: "topics[0].topicId"})
        for partition in range(partitions):  # Metadata may know a leader before it does
            self.wait("ListOffsets", {"replicaId": -1, "topics": [{"name": name, "partitions": [
                {"partitionIndex": partition, "timestamp": -1}]}]}, 5, lambda a: not a["topics"][0]["partitions"][0]["errorCode"])
        return name

    def brokers(self):
        return min(len(one.addresses) for one in self.tally.sides)

    def wait(self, api, body, version, good, keep=None, on="w"):
        """Asks each side until its answer is good; else nothing is compared."""
        if not self.has(api):
            return
        message = self.tally.requests[api]
        for one in self.tally.sides:
            request = fill(message.fields, version, resolve(body, one))
            data, _ = one.codec.encode(message.key, version, request)
            end = time.monotonic() + UNTIL_S
            while True:
                one.send(on, message, version, data)
                answer = one.receive(on, message, version).get("answer")
                if answer and good(answer):
                    break
                if time.monotonic() > end:
                    self._differs(message, version, request, [answer] * 2, [(f"what the {one.name} one comes to", "in time", "not")])
                    break
                time.sleep(0.02)
            for name, path in (keep or {}).items():
                one.kept[name] = path_of(answer, path)

    def ask(self, api, body, on="a", version=None, keep=None, broken=None, wrong=False, again=False):
        """Some broken copies, then the request itself. again: it reads what brokers hear of later than whoever
        made the change, so it is asked until both answer the same."""
        if not self.has(api):
            return
        if version is None:
            version = self.version(api)
        elif not self.tally.common[api][0] <= version <= self.tally.common[api][1]:
            return
        count = BROKEN_PER_REQUEST if broken is None else broken
        for _ in range(int(count) + (self.random.random() < count % 1)):
            self._broken(api, version, body, on)
        self.send(api, body, on, version, wrong)
        self.receive(on, keep, again)

    def send(self, api, body, on="a", version=None, wrong=False):
        """The request without waiting for its answer."""
        if not self.has(api):
            return
        version = self.version(api) if version is None else version
        message = self.tally.requests[api]
        requests = [fill(message.fields, version, resolve(body, one)) for one in self.tally.sides]
        self._send_all(message, version, requests, on, wrong)

    def receive(self, on="a", keep=None, again=False):
        """The answer to the last request of a connection, compared."""
        if on not in self.pending:
            return
        message, version, requests, wrong, step = self.pending.pop(on)
        end = time.monotonic() + UNTIL_S
        answers = self._answers(on, message, version, requests)
        while again and self.comparison.would_differ(message.name, *answers) and time.monotonic() < end:
            time.sleep(0.05)
            for one, request in zip(self.tally.sides, requests):
                one.send(on, message, version, one.codec.encode(message.key, version, request)[0])
            answers = self._answers(on, message, version, requests)
        for one, answer in zip(self.tally.sides, answers):
            for name, path in (keep or {}).items():
                one.kept[name] = path_of(answer.get("answer"), path)
        self._judge(message, version, requests, answers, wrong, step)

    # ---- inside

    def _send_all(self, message, version, requests, on, wrong, mangle=None):
        self.step += 1
        bodies = [one.codec.encode(message.key, version, request) for one, request in zip(self.tally.sides, requests)]
        if any(body is None for body, _ in bodies):
            assert wrong, f"{self.label}: {message.name} v{version}: {bodies[0][1] or bodies[1][1]}: {requests[0]}"
            return False
        for one, (body, _) in zip(self.tally.sides, bodies):
            one.send(on, message, version, mangle(body) if mangle else body)
        self.pending[on] = (message, version, requests, wrong, self.step)
        return True

    def _answers(self, on, message, version, requests):
        return [self._answer(one, on, message, version, request) for one, request in zip(self.tally.sides, requests)]

    def _answer(self, one, on, message, version, request):
        """acks=0 has no answer: an ApiVersions behind it shows whether the connection still stands."""
        if message.name == "Produce" and request["acks"] == 0:
            message, version = self.tally.requests["ApiVersions"], 0
            one.send(on, message, version, b"")
            got = one.receive(on, message, version)
            return got if "outcome" in got else {"outcome": "no answer"}
        got = one.receive(on, message, version)
        if "answer" in got and message.name in ("Fetch", "ShareFetch"):
            for topic in got["answer"].get("responses", []):
                for partition in topic["partitions"]:
                    partition["records"] = side.batches(partition["records"])
        return got

    def _judge(self, message, version, requests, answers, wrong, step):
        self.tally.exchanges += 1
        self.tally.wrong += wrong
        self.tally.pairs[message.name, version] += 1
        found = self.comparison.differences(message.name, *answers)
        if found:
            self._differs(message, version, requests[0], answers, found, step)

    def _differs(self, message, version, request, answers, found, step=None):
        self.tally.differences.append(Difference(self.label, step or self.step, not self.differed, message.name, version,
                                                 request, answers, found))
        self.differed = True

    def _broken(self, api, version, body, on):
        message = self.tally.requests[api]
        requests = [fill(message.fields, version, resolve(body, one)) for one in self.tally.sides]
        mangle = None
        if self.random.random() < 0.06:
            mangle = self.random.choice([lambda b: b[:len(b) // 2], lambda b: b + b"\0\1\2"])
        else:
            change = self._change(message, version, requests[0], body)
            if change is None:
                return
            for request in requests:
                change(request)
        if self._send_all(message, version, requests, on, True, mangle):
            self.receive(on)

    def _change(self, message, version, request, body):
        """A function that breaks one field, chosen by the seed; the same on both sides."""
        places = list(self._places(message.fields, version, request, ()))
        places = [p for p in places if (message.name, p[1].name) not in self.scene.sound
                  and ("*", p[1].name) not in self.scene.sound]
        if not places:
            return None
        place, field = self.random.choice(places)
        value = self._other(field, version)
        if value is NotImplemented:
            return None

        def change(target):
            for step in place[:-1]:
                target = target[step]
            old = target[place[-1]]
            target[place[-1]] = value(old) if callable(value) else copy.deepcopy(value)
        return change

    def _places(self, fields, version, value, at):
        for field in fields:
            if not field.at(version) or field.name not in value:
                continue
            here = value[field.name]
            yield (*at, field.name), field
            if field.children and isinstance(here, list):
                for i, row in enumerate(here[:2]):
                    yield from self._places(field.children, version, row, (*at, field.name, i))
            elif field.children and isinstance(here, dict):
                yield from self._places(field.children, version, here, (*at, field.name))

    def _other(self, field, version):
        """Another value for a field, or how to make one of the old."""
        pick = self.random.choice
        if field.nullable(version) and field.type != "records" and self.random.random() < 0.2:
            return None
        if field.array:
            return pick([[], lambda old: (old or []) + (old or [])[:1]])
        if field.name.endswith("Ms"):
            return pick([-1, 0, 1, 50])
        if field.type in NUMBERS:
            top = NUMBERS[field.type]
            if field.name.lower().endswith("producerid"):  # a small one may be somebody's
                return pick([-2, -1, top])
            return pick([-2, -1, 0, 1, 2, 7, top]) if not field.type.startswith("u") else pick([0, 1, top])
        names = ["", self.name("nope"), self.name("b/?"), self.name("x" * 300)]
        return {"string": lambda: pick(names), "uuid": lambda: pick([ZERO_UUID, NOWHERE]),
                "bool": lambda: lambda old: not old, "bytes": lambda: pick(["", "AAEC"]),
                "records": lambda: side_breaker(pick(list(side.BREAKERS)))}.get(field.type, lambda: NotImplemented)()


def side_breaker(name):
    def breaker(old):
        return base64.b64encode(side.BREAKERS[name](base64.b64decode(old))).decode() if old else ""
    return breaker
