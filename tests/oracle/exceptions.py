"""The table in docs/protocol.md of what ktrial's messages do not take from a release, read by the tests."""
import pathlib

DOC = pathlib.Path(__file__).resolve().parent.parent.parent / "docs/protocol.md"
HEAD = "| release | message | versions | what | in that release | in ktrial |"


class Table:
    def __init__(self):
        lines = DOC.read_text().split("\n") if DOC.exists() else []
        self.rows, self.used = [], set()
        if HEAD not in lines:
            return
        for line in lines[lines.index(HEAD) + 2:]:
            if not line.startswith("|"):
                break
            self.rows.append([c.strip().strip("`") for c in line.strip("|").split("|")])

    def _find(self, release, message, kind, version, what):
        for row in self.rows:
            name, _, row_kind = row[1].partition(" ")
            first, _, last = row[2].partition("-")
            if (row[0], row[3]) == (release, what) and name == message and row_kind in ("", kind) \
                    and (row[2] == "all" or int(first) <= version <= int(last or first)):
                yield row

    def allows(self, release, message, kind, version, what, theirs, ours):
        """True if a row says so: the same words, or "layout", which excuses a whole message version."""
        for row in self._find(release, message, kind, version, "layout"):
            self.used.add(tuple(row))
            return True
        for row in self._find(release, message, kind, version, what):
            if what == "name" and (theirs.split(".")[-1], ours.split(".")[-1]) != (row[4], row[5]):
                same = theirs.replace(row[4], row[5]) == ours
                if not same:
                    continue
            elif what != "name" and (theirs, ours) != (row[4], row[5]):
                continue
            self.used.add(tuple(row))
            return True
        return False

    def message(self, release, name):
        """ktrial's name of a message that a release calls otherwise."""
        for row in self.rows:
            if row[0] == release and row[3] == "message" and row[4] == name:
                self.used.add(tuple(row))
                return row[5]
        return name

    def other_layout(self, release, message, kind, version):
        return any(True for _ in self._find(release, message, kind, version, "layout"))

    def renamed(self, release, message, kind, version):
        """{name in that release: ktrial's} of the fields of one message version."""
        return {row[4]: row[5] for row in self._find(release, message, kind, version, "name")}

    def unused(self):
        return [" | ".join(r) for r in self.rows if tuple(r) not in self.used]
