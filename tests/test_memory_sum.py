"""The sum of what a session holds, while everything that may wait waits: docs/topics/memory.md."""

from __future__ import annotations

import contextlib
import dataclasses
import gc
import gzip
import tracemalloc
import zlib
from collections import deque
from collections.abc import Callable, Iterator
from struct import pack

import pytest
from hpack import Encoder

from endpoint_toys import BY_ID
from endpoint_toys import frame as toy_frame
from l7codecs import Changes, LimitExceeded, Limits, Memory, Message, Sender, Session, Shared, Status, get_protocol
from l7codecs_kafka import KafkaChanges, Names

C, S = Sender.CLIENT, Sender.SERVER
KI = 1024


def command(*words: bytes) -> bytes:
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)


def held(make: Callable[[], Session], work: Callable[[Session], Iterator[object]]) -> int:
    """Octets that a session holds behind `work`, which keeps nothing. What is imported for the first one is nobody's."""
    make()
    gc.collect()
    tracemalloc.start()
    try:
        session = make()
        deque(work(session), maxlen=0)
        gc.collect()
        return tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()


def test_an_endpoint_of_redis() -> None:
    limits = Limits(pending=100, waiting=64 * KI, queued=64 * KI, message=64 * KI)

    def work(session: Session) -> Iterator[object]:
        requests: list[Message] = []
        with contextlib.suppress(LimitExceeded):
            for _ in range(10_000):
                read = (
                    command(b"GET", b"k")
                    + command(b"CLIENT", b"REPLY", b"SKIP")
                    + command(b"SET", b"k", bytes(16 * KI))
                )
                requests += [
                    each for each in session.receive(C, read) if isinstance(each, Message) and each.operation == "GET"
                ]
        assert len(requests) >= 700
        with contextlib.suppress(LimitExceeded):
            for request in requests[1:]:
                yield session.reply_error(request, Status.UNAVAILABLE, "x" * 5_000)

    most = 8 * limits.waiting + 8 * limits.queued + 2 * limits.message + 64 * KI + 800 * 1_000
    assert held(lambda: get_protocol("redis").open(limits=limits, endpoint=S), work) < most


def test_an_observer_of_redis() -> None:
    limits = Limits(pending=1_000, waiting=256 * KI, message=64 * KI)

    def work(session: Session) -> Iterator[object]:
        for number in range(2_000):
            yield from session.receive(C, command(b"SET", b"k%d" % number, b"x" * 30_000))
        yield from session.receive(C, b"*2\r\n$3\r\nGET\r\n$70000\r\n" + b"x" * 60_000)
        yield from session.receive(S, b"*2\r\n" * 60 + b"$70000\r\n" + b"x" * 60_000)

    most = 2 * limits.waiting + limits.pending * (KI + 600) + 4 * limits.message + 64 * KI
    assert held(lambda: get_protocol("redis").open(limits=limits), work) < most


def test_an_endpoint_that_many_clients_share() -> None:
    limits = Limits(pending=100, waiting=64 * KI, queued=64 * KI, message=4 * KI, head=KI)

    def work(session: Session) -> Iterator[object]:
        apart = Limits(message=4 * KI, head=KI)
        clients = [BY_ID[4].open(limits=apart, endpoint=S) for _ in range(4)]
        for number in range(1_000):  # which are given up and never answered
            stranger = BY_ID[4].open(limits=apart, endpoint=S)
            for request in stranger.receive(C, toy_frame("Q", number, "g" * 100, 4)):
                assert isinstance(request, Message)
                yield session.send(request)
                yield session.cancel(request)
        with contextlib.suppress(LimitExceeded):
            for number in range(1_000):
                for event in clients[1].receive(C, toy_frame("Q", number, "w" * 1_000, 4)):
                    yield session.send(event)
        for event in clients[2].receive(C, toy_frame("Q", 1, "s" * 8_000, 4)[:6_000]):  # to whose end others wait
            with contextlib.suppress(LimitExceeded):
                yield session.send(event)
        with contextlib.suppress(LimitExceeded):
            for number in range(10_000):
                for event in clients[3].receive(C, toy_frame("Q", number, "b" * 100, 4)):
                    yield session.send(event)

    most = 8 * limits.waiting + 8 * limits.queued + 2 * limits.message + 64 * KI + (800 + 800 + 100) * 1_000
    assert held(lambda: BY_ID[4].open(limits=limits, endpoint=C), work) < most


