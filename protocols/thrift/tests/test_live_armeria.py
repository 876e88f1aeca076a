"""Armeria through a relay: what its clients got and its services saw is what the messages say."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

import l7codecs
from l7codecs import Kind, Message, Sender, Status
from l7codecs.testing import Recording, Relay, check_cuts
from l7codecs_thrift import ThriftMessage

from .conftest import needs, tool

pytestmark = pytest.mark.interop

CALLS = ("hello:bob", "declared:sold", "failing:x", "notThere:y", "nothing:", "fire:shot", "hello:é")
SAID = [
    "text:hi bob",
    "declared:sold",
    "application:6:null",
    "application:1:unknown method: notThere",
    "void",
    "oneway",
    "text:hi é",
]
SEEN = ["hello:bob", "declared:sold", "failing:x", "nothing:", "fire:shot", "hello:é"]
STATUSES = [Status.OK, Status.UNKNOWN, Status.INTERNAL, Status.UNIMPLEMENTED, Status.OK, None, Status.OK]


class Setup:
    """A client and a server."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self.server, self.client = (
            self._stack.enter_context(tool("foreign_peers").armeria(name)) for name in ("server", "client")
        )
        self._port = int(self.server.exchange("serve"))

    def close(self) -> None:
        self._stack.close()

    def play(self, scheme: str) -> list[Recording]:
        """What passed of all calls, of which client and service say the same as ever."""
        with Relay(("127.0.0.1", self._port)) as relay:
            said = self.client.exchange(f"call {scheme} {relay.port} {' '.join(CALLS)}").split("\t")
            recordings = [each for each in relay.wait_closed() if each.pieces]
        assert said == SAID and self.server.exchange("seen").split("\t") == SEEN
        return recordings


@pytest.fixture(scope="module")
def setup() -> Iterator[Setup]:
    opened = needs(Setup)
    yield opened
    opened.close()


def events(recording: Recording) -> list[Any]:
    """What is told of it, in whatever cuts."""
    vector = recording.to_vector()
    outcome = check_cuts(lambda: l7codecs.open_session("thrift"), vector)
    assert not outcome.errors
    session = l7codecs.open_session("auto")
    found = [event for sender, octets in vector.pieces for event in session.receive(sender, octets)]
    assert session.protocol == "thrift" and len(found) == len(outcome.events)
    return outcome.events


@pytest.mark.parametrize("encoding", ["binary", "compact", "json"])
def test_calls(setup: Setup, encoding: str) -> None:
    (recording,) = setup.play(f"t{encoding}+h1c")
    found = events(recording)
    assert all(isinstance(each, ThriftMessage) and each.transport == "http" for each in found)
    calls = [each for each in found if each.sender is Sender.CLIENT]
    assert [(each.operation, each.structure()) for each in calls] == [
        (name, {1: text} if text else {}) for name, text in (each.split(":") for each in CALLS)
    ]
    assert [each.kind for each in calls] == [*[Kind.REQUEST] * 5, Kind.ONEWAY, Kind.REQUEST]
    assert {each.encoding for each in calls} == {encoding}
    answers = {each.request: each for each in found if each.kind is Kind.RESPONSE}
    assert [answers[each].status if each in answers else None for each in calls] == STATUSES
    results = [answers[each].structure() for each in calls if each in answers]
    assert results == [{0: "hi bob"}, {1: {1: "sold"}}, {2: 6}, {1: "unknown method: notThere", 2: 1}, {}, {0: "hi é"}]
    assert calls[0].headers["content-type"] == f"application/x-thrift; protocol=T{encoding.upper()}"


def test_text(setup: Setup) -> None:
    """A format of Armeria's own, for people to read."""
    (recording,) = setup.play("ttext+h1c")
    found = events(recording)
    calls = [each for each in found if each.sender is Sender.CLIENT]
    assert {each.encoding for each in found if each.kind is not Kind.CONTROL} == {"ttext"}
    assert [each.operation for each in calls] == [each.split(":")[0] for each in CALLS]
    answers = {each.request: each for each in found if each.kind is Kind.RESPONSE}
    assert [answers[each].status if each in answers else None for each in calls] == STATUSES


@pytest.mark.parametrize("encoding", ["binary", "compact", "json"])
def test_over_http2(setup: Setup, encoding: str) -> None:
    """What HTTP/2 tells: that it is Thrift, and in which encoding."""
    (recording,) = setup.play(f"t{encoding}+h2c")
    session = l7codecs.open_session("auto")
    found = [event for sender, octets in recording.to_vector().pieces for event in session.receive(sender, octets)]
    assert session.protocol == "http2"
    calls: list[Any] = [each for each in found if isinstance(each, Message) and each.kind is Kind.REQUEST]
    content = f"application/x-thrift; protocol=T{encoding.upper()}".encode()
    assert [each.headers["content-type"] for each in calls] == [content] * len(CALLS)
