"""An observer sees each direction in its order, and the two in any: it says the same of each, but for what answers what."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from l7codecs_http2._connection.numbers import Numbers

from l7codecs import Data, Kind, Limits, Message, ProtocolError, Sender, Session, open_session
from l7codecs.testing import Outcome, Vector, load_vectors, replay
from l7codecs.testing.replay import Description, describe

C, S = Sender.CLIENT, Sender.SERVER
VECTORS = load_vectors(Path(__file__).parent.parent / "vectors")
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

OWN = {"sender", "kind", "offset", "size", "more", "request_id", "stream_id", "headers", "raw", "payload"}
"""What a message says that the other direction has no part in."""
POORER = {"network.protocol.name", "rpc.system.name", "rpc.response.status_code", "error.type"}
"""What follows from the protocol, where that is not known."""
NAMES = (
    "message", "protocol", "sender", "kind", "offset", "size", "more", "request_id", "stream_id", "request", "service", "operation",
    "resources", "status", "error", "headers", "attributes", "raw", "payload", "repr",
)  # fmt: skip


def orders(vector: Vector) -> Iterator[tuple[str, tuple[tuple[Sender, bytes], ...]]]:
    """The same octets of each direction, one before the other or interleaved."""
    client, server = vector.octets(C), vector.octets(S)
    yield "the server first", ((S, server), (C, client))
    yield "the client first", ((C, client), (S, server))
    begun = client.find(PREFACE) + len(PREFACE) + 9 + client[client.find(PREFACE) + 26]
    if client.startswith(PREFACE):
        yield "the server behind the client's SETTINGS", ((C, client[:begun]), (S, server), (C, client[begun:]))
    for seed in range(12):
        chance = random.Random(seed)
        largest = chance.choice((9, 40, 200))
        places = {C: 0, S: 0}
        said = {C: client, S: server}
        pieces: list[tuple[Sender, bytes]] = []
        while places[C] < len(client) or places[S] < len(server):
            sender = chance.choice(tuple(Sender))
            at = places[sender]
            places[sender] = at + chance.randint(1, largest)
            pieces.append((sender, said[sender][at : places[sender]]))
        yield f"interleaved, seed {seed}", tuple(pieces)


def told(outcome: Outcome, sender: Sender) -> list[Description]:
    """The events of `sender`, as they are when all has been seen."""
    messages = iter([event for event in outcome.events if isinstance(event, Message) and event.sender is sender])
    rows = outcome.descriptions[sender]
    return [describe(next(messages)) if row[0] == "message" else row for row in rows]


def compare(seen: Description, known: Description) -> None:
    """`seen` says what `known` does, or nothing."""
    if seen[0] != "message":
        assert seen == known
        return
    ours, truth = dict(zip(NAMES, seen, strict=True)), dict(zip(NAMES, known, strict=True))
    for name in OWN:
        assert ours[name] == truth[name], name
    if truth["kind"] is Kind.RESET and truth["request"] is None:
        # Behind the end of its stream, unless that is not seen yet. It is the same stream.
        return
    if ours["request"] is not None or truth["request"] is None:
        assert ours["request"] == truth["request"]
        for name in ("service", "operation", "resources", "error"):
            assert ours[name] in (truth[name], None, ()), name
    else:
        assert ours["service"] in (truth["service"], None)
        assert ours["resources"] in (truth["resources"], ())
    # Without its request, an answer of Triple is gRPC, which it is on the wire, and one of Connect, or no call's, is plain HTTP.
    poorer = ("grpc", "http2") if truth["protocol"] == "triple" else ("http2",)
    assert ours["protocol"] == truth["protocol"] or (ours["request"] is None and ours["protocol"] in poorer)
    if ours["protocol"] == truth["protocol"]:
        assert ours["status"] in (truth["status"], None)
    known_attributes = dict(truth["attributes"])  # type: ignore[call-overload]  # pairs
    for key, value in ours["attributes"]:  # type: ignore[attr-defined]  # pairs
        if ours["protocol"] != truth["protocol"] and key in POORER:
            continue
        assert known_attributes.get(key) == value, key


def left_over(session: Session) -> list[int]:
    """What the session still keeps."""
    connection = session._connection  # type: ignore[attr-defined]  # of this room
    kept = [int(connection.streams.count), len(connection.forgotten or ())]
    for side in (connection.client, connection.server):
        kept += [len(side.ended_ahead or ()), len(side.reset_ahead or ()), len(side.unacknowledged)]
    return [*kept, int(connection.client.acknowledged_ahead), int(connection.server.acknowledged_ahead)]


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector.name)
def test_each_direction_says_the_same_in_every_order(vector: Vector) -> None:
    session = open_session("http2")
    truth = replay(session, vector)
    for name, pieces in orders(vector):
        other = open_session("http2")
        outcome = replay(other, Vector(name, pieces))
        assert outcome.errors == {}, name
        for sender in Sender:
            ours, known = told(outcome, sender), told(truth, sender)
            for number, (mine, its) in enumerate(zip(ours, known, strict=False)):
                try:
                    compare(mine, its)
                except AssertionError as error:
                    pytest.fail(f"{name}: event {number} of the {sender.value}: {error}\n{mine}\n{its}")
            assert len(ours) == len(known), name
        assert outcome.pending == truth.pending, name
        assert left_over(other) == left_over(session), name


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


SETTINGS, ACK = frame(4, 0, 0), frame(4, 1, 0)
ASK = b"\x82\x84\x86\x41\x01a"


def test_an_answer_before_its_request() -> None:
    session = open_session("http2")
    list(session.receive(C, PREFACE + SETTINGS))
    answer, *_ = [e for e in session.receive(S, SETTINGS + frame(1, 5, 1, b"\x88")) if e.stream_id]  # type: ignore[union-attr]
    assert isinstance(answer, Message) and (answer.kind, answer.request) == (Kind.RESPONSE, None)
    assert session.pending == 0
    (asked,) = session.receive(C, frame(1, 5, 1, ASK))
    assert isinstance(asked, Message) and asked.kind is Kind.REQUEST and not asked.more
    assert session.pending == 0, "it has been answered"


def test_a_request_in_the_midst_of_its_answer() -> None:
    session = open_session("http2")
    list(session.receive(C, PREFACE + SETTINGS))
    said = list(session.receive(S, SETTINGS + frame(1, 4, 1, b"\x88") + frame(0, 0, 1, b"one")))
    assert session.pending == 0, "no request has been seen"
    (asked,) = session.receive(C, frame(1, 5, 1, ASK))
    assert session.pending == 1
    rest = list(session.receive(S, frame(0, 0, 1, b"two") + frame(1, 5, 1, b"\0\x01t\x01v")))
    assert isinstance(said[-1], Data) and isinstance(rest[0], Data) and rest[0].message is said[-2]
    assert isinstance(rest[1], Message) and (rest[1].kind, rest[1].request) == (Kind.TRAILERS, asked)
    assert session.pending == 0


@pytest.mark.parametrize("code", [0, 7])
def test_a_reset_before_its_request(code: int) -> None:
    session = open_session("http2")
    list(session.receive(C, PREFACE + SETTINGS))
    list(session.receive(S, SETTINGS + frame(3, 0, 1, code.to_bytes(4, "big"))))
    asked, body = session.receive(C, frame(1, 4, 1, ASK) + frame(0, 0, 1, b"x"))
    assert isinstance(body, Data) and body.message is asked
    assert session.pending == 0, "nothing waits for what was reset"


def test_a_refused_promise_before_it_is_made() -> None:
    session = open_session("http2")
    list(
        session.receive(
            C, PREFACE + SETTINGS + frame(1, 5, 1, ASK) + frame(8, 0, 2, b"\0\0\0\1") + frame(3, 0, 2, b"\0\0\0\7")
        )
    )
    events = list(session.receive(S, SETTINGS + frame(5, 4, 1, b"\0\0\0\2" + ASK) + frame(1, 4, 2, b"\x88")))
    assert [event.kind for event in events if isinstance(event, Message)] == [Kind.CONTROL, Kind.PUSH, Kind.RESPONSE]
    assert session.pending == 1


def test_what_was_said_of_a_stream_in_its_own_direction_still_counts() -> None:
    """The order of one direction is certain: what it breaks by itself is an error whatever has been seen of the other."""
    early = SETTINGS + frame(1, 4, 5, b"\x88")
    for wrong in (
        frame(0, 0, 5, b"x"),
        frame(3, 0, 5, bytes(4)),
        frame(8, 0, 5, b"\0\0\0\1"),
        frame(1, 5, 7, ASK) + frame(1, 5, 5, ASK),
    ):
        session = open_session("http2")
        list(session.receive(S, early))
        list(session.receive(C, PREFACE + SETTINGS))
        with pytest.raises(ProtocolError):
            list(session.receive(C, wrong))
    for wrong in (frame(1, 5, 2, b"\x88"), frame(0, 0, 2, b"x"), frame(8, 0, 4, b"\0\0\0\1")):
        session = open_session("http2")
        with pytest.raises(ProtocolError):
            list(session.receive(S, early + wrong))
    session = open_session("http2")
    ended = [*session.receive(S, SETTINGS + frame(1, 5, 1, b"\x88") + frame(0, 1, 1, b"x") + frame(1, 5, 1, b"\x88"))][
        2:
    ]
    assert [event.error for event in ended if isinstance(event, Message)] == ["STREAM_CLOSED"] * 2


def test_settings_are_counted_across_directions() -> None:
    """The second ACK is for the second SETTINGS, though both are seen first: a table of 0 holds from the third on."""
    table = [frame(4, 0, 0, b"\0\1" + size.to_bytes(4, "big")) for size in (65536, 100, 0)]
    large = b"\x3f\xe1\xff\x03"  # a table of 65 536
    session = open_session("http2")
    list(session.receive(C, PREFACE + table[0]))
    list(
        session.receive(S, SETTINGS + ACK + ACK + frame(1, 4, 1, large + b"\x88"))
    )  # its order to the second is not known
    list(session.receive(C, table[1] + table[2]))
    with pytest.raises(ProtocolError, match="table size"):
        list(session.receive(S, ACK + frame(1, 4, 3, large + b"\x88")))


@pytest.mark.parametrize("who", list(Sender))
def test_a_frame_as_large_as_a_setting_that_is_still_to_come_allows(who: Sender) -> None:
    session = open_session("http2")
    list(session.receive(C, PREFACE + SETTINGS + frame(1, 4, 1, ASK)))
    list(session.receive(S, SETTINGS + frame(1, 4, 1, b"\x88")))
    (body,) = session.receive(who, frame(0, 0, 1, b"x" * 70_000))
    assert isinstance(body, Data) and len(body.payload) == 70_000


def test_the_messages_of_a_request_are_told_when_it_has_ended() -> None:
    """Not before, when nobody knows how many there are."""
    grpc = b"\x83\x84\x86\x41\x01a\x5f\x10application/grpc"
    session = open_session("http2")
    list(session.receive(C, PREFACE + SETTINGS + frame(1, 4, 1, grpc) + frame(0, 0, 1, b"\0\0\0\0\1x")))
    trailers = b"\0\x0bgrpc-status\x010"
    *_, ended = session.receive(
        S, SETTINGS + frame(1, 4, 1, b"\x88\x5f\x10application/grpc") + frame(1, 5, 1, trailers)
    )
    assert isinstance(ended, Message) and ended.attributes["grpc.response.message_count"] == 0
    assert "grpc.request.message_count" not in ended.attributes and "grpc.streaming" not in ended.attributes
    list(session.receive(C, frame(0, 1, 1, b"\0\0\0\0\1y")))
    assert ended.attributes["grpc.request.message_count"] == 2
    assert ended.attributes["grpc.streaming"] == "client"
    assert session.pending == 0


UPGRADE = (
    b"POST / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAQAA\r\n"
    b"Content-Length: 3\r\n\r\nabc"
)
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


@pytest.mark.parametrize("most", [1, 50, 1000])
@pytest.mark.parametrize("first", list(Sender))
@pytest.mark.parametrize("taken", [False, True])
def test_an_upgrade_answered_before_it_is_asked_for(taken: bool, first: Sender, most: int) -> None:
    answer = (
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
        + SETTINGS
        + ACK
        + frame(1, 5, 1, b"\x88")
    )
    said = {C: UPGRADE + (PREFACE + SETTINGS + ACK if taken else b"GET / HTTP/1.1\r\n\r\n")}
    said[S] = CONTINUE + (answer if taken else b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    session = open_session("http2")
    found = {}
    for sender in (first, first.other):
        octets = said[sender]
        events = [e for at in range(0, len(octets), most) for e in session.receive(sender, octets[at : at + most])]
        assert b"".join(event.raw for event in events) == octets
        found[sender] = [
            (e.kind, e.stream_id, e.request is None) for e in events if isinstance(e, Message) and e.stream_id
        ]
    unpaired = first is S
    assert found == {
        C: [(Kind.REQUEST, 1, True)],
        S: [(Kind.CONTROL, 1, unpaired), (Kind.RESPONSE, 1, unpaired)],
    }
    assert session.pending == 0
    assert left_over(session)[:2] == [0, 0]


def conversation(count: int, body: bool) -> tuple[bytes, bytes]:
    """That many calls one after the other."""
    client, server = [PREFACE, SETTINGS, ACK], [SETTINGS, ACK]
    for number in range(1, 2 * count, 2):
        client.append(frame(1, 4, number, ASK) + frame(0, 1, number, b"q") if body else frame(1, 5, number, ASK))
        server.append(
            frame(1, 4, number, b"\x88") + frame(0, 1, number, b"a") if body else frame(1, 5, number, b"\x88")
        )
        if number % 10 == 1:
            client.append(frame(6, 0, 0, bytes(8)))
            server.append(frame(6, 1, 0, bytes(8)) + frame(4, 0, 0))
            client.append(ACK)
        if number % 14 == 1:
            server.append(frame(3, 0, number, bytes(4)))
    return b"".join(client), b"".join(server)


@pytest.mark.parametrize("body", [False, True])
@pytest.mark.parametrize("first", list(Sender))
def test_thousands_of_calls_in_the_worst_order(first: Sender, body: bool) -> None:
    """More than `limits.streams`, with a PING, SETTINGS and RST_STREAM among them: no error, all told, and nothing is left."""
    count = 4000
    said = dict(zip(Sender, conversation(count, body), strict=True))
    session = open_session("http2", limits=Limits(streams=100))
    kinds: dict[Sender, list[Kind]] = {}
    most = 0
    for sender in (first, first.other):
        events = []
        for at in range(0, len(said[sender]), 5000):
            events += session.receive(sender, said[sender][at : at + 5000])
            most = max(most, *left_over(session)[:-2])
        kinds[sender] = [event.kind for event in events if isinstance(event, Message)]
        assert sum(len(event.payload) for event in events if isinstance(event, Data)) == count * body
    assert kinds[C].count(Kind.REQUEST) == kinds[S].count(Kind.RESPONSE) == count
    assert session.pending == 0
    assert most <= 101, "streams, ranges and settings that are kept"
    assert left_over(session) == [0] * len(left_over(session))


def test_numbers_beside_a_set() -> None:
    for seed in range(20):
        chance = random.Random(seed)
        numbers, truth = Numbers(1 << 20), set()
        for _ in range(600):
            number = 2 * chance.randrange(60) + 1
            if chance.random() < 0.5:
                numbers.add(number)
                truth.add(number)
            else:
                assert numbers.discard(number) is (number in truth)
                truth.discard(number)
            assert {n for n in range(1, 125, 2) if n in numbers} == truth
            assert len(numbers) == sum(1 for n in truth if n - 2 not in truth)


def test_numbers_are_few_ranges() -> None:
    numbers = Numbers(5)
    for number in range(1, 4001, 4):
        numbers.add(number)
        assert len(numbers) <= 5
    assert all(number in numbers for number in range(1, 4001, 4)), "what is forgotten is what was not in"
