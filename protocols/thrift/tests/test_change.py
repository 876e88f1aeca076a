"""What changes changes, every length around it is mended, and nothing else changes."""

from __future__ import annotations

import zlib
from pathlib import Path

import pytest

import l7codecs
from l7codecs import Changes, Kind, Limits, Sender, Status, Unsupported
from l7codecs.message import Event
from l7codecs.testing import Vector, load_vectors, replay
from l7codecs_thrift import ThriftMessage
from l7codecs_thrift._change.recoding import recoded

C, S = Sender.CLIENT, Sender.SERVER
VECTORS = {each.name: each for each in load_vectors(Path(__file__).parent.parent / "vectors")}
CHANGEABLE = [VECTORS[name] for name in VECTORS if "-zlib-" not in f"{name}-" or "header" in name]
each_vector = pytest.mark.parametrize("vector", CHANGEABLE, ids=lambda each: each.name)


def decoded(*pieces: tuple[Sender, bytes]) -> list[Event]:
    outcome = replay(l7codecs.open_session("thrift"), Vector("made", pieces))
    assert not outcome.errors
    return outcome.events


def calls(vector: Vector) -> list[ThriftMessage]:
    events = replay(l7codecs.open_session("thrift"), vector).events
    return [
        each
        for each in events
        if isinstance(each, ThriftMessage) and each.type_id and each.kind in (Kind.REQUEST, Kind.ONEWAY)
    ]


def body(message: ThriftMessage) -> bytes:
    return message.plain[message.body_start : message.body_stop]


def sent(message: ThriftMessage, changes: Changes) -> bytes:
    return l7codecs.open_session("thrift", endpoint=C).send(message, changes)


@each_vector
def test_seqid_method_and_service_change_and_nothing_else(vector: Vector) -> None:
    for message in calls(vector):
        changes = Changes({"thrift.seqid": -7, "thrift.method": "ä-other", "thrift.service": "Svc:a"})
        octets = sent(message, changes)
        (made,) = decoded((C, octets))
        assert isinstance(made, ThriftMessage)
        assert (made.number, made.operation, made.service) == (-7, "ä-other", "Svc:a")
        assert (made.transport, made.encoding, made.kind) == (message.transport, message.encoding, message.kind)
        assert body(made) == body(message)
        assert [each for each in made.headers if each[0].lower() != "content-length"] == [
            each for each in message.headers if each[0].lower() != "content-length"
        ]
        back = sent(made, Changes({
            "thrift.seqid": message.number, "thrift.method": message.operation or "", "thrift.service": message.service or "",
        }))  # fmt: skip
        if not message.transforms and "chunked" not in str(message.headers):
            assert back == message.raw.replace(b"Content-Length: ", b"Content-Length: ")


@each_vector
def test_another_number_of_the_same_width_changes_four_octets(vector: Vector) -> None:
    for message in calls(vector):
        octets = message.renumbered((1 << 32) - 2)
        assert octets is not None
        (made,) = decoded((C, octets))
        assert isinstance(made, ThriftMessage) and made.number == -2 and body(made) == body(message)
        if message.transport in ("framed", "unframed", "finagle") and "binary" in message.encoding:
            differs = [at for at, (a, b) in enumerate(zip(octets, message.raw, strict=True)) if a != b]
            assert differs and differs[-1] - differs[0] < 4


def test_infos_are_set_replaced_and_removed() -> None:
    message = calls(VECTORS["made-header"])[0]
    octets = sent(message, Changes(set_headers={"tenant": "green", "new": b"\xff"}, remove_headers=["trace"]))
    (made,) = decoded((C, octets))
    assert list(made.headers) == [("tenant", "green"), ("new", b"\xff")]  # type: ignore[attr-defined]
    assert isinstance(made, ThriftMessage) and made.payload == message.payload
    octets = sent(calls(VECTORS["made-ttheader"])[0], Changes(set_headers={"to-method": "other", "new": "x"}))
    (made,) = decoded((C, octets))
    assert list(made.headers) == [  # type: ignore[attr-defined]
        ("to-service", "svc"), ("to-method", "other"), ("transport-type", "framed"), ("method", "no"), ("new", "x"),
    ]  # fmt: skip
    octets = sent(calls(VECTORS["made-header-zlib"])[0], Changes(set_headers={"a": "c" * 300}))
    (made,) = decoded((C, octets))
    assert made.headers["a"] == "c" * 300 and made.operation == "hello"  # type: ignore[attr-defined]


