"""Joining a connection that has lived for long, or that begins with its upgrade; and what is only noise."""

import random
from pathlib import Path

import pytest
from l7codecs_http2._frames.boundary import find_frame

from l7codecs import Event, Gap, Kind, Limits, Message, Opaque, Sender, detect, open_session
from l7codecs.testing import load_vectors

C, S = Sender.CLIENT, Sender.SERVER
VECTORS = {vector.name: vector for vector in load_vectors(Path(__file__).parent.parent / "vectors")}


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


PING = frame(6, 0, 0, b"12345678")


def joined(sender: Sender, octets: bytes, size: int = 1 << 20) -> list[Event]:
    session = open_session("http2")
    found = list(session.gap(sender))
    for at in range(0, len(octets), size):
        found += session.receive(sender, octets[at : at + size])
    return found


@pytest.mark.parametrize("stream", [0x1000001, 0x12345679, 0x7FFFFFF1])
@pytest.mark.parametrize("size", [1, 7, 1 << 20])
def test_high_streams_are_believed(stream: int, size: int) -> None:
    said = frame(1, 5, stream, b"\x88") + PING + PING
    assert [each.kind for each in joined(S, said, size) if isinstance(each, Message)] == [
        Kind.RESPONSE,
        Kind.HEARTBEAT,
        Kind.HEARTBEAT,
    ]
    said = frame(0, 0, stream, b"x" * 9) + frame(1, 5, stream + 4, b"\x88") + PING
    assert not any(isinstance(each, Opaque) for each in joined(S, said, size))
    asked = frame(1, 5, stream, b"\x82\x84\x86\x41\x01a") + frame(1, 5, stream + 2, b"\x82\x84\x86\x41\x01a")
    assert "http2" in [each.protocol for each in detect(client=PING + asked)]


def test_high_streams_have_to_agree() -> None:
    far = frame(0, 0, 0x12345679, b"x" * 9) + frame(0, 0, 0x72345679, b"x" * 9)
    assert find_frame(far, False)[0] < 0


def test_noise_has_no_more_frames_than_before() -> None:
    """Of random octets, and of octets that are mostly small numbers, about one place in ten million may be taken for a frame."""
    numbers = random.Random(5)
    found = 0
    for _ in range(300):
        found += find_frame(numbers.randbytes(4000), False)[0] >= 0
    for _ in range(300):
        text = bytes(numbers.choice(b'abcdefghij 0123456789\r\n{}"') for _ in range(2000))
        found += find_frame(text, True)[0] >= 0
    assert found == 0


def test_what_may_be_a_frame_waits_for_no_more_than_the_limits() -> None:
    """After a loss a header is believed where another stands behind its payload: a long one is not waited for."""
    limits = Limits(head=300, message=300)
    session = open_session("http2", limits=limits)
    list(session.gap(C))
    for _ in range(100):
        list(session.receive(C, frame(1, 4, 1, bytes(5000))[:40]))
        assert session.decoder(C).buffer.unfinished < 700
    assert [each.kind for each in session.receive(C, bytes(700) + PING + PING) if isinstance(each, Message)] == [
        Kind.HEARTBEAT
    ] * 2


def test_a_client_has_no_body_on_what_was_promised() -> None:
    """Of a connection that was joined: its DATA is no part of the server's promise."""
    session = open_session("http2")
    list(session.gap(C))
    list(session.receive(C, PING + PING))
    list(session.receive(S, frame(5, 4, 1, b"\0\0\0\2\x82\x87\x84\x01\x01a") + PING))
    (found,) = session.receive(C, frame(0, 0, 2, b"12345"))
    assert (found.sender, found.kind) == (C, Kind.CONTROL)


UPGRADES = sorted(name for name in VECTORS if name.startswith("upgrade-"))


@pytest.mark.parametrize("name", UPGRADES)
@pytest.mark.parametrize("size", [1, 50, 1 << 20])
def test_a_capture_that_begins_with_the_upgrade(name: str, size: int) -> None:
    """Without its SYN: what a session that knew the beginning says, but for where that began."""
    whole, late = open_session("http2"), open_session("http2")
    for sender in Sender:
        list(late.gap(sender))
    told: list[list[tuple[object, ...]]] = []
    for session in (whole, late):
        told.append([])
        for sender, piece in VECTORS[name].pieces:
            for at in range(0, len(piece), size):
                for event in session.receive(sender, piece[at : at + size]):
                    assert not isinstance(event, (Gap, Opaque))
                    if isinstance(event, Message):
                        asked = None if event.request is None else event.request.offset
                        told[-1].append((event.kind, event.operation, event.status, event.raw, asked))
    assert told[0] == told[1]


def test_a_request_of_http_1_that_does_not_upgrade_is_opaque() -> None:
    said = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    assert [type(each) for each in joined(C, said)] == [Gap, Opaque]
    assert [type(each) for each in joined(C, b"GET " + b"x" * 20_000)][:2] == [Gap, Opaque]
