"""The conformance kit catches what it is for: for each deliberate fault, the test that has to fail and what its message has to say.

A fault is a small change to one of the toy protocols of `toys`, which pass everything (`test_kit_passes`). What it inherits from says
where it goes: a decoder, a message, a session, or a function that detects.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import Phase, settings

import toys
from l7codecs import (
    AttrValue,
    Data,
    Detection,
    Event,
    FifoPairing,
    Flow,
    Headers,
    Kind,
    Limits,
    Message,
    Protocol,
    ProtocolError,
    Sender,
    Status,
    Verdict,
    put_number,
)
from l7codecs.decoder import Decoder
from l7codecs.endpoint.changes import Changes
from l7codecs.session import Session
from l7codecs.testing import ProtocolConformance, Vector
from toys import NumberedMessage, TextDecoder, ToyDecoder, ToyMessage, ToySession

C, S = Sender.CLIENT, Sender.SERVER


@dataclass
class Fault:
    name: str
    base: str
    test: str
    says: str
    change: Any
    vectors: list[Vector] | None


FAULTS: list[Fault] = []


def fault(base: str, test: str, says: str, vectors: list[Vector] | None = None) -> Callable[[Any], Any]:
    """What follows is a fault of `base`: `test` of the kit fails, with a message that `says` is found in."""

    def add(change: Any) -> Any:
        FAULTS.append(Fault(change.__name__, base, test, says, change, vectors))
        return change

    return add


def faulty(fault: Fault) -> Protocol:
    """The toy protocol with the fault in it."""
    make = {"framed": toys.framed, "numbered": toys.numbered, "text": toys.text}[fault.base]
    session: Any = {"framed": ToySession, "numbered": toys.NumberedSession, "text": toys.TextSession}[fault.base]
    change = fault.change
    if not isinstance(change, type):
        return make(detect=change)
    if issubclass(change, Message):
        change = type("Decodes", (session.decoders,), {"messages": change})
    if issubclass(change, Decoder):
        change = type("Opens", (session,), {"decoders": change})
    return make(session=change)


def kit_of(fault: Fault) -> type[ProtocolConformance]:
    numbered = fault.base == "numbered"

    class Kit(ProtocolConformance):
        protocol = faulty(fault)
        vectors = fault.vectors or (toys.TEXT_VECTORS if fault.base == "text" else toys.framed_vectors(numbered))
        golden = False

        def large(self, size: int) -> list[Vector]:
            return toys.text_large(size) if fault.base == "text" else toys.framed_large(size, numbered)

    return Kit


def run(kit: ProtocolConformance, test: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run one test of the kit, for every vector where it takes one."""
    method = getattr(kit, test)
    drawn = getattr(method.__func__, "_hypothesis_internal_use_settings", None)
    if drawn is not None:  # nobody reads what it would be shrunk to
        quick = settings(drawn, phases=(Phase.generate,), database=None)
        monkeypatch.setattr(method.__func__, "_hypothesis_internal_use_settings", quick)
    if "vector" in method.__code__.co_varnames[: method.__code__.co_argcount]:
        for vector in kit.vectors:
            method(vector)
    else:
        method()


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What grows too fast does so each time it is measured, so a few turns are enough here."""
    monkeypatch.setattr(sys.modules["l7codecs.testing.growth"], "_MOST", 3)


# ---------------------------------------------------------------------------------------------------------------- pairing


@fault("framed", "test_an_answer_finds_its_request", r"in-turns: the server's response at octet 0 has no request")
class NeverPairs(ToyDecoder):
    def pair(self, message: Message) -> None:
        pass


@fault(
    "framed",
    "test_requests_that_wait_together_are_answered_in_order",
    r"the server's response at octet 0 answers the request at octet \d+ where all requests wait together, and that at octet 0",
)
class LastInFirstOut(ToyDecoder):
    def pair(self, message: Message) -> None:
        table = self.asks if self.sender is C else self.answers
        assert isinstance(table, FifoPairing)
        if message.kind in (Kind.REQUEST, Kind.HEARTBEAT):
            table.asked(message)
        elif message.kind is Kind.RESPONSE and table.pending:
            waiting = table.waiting()
            table.clear()
            message.request = waiting.pop()
            for request in waiting:
                table.asked(request)


class BothAsk(ToyDecoder):
    """Both sides ask (h) and answer (.), and what waits longest is answered last."""

    def message(self, octets: bytes, start: int, stop: int, offset: int, more: bool) -> ToyMessage:
        kind = Kind.HEARTBEAT if octets[start + 4] == 104 else Kind.RESPONSE
        return ToyMessage(self.flow, self.sender, kind, offset, octets, start, stop, more)

    def pair(self, message: Message) -> None:
        if message.kind is Kind.HEARTBEAT:
            self.asks.asked(message)
        elif waiting := self.answers.waiting():
            self.answers.clear()
            message.request = waiting.pop()
            for request in waiting:
                self.answers.asked(request)


@fault(
    "framed",
    "test_requests_that_wait_together_are_answered_in_order",
    r"the client's response at octet 0 answers the request at octet \d+ where all requests of the server wait together",
    [Vector("the server asks", ((S, toys.frame("h", b"")), (C, toys.frame(".", b""))) * 2)],
)
class AnswersTheServerBackwards(ToySession):
    def __init__(self, flow: Flow, limits: Limits, endpoint: Sender | None = None) -> None:
        asked, other = FifoPairing(limits.pending), FifoPairing(limits.pending)
        client, server = BothAsk(flow, C, limits, asked, other), BothAsk(flow, S, limits, other, asked)
        Session.__init__(self, flow, client, server, limits, endpoint)


@fault("numbered", "test_an_answer_finds_its_request", r"together: .* has number \d+, and its request \d+")
class PairsByOrder(ToyDecoder):
    header_size = 7
    messages = NumberedMessage

    def pair(self, message: Message) -> None:
        table = self.asks if self.sender is C else self.answers
        if message.kind is not Kind.RESPONSE:
            super().pair(message)
        elif table.pending:
            message.request = table.waiting()[0]
            table.answered(message.request)


@fault("framed", "test_schema_and_attributes_agree", r"request of the client's request .* what asks answers nothing")
class AsksForItself(ToyDecoder):
    last: Message | None = None

    def pair(self, message: Message) -> None:
        super().pair(message)
        if message.kind is Kind.REQUEST and self.last is None:
            self.last = message
        elif message.kind is Kind.REQUEST and self.last is not None and self.last.request is None:
            message.request = self.last


@fault(
    "framed",
    "test_no_more_requests_are_remembered_than_the_limit_allows",
    r"\d requests are remembered, and the limit is 1",
)
class RemembersAll(ToySession):
    def __init__(self, flow: Any, limits: Any, endpoint: Sender | None = None) -> None:
        super().__init__(flow, limits, endpoint)
        for sender in Sender:
            decoder = self.decoder(sender)
            table = FifoPairing(1000)
            decoder.asks, decoder.answers = (table, table)


# ------------------------------------------------------------------------------------------------------------------ state


@fault(
    "framed",
    "test_an_answer_says_the_same_whatever_came_before",
    r"behind an answer with status NOT_FOUND, says .* 'UNKNOWN'.* state is left of the answer before",
)
class Leaks(ToyDecoder):
    """Keeps the failure of an answer for the next."""

    failed = False

    def message(self, octets: bytes, start: int, stop: int, offset: int, more: bool) -> ToyMessage:
        message = Leaky(
            self.flow,
            self.sender,
            toys.KINDS[self.sender].get(octets[start + 4], Kind.PUSH),
            offset,
            octets,
            start,
            stop,
            more,
        )
        message.leaked = self.failed
        self.failed = octets[start + 4] == 120
        return message


def kind_of(decoder: ToyDecoder, octets: bytes, start: int) -> Kind:
    return toys.KINDS[decoder.sender].get(octets[start + 4], Kind.PUSH)


class Leaky(ToyMessage):
    leaked = False

    @property
    def status(self) -> Status | None:
        return Status.UNKNOWN if self.leaked and self.kind is Kind.RESPONSE else super().status


@fault("framed", "test_concatenated", r"three times: event \d+ of the server says .* state is left of what came before")
class LeaksLater(Leaks):
    """The same, where only the next conversation shows it."""


@fault("framed", "test_sessions_share_nothing", r"beside another connection and alone: .* is ")
class SharesAmongSessions(ToyDecoder):
    failed: list[bool] = [False]  # noqa: RUF012 -- the fault

    def message(self, octets: bytes, start: int, stop: int, offset: int, more: bool) -> ToyMessage:
        message = Leaky(self.flow, self.sender, kind_of(self, octets, start), offset, octets, start, stop, more)
        message.leaked = self.failed[0]
        self.failed[0] = octets[start + 4] == 120
        return message


@fault(
    "framed",
    "test_what_is_said_does_not_depend_on_when_it_is_read",
    r"the server's response at octet \d+ says one thing when it is read later, and another at once: .*status is",
)
class ReadsTheDecoder(ToyDecoder):
    failing = False

    def message(self, octets: bytes, start: int, stop: int, offset: int, more: bool) -> ToyMessage:
        message = super().message(octets, start, stop, offset, more)
        self.failing = octets[start + 4] == 120
        lazy = Lazy(self.flow, self.sender, message.kind, offset, octets, start, stop, more)
        lazy.decoder = self
        return lazy


class Lazy(ToyMessage):
    decoder: Any = None

    @property
    def status(self) -> Status | None:
        if self.kind is not Kind.RESPONSE:
            return None
        return Status.UNKNOWN if self.decoder.failing else Status.OK

    @property
    def error(self) -> str | None:
        return "FAILED" if self.kind is Kind.RESPONSE and self.decoder.failing else None


@fault(
    "framed",
    "test_what_is_answered_is_forgotten",
    r"in-turns: a session holds \d+ octets more .* keep the messages that were answered",
)
class KeepsAll(ToyDecoder):
    kept: Any = None

    def pair(self, message: Message) -> None:
        super().pair(message)
        self.kept = self.kept or []
        self.kept.append(message)


# ------------------------------------------------------------------------------------------------------------------- gaps


@fault("framed", "test_decoding_goes_on_at_a_message", r"boundary finds a message at octet \d+, where none begins")
class BoundaryOffByOne(ToyDecoder):
    def boundary(self, octets: bytes) -> int:
        at = super().boundary(octets)
        return at + 1 if 0 <= at < len(octets) - 1 else at


@fault(
    "framed",
    "test_a_boundary_is_inside_of_its_octets",
    r"boundary of octets \d+ to \d+ of the client answers \d+: there are but \d+",
)
class BoundaryBeyond(ToyDecoder):
    def boundary(self, octets: bytes) -> int:
        at = super().boundary(octets)
        return len(octets) if at >= 0 else at


@fault(
    "framed",
    "test_decoding_goes_on_at_a_message",
    r"the plugin is at fault, of the client: .* a boundary at index \d+ of \d+ octets",
)
class BoundaryFarBeyond(ToyDecoder):
    def boundary(self, octets: bytes) -> int:
        return len(octets) + 5


@fault("framed", "test_a_boundary_is_found", r"boundary finds no message in any of 3 vectors of the client")
class BoundaryNowhere(ToyDecoder):
    def boundary(self, octets: bytes) -> int:
        return -1 - len(octets)


@fault("framed", "test_behind_a_gap_any_split", r"in reads of \[1\] and whole: ")
class BoundaryByWhatIsThere(ToyDecoder):
    def boundary(self, octets: bytes) -> int:
        return super().boundary(octets) if len(octets) > 12 else -1 - len(octets)


@fault(
    "text",
    "test_decoding_goes_on_at_a_message",
    r"does restart forget all of the message in progress|of octets that are right",
)
class RestartForgetsTheBlock(TextDecoder):
    def restart(self) -> None:
        words, left = self.words, self.left
        super().restart()
        self.words, self.left = words, left


# ----------------------------------------------------------------------------------------------------------------- octets


@fault(
    "framed",
    "test_a_vector_decodes_whole",
    r"the client's request at octet \d+ is b'.*', not the octets|its offset is that of others|of its",
)
class OctetsOverlap(ToyDecoder):
    def message(self, octets: bytes, start: int, stop: int, offset: int, more: bool) -> ToyMessage:
        message = super().message(octets, start, stop, offset, more)
        message.start = max(0, start - 1)
        return message


@fault(
    "framed",
    "test_a_vector_decodes_whole",
    r"comes where octet \d+ is due: octets between them belong to no event|belong to no event",
)
class OctetsMiss(ToyDecoder):
    def message(self, octets: bytes, start: int, stop: int, offset: int, more: bool) -> ToyMessage:
        return super().message(octets, start, stop - 1, offset, more)


@fault(
    "framed", "test_a_vector_decodes_whole", r"in-turns: the client's request at octet 0 comes where octet 15 is due"
)
class OffsetsInTheRead(ToyDecoder):
    def message(self, octets: bytes, start: int, stop: int, offset: int, more: bool) -> ToyMessage:
        return super().message(octets, start, stop, 0, more)


@fault(
    "framed",
    "test_send_without_changes_returns_the_octets",
    r"send of the client's request at octet 0 returns b'.*', and its octets are",
)
class SendsOtherOctets(ToySession):
    def send_message(self, message: Message, changes: Changes | None) -> bytes:
        return super().send_message(message, changes).lower()


@fault(
    "framed",
    "test_the_end_inside_a_message_is_told",
    r"it stands inside a message, and what is raised is None, not IncompleteMessage",
)
class NeverUnfinished(ToyDecoder):
    def unfinished(self) -> bool:
        return False


@fault(
    "framed",
    "test_events_come_as_soon_as_they_are_complete",
    r"is complete with 15 octets, and does not come with the last of them",
)
class ComesLate(ToyDecoder):
    held: Event | None = None

    def next_event(self) -> Event | None:
        event, self.held = self.held, None
        waits = not self.buffer.available and not self.ended
        if event is None:
            event = super().next_event()
            waits = not self.buffer.available and not self.ended
        if waits:
            self.held, event = event, None
        return event


@fault("framed", "test_octet_by_octet", r"octet by octet and .*: event 0 of the server, .* is ")
class OrderByTheRead(ToyDecoder):
    held: Event | None = None

    def next_event(self) -> Event | None:
        event = super().next_event()
        if event is not None and self.held is None and self.buffer.available and self.sender is S:
            self.held, event = event, super().next_event()
        elif event is None:
            self.held, event = None, self.held
        return event


@fault("framed", "test_octet_by_octet", r"event 0 of the client, message and message: attributes is .* and ")
class SizeOfTheRead(ToyMessage):
    def collect(self, attributes: dict[str, AttrValue]) -> None:
        super().collect(attributes)
        if self.sender is C:
            attributes["toy.size"] = len(self.octets)


# -------------------------------------------------------------------------------------------------------- errors and more


@fault(
    "framed",
    "test_mutated_vectors",
    r"decoding the (client|server)'s octets raises IndexError\(.* nothing but ProtocolError",
)
class IndexErrorInDecoding(ToyDecoder):
    def message(self, octets: bytes, start: int, stop: int, offset: int, more: bool) -> ToyMessage:
        if octets[start + 4] not in toys.KINDS[self.sender]:
            octets[stop + 10_000_000]
        return super().message(octets, start, stop, offset, more)


@fault(
    "framed",
    "test_a_vector_decodes_whole",
    r"reading resources of the client's (request|heartbeat) at octet \d+ raises IndexError",
)
class IndexErrorInReading(ToyMessage):
    @property
    def resources(self) -> tuple[str | bytes, ...]:
        return (self.payload.split(b" ")[1],) if self.sender is C else ()


@fault(
    "framed", "test_large_messages_stream|test_mutated_vectors|test_a_vector_decodes_whole", r"raises RecursionError"
)
class RecursesByInput(ToyDecoder):
    def message(self, octets: bytes, start: int, stop: int, offset: int, more: bool) -> ToyMessage:
        self.descend(octets, start + 5, stop, 0)
        return super().message(octets, start, stop, offset, more)

    def descend(self, octets: bytes, at: int, stop: int, depth: int) -> int:
        return self.descend(octets, at + 1, stop, depth + 1) if at < stop else depth


@fault(
    "text",
    "test_mutated_vectors",
    r"octet by octet and whole: error of the (client|server): ProtocolError\(\d+, .* and ProtocolError",
)
class ErrorWhereTheReadBegins(TextDecoder):
    def fail(self, at: int, seen: str, expected: str, spec: str = "") -> Any:
        raise ProtocolError(self.buffer.base, seen, expected, spec)


@fault(
    "framed",
    "test_a_vector_decodes_whole",
    r"the plugin is at fault, of the client: .*events in a row without an octet",
)
class StandsStill(ToyDecoder):
    def next_event(self) -> Event | None:
        if self.buffer.available:
            return Message(self.flow, self.sender, Kind.CONTROL, self.buffer.message_offset, b"", 0, 0)
        return None


@fault(
    "framed",
    "test_limits_hold",
    r"\d+ octets of the client wait to become an event, with Limits",
    [Vector("long", ((C, toys.frame("?", b"SET " + b"k" * 600)), (S, toys.frame(".", b""))))],
)
class NoLimit(ToyDecoder):
    def next_event(self) -> Event | None:
        buffer = self.buffer
        if not buffer.need(5):
            return None
        size = self.frame_size(buffer.data, buffer.pos)
        if not buffer.need(size):
            return None
        buffer.pass_over(size)
        message = self.message(
            buffer.message(), buffer.message_start(), buffer.message_start() + size, buffer.message_offset, False
        )
        buffer.finish()
        self.pair(message)
        return message


# --------------------------------------------------------------------------------------------------------------- messages


class NoStatus(ToyMessage):
    @property
    def status(self) -> Status | None:
        return None


fault(
    "framed",
    "test_schema_and_attributes_agree",
    r"status of the server's response at octet 0 in in-turns is None: an answer has an outcome",
)(NoStatus)


@fault(
    "framed",
    "test_large_messages_stream",
    r"status of the server's response at octet 0 is None, to the end of its Data",
)
class NoStatusOfWhatStreams(ToyMessage):
    @property
    def status(self) -> Status | None:
        return None if self.more else super().status


@fault("framed", "test_schema_and_attributes_agree", r"status of the server's response .* is OK, and error 'NOT_FOUND'")
class OkForAnError(ToyMessage):
    @property
    def status(self) -> Status | None:
        return Status.OK if self.kind is Kind.RESPONSE else None


@fault("framed", "test_schema_and_attributes_agree", r"status of the client's request .* what asks has no outcome")
class StatusOfARequest(ToyMessage):
    @property
    def status(self) -> Status | None:
        return Status.OK if not self.failed else super().status


@fault(
    "framed",
    "test_schema_and_attributes_agree",
    r"attribute toy.size of the client's request at octet 0 in in-turns is '10', not int",
)
class AttributeOfAnotherType(ToyMessage):
    def collect(self, attributes: dict[str, AttrValue]) -> None:
        super().collect(attributes)
        if self.sender is C:
            attributes["toy.size"] = str(attributes["toy.size"])


@fault(
    "framed",
    "test_schema_and_attributes_agree",
    r"attribute user of the client's request .* is not in the schema of framed",
)
class PeersNameAttributes(ToyMessage):
    def collect(self, attributes: dict[str, AttrValue]) -> None:
        super().collect(attributes)
        if self.sender is C and b":" in self.payload:
            attributes[self.payload.split()[1].split(b":")[0].decode()] = "forged"


@fault(
    "framed",
    "test_schema_and_attributes_agree",
    r"attribute toy.size of the server's .* is one of the client alone in the schema",
)
class AttributeOfTheOtherSide(ToyMessage):
    def collect(self, attributes: dict[str, AttrValue]) -> None:
        super().collect(attributes)
        attributes["toy.size"] = 1


@fault(
    "framed",
    "test_schema_and_attributes_agree",
    r"resource of the client's request .* is b?'other', and resources are \(",
)
class AnotherResource(ToyMessage):
    @property
    def resource(self) -> str | bytes | None:
        return "other"


@fault(
    "framed",
    "test_schema_and_attributes_agree",
    r"resource_at of the client's request .* is 0, where b'' stands, and resource is",
)
class AnotherPlace(ToyMessage):
    @property
    def resource_at(self) -> int:
        return 0


@fault(
    "framed", "test_schema_and_attributes_agree", r"access of the client's request .* is 'read', and l7.access is None"
)
class AnotherAccess(ToyMessage):
    @property
    def access(self) -> str | None:
        return "read"


@fault("framed", "test_schema_and_attributes_agree", r"resources of the client's request .* have 1, not str or bytes")
class ResourcesOfNumbers(ToyMessage):
    @property
    def resources(self) -> tuple[str | bytes, ...]:
        return tuple(1 for _ in super().resources)  # type: ignore[misc]


@fault(
    "framed",
    "test_schema_and_attributes_agree",
    r"header n of the client's request .* is nan, not str, .* or a finite float",
)
class HeadersOfNoNumber(ToyMessage):
    @property
    def headers(self) -> Headers:
        return Headers([("t", "x"), ("o", b"x"), ("i", 1), ("b", True), ("f", 0.5), ("n", float("nan"))])


@fault("framed", "test_a_vector_decodes_whole", r"raw of the client's request at octet 0 is b'.*', not the octets b'")
class ReadingChangesRaw(ToyMessage):
    def collect(self, attributes: dict[str, AttrValue]) -> None:
        super().collect(attributes)
        self.octets = self.octets[: self.start] + self.raw.lower() + self.octets[self.stop :]


@fault(
    "numbered",
    "test_schema_and_attributes_agree",
    r"request_id of the client's request .* is 65537, wider than the 16 bits of id_bits",
)
class NumberTooWide(NumberedMessage):
    @property
    def request_id(self) -> int | None:
        return (super().request_id or 0) + 65536


@fault(
    "framed",
    "test_what_waits_lets_go_of_its_read",
    r"in-turns, .*detach changes what the message says|detach.*: operation is|raises",
)
class DetachBreaksIndexes(ToyMessage):
    def detach(self) -> bool:
        self.keep_own()
        return True


@fault("framed", "test_what_waits_lets_go_of_its_read", r"detach is missing: a request that waits keeps the whole read")
class DetachMissing(ToyMessage):
    def detach(self) -> bool:
        return False


@fault("framed", "test_what_waits_lets_go_of_its_read", r"detach has to call keep_own: octets are ")
class DetachKeepsTheRead(ToyMessage):
    def detach(self) -> bool:
        return True


# --------------------------------------------------------------------------------------------------------------- streaming


@fault(
    "framed",
    "test_large_messages_stream",
    r"is announced with more, and nothing ends it: the last Data has more=False|events",
)
class MoreWithoutTheLast(ToyDecoder):
    def next_event(self) -> Event | None:
        event = super().next_event()
        if isinstance(event, Data) and not event.more:
            return Data(event.message, event.offset, event.raw, True)
        return event


@fault(
    "framed",
    "test_a_vector_decodes_whole|test_large_messages_stream",
    r"continues the (client|server)'s .*: a stale head|which is not announced with more",
)
class StaleHead(ToyDecoder):
    first: Message | None = None

    def next_event(self) -> Event | None:
        event = super().next_event()
        if isinstance(event, Message) and self.first is None:
            self.first = event
        if isinstance(event, Data) and self.first is not None:
            stale = Data(self.first, event.offset, event.raw, event.more)
            return stale
        return event

    def message(self, octets: bytes, start: int, stop: int, offset: int, more: bool) -> ToyMessage:
        self.first = self.first or super().message(octets, start, stop, offset, False)
        return super().message(octets, start, stop, offset, more)


@fault(
    "framed",
    "test_large_messages_stream",
    r"\d+ octets wait to become an event, with Limits|is not announced with more",
)
class BuffersWhatIsLarge(NoLimit):
    pass


# ------------------------------------------------------------------------------------------------------- memory and time


@fault(
    "framed",
    "test_memory_follows_the_octets_received",
    r"decoding takes \d+ octets of memory, at most \d+ may be: is something allocated by a declared length or count",
)
class AllocatesWhatIsDeclared(ToyDecoder):
    room: bytearray = bytearray()

    def frame_size(self, data: bytes, at: int) -> int:
        size = super().frame_size(data, at)
        if size < self.limits.message:
            self.room = bytearray(size)
        return size


@fault(
    "text", "test_a_large_message_costs_linear_time", r"a large value, in reads of 256: \d+ octets take [\d.]+ times as"
)
class Copies(TextDecoder):
    """Adds each read to what it has of a block."""

    block = b""

    def next_event(self) -> Event | None:
        if self.left and self.words and self.head is None and self.buffer.available:
            self.block += b"." * self.buffer.available
        event = super().next_event()
        if event is not None:
            self.block = b""
        return event


@fault(
    "text",
    "test_a_large_message_costs_linear_time",
    r"a long line, in reads of 256: \d+ octets take [\d.]+ times as long as \d+",
)
class LooksAgain(TextDecoder):
    """Looks for the line's end from its start at each read."""

    seen = b""

    def line(self) -> list[bytes] | None:
        held = self.buffer.available
        while len(self.seen) > held:
            self.seen = b""
        if held > len(self.seen):
            self.seen = bytes(held)
            if self.seen.find(b"\n") >= 0:
                return None
        words = super().line()
        if words is not None:
            self.seen = b""
        return words


