"""What a session yields: messages, the rest of large ones, and the octets that are no message.

Every octet of a direction belongs to exactly one event, so the ``raw`` of a direction's events, put together in
order, is the direction itself. Creating a `Message` costs what routing needs; everything else is read from its octets
when somebody asks.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, final

from mypy_extensions import i64, mypyc_attr

from l7codecs._layout import check_layout
from l7codecs.headers import EMPTY_HEADERS, Headers
from l7codecs.kinds import Address, AttrValue, Kind, RequestId, Sender, Status
from l7codecs.sharing import Knowledge

__all__ = [
    "Address",
    "AttrValue",
    "Data",
    "Event",
    "Flow",
    "Gap",
    "Kind",
    "Message",
    "Opaque",
    "RequestId",
    "Sender",
    "Status",
]

_DATA: Final = Kind.DATA
_GAP: Final = Kind.GAP
_OPAQUE: Final = Kind.OPAQUE
_PUSH: Final = Kind.PUSH


@final
@mypyc_attr(acyclic=True)
class Flow:
    """What all messages of one connection share: the protocol's name and, where the caller gave them, both addresses.

    A room whose messages are of several protocols makes one for each, `of` that of the session.
    """

    def __init__(
        self, protocol: str, client: Address | None = None, server: Address | None = None, of: Flow | None = None
    ) -> None:
        self.protocol = protocol
        self.client: Final[Address | None] = client if of is None else of.client
        self.server: Final[Address | None] = server if of is None else of.server
        self._link: Flow | Knowledge | None = None if of is None else of.connection
        """That of the session; of that itself, the memory."""
        self._attributes: dict[str, AttrValue] | None = None

    @property
    def connection(self) -> Flow:
        """That of the session, by which the connection is known."""
        link = self._link
        return link if isinstance(link, Flow) else self

    @property
    def memory(self) -> Knowledge | None:
        """What the connections of its service teach each other, or this one itself; None where the protocol has no such."""
        link = self.connection._link
        return None if isinstance(link, Flow) else link

    def remember_in(self, memory: Knowledge) -> None:
        """`memory` is that of the session, which is to be opened."""
        self._link = memory

    def name(self, protocol: str) -> None:
        """The protocol is detected."""
        self.protocol = protocol
        self._attributes = None

    def __reduce__(self) -> str | tuple[object, ...]:
        raise TypeError("a connection is not copied or pickled")

    @property
    def attributes(self) -> Mapping[str, AttrValue]:
        """``network.*`` and ``server.*`` of OpenTelemetry; the peer is the client."""
        found = self._attributes
        if found is None:
            found = {"network.protocol.name": self.protocol, "network.transport": "tcp"}
            if self.client is not None:
                found["network.peer.address"], found["network.peer.port"] = self.client
            if self.server is not None:
                found["server.address"], found["server.port"] = self.server
            self._attributes = found
        return found


@mypyc_attr(acyclic=True, allow_interpreted_subclasses=True)
class Event:
    """The base of all events.

    ``sender`` sent it; ``kind`` says what it is; ``offset`` counts octets from the start of that sender's direction to the event's first.
    """

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        check_layout(cls)

    sender: Sender
    kind: Kind
    offset: i64

    def __reduce__(self) -> str | tuple[object, ...]:
        raise TypeError(
            "an event belongs to its connection, and is not copied or pickled: keep what is needed of it, such as `raw`"
        )

    @property
    def raw(self) -> bytes:
        """The exact octets."""
        return b""


@mypyc_attr(acyclic=True, allow_interpreted_subclasses=True)
class Message(Event):
    """One message, or the head of one too large to buffer.

    A room subclasses it. ``octets[start:stop]`` is the message; ``octets`` may hold neighbours as well, so that no octet is
    copied. ``more`` says that `Data` events with the rest follow.
    """

    declared_size: i64
    """Octets of the whole message where it streams and says so itself; -1 where it does not."""
    kept: i64
    """Octets of memory, about, that it keeps: its own, and what a room has made of them, such as what they inflate to.

    Whoever remembers messages counts them by it. So it is told when the message is made, and stays.
    """

    def __init__(
        self,
        flow: Flow,
        sender: Sender,
        kind: Kind,
        offset: i64,
        octets: bytes,
        start: i64,
        stop: i64,
        more: bool = False,
        request: Message | None = None,
    ) -> None:
        self.flow = flow
        self.sender = sender
        self.kind = kind
        self.offset = offset
        self.octets = octets
        self.start = start
        self.stop = stop
        self._request: Message | None = None
        self._attributes: dict[str, AttrValue] | None = None
        self._referred = False
        self.settled = False
        """It was answered by what was made here, whatever its server says yet (`Session.answer`)."""
        self.declared_size = -1
        self.kept = stop - start
        self.more = more  # the last but `request`, so that small numbers of a subclass share its place in memory
        if request is not None:
            self.request = request

    @property
    def request(self) -> Message | None:
        """The message that this one answers or belongs to; None where there is none, or where it is not known.

        Messages are no chain: peers could make it long, and freeing it would take the C stack for each link. So a message that is
        the request of another one gets none any more, and two requests in a row are the most. Setting it otherwise is a ValueError.
        """
        return self._request

    @request.setter
    def request(self, request: Message | None) -> None:
        if request is not None:
            further = request._request
            if self._referred or request is self or (further is not None and further._request is not None):
                raise ValueError("messages are no chain: the request of a request of a request is not kept")
            request._referred = True
        self._request = request

    @property
    def protocol(self) -> str:
        """The protocol's registered name."""
        return self.flow.protocol

    @property
    def connection(self) -> Flow:
        """The connection on which it came: ``message.connection is session.flow``, of whoever received it."""
        return self.flow.connection

    @property
    def raw(self) -> bytes:
        """The exact octets; of a message with ``more`` those of its head."""
        if self.start == 0 and self.stop == len(self.octets):
            return self.octets
        return self.octets[
            self.start : max(self.start, self.stop)
        ]  # compiled, a slice that ends before it begins is an error

    @property
    def payload(self) -> bytes:
        """The octets that the protocol carries for the application; of a message with ``more`` those in its head."""
        return self.raw

    @property
    def size(self) -> int | None:
        """Octets of the whole message; None while unknown."""
        if self.more:
            return self.declared_size if self.declared_size >= 0 else None
        return self.stop - self.start

    @property
    def request_id(self) -> RequestId | None:
        """What pairs answers with requests, where the protocol has such: a number, or a text."""
        return None

    @property
    def stream_id(self) -> int | None:
        """The stream of a multiplexed connection."""
        return None

    @property
    def last(self) -> bool:
        """Whether nothing of its sender follows that belongs to the same request; for rooms whose requests have several answers."""
        return self.kind is not _PUSH

    def renumbered(self, number: int) -> bytes | None:
        """``raw`` with `number` in place of ``request_id`` (``stream_id`` where streams pair); None where a room cannot write it.

        `number` is below 2 to the protocol's ``id_bits``; see `put_number`. With it many clients are served on one connection.
        """
        return None

    def cancellation(self, number: int | None) -> bytes:
        """The octets that tell the peer that this request, which has `number` there, is given up; empty where the protocol has none."""
        return b""

    @property
    def pins(self) -> str | None:
        """Why what follows has to stay on this connection (``l7.pins``); None where it has not."""
        why = self.attributes.get("l7.pins")
        return why if isinstance(why, str) else None

    @property
    def prepares(self) -> bool:
        """Whether it only sets the connection up for what follows, so that connections that had the same are alike (``AUTH``, ``SELECT``).

        An engine may then send it on each connection that its client uses, before anything else, and again where that had it already.
        """
        return False

    @property
    def adds(self) -> bool:
        """Of what `prepares`: whether it adds to what others of its operation have set up, rather than takes their place."""
        return False

    @property
    def unshared(self) -> bool:
        """Whether its client needs connections to servers of its own, one to each: where the end of one says something, as in HTTP/1.1.

        Of what `prepares` it is so from then on, as long as that holds: the servers tell each of these connections what was asked there.
        """
        return False

    @property
    def spreads(self) -> bool:
        """Whether it is for every server that its client may come to, since later messages count on it there (``SCRIPT LOAD``)."""
        return False

    @property
    def dialect(self) -> str | None:
        """Of what there is only one on a connection, in what clients may differ: a transport, an encoding. None where there is no such."""
        return None

    @property
    def blocks(self) -> bool:
        """Whether the answer may wait for what others do (``l7.blocks``)."""
        return self.attributes.get("l7.blocks") is True

    @property
    def access(self) -> str | None:
        """What it does to data (``l7.access``): ``read``, ``write``, ``admin``, ``unknown``…; None where that has no meaning."""
        what = self.attributes.get("l7.access")
        return what if isinstance(what, str) else None

    @property
    def service(self) -> str | None:
        """The called service: ``com.acme.Orders``."""
        return None

    @property
    def operation(self) -> str | None:
        """What is asked for: ``GET``, ``Produce``, ``placeOrder``; of an answer, what was asked for."""
        return None

    @property
    def resources(self) -> tuple[str | bytes, ...]:
        """What it is asked of: keys, topics, a path. Those in the head, of a message with ``more``."""
        return ()

    @property
    def resource(self) -> str | bytes | None:
        """The only one of `resources`; None where there is none, or are several. Rooms override it to find it sooner."""
        found = self.resources
        return found[0] if len(found) == 1 else None

    @property
    def resource_at(self) -> i64:
        """Where in ``octets`` `resource` stands, as the octets that it is; -1 where it does not, or has to be looked for.

        A router looks at what it starts with there, and cuts nothing out. A room that overrides it overrides `resource_size` as well.
        """
        return -1

    @property
    def resource_size(self) -> i64:
        """The octets of what stands at `resource_at`."""
        return 0

    @property
    def status(self) -> Status | None:
        """The outcome, of an answer."""
        return None

    @property
    def error(self) -> str | None:
        """The protocol's own word for a failure: ``MOVED``, ``UNAVAILABLE``."""
        return None

    @property
    def body_status(self) -> Status | None:
        """The outcome, of an answer whose head could not tell it and whose body did; for rooms to override. See `Data.status`."""
        return None

    @property
    def headers(self) -> Headers:
        """What the peer says beside the protocol's own fields; never mixed with `attributes`."""
        return EMPTY_HEADERS

    @property
    def attributes(self) -> Mapping[str, AttrValue]:
        """Everything known, under OpenTelemetry's names; see the protocol's schema."""
        found = self._attributes
        if found is None:
            found = dict(self.flow.attributes)
            self.collect(found)
            self._attributes = found
        return found

    def attribute(self, name: str) -> AttrValue | None:
        """One of `attributes`. Rooms override it to find what messages are routed by without all the others."""
        return self.attributes.get(name)

    def collect(self, attributes: dict[str, AttrValue]) -> None:
        """Add this message's own attributes; for rooms to override."""

    def detach(self) -> bool:
        """Let go of the read that the message lies in, and keep a copy of its own octets; returns whether that is done.

        A request that waits for long would keep the whole read otherwise. A subclass overrides it: it calls `keep_own`, moves every index
        into ``octets`` that it keeps down by what ``start`` was, and returns True. One that does not is left as it is.
        """
        if type(self) is not Message:
            return False
        self.keep_own()
        return True

    def keep_own(self) -> None:
        """Let ``octets`` be the message alone."""
        self.octets = self.octets[self.start : max(self.start, self.stop)]
        self.stop -= self.start
        self.start = 0
        self._attributes = None  # they can be read again

    def shortened(self, size: int) -> Message | None:
        """A copy that has only the first `size` octets of this message, with ``more``; None where a subclass does not make one.

        What it says without reading further is the same. It stands for a request that waits while more wait than there is room for.
        """
        if type(self) is not Message:
            return None
        octets = self.octets[self.start : self.start + size]
        short = Message(self.flow, self.sender, self.kind, self.offset, octets, 0, len(octets), True, self.request)
        short.declared_size = self.stop - self.start if self.size is None else i64(self.size)
        return short

    def __repr__(self) -> str:
        words = [self.protocol, self.sender.value, self.kind.value]
        if self.operation is not None:
            words.append(self.operation if self.service is None else f"{self.service}/{self.operation}")
        if self.resources:
            words.append(repr(self.resources))
        if self.status is not None:
            words.append(self.error or self.status.name)
        words.append(f"offset={self.offset} size={self.size}")
        return f"<Message {' '.join(words)}>"


