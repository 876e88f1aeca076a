"""Requests of a client endpoint: those that wait for a stream, and those that the peer has not processed.

A peer says how many streams may be open (RFC 9113 §5.1.2). Requests beyond that wait in their order, with what was sent of their bodies,
and have no number yet. After GOAWAY (§6.8) no stream is opened any more, and it is certain which requests the peer has not processed.
"""

from __future__ import annotations

from collections import deque
from typing import Final, final

from mypy_extensions import i64

from l7codecs import LimitExceeded, Limits, Message, Unsupported
from l7codecs.limits import REFUSED_AT
from l7codecs.pairing.retention import let_go

from .._connection.connection import Connection
from .._connection.streams import IDLE, Stream
from .._frames.settings import ENABLE_CONNECT_PROTOCOL, MAX_CONCURRENT_STREAMS
from .._hpack.static_table import HeaderField, well_known
from .._semantics.messages import Http2Message
from .writer import Outflow, Writer

__all__ = ["LAST_STREAM", "Requests"]

LAST_STREAM: Final[i64] = 0x7FFFFFFF
_UNTOLD_STREAMS: Final[i64] = 100
"""Streams that we open before the peer has said how many it allows: what RFC 9113 §6.5.2 asks of it at least."""
_PROTOCOL: Final = well_known(":protocol")


@final
class Requests:
    """The requests that are sent on one connection."""

    def __init__(self, connection: Connection, writer: Writer, limits: Limits) -> None:
        self._connection = connection
        self._writer = writer
        self._limit: i64 = min(limits.pending, 2**58)
        self._octets: i64 = min(limits.waiting, 2**58)
        self._max_streams: i64 = _UNTOLD_STREAMS
        self._next: i64 = 1
        self._waiting: deque[Outflow] = deque()
        self._withdrawn: i64 = 0
        """How many of those that wait were given up."""
        self._size: i64 = 0
        """Octets of the others: a header block says little where the table of header compression has it, and is much when it is decoded."""
        self._unprocessed: list[Message] = []
        self._lost: list[Message] = []
        """Those that waited when the connection ended."""
        self._told = False
        """The peer's SETTINGS have come."""
        self.closing = False
        """No request can be sent any more."""
        self.extended = False
        """CONNECT with :protocol is allowed (RFC 8441): by us, a server, or by the peer, once it has said so."""

    def told_settings(self, settings: dict[int, int]) -> None:
        """The peer's SETTINGS."""
        size = settings.get(int(MAX_CONCURRENT_STREAMS))
        if size is not None:
            self._max_streams = size
        elif not self._told:
            self._max_streams = LAST_STREAM
        if settings.get(int(ENABLE_CONNECT_PROTOCOL)) == 1:
            self.extended = True
        self._told = True

    @property
    def crowded(self) -> bool:
        """Whether as many wait for a stream as should, or as much."""
        return len(self._waiting) - self._withdrawn >= self._limit or self._size >= self._octets

    def check(self, message: Http2Message, fields: list[HeaderField]) -> bool:
        """Whether `message`, a request with `fields`, has ``:protocol``.

        Raises `Unsupported` where it never can be sent, `LimitExceeded` where too many wait already.
        """
        if self.closing:
            raise Unsupported("this connection takes no more requests: send it on another")
        extended = False
        for field in fields:
            if field.title is _PROTOCOL:
                extended = True
                if self._told and not self.extended:
                    raise Unsupported("the peer does not allow CONNECT with :protocol (RFC 8441)")
        waits: i64 = len(self._waiting) - self._withdrawn
        # Open streams count as well, but where the peer allows many, some may wait all the same.
        under_way = min(self._connection.streams.count, self._limit * (REFUSED_AT - 1))
        if waits + under_way >= self._limit * REFUSED_AT:
            raise LimitExceeded(
                message.offset,
                f"{waits + 1} requests that wait for a stream, and {self._connection.streams.count} that have one",
                f"at most {REFUSED_AT} times limits.pending = {self._limit}",
            )
        if self._size > self._octets * REFUSED_AT:
            raise LimitExceeded(
                message.offset,
                f"requests of {self._size} octets that wait for a stream",
                f"at most {REFUSED_AT} times limits.waiting = {self._octets}",
            )
        return extended

    def withdraw(self, flow: Outflow) -> None:
        """What waits for a stream is given up."""
        if flow.dropped:
            return
        self._writer.drop(flow)
        self._withdrawn += 1
        self._size -= flow.kept
        if self._withdrawn > 64 and self._withdrawn * 2 > len(self._waiting):
            self._waiting = deque([each for each in self._waiting if not each.dropped])
            self._withdrawn = 0

    def ask(self, message: Http2Message, fields: list[HeaderField], extended: bool) -> None:
        """A request that was looked at with `check` opens the next stream, when there is room for it."""
        flow = Outflow(0, 0)
        flow.extended = extended
        flow.kept = message.kept
        for field in fields:
            flow.kept += field.size
        self._size += flow.kept
        self._writer.name(flow, message)
        self._writer.put_block(flow, fields, not message.more)
        self._waiting.append(flow)
        self.open()
        if self._waiting:
            let_go(message)  # it may wait for long
        self._writer.run()

    def open(self) -> None:
        """Requests that wait open streams, as many as the peer allows."""
        waiting = self._waiting
        connection = self._connection
        writer = self._writer
        while waiting and not writer.blocked and connection.streams.count < self._max_streams:
            flow = waiting[0]
            if flow.extended and not flow.dropped and not self.extended:
                if not self._told:
                    return
                self._unprocessed.append(flow.heads[0])
                writer.drop(flow)
                self._withdrawn += 1
                self._size -= flow.kept
            if self._next > LAST_STREAM:
                self._give_up_waiting()
                return
            waiting.popleft()
            if flow.dropped:
                self._withdrawn -= 1
                continue
            self._size -= flow.kept
            number = self._next
            self._next += 2
            head = flow.heads[0]
            stream = Stream(number, IDLE, False)
            if isinstance(head, Http2Message):
                stream.request = head
                connection.keep(head)
            connection.streams.add(stream)
            connection.client.last_stream = number
            flow.number = number
            flow.window = writer.stream_window
            writer.begin(flow)

    def waiting(self) -> list[Message]:
        """Those that have no stream, in their order."""
        return [flow.heads[0] for flow in self._waiting if not flow.dropped] + self._lost

    def take_unprocessed(self) -> list[Message]:
        """Those that the peer has certainly not processed, once."""
        found = self._unprocessed
        if found:
            self._unprocessed = []
        return found

    def forget(self, request: Message) -> None:
        """Nobody asks for `request` any more, which has not been processed."""
        for kept in (self._unprocessed, self._lost):
            if request in kept:
                kept.remove(request)

    def refuse_beyond(self, last: i64) -> None:
        """GOAWAY: the peer does not process streams beyond `last`."""
        for flow in list(self._writer.by_number.values()):
            if flow.number > last:
                self._unprocessed.append(flow.heads[0])
                self._connection.streams.remove(flow.number)
                self._writer.drop(flow)
        self._give_up_waiting()

    def end(self) -> None:
        """The connection is over."""
        self.closing = True
        self._lost = self.waiting()
        for flow in self._waiting:
            self._writer.drop(flow)
        self._waiting.clear()
        self._withdrawn = 0
        self._size = 0

    def _give_up_waiting(self) -> None:
        """No more streams can be opened."""
        self.closing = True
        for flow in self._waiting:
            if not flow.dropped:
                self._unprocessed.append(flow.heads[0])
                self._writer.drop(flow)
        self._waiting.clear()
        self._withdrawn = 0
        self._size = 0