@fault(
    "framed",
    "test_octets_one_by_one_cost_linear_time",
    r"in-turns, octet by octet: \d+ octets take [\d.]+ times as long as \d+",
)
class LooksAtAllThatCame(ToyDecoder):
    came: Any = None

    def pair(self, message: Message) -> None:
        super().pair(message)
        self.came = self.came or []
        self.came.append(message.offset)
        for _ in range(4):
            sorted(self.came, key=lambda offset: -offset)


@fault("framed", "test_a_gap_costs_linear_time", r"reads of \d+: four times the octets take")
class BoundaryLooksAgain(ToyDecoder):
    def boundary(self, octets: bytes) -> int:
        bytes(2 * self.passed).find(b"nothing of this sort")
        return -1 - len(octets)


# -------------------------------------------------------------------------------------------------------------- detection


@fault("framed", "test_detection_is_monotone", r"detect said yes, which is final, and says no of ")
def detects_yes_and_then_no(client: bytes, server: bytes) -> Detection:
    found = toys.detect(client, server)
    return Detection(Verdict.NO) if found.verdict is Verdict.YES and len(client) > 20 else found


@fault("framed", "test_detection_is_monotone", r"in-turns: a conversation of this protocol is denied")
def detects_nothing(client: bytes, server: bytes) -> Detection:
    return Detection(Verdict.NO)