@final
@mypyc_attr(acyclic=True)
class Data(Event):
    """Further octets of a message that was announced with ``more``.

    Where one `Data` ends and the next begins follows the reads and means nothing; ``more`` is False on the last one.
    ``octets[start:stop]`` is it; ``octets`` may hold neighbours as well. ``message`` is the head that it continues; ``payload`` is
    ``raw`` without the framing around this piece, where the protocol has one.
    """

    def __init__(
        self,
        message: Message,
        offset: i64,
        octets: bytes,
        more: bool,
        start: i64 = 0,
        stop: i64 = -1,
        first: i64 = 0,
        last: i64 = -1,
    ) -> None:
        """`octets[start:stop]` is ``raw``, `octets[first:last]` the payload; -1 is the end of `octets`, and of ``raw``."""
        self.sender = message.sender
        self.kind = _DATA
        self.offset = offset
        self.message = message
        self.more = more
        self.octets = octets
        self.start = start
        self.stop: i64 = stop if stop >= 0 else i64(len(octets))
        self._first = first if last >= 0 else start
        self._last = last if last >= 0 else self.stop

    @property
    def stream_id(self) -> int | None:
        return self.message.stream_id

    @property
    def raw(self) -> bytes:
        if self.start == 0 and self.stop == len(self.octets):
            return self.octets
        return self.octets[self.start : max(self.start, self.stop)]

    @property
    def payload(self) -> bytes:
        if self._first == 0 and self._last == len(self.octets):
            return self.octets
        return self.octets[self._first : max(self._first, self._last)]

    @property
    def status(self) -> Status | None:
        """The outcome, on the last piece of an answer that told it in its body: a call of gRPC-Web or Connect does. None elsewhere."""
        return None if self.more else self.message.body_status

    @property
    def error(self) -> str | None:
        """The protocol's own word for a failure, where ``status`` is told here."""
        return None if self.status is None else self.message.error

    @property
    def payload_size(self) -> int:
        """Octets of ``payload``, which is not cut for it."""
        return self._last - self._first

    @property
    def payload_view(self) -> memoryview:
        """``payload`` without a copy; it keeps the octets of the whole read alive."""
        return memoryview(self.octets)[self._first : self._last]

    @property
    def payload_offset(self) -> int:
        """Octets from the start of the direction to the payload's first."""
        return self.offset + self._first - self.start

    def __repr__(self) -> str:
        return f"<Data {self.message.protocol} {self.sender.value} offset={self.offset} size={self.stop - self.start} more={self.more}>"


@final
@mypyc_attr(acyclic=True)
class Gap(Event):
    """Octets that a capture lost; ``size`` is 0 where their number is unknown (a connection joined midway).

    ``resumed_at`` is the offset of the first message decoded after it, None until there is one. Octets passed over to get
    there come as `Opaque`.
    """

    def __init__(self, sender: Sender, offset: i64, size: i64) -> None:
        self.sender = sender
        self.kind = _GAP
        self.offset = offset
        self.size = size
        self.resumed_at: int | None = None

    def __repr__(self) -> str:
        return f"<Gap {self.sender.value} offset={self.offset} size={self.size} resumed_at={self.resumed_at}>"


@final
@mypyc_attr(acyclic=True)
class Opaque(Event):
    """Octets that no codec claims: pass them through. Its cuts follow the reads and mean nothing."""

    def __init__(self, sender: Sender, offset: i64, raw: bytes) -> None:
        self.sender = sender
        self.kind = _OPAQUE
        self.offset = offset
        self._raw = raw

    @property
    def raw(self) -> bytes:
        return self._raw

    def __repr__(self) -> str:
        return f"<Opaque {self.sender.value} offset={self.offset} size={len(self._raw)}>"
