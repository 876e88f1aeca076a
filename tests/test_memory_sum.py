"""The sum of what a session holds, while everything that may wait waits: docs/topics/memory.md."""

from __future__ import annotations

import contextlib
import dataclasses
import gc
import tracemalloc
from collections import deque
from collections.abc import Callable, Iterator

from hpack import Encoder

from endpoint_toys import BY_ID
from endpoint_toys import frame as toy_frame
from l7codecs import LimitExceeded, Limits, Memory, Message, Sender, Session, Shared, Status, get_protocol

C, S = Sender.CLIENT, Sender.SERVER
KI = 1024


def command(*words: bytes) -> bytes:
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)


def held(make: Callable[[], Session], work: Callable[[Session], Iterator[object]]) -> int:
    """Octets that a session holds behind `work`, which keeps nothing."""
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
