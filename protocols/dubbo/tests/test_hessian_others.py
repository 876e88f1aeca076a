"""Hessian 2 against hessian.js and dubbo-go-hessian2, on random values both ways."""

from __future__ import annotations

import json
import random
import re
import struct
from collections.abc import Callable

import pytest

from l7codecs_dubbo._hessian.scan import Scanner, decode
from l7codecs_dubbo._hessian.values import Long, Value
from l7codecs_dubbo._hessian.writer import Writer

from .hessian_peers import Token, go, node, streams, tokens_of
from .hessian_truth import random_plain

pytestmark = pytest.mark.interop

COUNT = 300
SEED = 20261129
_LONE = re.compile("[\ud800-\udfff]")


def written(values: list[Value]) -> bytes:
    writer = Writer()
    for value in values:
        writer.value(value)
    return writer.getvalue()


@pytest.mark.parametrize("program", [node, go])
def test_read_what_it_writes(program: Callable[..., list[str]]) -> None:
    for octets, truth in streams(program("write", str(SEED), str(COUNT))):
        values, end = decode(octets, 0, len(octets))
        assert end == len(octets)
        assert tokens_of(values) == truth
        scanner = Scanner(octets, 0, len(octets))
        for _ in values:
            scanner.skip()
        assert scanner.at == len(octets)


def in_javascript(tokens: list[Token]) -> list[Token]:
    """Numbers as JavaScript has them; a long beyond 53 bits is text in hessian.js."""
    told: list[Token] = []
    for token in tokens:
        if token[0] == "double":
            told.append(["number", token[1]])
        elif token[0] in ("int", "long"):
            number = token[1]
            assert isinstance(number, int)
            safe = abs(number) < 2**53
            told.append(["number", struct.pack(">d", float(number)).hex()] if safe else ["str", str(number)])
        else:
            told.append(token)
    return told


def test_node_reads_what_is_written() -> None:
    chance = random.Random(SEED)
    given = [random_plain(chance, 25) for _ in range(COUNT)]
    read = node("read", lines=[written(values).hex() for values in given])
    for values, line in zip(given, read, strict=True):
        assert streams([f"\t{line}"])[0][1] == in_javascript(tokens_of(values))


def test_go_reads_what_is_written() -> None:
    """But for lone surrogates, which are no characters to Go."""
    chance = random.Random(SEED)
    given = [random_plain(chance, 25, shared=False) for _ in range(4 * COUNT)]
    given = [values for values in given if not _LONE.search(json.dumps(tokens_of(values), ensure_ascii=False))]
    assert len(given) > COUNT // 2
    read = go("read", lines=[f"{len(values)} {written(values).hex()}" for values in given])
    for values, line in zip(given, read, strict=True):
        assert streams([f"\t{line}"])[0][1] == tokens_of(values)


def test_go_reads_its_own_values_written_here() -> None:
    """Objects of its classes among them."""
    wrote = [octets for octets, _ in streams(go("write", str(SEED + 1), str(COUNT)))]
    read = [decode(octets, 0, len(octets))[0] for octets in wrote]
    plain = [values for values in read if all(token[0] != "reference" for token in tokens_of(values))]
    assert len(plain) > COUNT // 3
    ours = go("read", lines=[f"{len(values)} {written(values).hex()}" for values in plain])
    for values, line in zip(plain, ours, strict=True):
        assert streams([f"\t{line}"])[0][1] == tokens_of(values)


def test_long_stays_long() -> None:
    """What the comparison in JavaScript cannot see."""
    assert tokens_of([Long(1), 1]) == [["long", 1], ["int", 1]]