def test_what_is_shared() -> None:
    shared = Shared(Limits(shared=256 * KI))

    def work(session: Session) -> Iterator[object]:
        memory = session.flow.memory
        assert isinstance(memory, Memory)
        for number in range(20_000):
            memory.put(b"%d" % number, "x" * (number % 100))
            yield number

    names = dataclasses.replace(BY_ID[4], memory=Memory)
    assert held(lambda: names.open(shared=shared), work) < 2 * 256 * KI + 64 * KI
    assert shared.evicted > 10_000


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def test_an_observer_of_http2() -> None:
    limits = Limits(streams=250, waiting=256 * KI, head=8 * KI, message=64 * KI)
    noise = frame(0x7F, 0, 0, bytes(16_000)) * 4

    def work(session: Session) -> Iterator[object]:
        encoder = Encoder()
        yield from session.receive(C, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0))
        yield from session.receive(S, frame(4, 0, 0) + frame(4, 1, 0))
        for number in range(200):
            fields = [
                (":method", "GET"),
                (":scheme", "http"),
                (":path", f"/{number}"),
                (":authority", "a"),
                (f"x-{number}", "v" * 2_000),
            ]
            yield from session.receive(C, frame(1, 4, 4 * number + 1, encoder.encode(fields)) + noise)
            yield from session.receive(S, frame(1, 4, 4 * number + 1, b"\x88") + noise)
            if number > 0:  # which may be spoken on, and is remembered
                yield from session.receive(S, frame(3, 0, 4 * number - 3, bytes(4)) + noise)
            yield from session.receive(C, frame(1, 4, 4 * number + 3, encoder.encode(fields)) + noise)

    most = limits.streams * 2 * (limits.head + 2_000) + 2 * limits.waiting + 2 * limits.message + 64 * KI
    assert held(lambda: get_protocol("http2").open(limits=limits), work) < most


def test_an_endpoint_of_kafka_that_changes_names() -> None:
    """Heads of many clients whose names can be changed as a whole only; the reads that they came in are not kept."""
    limits = Limits(pending=1_000, waiting=256 * KI, queued=64 * KI, message=4 * KI)
    names = Names.prefixed("tenant-a.")
    changes = KafkaChanges(topics=names)
    body = b"\0\0\1\0\0\0\0\3\4one\2\0\0\0\0" + b"\x81\x80\x80\x80\1"  # Produce 9 of two topics, records of 256 MiB
    request = b"\0\0\0\x09\0\0\0\1\xff\xff\0" + body
    head = (len(request) + (1 << 28)).to_bytes(4, "big") + request + bytes(5_000)
    refused = 0

    def work(session: Session) -> Iterator[object]:
        nonlocal refused
        for _ in range(300):
            client = get_protocol("kafka").open(limits=Limits(message=4 * KI, head=KI), endpoint=S)
            for event in client.receive(C, head + bytes(30_000)):
                try:
                    yield session.send(event, changes if isinstance(event, Message) else None)
                except LimitExceeded:
                    refused += 1

    most = 8 * limits.queued + limits.message + 64 * KI + 100 * 1_500
    assert held(lambda: get_protocol("kafka").open(limits=limits, endpoint=C), work) < most
    assert refused > 200


def kafka(key: int, version: int, number: int, body: bytes) -> bytes:
    header = key.to_bytes(2, "big") + version.to_bytes(2, "big") + number.to_bytes(4, "big") + b"\x00\x01c"
    return (len(header) + len(body)).to_bytes(4, "big") + header + body


def answered(number: int, body: bytes) -> bytes:
    return (4 + len(body)).to_bytes(4, "big") + number.to_bytes(4, "big") + body


