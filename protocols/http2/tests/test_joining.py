"""Octets lost anywhere in recorded conversations: no field is ever wrong, and nothing is an error that was none before.

The truth is `hpack`'s, which decodes the whole conversation.
"""

from __future__ import annotations

import random
from pathlib import Path

import hpack
import pytest

from l7codecs import Event, Message, ProtocolError, Sender, Verdict, detect, open_session
from l7codecs.testing import Vector, load_vectors

from .implementations import CLIENT, CONTINUATION, END_HEADERS, HEADERS, PADDED, PRIORITIZED, PUSH_PROMISE, SERVER

VECTORS = load_vectors(Path(__file__).parent.parent / "vectors")
ROUNDS = 150
Fields = list[tuple[bytes, bytes]]
Cut = tuple[int, int, bool]
"""The first octet that is lost, the first that is not, and whether it is known how many are."""


def decoded(vector: Vector, sender: Sender) -> dict[int, Fields]:
    """The fields of each header block by the offset of its first frame."""
    octets = b"".join(piece for who, piece in vector.pieces if who is sender)
    at = 0
    if sender is CLIENT:
        at = octets.index(b"PRI * HTTP/2.0") + 24
    elif octets.startswith(b"HTTP/1.1"):
        at = octets.index(b"\r\n\r\n") + 4
    decoder = hpack.Decoder(max_header_list_size=1 << 20)
    decoder.max_allowed_table_size = 1 << 20
    found: dict[int, Fields] = {}
    start, parts = 0, b""
    while at + 9 <= len(octets):
        size = int.from_bytes(octets[at : at + 3], "big")
        kind, flags = octets[at + 3], octets[at + 4]
        payload = octets[at + 9 : at + 9 + size]
        if kind in (HEADERS, PUSH_PROMISE):
            start = at
            if flags & PADDED:
                payload = payload[1 : len(payload) - payload[0]]
            parts = payload[4 if kind == PUSH_PROMISE else 5 if flags & PRIORITIZED else 0 :]
        elif kind == CONTINUATION:
            parts += payload
        if kind in (HEADERS, PUSH_PROMISE, CONTINUATION) and flags & END_HEADERS:
            found[start] = [(bytes(name), bytes(value)) for name, value in decoder.decode(parts, raw=True)]
        at += 9 + size
    return found


def observe(vector: Vector, cuts: dict[Sender, Cut], most: int = 1 << 20) -> list[Event]:
    """The events of an observer that does not get what `cuts` take away, and reads of at most `most` octets."""
    session = open_session("http2")
    events: list[Event] = []
    place = dict.fromkeys(Sender, 0)
    told: set[Sender] = set()
    for sender, octets in vector.pieces:
        begin = place[sender]
        place[sender] += len(octets)
        start, stop, known = cuts.get(sender, (1 << 40, 1 << 40, False))
        parts = [octets[: max(start - begin, 0)], octets[max(stop - begin, 0) :] if place[sender] > start else b""]
        for number, part in enumerate(parts):
            if number == 1 and place[sender] > start and begin < stop and sender not in told:
                told.add(sender)
                events += session.gap(sender, stop - start if known else 0)
            for at in range(0, len(part), most):
                events += session.receive(sender, part[at : at + most])
    return events


def check(vector: Vector, cuts: dict[Sender, Cut], truth: dict[Sender, dict[int, Fields]]) -> tuple[int, int]:
    """Fields that are known and those that are not, none of which is wrong."""
    known = unknown = 0
    whole = {
        (m.sender, int(m.offset)): m for m in observe(vector, {}) if isinstance(m, Message) and hasattr(m, "fields")
    }
    try:
        events = observe(vector, cuts)
    except ProtocolError as error:
        pytest.fail(f"{vector.name} {cuts}: {error}")
    for event in events:
        if not isinstance(event, Message) or not hasattr(event, "fields") or b" HTTP/1.1\r\n" in event.raw:
            continue
        offset = int(event.offset)
        start, stop, told = cuts.get(event.sender, (1 << 40, 1 << 40, False))
        if offset >= start and not told:
            offset += stop - start
        fields = truth[event.sender][offset]
        assert len(fields) == len(event.fields)
        for (name, value, _), (true_name, true_value) in zip(event.fields, fields, strict=True):
            assert name is None or name.encode("latin-1") == true_name, cuts
            assert value is None or value == true_value, cuts
            known += value is not None
            unknown += value is None
        if "http2.malformed" in event.attributes:
            assert "http2.malformed" in whole[event.sender, offset].attributes, (event, cuts)
    return known, unknown


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector.name)
def test_no_field_is_wrong(vector: Vector) -> None:
    chance = random.Random(vector.name)
    truth = {sender: decoded(vector, sender) for sender in Sender}
    sizes = {sender: sum(len(octets) for who, octets in vector.pieces if who is sender) for sender in Sender}
    known = 0
    for _ in range(ROUNDS):
        cuts: dict[Sender, Cut] = {}
        for sender in chance.choice(((CLIENT,), (SERVER,), (CLIENT, SERVER))):
            start = chance.choice((0, chance.randrange(sizes[sender])))
            stop = min(start + chance.choice((1, 9, 20, 100, chance.randrange(1, sizes[sender]))), sizes[sender])
            cuts[sender] = (start, stop, chance.random() < 0.5)
        known += check(vector, cuts, truth)[0]
    assert known > 0


