"""What the tests of endpoints are made of: a client and a server of the protocol, joined back to back.

The kit plays both sides with sessions of the protocol itself, so that whatever they owe each other (prefaces, acknowledgements, credit)
is exchanged as on a wire, and takes requests and answers from the vectors:

    a vector's request ──send──▶ client session ══octets══▶ server session ──receive──▶ the request, as a server sees it
    its answer, for it ◀─receive── client session ◀══octets══ server session ◀──send── a vector's answer
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from l7codecs import Limits, Pairing
from l7codecs.errors import Unsupported
from l7codecs.kinds import Kind, Sender, Status
from l7codecs.message import Data, Event, Message
from l7codecs.session import Session
from l7codecs.testing.conformance.base import ConformanceBase
from l7codecs.testing.replay import place

__all__ = ["Exchange", "Exchanges", "Joined", "outcome_of", "same_request", "with_rest"]

_PLACES: dict[type, list[tuple[int, int]]] = {}
_ENOUGH = 6
"""Requests that wait together."""


@dataclass
class Exchange:
    """A request and its answer, each with what follows its head, decoded anew for each use."""

    name: str
    request: Message
    asking: list[Event]
    answer: Message
    answering: list[Event] = field(default_factory=list)

    def for_request(self, request: Message) -> list[Event]:
        """The answer and what follows it, for `request`, as another session would give them."""
        for event in self.answering:
            if isinstance(event, Message):
                event.request = request
        return self.answering


class Joined:
    """A client's session and a server's, and what each has received."""

    def __init__(self, client: Session, server: Session) -> None:
        self.client = client
        self.server = server
        self.asked: list[Message] = []
        """What the server has received of requests."""
        self.heard: list[Event] = []
        """All that the server has received."""
        self.answered: list[Message] = []
        """What the client has received of answers."""
        self.events: list[Event] = []
        """All that the client has received."""
        self.to_client = b""
        """Every octet that was written to the client."""
        self.settle()

    def settle(self) -> None:
        """Pass on what the two sessions owe each other, until neither has more."""
        for _turn in range(100):
            octets = self.client.pending_output()
            back = self.server.pending_output()
            if not octets and not back:
                return
            self.ask(octets, False)
            self.reply(back, False)
        raise AssertionError(
            "two endpoints of the protocol have something to say to each other for ever: pending_output"
        )

    def ask(self, octets: bytes, settle: bool = True) -> None:
        """The client has written `octets`."""
        for event in self.server.receive(Sender.CLIENT, octets):
            self.heard.append(event)
            if isinstance(event, Message) and event.kind in (Kind.REQUEST, Kind.HEARTBEAT):
                self.asked.append(event)
        if settle:
            self.settle()

    def reply(self, octets: bytes, settle: bool = True) -> None:
        """The server has written `octets`."""
        self.to_client += octets
        for event in self.client.receive(Sender.SERVER, octets):
            self.events.append(event)
            if isinstance(event, Message) and event.kind is Kind.RESPONSE:
                self.answered.append(event)
        if settle:
            self.settle()

    def send_request(self, exchange: Exchange) -> None:
        for event in exchange.asking:
            self.ask(self.client.send(event))

    def pass_on(self, upstream: Joined, begun: int = 0) -> None:
        """As a proxy: what the server has heard since `begun` of requests is asked of `upstream`."""
        for event in self.heard[begun:]:
            if isinstance(event, Data) or (isinstance(event, Message) and event.kind in (Kind.REQUEST, Kind.TRAILERS)):
                upstream.ask(upstream.client.send(event))

    def send_answer(self, exchange: Exchange, request: Message) -> bytes:
        """Answer `request`; returns what was written at once."""
        written = b""
        for event in exchange.for_request(request):
            octets = self.server.send(event)
            written += octets
            self.reply(octets)
        return written


class Exchanges(ConformanceBase):
    """Requests and answers of the vectors, and the sessions that exchange them."""

    def open_endpoint(self, side: Sender, limits: Limits | None = None) -> Session:
        """A new session that plays `side`."""
        return self.loaded().open(limits=limits or Limits(), endpoint=side)

    def some(self, most: int) -> list[Exchange]:
        """Requests of the vectors with the one answer that each got, decoded anew; those of different vectors first."""
        found: list[Exchange] = []
        for turn, index in self.places()[:most]:
            found.append(self.of_vector(index)[turn])
        return found

    @classmethod
    def places(cls) -> list[tuple[int, int]]:
        """Where exchanges are: in which turn, in which vector."""
        known = _PLACES.get(cls)
        if known is None:
            counts = [len(cls().of_vector(index)) for index in range(len(cls.vectors))]
            known = sorted((turn, index) for index, count in enumerate(counts) for turn in range(count))
            _PLACES[cls] = known
        return known

    def of_vector(self, index: int) -> list[Exchange]:
        vector = self.vectors[index]
        if vector.name in self.stateful if self.exchanges is None else vector.name not in self.exchanges:
            return []
        found: list[Exchange] = []
        events = self.outcome(vector).events
        for request in events:
            if (
                not isinstance(request, Message)
                or request.kind is not Kind.REQUEST
                or request.sender is not Sender.CLIENT
            ):
                continue
            answers = [event for event in events if isinstance(event, Message) and event.request is request]
            if any(answer.kind is Kind.PUSH or answer.kind is Kind.RESET for answer in answers):
                continue
            heads = [answer for answer in answers if answer.kind is Kind.RESPONSE]
            if len(heads) == 1:
                asking, answering = list(with_rest(request, events)), list(with_rest(heads[0], events))
                found.append(Exchange(vector.name, request, asking, heads[0], answering))
        return found

    def join(self, limits: Limits | None = None) -> Joined:
        return Joined(self.open_endpoint(Sender.CLIENT, limits), self.open_endpoint(Sender.SERVER, limits))

    def asking(self, limits: Limits | None = None) -> tuple[Joined, list[Exchange]]:
        """Several requests that wait together."""
        exchanges = self.some(_ENOUGH)
        if self.loaded().pairing is Pairing.ID:
            # A client does not use a number again while it waits.
            exchanges = list({exchange.request.request_id: exchange for exchange in exchanges}.values())
        else:
            while self.places() and len(exchanges) < 3:
                exchanges += self.some(1)
        joined = self.join(limits)
        for exchange in exchanges:
            joined.send_request(exchange)
        assert len(joined.asked) == len(exchanges), (
            f"the server's session receives {len(joined.asked)} requests of {len(exchanges)} that were sent"
        )
        return joined, exchanges

    def check_answers(
        self,
        joined: Joined,
        exchanges: Sequence[Exchange],
        where: str,
        refused: Message | None = None,
        given_up: Message | None = None,
    ) -> None:
        """The client has received one answer for each request, and each is the one that was given for it."""
        by_request: dict[Message, list[Message]] = {}
        for answer in joined.answered:
            assert answer.request is not None, f"{where}: the client receives {answer!r}, an answer to nothing"
            by_request.setdefault(answer.request, []).append(answer)
        for number, exchange in enumerate(exchanges):
            if exchange.request is given_up:
                continue
            name = f"{where}: of request {number} of {len(exchanges)} ({exchange.name}, {place(exchange.request)})"
            answers = by_request.get(exchange.request, [])
            assert len(answers) == 1, f"{name} the client receives {len(answers)} answers"
            said = outcome_of(answers[0], joined.events)
            if refused is joined.asked[number]:
                assert said[0] is not Status.OK, (
                    f"{name} the answer has the status OK, and reply_error was called for it"
                )
                continue
            given = outcome_of(exchange.answer, exchange.answering)
            assert said == given, (
                f"{name} the client receives the answer {said!r}, and what was given for it is {given!r}: the order of answers"
            )

    def check_unsupported(self, name: str, error: Unsupported) -> None:
        """What raises Unsupported is declared."""
        assert name in self.unsupported, f"{name} raises Unsupported ({error}): write it, or name it in `unsupported`"

    def check_supported(self, name: str) -> None:
        assert name not in self.unsupported, f"{name} is named in `unsupported`, and works"


def with_rest(head: Message, events: Sequence[Event]) -> Iterator[Event]:
    """A message and what belongs to it."""
    yield head
    behind = False
    for event in events:
        if event is head:
            behind = True
        elif behind and isinstance(event, Data) and event.message is head:
            yield event
        elif behind and isinstance(event, Message) and event.kind is Kind.TRAILERS and event.sender is head.sender:
            if event.stream_id == head.stream_id:
                yield event
                return


def same_request(one: Message, other: Message) -> bool:
    """Whether both ask the same of the same."""
    return (one.kind, one.service, one.operation, one.resources) == (
        other.kind,
        other.service,
        other.operation,
        other.resources,
    )


def outcome_of(answer: Message, events: Sequence[Event]) -> tuple[Status | None, str | None, bytes]:
    """What an answer came to, with its payload, as far as it does not depend on the connection."""
    status, error = answer.status, answer.error
    payload = [answer.payload] if answer.stream_id is None and answer.request_id is None else []
    for event in with_rest(answer, events):
        if isinstance(event, Data):
            payload.append(event.payload)
        elif isinstance(event, Message) and event is not answer and status is None:
            status, error = event.status, event.error
    return status, error, b"".join(payload)
