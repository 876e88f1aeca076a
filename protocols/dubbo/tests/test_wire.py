"""The connection: text, sizes, events, large messages, lost octets, whose ids are whose."""

from __future__ import annotations

import random
import time
from typing import Any

import pytest

import l7codecs
from l7codecs import Data, Gap, IncompleteMessage, Kind, LimitExceeded, Limits, Message, Opaque, ProtocolError, Status
from l7codecs.testing import growth
from l7codecs_dubbo import DubboEvent, DubboRequest, DubboResponse

from .frames import JSONB, C, S, answer, beaten, body, call, exception, failure, frame, heartbeat, jsonb


def session(limits: Limits | None = None) -> l7codecs.Session:
    return l7codecs.open_session("dubbo", limits=limits or Limits())


def said(octets: bytes, sender: Any = C, limits: Limits | None = None) -> list[Any]:
    return list(session(limits).receive(sender, octets))


# Text.


def test_text_is_told_at_once() -> None:
    """A console waits for each of its lines: nothing of it may wait for what comes next."""
    opened = session()
    for octet in b"ls\r\nstatus\r\n":
        (event,) = opened.receive(C, bytes([octet]))
        assert isinstance(event, Opaque) and event.raw == bytes([octet])


@pytest.mark.parametrize("text", [b"dubbo>", b"x", b"\xda", b"\xda\xda", b"\xbb", b"\xda\xba", b"\xdax\xda"])
def test_text_swallows_no_frame(text: bytes) -> None:
    request = call(1)
    for cut in range(len(text) + len(request) + 1):
        opened = session()
        octets = text + request
        events = [*opened.receive(C, octets[:cut]), *opened.receive(C, octets[cut:])]
        assert [event.raw for event in events if isinstance(event, Message)] == [request]
        assert b"".join(event.raw for event in events) == octets


def test_half_a_magic_number_waits_for_the_other_half() -> None:
    opened = session()
    (event,) = opened.receive(C, b"text\xda")
    assert event.raw == b"text"
    (event,) = opened.receive(C, b"more")
    assert event.raw == b"\xdamore"
    with pytest.raises(IncompleteMessage):
        list(session().receive(C, b"\xda")) + list(opened.receive(C, b"\xda")) + list(opened.eof(C))


# Sizes.


def test_a_size_that_is_negative() -> None:
    with pytest.raises(ProtocolError, match="at octet 12: saw a body of -1 octets"):
        said(b"\xda\xbb\xc2\x00" + bytes(8) + b"\xff\xff\xff\xff")


def test_a_frame_larger_than_the_limit() -> None:
    octets = call(1)
    assert said(octets, limits=Limits(payload=len(octets)))
    with pytest.raises(LimitExceeded, match="payload"):
        said(octets, limits=Limits(payload=len(octets) - 1))


def test_a_large_message_is_a_head_and_data() -> None:
    limits = Limits(message=400, head=200)
    request = call(7, types="[B", arguments=b"A\x03\xe8" + bytes(1000) + b"B\x00\x01x")
    events = said(request, limits=limits)
    head = events[0]
    assert head.more and head.size == len(request) and len(head.raw) == 200
    assert (head.service, head.operation, head.service_version) == ("com.acme.Orders", "place", "1.2.3")
    assert head.param_types == ("byte[]",)
    assert len(head.headers) == 0 and "dubbo.malformed" not in head.attributes  # the attachments are behind it
    assert all(isinstance(event, Data) and event.message is head for event in events[1:])
    assert b"".join(event.raw for event in events) == request


@pytest.mark.parametrize("size", [16, 17, 40, 100, 5000])
def test_a_head_of_any_size_says_no_nonsense(size: int) -> None:
    request = call(7, arguments=b"S\x20\x00" + b"x" * 8192)
    thrown = answer(7, exception("com.acme.SoldOutException", "no book", 60), kind=3)
    opened = session(Limits(message=3000, head=size))
    (asked, *_), (answered, *_) = list(opened.receive(C, request)), list(opened.receive(S, thrown))
    assert asked.service in (None, "com.acme.Orders") and asked.operation in (None, "place")
    assert "dubbo.malformed" not in asked.attributes and "dubbo.malformed" not in answered.attributes
    assert answered.status in (Status.UNKNOWN, None) and answered.request is asked
    assert answered.error in ("com.acme.SoldOutException", "exception", None)


def test_a_header_of_which_no_more_is_buffered() -> None:
    events = said(call(7), limits=Limits(message=1, head=1))
    assert events[0].raw == call(7)[:16] and events[0].request_id == 7


