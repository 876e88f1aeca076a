"""The stateful machines find what they are for, show it as a script that does it again, and find nothing in what is right."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

import l7codecs
import toys
from faulty_endpoints import AfterLoss, CrossesLate, WritesBackwards, with_order
from l7codecs import Changes, Limits, Message, Sender
from l7codecs.endpoint.ordering import AnswerOrder
from l7codecs.message import Event
from l7codecs.testing import Vector, parse_vector, proxy_machine, session_machine
from l7codecs.testing.fuzzing import Material, load_material
from l7codecs.testing.fuzzing.proxy.exchanges import find_exchanges
from l7codecs.testing.fuzzing.proxy.steps import Steps
from l7codecs.testing.machines import MACHINES
from toys import ToyDecoder, ToyMessage, ToySession

ROOT = Path(__file__).resolve().parent.parent
C = Sender.CLIENT
ROOMS = ("redis", "http2", "kafka", "dubbo", "thrift", "thriftmux")
SPEAK_HTTP2 = ("grpc", "grpc_web", "connect", "triple")


def run(machine: type[RuleBasedStateMachine], examples: int, steps: int = 30) -> None:
    """The same examples each time; nobody reads what would be shrunk."""
    phases = (Phase.generate,)
    given = settings(
        MACHINES, max_examples=examples, stateful_step_count=steps, derandomize=True, database=None, phases=phases
    )
    run_state_machine_as_test(machine, settings=given)  # type: ignore[no-untyped-call]  # of hypothesis


def first_fault(machine: type[RuleBasedStateMachine], examples: int = 300, steps: int = 30) -> BaseException:
    """What is found in so many examples; which those are depends on what else is imported, so there are more than it takes."""
    with pytest.raises(BaseException) as caught:  # noqa: PT011  # whatever it is
        run(machine, examples, steps)
    error = caught.value
    return error.exceptions[0] if isinstance(error, BaseExceptionGroup) else error


@pytest.mark.parametrize("room", ROOMS)
def test_nothing_is_found_in_a_session(room: str) -> None:
    run(session_machine(load_material(room, folder=ROOT)), 25)


@pytest.mark.parametrize("room", ROOMS)
def test_nothing_is_found_in_a_proxy(room: str) -> None:
    run(proxy_machine(load_material(room, folder=ROOT)), 25)


@pytest.mark.parametrize("room", ["http2", "thriftmux"])
def test_what_a_client_takes_back_waits_nowhere(room: str) -> None:
    """A server of Mux answers it all the same; one of HTTP/2 does not."""
    material = load_material(room, folder=ROOT)
    places = find_exchanges(material)
    for number in range(len(places)):
        world = Steps(material, places, Limits())
        world.asks(0, number)
        world.cancels(0, 0)
        world.rest()
        world.check()


@pytest.mark.parametrize("name", SPEAK_HTTP2)
def test_nothing_is_found_in_what_http2_carries(name: str) -> None:
    vectors = load_material("http2", folder=ROOT).all_vectors
    run(session_machine(name, vectors), 6)
    run(proxy_machine(name, vectors), 6)


@pytest.mark.parametrize("numbered", [False, True])
def test_nothing_is_found_in_what_is_right(numbered: bool) -> None:
    protocol = toys.numbered() if numbered else toys.framed()
    run(session_machine(protocol, toys.framed_vectors(numbered)), 25)
    run(proxy_machine(protocol, toys.framed_vectors(numbered)), 25)


# ------------------------------------------------------------------------------------------------------------- what is wrong


class Raises(ToyDecoder):
    def message(self, octets: bytes, start: int, stop: int, offset: int, more: bool) -> ToyMessage:
        found = super().message(octets, start, stop, offset, more)
        if found.operation == "GET":
            raise KeyError("GET")
        return found


class LooksAhead(ToyDecoder):
    """Says something that depends on what is there."""

    def message(self, octets: bytes, start: int, stop: int, offset: int, more: bool) -> ToyMessage:
        found = super().message(octets, start, stop, offset, more)
        if len(octets) > stop:
            found.declared_size = 7
            found.kind = l7codecs.Kind.ONEWAY if found.kind is l7codecs.Kind.REQUEST else found.kind
        return found


class Forgets(ToyDecoder):
    """A request that comes while another waits is not remembered."""

    def pair(self, message: Message) -> None:
        if message.sender is not C or not self.asks.pending:
            super().pair(message)


@pytest.mark.parametrize(
    ("fault", "says"),
    [(Raises, "KeyError"), (LooksAhead, "decoded whole"), (Forgets, "to which nothing was said")],
)
def test_a_fault_of_a_decoder_is_found(fault: type[ToyDecoder], says: str) -> None:
    protocol = toys.framed(session=type("Opens", (ToySession,), {"decoders": fault}))
    assert says in repr(first_fault(session_machine(protocol, toys.framed_vectors())))


class Doubles(ToySession):
    """What is sent while paused comes twice."""

    def send(self, event: Event, changes: Changes | None = None) -> bytes:
        octets = super().send(event, changes)
        if self.paused:
            super().put(event)
        return octets


def many_at_once(count: int) -> list[Vector]:
    """So many requests, and their answers behind all of them: what is lost leaves others that an answer can be taken for."""
    asked = [(C, toys.frame("?", b"GET %d" % number)) for number in range(count)]
    return [Vector("many", (*asked, *((C.other, toys.frame(".", b"value %d" % number)) for number in range(count))))]


@pytest.mark.parametrize(
    ("fault", "vectors", "says"),
    [(AfterLoss, many_at_once(12), "answers the request"), (Doubles, toys.framed_vectors(), "given to send")],
)
def test_a_fault_of_a_session_is_found(fault: type[ToySession], vectors: list[Vector], says: str) -> None:
    assert says in repr(first_fault(session_machine(toys.framed(session=fault), vectors), 6_000, 60))


@pytest.mark.parametrize("order", [CrossesLate, WritesBackwards])
def test_a_fault_of_a_proxy_is_found(order: type[AnswerOrder]) -> None:
    found = first_fault(proxy_machine(with_order(order), toys.framed_vectors()))
    assert isinstance(found, AssertionError)


# ------------------------------------------------------------------------------------------------------------- how it is shown


def script_of(error: BaseException) -> str:
    (shown,) = {note for note in error.__notes__ if note.startswith("As a script:")}
    return re.sub(r"^As a script:\n\n", "", shown)


@pytest.mark.parametrize("kind", ["session", "proxy"])
def test_what_is_found_is_a_script_that_does_it_again(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if kind == "session":
        protocol = toys.framed(session=type("Opens", (ToySession,), {"decoders": Raises}))
        machine: Any = session_machine(protocol, toys.framed_vectors())
    else:
        protocol = with_order(CrossesLate)
        machine = proxy_machine(protocol, toys.framed_vectors())
    found = first_fault(machine)
    script = script_of(found)
    monkeypatch.setattr(l7codecs, "get_protocol", lambda name: protocol)
    with pytest.raises(type(found)) as again:
        exec(compile(script, "script", "exec"), {})  # it is what is shown
    assert str(again.value)[:20] == str(found)[:20]


def test_there_is_something_to_exchange() -> None:
    with pytest.raises(ValueError, match="no vectors"):
        session_machine("redis", [])
    one_way = [parse_vector("one", "C *1\\r\\n$4\\r\\nPING\\r\\n\n")]
    with pytest.raises(ValueError, match="that endpoints can exchange"):
        proxy_machine(Material(l7codecs.get_protocol("redis"), one_way))
