"""Octets that are an error of the connection, of RFC 9113, section by section: an observer names the code that h2 and nghttp2 name."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from l7codecs import Sender

from .implementations import (
    CLIENT,
    CONTINUATION,
    DATA,
    GOAWAY,
    H2,
    HEADERS,
    PADDED,
    PING,
    PREFACE,
    PRIORITY,
    PUSH_PROMISE,
    REQUEST,
    RESPONSE,
    RST_STREAM,
    SERVER,
    SETTINGS,
    WINDOW_UPDATE,
    Nghttp2,
    Observer,
    Ours,
    Step,
    block,
    frame,
    headers,
    integer,
    judge,
    rst,
    setting,
    u32,
    verdict_in,
)  # fmt: skip

FRAME_SIZE, PROTOCOL, COMPRESSION, FLOW = (
    f"connection {word}" for word in ("FRAME_SIZE_ERROR", "PROTOCOL_ERROR", "COMPRESSION_ERROR", "FLOW_CONTROL_ERROR")
)
OPEN = headers(1, REQUEST)
GET = block(REQUEST)


class Row(NamedTuple):
    section: str
    what: str
    octets: bytes
    verdict: str
    h2: str = ""
    """What h2 says where that differs: it has no code for errors of compression, takes errors of a stream in PRIORITY and WINDOW_UPDATE for
    errors of the connection, as §5.4.2 allows, does not know RFC 9218, and lets RST_STREAM on an idle stream of its own pass."""
    nghttp2: str = ""
    """What nghttp2 says: the same of errors of a stream, PROTOCOL_ERROR of frames without room for the length of their padding; and it
    ignores HEADERS with a number that was passed over."""
    beside: str = ""
    """What an observer says where that needs the order of the two directions, of which it is not certain."""


def with_settings(number: int, value: int) -> bytes:
    return frame(SETTINGS, 0, 0, setting(number, value))


OF_CLIENTS = [
    Row("4.1", "an unknown type", frame(0xBB, 0xFF, 1, b"any"), "fine"),
    Row("4.1", "unknown flags", frame(PING, 0xFE, 0, bytes(8)), "fine"),
    Row("4.1", "the reserved bit", frame(PING, 0, 0x80000000, bytes(8)), "fine"),
    Row("4.2", "HEADERS above the limit", frame(HEADERS, 5, 1, GET + bytes(16385 - len(GET))), FRAME_SIZE, beside="stream PROTOCOL_ERROR"),
    Row("4.2", "DATA above the limit", OPEN + frame(DATA, 0, 1, bytes(16385)), FRAME_SIZE, beside="fine"),
    Row("4.2", "an unknown type above the limit", frame(0xBB, 0, 0, bytes(16385)), FRAME_SIZE, beside="fine"),
    Row("4.2", "DATA at the limit", OPEN + frame(DATA, 0, 1, bytes(16384)), "fine"),
    Row("4.3", "index 0", frame(HEADERS, 5, 1, b"\x80"), COMPRESSION, h2=PROTOCOL),
    Row("4.3", "an index beyond the tables", frame(HEADERS, 5, 1, b"\xbe"), COMPRESSION, h2=PROTOCOL),
    Row("4.3", "a block that is cut", frame(HEADERS, 5, 1, GET[:-1]), COMPRESSION, h2=PROTOCOL),
    Row("4.3", "a table above the setting", frame(HEADERS, 5, 1, integer(4097, 5, 0x20) + GET), COMPRESSION, h2=PROTOCOL),
    Row("4.3", "a table size update at the end", frame(HEADERS, 5, 1, GET + b"\x20"), COMPRESSION, h2=PROTOCOL),
    Row("4.3", "an integer too large", frame(HEADERS, 5, 1, b"\xff" + b"\xff" * 10 + b"\x7f"), COMPRESSION, h2=PROTOCOL),
    Row("4.3", "EOS", frame(HEADERS, 5, 1, b"\x00\x84\xff\xff\xff\xff\x01a"), COMPRESSION, h2=PROTOCOL),
    Row("5.1", "DATA on an idle stream", frame(DATA, 0, 1, b"x"), PROTOCOL),
    Row("5.1", "RST_STREAM on an idle stream", frame(RST_STREAM, 0, 1, u32(8)), PROTOCOL),
    Row("5.1", "WINDOW_UPDATE on an idle stream", frame(WINDOW_UPDATE, 0, 1, u32(1)), PROTOCOL),
    Row("5.1", "PRIORITY on an idle stream", frame(PRIORITY, 0, 5, u32(0) + b"\x0f"), "fine"),
    Row("5.1.1", "a stream of an even number", headers(2, REQUEST), PROTOCOL),
    Row("5.1.1", "a lower stream", headers(5, REQUEST) + headers(3, REQUEST), PROTOCOL, nghttp2="fine"),
    Row("5.1.1", "numbers passed over", headers(13, REQUEST) + headers(101, REQUEST), "fine"),
    Row("6.1", "DATA on stream 0", frame(DATA, 0, 0, b"x"), PROTOCOL),
    Row("6.1", "padding as long as DATA", OPEN + frame(DATA, PADDED, 1, b"\x03abc"), "fine"),
    Row("6.1", "padding longer than DATA", OPEN + frame(DATA, PADDED, 1, b"\x04abc"), PROTOCOL),
    Row("6.1", "padded DATA of no octets", OPEN + frame(DATA, PADDED, 1), FRAME_SIZE, nghttp2=PROTOCOL),
    Row("6.2", "HEADERS on stream 0", headers(0, REQUEST), PROTOCOL),
    Row("6.2", "padding longer than HEADERS", frame(HEADERS, 0x0D, 1, b"\xff" + GET), PROTOCOL),
    Row("6.2", "padding as long as HEADERS", frame(HEADERS, 0x0D, 1, bytes([len(GET) + 1]) + GET), PROTOCOL),
    Row("6.2", "padded HEADERS", frame(HEADERS, 0x0D, 1, b"\x09" + GET + bytes(9)), "fine"),
    Row("6.2", "padded HEADERS of no octets", frame(HEADERS, 0x0D, 1), FRAME_SIZE, nghttp2=PROTOCOL),
    Row("6.2", "HEADERS too short for its priority", frame(HEADERS, 0x25, 1, b"1234"), FRAME_SIZE),
    Row("6.2", "HEADERS with a priority", frame(HEADERS, 0x25, 1, u32(0) + b"\x0f" + GET), "fine"),
    Row("6.3", "PRIORITY on stream 0", frame(PRIORITY, 0, 0, bytes(5)), PROTOCOL),
    Row("6.3", "PRIORITY of 4 octets", OPEN + frame(PRIORITY, 0, 1, bytes(4)), "stream FRAME_SIZE_ERROR", FRAME_SIZE, FRAME_SIZE),
    Row("6.4", "RST_STREAM on stream 0", frame(RST_STREAM, 0, 0, u32(8)), PROTOCOL),
    Row("6.4", "RST_STREAM of 3 octets", OPEN + frame(RST_STREAM, 0, 1, bytes(3)), FRAME_SIZE),
    Row("6.5", "SETTINGS on a stream", frame(SETTINGS, 0, 1), PROTOCOL),
    Row("6.5", "SETTINGS of 5 octets", frame(SETTINGS, 0, 0, bytes(5)), FRAME_SIZE),
    Row("6.5", "a SETTINGS ACK of 6 octets", frame(SETTINGS, 1, 0, bytes(6)), FRAME_SIZE, h2=PROTOCOL),
    Row("6.5.2", "ENABLE_PUSH 2", with_settings(2, 2), PROTOCOL),
    Row("6.5.2", "INITIAL_WINDOW_SIZE 2^31", with_settings(4, 1 << 31), FLOW),
    Row("6.5.2", "INITIAL_WINDOW_SIZE 2^31-1", with_settings(4, (1 << 31) - 1), "fine"),
    Row("6.5.2", "MAX_FRAME_SIZE 16383", with_settings(5, 16383), PROTOCOL),
    Row("6.5.2", "MAX_FRAME_SIZE 2^24", with_settings(5, 1 << 24), PROTOCOL),
    Row("6.5.2", "MAX_FRAME_SIZE 2^24-1", with_settings(5, (1 << 24) - 1), "fine"),
    Row("6.5.2", "an unknown setting", with_settings(0x4A4A, 0xFFFFFFFF), "fine"),
    Row("8441 3", "ENABLE_CONNECT_PROTOCOL 2", with_settings(8, 2), PROTOCOL),
    Row("9218 2.1", "NO_RFC7540_PRIORITIES 2", with_settings(9, 2), PROTOCOL, h2="fine"),
    Row("6.6", "PUSH_PROMISE of a client", OPEN + frame(PUSH_PROMISE, 4, 1, u32(2) + GET), PROTOCOL),
    Row("6.6", "PUSH_PROMISE too short", OPEN + frame(PUSH_PROMISE, 4, 1, bytes(3)), FRAME_SIZE),
    Row("6.7", "PING on a stream", frame(PING, 0, 1, bytes(8)), PROTOCOL),
    Row("6.7", "PING of 7 octets", frame(PING, 0, 0, bytes(7)), FRAME_SIZE),
    Row("6.8", "GOAWAY on a stream", frame(GOAWAY, 0, 1, bytes(8)), PROTOCOL),
    Row("6.8", "GOAWAY of 7 octets", frame(GOAWAY, 0, 0, bytes(7)), FRAME_SIZE),
    Row("6.9", "WINDOW_UPDATE by 0", frame(WINDOW_UPDATE, 0, 0, u32(0)), PROTOCOL),
    Row("6.9", "WINDOW_UPDATE by 0, reserved bit", frame(WINDOW_UPDATE, 0, 0, u32(1 << 31)), PROTOCOL),
    Row("6.9", "WINDOW_UPDATE by 0 on a stream", OPEN + frame(WINDOW_UPDATE, 0, 1, u32(0)), "stream PROTOCOL_ERROR", PROTOCOL, PROTOCOL),
    Row("6.9", "WINDOW_UPDATE of 3 octets", frame(WINDOW_UPDATE, 0, 0, bytes(3)), FRAME_SIZE),
    Row("6.10", "CONTINUATION first", frame(CONTINUATION, 4, 1, GET), PROTOCOL),
    Row("6.10", "CONTINUATION after END_HEADERS", OPEN + frame(CONTINUATION, 4, 1, GET), PROTOCOL),
    Row("6.10", "CONTINUATION of another stream", frame(HEADERS, 1, 1, GET) + frame(CONTINUATION, 4, 3), PROTOCOL),
    Row("6.10", "CONTINUATION on stream 0", frame(HEADERS, 1, 1, GET) + frame(CONTINUATION, 4, 0), PROTOCOL),
    Row("6.10", "DATA inside a block", frame(HEADERS, 0, 1, GET) + frame(DATA, 0, 1, b"x"), PROTOCOL),
    Row("6.10", "PING inside a block", frame(HEADERS, 0, 1, GET) + frame(PING, 0, 0, bytes(8)), PROTOCOL),
    Row("6.10", "an unknown type inside a block", frame(HEADERS, 0, 1, GET) + frame(0xBB, 0, 1), PROTOCOL),
    Row("6.10", "a block in five parts", frame(HEADERS, 1, 1, GET[:1]) + b"".join(
        frame(CONTINUATION, flags, 1, part) for flags, part in ((0, GET[1:2]), (0, b""), (0, GET[2:9]), (4, GET[9:]))), "fine"),
]  # fmt: skip

OPENED = frame(SETTINGS, 0, 0) + frame(SETTINGS, 1, 0)
ANSWER = headers(1, RESPONSE)
PROMISE = u32(2) + block([(b":method", b"GET"), *REQUEST[1:]])
OF_SERVERS = [
    Row("5.1", "HEADERS on an idle stream", headers(3, RESPONSE), PROTOCOL, beside="fine"),
    Row("5.1", "HEADERS on an idle stream of its own", headers(2, RESPONSE), PROTOCOL),
    Row("5.1", "DATA on an idle stream", frame(DATA, 0, 3, b"x"), PROTOCOL, beside="stream PROTOCOL_ERROR"),
    Row("5.1", "RST_STREAM on an idle stream", frame(RST_STREAM, 0, 3, u32(8)), PROTOCOL, h2="fine", beside="fine"),
    Row("5.1", "WINDOW_UPDATE on an idle stream", frame(WINDOW_UPDATE, 0, 3, u32(1)), PROTOCOL, beside="fine"),
    Row("6.5.2", "ENABLE_PUSH 1 of a server", with_settings(2, 1), PROTOCOL),
    Row("6.5.2", "ENABLE_PUSH 0 of a server", with_settings(2, 0), "fine"),
    Row("6.6", "PUSH_PROMISE", frame(PUSH_PROMISE, 4, 1, PROMISE), "fine"),
    Row("6.6", "padded PUSH_PROMISE", frame(PUSH_PROMISE, 0x0C, 1, b"\x02" + PROMISE + b"\0\0"), "fine"),
    Row("6.6", "padding longer than PUSH_PROMISE", frame(PUSH_PROMISE, 0x0C, 1, b"\xff" + PROMISE), PROTOCOL),
    Row("6.6", "PUSH_PROMISE of 3 octets", frame(PUSH_PROMISE, 4, 1, bytes(3)), FRAME_SIZE),
    Row("6.6", "PUSH_PROMISE on stream 0", frame(PUSH_PROMISE, 4, 0, PROMISE), PROTOCOL),
    Row("6.6", "PUSH_PROMISE on an idle stream", frame(PUSH_PROMISE, 4, 3, PROMISE), PROTOCOL, beside="fine"),
    Row("6.6", "stream 0 promised", frame(PUSH_PROMISE, 4, 1, u32(0) + PROMISE[4:]), PROTOCOL),
    Row("6.6", "an odd stream promised", frame(PUSH_PROMISE, 4, 1, u32(3) + PROMISE[4:]), PROTOCOL),
    Row("6.6", "a stream promised twice", frame(PUSH_PROMISE, 4, 1, PROMISE) * 2, PROTOCOL),
    Row("6.6", "a lower stream promised", frame(PUSH_PROMISE, 4, 1, u32(4) + PROMISE[4:]) + frame(PUSH_PROMISE, 4, 1, PROMISE), PROTOCOL),
    Row("6.6", "a promise on a promised stream", frame(PUSH_PROMISE, 4, 1, PROMISE)
        + frame(PUSH_PROMISE, 4, 2, u32(4) + PROMISE[4:]), PROTOCOL),
]  # fmt: skip


def names(rows: list[Row]) -> list[str]:
    return [f"{row.section} {row.what}" for row in rows]


def steps_of(receiver: object, row: Row) -> list[Step]:
    if receiver is SERVER:
        return [(CLIENT, row.octets)]
    return [(CLIENT, lambda endpoint: endpoint.send_headers(1, REQUEST, False)), (SERVER, row.octets)]


@pytest.mark.parametrize("row", OF_CLIENTS, ids=names(OF_CLIENTS))
def test_of_a_client_beside_h2(row: Row) -> None:
    assert judge(H2, SERVER, steps_of(SERVER, row)) == (row.h2 or row.verdict, row.beside or row.verdict)


@pytest.mark.parametrize("row", OF_SERVERS, ids=names(OF_SERVERS))
def test_of_a_server_beside_h2(row: Row) -> None:
    assert judge(H2, CLIENT, steps_of(CLIENT, row)) == (row.h2 or row.verdict, row.beside or row.verdict)


DIFFERENT = [(row, CLIENT if row in OF_SERVERS else SERVER) for row in OF_CLIENTS + OF_SERVERS if row.beside]


@pytest.mark.parametrize(("row", "receiver"), DIFFERENT, ids=names([row for row, _ in DIFFERENT]))
def test_an_endpoint_is_certain_of_the_order(row: Row, receiver: Sender) -> None:
    assert judge(Ours, receiver, steps_of(receiver, row))[0] == row.verdict


@pytest.mark.interop
@pytest.mark.parametrize("row", OF_CLIENTS, ids=names(OF_CLIENTS))
def test_of_a_client_beside_nghttp2(row: Row) -> None:
    assert judge(Nghttp2, SERVER, steps_of(SERVER, row)) == (row.nghttp2 or row.verdict, row.beside or row.verdict)


@pytest.mark.interop
@pytest.mark.parametrize("row", OF_SERVERS, ids=names(OF_SERVERS))
def test_of_a_server_beside_nghttp2(row: Row) -> None:
    assert judge(Nghttp2, CLIENT, steps_of(CLIENT, row)) == (row.nghttp2 or row.verdict, row.beside or row.verdict)


FIRST = [
    # RFC 9113 §3.4
    ("PING first", CLIENT, PREFACE + frame(PING, 0, 0, bytes(8)), PROTOCOL),
    ("HEADERS first", CLIENT, PREFACE + OPEN, PROTOCOL),
    ("an unknown type first", CLIENT, PREFACE + frame(0xBB, 0, 0), PROTOCOL),
    ("another preface", CLIENT, PREFACE[:-1] + b"x" + frame(SETTINGS, 0, 0), PROTOCOL),
    ("no preface", CLIENT, frame(SETTINGS, 0, 0), PROTOCOL),
    ("PING first", SERVER, frame(PING, 0, 0, bytes(8)), PROTOCOL),
    ("an unknown type first", SERVER, frame(0xBB, 0, 0), PROTOCOL),
]


@pytest.mark.parametrize(("what", "sender", "octets", "verdict"), FIRST, ids=[f"{s.value} {w}" for w, s, _, _ in FIRST])
def test_first(what: str, sender: Sender, octets: bytes, verdict: str) -> None:
    assert Observer().hear(sender, octets) == verdict


@pytest.mark.interop
@pytest.mark.parametrize(("what", "sender", "octets", "verdict"), FIRST, ids=[f"{s.value} {w}" for w, s, _, _ in FIRST])
def test_first_beside_nghttp2(what: str, sender: Sender, octets: bytes, verdict: str) -> None:
    endpoint = Nghttp2(sender.other)
    endpoint.hear(octets)
    assert verdict_in(endpoint.out()) == verdict


def test_push_is_refused_once_it_is_switched_off() -> None:
    """RFC 9113 §6.6: an error from the server's ACK on."""
    for acknowledged, verdict in ((False, "fine"), (True, PROTOCOL)):
        observer = Observer()
        observer.hear(CLIENT, PREFACE + with_settings(2, 0) + OPEN)
        observer.hear(SERVER, frame(SETTINGS, 0, 0) + (frame(SETTINGS, 1, 0) if acknowledged else b""))
        assert observer.hear(SERVER, frame(PUSH_PROMISE, 4, 1, PROMISE)) == verdict