# Events.


@pytest.mark.parametrize(
    ("octets", "number"),
    [(b"", 2), (b"N", 2), (b"NNNN", 2), (b"\x05hello", 2), (jsonb(b"\xaf"), JSONB), (b"\xac\xed\x00\x05", 3), (bytes(300), 2)],
)  # fmt: skip
def test_heartbeats_have_bodies_of_any_size(octets: bytes, number: int) -> None:
    opened = session()
    beat, after = opened.receive(C, heartbeat(9, octets, serialization=number) + call(10))
    assert isinstance(beat, DubboEvent) and beat.kind is Kind.HEARTBEAT and beat.operation == "heartbeat"
    assert after.kind is Kind.REQUEST
    (back,) = opened.receive(S, beaten(9, octets, serialization=number))
    assert back.kind is Kind.RESPONSE and back.request is beat and back.status is Status.OK
    assert opened.pending == 1


def test_a_heartbeat_that_nobody_answers() -> None:
    opened = session()
    (beat,) = opened.receive(C, heartbeat(9, two_way=False))
    assert beat.kind is Kind.CONTROL and opened.pending == 0


def test_an_empty_heartbeat_is_refused_by_an_answer_that_is_no_event() -> None:
    opened = session()
    (beat,) = opened.receive(C, heartbeat(9, b""))
    (back,) = opened.receive(S, failure(9, 40, "no event"))
    assert isinstance(back, DubboResponse) and back.request is beat and back.status is Status.INVALID_ARGUMENT


@pytest.mark.parametrize(
    "octets",
    [frame(1, b"\x01R", request=True, event=True), frame(1, b"\x00\x00\x00\x02JR", request=True, event=True, serialization=JSONB)],
)  # fmt: skip
def test_the_read_only_event_is_a_goaway(octets: bytes) -> None:
    opened = session()
    (asked,) = opened.receive(C, call(1))
    first, second, answered = opened.receive(S, octets + octets + answer(1))
    for event in (first, second):
        assert event.kind is Kind.GOAWAY and event.operation == "readonly"
        assert event.attributes["dubbo.event"] == "readonly"
    assert answered.request is asked and answered.status is Status.OK


# Ids.


def test_each_direction_counts_for_itself() -> None:
    """A provider's own requests have ids of its own, which repeat the consumer's."""
    opened = session()
    (asked,) = opened.receive(C, call(0))
    beat, back, late = opened.receive(S, heartbeat(0) + call(1, method="changed") + answer(0))
    assert beat.request is None and back.request is None and late.request is asked
    first, second, nothing = opened.receive(C, beaten(0) + answer(1) + answer(2))
    assert first.request is beat and second.request is back and nothing.request is None
    assert second.operation == "changed"


@pytest.mark.parametrize("number", [0, 1, 2**31, 2**63 - 1, 2**63, 2**64 - 1])
def test_ids_have_64_bits_without_sign(number: int) -> None:
    opened = session()
    (asked,) = opened.receive(C, call(number))
    (answered,) = opened.receive(S, answer(number))
    assert asked.request_id == answered.request_id == number and answered.request is asked


def test_answers_come_in_any_order() -> None:
    opened = session()
    asked = list(opened.receive(C, b"".join(call(each) for each in range(50))))
    order = list(range(50))
    random.Random(1).shuffle(order)
    for answered in opened.receive(S, b"".join(answer(each) for each in order)):
        assert answered.request is asked[answered.request_id]
    assert opened.pending == 0


# Lost octets.


def test_what_waits_stays_certain_whatever_is_lost() -> None:
    """Ids never come again, so a loss of either side leaves the others paired."""
    opened = session()
    asked = list(opened.receive(C, call(1) + call(2) + call(3)))
    (first,) = opened.receive(S, answer(1))
    list(opened.gap(S, 500))
    (later,) = opened.receive(S, answer(3))
    list(opened.gap(C))
    (another,) = opened.receive(C, call(9))
    second, last = opened.receive(S, answer(2) + answer(9))
    assert [each.request for each in (first, later, second)] == [asked[0], asked[2], asked[1]]
    assert last.request is another
    (nothing,) = opened.receive(S, answer(1))
    assert nothing.request is None and nothing.operation is None and nothing.service is None


