"""The table of open streams beside a dictionary, and the bodies of RPCs beside what they were made of."""

from __future__ import annotations

from random import Random

import pytest
from l7codecs_http2._connection.streams import OPEN, Stream, StreamTable
from l7codecs_http2._semantics.bodies import Body


@pytest.mark.parametrize("step", [1, 2, 32, 4096], ids=lambda step: f"numbers {step} apart")
def test_table_agrees_with_a_dictionary(step: int) -> None:
    random = Random(step)
    table = StreamTable()
    expected: dict[int, Stream] = {}
    for _ in range(6_000):
        number = 1 + step * random.randrange(300)
        if random.random() < 0.55:
            stream = Stream(number, OPEN, False)
            table.add(stream)
            expected[number] = stream
        else:
            assert table.remove(number) is expected.pop(number, None)
        assert table.count == len(expected)
        probe = 1 + step * random.randrange(300)
        assert table.get(probe) is expected.get(probe)
    for number in range(1, 2 + step * 300):
        assert table.get(number) is expected.get(number)
    for number in list(expected):
        assert table.remove(number) is expected[number]
    assert table.count == 0


def test_bodies_count_messages_at_any_cut() -> None:
    random = Random(5)
    for _ in range(300):
        sizes = [random.choice((0, 1, 4, 5, 300)) for _ in range(random.randrange(6))]
        flags = [random.randrange(2) for _ in sizes]
        octets = b"".join(
            bytes([flag]) + size.to_bytes(4, "big") + bytes(size) for flag, size in zip(flags, sizes, strict=True)
        )
        body = Body()
        at = 0
        while at < len(octets):
            stop = min(at + random.choice((1, 2, 7, 1000)), len(octets))
            body.count_messages(octets, at, stop)
            at = stop
        assert (body.messages, body.message_octets, body.compressed) == (len(sizes), sum(sizes), sum(flags))
        assert not body.inside
        body.count_messages(b"\1\0\0\0\2x", 0, 6)
        assert (body.messages, body.message_octets, body.compressed) == (len(sizes), sum(sizes) + 1, sum(flags) + 1)
        assert body.inside
