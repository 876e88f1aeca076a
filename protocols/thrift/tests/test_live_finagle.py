"""Finagle through a relay, ThriftMux and Thrift: what its clients got and its services saw is what the messages say."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

import l7codecs
from l7codecs import Kind, Sender, Status
from l7codecs.testing import Recording, Relay, check_cuts, free_port
from l7codecs_thrift import MuxMessage, ThriftMessage

from .conftest import needs, tool
from .test_live_proxy import EXAMPLE, HOST, started

pytestmark = pytest.mark.interop

CALLS = ("hello:bob", "declared:sold", "failing:x", "notThere:y", "slow:20", "hello:é")
SAID = ["text:hi bob", "declared:sold", "application:6:Internal error processing failing: 'java.lang.RuntimeException: secret x'",
        "application:1:Invalid method name: 'notThere'", "text:slept 20", "text:hi é"]  # fmt: skip
STATUSES = [Status.OK, Status.UNKNOWN, Status.INTERNAL, Status.UNIMPLEMENTED, Status.OK, Status.OK]


class Setup:
    """A client and a server, and whatever relays are between."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self.server, self.client = (
            self._stack.enter_context(tool("foreign_peers").finagle(name)) for name in ("server", "client")
        )

    def close(self) -> None:
        self._stack.close()

    def play(
        self, kind: str, *calls: str, do: str = "call", patience: int = 20_000, tenant: str = "-"
    ) -> tuple[list[str], list[str], list[Recording]]:
        """What the client got, what the service saw (method:text:tenant), and what passed."""
        self.server.exchange("seen")
        with Relay(("127.0.0.1", int(self.server.exchange(f"serve {kind}")))) as relay:
            said = self.client.exchange(f"{do} {kind} {relay.port} {patience} {tenant} {' '.join(calls)}").split("\t")
            recordings = [each for each in relay.wait_closed() if each.pieces]
        return said, self.server.exchange("seen").split("\t"), recordings


@pytest.fixture(scope="module")
def setup() -> Iterator[Setup]:
    opened = needs(Setup)
    yield opened
    opened.close()


def events(recording: Recording, protocol: str) -> list[Any]:
    """What is told of it, in whatever cuts, by who is told the protocol and by who finds it out."""
    vector = recording.to_vector()
    outcome = check_cuts(lambda: l7codecs.open_session(protocol), vector)
    assert not outcome.errors
    session = l7codecs.open_session("auto")
    found = [event for sender, octets in vector.pieces for event in session.receive(sender, octets)]
    assert session.protocol == protocol and [each.kind for each in found] == [each.kind for each in outcome.events]
    return outcome.events


def paired(found: list[Any], kind: type) -> list[tuple[Any, Any]]:
    """Calls with their answers, in the order of the calls."""
    answers = {each.request: each for each in found if each.kind is Kind.RESPONSE}
    calls = [each for each in found if each.kind in (Kind.REQUEST, Kind.ONEWAY) and each.operation is not None]
    assert all(isinstance(each, kind) for each in calls)
    return [(each, answers.get(each)) for each in calls]


def truth(seen: list[str]) -> list[tuple[str, dict[int, str]]]:
    return [(each.split(":")[0], {1: each.split(":")[1]}) for each in seen]


def test_dispatches(setup: Setup) -> None:
    """Methods, arguments, results, exceptions, and contexts, among them one of the caller's own."""
    said, seen, (recording,) = setup.play("mux", *CALLS, tenant="blue")
    assert said == SAID and [each.split(":")[2] for each in seen] == ["blue"] * len(CALLS)
    found = events(recording, "thriftmux")
    pairs = paired(found, MuxMessage)
    assert [(call.operation, call.carried().structure()) for call, _ in pairs] == truth(seen)
    for (call, answer), status in zip(pairs, STATUSES, strict=True):
        assert call.headers["l7codecs.tenant"] == b"blue"
        assert len(call.headers["com.twitter.finagle.tracing.TraceContext"]) == 32
        assert answer.request_id == call.request_id and answer.attributes["mux.status"] == "OK"
        assert answer.status is status
    texts = [answer.carried().structure() for _, answer in pairs]
    assert texts[0] == {0: "hi bob"} and texts[1] == {1: {1: "sold"}} and texts[5] == {0: "hi é"}
    assert f"application:6:{texts[2][1]}" == said[2] and f"application:1:{texts[3][1]}" == said[3]
    names = [each.type_name for each in found if each.sender is Sender.CLIENT]
    assert names == ["Rerr", "Tinit", "Tping", *["Tdispatch"] * len(CALLS)]
    (ping,) = [each for each in found if each.kind is Kind.HEARTBEAT]
    assert [each.type_name for each in found if each.kind is Kind.RESPONSE and each.request is ping] == ["Rping"]


def test_many_at_once(setup: Setup) -> None:
    """Tags tell which answer is to which call, whatever order they come in."""
    calls = ["slow:300", "hello:a", "slow:150", "hello:b"]
    said, seen, (recording,) = setup.play("mux", *calls, do="together")
    assert said == ["text:slept 300", "text:hi a", "text:slept 150", "text:hi b"] and len(seen) == 4
    pairs = paired(events(recording, "thriftmux"), MuxMessage)
    assert sorted(call.operation + ":" + call.carried().pick(1) for call, _ in pairs) == sorted(calls)
    for call, answer in pairs:
        text = call.carried().pick(1)
        assert answer.carried().structure() == {0: f"{'slept' if call.operation == 'slow' else 'hi'} {text}"}
    assert len({call.request_id for call, _ in pairs}) == 4


