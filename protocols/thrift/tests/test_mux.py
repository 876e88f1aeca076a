"""ThriftMux keeps every promise of the interface, and says what its frames say."""

from __future__ import annotations

import os
from pathlib import Path
from struct import pack

import pytest

import l7codecs
from l7codecs import (
    Changes,
    Data,
    IncompleteMessage,
    Kind,
    LimitExceeded,
    Limits,
    Message,
    Opaque,
    ProtocolError,
    Sender,
    Status,
    Unsupported,
    Verdict,
    open_session,
)
from l7codecs.testing import ProtocolConformance, Vector, check_cuts, load_vectors, replay
from l7codecs_thrift import THRIFTMUX, MuxMessage

from . import thrift_recorded as recorded

C, S = Sender.CLIENT, Sender.SERVER
VECTORS = tuple(load_vectors(Path(__file__).parent.parent / "vectors" / "mux"))


def frame(kind: int, tag: int, body: bytes = b"") -> bytes:
    return pack(">i", len(body) + 4) + pack(">b", kind) + pack(">I", tag)[1:] + body


class TestMux(ProtocolConformance):
    protocol = "thriftmux"
    vectors = VECTORS
    exchanges = tuple(each.name for each in VECTORS if each.name != "made-fragments")  # which endpoints put together

    def large(self, size: int) -> list[Vector]:
        call = b"\x80\x01\x00\x01\0\0\0\5hello\0\0\0\0\x0b\0\1" + pack(">i", size) + bytes(size) + b"\0"
        reply = b"\x80\x01\x00\x02\0\0\0\5hello\0\0\0\0\x0b\0\0" + pack(">i", size) + bytes(size) + b"\0"
        short = b"\x80\x01\x00\x01\0\0\0\5hello\0\0\0\0\0"
        return [
            Vector("a long call", ((C, frame(2, 2, bytes(6) + call)), (S, frame(-2, 2, bytes(3) + short)))),
            Vector("a long answer", ((C, frame(2, 2, bytes(6) + short)), (S, frame(-2, 2, bytes(3) + reply)))),
        ]


def test_what_is_discarded_refused_or_drained_is_told() -> None:
    failures = next(each for each in VECTORS if each.name == "made-failures")
    outcome = replay(l7codecs.open_session("thriftmux"), failures)
    said = [(each.kind, each.status, each.error) for each in outcome.events if isinstance(each, MuxMessage)]
    assert [each[1:] for each in said if each[0] is Kind.RESPONSE] == [
        (Status.UNKNOWN, "ERROR"), (Status.UNAVAILABLE, "NACK"), (Status.CANCELLED, "Rdiscarded"), (Status.INTERNAL, "Rerr"),
    ]  # fmt: skip
    assert Kind.GOAWAY in [each[0] for each in said] and outcome.pending == 0


def test_pings_and_errors_are_answered_here() -> None:
    session = l7codecs.open_session("thriftmux", endpoint=S)
    ping, call = session.receive(C, frame(65, 9) + frame(2, 7, bytes(6) + b"\x80\x01\x00\x01\0\0\0\1a\0\0\0\0\0"))
    assert session.reply_heartbeat(ping) == frame(-65, 9)
    assert session.reply_error(call, Status.UNAVAILABLE, "no") == frame(-2, 7, b"\2\0\0no")
    with pytest.raises(Unsupported):
        session.reply_error(call, Status.INTERNAL, "twice")


def call(tag: int, name: str = "hello", contexts: tuple[tuple[bytes, bytes], ...] = (), number: int = 5) -> bytes:
    said = pack(">H", len(contexts)) + b"".join(sized(key) + sized(value) for key, value in contexts)
    return frame(2, tag, said + sized(b"/s/a") + pack(">H", 1) + sized(b"/s") + sized(b"/b") + thrift(name, 1, number))


