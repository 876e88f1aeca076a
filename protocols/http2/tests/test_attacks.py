"""Attacks that cost a peer little: an error, or memory that stays bounded; and traffic that only looks like them passes. RFC 9113 §10.5."""

from __future__ import annotations

import time
import tracemalloc
from functools import partial

import pytest
from hpack import Encoder

from l7codecs import Kind, Limits, Message, Sender, get_protocol, list_protocols, open_session
from l7codecs.testing import growth

from .implementations import (
    CLIENT,
    CONTINUATION,
    DATA,
    END_STREAM,
    HEADERS,
    PING,
    PREFACE,
    PRIORITY,
    REQUEST,
    RESPONSE,
    SERVER,
    SETTINGS,
    WINDOW_UPDATE,
    Observer,
    block,
    frame,
    headers,
    rst,
    setting,
    u32,
)  # fmt: skip

CALM = "connection ENHANCE_YOUR_CALM"
LIMITS = Limits(streams=100)
COUNT = 4_000
GET = block(REQUEST)


def odd(count: int) -> range:
    return range(1, 2 * count, 2)


FLOODS = {
    "rapid reset": (b"".join(headers(number, REQUEST) + rst(number) for number in odd(1_001)), "fine"),
    "SETTINGS": (frame(SETTINGS, 0, 0, setting(3, 100)) * 1_001, "fine"),
    "PING": (frame(PING, 0, 0, bytes(8)) * 1_001, "fine"),
    "CONTINUATION": (frame(HEADERS, 1, 1, GET) + frame(CONTINUATION, 0, 1, b"\x00\x01a\x01b" * 100) * 200, CALM),
    "empty CONTINUATION": (frame(HEADERS, 1, 1, GET) + frame(CONTINUATION, 0, 1) * 300, CALM),
    "empty DATA": (headers(1, REQUEST) + frame(DATA, 0, 1) * COUNT, "fine"),
    "padding": (headers(1, REQUEST) + frame(DATA, 8, 1, b"\x63" + bytes(0x63)) * COUNT, "fine"),
    "PRIORITY": (b"".join(frame(PRIORITY, 0, number, u32(0) + b"\0") for number in odd(COUNT)), "fine"),
    "WINDOW_UPDATE": (frame(WINDOW_UPDATE, 0, 0, u32(1)) * COUNT, "fine"),
    "unknown types": (frame(0xBB, 0, 0, b"x") * COUNT, "fine"),
}


@pytest.mark.parametrize("name", FLOODS)
def test_floods(name: str) -> None:
    """What asks for an answer is no flood to an observer, which may not have seen the answers yet; to an endpoint it is (`test_floods`)."""
    octets, verdict = FLOODS[name]
    observer = Observer()
    observer.hear(CLIENT, PREFACE + frame(SETTINGS, 0, 0) + frame(SETTINGS, 1, 0))
    observer.hear(SERVER, frame(SETTINGS, 0, 0) + frame(SETTINGS, 1, 0))
    assert observer.hear(CLIENT, octets) == verdict


