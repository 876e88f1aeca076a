"""Streams of zlib: read in pieces of any size, and written by endpoints in streams of their own."""

from __future__ import annotations

import random
import zlib
from struct import pack

import pytest

import l7codecs
from l7codecs import Changes, Data, Kind, LimitExceeded, Limits, Message, ProtocolError, Sender, Status
from l7codecs.session import Session
from l7codecs.testing import Vector, check_cuts, replay
from l7codecs.testing.growth import growth
from l7codecs_thrift import ThriftMessage

from .test_endpoints import CALL, REPLY, number_of, octets

C, S = Sender.CLIENT, Sender.SERVER


def call(size: int, number: int = 1, framed: bool = False, noise: bool = False) -> bytes:
    text = random.Random(size).randbytes(size) if noise else bytes(size)
    message = b"\x80\x01\x00\x01\0\0\0\5hello" + pack(">i", number) + b"\x0b\0\1" + pack(">i", size) + text + b"\0"
    return pack(">i", len(message)) + message if framed else message


def collect(session: Session, said: bytes, size: int, seen: list[ThriftMessage]) -> None:
    """Every message of what the client has said, in reads of `size`, up to what is wrong."""
    for at in range(0, len(said), size):
        for event in session.receive(C, said[at : at + size]):
            assert isinstance(event, ThriftMessage)
            seen.append(event)


class Stream:
    """What one peer writes."""

    def __init__(self, level: int = -1) -> None:
        self._machine = zlib.compressobj(level)

    def say(self, said: bytes, mode: int = zlib.Z_SYNC_FLUSH) -> bytes:
        return self._machine.compress(said) + self._machine.flush(mode)


def test_a_large_message_is_a_head_and_data_however_it_is_cut() -> None:
    chance = random.Random(5)
    limits = Limits(message=3000, head=200)
    for turn in range(15):
        stream = Stream(chance.choice((0, 1, 9)))
        plain = [
            call(chance.choice((0, 10, 2900, 3100, 9000, 40000)), number, chance.random() < 0.5, chance.random() < 0.5)
            for number in range(1, 6)
        ]
        written = b"".join(stream.say(each, chance.choice((zlib.Z_SYNC_FLUSH, zlib.Z_FULL_FLUSH))) for each in plain)
        vector = Vector(f"turn {turn}", ((C, written),))
        if turn < 3:
            check_cuts(lambda: l7codecs.open_session("thrift", limits=limits), vector)
        outcomes = []
        for size in (1, chance.randrange(2, 4000), 1 << 20):
            session = l7codecs.open_session("thrift", limits=limits)
            messages: list[tuple[bytes, int, bool, int]] = []
            bodies: list[bytes] = []
            raw = b""
            for at in range(0, len(written), size):
                for event in session.receive(C, written[at : at + size]):
                    raw += event.raw
                    if isinstance(event, ThriftMessage):
                        messages.append((event.raw, event.offset, event.more, event.number))
                        assert event.inner is not None
                        bodies.append(event.inner.raw)
                    else:
                        assert isinstance(event, Data)
                        bodies[-1] += event.payload
            assert raw == written and bodies == plain
            assert list(session.eof(C)) == []
            outcomes.append(messages)
        assert outcomes[0] == outcomes[1] == outcomes[2]


def test_a_stream_that_ends_is_followed_by_another() -> None:
    said = b"".join(Stream().say(call(number, number), zlib.Z_FINISH) for number in (1, 2))
    outcome = replay(l7codecs.open_session("thrift"), Vector("ends", ((C, said),)))
    assert [each.number for each in outcome.events if isinstance(each, ThriftMessage)] == [1, 2]
    assert outcome.raw(C) == said and not outcome.errors


def test_thousands_of_messages_may_come_in_one_piece() -> None:
    session = l7codecs.open_session("thrift")
    found = list(session.receive(C, Stream().say(octets("a", CALL, 1) * 5000 + call(2_000_000) + call(1, 2))))
    messages = [each for each in found if isinstance(each, ThriftMessage)]
    assert len(messages) == 5002 and messages[-1].number == 2 and messages[-2].more


def test_what_is_wrong_comes_behind_what_is_right() -> None:
    said = Stream().say(call(1) + call(2, 2) + b"\x80\x01\x00\x09\0\0\0\5hello\0\0\0\0\0")
    for size in (1, 7, 1000):
        session = l7codecs.open_session("thrift")
        seen: list[ThriftMessage] = []
        with pytest.raises(ProtocolError, match="once inflated") as caught:
            collect(session, said, size, seen)
        assert [each.number for each in seen] == [1, 2] and caught.value.offset == len(said)


def test_a_message_that_is_cut_inside_is_not_complete() -> None:
    said = Stream().say(call(1) + call(20, 2)[:-4])
    session = l7codecs.open_session("thrift")
    assert len(list(session.receive(C, said))) == 1
    with pytest.raises(l7codecs.IncompleteMessage):
        list(session.eof(C))