def thrift(name: str, kind: int, number: int = 5) -> bytes:
    return b"\x80\x01\0" + bytes([kind]) + sized4(name.encode()) + pack(">i", number) + b"\0"


def sized(octets: bytes) -> bytes:
    return pack(">H", len(octets)) + octets


def sized4(octets: bytes) -> bytes:
    return pack(">i", len(octets)) + octets


def message_of(octets: bytes, sender: Sender = C) -> MuxMessage:
    (found,) = open_session("thriftmux").receive(sender, octets)
    assert isinstance(found, MuxMessage)
    return found


CONTEXTS = ((b"trace", bytes(4)), (b"a", b"b"), (b"trace", b"again"))


def test_the_message_inside_the_contexts_and_the_tag_change() -> None:
    message = message_of(call(2, contexts=CONTEXTS))
    for changes, made in (
        (Changes({"thrift.method": "other", "thrift.service": "Shop"}), call(2, "Shop:other", CONTEXTS)),
        (Changes({"thrift.seqid": -7}), call(2, contexts=CONTEXTS, number=-7)),
        (Changes({"mux.tag": 0x7FFFFF}), call(0x7FFFFF, contexts=CONTEXTS)),
        (Changes(remove_headers=["trace"]), call(2, contexts=((b"a", b"b"),))),
        (
            Changes({"mux.tag": 3, "thrift.method": "x"}, set_headers={"a": "c", "trace": b"\xff", "new": b""}),
            call(3, "x", ((b"trace", b"\xff"), (b"a", b"c"), (b"new", b""))),
        ),
    ):
        assert open_session("thriftmux").send(message, changes) == made
        assert open_session("thriftmux", endpoint=C).send(message, changes) == made
    answer = message_of(frame(-2, 2, b"\0\0\1" + sized(b"k") + sized(b"v") + thrift("hello", 2)), S)
    made = open_session("thriftmux").send(answer, Changes({"thrift.seqid": 9}, set_headers={"k": "w"}))
    assert made == frame(-2, 2, b"\0\0\1" + sized(b"k") + sized(b"w") + thrift("hello", 2, 9))


@pytest.mark.parametrize(
    ("octets", "changes", "error"),
    [
        (call(2), Changes({"mux.tag": 1 << 23}), ValueError),
        (call(2), Changes({"mux.tag": "2"}), Unsupported),
        (call(2), Changes({"mux.destination": "/x"}), Unsupported),
        (call(2), Changes(set_headers={"a": bytes(1 << 16)}), ValueError),
        (call(2), Changes(set_headers={"a": 7}), Unsupported),
        (frame(65, 1), Changes({"thrift.seqid": 1}), Unsupported),
        (frame(65, 1), Changes(set_headers={"a": "b"}), Unsupported),
        (frame(1, 1, b"\0" + thrift("a", 1)), Changes(set_headers={"a": "b"}), Unsupported),
    ],
)
def test_what_cannot_change_is_refused(octets: bytes, changes: Changes, error: type[Exception]) -> None:
    session = open_session("thriftmux", endpoint=C)
    with pytest.raises(error):
        session.send(message_of(octets), changes)
    assert session.unanswered() == []


class Shared:
    """Clients that share a connection to a server."""

    def __init__(self, count: int = 2) -> None:
        self.clients = [open_session("thriftmux", endpoint=S) for _each in range(count)]
        self.upstream = open_session("thriftmux", endpoint=C)
        self.server = open_session("thriftmux")

    def ask(self, number: int, octets: bytes) -> list[MuxMessage]:
        written = b"".join(self.upstream.send(each) for each in self.clients[number].receive(C, octets))
        found = list(self.server.receive(C, written))
        assert all(isinstance(each, MuxMessage) for each in found)
        return [each for each in found if isinstance(each, MuxMessage)]

    def answer(self, octets: bytes) -> list[tuple[int, bytes]]:
        """What is written to whom."""
        found = []
        for event in self.upstream.receive(S, octets):
            assert isinstance(event, MuxMessage) and event.request is not None
            number = [each.flow for each in self.clients].index(event.request.connection)
            found.append((number, self.clients[number].send(event)))
        return found


