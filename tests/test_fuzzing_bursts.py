"""Neighbours of a program: faults are found among them, what is found is found again by the program, and what is right stays right."""

from __future__ import annotations

import random
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

import toys
from l7codecs import Kind, Protocol, Sender, Session
from l7codecs.testing.fuzzing import Fuzzer, Material, Program, Step
from l7codecs.testing.fuzzing.bursts import Burst
from l7codecs.testing.fuzzing.engine import signature
from l7codecs.testing.fuzzing.measuring import Lines
from l7codecs.testing.fuzzing.reads import Read, cut, halved, joined, replay_reads
from l7codecs.testing.fuzzing.targets.conversation import Conversation, Outline
from l7codecs.testing.replay import Outcome
from toys import ToyDecoder, ToyMessage, ToySession

C, S = Sender.CLIENT, Sender.SERVER


def burst_of(protocol: Protocol, target: str = "direction") -> tuple[Fuzzer, Burst, list[Program]]:
    fuzzer = Fuzzer(Material(protocol, toys.framed_vectors(False)), [target], 1)
    chosen = cast(Conversation, next(iter(fuzzer.targets.values())))
    seeds = fuzzer.seeds()
    programs = [Program.decode(data) for data in seeds]
    return fuzzer, Burst(chosen, fuzzer.mutator(seeds), fuzzer.chance), programs


def near(burst: Burst, programs: list[Program], most: int) -> Iterator[tuple[Program, BaseException | None]]:
    """What so many neighbours come to."""
    while burst.count < most:
        for program in programs:
            yield from burst.around(program)


class RaisesAtTwo(ToyDecoder):
    def message(self, octets: bytes, start: int, stop: int, offset: int, more: bool) -> ToyMessage:
        if octets[start + 5 : start + 6] >= b"\xfe":
            raise KeyError("254")
        return super().message(octets, start, stop, offset, more)


class StandsOneFurther(ToyDecoder):
    """The offset of a message is one too many, where it has no body."""

    def message(self, octets: bytes, start: int, stop: int, offset: int, more: bool) -> ToyMessage:
        return super().message(octets, start, stop, offset + (stop - start == self.header_size), more)


class LooksBehind(ToyDecoder):
    """What a message is depends on what stands behind it, if it is there."""

    def message(self, octets: bytes, start: int, stop: int, offset: int, more: bool) -> ToyMessage:
        found = super().message(octets, start, stop, offset, more)
        if len(octets) > stop and octets[stop] != 0:
            found.kind = Kind.ONEWAY if self.sender is C else Kind.PUSH
        return found


class StopsShort(ToyDecoder):
    """The last octet of a message is in none, where it is a body by itself."""

    def message(self, octets: bytes, start: int, stop: int, offset: int, more: bool) -> ToyMessage:
        return super().message(octets, start, stop - (stop - start == self.header_size + 1), offset, more)


FAULTS = [
    (RaisesAtTwo, "KeyError"),
    (StandsOneFurther, "is due"),
    (LooksBehind, "cut in another way"),
    (StopsShort, "octet"),
]


@pytest.mark.parametrize("target", ["direction", "conversation"])
@pytest.mark.parametrize(("fault", "says"), FAULTS, ids=[each.__name__ for each, _ in FAULTS])
def test_a_fault_is_found_among_neighbours(fault: type[ToyDecoder], says: str, target: str) -> None:
    fuzzer, burst, programs = burst_of(toys.framed(session=type("Opens", (ToySession,), {"decoders": fault})), target)
    for program, failed in near(burst, programs, 12_000):
        if failed is not None and says in str(failed):
            # The program that is made of it says the same, so it can be kept and made smaller.
            assert fuzzer.fails(program.encode()) == signature(failed)
            return
    pytest.fail(f"not in {burst.count} neighbours")


@pytest.mark.parametrize("target", ["direction", "conversation", "detection"])
def test_nothing_fails_beside_what_is_right(target: str) -> None:
    fuzzer, burst, programs = burst_of(toys.framed(), target)
    new = 0
    for program, failed in near(burst, programs, 1500):
        assert failed is None, program.to_text()
        assert fuzzer.fails(program.encode()) is None
        new += 1
    assert 0 < new < 500, "most say nothing new"
    assert next(iter(fuzzer.targets.values())).figures["neighbours"] == burst.count


