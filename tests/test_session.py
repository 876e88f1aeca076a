"""Sessions as their users see them, with a small protocol of length-prefixed lines that a plugin's author could have written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l7codecs import (
    Changes,
    Data,
    FramedDecoder,
    Gap,
    IncompleteMessage,
    Kind,
    LimitExceeded,
    Limits,
    Message,
    Opaque,
    Pairing,
    Protocol,
    ProtocolError,
    Sender,
    Status,
    Unsupported,
)

C, S = Sender.CLIENT, Sender.SERVER


class Line(Message):
    """Two octets of size, one of number, text."""

    @property
    def request_id(self) -> int | None:
        return self.raw[2] if len(self.raw) > 2 else None

    @property
    def operation(self) -> str | None:
        return self.raw[3:].decode("latin-1")


class LineDecoder(FramedDecoder):
    header_size = 2

    def frame_size(self, data: bytes, at: int) -> int:
        size = int.from_bytes(data[at : at + 2], "big")
        if size == 0xFFFF:
            self.fail(0, "a size of 65535", "less", "the example's manual, page 1")
        return 2 + size

    def message(self, octets: bytes, start: int, stop: int, offset: int, more: bool) -> Message:
        kind = Kind.REQUEST if self.sender is C else Kind.RESPONSE
        return Line(self.flow, self.sender, kind, offset, octets, start, stop, more)

    def boundary(self, octets: bytes) -> int:
        at = octets.find(b"\0")
        return at if at >= 0 else -1 - len(octets)


LINES = Protocol("lines", "Lines", (), Pairing.ID, LineDecoder, ports=(9,), id_bits=8)


def line(number: int, text: bytes) -> bytes:
    return (len(text) + 1).to_bytes(2, "big") + bytes([number]) + text


def test_answers_are_paired_in_any_order() -> None:
    session = LINES.open()
    one, two = session.receive(C, line(1, b"a") + line(2, b"b"))
    answers = list(session.receive(S, line(2, b"B") + line(1, b"A") + line(7, b"nobody asked")))
    assert [answer.request for answer in answers if isinstance(answer, Message)] == [two, one, None]


def test_what_is_not_iterated_comes_first_the_next_time() -> None:
    session = LINES.open()
    events = session.receive(C, line(1, b"a") + line(2, b"b"))
    assert next(iter(events)).operation == "a"  # type: ignore[attr-defined]  # a Message
    session.receive(S, line(1, b"A"))
    assert [event.operation for event in session] == ["A"]  # type: ignore[attr-defined]
    assert [event.operation for event in session.receive(C, line(3, b"c"))] == ["b", "c"]  # type: ignore[attr-defined]


def test_an_error_stands_where_it_is_in_the_stream_and_stays() -> None:
    session = LINES.open()
    events = session.receive(C, line(1, b"a") + b"\xff\xff" + line(2, b"b"))
    assert next(events).offset == 0
    with pytest.raises(ProtocolError) as raised:
        next(events)
    assert (raised.value.offset, raised.value.seen, raised.value.expected) == (4, "a size of 65535", "less")
    assert str(raised.value) == "at octet 4: saw a size of 65535, expected less (the example's manual, page 1)"
    with pytest.raises(ProtocolError) as again:
        list(session.receive(C, line(3, b"c")))
    assert again.value is raised.value
    assert [event.offset for event in session.receive(S, line(1, b"A"))] == [0], "the other direction goes on"


def test_a_direction_that_has_failed_keeps_no_octets() -> None:
    session = LINES.open()
    for _ in range(3):
        with pytest.raises(ProtocolError):
            list(session.receive(C, b"\xff\xff" + bytes(100_000)))
    assert session.decoder(C).buffer.unfinished < 200_000


@given(st.integers(1, 40))
def test_a_cut_message_is_incomplete(cut: int) -> None:
    octets = line(1, b"x" * 38)
    session = LINES.open()
    assert len(list(session.receive(C, octets[:cut]))) == (cut == len(octets))
    if cut == len(octets):
        assert list(session.eof(C)) == []
    else:
        with pytest.raises(IncompleteMessage) as raised:
            list(session.eof(C))
        assert raised.value.offset == 0
    with pytest.raises(ValueError, match="has ended"):
        session.receive(C, b"x")


@given(st.integers(1, 300), st.integers(1, 90))
def test_large_messages_stream(size: int, step: int) -> None:
    """The head is the same whatever the reads, the rest is whole, and the size is known while it streams."""
    octets = line(1, b"x" * size) + line(2, b"end")
    session = LINES.open(limits=Limits(message=64, head=16))
    events = [event for at in range(0, len(octets), step) for event in session.receive(C, octets[at : at + step])]
    head = events[0]
    assert isinstance(head, Message)
    large = 3 + size > 64
    assert head.more is large
    assert len(head.raw) == (16 if large else 3 + size)
    rest = [event for event in events if isinstance(event, Data)]
    assert [event.more for event in rest] == [True] * (len(rest) - 1) + [False] * large
    assert all(event.message is head for event in rest)
    assert b"".join(event.raw for event in events) == octets


def test_the_size_of_a_large_frame_is_known_at_once() -> None:
    session = LINES.open(limits=Limits(message=64, head=1))
    (head, *_) = session.receive(C, line(1, b"x" * 200))
    assert isinstance(head, Message)
    assert (head.more, head.size, len(head.raw)) == (True, 203, 2)


def test_no_declared_size_overflows() -> None:
    class Huge(LineDecoder):
        def frame_size(self, data: bytes, at: int) -> int:
            return 1 << 70

    session = Protocol("huge", "Huge", (), Pairing.ID, Huge).open()
    with pytest.raises(LimitExceeded) as raised:
        list(session.receive(C, b"ab"))
    assert raised.value.offset == 0


def test_limits_are_named() -> None:
    session = LINES.open(limits=Limits(payload=10))
    with pytest.raises(LimitExceeded, match=r"limits\.payload = 10"):
        list(session.receive(C, line(1, b"x" * 20)))
    for name in ("head", "message", "payload", "nesting", "elements", "pending", "streams", "detection"):
        with pytest.raises(ValueError, match=name):
            Limits(**{name: 0})


def test_a_gap_forgets_what_waited_and_finds_the_next_message() -> None:
    session = LINES.open()
    list(session.receive(C, line(1, b"a") + line(2, b"b")[:3]))
    events = list(session.gap(C, 10))
    assert [type(event) for event in events] == [Opaque, Gap]
    gap = events[1]
    assert isinstance(gap, Gap)
    assert (gap.offset, gap.size, gap.resumed_at) == (7, 10, None)
    after = list(session.receive(C, b"garbage" + line(3, b"c")))
    assert [type(event) for event in after] == [Opaque, Line]
    assert gap.resumed_at == after[1].offset == 24
    assert [answer.request for answer in session.receive(S, line(1, b"A"))] == [None]  # type: ignore[attr-defined]


def test_events_before_a_gap_are_not_lost() -> None:
    session = LINES.open()
    session.receive(C, line(1, b"a"))
    assert [type(event) for event in session.gap(C, 1)] == [Line, Gap]


def test_a_proxy_keeps_the_books_of_what_it_sends() -> None:
    downstream, upstream = LINES.open(), LINES.open()
    (request,) = downstream.receive(C, line(5, b"a"))
    assert upstream.send(request) == line(5, b"a")
    (answer,) = upstream.receive(S, line(5, b"A"))
    assert isinstance(answer, Message)
    assert answer.request is request
    assert downstream.pending == 1
    assert downstream.send(answer) == line(5, b"A")
    assert downstream.pending == 0


def test_sending_what_was_received_here_changes_nothing() -> None:
    session = LINES.open()
    (request,) = session.receive(C, line(5, b"a"))
    assert session.send(request) == line(5, b"a")
    assert session.pending == 1


def test_what_a_protocol_cannot_do_is_said() -> None:
    session = LINES.open()
    (request,) = session.receive(C, line(5, b"a"))
    assert isinstance(request, Message)
    with pytest.raises(Unsupported, match="lines cannot change"):
        session.send(request, Changes({"some.name": "x"}))
    with pytest.raises(Unsupported):
        session.reply_error(request, Status.INTERNAL, "no")
    with pytest.raises(Unsupported):
        session.reply_heartbeat(request)
    (gap,) = session.gap(C, 4)
    with pytest.raises(Unsupported, match="lost"):
        session.send(gap)
    assert session.pending_output() == b""


def test_addresses_become_attributes() -> None:
    session = LINES.open(client=("192.0.2.1", 5000), server=("192.0.2.2", 9))
    (request,) = session.receive(C, line(1, b"a"))
    assert isinstance(request, Message)
    assert request.attributes == {
        "network.protocol.name": "lines",
        "network.transport": "tcp",
        "network.peer.address": "192.0.2.1",
        "network.peer.port": 5000,
        "server.address": "192.0.2.2",
        "server.port": 9,
    }


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_any_buffer_can_be_received(kind: type) -> None:
    (request,) = LINES.open().receive(C, kind(line(1, b"a")))
    assert request.raw == line(1, b"a")


class Evidence(LineDecoder):
    """A boundary that has to see twenty octets behind a zero, and counts what it is shown."""

    shown = 0
    asked = 0

    def boundary(self, octets: bytes) -> int:
        Evidence.shown += len(octets)
        Evidence.asked += 1
        at = octets.find(b"\0")
        if at < 0:
            return -1 - len(octets)
        if at + 20 > len(octets):
            self.wanted = 20
            return -1 - at
        return at


EVIDENCE = Protocol("evidence", "Evidence", (), Pairing.ID, Evidence, id_bits=8)


@pytest.mark.parametrize("most", [1, 7, 100, 1 << 20])
def test_a_boundary_is_shown_what_it_wants_and_little_more(most: int) -> None:
    said = b"x" * 3000 + line(1, b"a" * 40) + line(2, b"b")
    Evidence.shown = Evidence.asked = 0
    session = EVIDENCE.open()
    events = list(session.gap(C, 5))
    for at in range(0, len(said), most):
        events += session.receive(C, said[at : at + most])
    assert [event.operation for event in events if isinstance(event, Message)] == ["a" * 40, "b"]
    gap = events[0]
    assert isinstance(gap, Gap) and gap.resumed_at == 3005
    assert Evidence.shown <= 3000 + 2 * 256 + 20
    assert Evidence.asked <= 2 * 3000 // min(most, 256) + 5, "once for a read, and once for its end"


def test_the_end_does_not_wait_for_what_is_wanted() -> None:
    session = EVIDENCE.open()
    events = [*session.gap(C, 5), *session.receive(C, b"xx" + line(1, b"a")), *session.eof(C)]
    assert [event.raw for event in events] == [b"", b"xx", line(1, b"a")]
