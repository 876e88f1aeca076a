"""A TCP relay on loopback that records what passes: for each connection the time, the sender and the octets of every read.

It stands between a real client and a real server. Octets are recorded before they are passed on, so in a recording an answer never
stands before its request, nor a SETTINGS ACK before its SETTINGS.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from l7codecs import Sender

__all__ = ["PATIENCE", "Piece", "Recording", "Relay"]

READ_SIZE = 64 * 1024
PATIENCE = 20.0
"""Seconds that anything here is waited for."""


@dataclass(frozen=True, slots=True)
class Piece:
    """The octets of one read, and when that was (ns since 1970)."""

    time: int
    sender: Sender
    octets: bytes


class Recording:
    """What passed over one connection, in order."""

    def __init__(self, client: tuple[str, int], server: tuple[str, int]) -> None:
        self.client = client
        self.server = server
        self.opened = time.time_ns()
        self.closed = 0
        self.pieces: list[Piece] = []
        self._changed = threading.Condition()
        self._ended: list[Sender] = []

    def add(self, sender: Sender, octets: bytes) -> None:
        with self._changed:
            self.pieces.append(Piece(time.time_ns(), sender, octets))

    def end(self, sender: Sender) -> None:
        """`sender` sends no more."""
        with self._changed:
            self._ended.append(sender)
            self.closed = time.time_ns()
            self._changed.notify_all()

    @property
    def ended(self) -> tuple[Sender, ...]:
        """Who has ended, in order."""
        with self._changed:
            return tuple(self._ended)

    def octets(self, sender: Sender) -> bytes:
        """All that `sender` has sent so far."""
        with self._changed:
            return b"".join(piece.octets for piece in self.pieces if piece.sender is sender)

    def wait_closed(self) -> None:
        """Wait until both sides have ended."""
        with self._changed:
            if not self._changed.wait_for(lambda: len(self._ended) == 2, PATIENCE):
                raise TimeoutError(f"only {[sender.value for sender in self._ended]} ended")


class Relay:
    """A listener on a free port of the loopback, each of whose connections goes on to `server`."""

    def __init__(self, server: tuple[str, int]) -> None:
        self.recordings: list[Recording] = []
        self.client_first = False
        """The server learns of a connection only when its client has sent something, so it cannot speak before."""
        self._server = server
        self._opened = threading.Condition()
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._closing = False
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.host, self.port = self._listener.getsockname()
        self._start(self._accept)

    @property
    def address(self) -> str:
        """``host:port``."""
        return f"{self.host}:{self.port}"

    def __enter__(self) -> Relay:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def number(self, index: int) -> Recording:
        """The connection with this number, from 0; waits until it is there."""
        with self._opened:
            if not self._opened.wait_for(lambda: len(self.recordings) > index, PATIENCE):
                raise TimeoutError(f"there is no connection {index}")
            return self.recordings[index]

    def close(self) -> None:
        """End all connections, and wait until everything is recorded."""
        self._closing = True
        with contextlib.suppress(OSError):
            socket.create_connection((self.host, self.port)).close()
        self._threads[0].join(PATIENCE)
        self._listener.close()
        for each in self._sockets:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(PATIENCE)
        for each in self._sockets:
            each.close()

    def _start(self, target: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            client, address = self._listener.accept()
            if self._closing:
                client.close()
                return
            try:
                if self.client_first:
                    client.recv(1, socket.MSG_PEEK)
                server = socket.create_connection(self._server)
            except OSError:
                client.close()
                continue
            for each in (client, server):
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._sockets += [client, server]
            recording = Recording(address, self._server)
            with self._opened:
                self.recordings.append(recording)
                self._opened.notify_all()
            self._start(self._pump, recording, Sender.CLIENT, client, server)
            self._start(self._pump, recording, Sender.SERVER, server, client)

    @staticmethod
    def _pump(recording: Recording, sender: Sender, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while octets := source.recv(READ_SIZE):
                recording.add(sender, octets)
                target.sendall(octets)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_WR)
        recording.end(sender)