def test_an_observer_of_kafka() -> None:
    limits = Limits(pending=1_000, waiting=256 * KI, message=64 * KI, shared=128 * KI)

    def work(session: Session) -> Iterator[object]:
        partitions = b"".join(number.to_bytes(4, "big") + bytes(24) for number in range(50))
        topics = b"\x00\x00\x00\x01\x00\x05topic" + (50).to_bytes(4, "big") + partitions
        for number in range(1_000):  # each begins a fetch session
            full = bytes(17) + bytes(4) + bytes(4) + topics + bytes(4)
            yield from session.receive(C, kafka(1, 7, number, full))
            yield from session.receive(S, answered(number, bytes(6) + (number + 1).to_bytes(4, "big") + bytes(4)))
        for number in range(20_000):  # which are seen before their requests
            yield from session.receive(S, answered(100_000 + number, b""))
        for number in range(2_000):  # which are not answered
            yield from session.receive(C, kafka(0, 3, number, b"\xff\xff\x00\x01" + bytes(30_000)))
        yield from session.receive(C, kafka(1, 4, 7, bytes(17)))
        records = (200_000).to_bytes(4, "big")
        yield from session.receive(S, (300_000).to_bytes(4, "big") + (7).to_bytes(4, "big") + bytes(60_000) + records)
        topics = b"\xff\xff\x00\x01" + bytes(4) + b"\x7f\xff\xff\xff" + bytes(300_000)  # of no name, without records
        produce = kafka(0, 3, 8, topics)
        yield from session.receive(C, produce[:100_000])  # what is of it between records is kept, up to a limit

    most = 2 * limits.waiting + limits.pending * (KI + 900) + 4 * limits.message + 2 * limits.shared + 64 * KI
    assert held(lambda: get_protocol("kafka").open(limits=limits), work) < most


def dubbo(flags: int, number: int, body: bytes) -> bytes:
    status = 0 if flags & 0x80 else 20
    return b"\xda\xbb" + bytes([flags, status]) + number.to_bytes(8, "big") + len(body).to_bytes(4, "big") + body


def test_an_observer_of_dubbo() -> None:
    """Requests of both sides that nobody answers, of which everything was asked; answers to nothing; a message that streams."""
    limits = Limits(pending=1_000, waiting=256 * KI, message=64 * KI)
    head = b"\x052.0.2\x01a\x050.0.0\x01m\x14Ljava/lang/String;[B" + b"\x01x" + b"B\x27\x10" + bytes(10_000)

    def work(session: Session) -> Iterator[object]:
        for number in range(2_000):
            for sender in (C, S):
                for event in session.receive(sender, dubbo(0xC2, number, head + b"H\x05group\x01gZ")):
                    assert isinstance(event, Message) and event.operation == "m" and event.headers.get("group") == "g"
                    yield event
        for number in range(20_000):
            yield from session.receive(S, dubbo(0x02, 1 << 40 | number, b"\x95HZ"))
        yield from session.receive(S, dubbo(0x02, 7, bytes(300_000))[:200_000])

    most = 2 * (2 * limits.waiting + limits.pending * (KI + 900)) + 4 * limits.message + 64 * KI
    assert held(lambda: get_protocol("dubbo").open(limits=limits), work) < most


def test_requests_of_dubbo_that_are_gathered() -> None:
    """Heads of many consumers that change; the reads that they came in are not kept."""
    limits = Limits(pending=1_000, waiting=256 * KI, queued=64 * KI, message=4 * KI)
    changes = Changes(set_headers={"tenant": "a"})
    head = bytes.fromhex("05 322e302e32 01 61 01 31 01 6d 12") + b"Ljava/lang/String;"
    large = dubbo(0xC2, 7, head + b"S\xff\xff" + b"x" * 65_535 + b"HZ")
    refused = 0

    def work(session: Session) -> Iterator[object]:
        nonlocal refused
        for _ in range(300):
            client = get_protocol("dubbo").open(limits=Limits(message=4 * KI, head=KI), endpoint=S)
            for event in client.receive(C, large[:30_000]):
                try:
                    yield session.send(event, changes if isinstance(event, Message) else None)
                except LimitExceeded:
                    refused += 1

    most = 8 * limits.queued + limits.message + 64 * KI + 100 * 1_500
    assert held(lambda: get_protocol("dubbo").open(limits=limits, endpoint=C), work) < most
    assert refused > 200