def test_clients_that_share_a_server_have_tags_of_their_own() -> None:
    """Tag 0 is that of what has no answer."""
    shared = Shared()
    check = frame(127, 1, b"tinit check")
    for octets in (check, call(2), frame(65, 1), call(2, "other")):
        tags = []
        for number in range(2):
            (asked,) = shared.ask(number, octets)
            tags.append(asked.tag)
            assert asked.raw[:5] + asked.raw[8:] == octets[:5] + octets[8:] and asked.tag != 0
        assert len(set(tags)) == 2
        answers = {127: (127, b"tinit check"), 2: (-2, b"\0\0\0" + thrift("hello", 2)), 65: (-65, b"")}
        kind, body = answers[octets[4]]
        own = int.from_bytes(octets[5:8], "big")
        for number in (1, 0):
            assert shared.answer(frame(kind, tags[number], body)) == [(number, frame(kind, own, body))]
    assert shared.upstream.pending == 0


def test_what_a_client_discards_is_discarded_by_its_tag_there() -> None:
    shared = Shared()
    (first,), (second,) = shared.ask(0, call(2)), shared.ask(1, call(2))
    (discarded,) = shared.ask(1, frame(66, 0, b"\0\0\2late"))
    assert discarded.raw == frame(66, 0, int(second.tag).to_bytes(3, "big") + b"late")
    assert discarded.kind is Kind.RESET and discarded.request is second and discarded.reason == "late"
    assert shared.answer(frame(-66, second.tag)) == [(1, frame(-66, 2))]
    assert shared.answer(frame(-2, first.tag, b"\0\0\0" + thrift("hello", 2)))[0][0] == 0
    # What is answered already is not discarded any more, and another has its tag.
    assert shared.ask(1, frame(66, 0, b"\0\0\2late")) == []


def test_what_is_given_up_here_is_discarded() -> None:
    shared = Shared()
    shared.ask(0, call(2))
    (event,) = shared.clients[1].receive(C, call(2))
    assert isinstance(event, MuxMessage)
    (sent,) = shared.server.receive(C, shared.upstream.send(event))
    assert isinstance(sent, MuxMessage)
    assert shared.upstream.cancel(event) == frame(66, 0, int(sent.tag).to_bytes(3, "big"))
    assert list(shared.upstream.receive(S, frame(-66, sent.tag))) == []
    assert len(shared.upstream.unanswered()) == 1


def test_a_check_and_tinit_can_be_answered_here() -> None:
    """As a server that knows no Tinit does: then the client goes on without."""
    session = open_session("thriftmux", endpoint=S)
    check, init = session.receive(C, frame(127, 1, b"tinit check") + frame(68, 1, b"\0\1"))
    assert isinstance(check, MuxMessage) and check.kind is init.kind is Kind.REQUEST
    assert isinstance(init, MuxMessage)
    assert session.reply_error(check, Status.UNIMPLEMENTED, "no Tinit") == frame(127, 1, b"no Tinit")
    assert session.reply_error(init, Status.UNIMPLEMENTED, "no Tinit") == frame(127, 1, b"no Tinit")


def test_who_asks_without_a_check_or_tinit_is_detected() -> None:
    """Its type and tag look like a field 0 of a struct, behind which a message without Mux may come: Finagle's has none of that number."""
    call = pack(">II4sib", 0x80010001, 4, b"echo", 0, 0)
    for tag in (1, 2, 255):
        octets = frame(2, tag, bytes(6) + call)
        for size in range(10, len(octets) + 1):
            assert l7codecs.detect(octets[:size], b"")[0].protocol == "thriftmux"
        assert [each.protocol for each in l7codecs.detect(octets, b"")] == ["thriftmux"]


