"""What was recorded of real clients and servers says what they report, whole and cut, joined midway and with losses."""

from __future__ import annotations

import random

import pytest

import l7codecs
from l7codecs import IncompleteMessage, Kind, Limits, Sender, Status, Verdict
from l7codecs.testing import check_cuts, replay
from l7codecs.testing.loss import Loss, replay_lossy
from l7codecs_thrift import PROTOCOL, ThriftMessage

from . import thrift_recorded as recorded

C, S = Sender.CLIENT, Sender.SERVER
RUNS = recorded.runs()
pytestmark = pytest.mark.skipif(not recorded.FOLDER, reason="L7CODECS_RECORDINGS is not set")
each_run = pytest.mark.parametrize("run", RUNS, ids=lambda each: each.name)
each_vector = pytest.mark.parametrize("vector", recorded.vectors(), ids=lambda each: each.name)
TYPES = {"call": 1, "reply": 2, "exception": 3, "oneway": 4}


def heard(vector: l7codecs.testing.Vector) -> list[ThriftMessage]:
    """Every message, in the order of arrival."""
    outcome = replay(l7codecs.open_session("thrift", limits=Limits(message=1 << 24)), vector)
    assert not outcome.errors
    for sender in Sender:
        assert outcome.raw(sender) == vector.octets(sender)
    assert all(isinstance(each, ThriftMessage) for each in outcome.events)
    return [each for each in outcome.events if isinstance(each, ThriftMessage) and each.type_id]


@each_run
def test_it_says_what_the_reference_reads(run: recorded.Run) -> None:
    for vector, said in run.connections:
        messages = heard(vector)
        for letter, sender in (("C", C), ("S", S)):
            found = [[each.name, TYPES[each.message_type], each.number] for each in messages if each.sender is sender]
            told = said[letter]
            assert found[: len(told)] == told if f"{letter}_unread" in said else found == told


@each_vector
def test_an_answer_is_to_the_call_that_was_asked_last(vector: l7codecs.testing.Vector) -> None:
    """Every one of these clients waits for an answer before it asks again; Go writes its one-way calls as calls."""
    last = None
    answered = set()
    messages = heard(vector)
    for message in messages:
        if message.kind is Kind.REQUEST:
            last = message
        elif message.kind is Kind.RESPONSE:
            assert message.request is last and last is not None and last not in answered
            answered.add(last)
    left = [each for each in messages if each.kind is Kind.REQUEST and each not in answered]
    assert all(each.operation == "fire" or each is last for each in left)


@each_run
def test_it_says_what_the_client_reports(run: recorded.Run) -> None:
    asked: list[ThriftMessage] = []
    answers: dict[ThriftMessage, ThriftMessage] = {}
    for vector, _said in run.connections:
        for message in heard(vector):
            if message.kind is not Kind.RESPONSE:
                asked.append(message)
            elif isinstance(message.request, ThriftMessage):
                answers[message.request] = message
    waiting = list(asked)
    matched = 0
    for call in run.calls:
        found = next((each for each in waiting if each.operation == call["method"]), None)
        if found is None:
            continue  # it was never sent
        waiting.remove(found)
        matched += 1
        answer = answers.get(found)
        if "result" in call and call["method"] != "fire":
            assert answer is not None and answer.status is Status.OK and answer.error is None
            empty = call["method"] == "nothing"
            assert answer.reply_kind == ("empty" if empty else "result")
        elif call.get("exception") == "Oops":
            assert answer is not None and answer.reply_kind == "declared" and answer.status is Status.UNKNOWN
        elif call.get("exception") == "TApplicationException" and answer is not None and answer.type_id == 3:
            kind, text = answer.exception
            detail = call["detail"]
            told = detail if isinstance(detail, dict) else {"type": call.get("type"), "message": detail}
            if told.get("type") is not None:
                assert (kind or 0) == told["type"]
            if text is not None and isinstance(told.get("message"), str):
                assert text == told["message"]
            if call["method"] == "notThere":
                assert answer.status is Status.UNIMPLEMENTED
            assert answer.status is not Status.OK
        elif call.get("exception") == "TApplicationException" and answer is not None:
            assert answer.reply_kind == "empty"  # a null result, for which the client makes an exception of its own
    assert matched > len(run.calls) // 2 or not asked


@each_vector
def test_any_reads_and_any_limits_say_the_same(vector: l7codecs.testing.Vector) -> None:
    check_cuts(lambda: l7codecs.open_session("thrift"), vector)
    small = Limits(message=100, head=64)
    outcome = replay(l7codecs.open_session("thrift", limits=small), vector)
    whole = replay(l7codecs.open_session("thrift"), vector)
    if not outcome.errors:
        messages = [[each for each in one.events if isinstance(each, ThriftMessage)] for one in (outcome, whole)]
        for one, other in zip(*messages, strict=True):
            assert (one.name, one.number, one.kind, one.offset) == (other.name, other.number, other.kind, other.offset)


@each_vector
def test_it_is_detected(vector: l7codecs.testing.Vector) -> None:
    octets = vector.octets(C)
    for size in range(min(len(octets), 1024)):
        assert PROTOCOL.detect(octets[:size], b"").verdict is not Verdict.NO
    assert PROTOCOL.detect(octets[:1024], b"").verdict is Verdict.YES
    assert l7codecs.detect(octets[:1024], b"")[0].protocol == "thrift"


@each_vector
def test_after_a_loss_nothing_is_wrong(vector: l7codecs.testing.Vector) -> None:
    """What is paired then was paired so without the loss."""
    whole = replay(l7codecs.open_session("thrift"), vector)
    true = {
        (each.sender, each.offset): each.request.offset if each.request else None
        for each in whole.events
        if isinstance(each, ThriftMessage)
    }
    chance = random.Random(vector.name)
    for _turn in range(60):
        sender = chance.choice(tuple(Sender))
        size = len(vector.octets(sender))
        if not size:
            continue
        at = chance.randrange(size)
        loss = Loss(at, min(size, at + chance.choice((1, 20, 100, 400))))
        outcome = replay_lossy(
            l7codecs.open_session("thrift"), vector, {sender: [loss]}, (chance.choice((7, 1 << 20)),)
        )
        for error in outcome.errors.values():
            assert isinstance(error, IncompleteMessage) or error
        for each in outcome.events:
            if isinstance(each, ThriftMessage) and each.kind is Kind.RESPONSE and not each.more:
                if each.request is not None and (each.sender, each.offset) in true:
                    assert true[each.sender, each.offset] == each.request.offset
