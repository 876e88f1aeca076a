"""Inputs are changed so that lengths stay right, and the frames of one message come between those of another."""

from __future__ import annotations

import random

import pytest

from l7codecs.testing.fuzzing import Step
from l7codecs.testing.fuzzing.mutation import resized, woven


@pytest.mark.parametrize(
    ("octets", "start", "stop", "put", "expected"),
    [
        (b"\0\0\0\x05hello", 6, 6, b"XX", b"\0\0\0\x07heXXllo"),
        (b"$5\r\nhello\r\n", 4, 6, b"", b"$3\r\nllo\r\n"),
        (b"\x05$5\r\nhello\r\n" + bytes(3), 5, 7, b"", b"\x05$3\r\nllo\r\n" + bytes(3)),
        (b"\0\0\x05\x00\x01\0\0\0\x01hello", 11, 11, b"--", b"\0\0\x07\x00\x01\0\0\0\x01he--llo"),
        (b"\0\x09\0\x03abcrest", 5, 6, b"12", b"\0\x0a\0\x04a12crest"),
        (b"no length", 2, 3, b"", b"nolength"),
        (b"\x01\x05hello", 4, 4, b"-" * 295, b"\x01\xac\x02he" + b"-" * 295 + b"llo"),
        (b"\x01\xac\x02" + bytes(300), 4, 4, b"-" * 20000, b"\x01\xcc\x9e\x01\0" + b"-" * 20000 + bytes(299)),
        (b"\x01\xac\x02" + bytes(300), 4, 103, b"", b"\x01\xc9\x01" + bytes(201)),
    ],
)
def test_lengths_are_put_right(octets: bytes, start: int, stop: int, put: bytes, expected: bytes) -> None:
    assert resized(octets, start, stop, put) == expected


def test_steps_are_woven_in_their_order() -> None:
    one, other = [Step(0, 0, number) for number in range(5)], [Step(0, 1, number) for number in range(3)]
    ways = {tuple(woven(one, other, random.Random(seed))) for seed in range(50)}
    assert len(ways) > 20
    for way in ways:
        assert [step for step in way if step.a == 0] == one and [step for step in way if step.a == 1] == other
