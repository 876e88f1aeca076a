"""Thrift: heads of framed and of bare messages, binary and compact, and one field of each."""

from __future__ import annotations

from collections.abc import Callable

from pytest_benchmark.fixture import BenchmarkFixture

from .measure import Side, add_row, compare, time_sides
from .thrift_octets import COUNT, framed, messages, reads
from .thrift_sides import ApacheCompact, ApacheWhole, CyHeads, CySkips, CyWhole, OurHeads, OurPicks, PyCompact
from .thrift_skip import GoSkip

ROUNDS = 31
RUNS = 10
WARM = 5
TIMED = COUNT * RUNS
"""Messages in a round."""
BINARY, COMPACT = messages(compact=False), messages(compact=True)
SIZE = len(BINARY[0])


def _side(call: Callable[[list[bytes]], object], octets: list[bytes], once: bool = False) -> Side:
    return Side(lambda: call(octets), once=once)


def test_framed(benchmark: BenchmarkFixture) -> None:
    frames = framed(BINARY)
    peers = {"thriftpy2": _side(CyHeads(), frames), "thrift": _side(ApacheWhole(), BINARY, once=True)}
    own, theirs = time_sides(benchmark, _side(OurHeads(), reads(frames)), peers, rounds=ROUNDS, runs=RUNS)
    if own:
        work = f"Thrift calls of {SIZE} octets, strict binary, framed: method, type, sequence id"
        lines = [
            compare(work, own, "`thriftpy2`, the head alone, in Cython", theirs["thriftpy2"], TIMED, 3.0),
            compare(work, own, "`thrift`, accelerated, the whole message", theirs["thrift"], TIMED, 20.0),
        ]
        add_row(benchmark, 200, lines)


def test_unframed(benchmark: BenchmarkFixture) -> None:
    with GoSkip(BINARY, RUNS) as go:
        for _ in range(WARM):
            go()
        peers = {"thriftpy2": _side(CySkips(), BINARY), "go": Side(go, own_time=True, once=True)}
        own, theirs = time_sides(benchmark, _side(OurHeads(), reads(BINARY)), peers, rounds=ROUNDS, runs=RUNS)
    if own:
        work = "the same without frames: every field is passed over"
        lines = [
            compare(work, own, "`thriftpy2`, its skip in Cython", theirs["thriftpy2"], TIMED, 2.0),
            compare(work, own, "Apache's skip in Go", theirs["go"], TIMED, 0.5),
        ]
        add_row(benchmark, 201, lines)


def test_compact_framed(benchmark: BenchmarkFixture) -> None:
    peers = {
        "`thriftpy2`, the whole message": _side(PyCompact(False), COMPACT, once=True),
        "`thrift`, the whole message": _side(ApacheCompact(False), COMPACT, once=True),
        "`thriftpy2`, the head alone": _side(PyCompact(True), COMPACT),
        "`thrift`, the head alone": _side(ApacheCompact(True), COMPACT),
    }
    own, theirs = time_sides(benchmark, _side(OurHeads(), reads(framed(COMPACT))), peers, rounds=ROUNDS, runs=RUNS)
    if own:
        work = f"the same calls, compact ({len(COMPACT[0])} octets), framed: method, type, sequence id"
        lines = [compare(work, own, name, theirs[name], TIMED, 10.0 if "whole" in name else None) for name in peers]
        add_row(benchmark, 202, lines)


def test_compact_unframed(benchmark: BenchmarkFixture) -> None:
    peers = {
        "thriftpy2": _side(PyCompact(False), COMPACT, once=True),
        "thrift": _side(ApacheCompact(False), COMPACT, once=True),
    }
    own, theirs = time_sides(benchmark, _side(OurHeads(), reads(COMPACT)), peers, rounds=ROUNDS, runs=RUNS)
    if own:
        work = "the same without frames"
        lines = [compare(work, own, f"`{name}`", theirs[name], TIMED, 10.0) for name in peers]
        add_row(benchmark, 203, lines)


def test_field_by_path(benchmark: BenchmarkFixture) -> None:
    peers = {"thriftpy2": _side(CyWhole(), BINARY)}
    own, theirs = time_sides(benchmark, _side(OurPicks(), reads(framed(BINARY))), peers, rounds=ROUNDS, runs=RUNS)
    if own:
        work = f"one field by its path, behind sixteen others, from each call of {SIZE} octets"
        add_row(benchmark, 204, [compare(work, own, "`thriftpy2`, all fields", theirs["thriftpy2"], TIMED, 5.0)])