def alike(one: bytes, other: bytes) -> int:
    """Octets at the beginning that are the same."""
    return next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def test_neighbours_are_near() -> None:
    _, burst, _ = burst_of(toys.framed())
    octets = b"".join(toys.frame("?", b"GET key %d" % number) for number in range(8))
    found = [each for seed in range(20) for each in burst.mutator.neighbours(octets, 48, random.Random(seed))]
    assert len(found) == 960 and len(set(found)) > 600
    same = [alike(each, octets) + alike(each[::-1], octets[::-1]) for each in found]
    assert sum(count > len(octets) * 3 // 4 for count in same) > 600
    far = list(burst.mutator.neighbours(octets, 480, random.Random(1)))[-48:]
    assert sum(alike(each, octets) + alike(each[::-1], octets[::-1]) > len(octets) * 3 // 4 for each in far) < 24


def test_a_program_says_its_reads() -> None:
    fuzzer = Fuzzer(Material(toys.framed(), toys.framed_vectors(False)), ["conversation"], 1)
    target = cast(Conversation, fuzzer.targets[1])
    reads = [Read(C, b"abc"), Read(S, lost=7), Read(S, b"d"), Read(C, lost=0), Read(C, end=True), Read(S, end=True)]
    assert target.reads(target.program_of(reads, 0, 0)) == reads
    octets = list(halved(reads, 10))
    assert octets[:2] == [Read(C, b"a"), Read(C, b"bc")] and joined(octets) == reads


def test_an_outline_has_what_comes_before_an_error() -> None:
    octets = toys.frame("?", b"GET a") + toys.frame("!", b"") + toys.frame("z", b"no such kind")
    outcomes: list[Outcome] = [Outcome(), Outline(), Outline()]
    reads = [Read(C, octets), Read(C, end=True), Read(S, end=True)]
    for each, again in zip(outcomes, (reads, reads, cut(reads, 1)), strict=True):
        replay_reads(toys.framed().open(), again, each, True)
    whole, outline, small = outcomes
    assert [(each.kind, each.offset) for each in outline.events] == [(Kind.REQUEST, 0), (Kind.ONEWAY, 10)]
    assert len(whole.events) == 2 and whole.refusals() == outline.refusals() == small.refusals() != {}
    assert outline.difference(small) == ""
    del small.events[1]
    assert "2 and 1 events of the client" in outline.difference(small)


def test_the_loop_runs_neighbours(tmp_path: Path) -> None:
    """Beside the inputs that it was asked for; what is new among them is kept."""
    fuzzer, _, _ = burst_of(toys.framed())
    fuzzer.loop(60, tmp_path / "grown", tmp_path / "work", [], 60, True)
    figures = fuzzer.figures()["direction"]
    assert fuzzer.executions.total() == figures["executions"] == 60 < figures["neighbours"]
    fuzzer, _, _ = burst_of(toys.framed(session=type("Opens", (ToySession,), {"decoders": RaisesAtTwo})))
    fuzzer.keep_going = True
    fuzzer.loop(60, tmp_path / "grown", tmp_path / "work", [], 150, True)
    assert any("KeyError" in what for what in fuzzer.found)


def test_what_failed_once_is_a_finding_though_it_does_not_again(tmp_path: Path) -> None:
    fuzzer, _, _ = burst_of(toys.framed())
    fuzzer.keep_going = True
    one = fuzzer.guard(tmp_path, 60)
    program = Program(0, (Step(0, 0, 0, toys.frame("?", b"GET a")),))
    try:
        assert one(program, None) and not one(program, AssertionError("said once"))
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)  # it would run out in another test
    assert fuzzer.found == {"direction: AssertionError: said once": 1}


def test_lines_that_a_neighbour_reaches_make_that_one_new() -> None:
    """Not the next, though looking at it more closely reaches others."""
    _, burst, programs = burst_of(toys.framed())
    for _program, _failed in near(burst, programs, 2000):
        pass  # what they say is known now
    burst.lines = lines = Lines(())
    look = burst.target.look

    def looked(reads: list[Read], limits: int, cuts: int) -> tuple[Outcome, Session]:
        lines.fresh += burst.count % 100 == 50
        return look(reads, limits, cuts)

    cast(Any, burst.target).look = looked
    burst.count = new = 0
    for _program, failed in near(burst, programs, 1000):
        assert failed is None
        new += 1
        lines.fresh = 7
    assert 10 <= new < 60
