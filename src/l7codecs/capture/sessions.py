"""TCP streams -> sessions: every connection of a capture decoded, in the order of the capture.

Which protocol a connection speaks is decided by the caller's word (for all, or for a port), else by what it says, with
the port that a protocol is
registered for where that proves nothing. A connection that was joined midway starts as after lost octets; who is its client is
decided with the protocol: both ways round are asked, and the ports only break a tie.

The connections to one server's address teach each other, where their protocol has what can be taught (`Services`).

A connection that begins with a handshake of TLS is told once, whatever its port, and not decoded.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Container, Iterable, Iterator, Mapping
from typing import final

from l7codecs.capture.events import Closed, Connection, Ended, Hole, Opened, Segment, StreamEvent, oriented
from l7codecs.capture.tls import begins_tls
from l7codecs.detect import Candidate, decide, detect
from l7codecs.errors import ProtocolError
from l7codecs.kinds import Address, Sender
from l7codecs.limits import DEFAULT_LIMITS, Limits
from l7codecs.message import Event
from l7codecs.protocol import Protocol, Verdict
from l7codecs.registry import BROKEN, fault, tell
from l7codecs.session import Session
from l7codecs.sharing import Shared, Told

__all__ = ["Decoded", "Services", "decode_streams", "rank"]


@final
class Decoded:
    """One event of a session, or the error that ended one direction of it.

    ``time`` is ns since 1970 (UTC), that of the packet that completed it; exactly one of ``event`` and ``error`` is set. Neither:
    the connection is encrypted by ``protocol``, and nothing more comes of it.
    """

    __slots__ = ("connection", "error", "event", "protocol", "sender", "time")

    def __init__(
        self,
        connection: Connection,
        protocol: str | None,
        sender: Sender,
        time: int,
        event: Event | None,
        error: ProtocolError | None,
    ) -> None:
        self.connection = connection
        self.protocol = protocol
        self.sender = sender
        self.time = time
        self.event = event
        self.error = error


@final
class Services:
    """What connections share, of each server's address: of the `count` that were used last.

    ``evicted`` counts what was forgotten of all; `told` is called with a memory and the key of what it has forgotten.
    """

    def __init__(self, limits: Limits = DEFAULT_LIMITS, told: Told | None = None, count: int = 1024) -> None:
        self._limits = limits
        self._told = told
        self._count = count
        self._services: OrderedDict[Address, Shared] = OrderedDict()
        self._evicted = 0

    def of(self, server: Address) -> Shared:
        """What the connections to `server` share."""
        found = self._services.get(server)
        if found is not None:
            self._services.move_to_end(server)
            return found
        found = Shared(self._limits, self._told)
        self._services[server] = found
        if len(self._services) > self._count:
            _, gone = self._services.popitem(last=False)
            self._evicted += gone.evicted + gone.entries
        return found

    @property
    def evicted(self) -> int:
        """How many names were forgotten."""
        return self._evicted + sum(each.evicted for each in self._services.values())


@final
class _Conversation:
    """One connection: its session, or what was seen of it while the protocol is not known."""

    def __init__(self, connection: Connection, choice: _Choice) -> None:
        self.connection = connection
        self._choice = choice
        self._session: Session | None = None
        self._protocol: Protocol | None = None
        self._broken: set[Sender] = set()
        self._ended: set[Sender] = set()
        self._waiting: list[StreamEvent] = []
        self._first = dict.fromkeys(Sender, b"")
        self._ignored = False
        self._swapped = False

    def take(self, item: StreamEvent) -> Iterator[Decoded]:
        """What comes of the next item of this connection."""
        if self._ignored:
            return
        if self._swapped:
            item = oriented(item, self.connection)
        if self._session is not None:
            yield from self._decode(self._session, item)
            return
        self._waiting.append(item)
        if isinstance(item, Ended):
            self._ended.add(item.sender)
        final = len(self._ended) == 2 if isinstance(item, Ended) else not isinstance(item, Segment)
        if isinstance(item, Segment):
            cap = self._choice.limits.detection
            first = self._first[item.sender] = (self._first[item.sender] + item.data)[:cap]
            final = len(first) >= cap
        handshakes = {sender: begins_tls(octets) for sender, octets in self._first.items()}
        for sender, begins in handshakes.items():
            if begins:
                self._ignored = True
                self._waiting.clear()
                yield Decoded(self.connection, "tls", sender, item.time, None, None)
                return
        if not final and any(self._first[sender] and begins is None for sender, begins in handshakes.items()):
            return
        protocol, swapped = self._choice.made(
            self.connection, self._first[Sender.CLIENT], self._first[Sender.SERVER], final
        )
        if protocol is not None:
            if swapped:
                self._swapped = True
                connection = self.connection
                self.connection = Connection(connection.id, connection.server, connection.client, midstream=True)
                self._waiting = [oriented(earlier, self.connection) for earlier in self._waiting]
            session = self._open(protocol)
            if session is not None:
                for earlier in self._waiting:
                    yield from self._decode(session, earlier)
            self._waiting.clear()
        elif final:
            self._ignored = True
            self._waiting.clear()

    def _open(self, protocol: Protocol) -> Session | None:
        """The session of this connection; None where the protocol's plugin is broken."""
        connection = self.connection
        self._protocol = protocol
        try:
            session = protocol.open(
                limits=self._choice.limits,
                client=connection.client,
                server=connection.server,
                shared=None if protocol.memory is None else self._choice.services.of(connection.server),
            )
            if connection.midstream:
                for sender in Sender:
                    session.gap(sender)
        except BROKEN as error:
            self._give_up("cannot be opened", error)
            return None
        self._session = session
        return session

    def _give_up(self, problem: str, error: BaseException) -> None:
        """The plugin is broken: nothing more comes of this connection."""
        self._ignored = True
        if self._protocol is not None:
            tell(fault(self._protocol, f"{problem}: {type(error).__name__}: {error}"))

    def _decode(self, session: Session, item: StreamEvent) -> Iterator[Decoded]:
        """Iterate what the session makes of `item`; an error ends its direction, a fault of the plugin the connection."""
        if self._ignored or not isinstance(item, (Segment, Hole, Ended)) or item.sender in self._broken:
            return
        try:
            if isinstance(item, Segment):
                events = session.receive(item.sender, item.data)
            elif isinstance(item, Hole):
                events = session.gap(item.sender, item.size)
            else:
                events = session.eof(item.sender)
            for event in events:
                yield Decoded(self.connection, session.protocol, event.sender, item.time, event, None)
        except ProtocolError as error:
            self._broken.add(item.sender)
            yield Decoded(self.connection, session.protocol, item.sender, item.time, None, error)
        except BROKEN as failure:  # another name: mypyc gives a generator's variable one type, be there two handlers
            self._give_up("cannot go on", failure)