@fault(
    "framed",
    "test_detection_is_total_and_monotone|test_detection_is_monotone",
    r"detect of b'.*' and b'' raises IndexError",
)
def detects_with_an_index(client: bytes, server: bytes) -> Detection:
    return toys.detect(client, server) if client[4] else Detection(Verdict.NO)


@fault("framed", "test_detection_says_what_it_waits_for", r"in-turns: it waits for the client: Detection\(…, needs=…\)")
def detects_without_saying_for_what_it_waits(client: bytes, server: bytes) -> Detection:
    found = toys.detect(client, server)
    return Detection(found.verdict, found.score, found.reason)


@fault("framed", "test_detection_is_monotone", r"has the score 150, not 0 to 100")
def detects_too_well(client: bytes, server: bytes) -> Detection:
    found = toys.detect(client, server)
    return Detection(found.verdict, 150, found.reason, found.needs)


@fault(
    "framed",
    "test_detection_costs_linear_time",
    r"of the (client|server): detect takes [\d.]+ times as long for four times the octets",
)
def detects_slowly(client: bytes, server: bytes) -> Detection:
    for at in range(0, len(client + server), 8):
        (client + server)[at:].find(b"\xfe\xfe")
    return toys.detect(client, server)


# -------------------------------------------------------------------------------------------------------------- endpoints


