"""Hessian 2 against the libraries of Java, on random values both ways: Dubbo's own of 3.x and 2.7, Caucho's, SOFA's."""

from __future__ import annotations

import random
from typing import Any

import pytest

from l7codecs import ProtocolError
from l7codecs_dubbo._hessian.scan import Scanner, decode
from l7codecs_dubbo._hessian.values import Value
from l7codecs_dubbo._hessian.writer import Writer

from .hessian_peers import LIBRARIES, java, streams, tokens_of
from .hessian_truth import random_plain

pytestmark = pytest.mark.interop

COUNT = 400
SEED = 20261129
OLDER = LIBRARIES[-1]


def written(values: list[Value]) -> bytes:
    writer = Writer()
    for value in values:
        writer.value(value)
    return writer.getvalue()


def skips(octets: bytes, partial: bool = False) -> int:
    scanner = Scanner(octets, 0, len(octets))
    count = 0
    while scanner.at < len(octets):
        scanner.skip()
        count += 1
    return count


@pytest.fixture(scope="module", params=LIBRARIES[:-1], ids=lambda library: library.name)
def library(request: pytest.FixtureRequest) -> Any:
    return request.param


def test_read_what_it_writes(library: Any) -> None:
    """Every value is what Java says that it wrote, each octet is read, and skipped."""
    for octets, truth in streams(java(library, "write", str(SEED), str(COUNT))):
        values, end = decode(octets, 0, len(octets))
        assert end == len(octets)
        assert tokens_of(values) == truth
        assert skips(octets) == len(values)
        if library.name == "lite4":
            assert written(values) == octets


def test_it_reads_what_is_written(library: Any) -> None:
    """Its own values, written here, are what they were; for lite 4 in its own octets."""
    wrote = streams(java(library, "write", str(SEED + 1), str(COUNT)))
    ours = [written(decode(octets, 0, len(octets))[0]).hex() for octets, _ in wrote]
    theirs = java(library, "read", lines=[octets.hex() for octets, _ in wrote])
    assert java(library, "read", lines=ours) == theirs
    assert not [line for line in theirs if line.startswith("!")]


def test_it_reads_any_plain_values(library: Any) -> None:
    """Lists, maps and scalars that refer to each other as no object of Java's would."""
    chance = random.Random(SEED)
    given = [random_plain(chance, 25) for _ in range(COUNT)]
    read = java(library, "read", lines=[written(values).hex() for values in given])
    for values, line in zip(given, read, strict=True):
        assert streams([f"\t{line}"])[0][1] == tokens_of(values)


def test_the_octets_are_those_of_lite_4() -> None:
    """Values of our own, read by lite 4 and written again: nothing but the order of a HashMap may differ."""
    chance = random.Random(SEED + 2)
    given = [written(random_plain(chance, 25, maps=False)).hex() for _ in range(COUNT)]
    assert java(LIBRARIES[0], "same", lines=given) == given


def test_the_older_draft_is_refused_by_name() -> None:
    """Streams of SOFA's 3.x with anything that the two write otherwise."""
    wrote = streams(java(OLDER, "write", str(SEED), str(COUNT)))
    refused = 0
    for octets, truth in wrote:
        failed = _failure(octets)
        if failed is None:
            assert tokens_of(decode(octets, 0, len(octets))[0]) == truth
        else:
            assert "older draft" in failed, octets[:80]
            refused += 1
    assert refused > COUNT // 2


def _failure(octets: bytes) -> str | None:
    """Why they are no Hessian 2."""
    try:
        decode(octets, 0, len(octets))
    except ProtocolError as error:
        return str(error)
    return None