@pytest.mark.parametrize("heard", [SERVER, CLIENT])
def test_one_side_alone_is_no_error(heard: Sender) -> None:
    """What is seen of one side is not judged by what is not seen of the other."""
    octets = frame(SETTINGS, 0, 0, setting(1, 1 << 20)) + frame(SETTINGS, 1, 0)
    if heard is CLIENT:
        octets = PREFACE + octets + OPEN + frame(HEADERS, 5, 3, integer(1 << 20, 5, 0x20) + GET)
        octets += frame(DATA, 0, 1, bytes(20_000)) + frame(WINDOW_UPDATE, 0, 2, u32(1)) + rst(2)
        octets += b"".join(headers(number, REQUEST, True) for number in range(5, 6_005, 2))
    else:
        octets += headers(1, RESPONSE) + frame(HEADERS, 5, 3, integer(1 << 20, 5, 0x20) + block(RESPONSE))
        octets += frame(DATA, 0, 1, bytes(20_000)) + frame(WINDOW_UPDATE, 0, 5, u32(1)) + rst(7)
        octets += frame(PUSH_PROMISE, 4, 1, PROMISE) + b"".join(
            headers(number, RESPONSE) for number in range(9, 6_009, 2)
        )
    observer = Observer()
    assert observer.hear(heard, octets) == "fine"
    assert observer.session.pending <= 1_000