@fault(
    "framed",
    "test_answers_come_in_an_order_that_the_client_understands",
    r"answers are given in the order \[.*\]: of request \d of \d .* the order of answers",
)
class WritesAnswersAsTheyCome(ToySession):
    def send_message(self, message: Message, changes: Changes | None) -> bytes:
        self.sent(message)
        return message.raw


@fault(
    "numbered",
    "test_an_answer_that_comes_late_is_swallowed",
    r"an answer to the client's request .* is written, which reply_error has answered",
)
class WritesWhatComesLate(toys.NumberedSession):
    def send(self, event: Event, changes: Changes | None = None) -> bytes:
        return super().send(event, changes) or event.raw


@fault(
    "framed",
    "test_an_answer_that_comes_late_is_swallowed",
    r"reply_error raises Unsupported \(.*\): write it, or name it in `unsupported`",
)
class CannotRefuse(ToySession):
    def reply_error(self, request: Message, status: Status, text: str) -> bytes:
        return super(ToySession, self).reply_error(request, status, text)


@fault(
    "framed",
    "test_an_answer_that_comes_late_is_swallowed",
    r"the client receives (0|2) answers|unanswered|an answer to nothing|is written, which",
)
class RefusesWithoutTheBooks(ToySession):
    def reply_error(self, request: Message, status: Status, text: str) -> bytes:
        return self.error_reply(request, status).raw


