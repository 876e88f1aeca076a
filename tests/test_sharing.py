"""What connections of one service teach each other, with a toy protocol: one connection is told what a topic's number is, another uses it.

A frame is its size, a letter, and what it says: ``?name`` asks for a topic, ``=number name`` answers, ``!number`` names it by that.
"""

from __future__ import annotations

import random
import tracemalloc
from collections.abc import Callable, Iterable, Sequence

import pytest

from l7codecs import (
    AutoSession,
    Detection,
    Event,
    Flow,
    FramedDecoder,
    Kind,
    Knowledge,
    Limits,
    Memory,
    Message,
    Pairing,
    PairingTable,
    Protocol,
    Sender,
    Session,
    Shared,
    Verdict,
    get_protocol,
)
from l7codecs.capture.events import Connection, Opened, Segment, StreamEvent
from l7codecs.capture.sessions import Services, decode_streams

C, S = Sender.CLIENT, Sender.SERVER


class Topics(Memory[bytes, str]):
    """Names by numbers."""


class Said(Message):
    name: str | None = None

    @property
    def resources(self) -> tuple[str | bytes, ...]:
        return (self.name,) if self.name is not None else ()


class TopicDecoder(FramedDecoder):
    header_size = 1

    def __init__(self, flow: Flow, sender: Sender, limits: Limits, asks: PairingTable, answers: PairingTable) -> None:
        super().__init__(flow, sender, limits, asks, answers)
        memory = flow.memory
        assert isinstance(memory, Topics)
        self.topics = memory

    def frame_size(self, data: bytes, at: int) -> int:
        return data[at]

    def message(self, octets: bytes, start: int, stop: int, offset: int, more: bool) -> Message:
        words = octets[start + 2 : stop]
        letter = octets[start + 1 : start + 2]
        kind = Kind.RESPONSE if letter == b"=" else Kind.REQUEST if letter == b"?" else Kind.ONEWAY
        message = Said(self.flow, self.sender, kind, offset, octets, start, stop, more)
        if letter == b"=":
            self.topics.put(words[:2], words[2:].decode())
            message.name = words[2:].decode()
        elif letter == b"!":
            message.name = self.topics.get(words[:2])
        else:
            message.name = words.decode()
        return message


def detect(client: bytes, server: bytes) -> Detection:
    if len(client) < 2:
        return Detection(Verdict.MORE, 50)
    return Detection(Verdict.YES, 50) if client[1:2] in b"?!" else Detection(Verdict.NO)


TOPICS = Protocol("topics", "Topics", (), Pairing.FIFO, TopicDecoder, detect=detect, memory=Topics)


def frame(letter: str, words: bytes) -> bytes:
    return bytes([2 + len(words)]) + letter.encode() + words


def names(events: Iterable[Event]) -> list[tuple[str | bytes, ...]]:
    return [event.resources for event in events if isinstance(event, Message)]


def teach(session: Session, number: bytes = b"\0\7", name: bytes = b"orders") -> None:
    list(session.receive(C, frame("?", name)))
    list(session.receive(S, frame("=", number + name)))


def auto(shared: Shared | None) -> Session:
    return AutoSession(Flow("auto"), [TOPICS], shared=shared)


@pytest.mark.parametrize("how", ["named", "auto"])
def test_what_one_connection_learns_another_can_name(how: str) -> None:
    shared = Shared()
    one, other, stranger = (
        auto(memory) if how == "auto" else TOPICS.open(shared=memory) for memory in (shared, shared, Shared())
    )
    assert names(other.receive(C, frame("!", b"\0\7"))) == [()], "nobody has said it yet"
    teach(one)
    assert names(other.receive(C, frame("!", b"\0\7") + frame("!", b"\0\x08"))) == [("orders",), ()]
    assert names(stranger.receive(C, frame("!", b"\0\7"))) == [()], "of another service"
    assert names(TOPICS.open().receive(C, frame("!", b"\0\7"))) == [()], "of none"
    assert shared.entries == 1 and shared.evicted == 0


def test_a_connection_alone_teaches_itself() -> None:
    session = TOPICS.open()
    teach(session)
    assert names(session.receive(C, frame("!", b"\0\7"))) == [("orders",)]


@pytest.mark.parametrize("how", ["named", "auto"])
def test_what_is_shared_follows_no_split(how: str) -> None:
    """Whatever the other has taught, and however the reads are cut, the same messages come; only names are added."""
    said = b"".join(frame("!", bytes([0, number])) for number in range(20))
    chance = random.Random(1)
    seen = []
    for known in (0, 5, 20):
        for _ in range(20):
            shared = Shared()
            teacher = TOPICS.open(shared=shared)
            for number in range(known):
                teach(teacher, bytes([0, number]), b"t%d" % number)
            session = auto(shared) if how == "auto" else TOPICS.open(shared=shared)
            events, at = [], 0
            while at < len(said):
                step = chance.randint(1, 9)
                events += session.receive(C, said[at : at + step])
                at += step
            assert names(events) == [(f"t{number}",) if number < known else () for number in range(20)]
            seen.append([(event.offset, event.raw, isinstance(event, Message) and event.kind) for event in events])
    assert all(each == seen[0] for each in seen)


