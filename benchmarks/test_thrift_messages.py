"""Thrift: heads of framed and of bare messages, binary and compact, and one field of each."""

from __future__ import annotations

from collections.abc import Callable

from pytest_benchmark.fixture import BenchmarkFixture

from .measure import Side, add_row, compare, time_sides
from .thrift_octets import COUNT, framed, messages, reads
from .thrift_sides import ApacheCompact, ApacheWhole, CyHeads, CySkips, CyWhole, OurHeads, OurPicks, PyCompact

ROUNDS = 31
BINARY, COMPACT = messages(compact=False), messages(compact=True)
SIZE = len(BINARY[0])


def _side(call: Callable[[list[bytes]], object], octets: list[bytes]) -> Side:
    return Side(lambda: call(octets))


def test_framed(benchmark: BenchmarkFixture) -> None:
    frames = framed(BINARY)
    peers = {"thriftpy2": _side(CyHeads(), frames), "thrift": _side(ApacheWhole(), BINARY)}
    own, theirs = time_sides(benchmark, _side(OurHeads(), reads(frames)), peers, rounds=ROUNDS)
    if own:
        work = f"Thrift calls of {SIZE} octets, strict binary, framed: method, type, sequence id"
        lines = [
            compare(work, own, "`thriftpy2`, the head alone, in Cython", theirs["thriftpy2"], COUNT, 3.0),
            compare(work, own, "`thrift`, accelerated, the whole message", theirs["thrift"], COUNT, 20.0),
        ]
        add_row(benchmark, 200, lines)


def test_unframed(benchmark: BenchmarkFixture) -> None:
    peers = {"thriftpy2": _side(CySkips(), BINARY)}
    own, theirs = time_sides(benchmark, _side(OurHeads(), reads(BINARY)), peers, rounds=ROUNDS)
    if own:
        work = "the same without frames: every field is passed over"
        add_row(
            benchmark, 201, [compare(work, own, "`thriftpy2`, its skip in Cython", theirs["thriftpy2"], COUNT, 2.0)]
        )


def test_compact_framed(benchmark: BenchmarkFixture) -> None:
    peers = {
        "`thriftpy2`, the whole message": _side(PyCompact(False), COMPACT),
        "`thrift`, the whole message": _side(ApacheCompact(False), COMPACT),
        "`thriftpy2`, the head alone": _side(PyCompact(True), COMPACT),
        "`thrift`, the head alone": _side(ApacheCompact(True), COMPACT),
    }
    own, theirs = time_sides(benchmark, _side(OurHeads(), reads(framed(COMPACT))), peers, rounds=ROUNDS)
    if own:
        work = f"the same calls, compact ({len(COMPACT[0])} octets), framed: method, type, sequence id"
        lines = [compare(work, own, name, theirs[name], COUNT, 10.0 if "whole" in name else None) for name in peers]
        add_row(benchmark, 202, lines)


def test_compact_unframed(benchmark: BenchmarkFixture) -> None:
    peers = {"thriftpy2": _side(PyCompact(False), COMPACT), "thrift": _side(ApacheCompact(False), COMPACT)}
    own, theirs = time_sides(benchmark, _side(OurHeads(), reads(COMPACT)), peers, rounds=ROUNDS)
    if own:
        work = "the same without frames"
        lines = [compare(work, own, f"`{name}`", theirs[name], COUNT, 10.0) for name in peers]
        add_row(benchmark, 203, lines)


def test_field_by_path(benchmark: BenchmarkFixture) -> None:
    peers = {"thriftpy2": _side(CyWhole(), BINARY)}
    own, theirs = time_sides(benchmark, _side(OurPicks(), reads(framed(BINARY))), peers, rounds=ROUNDS)
    if own:
        work = f"one field by its path, behind sixteen others, from each call of {SIZE} octets"
        add_row(benchmark, 204, [compare(work, own, "`thriftpy2`, all fields", theirs["thriftpy2"], COUNT, 5.0)])