@fault("framed", "test_a_request_is_refused_once", r"reply_error answers the client's request at octet 0 a second time")
class RefusesTwice(ToySession):
    def reply_error(self, request: Message, status: Status, text: str) -> bytes:
        return self.flush(self.error_reply(request, status).raw)


@fault("framed", "test_what_is_written_while_paused_waits", r"is written while the session is paused")
class WritesWhilePaused(ToySession):
    def _pause(self, paused: bool) -> None:
        pass


@fault(
    "framed", "test_what_the_server_leaves_unanswered_is_told", r"unanswered is \[.*\], and sent and not answered were"
)
class ForgetsWhoAsked(ToySession):
    def unanswered(self) -> list[Message]:
        return super().unanswered()[1:]


@fault("framed", "test_what_the_server_leaves_unanswered_is_told", r"abandoned returns \[.*\] a second time")
class AbandonsTwice(ToySession):
    def abandoned(self) -> list[Message]:
        left = super().abandoned()
        for request in left:
            self.decoder(C).asks.asked(request)
        return left


@fault(
    "framed",
    "test_what_waits_has_a_cap",
    r"\d+ octets wait in a session that is paused, more than 8 times limits.queued",
)
class HoldsWithoutEnd(ToySession):
    def __init__(self, flow: Any, limits: Any, endpoint: Sender | None = None) -> None:
        super().__init__(flow, replace(limits, queued=2**40), endpoint)


