"""The frame of a feature program in Python: runs its features side by side and prints one line each,

    ok|FAIL|n/a FEATURE detail

A feature is a function that returns a detail, raises NotAvailable when its client can't do it, and
anything else when it did not come out as it should. What has not ended after LIMIT_S has failed.

For a session that is played again, FEATURES_TAG in the environment runs them one after the other, with names that are the same each
time (behind each stands the tag and a count), and FEATURES names those to run, with commas between them.
"""
import concurrent.futures
import itertools
import os
import secrets
import sys
import time
import traceback

LIMIT_S = 45
TAG = os.environ.get("FEATURES_TAG")
AT_ONCE = 1 if TAG else 4
count = itertools.count(1)
START = time.monotonic()


class NotAvailable(Exception):
    """The client has no such feature; the text says since when, or what it lacks."""


def bootstrap():
    if len(sys.argv) != 2:
        sys.exit(f"usage: {sys.argv[0]} BOOTSTRAP")
    return sys.argv[1]


def unique(name):
    """A name that no other run uses."""
    return f"{name}-{TAG}-{next(count)}" if TAG else f"{name}-{secrets.token_hex(4)}"


def until(what, condition, seconds=20):
    """Wait for the first true result of condition() and return it."""
    end = time.monotonic() + seconds
    while True:
        got = condition()
        if got:
            return got
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.05)


def equal(got, wanted, what=""):
    if got != wanted:
        raise AssertionError(f"{what}: {got!r:.200} is not {wanted!r:.200}")


def refused(error, call):
    """call() must raise `error`."""
    try:
        call()
    except error:
        return
    raise AssertionError(f"no {error.__name__}")


def say(state, name, detail):
    print(f"{state} {name} {' '.join(str(detail or '').split())}".rstrip(), flush=True)


def outcome(function):
    try:
        return "ok", function()
    except NotAvailable as e:
        return "n/a", e
    except Exception as e:  # whatever a library throws is this feature's failure
        if os.environ.get("TRACE"):
            traceback.print_exc()
        return "FAIL", f"{type(e).__name__}: {e}"[:300]


def main(features):
    """Runs {name: function} and ends the process: 0, or 1 when one failed."""
    chosen = os.environ.get("FEATURES")
    features = {n: f for n, f in features.items() if not chosen or n in chosen.split(",")}
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        running = {pool.submit(outcome, function): name for name, function in features.items()}
        failed = report(running)
        sys.stdout.flush()
        os._exit(1 if failed else 0)  # a library's thread that hangs must not keep the process


def report(running):
    failed = False
    left = LIMIT_S - (time.monotonic() - START)
    try:
        for done in concurrent.futures.as_completed(running, left):
            state, detail = done.result()
            say(state, running.pop(done), detail)
            failed = failed or state == "FAIL"
    except concurrent.futures.TimeoutError:
        for name in running.values():
            say("FAIL", name, f"no end within {LIMIT_S} s")
        failed = True
    return failed
