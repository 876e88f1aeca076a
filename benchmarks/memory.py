"""What memory the operating system gives, measured in a process of its own: ``python memory.py value|reply|kept|produce|idle|open N``.

Prints one JSON object. Sizes are octets of resident memory (RSS), which counts what Python's own accounting does not see.
"""

from __future__ import annotations

import gc
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil  # type: ignore[import-untyped]

import l7codecs
from l7codecs import Sender, Session

READ_SIZE = 65_536
PROCESS = psutil.Process()
STATUS = Path("/proc/self/status")


def resident() -> int:
    """Octets of resident memory now."""
    return int(PROCESS.memory_info().rss)


def reset_peak() -> bool:
    """Let Linux forget the highest resident size so far; False where it cannot."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return False
    return "VmHWM:" in STATUS.read_text()


def peak() -> int:
    """The highest resident size since `reset_peak`, as the kernel kept it."""
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


def fresh_reads(size: int) -> Iterator[bytes]:
    """Reads of a descriptor, each a new object, as a socket's: what is kept of them counts."""
    source = os.open("/dev/zero", os.O_RDONLY)
    try:
        while size > 0:
            chunk = os.read(source, min(READ_SIZE, size))
            size -= len(chunk)
            yield chunk
    finally:
        os.close(source)


def large_value(sender: Sender, size: int, keep: bool = False) -> dict[str, object]:
    """How far the peak rises above the level before, while a value of `size` octets passes.

    With `keep` the events are kept, which shows that the measure sees what is kept.
    """
    session = l7codecs.open_session("redis")
    # Whatever is loaded or set up at first use is there before; nothing larger than one read is.
    use(session, 0)
    if sender is Sender.SERVER:
        list(session.receive(Sender.CLIENT, b"*2\r\n$3\r\nGET\r\n$3\r\nkey\r\n"))
    for _ in fresh_reads(READ_SIZE):
        pass
    gc.collect()
    kernel = reset_peak()
    before = highest = resident()
    octets = 0
    kept: list[bytes] = []
    for chunk in value_reads(sender, size):
        for event in session.receive(sender, chunk):
            octets += len(event.raw)
            if keep:
                kept.append(event.raw)
        if not kernel:
            highest = max(highest, resident())
    after = peak() if kernel else highest
    return {"growth": max(0, after - before), "octets": octets, "by": "kernel" if kernel else "samples"}


def value_reads(sender: Sender, size: int) -> Iterator[bytes]:
    """A SET command, or the answer to a GET, whose value has `size` octets, in reads."""
    yield b"*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$%d\r\n" % size if sender is Sender.CLIENT else b"$%d\r\n" % size
    yield from fresh_reads(size)
    yield b"\r\n"


def large_produce(size: int) -> dict[str, object]:
    """The same of a Produce of Kafka whose records have `size` octets."""
    session = l7codecs.open_session("kafka")
    from kafka_octets import REQUESTS, large_head  # beside this file, which is a script

    list(session.receive(Sender.CLIENT, REQUESTS[0].request))
    for event in l7codecs.open_session("kafka").receive(Sender.CLIENT, large_head(size)):
        _ = event.resources if isinstance(event, l7codecs.Message) else ()
    for _ in fresh_reads(READ_SIZE):
        pass
    gc.collect()
    kernel = reset_peak()
    before = highest = resident()
    octets = 0
    topics: set[object] = set()
    for chunk in _produce_reads(large_head(size), size):
        for event in session.receive(Sender.CLIENT, chunk):
            octets += len(event.raw)
            if isinstance(event, l7codecs.Message):
                topics.update(event.resources)
        if not kernel:
            highest = max(highest, resident())
    assert topics == {"orders"}
    after = peak() if kernel else highest
    return {"growth": max(0, after - before), "octets": octets, "by": "kernel" if kernel else "samples"}


def _produce_reads(head: bytes, size: int) -> Iterator[bytes]:
    yield head
    yield from fresh_reads(size)
    yield bytes(3)  # the tagged fields of a partition, a topic and the body


def sessions(count: int, used: bool) -> dict[str, object]:
    """Octets of each of `count` open sessions; with `used`, each has received a command and its answer."""
    opened: list[Session | None] = [None] * count
    for index in range(16):  # set up what is shared
        use(l7codecs.open_session("redis"), index)
    gc.collect()
    before = resident()
    for index in range(count):
        session = l7codecs.open_session("redis")
        if used:
            use(session, index)
        opened[index] = session
    gc.collect()
    return {"each": (resident() - before) / count, "count": sum(1 for session in opened if session is not None)}


def use(session: Session, index: int) -> None:
    """Receive one command and its answer, each in a read of its own, and keep nothing of them."""
    key = b"user:%d" % index
    commands = list(session.receive(Sender.CLIENT, b"*2\r\n$3\r\nGET\r\n$%d\r\n%s\r\n" % (len(key), key)))
    assert len(commands) == session.pending == 1
    answers = list(session.receive(Sender.SERVER, b"$%d\r\n%s\r\n" % (len(key), key)))
    assert len(answers) == 1 and session.pending == 0


if __name__ == "__main__":
    what, number = sys.argv[1], int(sys.argv[2])
    if what == "value":
        print(json.dumps(large_value(Sender.CLIENT, number)))
    elif what == "reply":
        print(json.dumps(large_value(Sender.SERVER, number)))
    elif what == "kept":
        print(json.dumps(large_value(Sender.SERVER, number, keep=True)))
    elif what == "produce":
        print(json.dumps(large_produce(number)))
    else:
        print(json.dumps(sessions(number, what == "idle")))
