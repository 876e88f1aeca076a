"""Octets lost inside DATA whose length is known: nothing else is lost with them."""

from __future__ import annotations

import hpack
import pytest

from l7codecs import Gap, Message, Sender, open_session
from l7codecs.message import Data, Event

CLIENT, SERVER = Sender.CLIENT, Sender.SERVER
REQUEST = [(":method", "POST"), (":scheme", "http"), (":path", "/shop.Orders/Place"), (":authority", "a")]
GRPC = [("content-type", "application/grpc"), ("te", "trailers")]


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def conversation(messages: list[bytes], padding: int) -> tuple[bytes, int, bytes, bytes]:
    """What the client sends, where its DATA begins, and a second request that needs the dynamic table; what the server sends."""
    client, server = hpack.Encoder(), hpack.Encoder()
    body = b"".join(b"\0" + len(message).to_bytes(4, "big") + message for message in messages)
    start = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0, b"") + frame(1, 4, 1, client.encode(REQUEST + GRPC))
    padded = bytes([padding]) + body + bytes(padding) if padding else body
    first = start + frame(0, 0x09 if padding else 0x01, 1, padded)
    second = frame(1, 5, 3, client.encode(REQUEST + GRPC))
    answer = frame(1, 4, 1, server.encode([(":status", "200"), *GRPC[:1]]))
    answer += frame(1, 5, 1, server.encode([("grpc-status", "0")]))
    return first, len(start) + 9, second, frame(4, 0, 0, b"") + answer


def run(lost: tuple[int, int], padding: int = 0) -> tuple[list[Event], bytes]:
    """The events with octets ``lost[0]`` to ``lost[1]`` of the payload missing, and the payload."""
    first, begin, second, answer = conversation([b"x" * 100, b"y" * 300], padding)
    start, stop = begin + lost[0], begin + lost[1]
    session = open_session("http2")
    events = list(session.receive(CLIENT, first[:start]))
    events += session.gap(CLIENT, stop - start)
    events += session.receive(CLIENT, first[stop:] + second)
    events += session.receive(SERVER, answer)
    return events, first[begin:]


PLACES = [(0, 1), (3, 50), (20, 60), (110, 400), (1, 409)]
# Where the octet is lost that tells how long the padding is, a boundary has to be looked for.
CASES = [(0, lost) for lost in PLACES] + [(7, lost) for lost in PLACES[1:]]


@pytest.mark.parametrize(("padding", "lost"), CASES, ids=str)
def test_nothing_else_is_lost(padding: int, lost: tuple[int, int]) -> None:
    events, payload = run(lost, padding)
    gap = next(event for event in events if isinstance(event, Gap))
    assert gap.size == lost[1] - lost[0] and gap.resumed_at == gap.offset + gap.size
    first, second, _, trailers = [
        event for event in events if isinstance(event, Message) and event.operation == "Place"
    ]
    raw = b"".join(event.raw for event in events if isinstance(event, Data))[9:]
    assert raw == payload[: lost[0]] + payload[lost[1] :]
    assert second.stream_id == 3 and [value for _, value in second.headers] == [b"application/grpc", b"trailers"]
    assert trailers.request is first and first.error is None
    ends = [event for event in events if isinstance(event, Data) and not event.more]
    assert len(ends) == 1 and ends[0].message is first


@pytest.mark.parametrize(
    ("lost", "count"), [((20, 60), 2), ((110, 400), 2), ((3, 50), None), ((60, 120), None)], ids=str
)
def test_messages_are_counted_where_that_is_certain(lost: tuple[int, int], count: int | None) -> None:
    trailers = [event for event in run(lost)[0] if isinstance(event, Message)][-1]
    assert trailers.attributes.get("grpc.request.message_count") == count
    assert trailers.attributes.get("grpc.request.message_size") == (None if count is None else 400)
