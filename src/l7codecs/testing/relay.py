"""A relay on the loopback that stands between a real client and a real server, and records what passes.

    with Relay(("127.0.0.1", port)) as relay:
        run_a_client(relay.port)
        (recording,) = relay.wait_closed()
    outcome = check_cuts(lambda: open_session("acme"), recording.to_vector(), eof=recording.ended)

Octets are recorded before they are passed on, so in a recording an answer never stands before its request. What one end does, the other
sees: a half-close is a half-close, a reset is a reset, and an end that does not read holds up the one that sends.

Not handled: urgent data; TLS, which is recorded as it is, encrypted.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType

from l7codecs.kinds import Sender
from l7codecs.testing.vectors import Vector

__all__ = ["PATIENCE", "Piece", "Recording", "Relay"]

PATIENCE = 20.0
"""Seconds that anything is waited for where nothing else is said."""

_READ_SIZE = 64 * 1024
_RETRY = 0.01
"""Seconds until a Unix socket is tried again whose queue of connections is full."""
_RESET_AT_CLOSE = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)
"""SO_LINGER with a time of 0: to close is to reset."""


@dataclass(frozen=True, slots=True)
class Piece:
    """The octets of one read, and when that was (ns since 1970)."""

    time: int
    sender: Sender
    octets: bytes


class Recording:
    """What passed over one connection.

    client: the address of the client.
    server: the address of the server; the relay's own where the server listens on a Unix socket.
    opened: when the connection was accepted (ns since 1970).
    closed: when either side last ended (ns since 1970); 0 before.
    pieces: every read in the order in which it was passed on. It grows until both sides have ended.
    error: why the connection ended out of order, for example `ConnectionResetError`, or `ConnectionRefusedError` where the
        server was not there; else None. ``ended[0]`` tells whose doing it was.
    """

    def __init__(self, client: tuple[str, int], server: tuple[str, int], patience: float = PATIENCE) -> None:
        self.client = client
        self.server = server
        self.opened = time.time_ns()
        self.closed = 0
        self.pieces: list[Piece] = []
        self.error: OSError | None = None
        self._patience = patience
        self._ended: tuple[Sender, ...] = ()
        self._changed = threading.Condition()

    @property
    def ended(self) -> tuple[Sender, ...]:
        """Who sends no more, in the order in which they ended. After a reset both."""
        return self._ended

    def octets(self, sender: Sender) -> bytes:
        """All that `sender` has sent so far."""
        return b"".join(piece.octets for piece in tuple(self.pieces) if piece.sender is sender)

    def to_vector(self, name: str = "recording") -> Vector:
        """What was said so far, to `replay` or to `save`."""
        return Vector(name, tuple((piece.sender, piece.octets) for piece in tuple(self.pieces)))

    def wait_for(self, octets: bytes, sender: Sender = Sender.SERVER) -> None:
        """Wait until `sender` has sent `octets`, in whatever pieces.

        Raises:
            TimeoutError: they did not come in time, or `sender` has ended without them.
        """
        with self._changed:
            self._changed.wait_for(lambda: octets in self.octets(sender) or sender in self._ended, self._patience)
            if octets not in self.octets(sender):
                raise TimeoutError(f"the {sender.value} never sent {octets!r}")

    def wait_closed(self) -> None:
        """Wait until both sides have ended. Raises `TimeoutError` where they do not in time."""
        with self._changed:
            if not self._changed.wait_for(lambda: len(self._ended) == 2, self._patience):
                going_on = [sender.value for sender in Sender if sender not in self._ended]
                raise TimeoutError(f"the {' and the '.join(going_on)} did not end")

    def _add(self, sender: Sender, octets: bytes) -> None:
        with self._changed:
            self.pieces.append(Piece(time.time_ns(), sender, octets))
            self._changed.notify_all()

    def _end(self, *senders: Sender, error: OSError | None = None) -> None:
        """These send no more, in this order."""
        with self._changed:
            self.error = error
            self._ended = tuple(dict.fromkeys(self._ended + senders))
            self.closed = time.time_ns()
            self._changed.notify_all()


class Relay:
    """A listener on a free port of 127.0.0.1, each of whose connections goes on to `server`.

    As a context manager it closes at the end.

    host, port: where it listens.
    recordings: one for each connection, in the order in which they came.
    client_first: the server learns of a connection only when its client has sent something (or ended), so that the server
        cannot speak before. May be set at any time, for connections to come.
    """

    def __init__(
        self,
        server: tuple[str, int] | str | os.PathLike[str],
        *,
        client_first: bool = False,
        patience: float = PATIENCE,
    ) -> None:
        """Listen.

        Args:
            server: host and port, or the path of a Unix socket. It need not listen yet; a connection that it refuses is
                reset, and has a recording with an `error`.
            client_first: see above.
            patience: seconds that every waiting method of the relay and of its recordings waits before its `TimeoutError`.
        """
        self.recordings: list[Recording] = []
        self.client_first = client_first
        self._server = server if isinstance(server, tuple) else os.fspath(server)
        self._patience = patience
        self._changed = threading.Condition()
        # Every thread waits for this too: it can be read from as soon as the other end is closed.
        self._closed, self._open = socket.socketpair()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.host, self.port = self._listener.getsockname()
        self._links: list[threading.Thread] = []
        self._acceptor = threading.Thread(target=self._accept, name=f"relay {self.port}", daemon=True)
        self._acceptor.start()

    @property
    def address(self) -> str:
        """``host:port``."""
        return f"{self.host}:{self.port}"

    def __enter__(self) -> Relay:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def number(self, index: int) -> Recording:
        """The connection with this number, from 0; waits for it. Raises `TimeoutError` where it does not come in time."""
        return self._wait_for(lambda: self.recordings[index : index + 1], f"there is no connection {index}")

    def recording(self, client_port: int) -> Recording:
        """The latest connection from this port; waits for it. Raises `TimeoutError` where it does not come in time."""
        return self._wait_for(
            lambda: [each for each in self.recordings if each.client[1] == client_port],
            f"there is no connection from port {client_port}",
        )

    def wait_closed(self) -> list[Recording]:
        """Wait for a connection, and until all that there are have ended on both sides.

        Returns:
            Their recordings. ``(recording,) = relay.wait_closed()`` also says that there was but one.

        Raises:
            TimeoutError: there was none in time, or one did not end in time.
        """
        self.number(0)
        for recording in self.recordings:
            recording.wait_closed()
        return list(self.recordings)

    def close(self) -> None:
        """Stop listening, end the connections that are still open, and wait until that is done."""
        self._open.close()
        self._acceptor.join()
        self._listener.close()
        for link in self._links:
            link.join()
        self._closed.close()

    def _wait_for(self, find: Callable[[], list[Recording]], failure: str) -> Recording:
        with self._changed:
            if not self._changed.wait_for(find, self._patience):
                raise TimeoutError(failure)
            return find()[-1]

    def _accept(self) -> None:
        self._listener.setblocking(False)
        with selectors.DefaultSelector() as selector:
            selector.register(self._listener, selectors.EVENT_READ)
            selector.register(self._closed, selectors.EVENT_READ)
            while all(key.fileobj is not self._closed for key, _ in selector.select()):
                try:
                    client, address = self._listener.accept()
                except (BlockingIOError, ConnectionAbortedError):
                    continue  # its client has gone again
                target = self._server if isinstance(self._server, tuple) else (self.host, self.port)
                recording = Recording(address, target, self._patience)
                self._links = [link for link in self._links if link.is_alive()]
                link = _Link(self._server, client, recording, self._closed, self.client_first, self._patience)
                self._links.append(link)
                with self._changed:
                    self.recordings.append(recording)
                    self._changed.notify_all()
                link.start()


class _Broken(Exception):
    """One end is lost."""

    def __init__(self, end: Sender, error: OSError) -> None:
        self.end = end
        self.error = error


class _Closed(Exception):
    """The relay is closed."""


@dataclass
class _Direction:
    """From one socket to the other."""

    sender: Sender
    source: socket.socket
    target: socket.socket
    held: bytes = b""
    """Recorded, and not yet passed on. Until it is, nothing more is read."""
    ended: bool = False

    @property
    def receiver(self) -> Sender:
        return Sender.SERVER if self.sender is Sender.CLIENT else Sender.CLIENT


class _Link(threading.Thread):
    """One connection. This thread alone uses its sockets."""

    def __init__(
        self,
        server: tuple[str, int] | str,
        client: socket.socket,
        recording: Recording,
        closed: socket.socket,
        client_first: bool,
        patience: float,
    ) -> None:
        super().__init__(name=f"relay of {recording.client[1]}", daemon=True)
        self._server = server
        self._client = client
        self._recording = recording
        self._closed = closed
        self._client_first = client_first
        self._patience = patience
        self._selector = selectors.DefaultSelector()

    def run(self) -> None:
        ends = {Sender.CLIENT: self._client}
        with self._selector, contextlib.ExitStack() as stack:
            stack.enter_context(self._client)
            self._selector.register(self._closed, selectors.EVENT_READ)
            try:
                self._client.setblocking(False)
                if self._client_first:
                    self._wait({self._client: selectors.EVENT_READ})
                ends[Sender.SERVER] = stack.enter_context(self._connect())
                for end in ends.values():
                    end.setblocking(False)
                    if end.family is not socket.AF_UNIX:
                        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._pass_on(ends[Sender.CLIENT], ends[Sender.SERVER])
            except _Broken as broken:
                for sender, end in ends.items():
                    if sender is not broken.end and end.family is not socket.AF_UNIX:
                        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_AT_CLOSE)
                # Closed before the recording says so.
                stack.close()
                self._recording._end(broken.end, *Sender, error=broken.error)
            except _Closed:
                stack.close()
                self._recording._end(*Sender)

    def _connect(self) -> socket.socket:
        """A connection to the server."""
        try:
            if isinstance(self._server, tuple):
                return socket.create_connection(self._server, self._patience)
            return self._connect_unix(self._server)
        except OSError as error:
            raise _Broken(Sender.SERVER, error) from error

    def _connect_unix(self, path: str) -> socket.socket:
        server = socket.socket(socket.AF_UNIX)
        try:
            server.setblocking(False)
            while True:
                try:
                    server.connect(path)
                    return server
                except BlockingIOError:
                    self._wait({}, _RETRY)
        except BaseException:
            server.close()
            raise

    def _pass_on(self, client: socket.socket, server: socket.socket) -> None:
        """Pass on what either side sends, until both have ended."""
        directions = (_Direction(Sender.CLIENT, client, server), _Direction(Sender.SERVER, server, client))
        while True:
            wanted: dict[socket.socket, int] = {}
            for direction in directions:
                if direction.held:
                    wanted[direction.target] = wanted.get(direction.target, 0) | selectors.EVENT_WRITE
                elif not direction.ended:
                    wanted[direction.source] = wanted.get(direction.source, 0) | selectors.EVENT_READ
            if not wanted:
                return
            ready = self._wait(wanted)
            for direction in directions:
                if direction.held and ready.get(direction.target, 0) & selectors.EVENT_WRITE:
                    self._write(direction)
                elif not direction.held and ready.get(direction.source, 0) & selectors.EVENT_READ:
                    self._read(direction)

    def _read(self, direction: _Direction) -> None:
        try:
            octets = direction.source.recv(_READ_SIZE)
        except BlockingIOError:
            return
        except OSError as error:
            raise _Broken(direction.sender, error) from error
        if octets:
            self._recording._add(direction.sender, octets)
            direction.held = octets
            self._write(direction)
            return
        direction.ended = True
        with contextlib.suppress(OSError):  # where the receiver has closed, it need not be told
            direction.target.shutdown(socket.SHUT_WR)
        self._recording._end(direction.sender)

    def _write(self, direction: _Direction) -> None:
        try:
            sent = direction.target.send(direction.held)
        except BlockingIOError:
            return
        except OSError as error:
            raise _Broken(direction.receiver, error) from error
        direction.held = direction.held[sent:]

    def _wait(self, wanted: dict[socket.socket, int], timeout: float | None = None) -> dict[socket.socket, int]:
        """Wait until one of these sockets is ready, at most `timeout` seconds, and tell for what each is. Raises `_Closed`."""
        watched = self._selector.get_map()
        for each in [key.fileobj for key in watched.values()]:
            if each is not self._closed and each not in wanted:
                self._selector.unregister(each)
        for each, events in wanted.items():
            if each not in watched:
                self._selector.register(each, events)
            elif watched[each].events != events:
                self._selector.modify(each, events)
        found = self._selector.select(timeout)
        ready = {key.fileobj: events for key, events in found if isinstance(key.fileobj, socket.socket)}
        if self._closed in ready:
            raise _Closed
        return ready
