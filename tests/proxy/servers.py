"""Servers that go wrong as they are told to."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from types import TracebackType

from .tongues import Tongue

__all__ = ["Upstream", "echo", "reset"]

_RESET = struct.pack("ii", 1, 0)

Manner = Callable[["Upstream", socket.socket, Iterator[bytes]], None]
"""What a server does with a connection and the requests that come on it."""


def reset(connection: socket.socket) -> None:
    """Close it by RST."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    connection.close()


def echo(upstream: Upstream, connection: socket.socket, asked: Iterator[bytes]) -> None:
    """As it should be."""
    for each in asked:
        connection.sendall(upstream.tongue.answer(each))


class Upstream:
    """A server on a port of its own, in threads; ``manner`` may be changed at any time, for connections that come then."""

    def __init__(self, tongue: Tongue, manner: Manner = echo) -> None:
        self.tongue = tongue
        self.manner = manner
        self.asked: list[bytes] = []
        self.connections: list[socket.socket] = []
        self.accepted = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.go_on = threading.Event()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.accepted += 1
            self.connections.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            self.manner(self, connection, self._read(connection))
            connection.close()

    def _read(self, connection: socket.socket) -> Iterator[bytes]:
        left = b""
        while more := connection.recv(65536):
            found, left = self.tongue.split(left + more, asked=True)
            for each in found:
                self.asked.append(each)
                yield each

    def __enter__(self) -> Upstream:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.listener.close()
        self.go_on.set()
        for each in self.connections:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