def test_a_check_that_is_echoed_is_no_error() -> None:
    session = open_session("thriftmux")
    check = frame(127, 1, b"tinit check")
    list(session.receive(C, check + frame(127, 2, b"tinit check")))
    echo, other = session.receive(S, check + frame(-128, 2, b"unknown type"))
    assert isinstance(echo, MuxMessage) and isinstance(other, MuxMessage)
    assert (echo.status, echo.error, other.status, other.error) == (Status.OK, None, Status.INTERNAL, "Rerr")


# Messages in several frames.


def in_pieces(octets: bytes, size: int) -> list[bytes]:
    body, tag = octets[8:], int.from_bytes(octets[5:8], "big")
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    return [
        frame(int.from_bytes(octets[4:5], "big", signed=True), tag | (0 if at == len(pieces) - 1 else 0x800000), each)
        for at, each in enumerate(pieces)
    ]


def test_fragments_of_several_messages_are_told_apart() -> None:
    one, other = in_pieces(call(2, "a" * 90), 60), in_pieces(call(3, "b" * 90), 60)
    vector = Vector("mixed", ((C, b"".join(a + b for a, b in zip(one, other, strict=True))),))
    outcome = check_cuts(lambda: open_session("thriftmux"), vector)
    bodies: dict[Message, bytes] = {}
    for event in outcome.events:
        if isinstance(event, Data):
            bodies[event.message] += event.payload
        else:
            assert isinstance(event, MuxMessage) and event.more
            bodies[event] = event.raw[8:]
    assert list(bodies.values()) == [call(2, "a" * 90)[8:], call(3, "b" * 90)[8:]]
    ends = [event.message.request_id for event in outcome.events if isinstance(event, Data) and not event.more]
    assert ends == [2, 3]


def test_an_endpoint_puts_fragments_together() -> None:
    shared = Shared()
    assert shared.ask(0, b"".join(in_pieces(call(2, "hello"), 12)[:2])) == []
    shared.ask(1, call(2))
    (asked,) = shared.ask(0, b"".join(in_pieces(call(2, "hello"), 12)[2:]))
    assert asked.raw[8:] == call(2)[8:] and asked.operation == "hello" and not asked.more
    told = frame(-2, asked.tag, b"\0\0\0" + thrift("hello", 2))
    written = b""
    for event in shared.upstream.receive(S, b"".join(in_pieces(told, 10))):
        written += shared.clients[0].send(event)
    assert written == frame(-2, 2, told[8:])
    assert shared.clients[0].unanswered() == [] and len(shared.upstream.unanswered()) == 1


def test_a_message_in_fragments_changes() -> None:
    upstream = open_session("thriftmux", endpoint=C)
    written = b""
    for event in open_session("thriftmux").receive(C, b"".join(in_pieces(call(2, "hello", CONTEXTS), 80))):
        changes = Changes({"thrift.method": "x"}, remove_headers=["trace"]) if isinstance(event, MuxMessage) else None
        written += upstream.send(event, changes)
    assert written == call(2, "x", ((b"a", b"b"),))


@pytest.mark.parametrize("size", [1 << 16, 80])
def test_the_answer_to_a_renamed_dispatch_has_the_name_that_its_client_called(size: int) -> None:
    shared = Shared(2)
    renamed = Changes({"thrift.method": "other", "thrift.service": "Svc"})
    for client in (0, 1):
        for event in shared.clients[client].receive(C, b"".join(in_pieces(call(2, "Shop:hello"), size))):
            said = shared.upstream.send(event, renamed if isinstance(event, MuxMessage) else None)
            shared.server.receive(C, said)
    for tag, (client, name, told) in enumerate([(0, "other", "hello"), (1, "third", "third")], 2):
        answer = frame(-2, tag if client == 0 else 1, b"\0\0\0" + thrift(name, 2))
        assert shared.answer(answer) == [(client, frame(-2, 2, b"\0\0\0" + thrift(told, 2)))]


