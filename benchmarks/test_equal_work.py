"""The sides of each row find the same in the same octets: a benchmark that compares unequal work is a defect.

What is called here, message by message, are the functions that the other modules time.
"""

from __future__ import annotations

import pytest

from l7codecs import Kind, Message, Status

from .octets import REPLY_COUNT, cache_mix, commands, reads, replies
from .sides import (
    HiredisCommands,
    HiredisMix,
    HiredisReplies,
    HiredisValues,
    OurCommands,
    OurMix,
    OurReplies,
    RedisPyCommands,
)


@pytest.mark.parametrize("value_size", [100, 4_096])
def test_every_side_finds_the_same_operations_and_keys(value_size: int) -> None:
    ours, hiredis, redis_py = OurCommands(), HiredisCommands(), RedisPyCommands()
    names = set()
    for index, message in enumerate(commands(1_000, value_size)):
        operation, key = ours([message])
        assert isinstance(operation, str)
        name = message.split(b"\r\n")[2]
        assert (operation.encode(), key) == hiredis([message]) == redis_py([message], 1) == (name, b"key:%04d" % index)
        names.add(name)
    assert len(names) == 6


@pytest.mark.parametrize("value_size", [100, 4_096])
def test_every_side_finds_the_same_number_of_commands(value_size: int) -> None:
    """In reads that cut commands; the number of those of redis-py is what it was told."""
    count = 1_003
    messages = commands(count, value_size)
    chunks = reads(messages)
    ours, hiredis, redis_py = OurCommands(), HiredisCommands(), RedisPyCommands()
    name = messages[-1].split(b"\r\n")[2]
    last = (name, b"key:%04d" % (count - 1))
    assert ours(chunks) == (name.decode(), last[1])
    assert hiredis(chunks) == redis_py(chunks, count) == last
    assert ours.session.pending == count
    assert not redis_py.reads.chunks


def test_every_side_finds_the_same_in_a_cache_mix() -> None:
    ours, hiredis = OurMix(), HiredisMix()
    names = set()
    for message in cache_mix(200_000):
        operation, keys = ours([message])
        name, key = hiredis([message])
        assert isinstance(operation, str) and isinstance(keys, tuple) and isinstance(name, bytes)
        assert operation.encode() == name and keys[0] == key and len(keys) == (5 if name == b"MGET" else 1)
        names.add(name)
    assert names == {b"GET", b"SET", b"EXPIRE", b"HSET", b"MGET", b"DEL", b"INCR"}


@pytest.mark.parametrize("version", [2, 3])
def test_every_side_finds_the_same_kinds_statuses_and_requests(version: int) -> None:
    exchange = replies(version)
    ours, hiredis = OurReplies(version), HiredisReplies(pushes=version == 3)
    ours.ask(exchange.commands)
    names = [tuple(command.split(b"\r\n")[2:5:2]) for command in exchange.commands]
    hiredis.ask([(name, key) for name, key in names])
    answered = iter(zip(exchange.commands, names, strict=True))
    kinds: set[Kind] = set()
    statuses: set[Status] = set()
    for index, reply in enumerate(exchange.replies):
        kind, status, request = ours([reply])
        their_kind, their_status, their_request = hiredis([reply])
        assert kind is their_kind
        assert kind is not None
        kinds.add(kind)
        if index in exchange.pushes:
            assert kind is Kind.PUSH
            assert (status, their_status, request, their_request) == (None, None, None, None)
            continue
        command, name = next(answered)
        assert kind is Kind.RESPONSE
        assert (status is Status.OK) == (their_status is Status.OK) == (reply[:1] != b"-")
        assert status is not None
        statuses.add(status)
        assert isinstance(request, Message)
        assert request.raw == command
        assert their_request == name
    assert next(answered, None) is None
    assert len(statuses) == 2
    assert kinds == ({Kind.RESPONSE} if version == 2 else {Kind.RESPONSE, Kind.PUSH})


@pytest.mark.parametrize("version", [2, 3])
def test_all_replies_of_a_round_are_taken(version: int) -> None:
    exchange = replies(version)
    assert len(exchange.replies) == REPLY_COUNT
    ours, hiredis, values = OurReplies(version), HiredisReplies(pushes=version == 3), HiredisValues()
    for _ in range(2):  # rounds follow each other in one session
        ours.ask(reads(exchange.commands))
        hiredis.ask([(b"", b"")] * len(exchange.commands))
        assert ours.session.pending == len(hiredis.waiting) == len(exchange.commands)
        assert ours(reads(exchange.replies))[0] is hiredis(reads(exchange.replies))[0]
        assert ours.session.pending == len(hiredis.waiting) == 0
        assert values(reads(exchange.replies)) is False