def test_blocks_that_are_not_known_stay_behind_the_others() -> None:
    message = b"\x80\x01\0\1\0\0\0\1a\0\0\0\7\0"
    for magic, known, more, rest in (
        (b"\x0f\xff", b"\0\0\1\1\1a\1b", b"\0\0\1\2\1a\1c\1d\2ef", b"\x09\1\xff\xff\3"),
        (b"\x10\0", b"\0\0\1\0\1\0\1a\0\1b", b"\0\0\1\0\2\0\1a\0\1c\0\1d\0\2ef", b"\x20\0\5hello"),
    ):

        def header(infos: bytes, rest: bytes = rest, magic: bytes = magic) -> bytes:
            said = infos + rest
            said += bytes(-len(said) % 4)
            whole = magic + b"\0\0\0\0\0\7" + (len(said) // 4).to_bytes(2, "big") + said + message
            return len(whole).to_bytes(4, "big") + whole

        (found,) = decoded((C, header(known)))
        assert isinstance(found, ThriftMessage) and list(found.headers) == [("a", "b")]
        written = sent(found, Changes({"thrift.seqid": 7}, set_headers={"a": "c", "d": "ef"}))
        begins = 14 + len(more)
        assert written[14:begins] == more and written[begins:].startswith(rest)
        (made,) = decoded((C, written))
        assert isinstance(made, ThriftMessage) and list(made.headers) == [("a", "c"), ("d", "ef")]
        assert made.payload == message


def test_what_cannot_change_is_refused_and_leaves_all_as_it_was() -> None:
    framed = calls(VECTORS["made-framed"])[0]
    zlib = calls(VECTORS["made-zlib"])[0]
    session = l7codecs.open_session("thrift", endpoint=C)
    for message, changes, error in (
        (framed, Changes({"thrift.protocol": "json"}), Unsupported),
        (framed, Changes({"thrift.seqid": "7"}), Unsupported),
        (framed, Changes({"thrift.seqid": 1 << 31}), ValueError),
        (framed, Changes({"thrift.method": ""}), ValueError),
        (framed, Changes({"thrift.method": "a:b"}), ValueError),
        (framed, Changes({"thrift.service": "\ud800"}), ValueError),
        (framed, Changes(set_headers={"a": "b"}), Unsupported),
        (zlib, Changes({"thrift.seqid": "7"}), Unsupported),
        (calls(VECTORS["made-header"])[0], Changes(set_headers={"a": 7}), Unsupported),
    ):
        with pytest.raises(error):
            session.send(message, changes)
    assert session.unanswered() == [] and session.send(framed) == framed.raw


@each_vector
def test_an_error_comes_as_the_request_did(vector: Vector) -> None:
    pieces = vector.octets(C)
    session = l7codecs.open_session("thrift", endpoint=S)
    for message in session.receive(C, pieces):
        assert isinstance(message, ThriftMessage)
        if message.type_id == 0:
            continue  # it cannot be read: see the tests of HTTP
        if message.kind is not Kind.REQUEST:
            with pytest.raises(Unsupported):
                session.reply_error(message, Status.UNAVAILABLE, "x")
            continue
        octets = session.reply_error(message, Status.UNIMPLEMENTED, "n'y a pas “là”")
        client = l7codecs.open_session("thrift")
        list(client.receive(C, message.raw))
        (answer,) = client.receive(S, octets)
        assert isinstance(answer, ThriftMessage)
        assert answer.request is not None and answer.number == message.number
        assert (answer.transport, answer.encoding) == (message.transport, message.encoding)
        assert answer.operation == message.operation
        assert (answer.status, answer.error) == (Status.UNIMPLEMENTED, "UNKNOWN_METHOD")
        assert answer.exception == (1, "n'y a pas “là”")


def test_a_large_message_changes_as_its_octets_come() -> None:
    limits = Limits(message=4096, head=512)
    text = b"\x0b\x00\x01\x00\x00\x80\x00" + bytes(0x8000) + b"\x00"
    call = b"\x80\x01\x00\x01\x00\x00\x00\x05hello\x00\x00\x00\x01" + text
    for octets in (len(call).to_bytes(4, "big") + call, call):
        source = l7codecs.open_session("thrift", endpoint=S, limits=limits)
        target = l7codecs.open_session("thrift", endpoint=C, limits=limits)
        written = b""
        for at in range(0, len(octets), 1000):
            for event in source.receive(C, octets[at : at + 1000]):
                change = (
                    Changes({"thrift.method": "hi", "thrift.seqid": 9}) if isinstance(event, ThriftMessage) else None
                )
                written += target.send(event, change)
        (made,) = decoded((C, written))
        assert isinstance(made, ThriftMessage) and (made.operation, made.number) == ("hi", 9)
        assert body(made) == text


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("bits", [-15, 15, 31])
def test_what_is_inflated_in_pieces_loses_nothing(bits: int, times: int) -> None:
    """Where a piece ends zlib may have read all, and have hundreds of octets to say: nothing stands behind bare deflate."""

    def coded(octets: bytes) -> bytes:
        for _ in range(times):
            machine = zlib.compressobj(9, wbits=bits)
            octets = machine.compress(octets) + machine.flush()
        return octets

    def plain(octets: bytes) -> bytes:
        for _ in range(times):
            octets = zlib.decompressobj(bits).decompress(octets)
        return octets

    for size in range(65_500, 66_300, 7):
        octets = bytes(size)
        made = recoded(coded(octets), bits, times, 10, b"another beginning", 1 << 20)
        assert plain(made) == b"another beginning" + octets[10:]


@pytest.mark.parametrize("bits", [-15, 15, 31])
def test_what_stands_behind_the_end_of_what_is_compressed_is_let_go(bits: int) -> None:
    """Octets that nobody reads: their end is found, also where they come with the last of it, or a piece later."""
    machine = zlib.compressobj(wbits=bits)
    packed = machine.compress(bytes(200_000)) + machine.flush()
    for behind in (b"x", bytes(70_000)):
        made = recoded(packed + behind, bits, 1, 10, b"", 1 << 20)
        assert zlib.decompressobj(bits).decompress(made) == bytes(199_990)