def test_what_is_given_up_between_its_frames_ends_there() -> None:
    """As Finagle reads and writes it: neither side sends the rest of what is discarded."""
    first = in_pieces(call(2, "a" * 90), 60)[0]
    told = in_pieces(frame(-2, 2, b"\0\0\0" + thrift("hello", 2)), 10)
    session = open_session("thriftmux")
    begun, discarded, again = session.receive(C, first + frame(66, 0, b"\0\0\2late") + call(2))
    assert isinstance(discarded, MuxMessage) and isinstance(again, MuxMessage)
    assert discarded.request is begun and (again.kind, again.operation) == (Kind.REQUEST, "hello")
    events = list(session.receive(S, frame(-66, 2) + told[0] + frame(-66, 2) + frame(65, 2)))
    assert [each.kind for each in events if isinstance(each, MuxMessage)] == [
        Kind.RESPONSE, Kind.RESPONSE, Kind.RESPONSE, Kind.HEARTBEAT,
    ]  # fmt: skip
    assert [each.request for each in events if isinstance(each, MuxMessage)] == [begun, again, again, None]
    assert list(session.eof(S)) == list(session.eof(C)) == [] and session.unanswered() == []


def test_an_endpoint_forgets_what_is_given_up_between_its_frames() -> None:
    shared = Shared()
    first = in_pieces(call(2, "a" * 90), 60)[0]
    assert shared.ask(0, first + frame(66, 0, b"\0\0\2late")) == [] and shared.upstream.queued == 0
    (asked,) = shared.ask(1, call(2))
    told = in_pieces(frame(-2, asked.tag, b"\0\0\0" + thrift("hello", 2)), 10)
    assert shared.answer(told[0]) == [(1, b"")]
    assert shared.answer(frame(-66, asked.tag)) == [(1, frame(-66, 2))]
    assert shared.clients[1].queued == 0 and shared.clients[1].unanswered() == shared.upstream.unanswered() == []


def test_fragments_are_bounded_and_of_one_type() -> None:
    limits = Limits(streams=3, waiting=10_000, payload=5000, message=2000, head=100)
    head = in_pieces(call(2), 20)[0]
    for octets in (
        b"".join(head[:5] + bytes((0x80, 0, tag)) + head[8:] for tag in range(2, 9)),
        b"".join(frame(2, 0x800000 | tag, bytes(1900)) for tag in (2, 3)) + frame(2, 0x800002, bytes(1900)) * 5,
        head + frame(2, 0x800002, bytes(3000)),
    ):
        session = open_session("thriftmux", limits=limits)
        with pytest.raises(LimitExceeded):
            list(session.receive(C, octets))
    session = open_session("thriftmux")
    with pytest.raises(ProtocolError, match="more is to come"):
        list(session.receive(C, head + frame(65, 2)))
    session = open_session("thriftmux")
    assert len(list(session.receive(C, head))) == 1
    with pytest.raises(IncompleteMessage):
        list(session.eof(C))