def test_a_call_that_is_discarded(setup: Setup) -> None:
    """The client waits no longer and says so; the server answers that, and the connection goes on."""
    said, _, (recording,) = setup.play("mux", "slow:3000", "hello:on", patience=400)
    assert said[0].startswith("failed:IndividualRequestTimeoutException") and said[1] == "text:hi on"
    found = events(recording, "thriftmux")
    (slow, discarded), (hello, answer) = paired(found, MuxMessage)
    assert (slow.operation, hello.operation, answer.status) == ("slow", "hello", Status.OK)
    assert discarded.type_name == "Rdiscarded" and discarded.status is not Status.OK
    assert [(each.type_name, each.request) for each in found if each.kind is Kind.RESET] == [("Tdiscarded", slow)]


def test_a_server_that_drains(setup: Setup) -> None:
    """It says so, and answers what it has."""
    with Relay(("127.0.0.1", int(setup.server.exchange("serve mux")))) as relay:
        setup.client.tell(f"call mux {relay.port} 20000 - hello:a slow:1500")
        while not relay.recordings:
            time.sleep(0.02)
        relay.recordings[0].wait_for(b"slow", Sender.CLIENT)
        assert setup.server.exchange("drain") == "drained"
        assert setup.client.hear() == "text:hi a\ttext:slept 1500"
        (recording,) = [each for each in relay.wait_closed() if each.pieces]
    setup.server.exchange("seen")
    found = events(recording, "thriftmux")
    order = [each.type_name for each in found if each.sender is Sender.SERVER]
    assert order[-2:] == ["Tdrain", "Rdispatch"] and found[-1].request.operation == "slow"
    assert [each.kind for each in found if each.type_name == "Tdrain"] == [Kind.GOAWAY]


def test_one_way(setup: Setup) -> None:
    """ThriftMux has none, its client says; Thrift has."""
    said, seen, (recording,) = setup.play("mux", "hello:a", "fire:x")
    assert said[1] == "failed:UnsupportedOperationException:ThriftMux does not support one-way messages"
    assert [each.split(":")[0] for each in seen] == ["hello"]
    assert [call.operation for call, _ in paired(events(recording, "thriftmux"), MuxMessage)] == ["hello"]
    said, seen, (recording,) = setup.play("thrift", "fire:x", "hello:on")
    assert said == ["oneway", "text:hi on"] and sorted(each.split(":")[0] for each in seen) == ["fire", "hello"]
    pairs = paired(events(recording, "thrift"), ThriftMessage)
    assert [(call.operation, answer and answer.status) for call, answer in pairs[-2:]] == [
        ("fire", None), ("hello", Status.OK),
    ]  # fmt: skip


def test_the_upgrade_of_thrift(setup: Setup) -> None:
    """Once it is agreed on, every message has a struct before it."""
    said, seen, (recording,) = setup.play("thrift", *CALLS, tenant="blue")
    assert said == SAID and [each.split(":")[2] for each in seen] == ["blue"] * len(CALLS)
    pairs = paired(events(recording, "thrift"), ThriftMessage)
    (asked, agreed), *rest = pairs
    assert (asked.operation, asked.transport) == ("__can__finagle__trace__v3__", "framed")
    assert (agreed.status, agreed.transport) == (Status.OK, "framed")
    assert [(call.operation, call.structure()) for call, _ in rest] == truth(seen)
    for (call, answer), status in zip(rest, STATUSES, strict=True):
        assert (call.transport, answer.transport, answer.status) == ("finagle", "finagle", status)
        assert answer.number == call.number
    assert rest[0][1].structure() == {0: "hi bob"} and rest[1][1].structure() == {1: {1: "sold"}}


def test_no_upgrade_through_the_example_proxy(setup: Setup) -> None:
    """It shares connections, so it says that it does not know the method, and clients go on without."""
    with Relay((HOST, int(setup.server.exchange("serve thrift")))) as inner:
        port = free_port()
        proxy = started(EXAMPLE, port, str(port), f"*@{inner.port}")
        try:
            said = [
                setup.client.exchange(f"call thrift {port} 20000 - {' '.join(CALLS)}").split("\t") for _ in range(2)
            ]
        finally:
            proxy.kill()
            printed = proxy.communicate()[1].decode()
        (recording,) = [each for each in inner.wait_closed() if each.pieces]
    assert said == [SAID, SAID] and "closing" not in printed, printed
    assert len(setup.server.exchange("seen").split("\t")) == 2 * len(CALLS)
    pairs = paired(events(recording, "thrift"), ThriftMessage)
    assert [call.operation for call, _ in pairs] == [each.split(":")[0] for each in CALLS] * 2
    assert [answer.status for _, answer in pairs] == STATUSES * 2
    assert {each.transport for pair in pairs for each in pair} == {"framed"}
