"""What was recorded of real consumers and providers says what both of them report, whole and cut, joined midway and with losses."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

import l7codecs
from l7codecs import IncompleteMessage, Kind, Limits, Sender, Status
from l7codecs.testing import check_cuts, replay
from l7codecs.testing.loss import Loss, replay_lossy
from l7codecs_dubbo import DubboEvent, DubboMessage, DubboRequest, DubboResponse

from . import dubbo_recorded as recorded

C, S = Sender.CLIENT, Sender.SERVER
ALL = recorded.scenarios()
pytestmark = pytest.mark.skipif(not recorded.FOLDER, reason="L7CODECS_RECORDINGS is not set")
each_scenario = pytest.mark.parametrize("scenario", ALL, ids=lambda each: each.name)
each_vector = pytest.mark.parametrize(
    "vector", [vector for each in ALL for vector in each.vectors], ids=lambda each: each.name
)


def heard(scenario: recorded.Scenario) -> tuple[list[DubboRequest], dict[Any, DubboResponse]]:
    """The calls, and the answer to each."""
    asked: list[DubboRequest] = []
    answered: dict[Any, DubboResponse] = {}
    for vector in scenario.vectors:
        outcome = replay(l7codecs.open_session("dubbo", limits=Limits(message=1 << 24)), vector)
        assert not outcome.errors
        for sender in Sender:
            assert outcome.raw(sender) == vector.octets(sender)
        for event in outcome.events:
            assert isinstance(event, DubboMessage) or event.kind is Kind.DATA
            if isinstance(event, DubboRequest):
                asked.append(event)
            elif isinstance(event, DubboResponse):
                assert event.request is not None
                answered[event.request] = event
    return asked, answered


def headers(message: DubboRequest | DubboResponse) -> dict[str, Any]:
    """The attachments by name, a list as one."""
    return {name: json.loads(value) if str(value)[:1] == "[" else value for name, value in message.headers}


def says(message: str | None, told: Any) -> bool:
    """Whether a message is what the truth tells of it: the text, or how it begins and how long it is."""
    if isinstance(told, dict):
        return message is not None and message.startswith(told["head"]) and len(message) == told["length"]
    return message == told


@each_scenario
def test_it_says_what_both_sides_report(scenario: recorded.Scenario) -> None:
    asked, answered = heard(scenario)
    waiting = list(asked)
    for call in scenario.calls:
        if "Failed to send message" in json.dumps(call["result"]):
            continue  # the consumer cannot write it
        wanted = (call["interface"], call["method"], call["version"], call["group"])
        found = next(
            (each for each in waiting if (each.path, each.method, each.service_version, each.group) == wanted), None
        )
        if found is None or (call["outcome"] == "exception" and found not in answered):
            assert call["outcome"] == "exception"  # it was never sent
            continue
        waiting.remove(found)
        asks, method, types = found.operation, call["method"], plain_types(call)
        if found.is_generic:
            assert method in ("$invoke", "$invokeAsync") and found.attributes["dubbo.generic_method"] == method
            assert asks == recorded.plain(call["args"])[0]
        else:
            assert asks == method
        assert found.attributes["rpc.method"] == f"{found.service}/{asks}"
        assert found.attributes.get("dubbo.path", found.service) == call["interface"]
        assert ("dubbo.path" in found.attributes) == (
            call["name"] == "unknown-method" and found.service != call["interface"]
        )
        assert "dubbo.malformed" not in found.attributes
        assert types is None or len(found.param_types or ()) == types
        if found.kind is Kind.ONEWAY:
            assert found not in answered and call["result"] is None
            continue
        check_answer(scenario, call, answered[found])
    assert not [each for each in waiting if each.service != "org.apache.dubbo.metadata.MetadataService"]


def plain_types(call: dict[str, Any]) -> int | None:
    """How many arguments there are; None where the truth does not tell all of them."""
    given = recorded.plain(call["args"])
    return len(given) if isinstance(given, list) and not call["method"].startswith("$") else None


def check_answer(scenario: recorded.Scenario, call: dict[str, Any], found: DubboResponse) -> None:
    if call["outcome"] == "ok":
        assert found.status is Status.OK and found.error is None
        assert found.response_kind == ("null" if call["result"] is None else "value")
    elif found.status_code != 20:
        assert found.status is not Status.OK and found.text()
        assert call["result"]["class"] == "org.apache.dubbo.rpc.RpcException"
    elif found.serialization == "fastjson" or call["name"] in ("slow",):
        assert found.response_kind in ("exception", "value")  # the consumer cannot read it, or has given it up
        return
    elif found.response_kind == "exception":
        assert found.status is Status.UNKNOWN and found.error == found.exception[0]
        told = call["result"]
        if found.exception[0] == told["class"]:
            assert says(found.exception[1], told["message"]) or found.serialization == "fastjson2"
        else:  # the consumer does not know the class
            assert scenario.name.startswith("nocheck") or told["class"] == "org.apache.dubbo.rpc.RpcException"
    reported = recorded.plain(call.get("response_attachments")) or {}
    if "dubbo" in reported:  # else they are not those of this answer
        reported.pop("output", None)
        said = headers(found)
        # What a provider of 2.7 attaches once stays.
        assert said.items() <= reported.items() if scenario.name.startswith("27") else said == reported


@each_scenario
def test_attachments_are_what_the_provider_saw(scenario: recorded.Scenario) -> None:
    asked, answered = heard(scenario)
    # A refused answer was served as well; what a provider refused was not.
    served = [
        each
        for each in asked
        if each.kind is Kind.ONEWAY or (each in answered and answered[each].status_code in (20, 50))
    ]
    seen = [each["method"] for each in scenario.saw]
    served = [each for each in served if each.operation in seen]
    assert [each.operation for each in served] == seen
    for request, saw in zip(served, scenario.saw, strict=True):
        told = recorded.plain(saw["attachments"])
        told.pop("input", None)
        said = headers(request)
        assert {name: said.get(name) for name in told} == told


@each_vector
def test_it_says_the_same_in_any_reads(vector: Any) -> None:
    check_cuts(lambda: l7codecs.open_session("dubbo"), vector)


def test_heartbeats_of_both_sides_are_answered() -> None:
    (scenario,) = [each for each in ALL if each.name == "hb-26-26-both1s/idle"]
    events = replay(l7codecs.open_session("dubbo"), scenario.vectors[0]).events
    beats = [event for event in events if event.kind is Kind.HEARTBEAT]
    assert {beat.sender for beat in beats} == {C, S}
    answers = {
        event.request: event for event in events if isinstance(event, DubboEvent) and event.kind is Kind.RESPONSE
    }
    assert set(beats) == set(answers)
    assert all(answer.sender is beat.sender.other for beat, answer in answers.items())


def test_a_shutdown_says_goaway_twice_and_what_is_under_way_is_answered() -> None:
    (scenario,) = [each for each in ALL if each.name == "shut-33-33-busy/wait"]
    events = replay(l7codecs.open_session("dubbo"), scenario.vectors[0]).events
    assert [event.sender for event in events if event.kind is Kind.GOAWAY] == [S, S]
    asked = [event for event in events if event.kind is Kind.REQUEST]
    assert {event.request for event in events if event.kind is Kind.RESPONSE} == set(asked)


@each_vector
def test_a_join_pairs_nothing_wrongly(vector: Any) -> None:
    whole = replay(l7codecs.open_session("dubbo"), vector)
    truth = {
        event.offset: (event.request.offset, event.operation, event.status)
        for event in whole.events
        if isinstance(event, DubboResponse) and event.request is not None
    }
    pieces = vector.pieces
    for joined in range(1, len(pieces), max(1, len(pieces) // 8)):
        session = l7codecs.open_session("dubbo")
        at = {sender: sum(len(octets) for who, octets in pieces[:joined] if who is sender) for sender in Sender}
        events = []
        for sender in Sender:
            events += session.gap(sender, at[sender])
        for sender, octets in pieces[joined:]:
            events += session.receive(sender, octets)
        for event in events:
            if isinstance(event, DubboResponse):
                if event.request is not None:
                    assert truth[event.offset] == (event.request.offset, event.operation, event.status)
                else:
                    assert event.operation is None and event.status is truth[event.offset][2]


@pytest.mark.parametrize("seed", range(3))
@each_vector
def test_losses_pair_nothing_wrongly(vector: Any, seed: int) -> None:
    """One segment of 20 is lost; nothing is told that was not sent, and nothing that was sent is told otherwise."""
    chance = random.Random(f"{vector.name} {seed}")
    whole = replay(l7codecs.open_session("dubbo"), vector)
    truth = {
        (event.sender, event.offset): (event.size, event.kind, event.operation, event.request and event.request.offset)
        for event in whole.events
        if isinstance(event, DubboMessage)
    }
    losses: dict[Sender, list[Loss]] = {}
    for sender in chance.choice(((C,), (S,), (C, S))):
        size = len(vector.octets(sender))
        starts = [start for start in range(0, size, 100) if chance.random() < 0.05]
        losses[sender] = [Loss(start, start + chance.randrange(1, 100)) for start in starts]
    outcome = replay_lossy(l7codecs.open_session("dubbo"), vector, losses, (1 << 20,))
    assert not [error for error in outcome.errors.values() if not isinstance(error, IncompleteMessage)]
    for event in outcome.events:
        if isinstance(event, DubboMessage):
            size, kind, operation, asked = truth[event.sender, event.offset]
            assert (event.size, event.kind) == (size, kind)
            assert event.operation in (operation, None)
            if event.request is not None:
                assert event.request.offset == asked