def test_joined_midway_it_goes_on_at_a_dispatch() -> None:
    calls = [call(tag, "hello", CONTEXTS) for tag in range(2, 8)]
    said = b"".join(calls)
    for at in range(1, len(said)):
        session = open_session("thriftmux")
        events = list(session.gap(C, 0))
        events += list(session.receive(C, said[at:]))
        found = [each for each in events if isinstance(each, MuxMessage)]
        missing = -(-at // len(calls[0]))
        assert [each.tag for each in found] == list(range(2 + missing, 8))


def test_numbers_of_a_table_without_zero() -> None:
    """A counter that has come round begins with the lowest again."""
    from l7codecs.pairing.numbering import StrictPairing

    table = StrictPairing(Limits(), 20, False, True, lowest=1)
    seen = [table._take_number() for _each in range((1 << 20) + 2)]
    assert min(seen) == 1 and seen[-1] == 3


@pytest.mark.skipif(not recorded.FOLDER, reason="L7CODECS_RECORDINGS is not set")
def test_a_recording_of_finagle() -> None:
    """Three calls of one method: two are answered, the last with an exception."""
    if not os.path.exists(recorded.folder() / "finagle-mux.txt"):
        pytest.fail("finagle-mux.txt is missing")
    vector = recorded.read(recorded.folder() / "finagle-mux.txt")
    assert THRIFTMUX.detect(vector.octets(C), b"").verdict is Verdict.YES
    assert l7codecs.detect(vector.octets(C), b"")[0].protocol == "thriftmux"
    outcome = replay(l7codecs.open_session("thriftmux"), vector)
    assert not outcome.errors and outcome.pending == 0
    calls = [each for each in outcome.events if isinstance(each, MuxMessage) and each.type_id == 2]
    asked = [each for each in outcome.events if each.kind is Kind.REQUEST and each not in calls]
    assert [each.type_name for each in asked] == ["Rerr", "Tinit"]  # type: ignore[attr-defined]
    answers = [each for each in outcome.events if isinstance(each, MuxMessage) and each.type_id == -2]
    assert [each.operation for each in calls] == ["hello"] * 3
    assert [each.request for each in answers] == calls
    assert [each.status for each in answers] == [Status.OK, Status.OK, Status.INTERNAL]
    assert "com.twitter.finagle.tracing.TraceContext" in calls[0].headers


@pytest.mark.parametrize("protocol", ["thrift", "thriftmux"])
@pytest.mark.parametrize("size", [0x7FFFFFFC, 0x7FFFFFFF])
def test_the_largest_sizes_pass_the_limit(protocol: str, size: int) -> None:
    session = open_session(protocol)
    with pytest.raises(LimitExceeded, match=f"a frame of {size + 4} octets"):
        list(session.receive(Sender.CLIENT, size.to_bytes(4, "big") + b"\x80\x01\0\x01"))


def test_what_is_discarded_has_a_tag() -> None:
    """24 bits say what is given up, of which a tag has 23."""
    session = open_session("thriftmux")
    list(session.receive(C, frame(2, 2, bytes(6) + bytes.fromhex("80010001 00000001 61 00000000 00"))))
    (wide,) = session.receive(C, frame(66, 0, bytes.fromhex("800002") + b"gone"))
    assert (wide.request_id, wide.reason, wide.request) == (0, None, None)
    (right,) = session.receive(C, frame(66, 0, bytes.fromhex("000002") + b"gone"))
    assert (right.request_id, right.reason) == (2, "gone") and right.request is not None


def test_an_answer_that_is_passed_over_moves_no_other() -> None:
    """A client that uses one tag again and again: where octets of its server are lost, no answer goes to an earlier request."""
    names = [f"call{number}" for number in range(9)]
    answers = [frame(-2, 2, b"\0\0\0" + thrift(name, 2)) for name in names]
    for at in range(len(answers[3])):
        session = open_session("thriftmux")
        given = []
        for number, name in enumerate(names):
            list(session.receive(C, call(2, name)))
            if number == 3:
                list(session.gap(S))
                continue
            for event in session.receive(S, answers[number][at:] if number == 4 else answers[number]):
                assert isinstance(event, (MuxMessage, Opaque))
                if isinstance(event, MuxMessage) and event.request is not None:
                    assert event.request.operation == name
                    given.append(name)
        assert given[:3] == names[:3] and given[-3:] == names[-3:]


def test_a_ping_is_no_answer_to_a_dispatch() -> None:
    for endpoint in (None, C):
        session = open_session("thriftmux", endpoint=endpoint)
        (asked,) = open_session("thriftmux").receive(C, call(2))
        if endpoint is None:
            (asked,) = session.receive(C, call(2))
        else:
            session.send(asked)
        for kind, body in ((-65, b""), (-68, b"\0\1"), (-1, b"\0")):
            (stray,) = session.receive(S, frame(kind, 2, body))
            assert isinstance(stray, MuxMessage) and stray.request is None and len(session.unanswered()) == 1
        (answer,) = session.receive(S, frame(-2, 2, b"\0\0\0" + thrift("hello", 2)))
        assert isinstance(answer, MuxMessage) and answer.request is asked and session.unanswered() == []


def test_an_answer_without_a_reply_is_right() -> None:
    """To a one-way call; one with an error or with octets that make no sense is not."""
    session = open_session("thriftmux")
    for said, status in ((b"\0\0\0", Status.OK), (b"\1\0\0", Status.UNKNOWN), (b"\0\0\1", Status.UNKNOWN)):
        list(session.receive(C, frame(2, 2, bytes(6) + thrift("fire", 4))))
        (answer,) = session.receive(S, frame(-2, 2, said))
        assert isinstance(answer, MuxMessage) and answer.request is not None and answer.status is status


def test_what_is_given_up_before_all_of_it_has_come_waits_for_nothing() -> None:
    shared = Shared()
    first = in_pieces(call(2, "a" * 90), 60)[0]
    assert shared.ask(0, first) == [] and len(shared.clients[0].unanswered()) == 1
    assert shared.ask(0, frame(66, 0, b"\0\0\2late")) == []
    assert shared.clients[0].unanswered() == shared.upstream.unanswered() == []
    (asked,) = shared.ask(0, call(2))
    assert shared.answer(frame(-2, asked.tag, b"\0\0\0" + thrift("hello", 2)))[0][0] == 0


@pytest.mark.parametrize("size", [-1, -(1 << 31), 0, 3])
def test_a_size_that_no_frame_has(size: int) -> None:
    session = open_session("thriftmux")
    with pytest.raises(ProtocolError, match="frame"):
        list(session.receive(C, pack(">i", size) + b"\2\0\0\2"))


def test_a_lease_is_a_servers() -> None:
    lease = frame(67, 0, b"\0" + pack(">q", 5000))
    for sender, says in ((S, 5000), (C, None)):
        session = open_session("thriftmux")
        found = [event for event in session.receive(sender, lease) if isinstance(event, MuxMessage)]
        assert [event.attributes.get("mux.lease_ms") for event in found] == [says]
        assert [event.lease_ms for event in found] == [says]


def test_a_tag_that_is_used_again_pairs_in_another_order_of_the_sides() -> None:
    """Its answer is seen before the second dispatch: the first, whose answer came before it too, is not answered twice."""
    call = bytes(6) + b"\x80\x01\x00\x01\0\0\0\5hello\0\0\0\0\0"
    reply = bytes(3) + b"\x80\x01\x00\x02\0\0\0\5hello\0\0\0\0\0"
    session = open_session("thriftmux")
    pairs = []
    for sender, octets in [
        (S, frame(-2, 1, reply)), (C, frame(2, 1, call)), (S, frame(-2, 1, reply)), (C, frame(2, 1, call)),
        (C, frame(65, 1)), (S, frame(-2, 1, reply)), (S, frame(-65, 1)), (C, frame(2, 1, call)), (C, frame(2, 1, call)),
        (S, frame(-2, 1, reply)),
    ]:  # fmt: skip
        pairs += [
            (event.offset, event.request and event.request.offset)
            for event in session.receive(sender, octets)
            if isinstance(event, Message) and event.sender is S
        ]
    size, answer, ping = len(frame(2, 1, call)), len(frame(-2, 1, reply)), len(frame(65, 1))
    assert pairs == [
        (0, None), (answer, None), (2 * answer, None), (3 * answer, 2 * size), (3 * answer + ping, 3 * size + ping),
    ]  # fmt: skip
