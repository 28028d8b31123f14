"""Two answers side by side, field by field, through the table of what may differ (allowed.txt)."""
import fnmatch
import json
import pathlib

SENTINELS = (None, "", -1, "AAAAAAAAAAAAAAAAAAAAAA")
RULES = ("any", "id", "time", "text", "unordered", "subset", "known", "near", "lower")


class Allowed:
    """The table: lines `API PATH RULE [ARGUMENT] # why`."""

    def __init__(self, path=pathlib.Path(__file__).with_name("allowed.txt")):
        self.rows, self.used = [], set()
        for number, line in enumerate(path.read_text().splitlines(), 1):
            words = line.partition("#")[0].split()
            if not words:
                continue
            assert words[2] in RULES and "#" in line, f"{path}:{number}: {line}"
            self.rows.append((words[0], words[1], words[2], words[3] if len(words) > 3 else None, number))

    def rules(self, api, path):
        for row_api, row_path, rule, argument, number in self.rows:
            if row_api in ("*", api) and fnmatch.fnmatchcase(path, row_path):
                self.used.add(number)
                yield rule, argument


class Comparison:
    """Compares answers of one run. Ids that differ must differ in the same way everywhere."""

    def __init__(self, allowed):
        self.allowed = allowed
        self.pairs = {}  # (kind, real's) -> mock's and the reverse

    def differences(self, api, real, mock):
        """[(path, real's value, mock's)]"""
        found = []
        if set(real) != set(mock) or "outcome" in real:
            if real != mock:
                found.append(("outcome", shown(real), shown(mock)))
            return found
        self._value(api, "", real["answer"], mock["answer"], found)
        return found

    def would_differ(self, api, real, mock):
        """The same question, but nothing is remembered of the ids."""
        pairs = dict(self.pairs)
        found = self.differences(api, real, mock)
        self.pairs = pairs
        return bool(found)

    def _value(self, api, path, real, mock, found):
        rules = dict(self.allowed.rules(api, path))
        if "any" in rules:
            return
        if isinstance(real, list) and isinstance(mock, list):
            self._list(api, path, real, mock, rules, found)
        elif isinstance(real, dict) and isinstance(mock, dict):
            for key in {**real, **mock}:
                self._value(api, f"{path}.{key}".lstrip("."), real.get(key, "absent"), mock.get(key, "absent"), found)
        elif not self._excused(rules, real, mock):
            found.append((path, real, mock))

    def _excused(self, rules, real, mock):
        if "id" in rules:
            return self._same_id(rules["id"], real, mock)
        if "time" in rules and isinstance(real, int) and isinstance(mock, int):
            return real == mock or (real > 0 and mock > 0)
        if "near" in rules and isinstance(real, int) and isinstance(mock, int):
            return abs(real - mock) <= int(rules["near"])
        if "lower" in rules and isinstance(real, int) and isinstance(mock, int):
            return mock <= real
        if "text" in rules:
            return (real is None) == (mock is None)
        return real == mock

    def _same_id(self, kind, real, mock):
        if real in SENTINELS or mock in SENTINELS or (kind == "session" and 0 in (real, mock)):
            return real == mock
        there = self.pairs.setdefault((kind, "real", real), mock)
        back = self.pairs.setdefault((kind, "mock", mock), real)
        return there == mock and back == real

    def _as_mock(self, text):
        """A row's key with the mock's id in place of the real one's, where the pair is known."""
        for (_, whose, value), other in self.pairs.items():
            if whose == "real" and isinstance(value, str) and text == shown(value):
                return shown(other)
        return text

    def _list(self, api, path, real, mock, rules, found):
        key = rules.get("unordered") or rules.get("subset") or rules.get("known")
        if key:
            real = sorted(real, key=lambda row: self._as_mock(sort_key(row, key)))
            mock = sorted(mock, key=lambda row: sort_key(row, key))
        if "subset" in rules:  # the mock may have fewer
            has = {sort_key(row, key) for row in mock}
            real = [row for row in real if sort_key(row, key) in has]
        if "known" in rules:  # either may have more
            has = {sort_key(row, key) for row in mock} & {sort_key(row, key) for row in real}
            real, mock = ([row for row in rows if sort_key(row, key) in has] for rows in (real, mock))
        if len(real) != len(mock):
            found.append((path, f"{len(real)} of {shown(real)}", f"{len(mock)} of {shown(mock)}"))
            return
        for one, other in zip(real, mock):
            self._value(api, path, one, other, found)


def sort_key(row, key):
    if key == "." or not isinstance(row, dict):
        return shown(row)
    return shown(next((row[k] for k in key.split(",") if k in row), None))


def shown(value, limit=400):
    text = json.dumps(value, sort_keys=True)
    return text if len(text) <= limit else text[:limit] + "..."
