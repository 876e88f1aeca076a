"""What was recorded of real clients and brokers says what its truth says, whole and cut, joined midway and with losses."""

from __future__ import annotations

import random

import pytest

import l7codecs
from l7codecs import IncompleteMessage, Kind, Sender, Shared, Status
from l7codecs.testing import check_cuts, replay
from l7codecs.testing.loss import Loss, replay_lossy
from l7codecs_kafka import KafkaRequest, KafkaResponse, KafkaToken

from . import recorded

C, S = Sender.CLIENT, Sender.SERVER
ALL = recorded.everything()
pytestmark = pytest.mark.skipif(not recorded.FOLDER, reason="L7CODECS_RECORDINGS is not set")
each_recording = pytest.mark.parametrize("recording", ALL, ids=lambda each: each.name)


def asked(events) -> list[KafkaRequest]:
    return [event for event in events if isinstance(event, KafkaRequest)]


def answered(events) -> list[KafkaResponse]:
    return [event for event in events if isinstance(event, KafkaResponse)]


@each_recording
def test_it_says_what_its_truth_says(recording) -> None:
    outcome = replay(l7codecs.open_session("kafka"), recording.vector)
    assert outcome.errors == {}
    for sender in Sender:
        assert outcome.raw(sender) == recording.vector.octets(sender)
    requests = asked(outcome.events)
    answers = {answer.request: answer for answer in answered(outcome.events)}
    assert None not in answers
    tokens = [event for event in outcome.events if isinstance(event, KafkaToken)]
    others = [each for each in recording.messages if "corr" not in each and each["frame_len"] != 13]
    assert len(tokens) == len(others)
    truth = recording.requests
    if recording.name == "raw-apiversions/02":
        requests = requests[1:]  # version 127 without the tagged fields that its header should have
    assert len(requests) == len(truth)
    for request, true in zip(requests, truth, strict=True):
        assert request.correlation_id == true["corr"]
        assert (request.api_key, request.version) == (true["api_key"], true["version"])
        assert request.operation == (None if true["name"] == "?" else true["name"])
        assert request.client_id == true["client_id"]
        assert request.attributes.get("messaging.client.id") == true["client_id"]
        answer = answers.get(request)
        if not true["answered"]:
            assert answer is None
            continue
        assert answer is not None and request.kind is Kind.REQUEST
        assert answer.stop - answer.start == true["response_len"] + 4
        if recording.name != "raw-apiversions/04":  # version -1, of which the truth reads no body
            assert list(answer.error_codes) == true["error_codes"]
            assert answer.body_version == true.get("response_body_version", true["version"])
        assert answer.body - answer.start - 8 == true["response_header_version"]
        failed = [code for code in answer.codes if code]
        assert (answer.status is Status.OK) == (not failed)
        assert (answer.error is None) == (not failed)
        if "topics" in true:
            assert set(true["topics"]) <= set(request.resources)
        ids = [key.hex() for key in request.keys() + answer.keys() if isinstance(key, bytes)]
        for topic in true.get("topic_ids", ()):
            assert topic.replace("-", "") in ids
        if "group" in true:
            assert request.attributes["messaging.consumer.group.name"] == true["group"]
        if "base_offsets" in true and request.operation == "Produce":
            assert [each.fields["BaseOffset"] for each in answer.results()] == true["base_offsets"]


@each_recording
def test_every_body_is_read_to_its_end(recording) -> None:
    from l7codecs_kafka._schema.values import encode

    for event in replay(l7codecs.open_session("kafka"), recording.vector).events:
        if isinstance(event, (KafkaRequest, KafkaResponse)):
            if event.layout is None or recording.name.startswith(("raw-unknown", "raw-notleader", "raw-apiversions")):
                continue
            assert encode(event.layout, event.fields()) == event.payload
            assert "kafka.malformed" not in event.attributes


@each_recording
def test_it_says_the_same_in_any_reads(recording) -> None:
    check_cuts(lambda: l7codecs.open_session("kafka"), recording.vector)


@pytest.mark.parametrize("folder", recorded.scenarios(), ids=lambda each: each.name)
def test_connections_teach_each_other_names(folder) -> None:
    """Of one scenario, one after the other as they were opened: what Metadata said on one names what others name by an id."""
    shared = Shared()
    named = unnamed = 0
    for recording in recorded.connections(folder):
        for event in replay(l7codecs.open_session("kafka", shared=shared), recording.vector).events:
            if isinstance(event, (KafkaRequest, KafkaResponse)):
                for resource in event.resources:
                    if len(resource) == 36 and resource.count("-") == 4:
                        unnamed += 1
                    else:
                        named += 1
    if folder.name not in ("broker-internal",) and not folder.name.startswith("raw"):
        assert unnamed == 0
        assert named > 0 or folder.name in ("java-sasl-reauth",)


@each_recording
def test_a_join_pairs_nothing_wrongly(recording) -> None:
    whole = replay(l7codecs.open_session("kafka"), recording.vector)
    truth = {
        answer.offset: (answer.request.offset, answer.operation, answer.status)
        for answer in answered(whole.events)
        if answer.request is not None
    }
    pieces = recording.vector.pieces
    for joined in range(1, len(pieces), max(1, len(pieces) // 12)):
        session = l7codecs.open_session("kafka")
        at = {sender: sum(len(octets) for who, octets in pieces[:joined] if who is sender) for sender in Sender}
        events = []
        for sender in Sender:
            events += session.gap(sender, at[sender])
        for sender, octets in pieces[joined:]:
            events += session.receive(sender, octets)
        found = answered(events)
        for answer in found:
            if answer.request is not None:
                assert truth[answer.offset] == (answer.request.offset, answer.operation, answer.status)
            else:
                assert answer.status is Status.UNKNOWN and answer.operation is None


@pytest.mark.parametrize("seed", range(4))
@each_recording
def test_losses_pair_nothing_wrongly(recording, seed: int) -> None:
    """One segment of 20 is lost; nothing is told that was not sent, and nothing that was sent is told otherwise."""
    chance = random.Random(f"{recording.name} {seed}")
    whole = replay(l7codecs.open_session("kafka"), recording.vector)
    truth = {
        (event.sender, event.offset): (event.size, event.operation, event.request and event.request.offset)
        for event in whole.events
        if isinstance(event, (KafkaRequest, KafkaResponse))
    }
    losses: dict[Sender, list[Loss]] = {}
    for sender in chance.choice(((C,), (S,), (C, S))):
        size = len(recording.vector.octets(sender))
        starts = [start for start in range(0, size, 100) if chance.random() < 0.05]
        losses[sender] = [Loss(start, start + chance.randrange(1, 100)) for start in starts]
    outcome = replay_lossy(l7codecs.open_session("kafka"), recording.vector, losses, (1 << 20,))
    assert not [error for error in outcome.errors.values() if not isinstance(error, IncompleteMessage)]
    for event in outcome.events:
        if isinstance(event, (KafkaRequest, KafkaResponse)):
            size, operation, asked = truth[event.sender, event.offset]
            assert event.size == size
            if isinstance(event, KafkaRequest) or event.request is not None:
                assert event.operation == operation
            if event.request is not None:
                assert event.request.offset == asked
