"""Frames that cost a peer nothing: an endpoint keeps bounded memory for them, and refuses many with ENHANCE_YOUR_CALM."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable

import pytest
from hyperframe.frame import (
    DataFrame,
    Frame,
    GoAwayFrame,
    HeadersFrame,
    PingFrame,
    PriorityFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

from l7codecs import Limits, Message, ProtocolError, Sender, Status

from .between import GET, POST, Between, Endpoint, frames_of, h2_client

COUNT = 20_000
CALM = 11
CLOSED = 5


def opened(limits: Limits | None = None) -> Endpoint:
    room = Endpoint(Sender.SERVER, h2_client(), limits or Limits())
    room.settle()
    room.peer.send_headers(1, POST)
    room.settle()
    return room


def headers(room: Endpoint, stream: int, fields: list[tuple[str, str]] = GET, *flags: str) -> bytes:
    return HeadersFrame(stream, room.peer.encoder.encode(fields), flags=["END_HEADERS", *flags]).serialize()


def rapid_reset(room: Endpoint, number: int) -> bytes:
    stream = 3 + 2 * number
    return headers(room, stream, GET, "END_STREAM") + RstStreamFrame(stream, 8).serialize()


def made_to_reset(room: Endpoint, number: int) -> bytes:
    """The client makes the server reset its own streams: an update by 0 is an error of the stream."""
    stream = 3 + 2 * number
    return headers(room, stream) + b"\0\0\4\x08\0" + stream.to_bytes(4, "big") + bytes(4)


def empty_headers(room: Endpoint, number: int) -> bytes:
    return HeadersFrame(3 + 2 * number, b"", flags=["END_HEADERS", "END_STREAM"]).serialize()


def each(frame: Frame) -> Callable[[Endpoint, int], bytes]:
    octets = frame.serialize()
    return lambda room, number: octets


def unknown(room: Endpoint, number: int) -> bytes:
    return b"\0\0\0\xbb\0\0\0\0\0"


def late_headers(room: Endpoint, number: int) -> bytes:
    """On a stream that is closed."""
    if number == 0:
        return headers(room, 3, GET, "END_STREAM") + RstStreamFrame(3, 8).serialize()
    return headers(room, 3, GET, "END_STREAM")


def pour(room: Endpoint, octets: bytes, size: int) -> None:
    """Let the session read and write in turns."""
    for at in range(0, len(octets), size):
        room.take(octets[at : at + size])
        room.session.pending_output()


FLOODS: dict[str, Callable[[Endpoint, int], bytes]] = {
    "ping": each(PingFrame(0, b"12345678")),
    "settings": each(SettingsFrame(0, settings={3: 100})),
    "window updates by 1": each(WindowUpdateFrame(0, 1)),
    "window updates by 1 of a stream": each(WindowUpdateFrame(1, 1)),
    "empty data": each(DataFrame(1, b"")),
    "priority": each(PriorityFrame(1, depends_on=0)),
    "unknown types": unknown,
    "goaway": each(GoAwayFrame(0)),
    "resets of closed streams": lambda room, number: (
        RstStreamFrame(3, 8).serialize() if number else rapid_reset(room, 0)
    ),
    "headers of closed streams": late_headers,
    "rapid reset": rapid_reset,
    "made to reset": made_to_reset,
    "empty headers": empty_headers,
}


@pytest.mark.parametrize("name", FLOODS)
def test_many_at_once_are_refused(name: str) -> None:
    room = opened()
    octets = b"".join(FLOODS[name](room, number) for number in range(COUNT))
    with pytest.raises(ProtocolError) as caught:
        pour(room, octets, 65_536)
    # HEADERS on a stream that the client has ended is wrong by itself (RFC 9113 §5.1).
    code = CLOSED if name == "headers of closed streams" else CALM
    assert caught.value.spec.endswith("STREAM_CLOSED" if code == CLOSED else "ENHANCE_YOUR_CALM")
    last = frames_of(room.session.pending_output())[-1]
    assert (type(last).__name__, last.error_code) == ("GoAwayFrame", code)


@pytest.mark.parametrize("name", FLOODS)
def test_memory_is_bounded(name: str) -> None:
    """However slowly, and though the transport takes nothing: what is kept does not follow what was sent."""
    room = opened()
    octets = b"".join(FLOODS[name](room, number) for number in range(COUNT))
    room.session.paused = True
    tracemalloc.start()
    try:
        with pytest.raises(ProtocolError):
            pour(room, octets, 1024)
        assert tracemalloc.get_traced_memory()[0] < 4_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", ["ping", "settings", "window updates by 1", "priority"])
def test_those_of_a_long_life_are_not(name: str) -> None:
    room = opened()
    for number in range(3 * 10_000 // 10):
        room.take(b"".join(FLOODS[name](room, number) for _ in range(10)))
        room.session.pending_output()


def test_windows_of_one_octet_for_a_large_answer() -> None:
    """Every update lets one octet out ("data dribble")."""
    room = Between()
    room.client.update_settings({4: 0})
    room.client.send_headers(1, GET, end_stream=True)
    room.run()
    room.server.send_headers(1, [(":status", "200")])
    room.server.send_data(1, b"x" * 16_000)
    room.server.send_data(1, b"x" * 16_000)
    room.run()
    updates = WindowUpdateFrame(1, 1).serialize() * 30_000
    with pytest.raises(ProtocolError, match="ask for nothing"):
        pour(room.down, updates, 6_500)


def test_small_messages_that_are_acknowledged_one_by_one_are_no_attack() -> None:
    """A stream of small answers, and two updates for each: nothing is cut by a window."""
    room = Between()
    room.client.send_headers(1, GET, end_stream=True)
    room.run()
    room.server.send_headers(1, [(":status", "200")])
    both = WindowUpdateFrame(1, 10).serialize() + WindowUpdateFrame(0, 10).serialize()
    for _ in range(30):
        for _ in range(500):
            room.server.send_data(1, b"0123456789")
        for event in room.up.read():
            room.down.session.put(event)
        room.up.write()
        room.down.session.pending_output()
        room.down.take(both * 500)


def test_cancelled_calls_that_were_answered_are_no_attack() -> None:
    room = opened(Limits(streams=50))
    for number in range(200):
        stream = 3 + 2 * number
        [event] = room.take(headers(room, stream))
        assert isinstance(event, Message)
        room.session.reply_error(event, Status.NOT_FOUND, "no")
        room.take(RstStreamFrame(stream, 8).serialize())
        room.session.pending_output()


def test_small_pieces_that_wait_are_one_object() -> None:
    """A window of DATA in frames of one octet, held back: its memory follows its octets."""
    room = Between()
    room.up.session.paused = True
    room.client.send_headers(1, POST)
    room.run()
    tracemalloc.start()
    try:
        for _ in range(10):
            for event in room.down.take(DataFrame(1, b"x").serialize() * 10_000):
                room.up.session.put(event)
        assert room.up.session.queued == 100_000
        assert tracemalloc.get_traced_memory()[0] < 1_000_000
    finally:
        tracemalloc.stop()


def test_answers_that_nobody_reads_are_refused() -> None:
    room = opened()
    room.session.paused = True
    with pytest.raises(ProtocolError, match="wait to be written"):
        pour(room, PingFrame(0, b"12345678").serialize() * COUNT, 17)
