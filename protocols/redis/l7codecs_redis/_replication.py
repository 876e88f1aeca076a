"""What a primary sends after it has accepted PSYNC or SYNC.

    $<size> CR LF <RDB file>                       no CR LF after it
    $EOF:<40 octets> CR LF <RDB file> <the 40>     when it is made while it is sent
    then commands, as a client would send them; a bare LF at any time before keeps the connection alive

Behind ``+CONTINUE``, and behind ``+RDBCHANNELSYNC <client id>`` (redis-server 8: another connection
has the file), the commands come at once.

"Redis replication", redis.io; `readSyncBulkPayload`, redis/src/replication.c. All of it is pushed: nothing is answered.
"""

from __future__ import annotations

from typing import Final, final

from mypy_extensions import i64, mypyc_attr

from l7codecs import Decoder, Kind, Limits, Message, ProtocolError, Sender
from l7codecs.buffer import Buffer
from l7codecs.message import AttrValue, Event, Flow
from l7codecs.pairing.tables import NO_PAIRING

from ._boundary import find_command_boundary
from ._request_decoder import RequestDecoder
from ._resp import CR, DOLLAR, LF, NEED_MORE, SPEC, bad_octet, read_length
from ._state import ConnectionState

__all__ = ["RdbFile", "ReplicationDecoder"]

_PUSH: Final = Kind.PUSH
_CONTROL: Final = Kind.CONTROL
_MARK_SIZE: Final[i64] = 40


@final
@mypyc_attr(acyclic=True)
class RdbFile(Message):
    """An RDB file on its way to a replica; its octets follow as `Data`."""

    @property
    def operation(self) -> str | None:
        return "RDB" if self.kind is _PUSH else None

    def collect(self, attributes: dict[str, AttrValue]) -> None:
        attributes["db.system.name"] = "redis"
        attributes["l7.pins"] = "replication"


@final
class ReplicationDecoder(Decoder):
    """The server's direction after the hand-over; shares the buffer of the decoder that it follows."""

    def __init__(
        self, flow: Flow, sender: Sender, limits: Limits, state: ConnectionState, buffer: Buffer, rdb: bool
    ) -> None:
        super().__init__(flow, sender, limits, NO_PAIRING, state.pairing)
        self.buffer = buffer
        self._rdb = rdb
        self._left: i64 = -1
        self._mark: bytes | None = None
        self._tail = b""
        self._commands = RequestDecoder(flow, sender, limits, state, True)
        self._commands.buffer = buffer

    def unfinished(self) -> bool:
        return self.head is not None or self._commands.unfinished()

    def restart(self) -> None:
        self._rdb = False
        self.head = None
        self._commands.restart()

    def rest(self) -> Event | None:
        return self._commands.rest() if self.head is None else super().rest()

    def boundary(self, octets: bytes) -> int:
        return find_command_boundary(octets, self.passed == 0)

    def next_event(self) -> Event | None:
        if self.head is not None:
            return self._body()
        buffer = self.buffer
        if not buffer.need(1):
            return None
        octet: i64 = buffer.data[buffer.pos]
        if octet == LF and self._commands.between():
            buffer.pos += 1
            return self._take(_CONTROL, False)
        if not self._rdb:
            return self._commands.next_event()
        if octet != DOLLAR:
            bad_octet(buffer, buffer.pos, "'$' and the size of an RDB file")
        if buffer.need(2) and buffer.data[buffer.pos + 1] == 0x45:
            return self._marked()
        size = read_length(buffer)
        if size == NEED_MORE:
            return None
        if size < 0:
            raise ProtocolError(buffer.message_offset, f"an RDB file of {size} octets", "a size of 0 or more", SPEC)
        self._rdb = False
        self._left = size
        if size == 0:
            return self._take(_PUSH, False)
        self.head = self._take(_PUSH, True)
        return self.head

    def _marked(self) -> Event | None:
        """``$EOF:`` and the mark that will end the file."""
        buffer = self.buffer
        size = buffer.line(_MARK_SIZE + 7)
        if size == 0:
            return None
        line = buffer.data[buffer.pos : buffer.pos + max(size, 0)]
        if size != _MARK_SIZE + 7 or not line.startswith(b"$EOF:") or line[_MARK_SIZE + 5] != CR:
            raise ProtocolError(buffer.offset, "no mark", "'$EOF:', 40 octets and CR LF", SPEC)
        self._mark = line[5 : 5 + _MARK_SIZE]
        self._tail = b""
        buffer.pos += size
        self._rdb = False
        self._left = -1
        self.head = self._take(_PUSH, True)
        return self.head

    def _take(self, kind: Kind, more: bool) -> RdbFile:
        """What is parsed, as a message."""
        buffer = self.buffer
        offset = buffer.message_offset
        octets = buffer.take()
        return RdbFile(self.flow, self.sender, kind, offset, octets, 0, len(octets), more)

    def _body(self) -> Event | None:
        """The next octets of the file."""
        buffer = self.buffer
        mark = self._mark
        if mark is None:
            self._left = buffer.pass_window(self._left)
            return self.rest() if self._left > 0 else self.end()
        if not buffer.need(1):
            return None
        window = buffer.data[buffer.pos : buffer.end]
        known: i64 = len(self._tail)
        at: i64 = (self._tail + window).find(mark)
        if at >= 0:
            buffer.pass_over(at + _MARK_SIZE - known)
            self._mark = None
            return self.end()
        self._tail = (self._tail + window)[-(_MARK_SIZE - 1) :]
        buffer.pass_over(len(window))
        return self.rest()