@fault(
    "framed",
    "test_a_request_that_is_given_up_yields_nothing",
    r"unanswered is \[.*\], behind cancel of|is told of the client's request at octet 0, which was given up with cancel",
)
class CannotGiveUp(ToySession):
    def cancel(self, request: Message) -> bytes:
        return b""


@fault(
    "numbered",
    "test_many_clients_share_a_connection_to_a_server",
    r"client 1 of two .* (number|receives)|of requests of two clients|wrong",
)
class WritesAnotherNumber(NumberedMessage):
    def renumbered(self, number: int) -> bytes:
        return put_number(self.raw, 5, 2, 9)


@fault("framed", "test_the_requests_that_wait_have_a_cap", r"a request is refused behind \d+ .* full had not been told")
class RefusesBeforeItIsFull(ToySession):
    @property
    def full(self) -> bool:
        return False


@fault(
    "framed",
    "test_what_streams_is_named_while_others_wait",
    r"streaming is \[\] while the client's request at octet 0 is written",
)
class NamesNothingThatStreams(ToySession):
    def streaming(self) -> list[Message]:
        return []


@fault("text", "test_what_streams_is_named_while_others_wait", r"streaming is \[.*\] behind the end of the client's")
class NamesWhatHasEnded(toys.TextSession):
    named: Any = ()

    def streaming(self) -> list[Message]:
        self.named = super().streaming() or self.named
        return list(self.named)


