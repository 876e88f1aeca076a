"""Behind lost octets: what is taken for a frame and is none is taken back, in every cut, at a cost that follows the octets."""

from __future__ import annotations

import random
import time
from collections import Counter
from functools import partial

import pytest
from l7codecs_http2._frames.boundary import find_frame

from l7codecs import Kind, Message, Opaque, Sender, open_session
from l7codecs.message import Event
from l7codecs.testing import growth

C, S = Sender.CLIENT, Sender.SERVER


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


PING = frame(6, 0, 0, b"12345678")
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


def behind_a_gap(sender: Sender, octets: bytes, most: int) -> list[Event]:
    session = open_session("http2")
    events = [*session.gap(C, 5), *session.gap(S, 5)]
    for at in range(0, len(octets), most):
        events += session.receive(sender, octets[at : at + most])
    told = b"".join(event.raw for event in events if event.sender is sender)
    assert octets.startswith(told)
    return events


# A frame of one connection inside of the DATA of another: found first, and wrong where the next DATA's rest is not what it declares.
INSIDE = b"a" * 50 + frame(0, 0, 1, b"x" * 20) + (600).to_bytes(3, "big") + bytes.fromhex("000000000001")
OUTSIDE = (frame(0, 0, 1, INSIDE + b"b" * (1000 - len(INSIDE))) + PING * 50)[30:]


@pytest.mark.parametrize("most", [1, 3, 20, 400, 5000])
def test_a_frame_in_the_body_of_another(most: int) -> None:
    kinds = Counter(event.kind for event in behind_a_gap(C, OUTSIDE, most) if isinstance(event, Message))
    assert kinds == {Kind.HEARTBEAT: 50}


@pytest.mark.parametrize("most", [1, 20, 1460, 1 << 20])
@pytest.mark.parametrize("sender", list(Sender))
def test_a_whole_connection_in_the_body_of_another(sender: Sender, most: int) -> None:
    """More frames that make sense than any number that one could wait for: what they stand in ends with its frame."""
    inner = frame(0, 0, 1, b"y" * 70) * 200
    said = b"".join(frame(0, 0, 3, inner[at : at + 5000]) for at in range(0, len(inner), 5000)) + PING * 10
    events = behind_a_gap(sender, said[40:], most)
    assert sum(isinstance(event, Message) and event.kind is Kind.HEARTBEAT for event in events) == 10


@pytest.mark.parametrize("most", [1, 5, 23, 1000])
def test_the_preface_is_found_wherever_it_stands(most: int) -> None:
    events = behind_a_gap(C, b"GET /lost HTTP/1.1\r\n\r\n" + PREFACE + frame(4, 0, 0) + PING, most)
    assert [event.operation for event in events if isinstance(event, Message)] == ["PREFACE", "SETTINGS", "PING"]
    assert b"".join(event.raw for event in events if isinstance(event, Opaque)) == b"GET /lost HTTP/1.1\r\n\r\n"


@pytest.mark.parametrize("most", [1, 20, 1000])
def test_a_known_end_inside_of_what_was_not_certain(most: int) -> None:
    """The length of a frame that was none does not make what follows it certain."""
    session = open_session("http2")
    false = frame(0, 0, 1, b"x" * 9) + (90).to_bytes(3, "big") + bytes.fromhex("010400000001")
    list(session.gap(C, 5))
    list(session.receive(C, false))
    list(session.gap(C, 10))
    rest = b"z" * 80 + b"no frame at all" * 4 + PING * 3
    found = []
    for at in range(0, len(rest), most):
        found += session.receive(C, rest[at : at + most])
    assert [event.operation for event in found if isinstance(event, Message)] == ["PING"] * 3


BLOCK = b"\x82\x86\x84\x41\x01a"
SENSELESS = {
    "a request on the server's stream": (C, frame(1, 4, 2, BLOCK)),
    "a promise of the client": (C, frame(5, 4, 1, b"\0\0\0\2" + BLOCK)),
    "a promise of a stream of the client": (S, frame(5, 4, 1, b"\0\0\0\3" + BLOCK)),
    "a block of two frames that cannot be decoded": (S, frame(5, 0, 1, b"\0\0\0\2\1") + frame(9, 4, 1, b"\x88")),
    "an index of no table": (C, frame(1, 0, 1, b"\x82") + frame(9, 4, 1, b"\x80")),
}