PASSED = {
    "one stream after another": lambda number: (headers(number, REQUEST, True), headers(number, RESPONSE, True)),
    "reset once answered": lambda number: (headers(number, REQUEST) + rst(number), headers(number, RESPONSE)),
    "reset by the server": lambda number: (headers(number, REQUEST), headers(number, RESPONSE) + rst(number, "NO_ERROR")),
    "calls that time out": lambda number: (
        headers(number, REQUEST) + rst(number),
        frame(WINDOW_UPDATE, 0, 0, u32(1)),
    ),
    "settings and pings": lambda number: (
        frame(SETTINGS, 0, 0, setting(1, number % 4096)) + frame(PING, 0, 0, bytes(8)),
        frame(SETTINGS, 1, 0) + frame(PING, 1, 0, bytes(8)),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PASSED)
def test_real_traffic_passes_in_bounded_memory(name: str) -> None:
    session = open_session("http2")
    for sender, octets in (
        (CLIENT, PREFACE + frame(SETTINGS, 0, 0)),
        (SERVER, frame(SETTINGS, 0, 0) + frame(SETTINGS, 1, 0)),
    ):
        list(session.receive(sender, octets))
    # Once in many thousand strings Python makes its table of interned strings anew: two megabytes that are nobody's. So memory is read
    # three times: what each stream leaves behind is there both times, and the table at most once.
    readings = []
    tracemalloc.start()
    try:
        for number in odd(COUNT):
            request, response = PASSED[name](number)
            if name == "reset once answered":
                # The answer comes between the request and its reset.
                list(session.receive(CLIENT, request[:-13]))
                list(session.receive(SERVER, response))
                request, response = request[-13:], b""
            for sender, octets in ((CLIENT, request), (SERVER, response)):
                for _ in session.receive(sender, octets):
                    pass
            if number + 1 in (COUNT, COUNT * 3 // 2, COUNT * 2):
                readings.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    half, three_quarters, whole = readings
    assert min(three_quarters - half, whole - three_quarters) < 50_000
    assert session.pending == 0


def test_a_side_alone_costs_bounded_memory() -> None:
    """Its SETTINGS are not acknowledged, its streams are not answered where that can be seen."""
    session = open_session("http2")
    list(session.receive(CLIENT, PREFACE))
    tracemalloc.start()
    try:
        for number in odd(COUNT):
            octets = (
                frame(SETTINGS, 0, 0, setting(4, number)) + frame(PING, 0, 0, bytes(8)) + headers(number, REQUEST, True)
            )
            for _ in session.receive(CLIENT, octets):
                pass
        size, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert size < 4_000_000
    assert session.pending <= 1_000


def fed(octets: bytes, size: int) -> float:
    session = open_session("http2")
    start = time.process_time()
    for at in range(0, len(octets), size):
        for _ in session.receive(Sender.CLIENT, octets[at : at + size]):
            pass
    return time.process_time() - start


def conversation(kind: str, size: int) -> bytes:
    begin = PREFACE + frame(SETTINGS, 0, 0)
    if kind == "a body":
        return begin + headers(1, REQUEST) + frame(DATA, 0, 1, bytes(16_000)) * (size // 16_000) + frame(DATA, 1, 1)
    if kind == "requests":
        return begin + b"".join(headers(number, REQUEST, True) + rst(number) for number in odd(min(size // 70, 900)))
    rest = b"\x00\x01a\x01b" * (size // 5)
    step = max(size // 250, 1)
    parts = [rest[at : at + step] for at in range(0, len(rest), step)]
    blocks = b"".join(frame(CONTINUATION, 4 if part is parts[-1] else 0, 1, part) for part in parts)
    return begin + frame(HEADERS, END_STREAM, 1, GET) + blocks


@pytest.mark.parametrize("kind", ["a body", "requests", "one block"])
def test_octet_by_octet_is_linear(kind: str) -> None:
    most = 60_000 if kind == "one block" else 160_000
    small, large = (conversation(kind, size) for size in (most // 8, most))
    bound = 3 * len(large) / len(small)
    assert growth(partial(fed, size=1), small, large, bound, 0.002) <= bound


def test_streams_whose_numbers_collide_are_no_slower_than_their_limit_allows() -> None:
    begin = PREFACE + frame(SETTINGS, 0, 0)
    steps = {step: begin + b"".join(headers(1 + 2 * step * at, REQUEST) for at in range(999)) for step in (1, 4096)}
    assert growth(partial(fed, size=65_536), steps[1], steps[4096], 40, 0.002) <= 40


@pytest.mark.parametrize("ended", [False, True])
def test_the_limit_of_streams_is_that_of_the_caller(ended: bool) -> None:
    """Past it an observer, which may not have seen the answers yet, keeps the latest, and says the rest without their requests."""
    session = open_session("http2", limits=LIMITS)
    list(session.receive(CLIENT, PREFACE + frame(SETTINGS, 0, 0)))
    list(session.receive(SERVER, frame(SETTINGS, 0, 0)))
    asked = list(session.receive(CLIENT, b"".join(headers(number, REQUEST, ended) for number in odd(1000))))
    assert [event.kind for event in asked if isinstance(event, Message)] == [Kind.REQUEST] * 1000
    assert 50 <= session.pending <= 100
    answers = list(session.receive(SERVER, b"".join(headers(number, RESPONSE, True) for number in odd(1000))))
    assert [event.kind for event in answers if isinstance(event, Message)] == [Kind.RESPONSE] * 1000
    paired = [event.request for event in answers if isinstance(event, Message)]
    assert paired[:-50] == [None] * 900 + paired[900:-50] and paired[-50:] == asked[-50:]


NAMES = sorted({name for entry in list_protocols() for name in get_protocol(entry.name).schema})


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/grpc", "application/grpc-web+proto", "application/connect+proto"]
)
def test_headers_named_like_attributes_change_none(kind: str) -> None:
    """A peer says what it likes in headers; what is routed by never comes from there."""

    def heard(*more: tuple[str, str]) -> tuple[Message, Message]:
        observer = open_session("http2")
        asked = [
            (":method", "POST"),
            (":scheme", "http"),
            (":path", "/p.S/M"),
            (":authority", "a"),
            ("content-type", kind),
            *more,
        ]
        said = [(":status", "200"), ("content-type", kind), *more]
        found = [
            event
            for sender, fields, first in (
                (CLIENT, asked, PREFACE + frame(SETTINGS, 0, 0)),
                (SERVER, said, frame(SETTINGS, 0, 0)),
            )
            for event in observer.receive(sender, first + frame(HEADERS, 5, 1, Encoder().encode(fields)))
            if isinstance(event, Message) and event.stream_id
        ]
        request, response = found
        return request, response

    forged = [(name.replace("_", "-"), "forged") for name in NAMES]
    forged += [(name, "forged") for name in NAMES]
    for plain, attacked in zip(heard(), heard(*forged), strict=True):
        assert ("l7.access", b"forged") in list(attacked.headers)
        assert dict(attacked.attributes) == dict(plain.attributes)
        for name in ("protocol", "service", "operation", "resources", "status", "error", "request_id"):
            assert getattr(attacked, name) == getattr(plain, name)


def test_many_that_were_given_up_at_once_disturb_nobody() -> None:
    """What comes late on more streams than are remembered is no error of the server's."""
    up = open_session("http2", endpoint=CLIENT, limits=Limits(streams=3))
    list(up.receive(SERVER, frame(SETTINGS, 0, 0)))
    up.pending_output()
    answers = b""
    for at in range(30):
        down = open_session("http2", endpoint=SERVER)
        asked = [
            e
            for e in down.receive(CLIENT, PREFACE + frame(SETTINGS, 0, 0) + headers(1, REQUEST, True))
            if e.kind is Kind.REQUEST
        ]
        up.send(asked[0])
        answers += headers(2 * at + 1, RESPONSE, True)
        if at < 29:
            up.cancel(asked[0])
    told = [e for e in up.receive(SERVER, answers) if isinstance(e, Message) and e.kind is Kind.RESPONSE]
    assert [each.request for each in told] == asked
