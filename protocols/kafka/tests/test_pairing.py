"""Which request an answer answers: by id, in order, whatever the ids are, and what stays certain after a loss."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence

import pytest

from l7codecs import Kind, Limits, Sender, Status
from l7codecs.testing import growth
from l7codecs.testing.loss import Loss, replay_lossy
from l7codecs.testing.vectors import Vector

from .wire import C, KafkaRequest, KafkaResponse, S, answer, opened, pairs, request, said


def beat(number: int) -> bytes:
    return request("Heartbeat", 4, number, GroupId="g", GenerationId=1, MemberId="m")


def beaten(number: int, code: int = 0) -> bytes:
    return answer("Heartbeat", 4, number, ErrorCode=code)


def offsets(events: Sequence[object]) -> list[int]:
    return [event.offset for event in events if isinstance(event, KafkaRequest)]


@pytest.mark.parametrize(
    "numbers",
    [
        (9, 40, 41, 43, 55),  # a Java client counts for all of its connections
        (1, 2, 0),  # and takes a number when it makes a request, not when it sends it
        (-1, -1, -(1 << 31), -1),
        (7, 7, 7),
        (2147483640, 2147483641, 0, 2147483640, 2147483641, 1),  # SASL, and again
    ],
)
def test_answers_come_in_the_order_of_the_requests(numbers: Sequence[int]) -> None:
    session = opened()
    events = said(session, *((C, beat(number)) for number in numbers), *((S, beaten(number)) for number in numbers))
    assert pairs(events) == list(zip(numbers, offsets(events), strict=True))
    assert session.pending == 0


def test_ten_thousand_wait() -> None:
    numbers = list(range(10_000))
    session = opened()
    events = said(session, (C, b"".join(map(beat, numbers))), (S, b"".join(map(beaten, numbers))))
    assert pairs(events) == list(zip(numbers, offsets(events), strict=True))


def test_of_more_than_the_limit_the_oldest_are_forgotten() -> None:
    session = opened(limits=Limits(pending=10))
    events = said(session, *((C, beat(number)) for number in range(15)), *((S, beaten(number)) for number in range(15)))
    where = offsets(events)
    assert pairs(events) == [(number, where[number] if number >= 5 else None) for number in range(15)]


def test_a_client_id_that_is_too_long_is_not_kept() -> None:
    """Of a request for which there is no room: it would be more than is kept of it, and is told of the request alone."""
    session = opened(limits=Limits(waiting=4096))
    for number in range(1, 9):
        (asked,) = session.receive(C, request("Metadata", 1, number, b"c" * 20_000))
        assert isinstance(asked, KafkaRequest) and asked.client_id == "c" * 20_000
    (told,) = session.receive(S, answer("Metadata", 1, 8))
    assert isinstance(told, KafkaResponse) and isinstance(told.request, KafkaRequest)
    assert told.request.operation == "Metadata" and told.request.client_id is None


def test_whoever_answers_out_of_order_is_paired_by_id() -> None:
    """No broker does, but what is between may."""
    numbers = list(range(300))
    random.Random(1).shuffle(numbers)
    session = opened()
    events = said(session, *((C, beat(number)) for number in range(300)), *((S, beaten(number)) for number in numbers))
    where = offsets(events)
    assert pairs(events) == [(number, where[number]) for number in numbers]
    assert session.pending == 0


def test_out_of_order_costs_linear_time() -> None:
    def cost(count: int) -> float:
        numbers = range(count)
        asked, answered = b"".join(map(beat, numbers)), b"".join(map(beaten, reversed(numbers)))
        started = time.process_time()
        said(opened(), (C, asked), (S, answered))
        return time.process_time() - started

    assert growth(cost, 500, 4_000, 24) <= 24


def test_an_answer_that_is_seen_before_its_request() -> None:
    events = said(opened(), (S, beaten(1)), (C, beat(1)), (C, beat(2147483640)), (S, beaten(2147483640)))
    session = opened()
    events = said(session, (S, beaten(1)), (C, beat(1) + beat(1)), (S, beaten(1)))
    assert [pair is not None for _, pair in pairs(events)] == [False, True]
    assert events[-1].request is events[2]  # the first is answered already
    assert session.pending == 0


def test_a_broker_that_closes_leaves_requests_unanswered() -> None:
    session = opened()
    events = said(session, (C, beat(1) + request("Metadata", 13, 2)), (S, beaten(1)))
    list(session.eof(S))
    assert session.unanswered() == [events[1]]
    assert session.pending == 1


def test_acks_0_is_not_answered() -> None:
    session = opened()
    for version in range(14):
        for name in (None, "", "t", "t" * 200) if version >= 3 else (None,):
            fields = {} if version < 3 else {"TransactionalId": name}
            event, other = said(
                session,
                (C, request("Produce", version, 1, Acks=0, **fields)),
                (C, request("Produce", version, 2, Acks=-1, **fields)),
            )
            assert (event.kind, other.kind) == (Kind.ONEWAY, Kind.REQUEST), (version, name)
            (reply,) = said(session, (S, answer("Produce", version, 2)))
            assert reply.request is other
    assert session.pending == 0


# Losses. `lost` loses one message.


def lossy(pieces: Sequence[tuple[Sender, bytes]], lost: dict[Sender, list[int]], known: bool = True) -> list[object]:
    """Events of a conversation of whole messages, of which those with the given numbers are lost."""
    losses = {}
    for sender in Sender:
        at = 0
        losses[sender] = []
        for number, (who, octets) in enumerate(pieces):
            if who is sender:
                if number in lost.get(sender, ()):
                    losses[sender].append(Loss(at, at + len(octets), known))
                at += len(octets)
    return replay_lossy(opened(), Vector("lossy", tuple(pieces)), losses, (1 << 20,)).events


@pytest.mark.parametrize("known", [True, False])
def test_behind_a_lost_answer_all_others_are_paired(known: bool) -> None:
    pieces = [(C, beat(number)) for number in range(5)] + [(S, beaten(number)) for number in range(5)]
    events = lossy(pieces, {S: [6, 7]}, known)
    where = offsets(events)
    assert pairs(events) == [(0, where[0]), (3, where[3]), (4, where[4])]


def test_behind_a_lost_answer_equal_ids_tell_nothing() -> None:
    numbers = [1, -1, -1, 2, 3]
    pieces = [(C, beat(number)) for number in numbers] + [(S, beaten(number)) for number in numbers]
    events = lossy(pieces, {S: [6]})
    where = offsets(events)
    assert pairs(events) == [(1, where[0]), (-1, None), (2, where[3]), (3, where[4])]


def test_behind_a_lost_request_those_before_are_paired_and_those_that_are_counted() -> None:
    numbers = [1, 2, 3, 4, 5, 6]
    pieces = [(C, beat(number)) for number in numbers] + [(S, beaten(number)) for number in numbers]
    events = lossy(pieces, {C: [3]})
    where = offsets(events)
    assert pairs(events) == [(1, where[0]), (2, where[1]), (3, where[2]), (4, None), (5, where[3]), (6, where[4])]
    (unknown,) = [each for each in events if isinstance(each, KafkaResponse) and each.request is None]
    assert (unknown.status, unknown.operation, unknown.error_codes) == (Status.UNKNOWN, None, ())


def test_behind_a_lost_request_of_a_client_that_does_not_count_nothing_is_paired() -> None:
    numbers = [7, 7, 7, 7]
    pieces = [(C, beat(7))] + [(C, beat(number)) for number in numbers] + [(S, beaten(7)) for _ in range(5)]
    events = lossy(pieces, {C: [2]})
    found = pairs(events)
    assert found[:2] == [(7, offsets(events)[0]), (7, offsets(events)[1])]
    assert [pair for _, pair in found[2:]] == [None] * 3


def test_a_join_with_more_under_way_than_is_seen() -> None:
    """Answers of what was asked before come first."""
    session = opened()
    events = [*session.gap(C), *session.gap(S)]
    events += said(
        session, (C, beat(41)), (S, beaten(38) + beaten(39)), (C, beat(42)), (S, beaten(40) + beaten(41) + beaten(42))
    )
    asked = offsets(events)
    assert pairs(events) == [(38, None), (39, None), (40, None), (41, asked[0]), (42, asked[1])]


@pytest.mark.parametrize("seed", range(30))
def test_at_random_nothing_is_paired_wrongly(seed: int) -> None:
    """Up to 6 wait, ids count, or repeat, or are reserved; messages and parts of them are lost."""
    chance = random.Random(seed)
    ids = chance.choice(("counts", "repeats", "reserved", "constant"))
    pieces: list[tuple[Sender, bytes]] = []
    waiting: list[tuple[int, int]] = []
    truth: dict[int, int] = {}
    at = dict.fromkeys(Sender, 0)
    number = chance.randrange(1000)
    for _ in range(120):
        if waiting and (len(waiting) > 5 or chance.random() < 0.5):
            its, asked = waiting.pop(0)
            octets = beaten(its, chance.choice((0, 0, 27)))
            truth[at[S]] = asked
            pieces.append((S, octets))
            at[S] += len(octets)
        else:
            number += 1 if ids == "counts" else chance.choice((0, 0, 1)) if ids == "repeats" else 0
            if ids == "reserved":
                number = 2147483640 + chance.randrange(3)
            octets = beat(number)
            waiting.append((number, at[C]))
            pieces.append((C, octets))
            at[C] += len(octets)
    losses: dict[Sender, list[Loss]] = {C: [], S: []}
    for sender in chance.choice(((C,), (S,), (C, S))):
        for start in sorted(chance.sample(range(at[sender]), 3)):
            if not losses[sender] or losses[sender][-1].stop < start:
                losses[sender].append(Loss(start, start + chance.randrange(1, 90)))
    vector = Vector("at random", tuple(pieces))
    session = opened()
    outcome = replay_lossy(session, vector, losses, (1 << 20,))
    found = 0
    for event in outcome.events:
        if isinstance(event, KafkaResponse) and event.offset in truth and event.request is not None:
            assert truth[event.offset] == event.request.offset, (ids, losses)
            found += 1
    if ids == "counts" and not losses[C]:
        assert found >= len(truth) - 12


@pytest.mark.parametrize("lost", [1, 400, 5_000 - 500])
def test_octets_lost_inside_of_an_answer_lose_no_other(lost: int) -> None:
    """Its end is known: it is told by what has come of it, and is not OK."""
    session = opened()
    asked = said(session, (C, request("Fetch", 12, 1) + beat(2)))
    whole = answer("Fetch", 12, 1, Responses=[{"Topic": "t", "Partitions": [{"Records": bytes(4_900)}]}])
    behind = len(whole) - lost if lost == 4_500 else 300
    events = said(session, (S, whole[:behind]))
    events += session.gap(S, lost)
    events += said(session, (S, whole[behind + lost :] + beaten(2)))
    head, gap, *data, last = events
    assert (head.request, head.more, head.operation, head.size) == (asked[0], True, "Fetch", len(whole))
    assert (head.status, data[-1].status, data[-1].more) == (Status.UNKNOWN, Status.UNKNOWN, False)
    assert (gap.offset, gap.resumed_at) == (behind, behind + lost)
    assert (last.request, last.status, last.offset) == (asked[1], Status.OK, len(whole))


def test_octets_lost_inside_of_a_request_lose_no_other() -> None:
    session = opened()
    octets = request("Produce", 9, 1, Acks=1, TopicData=[{"Name": "t", "PartitionData": [{"Records": bytes(900)}]}])
    events = said(session, (C, octets[:100]))
    events += session.gap(C, 300)
    events += said(session, (C, octets[400:] + beat(2)), (S, answer("Produce", 9, 1) + beaten(2)))
    head, _, data, behind, *replies = events
    assert (head.resources, head.attributes["kafka.acks"], data.more) == (("t",), 1, False)
    assert [reply.request for reply in replies] == [head, behind]


def test_one_that_is_never_answered_keeps_no_places() -> None:
    """The first waits for ever; what is asked and answered behind it leaves nothing, and pairs as ever."""
    session = opened()
    said(session, (C, beat(0)))
    for number in range(1, 1_000):
        asked, *_ = said(session, (C, beat(number)))
        (found,) = said(session, (S, beaten(number)))
        assert found.request is asked
        assert len(session._table._items) <= 70
    assert [each.correlation_id for each in session.unanswered()] == [0]
    (first,) = said(session, (S, beaten(0)))
    assert first.request is not None and first.request.offset == 0