def test_it_is_bounded_in_octets_and_what_is_forgotten_is_told() -> None:
    forgotten: list[tuple[Knowledge, object]] = []
    shared = Shared(Limits(shared=10_000), lambda memory, key: forgotten.append((memory, key)))
    session = TOPICS.open(shared=shared)
    memory = shared.memory(TOPICS)
    assert isinstance(memory, Topics)
    for number in range(1000):
        teach(session, number.to_bytes(2, "big"), b"n" * 100)
        if memory.get(b"\0\0") is None:
            pytest.fail("what is used stays")
        assert memory.size == shared.size <= 10_000
    assert shared.entries + shared.evicted == 1000 and 20 < shared.entries < 50
    assert [key for _, key in forgotten] == [number.to_bytes(2, "big") for number in range(1, shared.evicted + 1)]
    assert all(each is memory for each, _ in forgotten)
    memory.put(b"\0\1", "x" * 20_000)
    assert memory.get(b"\0\1") is None and shared.evicted == len(forgotten)
    memory.drop(b"\0\0")
    assert memory.get(b"\0\0") is None
    assert memory.size == sum(200 + 2 + 100 for _ in range(len(memory)))


class Plain:
    def __init__(self, text: bytes) -> None:
        self.text = text


class Slotted:
    __slots__ = ("text",)

    def __init__(self, text: bytes) -> None:
        self.text = text


@pytest.mark.parametrize(
    "make",
    [
        lambda octets: [octets],
        lambda octets: (1, (2, (3, [octets]))),
        lambda octets: {"name": {"inner": octets}},
        lambda octets: {octets: 1},
        lambda octets: frozenset([octets]),
        lambda octets: [octets[:10] + bytes([at % 250, at // 250]) for at in range(len(octets) // 12)],
        lambda octets: bytearray(octets),
        lambda octets: "\N{SNOWMAN}" * (len(octets) // 2),
        lambda octets: Plain(octets),
        lambda octets: Slotted(octets),
        lambda octets: tuple(range(len(octets) // 8)),
    ],
)
def test_all_that_a_value_contains_is_counted(make: Callable[[bytes], object]) -> None:
    """What is counted is what is allocated, within a third or the room of an entry."""
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        value = make(bytes(range(250)) * 40)
        taken = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    memory = Memory[str, object](Limits(shared=1 << 20))
    memory.put("key", value)
    assert memory.size * 1.34 >= min(taken, 10_000) and memory.size <= 2 * max(taken, 10_000) + 1_000
    memory.put("key", b"")
    assert memory.size == 203
    small = Memory[str, object](Limits(shared=1_000))
    small.put("key", value)
    assert small.size == len(small) == 0 and small.evicted == 1


def test_a_value_that_changes_or_contains_itself_is_counted_once() -> None:
    memory = Memory[str, list[object]]()
    value: list[object] = []
    value.append(value)
    memory.put("key", value)
    value.extend([bytes(1000)] * 9)
    memory.drop("key")
    assert memory.size == 0


def test_a_protocol_without_it_is_untouched() -> None:
    shared = Shared()
    session = get_protocol("redis").open(shared=shared)
    assert session.flow.memory is None and shared.memory(get_protocol("redis")) is None and shared.entries == 0


def stream(number: int, server: str, *said: tuple[Sender, bytes]) -> list[StreamEvent]:
    connection = Connection(number, ("192.0.2.9", 40_000 + number), (server, 9092), midstream=False)
    return [Opened(connection, 0), *(Segment(connection, sender, 0, octets) for sender, octets in said)]


def decoded(streams: Sequence[StreamEvent], services: Services | None = None) -> list[tuple[str | bytes, ...]]:
    events = [each.event for each in decode_streams(streams, [TOPICS], services=services)]
    return names(event for event in events if event is not None)


def test_a_capture_shares_what_is_said_of_one_server() -> None:
    taught = [(C, frame("?", b"orders")), (S, frame("=", b"\0\7orders"))]
    used = (C, frame("!", b"\0\7"))
    streams = [
        *stream(1, "192.0.2.1", *taught),
        *stream(2, "192.0.2.1", used),
        *stream(3, "192.0.2.2", used),
    ]
    assert decoded(streams) == [("orders",), ("orders",), ("orders",), ()]


def test_a_capture_of_many_servers_keeps_the_latest() -> None:
    services = Services(count=10)
    for number in range(100):
        server = f"192.0.2.{number}"
        teach(TOPICS.open(shared=services.of((server, 9092))))
        services.of(("192.0.2.0", 9092))
    assert services.evicted == 90
    used = (C, frame("!", b"\0\7"))
    streams = [*stream(1, "192.0.2.0", used), *stream(2, "192.0.2.99", used), *stream(3, "192.0.2.50", used)]
    assert decoded(streams, services) == [("orders",), ("orders",), ()]


def test_what_it_holds_is_what_it_says() -> None:
    shared = Shared(Limits(shared=1 << 20))
    tracemalloc.start()
    try:
        memory = shared.memory(TOPICS)
        assert isinstance(memory, Topics)
        for number in range(100_000):
            memory.put(b"%d" % number, "x" * (number % 200))
        assert tracemalloc.get_traced_memory()[0] < 2 * shared.size + 100_000
    finally:
        tracemalloc.stop()
    assert 900_000 < shared.size <= 1 << 20