def thrift(number: int, size: int) -> bytes:
    """A call with a text of `size` octets in the strict binary protocol."""
    return b"\x80\x01\0\1\0\0\0\1a" + pack(">i", number) + b"\x0b\0\1" + pack(">i", size) + bytes(size) + b"\0"


def framed(octets: bytes) -> bytes:
    return len(octets).to_bytes(4, "big") + octets


def headed(number: int, size: int, infos: int = 0) -> bytes:
    """The same in a frame with THeader and a transform."""
    said = b"\0\1\1" + (b"\1" + bytes((0x80 | infos & 0x7F, infos >> 7)) + b"\2ab\2cd" * infos if infos else b"\0")
    said += bytes(-len(said) % 4)
    return framed(b"\x0f\xff\0\0" + pack(">iH", number, len(said) // 4) + said + zlib.compress(thrift(number, size)))


def posted(number: int, size: int) -> bytes:
    body = gzip.compress(thrift(number, size))
    return b"POST / HTTP/1.1\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body) + body


class Packed:
    """The same in a stream of zlib."""

    def __init__(self) -> None:
        self.machine = zlib.compressobj()

    def __call__(self, number: int, size: int) -> bytes:
        return self.machine.compress(framed(thrift(number, size))) + self.machine.flush(zlib.Z_SYNC_FLUSH)


@pytest.mark.parametrize("side", [None, S])
@pytest.mark.parametrize("transport", ["header", "infos", "http", "zlib"])
def test_thrift_that_is_compressed(transport: str, side: Sender | None) -> None:
    """Calls of a few octets that wait, and of which many are made."""
    limits = Limits(pending=1_000, waiting=256 * KI, message=128 * KI)

    def work(session: Session) -> Iterator[object]:
        packed = Packed()
        for number in range(80):
            if transport == "header":
                said = headed(number, 60_000)
            elif transport == "infos":
                said = headed(number, 10, 500)
            elif transport == "http":
                said = posted(number, 60_000)
            else:
                said = packed(number, 60_000)
            yield from session.receive(C, said)

    # An observer remembers the first octets of each further one; an endpoint as much again of what may never be answered.
    most = 2 * limits.waiting + (limits.waiting if side else 0) + 80 * (KI + 1_500) + limits.message + 256 * KI
    assert held(lambda: get_protocol("thrift").open(limits=limits, endpoint=side), work) < most


def test_small_calls_in_a_stream_of_zlib_keep_their_own() -> None:
    """Of each piece of 64 KiB one waits."""
    limits = Limits(pending=1_000, waiting=256 * KI)

    def work(session: Session) -> Iterator[object]:
        packed = Packed()
        for number in range(100):
            oneway = bytearray(thrift(0, 60_000))
            oneway[3] = 4
            said = packed.machine.compress(framed(bytes(oneway))) + packed(number, 10)
            yield from session.receive(C, said)
        assert session.pending == 100

    most = 2 * limits.waiting + 100 * 3_000 + 512 * KI
    assert held(lambda: get_protocol("thrift").open(limits=limits), work) < most


def test_requests_of_http2_that_wait_for_a_stream() -> None:
    """Their heads say little, since the table of header compression has it."""
    limits = Limits(pending=10_000, waiting=64 * KI)
    refused = 0

    def work(session: Session) -> Iterator[object]:
        nonlocal refused
        fields = [(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "a")]
        yield session.pending_output()
        for connection in range(20):
            client = get_protocol("http2").open(endpoint=S)
            encoder = Encoder()
            deque(client.receive(C, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0)), maxlen=0)
            for number in range(20):
                block = encoder.encode([*fields, ("x", f"{connection} {number // 10}" + "v" * 3_500)], False)
                for event in client.receive(C, frame(1, 5, 2 * number + 1, block)):
                    if not isinstance(event, Message) or event.operation != "GET":
                        continue
                    try:
                        yield session.send(event)
                    except LimitExceeded:
                        refused += 1

    most = 8 * limits.waiting + 300 * 2_500 + 256 * KI
    assert held(lambda: get_protocol("http2").open(limits=limits, endpoint=C), work) < most
    assert refused > 100
