#!/usr/bin/env python3
"""The results below a folder (what tests/tools/matrix left) as the tables of docs/matrix.md: matrix_table.py DIR."""
import collections
import datetime
import json
import pathlib
import re
import sys

WORDS = {"pass": "passed", "FAIL": "failed", "inconclusive": "inconclusive", "skipped": "skipped", "known": "known", "error": "error"}


def read(folder):
    for path in sorted(pathlib.Path(folder).rglob("result.json")):
        yield json.loads(path.read_text())



def sums(results):
    """One row a client, one column an area: passed of judged."""
    areas = sorted({r["scenario"].split("/")[0] for r in results})
    by = collections.defaultdict(collections.Counter)
    for r in results:
        by[r["client"], r["scenario"].split("/")[0]][r["verdict"]] += 1
    print(f"| client | {' | '.join(areas)} | all |\n|{' --- |' * (len(areas) + 2)}")
    for client in sorted({r["client"] for r in results}):
        cells = [by[client, a] for a in areas]
        print(f"| {client} | " + " | ".join(cell(c) for c in [*cells, sum(cells, collections.Counter())]) + " |")


def cell(counts):
    judged = sum(counts.values()) - counts["skipped"]
    extra = [f"{counts[v]} {WORDS[v]}" for v in ("FAIL", "known", "inconclusive", "error") if counts[v]]
    return (f"{counts['pass']}/{judged}" if judged else "-") + (f" ({', '.join(extra)})" if extra else "")


def known(client):
    """WHY of each line of the client's file, by scenario; a line that says likewise means the one before it."""
    path, why = pathlib.Path("clients", client.split("@")[0], "known"), ""
    for line in path.read_text().splitlines() if path.exists() else []:
        if line and not line.startswith("#"):
            pattern, _, text = line.split(" ", 2)
            why = why if text == "likewise" else text
            yield re.sub(r"\[.*", "", pattern), why


def deviations(results):
    print("| client | scenario | what |\n| --- | --- | --- |")
    for r in sorted(results, key=lambda r: (r["client"], r["scenario"], r["case"])):
        if r["verdict"] in ("pass", "skipped"):
            continue
        whys = dict(known(r["client"]))
        name = r["scenario"] + ("" if r["case"] == "default" else f" [{r['case']}]")
        what = whys.get(r["scenario"], r["reason"]) if r["verdict"] == "known" else f"**{r['verdict']}** {r['reason']}"
        what = re.sub(r"\((\S+)\.md\)", r"([\1](findings/\1.md))", what.replace("|", "\\|"))
        print(f"| {r['client']} | `{name}` | {what} |")


def main():
    results = list(read(sys.argv[1]))
    print(f"On {datetime.date.today()}: {len(results)} results of {len({r['scenario'] for r in results})} scenarios.\n")
    sums(results)
    print("\nWhat did not pass:\n")
    deviations(results)


main()