@pytest.mark.parametrize("reads", [[1], [7], [9, 1], [20, 1, 1, 30], [1 << 20]])
@pytest.mark.parametrize("name", SENSELESS)
def test_a_block_that_makes_no_sense_is_passed_over_once(name: str, reads: list[int]) -> None:
    """Octet by octet it is in one event, and what follows it is found."""
    sender, block = SENSELESS[name]
    octets = frame(0, 0, 1, b"x" * 20) * 2 + block + PING * 3
    session = open_session("http2")
    events = list(session.gap(sender, 5))
    at = index = 0
    while at < len(octets):
        size = reads[index % len(reads)]
        index += 1
        events += session.receive(sender, octets[at : at + size])
        at += size
    at = 5
    for event in events[1:]:
        assert event.offset == at
        assert event.raw == octets[at - 5 : at - 5 + len(event.raw)]
        at += len(event.raw)
    assert at == 5 + len(octets)
    assert b"".join(event.raw for event in events if isinstance(event, Opaque)) == block
    assert [event.operation for event in events if isinstance(event, Message)] == ["PING"] * 3


FAR = 0x1000001
WAITING = {
    "padding of the frame behind a high stream": frame(0, 0, FAR, PING * 4) + frame(1, 12, FAR, b"\x83" + BLOCK)[:10],
    "padding": frame(0, 8, 1, b"\xff" + PING * 4)[:-3],
    "settings": frame(4, 0, 0, b"\1" + PING * 12 + b"12345")[:-2],
}


@pytest.mark.parametrize("name", WAITING)
@pytest.mark.parametrize("size", [0, 7])
def test_what_waits_where_the_octets_end_does_not_depend_on_the_reads(name: str, size: int) -> None:
    """What refutes a frame has come, and what would show that another follows it has not."""
    octets = WAITING[name]
    said = []
    for most in (1, 2, 5, 9, 13, 1 << 20):
        session = open_session("http2")
        events = list(session.gap(C, 5))
        for at in range(0, len(octets), most):
            events += session.receive(C, octets[at : at + most])
        events += session.gap(C, size)
        events += session.receive(C, PING * 2)
        events += session.eof(C)
        said.append([(event.offset, event.raw) for event in events if isinstance(event, Message)])
    assert said.count(said[0]) == len(said)


HOSTILE = {
    "a bad block again and again": bytes.fromhex("00000101040000000180"),
    "the largest frame at every place": b"\0",
    "frames that wait for their end": (16000).to_bytes(3, "big") + bytes.fromhex("000000000001"),
    "settings that no frame follows": frame(4, 0, 0, b"\0\1\0\0\0\0" * 42) + b"\1",
    "the beginning of the preface": PREFACE[:23],
    "a method": b"GET ",
}


def streams(size: int) -> bytes:
    """New streams between places that make no sense: each is doubted."""
    return b"".join(frame(1, 4, 2 * i + 1, b"\x82") + frame(1, 4, 2 * i + 3, b"\x80") for i in range(size // 20))


def cost(octets: bytes, most: int) -> float:
    begin = time.process_time()
    behind_a_gap(C, octets, most)
    return time.process_time() - begin


@pytest.mark.parametrize("most", [16, 1460, 1 << 30])
@pytest.mark.parametrize("name", [*HOSTILE, "streams"])
def test_the_search_is_linear(name: str, most: int) -> None:
    """Four times the octets, at most eight times the time."""
    small, big = (
        streams(size) if name == "streams" else HOSTILE[name] * (size // len(HOSTILE[name]))
        for size in (60_000, 240_000)
    )
    assert growth(partial(cost, most=most), small, big, 8, 0.005) <= 8


def test_numbers_are_seldom_taken_for_frames() -> None:
    """What is mostly zeros: with a third frame beside high streams, and no empty DATA, it is 31 places of 480 000, not 1 752."""
    found = 0
    for seed in range(60):
        chance = random.Random(seed)
        numbers = b"".join(chance.randrange(chance.choice((2, 16, 256, 4000))).to_bytes(8, "big") for _ in range(500))
        small = bytes(chance.randrange(4) for _ in range(4000))
        for octets in (numbers, small):
            at = 0
            while True:
                place, _ = find_frame(octets[at:], False)
                if place < 0:
                    break
                found += 1
                at += place + 9
    assert found <= 40