def test_a_loss_inside_a_frame_ends_with_it() -> None:
    opened = session()
    request = call(1)
    assert list(opened.receive(C, request[:40])) == []
    events = [*opened.gap(C, 30), *opened.receive(C, request[70:] + call(2))]
    head, lost, rest, after = events
    assert head.more and head.raw == request[:40] and head.service == "com.acme.Orders"
    assert isinstance(lost, Gap) and lost.resumed_at == 70
    assert isinstance(rest, Data) and rest.raw == request[70:] and not rest.more
    assert after.request_id == 2 and not after.more


@pytest.mark.parametrize("number", [2, 3, 13, JSONB])
@pytest.mark.parametrize("joined", range(1, 300, 7))
def test_a_join_finds_the_next_frame(joined: int, number: int) -> None:
    """Joined anywhere, every whole frame that begins behind is told, and nothing else."""
    whole = (
        call(1) if number == 2 else frame(1, b"\xac\xed\x00\x05" * 20, request=True, two_way=True, serialization=number)
    )
    octets = whole * 4
    opened = session()
    events = [*opened.gap(C), *opened.receive(C, octets[joined:])]
    found = [event for event in events if isinstance(event, Message)]
    starts = [at for at in range(0, len(octets), len(whole)) if at >= joined]
    if number != 2:
        starts = starts[:-1] if len(found) < len(starts) and len(starts) == 1 else starts
    assert [event.offset + joined for event in found] == starts
    assert all(event.raw == whole for event in found)


@pytest.mark.parametrize("form", [b"\x79", b"\x7a"])
@pytest.mark.parametrize("size", [900, 2000, 3000, 300_000])
def test_a_join_finds_a_long_text_of_fastjson2(size: int, form: bytes) -> None:
    """An answer that failed is one text, which says its size twice."""
    value = form + b"\x48" + size.to_bytes(4, "big") + b"x" * size
    octets = frame(1, jsonb(value), status=70, serialization=JSONB)
    opened = session()
    events = [*opened.gap(S), *opened.receive(S, b"\x01\x02" + octets), *opened.eof(S)]
    assert [event.request_id for event in events if isinstance(event, Message)] == [1]
    wrong = frame(1, jsonb(value[:4] + b"\x01" + value[5:]), status=70, serialization=JSONB)
    opened = session()
    events = [*opened.gap(S), *opened.receive(S, b"\x01\x02" + wrong[:2000])]
    assert size < 2000 or not [event for event in events if isinstance(event, Message)]


def test_a_magic_number_in_a_body_is_no_frame() -> None:
    """A frame that is carried in an argument is found by nobody who joins inside of it only by its magic number."""
    inner = b"\xda\xbb" + bytes(range(14))
    outer = call(1, types="[B", arguments=b"B" + len(inner * 9).to_bytes(2, "big") + inner * 9)
    for joined in range(1, len(outer)):
        opened = session()
        events = [*opened.gap(C), *opened.receive(C, (outer + call(2) + call(3))[joined:])]
        assert [event.request_id for event in events if isinstance(event, Message)] == [2, 3], joined


def test_nonsense_behind_a_loss_is_no_error() -> None:
    opened = session()
    chance = random.Random(7)
    list(opened.gap(S))
    list(opened.receive(S, heartbeat(1)))  # believed, and wrong
    noise = b"".join(chance.randbytes(chance.randrange(40)) + b"\xda\xbb" for _ in range(500))
    events = [*opened.receive(S, noise), *opened.receive(S, answer(1) + answer(2) + answer(3))]
    assert [event.request_id for event in events if isinstance(event, DubboResponse)][-3:] == [1, 2, 3]


def test_the_search_costs_what_it_looks_at() -> None:
    header = b"\xda\xbb\xc2\x00" + bytes(8) + (2000).to_bytes(4, "big")

    def cost(count: int) -> float:
        opened = session()
        list(opened.gap(C))
        start = time.process_time()
        for at in range(count):
            for _ in opened.receive(C, header if at % 2 else b"\x90" * 16):
                pass
        return time.process_time() - start

    assert growth(cost, 2000, 16_000, 24) <= 24


def test_mixed_serializations_are_read_each_by_its_own() -> None:
    opened = session()
    (asked,) = opened.receive(C, frame(1, b"\x00", request=True, two_way=True, serialization=JSONB))
    (answered,) = opened.receive(S, failure(1, 40, "not for me"))
    assert asked.serialization == "fastjson2" and answered.serialization == "hessian2"
    assert answered.text() == "not for me" and answered.request is asked


def test_a_request_says_no_status() -> None:
    (asked,) = said(frame(1, body(), request=True, two_way=True, status=0x63))
    assert isinstance(asked, DubboRequest) and asked.status is None and "dubbo.status" not in asked.attributes


