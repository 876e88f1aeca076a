"""Commands that are given up, on a connection that clients may share: what answers them is nothing, and nothing else is lost."""

from __future__ import annotations

import time

import pytest

from l7codecs import Changes, Data, Kind, Limits, Message, Sender, Session, Status, open_session
from l7codecs.testing import growth

C, S = Sender.CLIENT, Sender.SERVER


def sessions(limits: Limits | None = None) -> tuple[Session, Session]:
    limits = limits or Limits()
    return open_session("redis", endpoint=S, limits=limits), open_session("redis", endpoint=C, limits=limits)


def asked(down: Session, octets: bytes) -> list[Message]:
    return [event for event in down.receive(C, octets) if isinstance(event, Message)]


def confirmed(word: bytes, channel: bytes, count: int, first: bytes = b"*") -> bytes:
    return first + b"3\r\n$%d\r\n%s\r\n$%d\r\n%s\r\n:%d\r\n" % (len(word), word, len(channel), channel, count)


@pytest.mark.parametrize("step", [1, 5, 1000])
def test_answers_of_all_forms(step: int) -> None:
    down, up = sessions()
    requests = asked(down, b"GET a\r\nSUBSCRIBE x y\r\nGET b\r\nMGET c d\r\nGET e\r\n")
    for request in requests:
        up.send(request)
    for request in (requests[0], requests[1], requests[3]):
        assert up.cancel(request) == b""
    assert up.unanswered() == [requests[2], requests[4]]
    octets = b"$1\r\na\r\n" + confirmed(b"subscribe", b"x", 1) + confirmed(b"subscribe", b"y", 2)
    delivery = b"*3\r\n$7\r\nmessage\r\n$1\r\nx\r\n$2\r\nhi\r\n"
    octets += delivery + b"$1\r\nb\r\n*2\r\n$1\r\nc\r\n$1\r\nd\r\n-ERR e\r\n"
    events = [event for at in range(0, len(octets), step) for event in up.receive(S, octets[at : at + step])]
    assert [event.raw for event in events] == [delivery, b"$1\r\nb\r\n", b"-ERR e\r\n"]
    assert [event.request for event in events if isinstance(event, Message)] == [None, requests[2], requests[4]]
    assert events[0].kind is Kind.PUSH  # type: ignore[attr-defined]
    assert up.pending == 0 and up.unanswered() == []


def test_what_was_changed_on_its_way_is_known_as_what_it_was() -> None:
    down, up = sessions()
    requests = asked(down, b"GET a\r\nGET b\r\nGET c\r\n")
    for request in requests:
        up.send(request, Changes({"redis.keys": (b"tenant:" + request.resources[0],)}))  # type: ignore[operator]
    assert up.unanswered() == requests
    assert up.cancel(requests[1]) == b"" and up.unanswered() == [requests[0], requests[2]]
    events = list(up.receive(S, b"+A\r\n+B\r\n+C\r\n"))
    assert [event.request for event in events] == [requests[0], requests[2]]  # type: ignore[attr-defined]
    for request in asked(down, b"GET d\r\n"):
        up.send(request, Changes({"redis.keys": (b"d",)}))
        list(up.eof(S))
        assert up.abandoned() == [request]
        assert down.reply_error(request, Status.UNAVAILABLE, "gone") == b"", "the first three are answered before"


def test_a_reply_that_streams_is_swallowed_to_its_end() -> None:
    down, up = sessions(Limits(message=1000))
    requests = asked(down, b"GET a\r\nGET b\r\n")
    for request in requests:
        up.send(request)
    value = b"$100000\r\n" + b"v" * 100_000 + b"\r\n"
    seen = list(up.receive(S, value[:5000]))
    assert any(isinstance(event, Data) for event in seen)
    up.cancel(requests[0])
    assert [event.raw for event in up.receive(S, value[5000:] + b"+B\r\n")] == [b"+B\r\n"]
    third = asked(down, b"GET c\r\n")
    up.send(third[0])
    up.cancel(third[0])
    assert list(up.receive(S, value[:5000])) == list(up.receive(S, value[5000:])) == []


def test_what_is_under_way_is_not_cut_by_who_leaves() -> None:
    one, up = sessions(Limits(message=1000))
    other = open_session("redis", endpoint=S)
    large = b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$9000\r\n" + b"v" * 9_000 + b"\r\n"
    written = b"".join(up.send(event) for event in one.receive(C, large[:4_000]))
    gets = asked(other, b"GET a\r\nGET b\r\n")
    assert [up.send(request) for request in gets] == [b"", b""]
    assert up.cancel(gets[0]) == b""
    written += b"".join(up.send(event) for event in one.receive(C, large[4_000:]))
    assert written == large + b"GET b\r\n"
    answers = list(up.receive(S, b"+OK\r\n+b\r\n"))
    assert [event.request for event in answers] == [answers[0].request, gets[1]]  # type: ignore[attr-defined]


@pytest.mark.parametrize("changed", [False, True])
def test_giving_many_up_costs_each_little(changed: bool) -> None:
    def seconds(count: int) -> float:
        down, up = sessions()
        requests = asked(down, b"GET a\r\n" * count)
        for request in requests:
            up.send(request, Changes({"redis.keys": (b"b",)}) if changed else None)
        began = time.process_time()
        for request in requests:
            up.cancel(request)
        assert list(up.receive(S, b"+A\r\n" * count)) == [] and up.pending == 0
        return time.process_time() - began

    assert growth(seconds, 4_000, 32_000, 24) <= 24


def test_giving_up_what_was_changed_costs_the_same_however_many_wait() -> None:
    """Between answers, too."""

    def seconds(count: int) -> float:
        down, up = sessions()
        requests = asked(down, b"GET key\r\n" * count)
        change = Changes({"redis.keys": (b"other",)})
        for request in requests:
            up.send(request, change)
        began = time.process_time()
        for request in requests[1::2]:
            assert up.cancel(request) == b""
            up.send(down_request(down), change)
            list(up.receive(S, b"+1\r\n"))
        seconds = time.process_time() - began
        assert up.pending == count
        return seconds

    assert growth(seconds, 2_000, 8_000, 9) <= 9


def down_request(down: Session) -> Message:
    (request,) = asked(down, b"GET key\r\n")
    return request


def test_what_was_changed_is_found_whatever_was_answered_and_asked_since() -> None:
    down, up = sessions()
    change = Changes({"redis.keys": (b"other",)})
    requests: list[Message] = []
    answered = 0
    for turn in range(300):
        requests += asked(down, b"GET key\r\n" * 2)
        for request in requests[-2:]:
            up.send(request, change if turn % 3 else None)
        if turn % 2:
            assert up.cancel(requests[-1]) == b"" and requests[-1] not in up.unanswered()
        (event,) = list(up.receive(S, b"+1\r\n")) or [None]
        assert (event is None) == (answered % 4 == 3)
        answered += 1
    wants = [each for at, each in enumerate(requests) if at % 4 != 3]
    rest = list(up.receive(S, b"+1\r\n" * (len(requests) - answered)))
    assert [event.request for event in rest] == wants[-len(rest) :] and up.pending == 0  # type: ignore[attr-defined]
