"""Requests and answers of the vectors that can stand alone, whose truth is known: what endpoints are made to exchange."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass, field
from fnmatch import fnmatch
from typing import TYPE_CHECKING

from l7codecs.errors import L7Error, ProtocolError
from l7codecs.kinds import Kind, Sender, Status
from l7codecs.message import Event, Message
from l7codecs.testing.conformance.exchanges import Joined, outcome_of, with_rest
from l7codecs.testing.vectors import Vector

if TYPE_CHECKING:
    from l7codecs.testing.fuzzing.material import Material

__all__ = ["Exchange", "Place", "Pool", "Said", "find_exchanges", "key_of", "place_in"]

_LARGEST = 8 * 1024
_MOST = 24
_TRIED = 160
_POOL = 50

Said = tuple[Status | None, str | None, bytes]


@dataclass
class Exchange:
    """A request and its answer, each with what follows its head, decoded anew."""

    request: Message
    asking: list[Event]
    answer: Message
    answering: list[Event] = field(default_factory=list)

    @property
    def said(self) -> Said:
        """What the answer comes to."""
        return outcome_of(self.answer, self.answering)

    def for_request(self, request: Message) -> list[Event]:
        """The answer and what follows it, for `request`, as another session would give them."""
        for event in self.answering:
            if isinstance(event, Message):
                event.request = request
        return self.answering


@dataclass(frozen=True)
class Place:
    """Where an exchange is decoded from, what is asked, and what is said to it."""

    vector: Vector
    turn: int
    key: tuple[object, ...]
    said: Said


def key_of(request: Message) -> tuple[object, ...]:
    """What a request asks, as far as it does not depend on the connection."""
    return (request.service, request.operation, request.resources)


def decode_exchanges(material: Material, vector: Vector) -> list[Exchange]:
    """The requests of `vector` with the one answer that each got."""
    session = material.protocol.open()
    events: list[Event] = []
    answered: dict[Message, list[Message]] = {}
    for sender, octets in vector.pieces:
        with suppress(ProtocolError):
            for event in session.receive(sender, octets):
                events.append(event)
                if isinstance(event, Message) and event.request is not None:
                    answered.setdefault(event.request, []).append(event)
    found: list[Exchange] = []
    for request in events:
        if not isinstance(request, Message) or request.kind is not Kind.REQUEST or request.sender is not Sender.CLIENT:
            continue
        answers = answered.get(request, [])
        if any(answer.kind is Kind.PUSH or answer.kind is Kind.RESET for answer in answers):
            continue
        heads = [answer for answer in answers if answer.kind is Kind.RESPONSE]
        if len(heads) == 1 and not (request.more and request.size is None):
            asking, answering = list(with_rest(request, events)), list(with_rest(heads[0], events))
            found.append(Exchange(request, asking, heads[0], answering))
    return found


def decode_one(material: Material, place: Place) -> Exchange:
    """The exchange of `place`, decoded anew."""
    return decode_exchanges(material, place.vector)[place.turn]


def place_in(material: Material, vector: Vector, turn: int) -> Place:
    """The exchange of that number in `vector`."""
    exchange = decode_exchanges(material, vector)[turn]
    return Place(vector, turn, key_of(exchange.request), exchange.said)


class Pool:
    """Exchanges of `places`, none given twice: a vector is decoded for all that are in it."""

    def __init__(self, material: Material, places: list[Place]) -> None:
        self.seconds = 0.0
        """Of the processor, that decoding took: no cost of what is tried."""
        self._material = material
        self._by_vector: dict[str, list[Place]] = {}
        for place in places:
            self._by_vector.setdefault(place.vector.name, []).append(place)
        self._decoded: dict[Place, list[Exchange]] = {place: [] for place in places}

    def take(self, place: Place) -> Exchange:
        """One of `place`."""
        decoded = self._decoded[place]
        if not decoded:
            start = time.process_time()
            exchanges = decode_exchanges(self._material, place.vector)
            for each in self._by_vector[place.vector.name]:
                if len(self._decoded[each]) < _POOL:
                    self._decoded[each].append(exchanges[each.turn])
            self.seconds += time.process_time() - start
        return decoded.pop()


def find_exchanges(material: Material) -> list[Place]:
    """Exchanges that work alone, that others stand after and beside, and that differ in what is asked."""
    found: dict[tuple[object, ...], Place] = {}
    tried = 0
    for vector in sorted(material.vectors, key=lambda vector: vector.size):
        if vector.size > _LARGEST or any(fnmatch(vector.name, each) for each in material.stateful):
            continue
        for turn, exchange in enumerate(decode_exchanges(material, vector)):
            key = key_of(exchange.request)
            if key in found or exchange.request.pins or exchange.request.blocks or tried >= _TRIED:
                continue
            tried += 1
            place = Place(vector, turn, key, exchange.said)
            if _works(material, [place]):
                found[key] = _shorter(material, place, exchange)
    places = list(found.values())
    kept: list[Place] = []
    for place in places:
        beside = kept[0] if kept else place
        if _works(material, [place, place, beside]) and _works(material, [beside, place, beside], together=True):
            kept.append(place)
    return _various(kept)


def _shorter(material: Material, place: Place, exchange: Exchange) -> Place:
    """The same of a vector that has nothing else, or nothing behind it, if that means the same: it is decoded again and again."""
    asking, answering = (b"".join(event.raw for event in each) for each in (exchange.asking, exchange.answering))
    upto: list[tuple[Sender, bytes]] = []
    last = exchange.answering[-1]
    left = last.offset + len(last.raw)
    for sender, octets in place.vector.pieces:
        upto.append((sender, octets))
        left -= len(octets) if sender is Sender.SERVER else 0
        if left <= 0:
            break
    name = f"{place.vector.name} {place.turn}"
    alone = Place(Vector(name, ((Sender.CLIENT, asking), (Sender.SERVER, answering))), 0, place.key, place.said)
    for shorter in (alone, Place(Vector(name, tuple(upto)), place.turn, place.key, place.said)):
        with suppress(ProtocolError):
            decoded = decode_exchanges(material, shorter.vector)
            if len(decoded) > shorter.turn:
                one = decoded[shorter.turn]
                if (key_of(one.request), one.said) == (place.key, place.said) and _works(material, [shorter]):
                    return shorter
    return place


def _various(places: list[Place]) -> list[Place]:
    """Of too many those whose answers differ."""
    by_said: dict[Said, list[Place]] = {}
    for place in places:
        by_said.setdefault(place.said, []).append(place)
    found: list[Place] = []
    while by_said and len(found) < _MOST:
        for said in list(by_said):
            found.append(by_said[said].pop(0))
            if not by_said[said]:
                del by_said[said]
    return found[:_MOST]


def _works(material: Material, places: list[Place], together: bool = False) -> bool:
    """Whether two joined sessions exchange `places`, one after the other or with all requests first, and say the same."""
    open_session = material.protocol.open
    try:
        joined = Joined(open_session(endpoint=Sender.CLIENT), open_session(endpoint=Sender.SERVER))
        exchanges = [decode_one(material, place) for place in places]
        for number, exchange in enumerate(exchanges):
            for event in exchange.asking:
                joined.ask(joined.client.send(event))
            if len(joined.asked) != number + 1 or key_of(joined.asked[-1]) != places[number].key:
                return False
            if not together:
                _answer(joined, exchange, number)
        if together:
            for number, exchange in enumerate(exchanges):
                _answer(joined, exchange, number)
        if len(joined.answered) != len(places):
            return False
        return all(
            answer.request is exchange.request and outcome_of(answer, joined.events) == place.said
            for answer, exchange, place in zip(joined.answered, exchanges, places, strict=True)
        )
    except (L7Error, AssertionError):
        return False


def _answer(joined: Joined, exchange: Exchange, number: int) -> None:
    for event in exchange.for_request(joined.asked[number]):
        joined.reply(joined.server.send(event))
