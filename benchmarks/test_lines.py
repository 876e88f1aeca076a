"""A plugin for a text protocol, interpreted, on the compiled base for lines; and the same written by hand on `Decoder` and `Buffer`."""

from __future__ import annotations

import importlib
import random
import sys
from functools import partial
from pathlib import Path

from pytest_benchmark.fixture import BenchmarkFixture

from l7codecs import Kind, Message, Protocol, Sender

from .lines_by_hand import BY_HAND
from .measure import Side, add_row, compare, time_sides
from .octets import reads

PLUGIN = Path(__file__).parents[1] / "examples" / "l7codecs-memcached"
COUNT = 40_000
REQUEST, ONEWAY = Kind.REQUEST, Kind.ONEWAY


def commands() -> list[bytes]:
    """A mix as of a real cache: 55 % get, 30 % set of 100 octets, then touch, incr, gets of 5 keys, delete, and quiet meta commands."""
    chance = random.Random(7)
    found = []
    for number in range(COUNT):
        key = b"user:%d:profile" % (number % 10_000)
        dice = chance.random()
        if dice < 0.55:
            found.append(b"get %s\r\n" % key)
        elif dice < 0.85:
            quiet = b" noreply" if dice < 0.60 else b""
            found.append(b"set %s 0 300 100%s\r\n%s\r\n" % (key, quiet, b"v" * 100))
        elif dice < 0.88:
            found.append(b"touch %s 300\r\n" % key)
        elif dice < 0.91:
            found.append(b"incr %s 1\r\n" % key)
        elif dice < 0.94:
            found.append(b"gets %s\r\n" % b" ".join(b"%s:%d" % (key, index) for index in range(5)))
        elif dice < 0.97:
            found.append(b"delete %s\r\n" % key)
        else:
            found.append(b"mg %s v f t q O%d\r\n" % (key, number))
    return found


def plugin() -> Protocol:
    """The third party's, from its folder."""
    sys.path.insert(0, str(PLUGIN))
    try:
        protocol = importlib.import_module("l7codecs_memcached").PROTOCOL
    finally:
        sys.path.remove(str(PLUGIN))
    assert isinstance(protocol, Protocol)
    return protocol


def look(protocol: Protocol, conversations: list[list[bytes]]) -> tuple[int, int]:
    """What an engine asks: is it a message, of which kind, what does it do, to what."""
    seen = keys = 0
    client = Sender.CLIENT
    for chunks in conversations:
        session = protocol.open()
        for chunk in chunks:
            for event in session.receive(client, chunk):
                if isinstance(event, Message):
                    kind = event.kind
                    if (kind is REQUEST or kind is ONEWAY) and event.operation:
                        keys += len(event.resources)
                        seen += 1
    return seen, keys


def test_both_sides_find_the_same() -> None:
    found = []
    for protocol in (plugin(), BY_HAND):
        session = protocol.open()
        found.append(
            [
                (event.kind, event.operation, event.resources, event.raw)
                for event in session.receive(Sender.CLIENT, b"".join(commands()[:2_000]))
                if isinstance(event, Message)
            ]
        )
    assert found[0] == found[1]
    assert len(found[0]) == 2_000


def test_lines(benchmark: BenchmarkFixture) -> None:
    # Half a MiB for each session, so that no more wait than limits.pending; it begins with a command.
    octets, whole = b"", []
    for command in commands():
        octets += command
        if len(octets) >= 1 << 19:
            whole.append(reads([octets]))
            octets = b""
    whole.append(reads([octets]))
    protocol = plugin()
    seen = look(protocol, whole)
    assert seen == look(BY_HAND, whole)
    peers = {"by hand": Side(partial(look, BY_HAND, whole))}
    ours, theirs = time_sides(benchmark, Side(partial(look, protocol, whole)), peers, rounds=15)
    if ours:
        work = "commands of memcached, a plugin that is interpreted, on `LineDecoder`: is it a message, kind, operation, resources"
        add_row(
            benchmark,
            92,
            [compare(work, ours, "the same, by hand on `Decoder` and `Buffer`", theirs["by hand"], COUNT, 4.0)],
        )
