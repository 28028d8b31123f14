"""The life of a transactional subject, for any Python library: writes transactions of made-up values, or
reads a topic and writes what it read. Standard library only; the library's side is a Transactor."""
import sys

import subject


class Failed(Exception):
    """A step of a transaction failed. ended: nothing but the end is left; fenced: by another producer."""

    def __init__(self, text, ended=False, fenced=False):
        super().__init__(text)
        self.ended, self.fenced = ended or fenced, fenced


class Transactor:
    """What a library does. Each step raises Failed."""

    def begin(self):
        raise NotImplementedError

    def send(self, number, key, value):
        """Hand a record over; its answer goes to the sends."""
        raise NotImplementedError

    def flush(self):
        """Wait for the answers; Failed with the first that is an error."""
        raise NotImplementedError

    def read(self, most):
        """The next records of the input topic, [((topic, partition), offset, key, value)]; [] after a while."""
        raise NotImplementedError

    def rewind(self, rows):
        """Read these again."""

    def commit(self, offsets):
        """Commit, with {(topic, partition): next offset} of the input."""
        raise NotImplementedError

    def abort(self):
        raise NotImplementedError


def _text(state, number, message=None):
    subject.say("transaction", state=state, number=number, **({} if message is None else {"message": message}))


def _fill(options, transactor, sends, stop, rows, size):
    """Send the records of a transaction: those that were read, or `size` made-up ones."""
    for _place, _offset, key, value in rows:
        number, key, value, _time = sends.attempt(record=(subject.text(key), subject.text(value)))
        transactor.send(number, key, value)
    for _ in range(0 if options.input_topic else size):
        if stop.asked.is_set():
            break
        number, key, value, _time = sends.attempt()
        transactor.send(number, key, value)
        stop.asked.wait(sends.wait_s())
    transactor.flush()


def _one(options, transactor, sends, stop, rows, size, number):
    """One transaction: True when it was committed, False when it was aborted as asked for."""
    transactor.begin()
    _text("begun", number)
    wanted = options.abort_every and number % options.abort_every == 0
    try:
        _fill(options, transactor, sends, stop, rows, size)
        if not wanted:
            transactor.commit({place: offset + 1 for place, offset, _key, _value in rows})
            _text("committed", number)
            return True
    except Failed as e:
        if e.ended:
            raise
        transactor.abort()
        _text("aborted", number, str(e))
        transactor.rewind(rows)
        raise
    transactor.abort()
    _text("aborted", number, "as asked for")
    transactor.rewind(rows)
    return False


def run(options, transactor, sends, stop):
    """Transactions until the count is reached or somebody asks to stop; the exit status. What was read is
    read again after an abort; made-up values are not sent again."""
    done, number, status = 0, 0, 0
    while not stop.asked.is_set():
        size = options.transaction_size
        if options.max_messages >= 0:
            size = min(size, options.max_messages - done)
        if size <= 0:
            break
        rows = transactor.read(size) if options.input_topic else []
        if options.input_topic and not rows:
            continue
        done += 0 if options.input_topic else size
        number += 1
        try:
            if _one(options, transactor, sends, stop, rows, size, number):
                done += len(rows)
        except Failed as e:
            print(f"transactional: {e}", file=sys.stderr)
            status = 1
            if e.fenced:
                _text("fenced", number, str(e))
            if e.ended:
                break
    return status