def test_what_was_inserted_before_is_unknown_and_what_comes_later_resolves() -> None:
    vector = next(vector for vector in VECTORS if vector.name == "grpc-at-once")
    truth = {sender: decoded(vector, sender) for sender in Sender}
    known, unknown = check(vector, {CLIENT: (0, sorted(truth[CLIENT])[1], True)}, truth)
    assert known > 10 and unknown > 0


@pytest.mark.parametrize("seed", range(20))
def test_lost_octets_at_any_split(seed: int) -> None:
    chance = random.Random(seed)
    vector = chance.choice(VECTORS)
    size = sum(len(octets) for who, octets in vector.pieces if who is CLIENT)
    start = chance.randrange(size)
    cuts = {CLIENT: (start, min(start + chance.randrange(1, 60), size), chance.random() < 0.5)}

    def told(most: int) -> list[tuple[Sender, int, str, bytes]]:
        events = observe(vector, cuts, most)
        return [(m.sender, int(m.offset), m.kind.value, m.raw) for m in events if isinstance(m, Message)]

    assert told(1) == told(7) == told(1 << 20)


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


ASKED = [(":method", "POST"), (":scheme", "http"), (":path", "/a.S/M"), ("content-type", "application/grpc")]
ANSWERED = [(":status", "200"), ("content-type", "application/grpc"), ("date", "Sun, 12 Aug 2018 17:30:41 GMT")]
ENDED = [("grpc-status", "0"), ("grpc-message", "fine")]


@pytest.mark.parametrize("before", [b"", frame(6, 1, 0, bytes(8)), frame(4, 0, 0, b"")], ids=["", "ping", "settings"])
def test_what_answers_is_not_taken_for_the_client(before: bytes) -> None:
    """The frames of a server that is joined midway: nothing is detected in them, whichever way round they are looked at."""
    asks, answers, ends = (
        before + frame(HEADERS, END_HEADERS, 7, hpack.Encoder().encode(fields)) for fields in (ASKED, ANSWERED, ENDED)
    )
    assert [found.protocol for found in detect(asks, answers) if found.verdict is Verdict.YES] == ["grpc", "http2"]
    for octets in (answers, ends):
        assert [found for found in detect(octets, asks) if found.verdict is Verdict.YES] == []
        assert [found for found in detect(octets, b"") if found.verdict is Verdict.YES] == []


@pytest.mark.parametrize("ends", [CLIENT, SERVER], ids=["the client", "the server"])
def test_nothing_goes_on_behind_the_end_of_a_body(ends: Sender) -> None:
    """Of a connection that is joined, too: what comes behind END_STREAM belongs to no message."""
    session = open_session("http2")
    body = frame(0, 1, 1, b"abc")
    sides = {CLIENT: frame(HEADERS, END_HEADERS, 1, hpack.Encoder().encode([*ASKED, ("x", "y")]))}
    sides[SERVER] = frame(HEADERS, END_HEADERS, 1, hpack.Encoder().encode(ANSWERED))
    list(session.gap(CLIENT, 0))
    for sender, octets in sides.items():
        list(session.receive(sender, frame(4, 0, 0, b"") + octets))
    told = [*session.receive(ends, body + body)]
    assert [event.kind.value for event in told] == ["data", "control"]
    assert isinstance(told[1], Message) and told[1].raw == body and told[1].error == "STREAM_CLOSED"
