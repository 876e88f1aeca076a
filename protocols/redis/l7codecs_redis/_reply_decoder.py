"""Replies: what a server sends, and what each answers.

The grammar is that of `_reply_reader`. What a reply means to the connection is told here: the request that it answers, whether it is
one at all after lost octets, the head of one that is too large. After PSYNC or SYNC the server hands over: an RDB file, then commands
(``_replication.py``).
"""

from __future__ import annotations

from typing import Final, final

from mypy_extensions import i64

from l7codecs import Kind, Limits, Sender, Status
from l7codecs.message import Event, Flow, Opaque

from ._boundary import find_command_boundary, find_reply_boundary
from ._certainty import lose_server, proven, server_spoke
from ._items import error_status
from ._pairing import answer, ask, is_pushed
from ._replication import ReplicationDecoder
from ._reply import ERROR, PUSH_TYPE, RedisReply, status_of
from ._reply_reader import CUT, OVERGROWN, ReplyReader
from ._request import RedisRequest
from ._resp import DOLLAR, LF, STAR
from ._state import NO_EFFECT, SERVER, SYNC, ConnectionState

__all__ = ["ReplyDecoder"]

_OK: Final = Status.OK
_RESPONSE: Final = Kind.RESPONSE
_PLUS: Final[i64] = 0x2B
_TYPES: Final = frozenset(bytes([octet]) for octet in b"+-:$*_#,(!=%~>|")
_FIRST: Final[i64] = 12
"""Octets of a reply, at most, before its first item."""
_PUSHES: Final[i64] = 3
"""Pushes in a row that prove that they stand between replies."""


