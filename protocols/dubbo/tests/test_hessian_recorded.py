"""Hessian 2 of real consumers and providers: every body is read to its last octet, skipped to the same, and written back to the octet."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from l7codecs import Sender
from l7codecs.testing import Vector, load_vectors
from l7codecs_dubbo._hessian.scan import Scanner, decode
from l7codecs_dubbo._hessian.writer import Writer

from . import dubbo_recorded as recorded

VECTORS = Path(__file__).resolve().parent.parent / "vectors"
BY_HAND = ("made-", "raw-")
"""Vectors whose bodies nobody's library wrote: some of them are broken."""
OTHERS = ("dubbo-go", "apache-dubbo-js")
"""Those that no Java wrote: what they say has other forms."""
HESSIAN2 = 2
EVENT = 0x20


def bodies(vector: Vector) -> Iterator[tuple[int, bytes]]:
    """Flags and body of each frame that is in Hessian 2."""
    for sender in Sender:
        octets = vector.octets(sender)
        at = octets.find(b"\xda\xbb")
        while 0 <= at < len(octets) and octets[at : at + 2] == b"\xda\xbb":
            flags, _, _, size = struct.unpack_from(">BBQi", octets, at + 2)
            if flags & 0x1F == HESSIAN2 and at + 16 + size <= len(octets):
                yield flags, octets[at + 16 : at + 16 + size]
            at += 16 + size


def all_vectors() -> list[Vector]:
    """Our own, and those that are recorded elsewhere, where they are."""
    own = [vector for vector in load_vectors(VECTORS) if not vector.name.startswith(BY_HAND)]
    return [*own, *(vector for each in recorded.scenarios() for vector in each.vectors)]


@pytest.mark.parametrize("vector", all_vectors(), ids=lambda vector: vector.name)
def test_bodies(vector: Vector) -> None:
    for _, body in bodies(vector):
        values, end = decode(body, 0, len(body))
        assert end == len(body)
        scanner = Scanner(body, 0, len(body))
        for _ in values:
            scanner.skip()
        assert scanner.at == len(body)
        if not vector.name.startswith(OTHERS):
            writer = Writer()
            for value in values:
                writer.value(value)
            assert writer.getvalue() == body


def test_there_are_bodies() -> None:
    """So that none of the above passes for want of any."""
    found = [body for vector in all_vectors() for _, body in bodies(vector)]
    assert len(found) > 150
    assert max(map(len, found)) > 5000


@pytest.mark.skipif(not recorded.FOLDER, reason="L7CODECS_RECORDINGS is not set")
def test_arguments_are_what_the_consumer_said() -> None:
    """Of each recorded call that was sent, that has one argument, a scalar."""
    compared = 0
    for scenario in recorded.scenarios():
        asked = [
            decode(body, 0, len(body))[0]
            for vector in scenario.vectors
            for flags, body in bodies(vector)
            if flags & 0x80 and not flags & EVENT
        ]
        if len(asked) != len(scenario.calls) or len(scenario.vectors) != 1:  # of two connections the order is not told
            continue
        for call, values in zip(scenario.calls, asked, strict=True):
            if call.get("method") != values[3] or values[3] == "$invoke":  # whose arguments the framework makes
                continue
            told = recorded.plain(call["args"])
            if isinstance(told, list) and len(told) == 1 and _is_scalar(told[0]) and _is_scalar(values[5]):
                assert values[5] == told[0], (scenario.name, call["name"])
                compared += 1
    assert compared > 50


def _is_scalar(value: Any) -> bool:
    """Whether it is told as it is; of an object the truth has but a text."""
    return value is None or isinstance(value, (bool, int, float, str))
