"""Large answers as an engine passes them on: put, held and taken in pieces, whatever changes in them and wherever they are cut."""

from __future__ import annotations

import random
from collections.abc import Iterable

import pytest

import l7codecs
from l7codecs import LimitExceeded, Limits, Message, Sender, Session
from l7codecs.message import Data, Event
from l7codecs_kafka import KafkaChanges, Nodes
from l7codecs_kafka._schema.layouts import Value

from .frames import Body, answer, ask

C, S = Sender.CLIENT, Sender.SERVER
BROKERS = KafkaChanges(nodes=Nodes.mapped({1: (101, "proxy", 9101), 2: (102, "proxy", 9102)}))
OTHER = {1: 101, 2: 102, -1: -1}


def session(endpoint: Sender, **limits: int) -> Session:
    return l7codecs.open_session("kafka", endpoint=endpoint, limits=Limits(**limits))


def asked(version: int, number: int) -> bytes:
    topic: Body = {"Topic": "one"} if version < 13 else {"TopicId": bytes(range(16))}
    return ask(1, version, number, {"Topics": [topic]})


def fetched(version: int, number: int, partitions: list[tuple[int, int]], changed: bool) -> bytes:
    """An answer with `partitions` of a leader and so many octets of records; `changed`: as the client is to get it."""
    rows: list[Value] = []
    for index, (leader, size) in enumerate(partitions):
        told = OTHER[leader] if changed else leader
        row: Body = {"PartitionIndex": index, "Records": bytes([index]) * size}
        if version >= 11:
            row["PreferredReadReplica"] = told
        if version >= 12 and leader >= 0:
            row["CurrentLeader"] = {"LeaderId": told, "LeaderEpoch": 5}
        rows.append(row)
    topic: Body = {"Topic": "one"} if version < 13 else {"TopicId": bytes(range(16))}
    return answer(1, version, number, {"Responses": [{**topic, "Partitions": rows}]})


def taken(from_: Session) -> bytes:
    """What is to be written now, as an engine takes it."""
    pieces = from_.pending_pieces()
    return from_.pending_output() if pieces is None else b"".join(pieces)


@pytest.mark.parametrize("seed", range(120))
def test_large_answers_in_any_pieces(seed: int) -> None:
    """Clients and servers, whose answers come in any order; transports that are full now and then."""
    chance = random.Random(seed)
    version = chance.choice((4, 11, 12, 13, 15))
    limits = {"message": 20_000, "head": chance.choice((100, 4096, 1 << 16))}
    downs = [session(S, **limits) for _ in range(chance.choice((1, 1, 2)))]
    ups = [session(C, **limits) for _ in range(chance.choice((1, 1, 2)))]
    expected = [b"" for _ in downs]
    coming = [b"" for _ in ups]
    for number in range(chance.choice((1, 3, 6))):
        for at, down in enumerate(downs):
            place = chance.randrange(len(ups))
            for event in down.receive(C, asked(version, number)):
                ups[place].put(event, BROKERS)
            sent = int.from_bytes(taken(ups[place])[8:12], "big")
            leaders = (-1,) if chance.random() < 0.6 else (1, 2, -1)
            sizes = (200_000, 150_000) if chance.random() < 0.3 else (0, 10, 5000, 30_000, 90_000)
            partitions = [(chance.choice(leaders), chance.choice(sizes)) for _ in range(chance.choice((1, 2, 5)))]
            coming[place] += fetched(version, sent, partitions, False)
            expected[at] += fetched(version, number, partitions, True)
    places = {down.flow: at for at, down in enumerate(downs)}
    written = [b"" for _ in downs]
    while any(coming):
        place = chance.choice([at for at, octets in enumerate(coming) if octets])
        size = chance.choice((1, 50, 1000, 65_536, 200_000))
        octets, coming[place] = coming[place][:size], coming[place][size:]
        for event in ups[place].receive(S, octets):
            assert isinstance(event, (Message, Data))
            head = event.message if isinstance(event, Data) else event
            assert head.request is not None
            downs[places[head.request.connection]].put(event, BROKERS if isinstance(event, Message) else None)
        for at, down in enumerate(downs):
            down.paused = chance.random() < 0.2
            if chance.random() < 0.8:
                written[at] += taken(down)
    for at, down in enumerate(downs):
        down.paused = False
        written[at] += taken(down)
        assert written[at] == expected[at]
        assert down.queued == 0 and down.unanswered() == [] and down.streaming() == []
    assert all(up.unanswered() == [] for up in ups)


def put_all(down: Session, events: Iterable[Event]) -> None:
    for event in events:
        down.put(event, BROKERS if isinstance(event, Message) else None)


def begun(version: int) -> tuple[Session, Session]:
    """The sessions of a proxy to a client that had an answer and has asked again, by number 7, and to its server."""
    down, up = session(S), session(C)
    for number in (6, 7):
        for event in down.receive(C, asked(version, number)):
            up.put(event, BROKERS)
    for event in up.receive(S, fetched(version, 6, [(-1, 10)], False)):
        down.put(event, BROKERS)
    assert taken(down)
    return down, up


@pytest.mark.parametrize("version", [4, 11, 16])
def test_what_does_not_change_is_written_as_it_was_read(version: int) -> None:
    down, up = begun(version)
    octets = fetched(version, 7, [(-1, 700_000), (-1, 600_000)], False)
    written: list[bytes] = []
    reads = [octets[at : at + 256_000] for at in range(0, len(octets), 256_000)]
    for read in reads:
        put_all(down, up.receive(S, read))
        written += down.pending_pieces() or [down.pending_output()]
    # The read in which the records of one partition end, and those of another begin, is looked into, and so is the last.
    looked_into = (2, len(reads) - 1)
    assert b"".join(written) == octets
    assert [at for at, read in enumerate(reads) if at not in looked_into and written[at] is not read] == []


def test_several_reads_that_waited_are_not_joined() -> None:
    down, up = begun(12)
    octets = fetched(12, 7, [(-1, 1_500_000)], False)
    reads = [octets[at : at + 256_000] for at in range(0, len(octets), 256_000)]
    down.paused = True
    for read in reads:
        put_all(down, up.receive(S, read))
        assert down.pending_pieces() is None and down.pending_output() == b""
    assert down.queued == len(octets)
    down.paused = False
    pieces = down.pending_pieces()
    assert pieces is not None and b"".join(pieces) == octets
    assert all(one is other for one, other in zip(pieces[:-1], reads, strict=False))
    assert down.pending_pieces() is None and down.pending_output() == b"" and down.queued == 0


def test_what_waits_is_bounded() -> None:
    """Also of what lies in its read."""
    down, up = session(S, queued=50_000), session(C)
    for event in down.receive(C, asked(12, 7)):
        up.put(event, BROKERS)
    down.paused = True
    octets = fetched(12, 7, [(-1, 1_500_000)], False)
    events = (event for at in range(0, len(octets), 10_000) for event in up.receive(S, octets[at : at + 10_000]))
    with pytest.raises(LimitExceeded):
        put_all(down, events)
    assert down.queued <= 8 * 50_000