@pytest.mark.parametrize("first", ["service", "operation", "attributes", "headers", "service_version"])
def test_what_is_called_is_told_whatever_is_asked_first(first: str) -> None:
    """Of a head that is broken behind it, too."""
    head = b"\x052.0.2\x01a\x011\x01m"
    for octets in (head + b"\x91", head, head + b"\x00N"):
        (asked,) = session().receive(C, frame(1, octets, request=True, two_way=True))
        getattr(asked, first)
        assert (asked.service, asked.operation) == ("a", "m")
        assert asked.attributes["rpc.method"] == "a/m" and asked.attributes["dubbo.service"] == "a"
        assert asked.detach() and (asked.service, asked.operation) == ("a", "m")
        again = asked.shortened(40)
        assert again is not None and (again.service, again.operation) == ("a", "m")


def test_a_request_whose_names_are_more_than_is_kept_is_forgotten() -> None:
    opened = session(Limits(waiting=4096))
    kept = frame(1, b"\x052.0.2\x01a\x011\x01m" + bytes(5000), request=True, two_way=True)
    long = b"\x052.0.2\x01a\x011S" + (20_000).to_bytes(2, "big") + b"m" * 20_000
    for octets in (kept, *(frame(number, long, request=True, two_way=True) for number in range(2, 9))):
        (asked,) = opened.receive(C, octets)
    assert isinstance(asked, DubboRequest) and asked.operation == "m" * 20_000
    (told,) = opened.receive(S, answer(8, b"\x94"))
    assert isinstance(told, Message) and told.request is None
    (told,) = opened.receive(S, answer(1, b"\x94"))
    assert isinstance(told, Message) and told.request is not None and told.request.operation == "m"


@pytest.mark.parametrize("first", ["attributes", "headers", "service", "operation", "status", "error", "param_types"])
def test_what_is_malformed_is_told_whatever_is_asked_first(first: str) -> None:
    opened = session()
    octets = frame(1, b"\x052.0.2\x40", request=True, two_way=True)
    octets += call(2, arguments=b"\x60", attachments=b"HZ") + call(3)
    for asked in opened.receive(C, octets):
        getattr(asked, first, None)
        assert ("dubbo.malformed" in asked.attributes) == (asked.request_id < 3), asked.request_id
    for answered in opened.receive(S, answer(1, b"\x60", kind=4) + answer(2, b"\x60", None, kind=0) + answer(3)):
        getattr(answered, first, None)
        assert ("dubbo.malformed" in answered.attributes) == (answered.request_id < 3), answered.request_id


BROKEN = [
    (2, b"\x052.0.2\x40"),
    (2, b"\x052.0.2\x01a\x011\x01m\x00\x48\x05"),
    (2, b"\x052.0.2\x01a\x011\x01m\x00\x5a"),
    (2, b"\x052.0.2\x01a\x011\x01m\x01Q\x48"),
    (JSONB, jsonb(b"\x4e2.0.2") * 4 + jsonb(b"\x49") + jsonb(b"\xa6\x4aa\x4d")),
    (JSONB, jsonb(b"\x4e2.0.2") * 4 + jsonb(b"\x49") + jsonb(b"\xa6\x4aa\xa4\x10")),
    (JSONB, jsonb(b"\x4e2.0.2") * 4 + b"\x00\x00\x01\x00"),
    (JSONB, jsonb(b"\x79\x10") * 5),
    (6, b'"2.0.2"\n{}\n'),
    (6, b'"2.0.2"\n"a"\n"1"\n"m"\n""\n{"a":'),
    (6, b'"2.0.2"\n"a"\n"1"\n"m"\n""\n{"a"'),
    (6, b'"2.0.2"\n"a"\n"1"\n"m"\n""\n{a'),
]


@pytest.mark.parametrize(("number", "octets"), BROKEN)
def test_why_a_body_is_malformed_does_not_depend_on_reads(number: int, octets: bytes) -> None:
    """What an error says counts from where the direction began, not from where a read did."""
    frames = call(1) + frame(2, octets, request=True, two_way=True, serialization=number)
    whole = said(frames)
    followed = said(frames + call(3))
    assert [dict(each.attributes) for each in followed[:2]] == [dict(each.attributes) for each in whole]
    for cut in (1, len(call(1)), len(call(1)) + 20):
        opened = session()
        events = [*opened.receive(C, frames[:cut]), *opened.receive(C, frames[cut:])]
        assert [dict(each.attributes) for each in events] == [dict(each.attributes) for each in whole]
    assert "dubbo.malformed" in whole[1].attributes
