"""Entries and definitions that came before are those that the octets say, whatever stood in their place the last time."""

from __future__ import annotations

import random

import pytest

from l7codecs import LimitExceeded, ProtocolError
from l7codecs_dubbo._hessian.scan import Scanner
from l7codecs_dubbo._hessian.values import ClassDefinition, HessianObject, Value
from l7codecs_dubbo._hessian.writer import Writer


def written(value: Value) -> bytes:
    writer = Writer()
    writer.value(value)
    return writer.getvalue()


def test_entries_that_nearly_are_the_same() -> None:
    """Maps of entries of one size whose ends are the same; in any order, cut anywhere, some longer than what is kept."""
    chosen = random.Random(5)
    texts = ["", "a", "abcdefghijklmnop", "abcdefgh1jklmnop", "abcdefgh2jklmnop", "é" * 9, "x" * 200, "😀"]
    for _ in range(1500):
        entries: dict[str, Value] = {}
        for _ in range(chosen.randrange(8)):
            entries[chosen.choice(texts)] = chosen.choice([*texts, 5, None])
        octets = written(entries)
        whole, pairs = Scanner(octets, 0, len(octets)), Scanner(octets, 0, len(octets))
        found = pairs.map_pairs()
        assert found is not None
        assert found == [(each.key, each.value) for each in whole.map_entries() or []] == list(entries.items())
        assert pairs.at == whole.at == len(octets)
        assert pairs.is_mixed == any(not isinstance(value, str) for value in entries.values())
        cut = chosen.randrange(len(octets))
        with pytest.raises(ProtocolError, match="expected a longer stream"):
            Scanner(octets, 0, cut).map_pairs()


def test_definitions_that_nearly_are_the_same() -> None:
    """Classes whose definitions have the same first octets, the same size, or the same end; told apart by the fields that are read."""
    chosen = random.Random(6)
    for _ in range(600):
        name = "com.example.shop.deep." + chosen.choice(["A", "B", "AB"])
        fields = tuple(chosen.choice(["first", "third", "f"]) + str(at) for at in range(chosen.randrange(1, 5)))
        octets = written(HessianObject(ClassDefinition(name, fields), list(range(len(fields)))))
        skipped, read = Scanner(octets, 0, len(octets)), Scanner(octets, 0, len(octets))
        skipped.skip()
        assert skipped.at == len(octets)
        value = read.value()
        assert isinstance(value, HessianObject)
        assert (value.definition.name, value.definition.fields) == (name, fields)
        cut = chosen.randrange(1, len(octets))
        with pytest.raises(ProtocolError, match="expected a longer stream"):
            Scanner(octets, 0, cut).skip()


def test_a_definition_that_is_known_keeps_to_the_limits() -> None:
    octets = written(HessianObject(ClassDefinition("com.example.shop.Many", tuple("abcdefgh")), list(range(8))))
    for _ in range(2):
        Scanner(octets, 0, len(octets), 64, 8).skip()
        with pytest.raises(LimitExceeded):
            Scanner(octets, 0, len(octets), 64, 7).skip()