def test_bombs_and_flushes_that_say_nothing_are_bounded() -> None:
    limits = Limits(message=10_000, head=1000, payload=50_000)
    for said in (Stream(9).say(call(10_000_000)), Stream(9).say(call(10_000_000, framed=True))):
        session = l7codecs.open_session("thrift", limits=limits)
        with pytest.raises(LimitExceeded):
            list(session.receive(C, said))
    stream = Stream()
    said = stream.say(call(100)[:50]) + b"".join(stream.say(b"", zlib.Z_FULL_FLUSH) for _each in range(10_000))
    session = l7codecs.open_session("thrift", limits=limits)
    with pytest.raises(LimitExceeded, match="say nothing"):
        list(session.receive(C, said))


def test_many_pieces_in_one_read_cost_no_more_than_in_many() -> None:
    import time

    stream = Stream()
    pieces = [stream.say(call(1, number)) for number in range(8000)]

    def seconds(count: int) -> float:
        session = l7codecs.open_session("thrift")
        said = b"".join(pieces[:count])
        start = time.process_time()
        assert len(list(session.receive(C, said))) == count
        return time.process_time() - start

    assert growth(seconds, 1000, 8000, 24) <= 24


# Endpoints.


class Peer:
    """What a peer reads of a direction, in a stream or as it is."""

    def __init__(self, packed: bool) -> None:
        self._machine = zlib.decompressobj() if packed else None
        self.plain = b""
        self.raw = b""

    def hears(self, said: bytes) -> bytes:
        self.raw += said
        found = said if self._machine is None else self._machine.decompress(said)
        if self._machine is not None and said:
            assert said.endswith(b"\0\0\xff\xff")
        self.plain += found
        return found


@pytest.mark.parametrize("transport", ["framed", "unframed", "compact"])
@pytest.mark.parametrize("packs", [(True, True, True), (True, False, True), (False, True, False), (False, True, True)])
def test_clients_share_a_server_through_streams_and_without(packs: tuple[bool, bool, bool], transport: str) -> None:
    """Of two clients and a server; the first to ask tells how the server is spoken to, until that has spoken."""
    other, one, serves = packs
    clients = [l7codecs.open_session("thrift", endpoint=S) for _each in range(2)]
    said = [Stream() if packed else None for packed in (one, other)]
    hear = [Peer(packed) for packed in (one, other)]
    upstream = l7codecs.open_session("thrift", endpoint=C)
    server, answers = Peer(other), Stream()
    truth = l7codecs.open_session("thrift")
    for turn in range(1, 7):
        number = turn % 2
        stream = said[number]
        asked = octets("a", CALL, 5, transport)
        (event,) = clients[number].receive(C, asked if stream is None else stream.say(asked))
        (sent,) = truth.receive(C, server.hears(upstream.send(event)))
        assert isinstance(sent, Message)
        told = octets("a", REPLY, number_of(sent), transport)
        (answer,) = upstream.receive(S, answers.say(told) if serves else told)
        assert isinstance(answer, Message) and answer.request is event
        assert hear[number].hears(clients[number].send(answer)) == octets("a", REPLY, 5, transport)
    assert upstream.pending == 0


def test_a_message_in_a_stream_changes_and_is_answered_here() -> None:
    stream = Stream()
    client = l7codecs.open_session("thrift", endpoint=S)
    upstream = l7codecs.open_session("thrift", endpoint=C)
    first, second = client.receive(C, stream.say(octets("a", CALL, 5)) + stream.say(octets("b", CALL, 6)))
    server, back = Peer(True), Peer(True)
    changes = Changes({"thrift.method": "other", "thrift.service": "Shop", "thrift.seqid": 9})
    assert server.hears(upstream.send(first, changes)) == octets("Shop:other", CALL, 9)
    assert isinstance(second, Message)
    truth = l7codecs.open_session("thrift")
    list(truth.receive(C, octets("b", CALL, 6)))
    (answer,) = truth.receive(S, back.hears(client.reply_error(second, Status.UNIMPLEMENTED, "no")))
    assert isinstance(answer, ThriftMessage) and answer.exception == (1, "no") and answer.transport == "framed"
    (reply,) = upstream.receive(S, Stream().say(octets("other", REPLY, 9)))
    assert isinstance(reply, Message) and reply.request is first
    assert back.hears(client.send(reply)) == octets("a", REPLY, 5)


def test_what_waits_is_packed_when_it_is_written() -> None:
    stream, server = Stream(), Peer(True)
    client = l7codecs.open_session("thrift", endpoint=S)
    upstream = l7codecs.open_session("thrift", endpoint=C)
    upstream.paused = True
    for number in range(1, 4):
        (event,) = client.receive(C, stream.say(octets("a", CALL, number)))
        assert upstream.send(event) == b""
    upstream.paused = False
    assert server.hears(upstream.pending_output()) == b"".join(octets("a", CALL, number) for number in range(1, 4))
    for number in range(4, 7):
        (event,) = client.receive(C, stream.say(octets("a", CALL, number)))
        upstream.put(event)
    assert server.hears(upstream.pending_output()) == b"".join(octets("a", CALL, number) for number in range(4, 7))
    assert upstream.pending_output() == b""


