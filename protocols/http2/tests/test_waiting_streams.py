"""Streams that are open keep the octets of their heads, and no read."""

from __future__ import annotations

from collections.abc import Iterator

from hpack import Encoder

from growth import grown
from l7codecs import Limits, Message, Sender, get_protocol

C, S = Sender.CLIENT, Sender.SERVER


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def test_open_streams_keep_no_read() -> None:
    session = get_protocol("http2").open(limits=Limits(waiting=1_000_000))
    encoder = Encoder()
    noise = frame(0x7F, 0, 0, bytes(16_000)) * 4

    def ask() -> Iterator[object]:
        yield from session.receive(C, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0))
        yield from session.receive(S, frame(4, 0, 0) + frame(4, 1, 0))
        for number in range(900):
            fields = [(":method", "GET"), (":scheme", "http"), (":path", f"/{number}"), (":authority", "a")]
            yield from session.receive(C, frame(1, 5, 2 * number + 1, encoder.encode(fields)) + noise)
            yield from session.receive(S, frame(1, 4, 2 * number + 1, b"\x88") + noise)

    assert grown(ask()) < 6_000_000  # 115 MB of reads
    (answer,) = (each for each in session.receive(S, frame(0, 1, 1, b"x")) if not isinstance(each, Message))
    assert answer.message.request.resources == ("/0",)
    assert answer.message.raw == frame(1, 4, 1, b"\x88")
