"""What waits for an answer keeps its own octets at most, whatever the reads were, and is bounded in octets."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from growth import grown
from l7codecs import (
    AnswerOrder,
    Detection,
    FifoPairing,
    Flow,
    FramedDecoder,
    Kind,
    LimitExceeded,
    Limits,
    Message,
    Pairing,
    PairingTable,
    Protocol,
    Sender,
    Session,
    Verdict,
)
from l7codecs.pairing.lanes import LanePairing
from l7codecs.pairing.numbering import StrictPairing
from l7codecs.pairing.quiet import QuietPairing
from toys import NumberedMessage
from toys import frame as toy_frame

C, S = Sender.CLIENT, Sender.SERVER
READ = 64 * 1024
INFLATED = 100_000


class Plain(Message):
    """A message that keeps no index, and whose author says so."""

    @property
    def request_id(self) -> int:
        return self.octets[self.start + 5]

    @property
    def stream_id(self) -> int:
        return self.octets[self.start + 5]

    @property
    def operation(self) -> str | None:
        return f"op {self.request_id}"

    def detach(self) -> bool:
        self.keep_own()
        return True

    def shortened(self, size: int) -> Message:
        octets = self.octets[self.start : self.start + size]
        return Plain(self.flow, self.sender, self.kind, self.offset, octets, 0, len(octets), True)


class Unaware(Plain):
    """A message whose author has not heard of it."""

    detach = Message.detach
    shortened = Message.shortened


class Toy(FramedDecoder):
    """kind(1) length(4) id(1) and what the length says."""

    header_size = 6
    made: type[Message] = Plain

    def frame_size(self, data: bytes, at: int) -> int:
        return 6 + int.from_bytes(data[at + 1 : at + 5], "big")

    def message(self, octets: bytes, start: int, stop: int, offset: int, more: bool) -> Message:
        kind = {0x3F: Kind.REQUEST, 0x21: Kind.RESPONSE}.get(octets[start], Kind.CONTROL)
        return self.made(self.flow, self.sender, kind, offset, octets, start, stop, more)


class UnawareToy(Toy):
    made = Unaware


class Inflated(Plain):
    """A message of a few octets that its room makes many of."""

    def __init__(
        self,
        flow: Flow,
        sender: Sender,
        kind: Kind,
        offset: int,
        octets: bytes,
        start: int,
        stop: int,
        more: bool,
        request: Message | None = None,
    ) -> None:
        super().__init__(flow, sender, kind, offset, octets, start, stop, more, request)
        self.plain = bytes(INFLATED)
        self.kept += INFLATED


class InflatedToy(Toy):
    made = Inflated


def toy(pairing: Pairing, decoder: type[Toy] = Toy) -> Protocol:
    return Protocol(
        name="toy", title="Toy", decoder=decoder, detect=lambda client, server: Detection(Verdict.NO), ports=(), pairing=pairing,
        specification="none", attributes=(),
    )  # fmt: skip


def frame(kind: bytes, number: int, size: int = 0) -> bytes:
    return kind + size.to_bytes(4, "big") + bytes([number & 255]) + b"x" * size


PAIRINGS = pytest.mark.parametrize("pairing", [Pairing.FIFO, Pairing.ID, Pairing.STREAM])


@PAIRINGS
def test_a_tiny_request_in_a_large_read_keeps_no_read(pairing: Pairing) -> None:
    session = toy(pairing).open(limits=Limits(waiting=256 * 1024))
    answers = []

    def ask() -> Iterator[object]:
        for number in range(200):
            yield from session.receive(C, frame(b"?", number, 10) + frame(b".", 0, READ))

    assert grown(ask()) < 600_000  # 13 MB of reads
    for number in range(200):
        answers += session.receive(S, frame(b"!", number))
    assert [answer.request.operation for answer in answers] == [f"op {number}" for number in range(200)]
    assert session.pending == (0 if pairing is not Pairing.STREAM else 200)


@PAIRINGS
def test_large_requests_that_wait_are_bounded_in_octets(pairing: Pairing) -> None:
    session = toy(pairing).open(limits=Limits(waiting=1024 * 1024))

    def ask() -> Iterator[object]:
        for number in range(200):
            yield from session.receive(C, frame(b"?", number, 100_000))

    assert grown(ask()) < 2_600_000  # 20 MB were asked
    assert session.pending == 200
    answers = []
    for number in range(200):
        answers += session.receive(S, frame(b"!", number))
    requests = [answer.request for answer in answers]
    assert [request.operation for request in requests] == [f"op {number}" for number in range(200)]
    assert [request.offset for request in requests] == [number * 100_006 for number in range(200)]
    whole = [not request.more for request in requests]
    assert whole[:10] == [True] * 10 and sum(whole) == whole.index(False) + (
        pairing is Pairing.FIFO
    )  # the last one too


@PAIRINGS
def test_what_requests_inflate_to_counts(pairing: Pairing) -> None:
    session = toy(pairing, InflatedToy).open(limits=Limits(waiting=1024 * 1024))

    def ask() -> Iterator[object]:
        for number in range(200):
            yield from session.receive(C, frame(b"?", number, 2_000))

    assert grown(ask()) < 2_600_000  # they inflate to 20 MB
    answers = [event for number in range(200) for event in session.receive(S, frame(b"!", number))]
    assert [answer.request.operation for answer in answers] == [f"op {number}" for number in range(200)]


@pytest.mark.parametrize("table", ["in order", "by number", "quiet", "lanes"])
def test_an_endpoint_is_full_of_what_requests_inflate_to(table: str) -> None:
    limits = Limits(waiting=10 * INFLATED)
    waiting: PairingTable = FifoPairing(1_000, True, limits.waiting)
    if table == "by number":
        waiting = StrictPairing(limits, 32, False, True)
    elif table == "quiet":
        waiting = QuietPairing(1_000, lambda _: False, lambda _request, _answer: 1, limits.waiting, True)
    elif table == "lanes":
        waiting = LanePairing(1_000, 2 * limits.waiting, False)
    flow = Flow("toy")
    for number in range(100):
        request = Inflated(flow, C, Kind.REQUEST, 0, frame(b"?", number, 100), 0, 106, False)
        assert waiting.full is (number >= 10)
        if waiting.exhausted:
            assert number >= 80
            break
        if isinstance(waiting, LanePairing):
            waiting.ask_in_order(request)
        else:
            waiting.asked(request)
    else:
        pytest.fail("it takes all")
    for request in waiting.waiting():
        in_order = waiting.by_order if isinstance(waiting, LanePairing) else waiting
        in_order.answered(Plain(flow, S, Kind.RESPONSE, 0, request.octets, 0, 106, False, request))
    assert waiting.pending == 0 and not waiting.full


def test_what_is_doubted_is_bounded_by_what_it_inflates_to() -> None:
    """Calls that may never be answered."""
    waiting = StrictPairing(Limits(waiting=10 * INFLATED), 32, False, True, True)
    flow = Flow("toy")

    def ask() -> Iterator[object]:
        for number in range(200):
            request = Inflated(flow, C, Kind.REQUEST, 0, frame(b"?", number, 100), 0, 106, False)
            waiting.asked(request)
            yield request

    assert grown(ask()) < 22 * INFLATED


def test_a_number_that_was_forgotten_is_given_to_nobody_else() -> None:
    """Calls that may never be answered: the answer to one that was forgotten may still come."""
    waiting = StrictPairing(Limits(pending=4), 16 + 1, False, True, True)
    flows = Flow("toy"), Flow("toy")
    asked = [
        NumberedMessage(flows[0], C, Kind.REQUEST, 0, toy_frame("?", b"GET", n), 0, 10, False) for n in range(1, 25)
    ]
    for each in asked:
        assert waiting.asks(each, each) is None  # one client alone keeps its numbers
    assert waiting.forgotten > 0
    other = NumberedMessage(flows[1], C, Kind.REQUEST, 0, toy_frame("?", b"GET", 1), 0, 10, False)
    octets = waiting.asks(other, other)
    assert octets is not None and int.from_bytes(octets[5:7]) not in range(25)


def test_what_waits_to_be_written_counts_what_it_inflates_to() -> None:
    waiting = FifoPairing(1_000, strict=True)
    order = AnswerOrder(waiting, Limits(queued=10 * INFLATED))
    flow = Flow("toy")
    requests = [Plain(flow, C, Kind.REQUEST, 0, frame(b"?", number), 0, 6, False) for number in range(100)]
    for request in requests:
        waiting.asked(request)
    octets = frame(b"!", 7)
    count = 0

    def answer() -> Iterator[object]:
        nonlocal count
        with contextlib.suppress(LimitExceeded):
            for request in requests[1:]:
                made = Inflated(flow, S, Kind.RESPONSE, 0, octets, 0, 6, False, request)
                assert order.full is (count >= 10)
                yield order.answer(request, made, octets)
                count += 1

    assert grown(answer()) < 83 * INFLATED and count == 79
    order = AnswerOrder(waiting, Limits(queued=10 * INFLATED))
    for number in (2, 1):
        made = Inflated(flow, S, Kind.RESPONSE, 0, octets, 0, 6, False, requests[number])
        assert order.answer(requests[number], made, octets) == b""
    assert order.queued == 2 * (INFLATED + 6)
    first = Plain(flow, S, Kind.RESPONSE, 0, octets, 0, 6, False, requests[0])
    assert order.answer(requests[0], first, octets) == octets * 3 and order.queued == 0


@PAIRINGS
def test_the_caller_s_own_events_stay_as_they_are(pairing: Pairing) -> None:
    session = toy(pairing).open(limits=Limits(waiting=10_000))
    octets = b"".join(frame(b"?", number, 5_000) + frame(b".", 0, 5) for number in range(50))
    events = [event for at in range(0, len(octets), 7_001) for event in session.receive(C, octets[at : at + 7_001])]
    assert b"".join(event.raw for event in events) == octets
    assert not any(event.more for event in events)


@PAIRINGS
def test_whose_author_has_not_heard_of_it_is_forgotten_past_the_limit(pairing: Pairing) -> None:
    """It pairs with nothing, rather than with another."""
    session = toy(pairing, UnawareToy).open(limits=Limits(waiting=20_000))
    requests = [event for number in range(10) for event in session.receive(C, frame(b"?", number, 5_000))]
    answers = [event for number in range(10) for event in session.receive(S, frame(b"!", number))]
    paired = [answer.request for answer in answers]
    assert paired[:3] == requests[:3]
    assert all(found is None or found is request for found, request in zip(paired, requests, strict=True))
    assert paired.count(None) >= 5


def test_an_early_answer_keeps_no_read() -> None:
    limits = Limits()
    waiting = FifoPairing(1_000, strict=True)
    order = AnswerOrder(waiting, limits)
    flow = Flow("toy")
    requests = [Plain(flow, C, Kind.REQUEST, 0, frame(b"?", number), 0, 6) for number in range(300)]
    for request in requests:
        waiting.asked(request)

    def answer() -> Iterator[object]:
        for request in requests[1:]:
            read = frame(b"!", 7) + bytes(READ)
            yield order.answer(request, Plain(flow, S, Kind.RESPONSE, 0, read, 0, 6, False, request), read[:6])

    assert grown(answer()) < 500_000  # 19 MB of reads
    first = Plain(flow, S, Kind.RESPONSE, 0, frame(b"!", 7), 0, 6, False, requests[0])
    assert order.answer(requests[0], first, first.raw) == frame(b"!", 7) * 300


def test_who_forgets_nothing_refuses() -> None:
    waiting = FifoPairing(1_000, strict=True, octets=10_000)
    flow = Flow("toy")
    for number in range(1_000):
        request = Plain(flow, C, Kind.REQUEST, number, frame(b"?", number, 994), 0, 1_000)
        assert waiting.full is (number >= 10)
        if number > 80:
            assert waiting.exhausted
            with pytest.raises(LimitExceeded, match=r"at most 8 times limits.waiting = 10000"):
                waiting.asked(request)
            break
        waiting.asked(request)
    else:
        pytest.fail("it never refused")
    for _ in range(75):
        waiting.pop()
    assert not waiting.full and waiting.pending == 6


def test_a_session_that_waits_for_nothing_keeps_nothing() -> None:
    session: Session = toy(Pairing.FIFO).open()

    def talk() -> Iterator[object]:
        for number in range(50):
            yield from session.receive(C, frame(b"?", number, 10) + frame(b".", 0, READ))
            yield from session.receive(S, frame(b"!", number) + frame(b".", 0, READ))

    assert grown(talk()) < 20_000
