"""The end of a client goes before what came behind it, whatever else one turn of the loop brings: what is put is not given to who has gone.

The loop, asyncio's own, stands still while all of it comes, so it is one turn.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import select
import socket
import struct
import threading
from collections.abc import Iterator

import pytest

from .running import TO_ONE, Running, read, running, wait_until

LINGER = struct.pack("ii", 1, 0)


@contextlib.contextmanager
def standing_still(here: Running) -> Iterator[None]:
    """The loop does nothing meanwhile."""
    stands, goes_on = threading.Event(), threading.Event()

    def stand() -> None:
        stands.set()
        goes_on.wait(20)

    here.loop.call_soon_threadsafe(stand)
    stands.wait(20)
    try:
        yield
    finally:
        goes_on.set()


class Watcher:
    """A server that keeps what comes of all its connections in the order in which the kernel has it."""

    def __init__(self) -> None:
        self.seen: list[tuple[int, bytes]] = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self._connections: dict[int, socket.socket] = {}
        self._names: dict[int, int] = {}
        self._count = itertools.count()
        self._poll = select.epoll()
        self._poll.register(self.listener, select.EPOLLIN)
        self.ended = False

    def run(self) -> None:
        while not self.ended:
            for number, _ in self._poll.poll(0.1):
                if number == self.listener.fileno():
                    connection, _ = self.listener.accept()
                    self._connections[connection.fileno()] = connection
                    self._names[connection.fileno()] = next(self._count)
                    self._poll.register(connection, select.EPOLLIN | select.EPOLLET)
                else:
                    self._take(number, self._connections[number])

    def _take(self, number: int, connection: socket.socket) -> None:
        try:
            octets = connection.recv(65536)
        except OSError:
            octets = b""
        self.seen.append((self._names[number], octets))
        if octets:
            with contextlib.suppress(OSError):
                connection.sendall(b"".join(ANSWERS[word] for word in octets.split() if word in ANSWERS))
        else:
            connection.close()

    def place_of(self, octets: bytes, since: int = 0) -> int:
        return next((at for at in range(since, len(self.seen)) if octets in self.seen[at][1]), -1)


ANSWERS = {b"GET": b"$-1\r\n", b"WATCH": b"+OK\r\n", b"RPUSH": b":1\r\n"}


@pytest.fixture
def watcher() -> Iterator[Watcher]:
    found = Watcher()
    thread = threading.Thread(target=found.run, daemon=True)
    thread.start()
    yield found
    found.ended = True
    thread.join(10)
    found.listener.close()


@pytest.mark.parametrize("before", ["", "WATCH k\r\n"], ids=["", "watching"])
@pytest.mark.parametrize("how", ["close", "reset"])
def test_what_is_put_behind_the_end_of_who_waited_comes_behind_it(watcher: Watcher, how: str, before: str) -> None:
    with (
        running(TO_ONE.format("redis", watcher.port)) as here,
        socket.create_connection(("127.0.0.1", here.port())) as first,
        socket.create_connection(("127.0.0.1", here.port())) as last,
    ):
        for each in (first, last):
            each.sendall(b"GET k\r\n")
            assert read(each, 5) == b"$-1\r\n"
        for _ in range(10):
            since = len(watcher.seen)
            worker = socket.create_connection(("127.0.0.1", here.port()))
            worker.sendall(f"{before}BLPOP q 0\r\n".encode())
            wait_until(lambda since=since: watcher.place_of(b"BLPOP", since) >= 0, 5)
            if before:
                assert read(worker, 5) == b"+OK\r\n"  # what is not read makes its end a reset
            here.call(
                asyncio.sleep(0.01)
            )  # what the loop has looked at before stands in front for the kernel until it looks again
            with standing_still(here):
                first.sendall(b"GET k\r\n")  # so that its connection to the server is the first to be written to
                if how == "reset":
                    worker.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER)
                worker.close()
                last.sendall(b"RPUSH q x\r\n")
            assert read(first, 5) == b"$-1\r\n"
            assert read(last, 4) == b":1\r\n"
            waits = watcher.seen[watcher.place_of(b"BLPOP", since)][0]
            assert (waits, b"") in watcher.seen[since : watcher.place_of(b"RPUSH", since)]
            wait_until(lambda: len(here.engine.clients) == 2, 5)
