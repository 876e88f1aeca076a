"""The words of sessions that play a side, in a protocol of each way to pair: order, late answers, caps, what is given up, what is left."""

from __future__ import annotations

import contextlib
import random
import time

import pytest

from endpoint_toys import (
    BY_ID,
    BY_TEXT,
    FIFO,
    KEEPS,
    NONE,
    STREAM,
    Frame,
    How,
    frame,
    frames,
    made_answer,
    opened,
    width_of,
)
from l7codecs import (
    Data,
    Event,
    IncompleteMessage,
    Kind,
    LimitExceeded,
    Limits,
    Message,
    Protocol,
    Sender,
    Session,
    Unsupported,
)
from l7codecs.testing import growth

C, S = Sender.CLIENT, Sender.SERVER
PAIRED = [FIFO, BY_ID[1], BY_ID[4], KEEPS, STREAM]
ALL = [*PAIRED, NONE]


@pytest.fixture(params=[False, True], ids=["named", "auto"], autouse=True)
def how(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test also with sessions that find out what is spoken."""
    monkeypatch.setattr(How, "auto", request.param)


def names(protocol: Protocol) -> str:
    return protocol.name


def asked(session: Session, octets: bytes) -> list[Message]:
    return [event for event in session.receive(C, octets) if isinstance(event, Message)]


def told(session: Session, octets: bytes) -> list[Event]:
    return list(session.receive(S, octets))


def client(
    protocol: Protocol, *texts: str, first: int = 1, limits: Limits | None = None
) -> tuple[Session, list[Message]]:
    """A session to a client that has asked."""
    session = opened(protocol, S, limits=limits or Limits())
    octets = b"".join(frame("Q", first + at, text, width_of(protocol)) for at, text in enumerate(texts))
    return session, asked(session, octets)


def numbers(protocol: Protocol, written: bytes) -> list[int | None]:
    return [each.number for each in frames(written, width_of(protocol))]


@pytest.mark.parametrize("protocol", ALL, ids=names)
def test_one_client_is_passed_on_to_the_octet(protocol: Protocol) -> None:
    width = width_of(protocol)
    down, up = opened(protocol, S), opened(protocol, C)
    said = b"".join(frame("Q", number, f"q{number}", width) for number in (7, 3, 9)) + frame("O", 4, "o", width)
    assert b"".join(up.send(event) for event in down.receive(C, said)) == said
    answered = b"".join(frame("A", number, f"a{number}", width) for number in (7, 3, 9)) + frame("P", 1, "p", width)
    assert b"".join(down.send(event) for event in up.receive(S, answered)) == answered
    assert (up.pending, down.pending, up.queued, down.queued) == (0, 0, 0, 0)
    assert up.unanswered() == up.abandoned() == []


@pytest.mark.parametrize("protocol", PAIRED, ids=names)
def test_what_waits_can_be_listed_at_any_time_and_after_the_end(protocol: Protocol) -> None:
    width = width_of(protocol)
    down, requests = client(protocol, "a", "b", "c")
    up = opened(protocol, C)
    sent = b"".join(up.send(request) for request in requests)
    assert up.unanswered() == down.unanswered() == requests and up.pending == 3
    (answer,) = told(up, frame("A", numbers(protocol, sent)[0], "A", width))
    assert isinstance(answer, Message) and answer.request is requests[0]
    assert up.abandoned() == [] and not up.closing
    list(up.eof(S))
    assert up.closing and up.unanswered() == requests[1:]
    assert up.abandoned() == requests[1:]
    assert up.abandoned() == up.unanswered() == [] and up.pending == 0


@pytest.mark.parametrize("protocol", PAIRED, ids=names)
def test_after_an_error_of_the_server_all_are_abandoned(protocol: Protocol) -> None:
    _, requests = client(protocol, "a", "b")
    up = opened(protocol, C)
    for request in requests:
        up.send(request)
    with pytest.raises(Exception, match="a frame of 0 octets"):
        told(up, b"\0\0")
    assert up.closing and up.abandoned() == requests


@pytest.mark.parametrize("protocol", ALL, ids=names)
def test_goaway_closes_and_what_is_under_way_goes_on(protocol: Protocol) -> None:
    width = width_of(protocol)
    _, requests = client(protocol, "a")
    up = opened(protocol, C)
    sent = up.send(requests[0])
    told(up, frame("G", 0, "", width))
    assert up.closing and up.abandoned() == [] and up.unanswered() == ([] if protocol is NONE else requests)
    (answer,) = told(up, frame("A", numbers(protocol, sent)[0], "A", width))
    assert isinstance(answer, Message) and answer.request is (None if protocol is NONE else requests[0])


@pytest.mark.parametrize("protocol", PAIRED, ids=names)
def test_the_answer_to_what_is_given_up_is_nothing(protocol: Protocol) -> None:
    width = width_of(protocol)
    down, (a, b, c) = client(protocol, "a", "b", "c")
    up = opened(protocol, C)
    one, two, three = numbers(protocol, up.send(a) + up.send(b) + up.send(c))
    said = up.cancel(b)
    assert frames(said, width) == ([Frame("X", two, "")] if protocol is STREAM else [])
    assert up.unanswered() == [a, c]
    assert up.cancel(b) == b"", "once is enough"
    events = told(up, frame("A", one, "A", width) + frame("A", two, "secret", width) + frame("A", three, "C", width))
    assert [event.request for event in events if isinstance(event, Message)] == [a, c]
    down.answer(b, made_answer(b, "!no"))
    written = b"".join(down.send(event) for event in events)
    expected = [("A", 1), ("!no", 2), ("C", 3)] if protocol is FIFO else [("A", 1), ("C", 3)]
    assert written == b"".join(frame("A", number, text, width) for text, number in expected)
    (push,) = told(up, frame("P", 5, "p", width))
    assert isinstance(push, Message) and push.kind is Kind.PUSH, "what is no answer is told as ever"
    assert up.cancel(a) == b"" and up.unanswered() == []
    list(up.eof(S))
    assert up.abandoned() == []


@pytest.mark.parametrize("protocol", PAIRED, ids=names)
@pytest.mark.parametrize("step", [1, 7, 100, 10_000])
def test_a_late_answer_that_streams_is_swallowed_to_its_end_however_it_is_cut(protocol: Protocol, step: int) -> None:
    width = width_of(protocol)
    limits = Limits(message=64, head=32)
    _, (a, b) = client(protocol, "a", "b")
    up = opened(protocol, C, limits=limits)
    one, two = numbers(protocol, up.send(a) + up.send(b))
    up.cancel(a)
    octets = frame("A", one, "s" * 500, width) + frame("A", two, "B", width)
    events = [event for at in range(0, len(octets), step) for event in told(up, octets[at : at + step])]
    assert [(type(event) is Data, event.raw) for event in events] == [(False, frame("A", two, "B", width))]
    (answer,) = events
    assert isinstance(answer, Message) and answer.request is b and up.pending == 0


@pytest.mark.parametrize("protocol", PAIRED, ids=names)
def test_an_answer_that_has_begun_when_it_is_given_up_yields_no_more(protocol: Protocol) -> None:
    width = width_of(protocol)
    _, (a, b) = client(protocol, "a", "b")
    up = opened(protocol, C, limits=Limits(message=64, head=32))
    one, two = numbers(protocol, up.send(a) + up.send(b))
    octets = frame("A", one, "s" * 500, width)
    assert len(told(up, octets[:100])) == 2
    up.cancel(a)
    assert [event.raw for event in told(up, octets[100:] + frame("A", two, "B", width))] == [
        frame("A", two, "B", width)
    ]


@pytest.mark.parametrize("protocol", PAIRED, ids=names)
def test_who_received_a_request_answers_it_and_does_not_give_it_up(protocol: Protocol) -> None:
    down, (a,) = client(protocol, "a")
    with pytest.raises(Unsupported, match="answer it"):
        down.cancel(a)


@pytest.mark.parametrize("protocol", PAIRED, ids=names)
def test_a_late_answer_to_what_was_answered_here_is_dropped_with_its_data(protocol: Protocol) -> None:
    width = width_of(protocol)
    down, (a, b) = client(protocol, "a", "b")
    up = opened(protocol, C, limits=Limits(message=64, head=32))
    one, two = numbers(protocol, up.send(a) + up.send(b))
    assert down.answer(a, made_answer(a, "!no")) == frame("A", 1, "!no", width)
    assert down.unanswered() == [b]
    events = told(up, frame("A", one, "s" * 500, width) + frame("A", two, "B", width))
    assert b"".join(down.send(event) for event in events) == frame("A", 2, "B", width)
    with pytest.raises(Unsupported, match="answered already"):
        down.answer(a, made_answer(a, "!no"))
    assert down.unanswered() == [] and down.queued == 0


def test_answers_of_two_servers_come_in_the_order_of_the_requests() -> None:
    down, (a, b, c) = client(FIFO, "a", "b", "c")
    slow, fast = opened(FIFO, C), opened(FIFO, C)
    slow.send(a), fast.send(b), slow.send(c)
    written = [down.send(event) for event in told(fast, frame("A", 0, "B", 0))]
    assert written == [b""] and down.queued == 4
    written = [down.send(event) for event in told(slow, frame("A", 0, "A", 0) + frame("A", 0, "C", 0))]
    assert [[each.text for each in frames(octets, 0)] for octets in written] == [["A", "B"], ["C"]]


@pytest.mark.parametrize("protocol", ALL, ids=names)
def test_a_push_waits_for_the_end_of_a_message(protocol: Protocol) -> None:
    width = width_of(protocol)
    down, requests = client(protocol, "a", "b")
    one, two = opened(protocol, C, limits=Limits(message=64, head=32)), opened(protocol, C)
    first, *_ = numbers(protocol, one.send(requests[0]))
    two.send(requests[1])
    octets = frame("A", first, "s" * 500, width)
    written = b"".join(down.send(event) for event in told(one, octets[:300]))
    assert written == octets[:300]
    for event in told(two, frame("P", 1, "p", width)):
        assert down.send(event) == b""
    assert down.queued == len(frame("P", 1, "p", width))
    written += b"".join(down.send(event) for event in told(one, octets[300:]))
    assert [each.letter for each in frames(written, width)] == ["A", "P"] and down.queued == 0


@pytest.mark.parametrize("protocol", PAIRED, ids=names)
def test_nothing_is_forgotten_and_the_caps_hold(protocol: Protocol) -> None:
    limits = Limits(pending=5)
    _, requests = client(protocol, *map(str, range(60)), limits=Limits())
    up = opened(protocol, C, limits=limits)
    for at, request in enumerate(requests[:40]):
        assert up.full is (at >= 5)
        up.send(request)
    assert up.unanswered() == requests[:40]
    before = up.queued, up.pending
    with pytest.raises(LimitExceeded, match=r"pending|full"):
        up.send(requests[40])
    assert (up.queued, up.pending) == before and up.unanswered() == requests[:40]
    down = opened(protocol, S, limits=limits)
    octets = b"".join(frame("Q", number, "q", width_of(protocol)) for number in range(60))
    with pytest.raises(LimitExceeded):
        asked(down, octets)
    assert down.full and down.pending == 40


@pytest.mark.parametrize("protocol", PAIRED, ids=names)
def test_put_and_paused(protocol: Protocol) -> None:
    width = width_of(protocol)
    down, requests = client(protocol, "a", "b", "c")
    up = opened(protocol, C)
    up.paused = True
    assert up.send(requests[0]) == up.pending_output() == b""
    up.put(requests[1])
    assert up.queued == sum(len(request.raw) for request in requests[:2]) and up.unanswered() == requests[:2]
    up.paused = False
    up.put(requests[2])
    sent = up.pending_output()
    assert [each.text for each in frames(sent, width)] == ["a", "b", "c"] and up.queued == 0
    assert up.pending_output() == b"" and down.close() == b"" and down.closing


def many(
    protocol: Protocol, clients: int, each: int, text: str = "q", limits: Limits | None = None
) -> list[list[Message]]:
    """What many clients ask, each with the numbers from 1 on."""
    return [client(protocol, *[f"{at}.{one}.{text}" for one in range(each)], limits=limits)[1] for at in range(clients)]


@pytest.mark.parametrize("protocol", [*BY_ID.values(), STREAM], ids=names)
def test_answers_find_their_client_and_its_number(protocol: Protocol) -> None:
    width = width_of(protocol)
    clients = [client(protocol, "a", "b", first=(1 << 8 * width) - 3) for _ in range(5)]
    up = opened(protocol, C)
    sent = frames(b"".join(up.send(request) for _, requests in clients for request in requests), width)
    assert len({each.number for each in sent}) == 10, "no number twice"
    back = {session.flow: session for session, _ in clients}
    written = {session: b"" for session, _ in clients}
    for event in told(up, b"".join(frame("A", each.number, each.text.upper(), width) for each in reversed(sent))):
        assert isinstance(event, Message) and event.request is not None
        session = back[event.request.connection]
        written[session] += session.send(event)
    for octets in written.values():
        assert octets == frame("A", (1 << 8 * width) - 2, "B", width) + frame("A", (1 << 8 * width) - 3, "A", width)


def test_where_all_numbers_are_used_the_next_waits() -> None:
    requests = [each for asked_by in many(BY_ID[1], 3, 100) for each in asked_by]
    up = opened(BY_ID[1], C)
    sent = frames(b"".join(up.send(request) for request in requests), 1)
    assert sorted(each.number or 0 for each in sent) == list(range(256))
    assert up.queued == sum(len(request.raw) for request in requests[256:]) and up.unanswered() == requests
    one, other = sent[17], sent[200]
    up.cancel(requests[17])
    assert up.pending_output() == b"", "its number is not free before the answer has come"
    told(up, frame("A", one.number, "late", 1))
    (next_one,) = frames(up.pending_output(), 1)
    assert (next_one.number, next_one.text) == (one.number, "2.56.q")
    told(up, frame("A", other.number, "x", 1))
    (_, (last,)) = client(BY_ID[1], "last")
    assert [each.number for each in frames(up.send(last), 1)] == [other.number], "in the order of asking"


def test_a_room_that_cannot_write_a_number_holds_the_next_back() -> None:
    (a, b), (c, d) = many(KEEPS, 2, 2)
    up = opened(KEEPS, C)
    assert [each.number for each in frames(b"".join(map(up.send, (a, b))), 1)] == [1, 2]
    assert up.send(c) == up.send(d) == b"" and up.queued > 0
    (answer,) = told(up, frame("A", 1, "A", 1))
    assert isinstance(answer, Message) and answer.request is a
    assert up.pending_output() == c.raw
    told(up, frame("A", 2, "B", 1))
    assert up.pending_output() == d.raw and up.queued == 0


def test_what_is_sent_one_way_takes_no_number_that_is_used() -> None:
    width = 4
    up = opened(BY_ID[4], C)
    _, (a,) = client(BY_ID[4], "a")
    _, (b,) = client(BY_ID[4], "b")
    first, second = frames(up.send(a) + up.send(b), width)
    third = opened(BY_ID[4], S)
    (oneway,) = asked(third, frame("O", second.number, "o", width))
    (sent,) = frames(up.send(oneway), width)
    assert sent.number not in (first.number, second.number)
    assert [
        event.request for event in told(up, frame("A", sent.number, "error", width)) if isinstance(event, Message)
    ] == [None]


@pytest.mark.parametrize("protocol", ALL, ids=names)
def test_a_large_message_is_not_interleaved_with_what_others_ask(protocol: Protocol) -> None:
    width = width_of(protocol)
    limits = Limits(message=64, head=24)
    large = frame("Q", 1, "x" * 300, width)
    one, two = opened(protocol, S, limits=limits), opened(protocol, S, limits=limits)
    up = opened(protocol, C, limits=limits)
    sent = b"".join(up.send(event) for event in one.receive(C, large[:100]))
    assert len(sent) == 100
    other = [*two.receive(C, frame("Q", 2, "small", width)), *two.receive(C, frame("Q", 3, "x" * 300, width))]
    assert [up.send(event) for event in other] == [b""] * len(other)
    assert up.queued == len(large) + len(frame("Q", 1, "small", width))
    assert up.unanswered() == ([] if protocol is NONE else [up.unanswered()[0]]) + [
        e for e in other if isinstance(e, Message)
    ]
    sent += b"".join(up.send(event) for event in one.receive(C, large[100:]))
    assert [each.text[:5] for each in frames(sent, width)] == ["xxxxx", "small", "xxxxx"] and up.queued == 0


@pytest.mark.parametrize("protocol", ALL, ids=names)
def test_what_waits_behind_a_large_message_has_a_limit(protocol: Protocol) -> None:
    width = width_of(protocol)
    limits = Limits(message=64, head=24, queued=100)
    one, two = opened(protocol, S, limits=limits), opened(protocol, S, limits=limits)
    up = opened(protocol, C, limits=limits)
    for event in one.receive(C, frame("Q", 1, "x" * 300, width)[:100]):
        up.send(event)
    (head, *rest) = two.receive(C, frame("Q", 1, "x" * 1000, width)[:70])
    up.send(head)
    for event in rest:
        up.send(event)
    assert not up.full
    (data,) = two.receive(C, b"x" * 700)
    up.send(data)
    assert up.full
    before = up.queued
    (data,) = two.receive(C, b"x" * 100)
    with pytest.raises(LimitExceeded, match=r"limits\.queued"):
        up.send(data)
    assert up.queued == before
    assert isinstance(head, Message)
    up.cancel(head)
    assert up.queued == 0 and up.send(data) == b"", "what is left of it is nothing"


@pytest.mark.parametrize("limits", [Limits(message=64, head=24, queued=100), Limits(message=64, head=24, pending=4)])
@pytest.mark.parametrize("protocol", PAIRED, ids=names)
def test_a_request_that_is_refused_leaves_the_session_as_it_was(protocol: Protocol, limits: Limits) -> None:
    width = width_of(protocol)
    roomy = Limits(message=64, head=24)
    one, up = opened(protocol, S, limits=roomy), opened(protocol, C, limits=limits)
    large = frame("Q", 200, "x" * 300, width)
    sent = b"".join(up.send(event) for event in one.receive(C, large[:100]))
    _, requests = client(protocol, *["q" * 30] * 100, limits=roomy)
    taken = 0
    for request in requests:
        try:
            assert up.send(request) == b""
        except LimitExceeded:
            continue
        taken += 1
    assert 10 < taken < 100 and up.full and up.unanswered()[1:] == requests[:taken]
    sent += b"".join(up.send(event) for event in one.receive(C, large[100:]))
    assert [each.letter for each in frames(sent, width)] == ["Q"] * (taken + 1) and up.queued == 0


@pytest.mark.parametrize("protocol", PAIRED, ids=names)
def test_what_is_given_up_before_it_is_written_is_not(protocol: Protocol) -> None:
    width = width_of(protocol)
    limits = Limits(message=64, head=24)
    one, two, three = (opened(protocol, S, limits=limits) for _ in range(3))
    up = opened(protocol, C, limits=limits)
    large = frame("Q", 1, "x" * 300, width)
    sent = b"".join(up.send(event) for event in one.receive(C, large[:100]))
    (head, *rest) = two.receive(C, large[:80])
    (c,) = three.receive(C, frame("Q", 3, "c", width))
    assert b"".join(map(up.send, (head, *rest, c))) == b""
    assert isinstance(head, Message) and up.cancel(head) == b""
    for event in two.receive(C, large[80:]):
        assert up.send(event) == b""
    sent += b"".join(up.send(event) for event in one.receive(C, large[100:]))
    assert [each.text[:1] for each in frames(sent, width)] == ["x", "c"] and up.queued == 0
    assert len(up.unanswered()) == 2


@pytest.mark.parametrize("protocol", PAIRED, ids=names)
def test_a_client_that_goes_away_inside_a_message_closes_what_it_shared(protocol: Protocol) -> None:
    """What is written of it cannot be taken back, and is not filled up with anything."""
    width = width_of(protocol)
    limits = Limits(message=64, head=24)
    one, two = opened(protocol, S, limits=limits), opened(protocol, S, limits=limits)
    up = opened(protocol, C, limits=limits)
    (before,) = two.receive(C, frame("Q", 1, "before", width))
    (number,) = numbers(protocol, up.send(before))
    head, *rest = one.receive(C, frame("Q", 5, "x" * 300, width)[:100])
    (behind,) = two.receive(C, frame("Q", 2, "behind", width))
    for event in (head, *rest, behind):
        up.send(event)
    assert not up.closing and isinstance(head, Message)
    assert up.cancel(head) == b"" and up.closing
    assert up.abandoned() == [behind] and up.queued == 0, "it is certain that this was not processed"
    with pytest.raises(Unsupported, match="another connection"):
        up.send(behind)
    (answer,) = told(up, frame("A", number, "B", width))
    assert isinstance(answer, Message) and answer.request is before
    list(up.eof(S))
    assert up.abandoned() == []


@pytest.mark.parametrize("protocol", PAIRED, ids=names)
def test_the_data_of_a_head_that_was_refused_are_nothing(protocol: Protocol) -> None:
    width = width_of(protocol)
    limits = Limits(message=64, head=24)
    down, up = opened(protocol, S, limits=limits), opened(protocol, C, limits=limits)
    events = list(down.receive(C, frame("Q", 1, "x" * 300, width) + frame("Q", 2, "b", width)))
    head, *rest = events
    assert isinstance(head, Message)
    down.answer(head, made_answer(head, "!too large"))
    assert b"".join(up.send(event) for event in rest) == frame("Q", 2, "b", width)


def test_what_is_given_up_and_never_answered_is_bounded() -> None:
    limits = Limits(pending=10)
    up = opened(BY_ID[8], C, limits=limits)
    for number in range(500):
        _, (request,) = client(BY_ID[8], "q", first=number)
        up.send(request)
        up.cancel(request)
        assert not up.full and up.pending == 0
    assert given_up_at(up) == 10


def given_up_at(session: Session) -> int:
    kept = session.session if How.auto else session  # type: ignore[attr-defined]
    given_up = kept.decoder(S).given_up
    return 0 if given_up is None else given_up.count


def test_octets_of_what_is_given_up_are_bounded() -> None:
    limits = Limits(waiting=10_000)
    up = opened(BY_ID[8], C, limits=limits)
    for number in range(100):
        _, (request,) = client(BY_ID[8], "q" * 1_500, first=number)
        up.send(request)
        up.cancel(request)
        assert not up.full and up.pending == 0
    assert given_up_at(up) == 6


def test_numbers_of_few_bits_are_kept_whatever_is_given_up() -> None:
    """Rather than forget one, whose answer would go to who gets its number next, an endpoint takes no more."""
    up = opened(BY_ID[1], C, limits=Limits(waiting=10_000))
    taken = 0
    for number in range(200):
        _, (request,) = client(BY_ID[1], "q" * 1_500, first=number)
        try:
            up.send(request)
        except LimitExceeded:
            break
        up.cancel(request)
        taken += 1
        assert up.full == (taken * 1_500 >= 10_000)
    assert given_up_at(up) == taken and 50 < taken < 60


@pytest.mark.parametrize("limits", [Limits(pending=10), Limits(waiting=10_000)], ids=["count", "octets"])
def test_an_answer_to_what_was_given_up_and_forgotten_is_nobodys(limits: Limits) -> None:
    """Its client uses its number again, as may all whose ids count for one connection."""
    protocol = BY_ID[4]
    up = opened(protocol, C, limits=limits)
    down = opened(protocol, S, limits=limits)

    def ask(number: int) -> Message:
        (request,) = down.receive(C, frame("Q", number, "q" * 1_500, 4))
        assert isinstance(request, Message)
        return request

    for number in range(20):
        request = ask(number)
        up.send(request)
        down.answer(request, made_answer(request, "!late"))
        up.cancel(request)
    again = ask(3)
    up.send(again)
    late = b"".join(frame("A", number, "late", 4) for number in range(20))
    assert [each for each in told(up, late) if isinstance(each, Message) and each.request is not None] == []
    assert up.unanswered() == [again]


@pytest.mark.parametrize("protocol", [FIFO, BY_ID[1], BY_ID[2], BY_ID[4], BY_ID[8], KEEPS, STREAM], ids=names)
@pytest.mark.parametrize("seed", range(6))
def test_any_conversation(protocol: Protocol, seed: int) -> None:
    """Many clients, two servers, messages large and small, cut anywhere, given up or answered here: against what peers see."""
    chance = random.Random(seed)
    width = width_of(protocol)
    limits = Limits(message=64, head=24)
    downs = [opened(protocol, S, limits=limits) for _ in range(5)]
    by_flow = {down.flow: at for at, down in enumerate(downs)}
    ups = [opened(protocol, C, limits=limits) for _ in range(2)]
    to_server = [b"", b""]
    """What the server has not read."""
    to_us = [bytearray(), bytearray()]
    owed: list[list[Frame]] = [[], []]
    client_out = [bytearray() for _ in downs]
    client_in = [b"" for _ in downs]
    expected: list[dict[str, int]] = [{} for _ in downs]
    """By text: the number that it was asked with."""
    target: dict[Message, int] = {}
    served: set[str] = set()

    def turn() -> None:
        for at, up in enumerate(ups):
            to_server[at] += up.pending_output()

    def serve(at: int) -> None:
        while len(to_server[at]) >= 2 and len(to_server[at]) >= (size := int.from_bytes(to_server[at][:2], "big")):
            (one,) = frames(to_server[at][:size], width)
            to_server[at] = to_server[at][size:]
            if one.letter == "Q":
                assert one.text not in served, "asked twice"
                assert not width or all(other.number != one.number for other in owed[at]), "a number that is used"
                served.add(one.text)
                owed[at].append(one)
        while owed[at] and chance.random() < 0.8:
            one = owed[at].pop(0 if protocol is FIFO else chance.randrange(len(owed[at])))
            to_us[at] += frame("A", one.number, one.text + chance.choice(["", "y" * 200]), width)

    whole: set[Message] = set()

    def step(what: float) -> None:
        at = chance.randrange(len(downs))
        if what < 0.3:
            text = f"{at}.{len(expected[at])}."
            busy = {number for key, number in expected[at].items() if key not in done}
            number = next(each for each in range(250) if each not in busy)
            expected[at][text] = number
            client_out[at] += frame("Q", number, text + chance.choice(["", "x" * 150]), width)
        elif what < 0.6:
            size = chance.randint(1, 90)
            octets = bytes(client_out[at][:size])
            del client_out[at][:size]
            for event in downs[at].receive(C, octets):
                head = event.message if isinstance(event, Data) else event
                assert isinstance(head, Message)
                server = target.setdefault(head, chance.randrange(2))
                ups[server].put(event)
                if (isinstance(event, Data) and not event.more) or (isinstance(event, Message) and not event.more):
                    whole.add(head)
        elif what < 0.65:
            waiting = [request for request in downs[at].unanswered() if request in whole]
            if waiting:
                request = chance.choice(waiting)
                with contextlib.suppress(Unsupported):  # a part of it may be written
                    client_in[at] += downs[at].answer(request, made_answer(request, f"{request.operation}!"))
                    to_server[target[request]] += ups[target[request]].cancel(request)
        elif what < 0.95:
            server = chance.randrange(2)
            serve(server)
            size = chance.randint(1, 90)
            octets = bytes(to_us[server][:size])
            del to_us[server][:size]
            for event in ups[server].receive(S, octets):
                head = event.message if isinstance(event, Data) else event
                assert isinstance(head, Message) and head.request is not None
                who = by_flow[head.request.connection]
                client_in[who] += downs[who].send(event)
        turn()

    done: set[str] = set()

    def read() -> None:
        for at in range(len(downs)):
            octets = client_in[at]
            while len(octets) >= 2 and len(octets) >= (size := int.from_bytes(octets[:2], "big")):
                (one,) = frames(octets[:size], width)
                octets = octets[size:]
                key = one.text.rstrip("xy!")
                assert key.startswith(f"{at}.") and key not in done, "another client's answer"
                assert not width or expected[at][key] == one.number, "another number"
                done.add(key)
            client_in[at] = octets

    for _ in range(1500):
        step(chance.random())
        read()
    while any(client_out) or any(owed) or any(to_us) or any(to_server):
        step(chance.choice((0.4, 0.7)))  # only what was said is carried
        read()
    assert done == {text for each in expected for text in each} and len(done) > 100
    assert all(session.queued == session.pending == 0 for session in (*downs, *ups))


@pytest.mark.parametrize("protocol", [FIFO, BY_ID[4], STREAM], ids=names)
def test_the_cost_of_each_is_the_same_however_many_wait(protocol: Protocol) -> None:
    """Asked behind a message that streams, half of them given up, answered: linear in all."""
    width = width_of(protocol)
    limits = Limits(message=64, head=24)

    def seconds(count: int) -> float:
        streams, (first, *requests) = opened(protocol, S, limits=limits), many(protocol, 1, count)[0]
        up = opened(protocol, C, limits=limits)
        octets = frame("Q", 0, "x" * 300, width)
        began = time.process_time()
        events = list(streams.receive(C, octets[:100]))
        for event in (first, *events, *requests):
            up.put(event)
        written = b"".join(up.cancel(request) for request in requests[::2])
        for event in streams.receive(C, octets[100:]):
            up.put(event)
        sent = frames(written + up.pending_output(), width)
        for request in requests[1::2]:
            up.cancel(request)
        answered = list(up.receive(S, b"".join(frame("A", each.number, "a", width) for each in sent)))
        assert len(answered) == 2 and up.pending == up.queued == 0
        return time.process_time() - began

    assert growth(seconds, 2_000, 16_000, 24) <= 24


def test_a_number_that_is_owed_an_answer_is_not_handed_out_again() -> None:
    """Few numbers, many that were given up: who asks next waits, rather than get somebody else's answer."""
    protocol = BY_ID[1]
    limits = Limits(pending=10)
    up = opened(protocol, C, limits)
    for _ in range(2):  # from the second client on numbers are given
        _, (request,) = client(protocol, "x", limits=limits)
        up.send(request)
    told(up, frame("A", 1, "x", 1) + frame("A", 2, "x", 1))
    owed: set[int | None] = set()
    for _ in range(300):
        _, (request,) = client(protocol, "y", limits=limits)
        for each in numbers(protocol, up.send(request)):
            assert each not in owed
            owed.add(each)
        up.cancel(request)
    assert len(owed) <= 256
    late = b"".join(frame("A", number, "late", 1) for number in sorted(owed, key=str) if number is not None)
    assert [event for event in told(up, late) if isinstance(event, Message) and event.request is not None] == []


@pytest.mark.parametrize("protocol", PAIRED, ids=names)
def test_a_server_is_told_no_error(protocol: Protocol) -> None:
    """An answer is written to who has asked."""
    up = opened(protocol, C)
    _, (request,) = client(protocol, "x")
    up.send(request)
    with pytest.raises(Unsupported):
        up.answer(request, made_answer(request, "no"))
    assert up.unanswered() == [request]


@pytest.mark.parametrize("protocol", [FIFO, BY_ID[4]], ids=names)
def test_an_answer_that_is_cut_is_told(protocol: Protocol) -> None:
    """Its request is not answered: neither where the answer comes from, nor where it goes."""
    limits = Limits(message=64, head=24)
    up = opened(protocol, C, limits)
    down, requests = client(protocol, "a", "b", limits=limits)
    for request in requests:
        up.send(request)
    octets = frame("A", 1, "x" * 200, width_of(protocol))
    for event in told(up, octets[:100]):
        down.send(event)
    assert up.unanswered() == down.unanswered() == requests
    with pytest.raises(IncompleteMessage):
        list(up.eof(S))
    assert up.abandoned() == requests and up.abandoned() == []
    with pytest.raises(Unsupported):
        down.answer(requests[0], made_answer(requests[0], "no"))


@pytest.mark.parametrize("protocol", [FIFO, BY_ID[4]], ids=names)
def test_a_client_that_leaves_inside_of_its_answer_is_named(protocol: Protocol) -> None:
    limits = Limits(message=64, head=24)
    up = opened(protocol, C, limits)
    down, (request,) = client(protocol, "a", limits=limits)
    up.send(request)
    octets = frame("A", 1, "x" * 200, width_of(protocol))
    for event in told(up, octets[:100]):
        down.send(event)
    for left in down.unanswered():
        up.cancel(left)
    assert told(up, octets[100:]) == [] and up.unanswered() == []


# ------------------------------------------------------------------------------------------------ what others are held up by


@pytest.mark.parametrize("protocol", PAIRED, ids=names)
@pytest.mark.parametrize("limits", [Limits(message=64, head=24, queued=100), Limits(message=64, head=24, pending=1)])
def test_an_engine_that_reads_only_what_streams_while_it_is_full_gets_through(
    protocol: Protocol, limits: Limits
) -> None:
    """What waits behind a message makes the session full, and only the rest of that message ends it."""
    width = width_of(protocol)
    downs = [opened(protocol, S, limits) for _ in range(4)]
    up = opened(protocol, C, limits)
    unread = [frame("Q", 1, str(at) * 300, width) for at in range(len(downs))]
    sent = b""
    for _turn in range(400):
        reads = {head.connection for head in up.streaming()} if up.full else {down.flow for down in downs}
        for at, down in enumerate(downs):
            if down.flow in reads and unread[at]:
                for event in down.receive(C, unread[at][:40]):
                    up.put(event)
                unread[at] = unread[at][40:]
        sent += up.pending_output()
        if up.full and not up.streaming():
            for number in numbers(protocol, sent):
                told(up, frame("A", number, "a", width))
            sent = b""
        if not any(unread):
            break
    else:
        pytest.fail("nothing moves")
    assert up.streaming() == []


@pytest.mark.parametrize("protocol", PAIRED, ids=names)
def test_what_streams_to_a_client_is_told_until_its_end(protocol: Protocol) -> None:
    limits = Limits(message=64, head=24)
    up = opened(protocol, C, limits)
    down, (request,) = client(protocol, "a", limits=limits)
    (number,) = numbers(protocol, up.send(request))
    octets = frame("A", number, "x" * 200, width_of(protocol))
    (head, *rest) = told(up, octets[:100])
    assert down.streaming() == []
    for event in (head, *rest):
        down.send(event)
    assert down.streaming() == [head]
    down.paused = True
    assert down.streaming() == [], "it is the transport that holds it up"
    down.paused = False
    for event in told(up, octets[100:]):
        down.send(event)
    assert down.streaming() == []


@pytest.mark.parametrize("protocol", ALL, ids=names)
@pytest.mark.parametrize("letter", "OQ")
def test_whatever_a_client_leaves_half_sent_is_listed_and_given_up(protocol: Protocol, letter: str) -> None:
    """One way as well, and also where the answer has come already."""
    width = width_of(protocol)
    limits = Limits(message=64, head=24)
    leaves, stays = opened(protocol, S, limits), opened(protocol, S, limits)
    up = opened(protocol, C, limits)
    for event in leaves.receive(C, frame(letter, 1, "x" * 300, width)[:100]):
        up.send(event)
    (behind,) = asked(stays, frame("Q", 1, "q", width))
    assert up.send(behind) == b"" and [head.operation for head in up.streaming()]
    if letter == "Q" and protocol is FIFO:
        for event in told(up, frame("A", 1, "refused", width)):
            leaves.send(event)
    with contextlib.suppress(IncompleteMessage):
        list(leaves.eof(C))
    assert [each.kind for each in leaves.unanswered()] == [Kind.ONEWAY if letter == "O" else Kind.REQUEST]
    for left in leaves.unanswered():
        up.cancel(left)
    assert up.closing and up.unprocessed() == [behind] and up.streaming() == []


def test_a_client_that_leaves_while_its_message_waits_in_part_holds_up_nobody() -> None:
    limits = Limits(message=64, head=24)
    one, two, three = (opened(FIFO, S, limits) for _ in range(3))
    up = opened(FIFO, C, limits)
    large = frame("O", 1, "x" * 300, 0)
    sent = b"".join(map(up.send, one.receive(C, large[:100])))
    for event in two.receive(C, large[:100]):
        assert up.send(event) == b""
    (last,) = asked(three, frame("Q", 1, "q", 0))
    assert up.send(last) == b""
    for left in two.unanswered():
        up.cancel(left)
    sent += b"".join(map(up.send, one.receive(C, large[100:])))
    assert sent == large + last.raw and not up.closing and up.queued == 0


@pytest.mark.parametrize("protocol", [FIFO, BY_ID[4]], ids=names)
def test_what_one_client_sends_comes_in_its_order(protocol: Protocol) -> None:
    """Also where a part of it answers the server: that does not overtake what waits."""
    width = width_of(protocol)
    limits = Limits(message=64, head=24)
    other, down = opened(protocol, S, limits), opened(protocol, S, limits)
    up = opened(protocol, C, limits)
    large = frame("O", 9, "x" * 300, width)
    sent = b"".join(map(up.send, other.receive(C, large[:100])))
    said = [frame("O", 1, "first", width), frame("A", 7, "answer", width), frame("O", 2, "last", width)]
    for event in down.receive(C, b"".join(said)):
        sent += up.send(event)
    assert up.queued == sum(map(len, said))
    sent += b"".join(map(up.send, other.receive(C, large[100:])))
    texts = [each.text for each in frames(sent, width)]
    assert texts[1:] == ["first", "answer", "last"] and up.queued == 0


# ------------------------------------------------------------------------------------------------ answered here, and sent again


@pytest.mark.parametrize("protocol", PAIRED, ids=names)
def test_what_was_answered_here_is_not_abandoned(protocol: Protocol) -> None:
    down, (a, b) = client(protocol, "a", "b")
    up = opened(protocol, C)
    up.send(a)
    up.send(b)
    down.answer(a, made_answer(a, "!too slow"))
    list(up.eof(S))
    assert up.abandoned() == [b]


@pytest.mark.parametrize("protocol", PAIRED, ids=names)
def test_what_was_answered_here_before_it_was_sent_is_not_abandoned(protocol: Protocol) -> None:
    limits = Limits(message=64, head=24)
    up = opened(protocol, C, limits)
    large = opened(protocol, S, limits)
    for event in large.receive(C, frame("Q", 9, "x" * 300, width_of(protocol))[:100]):
        up.send(event)
    down, (a, b) = client(protocol, "a", "b", limits=limits)
    assert up.send(a) == up.send(b) == b""
    down.answer(a, made_answer(a, "!too slow"))
    list(up.eof(S))
    assert a not in up.abandoned()


@pytest.mark.parametrize("times", [2, 3])
def test_what_is_asked_several_times_is_given_up_as_often(times: int) -> None:
    """Where answers come in order, a request may be sent again before it is answered."""
    _, (again, other) = client(FIFO, "again", "other")
    up = opened(FIFO, C)
    for request in [again] * times + [other]:
        up.send(request)
    assert up.unanswered() == [again] * times + [other]
    (first,) = told(up, frame("A", 0, "1", 0))
    assert isinstance(first, Message) and first.request is again
    up.cancel(again)
    assert up.unanswered() == [other]
    answers = told(up, b"".join(frame("A", 0, str(at), 0) for at in range(times)))
    assert [each.request for each in answers if isinstance(each, Message)] == [other]
    up.send(again)  # nothing is owed any more
    (last,) = told(up, frame("A", 0, "again", 0))
    assert isinstance(last, Message) and last.request is again


def test_what_waits_several_times_is_given_up_as_often() -> None:
    limits = Limits(message=64, head=24)
    up, large = opened(FIFO, C, limits), opened(FIFO, S, limits)
    for event in large.receive(C, frame("O", 9, "x" * 300, 0)[:100]):
        up.send(event)
    _, (again, other) = client(FIFO, "again", "other", limits=limits)
    for request in (again, again, other, again):
        up.send(request)
    up.cancel(again)
    assert up.unanswered() == [other] and up.queued == len(other.raw)
    sent = b"".join(map(up.send, large.receive(C, frame("O", 9, "x" * 300, 0)[100:])))
    assert sent.endswith(other.raw) and again.raw not in sent


@pytest.mark.parametrize("protocol", PAIRED, ids=names)
def test_what_is_owed_an_answer_that_nobody_wants_is_not_sent_again(protocol: Protocol) -> None:
    """Its answer could not be told from the one that nobody waits for."""
    _, (request,) = client(protocol, "a")
    up = opened(protocol, C)
    (number,) = numbers(protocol, up.send(request))
    up.cancel(request)
    for give in (up.send, up.put):
        with pytest.raises(Unsupported, match="elsewhere"):
            give(request)
    assert up.pending_output() == b""
    assert told(up, frame("A", number, "late", width_of(protocol))) == []
    assert frames(up.send(request), width_of(protocol)) and up.unanswered() == [request]


@pytest.mark.parametrize("protocol", [BY_ID[1], BY_ID[4], KEEPS, STREAM], ids=names)
def test_what_has_a_number_is_under_way_once(protocol: Protocol) -> None:
    _, (request,) = client(protocol, "a")
    up = opened(protocol, C)
    (number,) = numbers(protocol, up.send(request))
    with pytest.raises(Unsupported, match="under way"):
        up.send(request)
    (answer,) = told(up, frame("A", number, "A", width_of(protocol)))
    assert isinstance(answer, Message) and answer.request is request and up.unanswered() == []


# ------------------------------------------------------------------------------------------------ texts in place of numbers


def word(letter: str, name: str, text: str) -> bytes:
    octets = f"{letter}{name:>4}{text}".encode()
    return (2 + len(octets)).to_bytes(2, "big") + octets


def test_texts_pair_at_endpoints_too() -> None:
    down, up = opened(BY_TEXT, S), opened(BY_TEXT, C)
    said = b"".join(word("Q", name, f"q{name}") for name in ("x", "yy", "z"))
    requests = asked(down, said)
    assert b"".join(map(up.send, requests)) == said and up.unanswered() == down.unanswered() == requests
    events = told(up, word("A", "z", "A") + word("A", "x", "A"))
    assert [event.request for event in events if isinstance(event, Message)] == [requests[2], requests[0]]
    assert b"".join(map(down.send, events)) == word("A", "z", "A") + word("A", "x", "A")
    up.cancel(requests[1])
    assert told(up, word("A", "yy", "late")) == []
    assert up.pending == 0 and down.unanswered() == [requests[1]]


def test_equal_texts_of_two_clients_do_not_cross() -> None:
    """A text is not written anew: the second waits until the first is answered, and nobody gets what is another's."""
    one, two = opened(BY_TEXT, S), opened(BY_TEXT, S)
    up = opened(BY_TEXT, C)
    (a,) = asked(one, word("Q", "x", "a"))
    b, c = asked(two, word("Q", "x", "b") + word("Q", "y", "c"))
    assert up.send(a) == a.raw
    assert up.send(b) == b"" and up.send(c) == b"", "nothing overtakes"
    (answer,) = told(up, word("A", "x", "A"))
    assert isinstance(answer, Message) and answer.request is a and one.send(answer) == answer.raw
    assert up.pending_output() == b.raw + c.raw
    assert [e.request for e in told(up, word("A", "y", "C") + word("A", "x", "B")) if isinstance(e, Message)] == [c, b]
    # Given up, its text is used until the answer has come.
    up.send(a)
    up.cancel(a)
    assert up.send(b) == b""
    assert told(up, word("A", "x", "late")) == [] and up.pending_output() == b.raw