@pytest.mark.parametrize("framed", [True, False])
def test_a_large_message_in_a_stream_is_passed_on_as_it_comes(framed: bool) -> None:
    limits = Limits(message=2000, head=100)
    client = l7codecs.open_session("thrift", endpoint=S, limits=limits)
    upstream = l7codecs.open_session("thrift", endpoint=C, limits=limits)
    stream, server = Stream(), Peer(True)
    said = stream.say(call(30_000, 7, framed, noise=True) + call(3, 8, framed))
    for at in range(0, len(said), 700):
        for event in client.receive(C, said[at : at + 700]):
            change = Changes({"thrift.method": "hi"}) if isinstance(event, ThriftMessage) and event.more else None
            server.hears(upstream.send(event, change))
    (large, small) = [
        each
        for each in l7codecs.open_session("thrift").receive(C, server.plain)
        if isinstance(each, ThriftMessage) and each.kind is Kind.REQUEST
    ]
    assert (large.operation, large.pick(1)) == ("hi", random.Random(30_000).randbytes(30_000))
    assert small.raw == call(3, 8, framed)


def test_what_is_refused_is_not_packed_either() -> None:
    (message,) = l7codecs.open_session("thrift").receive(C, Stream().say(octets("a", CALL, 1)))
    session = l7codecs.open_session("thrift", endpoint=C)
    with pytest.raises(l7codecs.Unsupported):
        session.send(message, Changes({"thrift.protocol": "json"}))
    (plain,) = l7codecs.open_session("thrift").receive(C, octets("a", CALL, 1))
    assert session.send(plain) == octets("a", CALL, 1)
    assert session.send(message)[4:] == pack(">i", 14)[4:] + octets("a", CALL, 2)[4:]


def test_what_ends_a_stream_is_no_message() -> None:
    """Go's transport ends its stream where it is closed, with nine octets behind the last message."""
    stream = Stream()
    first = stream.say(call(5))
    last = stream.say(b"", zlib.Z_FINISH)
    again = Stream().say(call(6, 2), zlib.Z_FINISH)
    outcome = check_cuts(
        lambda: l7codecs.open_session("thrift"), Vector("ends", ((C, first + last + again),)), eof=(C,)
    )
    assert not outcome.errors
    one, end, other = outcome.events
    assert isinstance(one, ThriftMessage) and isinstance(end, ThriftMessage) and isinstance(other, ThriftMessage)
    assert (one.raw, end.raw, other.raw) == (first, last, again) and (one.number, other.number) == (1, 2)
    assert (end.kind, end.message_type, end.transport, end.payload, end.offset) == (
        Kind.CONTROL, "none", "zlib", b"", len(first),
    )  # fmt: skip
    # Nobody may be there any more who reads the rest of it; and what is flushed need not hold anything.
    for cut in (b"\x01\x00\x00\xff\xff", b"\x00\x00\x00\xff\xff", b"\x00\x00\x00\xff\xff" * 3):
        outcome = check_cuts(lambda: l7codecs.open_session("thrift"), Vector("cut", ((C, first + cut),)), eof=(C,))
        assert not outcome.errors and [each.raw for each in outcome.events] == [first, cut]
        assert outcome.events[1].kind is Kind.CONTROL
    session = l7codecs.open_session("thrift")
    assert len(list(session.receive(C, first + last[:-1]))) == 1
    with pytest.raises(l7codecs.IncompleteMessage):
        list(session.eof(C))
    # Written anywhere else it is nothing: that has a stream of its own, or none.
    client = l7codecs.open_session("thrift", endpoint=S)
    server = l7codecs.open_session("thrift", endpoint=C)
    asked, ended = client.receive(C, first + last)
    written = server.send(asked)
    assert server.send(ended) + server.pending_output() == b""
    machine = zlib.decompressobj()
    assert machine.decompress(written) == call(5) and not machine.eof


def test_a_stream_that_follows_another_is_read_wherever_pieces_end() -> None:
    """What zlib says that it has not read stands twice where an end lies behind the end of a piece."""
    limits = Limits(head=1024, message=4096)
    second = zlib.compress(b"".join(call(50, number) for number in range(3, 6)))
    for size in range(4050, 4300):
        first = zlib.compress(b"".join(call(size, number) for number in range(3)))
        events = l7codecs.open_session("thrift", limits=limits).receive(C, first + second)
        found = [event.request_id for event in events if isinstance(event, Message)]
        # The end of a stream may be told as a piece that has nothing in it.
        assert [number for number in found if number is not None] == [*range(6)], size


def test_who_observes_a_stream_changes_no_message_of_it() -> None:
    """It would have to be written anew from its beginning."""
    session = l7codecs.open_session("thrift")
    stream = Stream()
    for packed in (stream.say(call(10)), stream.say(call(10, 2))):
        (message,) = session.receive(C, packed)
        assert isinstance(message, Message) and session.send(message) == packed
        with pytest.raises(l7codecs.Unsupported, match="stream of zlib"):
            session.send(message, Changes({"thrift.method": "x"}))
