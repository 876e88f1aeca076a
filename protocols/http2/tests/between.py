"""Two sessions between a client and a server that are h2 (PyPI): a proxy without sockets, whose peers check every rule that they know."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import h2.config
import h2.connection
import h2.events
from hyperframe import frame as frames
from l7codecs_http2 import Http2Session

import l7codecs
from l7codecs import DEFAULT_LIMITS, Event, Kind, Limits, Message, Sender, Status, Unsupported

__all__ = ["GET", "POST", "Between", "Endpoint", "frames_of", "get", "h2_client", "h2_server"]

GET = [(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "here")]
POST = [(":method", "POST"), *GET[1:]]


def get(path: str) -> list[tuple[str, str]]:
    return [*GET[:2], (":path", path), GET[3]]


def h2_client() -> h2.connection.H2Connection:
    return h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))


def h2_server() -> h2.connection.H2Connection:
    return h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, validate_inbound_headers=False))


def frames_of(octets: bytes) -> list[Any]:
    """The frames in `octets`, behind a preface if there is one, as hyperframe reads them."""
    found = []
    octets = octets.removeprefix(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
    while octets:
        one, size = frames.Frame.parse_frame_header(memoryview(octets)[:9])
        one.parse_body(memoryview(octets)[9 : 9 + size])
        found.append(one)
        octets = octets[9 + size :]
    return found


class Endpoint:
    """One session that plays a side, and h2 on the other."""

    def __init__(
        self, side: Sender, peer: h2.connection.H2Connection, limits: Limits = DEFAULT_LIMITS, *, extended: bool = False
    ) -> None:
        session = l7codecs.open_session("http2", endpoint=side, limits=limits)
        assert isinstance(session, Http2Session)
        self.session = session
        if extended:
            session.extended_connect = True
        self.hears = side.other
        self.peer = peer
        self.heard: list[h2.events.Event] = []
        """What h2 makes of our octets."""
        self.written: list[Any] = []
        """The frames that we wrote."""
        peer.initiate_connection()

    def write(self) -> bool:
        """Give the peer what is to be written; whether that was anything."""
        octets = self.session.pending_output()
        self.written += frames_of(octets)
        if octets:
            self.heard += self.peer.receive_data(octets)
        return bool(octets)

    def read(self) -> list[Event]:
        """The events of what the peer has written."""
        return self.take(self.peer.data_to_send())

    def take(self, octets: bytes) -> list[Event]:
        return list(self.session.receive(self.hears, octets))

    def settle(self) -> list[Event]:
        """Read and write until nothing moves."""
        found = self.read()
        while self.write():
            found += self.read()
        return found

    def reply_error(self, request: Message, status: Status, text: str) -> bytes:
        """What the session answers, which the peer gets."""
        octets = self.session.reply_error(request, status, text)
        self.written += frames_of(octets)
        self.heard += self.peer.receive_data(octets)
        return octets

    def got(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.heard if isinstance(event, kind)]

    def body(self, stream: int) -> bytes:
        """The DATA that h2 got on a stream."""
        return b"".join(e.data for e in self.got(h2.events.DataReceived) if e.stream_id == stream)

    def kinds(self) -> list[tuple[str, int]]:
        return [(type(frame).__name__.removesuffix("Frame"), frame.stream_id) for frame in self.written]


class Between:
    """A client, two sessions, a server."""

    def __init__(self, limits: Limits = DEFAULT_LIMITS, refuse: Callable[[Message, str], None] | None = None) -> None:
        self.down = Endpoint(Sender.SERVER, h2_client(), limits)
        self.up = Endpoint(Sender.CLIENT, h2_server(), limits)
        self.events: list[Event] = []
        self.refused: list[tuple[Message, str]] = []
        self.client, self.server = self.down.peer, self.up.peer

    def run(self) -> None:
        """Pass on whatever there is, until nothing moves."""
        moved = True
        while moved:
            self._pass(self.down.read(), self.up.session)
            self._pass(self.up.read(), self.down.session)
            moved = self.up.write() | self.down.write()

    def _pass(self, events: Iterable[Event], session: Http2Session) -> None:
        for event in events:
            self.events.append(event)
            try:
                session.put(event)
            except Unsupported as error:
                assert isinstance(event, Message) and event.kind is Kind.REQUEST
                self.refused.append((event, str(error)))

    def requests(self) -> list[Message]:
        return [e for e in self.events if isinstance(e, Message) and e.kind is Kind.REQUEST]