@final
class ReplyDecoder(ReplyReader):
    """Replies and pushes of one direction."""

    def __init__(self, flow: Flow, sender: Sender, limits: Limits, state: ConnectionState) -> None:
        super().__init__(flow, sender, limits, state)
        self._inside = False
        self._replication: ReplicationDecoder | None = None
        self._pushes: i64 = 0
        self._latest: RedisReply | None = None
        """The reply before which commands that were held are told."""

    def unfinished(self) -> bool:
        if self._replication is not None:
            return self._replication.unfinished()
        return self._inside or self.buffer.unfinished > 0

    def restart(self) -> None:
        super().restart()
        self._inside = False
        if self._replication is not None:
            self._replication.restart()

    def rest(self) -> Event | None:
        return super().rest() if self._replication is None else self._replication.rest()

    def boundary(self, octets: bytes) -> int:
        if self._replication is not None:
            return find_command_boundary(octets, self.passed == 0)
        return super().boundary(octets)

    def find(self, octets: bytes, fresh: bool, at: int) -> int:
        if self.standing.fresh:
            first = at + 1 if octets[at : at + 1] == b"\n" else at
            if octets[first : first + 1] in _TYPES:
                return first  # what comes next begins a reply, whatever that is
        return find_reply_boundary(octets, fresh, at)

    def lose_again(self) -> None:
        lose_server(self.state, 0, 1, self.head is not None)

    def gap(self, size: int) -> None:
        buffer = self.buffer
        doubted = self.state.server.doubted
        inside = self._type != 0 and 0 < size <= self._payload - buffer.available
        if not inside or doubted or self._names():
            if size > 0:
                server_spoke(self.state)
                if not self.state.client.doubted:
                    self._tell_held()
            lose_server(self.state, size, buffer.unfinished, self.head is not None)
            super().gap(size)
            if self._replication is None:
                self.resume()
            else:
                self.standing.doubted = False
            return
        # Inside a string whose end is known: the reply goes on behind the gap.
        self._payload = buffer.pass_over(self._payload) - size
        self._verbatim = False
        self.set_aside_begun()
        self.go_on_behind(size)

    def _names(self) -> bool:
        """Whether the string in progress says what the reply is about, so that without it nobody knows what it answers."""
        kind = self._type
        if self.head is not None or (kind != STAR and kind != PUSH_TYPE):
            return False
        if self._token - self.buffer.message_offset - self._item > _FIRST:
            return False
        head = self.state.pairing.head()
        return (
            kind == PUSH_TYPE
            or self.state.subscribed
            or not isinstance(head, RedisRequest)
            or head.spec.effect != NO_EFFECT
        )

    def next_event(self) -> Event | None:
        state = self.state
        if self._inside or self.wary or self._replication is not None or state.replicating or not self.whole():
            return self._next()
        kind = self._type
        if state.busy or kind == PUSH_TYPE:
            return self._message()
        head = state.pairing.head()
        if not isinstance(head, RedisRequest) or head.spec.effect != NO_EFFECT:
            return self._message()
        # An ordinary reply to an ordinary command.
        buffer = self.buffer
        start = buffer.start
        stop = buffer.pos
        buffer.start = stop
        data = buffer.data
        status = _OK if kind != ERROR else error_status(data, start, stop)
        original = head.situation.original
        if original is None and head._request is None:
            head._referred = True
            message = RedisReply(
                self.flow, self.sender, _RESPONSE, buffer.base + start, data, start, stop, start, kind, status, head
            )
        else:
            message = RedisReply(
                self.flow, self.sender, _RESPONSE, buffer.base + start, data, start, stop, start, kind, status
            )
            message.request = head if original is None else original
        state.pairing.pass_head(head.kept)
        return message

    def _next(self) -> Event | None:
        """As `next_event`, of anything."""
        buffer = self.buffer
        if self.wary:
            return self.next_wary()
        if not self._inside:
            if self._replication is not None:
                return self._replication.next_event()
            if buffer.pos >= buffer.end and not buffer.need(1):
                return None
            if self.state.replicating:
                if self._between():
                    return self.next_event()
            self._inside = True
            self._type = 0
        outcome = self.go_on()
        if outcome == CUT:
            return self.rest()
        return self.announce() if outcome == OVERGROWN else self._complete()

    def _between(self) -> bool:
        """Between replies of a server that will hand over; True once it has."""
        buffer = self.buffer
        head = self.state.pairing.head()
        octet: i64 = buffer.data[buffer.pos]
        if octet == LF or (octet == DOLLAR and isinstance(head, RedisRequest) and head.spec.name == "SYNC"):
            if octet == DOLLAR:
                self.state.pairing.pop()
            self._hand_over(True)
            return True
        return False

    def _hand_over(self, rdb: bool) -> None:
        standing = self.standing
        standing.unsure = 0
        standing.doubted = False
        self._replication = ReplicationDecoder(self.flow, self.sender, self.limits, self.state, self.buffer, rdb)

    def _proven(self, message: RedisReply) -> bool:
        """Whether what looks like a reply is taken for one, although it is doubted."""
        pushed = is_pushed(message)
        self._pushes = self._pushes + 1 if pushed else 0
        if self._pushes >= _PUSHES:
            self.state.server.doubted = False
            return True
        return proven(self.state.server)

    def _complete(self) -> Event:
        """The reply ends at ``buffer.pos``."""
        if self.head is not None:
            self._inside = False
            return self.end()
        self._inside = False
        return self._message()

    def announce(self) -> Event:
        """The head of a reply that is too large to buffer."""
        if self._type == 0 or self.state.server.doubted:
            self._too_large("attributes or a doubted reply", f"limits.message = {self._message_limit} octets")
        event = self._message()
        message = event if isinstance(event, RedisReply) else self._latest
        if message is not None:
            message.more = True
            self.head = message
        self._latest = None
        return event

    def _message(self) -> Event:
        buffer = self.buffer
        state = self.state
        kind = self._type
        if buffer.held is None:
            offset = buffer.base + buffer.start
            octets = buffer.data
            start = buffer.start
            stop = buffer.pos
            buffer.start = stop
        else:
            offset = i64(buffer.message_offset)
            octets = buffer.message()
            start = 0
            stop = len(octets)
            buffer.finish()
        item = start + self._item
        status = status_of(octets, item, stop, kind)
        message = RedisReply(self.flow, self.sender, _RESPONSE, offset, octets, start, stop, item, kind, status)
        if not state.busy and kind != PUSH_TYPE:
            head = state.pairing.head()
            if isinstance(head, RedisRequest) and head.spec.effect == NO_EFFECT:
                message.request = head.situation.original or head
                state.pairing.pop()
                return message
        if state.client.doubted or state.server.doubted:
            server_spoke(state)
            if state.client.held and not state.client.doubted:
                self._tell_held()
                self._latest = message
                self.set_aside(self._judged(message))
                assert self.backlog is not None
                return self.backlog.popleft()
        return self._judged(message)

    def _tell_held(self) -> None:
        """What the client has said is certain by now: it comes first."""
        for held in self.state.client.take_held():
            if isinstance(held, RedisRequest):
                ask(self.state, held, True)
                self.set_aside(held)

    def _judged(self, message: RedisReply) -> Event:
        """`message` with what it answers; as it is where it is doubted."""
        state = self.state
        if state.server.doubted and not self._proven(message):
            if state.alone:
                state.said = SERVER
            return Opaque(self.sender, message.offset, message.raw)
        request = answer(state, message, True)
        if request is not None and request.spec.effect == SYNC and self._type == _PLUS:
            text = message.payload
            if text.startswith((b"+FULLRESYNC", b"+CONTINUE", b"+RDBCHANNELSYNC")):
                self._hand_over(text.startswith(b"+FULLRESYNC"))
        return message
