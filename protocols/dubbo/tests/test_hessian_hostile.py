"""Hessian 2 from somebody hostile: time and memory follow the octets."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable

import pytest

from l7codecs import Limits, ProtocolError
from l7codecs.testing import growth
from l7codecs_dubbo._hessian.scan import Scanner, decode
from l7codecs_dubbo._hessian.strings import string_end
from l7codecs_dubbo._hessian.values import Value
from l7codecs_dubbo._hessian.writer import Writer

LIMITS = Limits(nesting=1 << 40, elements=1 << 40)

LONG: dict[str, Callable[[int], bytes]] = {
    "definitions": lambda n: b"\x43\x01a\x90" * n + b"\x60",
    "classes of many fields": lambda n: b"\x43\x01a\xd4" + n.to_bytes(2, "big") + b"\x00" * n + b"\x90",
    "types": lambda n: b"\x57" + b"\x70\x01t" * n + b"\x5a",
    "references": lambda n: b"\x57" + b"\x51\x90" * n + b"\x5a",
    "empty lists": lambda n: b"\x57" + b"\x78" * n + b"\x5a",
    "nested lists": lambda n: b"\x79" * n + b"\x90",
    "open maps in maps": lambda n: b"\x48\x4e" * n + b"\x90" + b"\x5a" * n,
    "int keys that collide": lambda n: b"\x48" + b"".join(b"\x4c" + (k << 40).to_bytes(8, "big") + b"\x90" for k in range(n)) + b"\x5a",
    "one key": lambda n: b"\x48" + b"\x01k\x90" * n + b"\x5a",
    "different keys": lambda n: b"\x48" + b"".join(b"\x04%04x\x90" % (k & 0xFFFF) for k in range(n)) + b"\x5a",
    "chunks of one": lambda n: b"\x52\x00\x01a" * n + b"\x00",
    "empty chunks": lambda n: b"\x52\x00\x00" * n + b"\x00",
    "binary chunks": lambda n: b"\x41\x00\x01a" * n + b"\x20",
    "characters": lambda n: b"\x53" + min(n, 65535).to_bytes(2, "big") + "€".encode() * min(n, 65535),
    "objects without fields": lambda n: b"\x43\x01a\x90\x57" + b"\x60" * n + b"\x5a",
}  # fmt: skip


@pytest.mark.parametrize("name", ["skip", "value", "throwable", "map_entries", "write"])
@pytest.mark.parametrize("shape", LONG)
def test_linear(name: str, shape: str) -> None:
    """Eight times as much takes some eight times as long, and not 64: between them is room for what no longer fits a cache."""

    def cost(count: int) -> float:
        octets = LONG[shape](count)
        if name == "map_entries":
            octets = b"\x48\x01a" + octets + b"\x5a"
        scanner = Scanner(octets, 0, len(octets), LIMITS.nesting, LIMITS.elements)
        value: Value = scanner.value() if name == "write" else None
        begun = time.process_time()
        if name == "skip":
            scanner.skip()
        elif name == "value":
            scanner.value()
        elif name == "throwable":
            scanner.throwable()
        elif name == "write":
            Writer().value(value)
        else:
            scanner.map_entries()
        return time.process_time() - begun

    assert growth(cost, 4_000, 32_000, 24) <= 24


def test_text_in_chunks_without_end() -> None:
    """What a stream that goes on has read of a string is looked at once each time; it is the caller who must not ask for each octet."""
    octets = b"\x52\x00\x01a" * 1000
    assert string_end(octets, 0, len(octets)) < 0


@pytest.mark.parametrize("shape", LONG)
def test_memory(shape: str) -> None:
    """A value takes some hundred times its octets at most, and passing over it next to nothing."""
    octets = LONG[shape](20_000)
    scanner = Scanner(octets, 0, len(octets), LIMITS.nesting, LIMITS.elements)
    tracemalloc.start()
    try:
        scanner.skip()
        skipped = tracemalloc.get_traced_memory()[1]
        tracemalloc.reset_peak()
        values, _ = decode(octets, 0, len(octets), LIMITS)
        read = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(values) == 1
    assert skipped < 64 * len(octets), skipped / len(octets)
    assert read < 400 * len(octets), read / len(octets)


@pytest.mark.parametrize("count", [2**31 - 1, 2**24])
@pytest.mark.parametrize("head", [b"\x58", b"\x56\x01t", b"\x43\x01a"])
def test_declared_counts_allocate_nothing(head: bytes, count: int) -> None:
    octets = head + b"\x49" + count.to_bytes(4, "big") + b"\x90" * 1000
    for work in ("skip", "value"):
        tracemalloc.start()
        try:
            with pytest.raises(ProtocolError):
                getattr(Scanner(octets, 0, len(octets), LIMITS.nesting, LIMITS.elements), work)()
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak < 100_000


def test_what_refers_in_a_chain_is_freed() -> None:
    """Two hundred thousand objects, each of which holds the one before: freed from the last."""
    count = 200_000
    parts = [b"\x43\x01a\x91\x01x", b"\x60\x4e"]
    for number in range(count):
        parts.append(b"\x60\x51\x49" + number.to_bytes(4, "big"))
    octets = b"".join(parts)
    values, _ = decode(octets, 0, len(octets))
    last = values.pop()
    del values
    assert last is not None
    del last
