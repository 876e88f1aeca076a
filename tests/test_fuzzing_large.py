"""Faults that only size shows are found among messages that are stretched; and nothing is found in what is right."""

from __future__ import annotations

from typing import Any

import pytest

import toys
from l7codecs import Data, Flow, Limits, PairingTable, Protocol, Sender
from l7codecs.message import Event
from l7codecs.testing.fuzzing import Fuzzer, Material, Program, Step
from l7codecs.testing.fuzzing.properties import TookLonger
from l7codecs.testing.fuzzing.targets.large import MANY, ONE, Large
from toys import NumberedDecoder, NumberedMessage, NumberedSession, ToyDecoder, ToyMessage, ToySession


def fuzzer(protocol: Protocol, numbered: bool = False) -> Fuzzer:
    return Fuzzer(Material(protocol, toys.framed_vectors(numbered)), ["large"], 1)


def stretched(size: int, kind: int, numbered: bool = False) -> Program:
    """A request of the toy, of which the key is stretched; in reads of 64 or 16."""
    octets = toys.frame("?", b"GET key", 7 if numbered else None)
    return Program(Large.number, (Step(kind, 0, 6 if size == 64 else 0, octets),), 0, 0xF000)


class KeepsAll(ToyDecoder):
    """Remembers what has passed."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.all: list[ToyMessage] = []

    def message(self, octets: bytes, start: int, stop: int, offset: int, more: bool) -> ToyMessage:
        found = super().message(octets, start, stop, offset, more)
        self.all.append(found)
        return found


class KeepsBodies(ToyDecoder):
    """Remembers the parts of what streams."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.parts: list[Data] = []

    def next_event(self) -> Event | None:
        found = super().next_event()
        if isinstance(found, Data):
            self.parts.append(found)
        return found


class BuffersAll(ToyDecoder):
    """Knows no limit."""

    def __init__(self, flow: Flow, sender: Sender, limits: Limits, asks: PairingTable, answers: PairingTable) -> None:
        super().__init__(flow, sender, Limits(head=1 << 30, message=1 << 30), asks, answers)


def opened(decoder: type[ToyDecoder]) -> Protocol:
    return toys.framed(session=type("Opens", (ToySession,), {"decoders": decoder}))


@pytest.mark.parametrize(
    ("fault", "kind", "says"),
    [
        (KeepsAll, MANY, "256 messages of 16396 octets came, and "),
        (KeepsBodies, ONE, "streams, and "),
        (BuffersAll, ONE, "262144 octets of the client wait to become an event"),
    ],
)
def test_a_fault_that_only_size_shows_is_found(fault: type[ToyDecoder], kind: int, says: str) -> None:
    with pytest.raises(AssertionError, match=says):
        fuzzer(opened(fault)).run(stretched(64, kind).encode())


def test_what_costs_the_square_of_its_octets_is_found() -> None:
    large = fuzzer(toys.framed()).targets[Large.number]
    assert isinstance(large, Large)
    large.hold_time(lambda times: 0.01 * times, "linear")
    with pytest.raises(TookLonger, match="the square: 1048576 octets take 16 times as long as a quarter of them"):
        large.hold_time(lambda times: 0.01 * times**2, "the square")


class CountsNothing(NumberedDecoder):
    """Requests that wait keep nothing that is counted."""

    def message(self, octets: bytes, start: int, stop: int, offset: int, more: bool) -> ToyMessage:
        found = super().message(octets, start, stop, offset, more)
        found.kept = 0
        return found


class KeepsItsRead(NumberedMessage):
    """Says that it lets go."""

    def detach(self) -> bool:
        return True


def test_a_small_message_keeps_no_read() -> None:
    decoder = type("Makes", (NumberedDecoder,), {"messages": KeepsItsRead})
    protocol = toys.numbered(session=type("Opens", (NumberedSession,), {"decoders": decoder}))
    (step,) = stretched(64, MANY, numbered=True).steps
    together = Program(Large.number, (Step(MANY, 0, 64, step.octets),), 0, 0xF000).encode()
    with pytest.raises(AssertionError, match="octets of memory are held"):
        fuzzer(protocol, numbered=True).run(together)
    fuzzer(toys.numbered(), numbered=True).run(together)


def test_many_that_wait_have_numbers_of_their_own() -> None:
    session = type("Opens", (NumberedSession,), {"decoders": CountsNothing})
    program = stretched(64, MANY, numbered=True).encode()
    with pytest.raises(AssertionError, match="256 requests wait"):
        fuzzer(toys.numbered(session=session), numbered=True).run(program)
    fuzzer(toys.numbered(), numbered=True).run(program)


def test_what_is_made_is_large_and_right() -> None:
    each = fuzzer(toys.framed())
    made = each.large(150)
    assert len(made) == 10 and each.large(10) == [] and len(each.large(60, 100)) == 4
    kinds = {Program.decode(data).steps[-1].operation for data in made}
    assert kinds == {ONE, MANY}
    for data in made[:4]:
        each.run(data)
    assert each.targets[Large.number].figures["examined"] == 4


def test_what_cannot_be_stretched_is_left_alone() -> None:
    each = fuzzer(toys.framed())
    for place in range(0, 1 << 16, 1 << 13):
        each.run(Program(Large.number, (Step(ONE, 0, 0, b"??? ????"),), 0, place).encode())
    assert each.targets[Large.number].figures["examined"] == 0