@final
class _Choice:
    """Which protocol a connection is taken for."""

    def __init__(
        self,
        protocols: list[Protocol],
        protocol: Protocol | None,
        ports: Mapping[int, Protocol],
        limits: Limits,
        services: Services,
    ) -> None:
        self.services = services
        self._protocols = protocols
        self._protocol = protocol
        self._ports = ports
        self._registered = {port: item for item in protocols for port in item.ports}
        self.limits = limits

    def told(self, connection: Connection) -> Protocol | None:
        """What the caller says."""
        return self._protocol or self._ports.get(connection.server[1]) or self._ports.get(connection.client[1])

    def made(self, connection: Connection, client: bytes, server: bytes, final: bool) -> tuple[Protocol | None, bool]:
        """What is told, else what the first octets say; in the end, where nothing is certain, what the server's port is registered for.

        And whether who seemed to be the server is the client.
        """
        told = self.told(connection)
        if told is not None and not connection.midstream:
            return told, False
        protocols = self._protocols if told is None else [told]
        candidates, reverse = rank(connection, client, server, protocols, self._ports)
        name = decide(candidates, final or not candidates)
        if name is None:
            return None, False
        best = next((candidate for candidate in candidates if candidate.verdict is Verdict.YES), None)
        swapped = any(candidate is best for candidate in reverse)
        if told is not None:
            return told, swapped
        for protocol in self._protocols:
            if protocol.name == name:
                return protocol, swapped
        return self._registered.get(connection.server[1]), False


def rank(
    connection: Connection,
    client: bytes,
    server: bytes,
    protocols: list[Protocol],
    ports: Container[int] = (),
) -> tuple[list[Candidate], list[Candidate]]:
    """Every protocol that does not say NO to the first octets, best first; and which of these take the client for the server.

    Only of a connection that was joined midway both ways round are asked. What one side alone says is no evidence against the port of
    the other, where that is registered or one of `ports`: an answer can look like a request.
    """
    candidates = detect(client, server, protocols)
    port = connection.server[1]
    known = port in ports or any(port in protocol.ports for protocol in protocols)
    reverse = detect(server, client, protocols) if connection.midstream and ((client and server) or not known) else []
    candidates += reverse
    candidates.sort(key=lambda item: (-item.score, item.verdict is Verdict.MORE))
    return candidates, reverse


def decode_streams(
    streams: Iterable[StreamEvent],
    protocols: list[Protocol],
    *,
    protocol: Protocol | None = None,
    ports: Mapping[int, Protocol] | None = None,
    limits: Limits = DEFAULT_LIMITS,
    services: Services | None = None,
) -> Iterator[Decoded]:
    """Decode every connection: as `protocol` if given, as `ports` says by the server's or the client's port, else as
    detected among `protocols`.

    `services` is what its connections share; by default it is this capture's own.
    A message that the capture or a reset cuts is not an error of the connection; one that a FIN cuts is.
    """
    choice = _Choice(protocols, protocol, ports or {}, limits, services or Services(limits))
    conversations: dict[int, _Conversation] = {}
    for item in streams:
        connection = item.connection
        found = conversations.get(connection.id)
        if found is None:
            found = conversations[connection.id] = _Conversation(connection, choice)
        if isinstance(item, Closed):
            del conversations[connection.id]
        if not isinstance(item, Opened):
            yield from found.take(item)