@fault(
    "numbered",
    "test_whoever_leaves_inside_of_a_message_holds_up_nobody",
    r"unanswered of the session that receives the client's .* who would give it up",
)
class ListsNothingHalfSent(toys.NumberedSession):
    def unanswered(self) -> list[Message]:
        return [each for each in super().unanswered() if not each.more]


@fault(
    "framed",
    "test_whoever_leaves_inside_of_a_message_holds_up_nobody",
    r"behind cancel of the client's .* is not written, and closing is not set|streaming is \[.*\] behind cancel",
)
class GoesOnWaitingForWhoLeft(ToySession):
    def cancel(self, request: Message) -> bytes:
        return b"" if request.more else super().cancel(request)

    def streaming(self) -> list[Message]:
        return []


@fault("framed", "test_a_server_that_breaks_the_protocol_is_told_at_once", r"closing is not set behind LimitExceeded")
class TellsOfAnErrorLate(ToySession):
    told = False

    @property
    def closing(self) -> bool:
        return super().closing and self.told

    def pending_output(self) -> bytes:
        self.told = self.decoder(S).error is not None
        return super().pending_output()


@fault(
    "framed",
    "test_what_was_answered_here_is_not_abandoned",
    r"abandoned is \[.*\], and reply_error has answered the client's request",
)
class AbandonsWhatIsAnswered(ToySession):
    def reply_error(self, request: Message, status: Status, text: str) -> bytes:
        octets = super().reply_error(request, status, text)
        request.settled = False
        return octets


# ------------------------------------------------------------------------------------------------------------------ tests


@pytest.mark.parametrize("each", FAULTS, ids=lambda each: each.name)
def test_the_kit_catches(each: Fault, monkeypatch: pytest.MonkeyPatch) -> None:
    kit = kit_of(each)()
    said = []
    for test in each.test.split("|"):
        try:
            run(kit, test, monkeypatch)
        except AssertionError as error:
            said.append("\n".join([str(error), *getattr(error, "__notes__", [])]))
    assert said, f"{each.test} passes"
    assert any(re.search(each.says, text, re.DOTALL) for text in said), said


def test_there_are_enough_faults() -> None:
    assert len(FAULTS) >= 50 and len({each.name for each in FAULTS}) == len(FAULTS)
