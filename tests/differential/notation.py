"""Reads protocol/messages/*.msg: which fields a request has at a version, to fill it in and to break it.
What the notation means is in docs/protocol.md."""
import pathlib
import re

MESSAGES = pathlib.Path(__file__).resolve().parent.parent.parent / "protocol/messages"
EVER = (0, 32767)
NUMBERS = {"int8": 127, "int16": 32767, "uint16": 65535, "int32": 2 ** 31 - 1, "uint32": 2 ** 32 - 1,
           "int64": 2 ** 63 - 1}
ZERO_UUID = "A" * 22


class Field:
    """One field: name, type, array, nullable (versions or None), versions, tag, default, children."""

    def __init__(self, name, kind, words):
        self.name = name
        self.null_versions = EVER if kind.startswith("?") else None
        kind = kind.lstrip("?")
        self.array = kind.startswith("[]")
        self.type = kind[2:] if self.array else kind
        self.versions, self.tag, self.default, self.children = EVER, None, None, []
        self.has_default = False
        self._words(words)

    def _words(self, words):
        words = iter(words)
        for word in words:
            if word == "tag":
                self.tag = int(next(words))
            elif word == "=":
                self.has_default, self.default = True, value_of(next(words))
            elif word == "null":
                self.null_versions = span(next(words))
            elif re.match(r"v\d", word):
                self.versions = span(word)

    def at(self, version):
        return self.versions[0] <= version <= self.versions[1]

    def nullable(self, version):
        return bool(self.null_versions) and self.null_versions[0] <= version <= self.null_versions[1]

    def empty(self, version):
        """What stands in a request that does not name the field."""
        if self.has_default:
            return self.default
        if self.array:
            return []
        if self.type in NUMBERS or self.type == "float64":
            return 0
        if self.type in ("", "{}"):
            return fill(self.children, version, {})
        return {"bool": False, "uuid": ZERO_UUID, "records": None}.get(self.type, "")


def span(word):
    first, _, last = word.lstrip("v").partition("-")
    if first.endswith("+"):
        return int(first[:-1]), 32767
    return int(first), int(last or first)


def value_of(text):
    if text == "null":
        return None
    if text in ("true", "false"):
        return text == "true"
    return text.strip('"') if text.startswith('"') else int(text, 0)


class Message:
    """A request or a response: name, key, versions, flexible_since, fields."""

    def __init__(self, words):
        self.name = words[1]
        self.key = int(words[words.index("key") + 1])
        self.versions = span(next(w for w in words[2:] if re.match(r"v\d", w)))
        self.flexible_since = span(words[words.index("flexible") + 1])[0] if "flexible" in words else 32767
        self.fields = []


def read_all():
    """({name: request}, {name: response})"""
    requests, responses = {}, {}
    for path in sorted(MESSAGES.glob("*.msg")):
        for block in blocks(path.read_text()):
            kind = block[0][1].split()[0]
            if kind in ("request", "response"):
                message = parse(block)
                (requests if kind == "request" else responses)[message.name] = message
    return requests, responses


def blocks(text):
    """Runs of (indentation, line), one for each message."""
    found = []
    for line in text.splitlines():
        line = re.sub(r"(^|\s)#.*", "", line).rstrip()
        if line and not line.startswith(" "):
            found.append([])
        if line:
            found[-1].append(((len(line) - len(line.lstrip())) // 2, line.strip()))
    return found


def parse(block):
    message, named = Message(block[0][1].split()), {}
    stack = [message.fields]  # the list that a line of each depth goes to
    for depth, line in block[1:]:
        del stack[depth:]
        if line.startswith("struct "):
            stack.append(named.setdefault(line.split()[1], []))
            continue
        name, _, rest = line.partition(":")
        kind, *words = rest.split()
        field = Field(name, kind, words)
        stack[depth - 1].append(field)
        stack.append(field.children)
    resolve(message.fields, named)
    for fields in named.values():
        resolve(fields, named)
    return message


def resolve(fields, named):
    for field in fields:
        if field.type in named:
            field.children, field.type = named[field.type], "{}"
        else:
            resolve(field.children, named)


def fill(fields, version, given):
    """A request's JSON at a version: what `given` names, defaults for the rest, without what the version
    lacks. A name that no version has is a mistake in a scene."""
    unknown = set(given) - {f.name for f in fields}
    assert not unknown, f"no such field: {unknown}"
    out = {}
    for field in fields:
        if not field.at(version):
            continue
        if field.name not in given:
            if field.tag is None:
                out[field.name] = field.empty(version)
            continue
        out[field.name] = filled(field, version, given[field.name])
    return out


def filled(field, version, value):
    if value is None and not field.nullable(version):
        return field.empty(version) if not field.has_default or field.default is not None else []
    if field.children and isinstance(value, list):
        return [fill(field.children, version, v) for v in value]
    if field.children and isinstance(value, dict):
        return fill(field.children, version, value)
    return value
