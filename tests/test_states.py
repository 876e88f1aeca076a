"""The states of a session: what the vectors lead to, what grows in them, and what of it costs more than it should."""

from __future__ import annotations

import sys
from typing import Any

import pytest

import toys
from l7codecs import Kind, Message, Protocol, Sender
from l7codecs.message import Event
from l7codecs.testing import Vector
from l7codecs.testing.conformance.growing import passes
from l7codecs.testing.growth import READS
from l7codecs.testing.reporting import main
from l7codecs.testing.states import States, find_states
from toys import ToyDecoder, ToyMessage, ToySession

C = Sender.CLIENT


def states_of(decoder: type[ToyDecoder]) -> States:
    protocol = toys.framed(session=type("Opens", (ToySession,), {"decoders": decoder}))
    return find_states(protocol, toys.framed_vectors(), toys.framed_large)


def finding(states: States, read: int) -> str:
    """The first."""
    for grown in states.grown:
        try:
            states.check_time(grown, read)
            states.check_memory(grown, read)
        except AssertionError as error:
            return str(error)
    return ""


def test_every_state_of_what_is_right_grows() -> None:
    states = states_of(ToyDecoder)
    assert not states.passed
    held = {states.names(grown.state) for grown in states.grown}
    assert any("buffer holds octets" in each for each in held) and any("asks waits" in each for each in held)
    assert {"message", "large"} <= {grown.how for grown in states.grown}


class Scans(ToyDecoder):
    """Looks at all pushes again, while one is under way."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.pushes: list[bytes] = []

    def message(self, octets: bytes, start: int, stop: int, offset: int, more: bool) -> ToyMessage:
        found = super().message(octets, start, stop, offset, more)
        if found.kind is Kind.PUSH:
            self.pushes.append(found.payload)
            for _ in range(20):
                sum(map(len, self.pushes))
        return found


class Reserves(ToyDecoder):
    """Takes memory for each request, and does not give it back."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.space: list[bytearray] = []

    def pair(self, message: Message) -> None:
        super().pair(message)
        if message.kind is Kind.REQUEST:
            self.space.append(bytearray(1 << 16))


@pytest.mark.parametrize(("fault", "says"), [(Scans, "times as long"), (Reserves, "octets of memory")])
def test_what_costs_more_in_a_state_is_found(
    fault: type[ToyDecoder], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules["l7codecs.testing.growth"], "_MOST", 3)
    states = states_of(fault)
    states.grown = [grown for grown in states.grown if not grown.state.stays]
    assert says in finding(states, READS[2])


class Greets(ToyDecoder):
    """The first message of a connection is held until the next has come."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.first: list[Event] = []
        self.greeted = False

    def next_event(self) -> Event | None:
        found = super().next_event()
        if found is not None and self.sender is C:
            self.first = [] if self.greeted else [found]
            self.greeted = True
        return found


def test_a_state_to_which_nothing_leads_back_is_named() -> None:
    states = states_of(Greets)
    assert states.passed
    assert all("first" in states.names(state) for state in states.passed)
    assert "of a message of the client" in str(states.passed[0])


def test_vectors_that_cannot_be_decoded_lead_nowhere() -> None:
    protocol: Protocol = toys.framed()
    assert not find_states(protocol, [Vector("wrong", ((C, b"\0\0\0\0\xff"),))]).grown


def test_the_command_says_what_grows(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert main(["thriftmux", "protocols/thrift/vectors/mux"]) == 0
    assert "states grow" in capsys.readouterr().out
    assert main(["nothing"]) == 2


def test_what_comes_once_is_named_by_parts_that_are_there_together() -> None:
    names = ("vector, octet 3", "Decoder.body=Stream", "Decoder.flags")
    assert passes(("octet 3",), names) and passes((("body", "flags"),), names) and passes(("no", ("flags",)), names)
    assert not passes((("body", "ends"), "other"), names) and not passes((), names)
