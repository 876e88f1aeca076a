"""What the capture reader yields: connections and the octets of their two directions."""

from socket import AF_INET, AF_INET6, inet_ntop
from typing import final

from mypy_extensions import mypyc_attr

from l7codecs.kinds import Sender, format_address

__all__ = ["Closed", "Connection", "Ended", "Hole", "Opened", "Segment", "StreamEvent", "oriented"]


@final
class Connection:
    """One TCP connection."""

    def __init__(self, number: int, client: tuple[str, int], server: tuple[str, int], *, midstream: bool) -> None:
        """Keep who is client and who is server."""
        #: Unique in one capture, in the order in which the connections were first seen.
        self.id = number
        self.client = client
        self.server = server
        #: Neither SYN nor SYN-ACK was seen: who is client is a guess, and the first octets may be from inside a message.
        self.midstream = midstream
        #: The text ``client_ip:port>server_ip:port``, IPv6 addresses in brackets.
        self.flow = f"{format_address(client)}>{format_address(server)}"

    def __repr__(self) -> str:
        return f"<Connection {self.id} {self.flow}>"


@mypyc_attr(acyclic=True)
class StreamEvent:
    """The base of the events. `time` is the capture time in ns since 1970 (UTC)."""

    def __init__(self, connection: Connection, time: int) -> None:
        """Keep whose event it is and when it happened."""
        self.connection = connection
        self.time = time


@final
@mypyc_attr(acyclic=True)
class Opened(StreamEvent):
    """The connection is about to yield its first octets or hole; one without any is never announced."""


@final
@mypyc_attr(acyclic=True)
class Segment(StreamEvent):
    """The next octets of one direction; `time` is that of the packet that carried them."""

    def __init__(self, connection: Connection, sender: Sender, time: int, data: bytes) -> None:
        """Keep the octets, never none."""
        self.connection = connection
        self.time = time
        self.sender = sender
        self.data = data


@final
@mypyc_attr(acyclic=True)
class Hole(StreamEvent):
    """`size` octets of one direction are not in the capture; `time` is that of the packet that showed it."""

    def __init__(self, connection: Connection, sender: Sender, time: int, size: int) -> None:
        """Keep the number of octets, never 0."""
        self.connection = connection
        self.time = time
        self.sender = sender
        self.size = size


@final
@mypyc_attr(acyclic=True)
class Ended(StreamEvent):
    """One direction is complete: its FIN has been reached. The other may go on."""

    def __init__(self, connection: Connection, sender: Sender, time: int) -> None:
        """Keep whose direction it is."""
        self.connection = connection
        self.time = time
        self.sender = sender


@final
@mypyc_attr(acyclic=True)
class Closed(StreamEvent):
    """Nothing more comes of this connection."""

    def __init__(self, connection: Connection, time: int, reason: str) -> None:
        """Keep why: "fin" (both directions ended), "reset", "reused" (its ports), "evicted" (too many), "eof"."""
        self.connection = connection
        self.time = time
        self.reason = reason


def oriented(event: StreamEvent, connection: Connection) -> StreamEvent:
    """Return `event` as one of `connection`, which is its own the other way round."""
    if isinstance(event, Segment):
        return Segment(connection, event.sender.other, event.time, event.data)
    if isinstance(event, Hole):
        return Hole(connection, event.sender.other, event.time, event.size)
    if isinstance(event, Ended):
        return Ended(connection, event.sender.other, event.time)
    if isinstance(event, Closed):
        return Closed(connection, event.time, event.reason)
    return Opened(connection, event.time)


def read_endpoints(key: bytes) -> tuple[tuple[str, int], tuple[str, int]]:
    """Read source and destination from addresses and ports as they stand in the packet (12 or 36 octets)."""
    size = 4 if len(key) == 12 else 16
    family = AF_INET if size == 4 else AF_INET6
    ports = 2 * size
    source = (inet_ntop(family, key[:size]), (key[ports] << 8) | key[ports + 1])
    return source, (inet_ntop(family, key[size:ports]), (key[ports + 2] << 8) | key[ports + 3])
