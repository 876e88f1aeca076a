"""Joined midway and with octets lost anywhere: no message that was not said, no wrong pair, and most of what is whole is found."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

import l7codecs
from l7codecs import Kind, Limits, Message, ProtocolError, Sender
from l7codecs.session import Session
from l7codecs.testing import Vector, load_vectors
from l7codecs_thrift import ThriftMessage

from . import thrift_recorded as recorded

C, S = Sender.CLIENT, Sender.SERVER
VECTORS = [*load_vectors(Path(__file__).parent.parent / "vectors"), *recorded.vectors()]
Losses = dict[Sender, list[tuple[int, int]]]


def heard(vector: Vector, losses: Losses, reads: int = 1 << 30) -> list[ThriftMessage]:
    """The messages of `vector`, in reads of at most so many octets, without those octets of each direction that are lost."""
    session = l7codecs.open_session("thrift", limits=Limits(message=1 << 24))
    found: list[ThriftMessage] = []
    places = {C: 0, S: 0}
    failed: set[Sender] = set()
    for sender, octets in vector.pieces:
        for at in range(0, len(octets), reads):
            piece = octets[at : at + reads]
            start = places[sender]
            places[sender] += len(piece)
            for octets_or_gap in cut(piece, start, losses.get(sender, [])):
                if sender not in failed and not take(session, sender, octets_or_gap, found):
                    failed.add(sender)
    for sender in Sender:
        if sender not in failed:
            take(session, sender, None, found)
    return found


def cut(piece: bytes, start: int, losses: list[tuple[int, int]]) -> list[bytes | int]:
    """What comes of `piece`, which begins at `start`: octets, and how many are lost."""
    found: list[bytes | int] = []
    at = start
    stop = start + len(piece)
    for first, last in losses:
        if last <= at or first >= stop:
            continue
        if first > at:
            found.append(piece[at - start : first - start])
        found.append(min(last, stop) - max(first, at))
        at = min(last, stop)
    if at < stop:
        found.append(piece[at - start :])
    return found


def take(session: Session, sender: Sender, what: bytes | int | None, found: list[ThriftMessage]) -> bool:
    """Whether the direction goes on."""
    try:
        events = (
            session.eof(sender)
            if what is None
            else session.gap(sender, what)
            if isinstance(what, int)
            else session.receive(sender, what)
        )
        for event in events:
            if isinstance(event, ThriftMessage):
                found.append(event)
    except ProtocolError:
        return False
    return True


def lose(chance: random.Random, vector: Vector) -> Losses:
    """The beginnings of both directions, or some octets of one or of both."""
    sizes = {sender: len(vector.octets(sender)) for sender in Sender}
    if chance.random() < 0.35:
        part = chance.random()
        return {sender: [(0, int(size * part))] for sender, size in sizes.items() if int(size * part) > 0}
    found: Losses = {}
    for sender in chance.sample(tuple(Sender), chance.choice((1, 2))):
        at = 0
        for _each in range(chance.choice((1, 1, 3))):
            if sizes[sender] - at < 2:
                break
            first = chance.randrange(at, sizes[sender])
            at = min(sizes[sender], first + chance.choice((1, 5, 20, 100, 700)))
            found.setdefault(sender, []).append((first, at))
    return found


def said(message: Message) -> tuple[object, ...]:
    assert isinstance(message, ThriftMessage)
    number = message.number if message.type_id else None  # of an answer without one it is that of its request
    return message.name, message.type_id, number, message.payload


@pytest.mark.parametrize("vector", VECTORS, ids=lambda each: each.name)
def test_what_is_heard_has_been_said_and_pairs_as_it_did(vector: Vector) -> None:
    whole = {(each.sender, each.offset): each for each in heard(vector, {})}

    def true_of(message: Message) -> ThriftMessage:
        """What was said there; a frame in a frame is one where the beginning of the outer is lost."""
        for (sender, offset), each in whole.items():
            if sender is message.sender and offset <= message.offset < offset + len(each.raw):
                return each
        raise AssertionError(f"nothing was said at octet {message.offset} of the {message.sender.value}")

    chance = random.Random(vector.name)
    expected = found = 0
    for _turn in range(40):
        losses = lose(chance, vector)
        messages = heard(vector, losses, chance.choice((7, 100, 1 << 30)))
        for message in messages:
            true = true_of(message)
            assert said(message)[:3] == said(true)[:3]
            if message.kind is Kind.RESPONSE and message.request is not None:
                assert true.request is not None and true_of(message.request) is true_of(true.request)
        places = {(each.sender, each.offset) for each in messages}
        for (sender, offset), each in whole.items():
            stop = offset + len(each.raw)
            if not any(first < stop and last > offset for first, last in losses.get(sender, [])):
                expected += 1
                found += (sender, offset) in places
    if not any(each in vector.name for each in ("zlib", "old", "finagle", "compact-unframed")):
        assert found >= 0.8 * expected, f"{found} of {expected}"


@pytest.mark.parametrize("vector", VECTORS, ids=lambda each: each.name)
def test_random_reads_say_the_same(vector: Vector) -> None:
    whole = [(each.offset, said(each), each.request and each.request.offset) for each in heard(vector, {})]
    chance = random.Random(vector.name)
    for reads in (1, chance.randrange(2, 40), chance.randrange(40, 400)):
        assert [
            (each.offset, said(each), each.request and each.request.offset) for each in heard(vector, {}, reads)
        ] == whole


@pytest.mark.parametrize("first", [1, 8, 50, 106, 107])
def test_a_frame_of_json_directly_behind_lost_octets_is_taken_up_in_any_reads(first: int) -> None:
    body = b'{"metadata": {"version": 1, "name": "hello", "ttype": 2, "seqid": 0}, "payload": {"success": "hi bob"}}'
    octets = len(body).to_bytes(4, "big") + body
    heard = l7codecs.open_session("thrift")
    events = [*heard.gap(Sender.SERVER)]
    for part in (octets[:first], octets[first:]):
        for event in heard.receive(Sender.SERVER, part):
            events.append(event)
    assert [event.raw for event in events if isinstance(event, Message)] == [octets]
