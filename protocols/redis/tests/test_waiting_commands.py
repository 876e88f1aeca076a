"""Commands that wait: what they keep in memory, and what they say once little of them is left."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from growth import grown
from l7codecs import LimitExceeded, Limits, Message, Sender, Session, get_protocol

C, S = Sender.CLIENT, Sender.SERVER


def command(*words: bytes) -> bytes:
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)


def observer(**limits: int) -> Session:
    return get_protocol("redis").open(limits=Limits(**limits))


def test_unanswered_large_commands() -> None:
    session = observer()
    commands = [command(b"SET", b"key:%d" % number, b"x" * 1_000_000) for number in range(100)]
    assert grown(event for each in commands for event in session.receive(C, each)) < 20_000_000  # 100 MB were sent
    answers = list(session.receive(S, b"+OK\r\n" * 100))
    requests = [answer.request for answer in answers]
    assert [(each.operation, each.resources) for each in requests] == [("SET", (b"key:%d" % n,)) for n in range(100)]
    assert requests[-2].attributes["redis.keys"] == (b"key:98",)
    assert [each.size for each in requests] == [len(each) for each in commands]


def test_tiny_commands_between_large_ones_that_are_not_answered() -> None:
    session = observer(waiting=1_000_000)
    skipped = command(b"CLIENT", b"REPLY", b"SKIP") + command(b"SET", b"k", b"x" * 60_000)

    def ask() -> Iterator[object]:
        for number in range(500):
            yield from session.receive(C, skipped + command(b"GET", b"key:%d" % number))

    assert grown(ask()) < 2_500_000  # 30 MB were sent
    answers = list(session.receive(S, b"$1\r\nv\r\n" * 500))
    assert [answer.request.resources for answer in answers] == [(b"key:%d" % number,) for number in range(500)]
    assert [answer.request.raw for answer in answers][:2] == [command(b"GET", b"key:0"), command(b"GET", b"key:1")]


def test_pipelined_large_commands_are_cut_or_left_where_they_lie() -> None:
    """Copying what fits is what would cost: three in four are cut down to their key, the others stay in their reads."""
    session = observer(waiting=1_000_000, pending=1_000)
    octets = b"".join(command(b"SET", b"key:%d" % number, b"x" * 4_096) for number in range(6_000))
    for at in range(0, len(octets), 65_536):
        list(session.receive(C, octets[at : at + 65_536]))
    kept = [each for each in session.unanswered() if isinstance(each, Message)]
    assert [each.resources for each in kept] == [(b"key:%d" % number,) for number in range(5_000, 6_000)]
    cut = [each for each in kept if each.more]
    assert all(len(each.raw) < 40 and len(each.octets) == len(each.raw) for each in cut)
    assert 600 < len(cut) < 900
    whole = [each for each in kept if not each.more]
    assert sum(len(each.octets) > 60_000 for each in whole) > 0.8 * len(whole)
    assert sum({id(each.octets): len(each.octets) for each in kept}.values()) < 2_100_000


def test_what_is_left_says_the_same() -> None:
    asked = [
        command(b"SET", b"k", b"x" * 5_000), command(b"MSET", *[b"k%d" % n for n in range(2_000)]), command(b"SELECT", b"3"),
        command(b"XADD", b"s" * 3_000, b"*", b"f", b"v"), command(b"EVAL", b"return 1" + b" " * 4_000, b"1", b"k"),
        b"SET inline " + b"y" * 2_000 + b"\r\n", command(b"MULTI"), command(b"SET", b"k", b"x" * 3_000), command(b"EXEC"),
    ]  # fmt: skip
    whole, short = observer(), observer(waiting=1)
    octets = b"".join(asked)
    want = list(whole.receive(C, octets))
    got = list(short.receive(C, octets))
    assert [each.raw for each in got] == [each.raw for each in want] == asked
    answers = [b"+OK\r\n"] * 6 + [b"+OK\r\n", b"+QUEUED\r\n", b"*1\r\n+OK\r\n"]
    for one, other, request in zip(
        whole.receive(S, b"".join(answers)), short.receive(S, b"".join(answers)), want, strict=True
    ):
        assert one.request is request
        left = other.request
        assert isinstance(left, Message)
        assert (left.offset, left.size, left.operation, left.kind) == (
            request.offset,
            request.size,
            request.operation,
            request.kind,
        )
        keys = request.resources
        assert left.resources == keys[: len(left.resources)]
        assert len(left.raw) <= 1_024
        for name in ("db.operation.name", "db.namespace", "l7.access", "l7.pins", "db.operation.batch.size"):
            assert left.attributes.get(name) == request.attributes.get(name)


@pytest.mark.parametrize("answered", [False, True])
def test_an_endpoint_refuses_and_never_reorders(answered: bool) -> None:
    upstream = get_protocol("redis").open(limits=Limits(waiting=10_000), endpoint=C)
    downstream = observer()
    sent = 0
    for number in range(200):
        (request,) = downstream.receive(C, command(b"SET", b"k%d" % number, b"x" * 1_000))
        with contextlib.suppress(LimitExceeded):
            upstream.send(request)
            sent += 1
    assert 70 < sent < 90
    if answered:
        replies = list(upstream.receive(S, b"+OK\r\n" * sent))
        assert [reply.request.resources for reply in replies] == [(b"k%d" % number,) for number in range(sent)]
