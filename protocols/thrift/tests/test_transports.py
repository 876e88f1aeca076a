"""Transports at their edges: what is hostile, what is no Thrift, and what only looks like it."""

from __future__ import annotations

import zlib
from struct import pack

import pytest

import l7codecs
from l7codecs import Data, IncompleteMessage, Kind, LimitExceeded, Limits, Message, ProtocolError, Sender, Verdict
from l7codecs.message import Event
from l7codecs.testing import Vector, check_cuts
from l7codecs_thrift import PROTOCOL, THRIFTMUX, ThriftMessage

C, S = Sender.CLIENT, Sender.SERVER
CALL = b"\x80\x01\x00\x01\x00\x00\x00\x05hello\x00\x00\x00\x01\x00"


def frame(octets: bytes) -> bytes:
    return pack(">i", len(octets)) + octets


def decoded(octets: bytes, limits: Limits | None = None) -> list[Event]:
    outcome = check_cuts(
        lambda: l7codecs.open_session("thrift", limits=limits or Limits()), Vector("made", ((C, octets),))
    )
    if outcome.errors:
        raise outcome.errors[C]
    return outcome.events


def header(said: bytes, message: bytes) -> bytes:
    said += bytes(-len(said) % 4)
    return frame(b"\x0f\xff\0\0\0\0\0\1" + pack(">H", len(said) // 4) + said + message)


@pytest.mark.parametrize(
    "octets",
    [
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"POST / HTTP/1.1\r\nContent-Type: text/html\r\nContent-Length: 2\r\n\r\nhi",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(60), b"SSH-2.0-OpenSSH_9.6\r\n",
        b"\x10\x10\x00\x04MQTT\x04\x02\x00\x3c\x00\x04abcd",
        b"AMQP\x00\x00\x09\x01", b"*1\r\n$4\r\nPING\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\x00\x00\x00\x08\x04\xd2\x16\x2f",
        b"\x00\x00\x00\x23\x00\x12\x00\x04\x00\x00\x00\x01\x00\x0bkafka-cli-1\x00\x06client\x02" + bytes(4),
        b"\xda\xbb\xc2\x00" + bytes(12),
        b"\x00\x1d\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x07example\x03com\x00\x00\x01\x00\x01", b"get a\r\n", b"INFO {}\r\n",

        b"\x4a\x00\x00\x00\x0a8.0.36\x00" + bytes(60), bytes(64), b"\xff" * 64, b"\x00\x00\x00\x05hello", b"\x7f\xff\xff\xffhello",
    ],
)  # fmt: skip
def test_what_is_not_thrift_is_denied(octets: bytes) -> None:
    for protocol in (PROTOCOL, THRIFTMUX):
        assert protocol.detect(octets, b"").verdict is not Verdict.YES
        assert protocol.detect(octets + bytes(1024), b"").verdict is Verdict.NO or octets[:5] == b"\x00\x00\x00\x05h"


def test_a_name_of_one_letter_is_detected_in_old_binary() -> None:
    call = b"\0\0\0\x01a\x01\0\0\0\x07\x08\0\x01\0\0\0\x02\0"
    for octets in (call, len(call).to_bytes(4, "big") + call):
        assert PROTOCOL.detect(octets, b"").verdict is Verdict.YES
        assert all(PROTOCOL.detect(octets[:size], b"").verdict is not Verdict.NO for size in range(len(octets)))


def test_a_frame_is_refused_before_it_is_buffered() -> None:
    for octets in (b"\x40\x00\x00\x00\x80\x01", b"GET / HTTP/1.1\r\n"):
        with pytest.raises(LimitExceeded):
            decoded(octets)
    with pytest.raises(ProtocolError):
        decoded(b"\xff\xff\xff\xff")


def test_a_name_is_refused_before_it_is_buffered() -> None:
    for octets in (b"\x80\x01\x00\x01\x40\x00\x00\x00", b"\x82\x21\x01\xff\xff\xff\xff\x07", b"\x00\x10\x00\x00hello"):
        with pytest.raises(LimitExceeded):
            decoded(octets)


def test_a_header_says_no_more_than_it_holds() -> None:
    for said in (
        b"\x00\x7f", b"\x00\x00\x01\x7f", b"\x00\x00\x01\x01\x7fa", b"\x00\x00\x01\x01\x01a\x7f",
        b"\xff\xff\xff\xff\xff\x01", b"\x00\xff\xff\xff\xff\x0f",
    ):  # fmt: skip
        with pytest.raises(ProtocolError):
            decoded(header(said, CALL))
    with pytest.raises(ProtocolError):
        decoded(frame(b"\x0f\xff\0\0\0\0\0\1\xff\xff" + CALL))


def test_transforms_that_cannot_be_undone_are_told() -> None:
    (message,) = decoded(header(b"\x00\x01\x03", b"snappy"))
    assert isinstance(message, ThriftMessage) and message.kind is Kind.CONTROL
    assert message.attributes["thrift.malformed"] == "cannot be read: transforms snappy"
    assert message.attributes["thrift.transforms"] == ("snappy",)
    with pytest.raises(ProtocolError):
        decoded(header(b"\x00\x01\x01", b"no stream of zlib"))


@pytest.mark.parametrize(
    ("inside", "limits", "error"),
    [
        (b"\x80\x01\0\0" + CALL[4:], Limits(), "a message of type 0, once inflated"),
        (b"\x80\x01\0\1\xff\xff\xff\xff", Limits(), "a name of -1 octets, once inflated"),
        (CALL[:7] + b"\x50" + bytes(90), Limits(head=64), "a name of 80 octets, once inflated"),
    ],
)
def test_an_error_in_what_is_inflated_stands_where_that_begins(inside: bytes, limits: Limits, error: str) -> None:
    """However the octets are cut, and whatever stands before."""
    headed = header(b"\x00\x01\x01", zlib.compress(inside))
    for before in (b"", CALL, frame(CALL)):
        with pytest.raises(ProtocolError) as caught:
            decoded(before + headed, limits)
        assert caught.value.seen == error
        assert caught.value.offset == len(before) + len(headed) - len(zlib.compress(inside))


def test_an_info_block_that_is_not_known_is_passed() -> None:
    (message,) = decoded(header(b"\x00\x00\x01\x01\x01a\x01b\x7f\x7f", CALL))
    assert isinstance(message, ThriftMessage) and message.operation == "hello" and list(message.headers) == [("a", "b")]


def test_no_header_changes_what_is_called() -> None:
    said = b"\x00\x00\x01\x03\x06method\x01x\x07service\x01y\x05seqid\x013"
    (message,) = decoded(header(said, CALL))
    assert isinstance(message, ThriftMessage)
    assert (message.service, message.operation, message.request_id) == (None, "hello", 1)
    assert [each[0] for each in message.headers] == ["method", "service", "seqid"]


def test_a_bomb_inflates_to_no_more_than_the_limit() -> None:
    text = (
        b"\x80\x01\x00\x01\x00\x00\x00\x05hello\x00\x00\x00\x01\x0b\x00\x01"
        + pack(">i", 1 << 24)
        + bytes(1 << 24)
        + b"\x00"
    )
    limits = Limits(message=100_000)
    (message,) = decoded(header(b"\x00\x01\x01", zlib.compress(text)), limits)
    assert isinstance(message, ThriftMessage) and message.operation == "hello" and len(message.plain) <= 100_000
    (message,) = decoded(header(b"\x00\x02\x01\x01", zlib.compress(zlib.compress(text))), limits)
    assert isinstance(message, ThriftMessage) and len(message.plain) <= 100_000
    machine = zlib.compressobj()
    stream = machine.compress(text) + machine.flush(zlib.Z_SYNC_FLUSH)
    head, *rest = decoded(stream, limits)
    assert isinstance(head, ThriftMessage) and head.more and len(head.plain) <= 2 * limits.message
    assert all(isinstance(each, Data) and each.payload_size <= limits.message for each in rest)
    with pytest.raises(LimitExceeded):
        decoded(stream, Limits(message=100_000, payload=1_000_000))


def test_streams_of_zlib_in_one_another_are_refused() -> None:
    octets = CALL
    for _turn in range(3):
        machine = zlib.compressobj()
        octets = machine.compress(octets) + machine.flush(zlib.Z_SYNC_FLUSH)
    with pytest.raises(ProtocolError):
        decoded(octets)


def test_several_messages_in_one_piece_of_zlib() -> None:
    machine = zlib.compressobj()
    stream = machine.compress(CALL + frame(CALL)) + machine.flush(zlib.Z_SYNC_FLUSH)
    stream += (
        machine.compress(CALL[:9])
        + machine.flush(zlib.Z_FULL_FLUSH)
        + machine.compress(CALL[9:])
        + machine.flush(zlib.Z_SYNC_FLUSH)
    )
    events = decoded(stream)
    assert [each.operation for each in events if isinstance(each, Message)] == ["hello"] * 3
    assert b"".join(each.raw for each in events) == stream


def test_every_transport_may_follow_every_other() -> None:
    """A server that answers bare clients with headers; old binary between messages of other kinds."""
    old = b"\x00\x00\x00\x05hello\x01\x00\x00\x00\x02\x00"
    json = b'[1,"hello",1,3,{}]'
    pieces = [
        CALL,
        frame(CALL),
        old,
        frame(old),
        json,
        frame(json),
        header(b"\x00\x00", CALL),
        b"\x82\x21\x07\x05hello\x00",
    ]
    octets = b"".join(each + other for each in pieces for other in pieces)
    events = decoded(octets)
    assert len(events) == 2 * len(pieces) ** 2
    assert all(isinstance(each, ThriftMessage) and each.operation == "hello" for each in events)


def test_what_http_carries_and_cannot_be_read_is_told() -> None:
    session = l7codecs.open_session("thrift")
    post = b"POST / HTTP/1.1\r\nContent-Type: application/x-thrift\r\nContent-Length: %d\r\n\r\n"
    (call, framed) = session.receive(C, post % len(CALL) + CALL + post % len(frame(CALL)) + frame(CALL))
    assert isinstance(call, ThriftMessage) and call.operation == "hello"
    assert isinstance(framed, ThriftMessage) and framed.operation is None and framed.kind is Kind.REQUEST
    assert "thrift.malformed" in framed.attributes
    reply = CALL[:3] + b"\x02" + CALL[4:]
    said = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(reply) + reply
    said += b"HTTP/1.1 400 Bad Request\r\nContent-Length: 2\r\n\r\nno"
    first, answer, refused = session.receive(S, said)
    assert first.kind is Kind.CONTROL
    assert isinstance(answer, ThriftMessage) and answer.request is call
    assert isinstance(refused, ThriftMessage) and refused.request is framed and refused.error == "400"


def test_http_says_no_more_than_it_holds() -> None:
    head = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    for body in (b"x\r\n", b"-1\r\n", b"fffffffff\r\n"):
        with pytest.raises(ProtocolError):
            decoded(head + body)
    with pytest.raises(ProtocolError):
        decoded(b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n")
    with pytest.raises(LimitExceeded):
        decoded(b"POST / HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n")
    with pytest.raises(LimitExceeded):
        decoded(b"POST / HTTP/1.1\r\na: " + b"b" * 70_000)


@pytest.mark.parametrize("between", [b"\n", b"\r\n", b" \t"])
def test_white_space_between_messages_of_json_belongs_to_the_second(between: bytes) -> None:
    said = b'[1,"hello",1,7,{"1":{"str":"bob"}}]'
    events = decoded(said + between + said + between + said)
    assert [each.raw for each in events] == [said, between + said, between + said]
    assert all(isinstance(each, ThriftMessage) and each.pick(1) == "bob" for each in events)
    session = l7codecs.open_session("thrift")
    changed = session.send(events[1], l7codecs.Changes({"thrift.method": "other"}))
    assert changed == between + said.replace(b"hello", b"other")


@pytest.mark.parametrize("name", ["é", "日本", ""])
def test_names_of_old_binary(name: str) -> None:
    """In a frame any. Without one what does not begin with printable ASCII is taken for a frame, whose error says so."""
    octets = pack(">i", len(name.encode())) + name.encode() + b"\1" + pack(">i", 7) + b"\0"
    (message,) = decoded(frame(octets))
    assert isinstance(message, ThriftMessage) and (message.name, message.number) == (name, 7)
    if name:
        with pytest.raises(ProtocolError, match="name of old binary"):
            decoded(octets + octets)
    else:  # four octets of zero are a frame without a message
        assert decoded(octets)[0].raw == bytes(4)


def test_a_head_that_is_too_long_names_what_it_may_be() -> None:
    for octets in (b'[1,"' + b"a" * 5000, b"[" + b" " * 5000):
        with pytest.raises(LimitExceeded, match=r"limits\.head|at most 4096"):
            list(l7codecs.open_session("thrift").receive(C, octets))
    with pytest.raises(LimitExceeded, match=r"limits\.head = 65536, of which 4096 count") as caught:
        list(l7codecs.open_session("thrift").receive(C, b"[" + b" " * 5000))
    assert "4161" not in caught.value.expected


def test_what_comes_behind_two_encodings_is_read_as_the_second() -> None:
    """Behind JSON, binary and white space: no message of JSON begins there, whatever the reads were."""
    octets = b'[1,"a",2,0,{}]' + b"\x80\x01\x00\x02\0\0\0\1a\0\0\0\0\0" + b" vu "
    said = set()
    for size in (1, 3, len(octets)):
        session = l7codecs.open_session("thrift")
        for at in range(0, len(octets), size):
            list(session.receive(Sender.SERVER, octets[at : at + size]))
        with pytest.raises(IncompleteMessage) as raised:
            list(session.eof(Sender.SERVER))
        said.add(str(raised.value))
    assert len(said) == 1


@pytest.mark.parametrize("space", [b"\n", b" \r\n\t ", b" " * 3_000])
def test_white_space_behind_the_last_message_of_json_belongs_to_none(space: bytes) -> None:
    call = b'[1,"a",1,5,{}]'
    for reads in ([call + b"\n" + call + space], [bytes([each]) for each in call + b"\n" + call + space]):
        session = l7codecs.open_session("thrift")
        found = [event for read in reads for event in session.receive(Sender.CLIENT, read)]
        found += list(session.eof(Sender.CLIENT))
        assert [event.raw for event in found] == [call, b"\n" + call, space]
        assert isinstance(found[2], Message) and found[2].kind is Kind.CONTROL and found[2].operation is None
    session = l7codecs.open_session("thrift")
    list(session.receive(Sender.CLIENT, call + space + b"["))
    with pytest.raises(IncompleteMessage):
        list(session.eof(Sender.CLIENT))
