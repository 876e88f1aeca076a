"""The grammar of replies: where each item ends, and what it stands in.

    +OK CR LF    -ERR text CR LF    :42 CR LF    ,3.14 CR LF    (12345678901234567890 CR LF    #t CR LF    _ CR LF
    $5 CR LF hello CR LF            also  !  (error)  and  =  (verbatim: three octets of format and a colon first)
    *2 CR LF <item> <item>          also  ~  (set)  and  >  (push);  %  (map) and  |  (attributes) count pairs
    $-1 CR LF    *-1 CR LF          the null forms of RESP2
    $? CR LF ;5 CR LF hello CR LF ;0 CR LF        a streamed string
    *? CR LF <item> … .CR LF                      a streamed aggregate, also ~ and %

"RESP protocol specification", redis.io, with the streamed types of RESP3 (antirez/RESP3, spec.md). Attributes come before the item
that they describe and are part of its message. One reply is one message, however deep it is; what is inside is read when asked for.
The server puts a push into the array that answers EXEC when a queued command causes one; it does not count as an item unless it
confirms a subscription.
"""

from __future__ import annotations

from typing import Final

from librt.strings import read_i16_le, read_i64_le
from mypy_extensions import i64

from l7codecs import LimitExceeded, Limits, ProtocolError, Sender
from l7codecs.message import Flow
from l7codecs.pairing.tables import NO_PAIRING

from ._reply import ERROR, PUSH_TYPE
from ._request import UNSEEN, RedisRequest
from ._resp import (
    CR,
    DOLLAR,
    LF,
    NEED_MORE,
    SPEC,
    STAR,
    STREAMED,
    bad_octet,
    check_line_end,
    pass_line_end,
    read_length,
)
from ._resuming import ResumingDecoder
from ._scalars import check_scalar, is_scalar
from ._state import ConnectionState

__all__ = ["CUT", "OVERGROWN", "WHOLE", "ReplyReader"]

_PLUS: Final[i64] = 0x2B
_COLON: Final[i64] = 0x3A
_COMMA: Final[i64] = 0x2C
_BANG: Final[i64] = 0x21
_EQUALS: Final[i64] = 0x3D
_TILDE: Final[i64] = 0x7E
_PERCENT: Final[i64] = 0x25
_PIPE: Final[i64] = 0x7C
_SEMICOLON: Final[i64] = 0x3B
_DOT: Final[i64] = 0x2E

# What an aggregate is, beside the number of its items that are still to come.
_ASIDE: Final[i64] = 1  # attributes, or a push inside an array: no item of what it stands in
_OPEN_ENDED: Final[i64] = 2  # streamed: counts the items so far, and ends with "."
_PAIRS: Final[i64] = 4  # a streamed map: the items must be even

# What parsing comes to.
CUT: Final[i64] = 0
WHOLE: Final[i64] = 1
OVERGROWN: Final[i64] = 2
_OPENED: Final[i64] = 3
_ITEM: Final[i64] = 4

_CRLF: Final[i64] = 0x0A0D
"""CR LF as a little-endian number of 16 bits."""
_OK_LINE: Final[i64] = 0x0A0D4B4F2B
"""``+OK`` and CR LF as a little-endian number; which octets of eight it takes."""
_FIVE: Final[i64] = 0xFFFFFFFFFF
_NIL: Final[i64] = 0x0A0D5F
"""``_`` and CR LF as a little-endian number; which octets of eight it takes."""
_THREE: Final[i64] = 0xFFFFFF
_SHORT: Final = 16
"""No line that is read as a part of eight octets is longer."""
_FEW: Final = 198
"""Items of an aggregate that is read at once, at most."""
_NULL: Final[i64] = 0x0A0D312D
"""``-1`` and CR LF as a little-endian number."""
_SCAN: Final[i64] = 96
"""Octets of a line that are looked at here before `Buffer.line` takes over."""


def _string_end(data: bytes, at: i64, end: i64, word: i64) -> i64:
    """The end of the bulk string at `at`, of which `word` has the first eight octets, or of its null; -1 leaves it to the general path."""
    size = ((word >> 8) & 0xFF) - 0x30
    if size < 0 or size > 9:
        return at + 5 if (word >> 8) & 0xFFFFFFFF == _NULL else i64(-1)
    if (word >> 16) & 0xFFFF == _CRLF:
        at += 4
    else:
        octet = ((word >> 16) & 0xFF) - 0x30
        if octet < 0 or octet > 9 or size == 0:
            return -1
        size = size * 10 + octet
        if (word >> 24) & 0xFFFF == _CRLF:
            at += 5
        else:
            octet = ((word >> 24) & 0xFF) - 0x30
            if octet < 0 or octet > 9 or (word >> 32) & 0xFFFF != _CRLF:
                return -1
            size = size * 10 + octet
            at += 6
    at += size + 2
    if at > end or read_i16_le(data, at - 2) != _CRLF:
        return -1
    return at


class ReplyReader(ResumingDecoder):
    """The items of replies of one direction. ``_type`` is that of the reply in progress; ``_item`` octets of attributes stand before it."""

    def __init__(self, flow: Flow, sender: Sender, limits: Limits, state: ConnectionState) -> None:
        super().__init__(flow, sender, limits, NO_PAIRING, state.pairing, state)
        self._message_limit: i64 = limits.message
        self._whole_limit: i64 = min(limits.message, limits.payload) if limits.head >= _SHORT else 0
        """Octets of a reply that is read at once."""
        self._openings: i64 = limits.nesting if limits.elements >= _FEW else 0
        """Aggregates of a reply that is read at once."""
        self._head_limit: i64 = limits.head
        self._payload_limit: i64 = limits.payload
        self._depth: i64 = 0
        self._left: i64 = 0
        self._flags: i64 = 0
        self._stack: list[int] | None = None
        self._payload: i64 = -1
        self._chunked = False
        self._verbatim = False
        self._nested: i64 = -1
        self._token: i64 = 0
        """Where in the direction the token that is being parsed starts."""
        self._type: i64 = 0
        self._item: i64 = 0

    def restart(self) -> None:
        self._depth = 0
        self._stack = None
        self._payload = -1
        self._chunked = False
        self._verbatim = False
        self._nested = -1
        self._type = 0
        self.head = None

    def whole(self) -> bool:
        """Move past an ordinary reply that lies whole in the window; False, with nothing moved, leaves it to the general path.

        This is the fast lane of `next_event`: status lines, errors, integers, bulk strings, nulls, and aggregates of such, in locals.
        Everything else, wrong or cut is the general path's.
        """
        buffer = self.buffer
        data = buffer.data
        start = buffer.pos
        end = min(buffer.end, start + self._whole_limit)
        if buffer.held is not None or start + 4 > end:
            return False
        kind: i64 = data[start]
        stop: i64 = -1
        if start + 8 <= end:
            word: i64 = read_i64_le(data, start)
            if kind == DOLLAR:
                stop = _string_end(data, start, end, word)
            elif word & _FIVE == _OK_LINE:
                stop = start + 5
            elif kind == STAR or kind == _PERCENT or kind == _TILDE or kind == PUSH_TYPE:
                stop = self._flat_end(data, start, end, word)
            elif word & _THREE == _NIL:
                stop = start + 3
        if stop < 0:
            stop = self._line_end(data, start, end, kind)
            if stop < 0:
                return False
        buffer.pos = stop
        self._type = kind
        self._item = 0
        return True

    def _line_end(self, data: bytes, start: i64, end: i64, kind: i64) -> i64:
        """The end of an ordinary reply of one line, or string; -1 leaves it to the general path."""
        at = start + 1
        octet: i64 = data[at]
        if kind == _PLUS or kind == ERROR:
            stop = min(end, start + min(_SCAN, self._head_limit))
            while octet != LF:
                at += 1
                if at >= stop:
                    return -1
                octet = data[at]
            return at + 1 if data[at - 1] == CR else i64(-1)
        if kind == _COLON or kind == _COMMA:
            while 0x30 <= octet <= 0x39:
                at += 1
                if at >= end:
                    return -1
                octet = data[at]
            if kind == _COMMA and octet == _DOT and at > start + 1:
                at += 1
                while at < end and 0x30 <= data[at] <= 0x39:
                    at += 1
                if at >= end:
                    return -1
                octet = data[at]
            line = octet == CR and at > start + 1 and at + 1 < end and data[at + 1] == LF
            return at + 2 if line and at - start <= self._head_limit - 2 else i64(-1)
        if kind != DOLLAR:
            return -1
        size: i64 = 0
        while 0x30 <= octet <= 0x39:
            size = size * 10 + octet - 0x30
            at += 1
            if at >= end or size > self._payload_limit:
                return -1
            octet = data[at]
        if octet != CR or at == start + 1 or (data[start + 1] == 0x30 and at > start + 2):
            return -1
        at += size + 3
        if at >= end or data[at - size - 2] != LF or data[at - 1] != CR or data[at] != LF:
            return -1
        return at + 1

    def _flat_end(self, data: bytes, start: i64, end: i64, word: i64) -> i64:
        """The end of an aggregate of strings, integers, nulls and aggregates of such; -1 leaves it to the general path."""
        if self.state.extra_items > 0:
            return -1
        at = start
        left: i64 = 1
        opened: i64 = 0
        while True:
            kind = word & 0xFF
            if kind == DOLLAR:
                at = _string_end(data, at, end, word)
                if at < 0:
                    return -1
            elif kind == STAR or kind == _PERCENT or kind == _TILDE or (kind == PUSH_TYPE and opened == 0):
                count = ((word >> 8) & 0xFF) - 0x30
                if count < 0 or count > 9:
                    return -1
                if (word >> 16) & 0xFFFF == _CRLF:
                    at += 4
                else:
                    ones = ((word >> 16) & 0xFF) - 0x30
                    if count == 0 or ones < 0 or ones > 9 or (word >> 24) & 0xFFFF != _CRLF:
                        return -1
                    count = count * 10 + ones
                    at += 5
                if kind == _PERCENT:
                    count *= 2
                opened += 1
                if opened > self._openings:
                    return -1
                left += count
            elif kind == _COLON:
                at += 2
                word = word >> 8
                octet = (word & 0xFF) - 0x30
                if octet < 0 or octet > 9:
                    return -1
                word = word >> 8
                while word & 0xFFFF != _CRLF:
                    octet = (word & 0xFF) - 0x30
                    if octet < 0 or octet > 9:
                        return -1
                    at += 1
                    word = word >> 8
                at += 2
            elif word & _THREE == _NIL:
                at += 3
            else:
                return -1
            left -= 1
            if left == 0:
                return at
            if at + 8 > end:
                return -1
            word = read_i64_le(data, at)

    def go_on(self) -> i64:
        """Parse on: `WHOLE` at the reply's end, `CUT` where it needs more octets, `OVERGROWN` where it is too large to buffer."""
        buffer = self.buffer
        while True:
            if self._payload >= 0:
                if not self._pass_payload():
                    return CUT
                if self._chunked:
                    continue
            elif self._nested >= 0:
                if self._open_nested(self._nested) == CUT:
                    return CUT
                if self._overgrown():
                    return OVERGROWN
                continue
            else:
                if buffer.pos >= buffer.end and not buffer.need(1):
                    return CUT
                octet: i64 = buffer.data[buffer.pos]
                self._token = buffer.base + buffer.pos
                if self._depth == 0 and octet != _PIPE and self._type == 0:
                    self._type = octet
                    self._item = buffer.message_size()
                if octet == DOLLAR or octet == _BANG or octet == _EQUALS or octet == _SEMICOLON:
                    size = read_length(buffer)
                    if size == NEED_MORE:
                        return CUT
                    if octet == _SEMICOLON or self._chunked or size < 0:
                        size = self._odd_string(octet, size)
                    if size >= 0:
                        if size > self._payload_limit:
                            self._too_large(f"a string of {size} octets", f"limits.payload = {self.limits.payload}")
                        if octet == _EQUALS and size < 4:
                            raise ProtocolError(
                                self._token, f"a verbatim string of {size} octets", "three octets and a colon", SPEC
                            )
                        self._payload = size
                        self._verbatim = octet == _EQUALS
                        at = buffer.pos + size
                        overgrown = buffer.message_size() + size + 2 > self._message_limit
                        ordinary = at + 2 <= buffer.end and octet != _EQUALS and not self._chunked
                        if ordinary and not overgrown and self.head is None:
                            # The ordinary case: the whole string lies in the window.
                            data = buffer.data
                            if data[at] != CR or data[at + 1] != LF:
                                check_line_end(buffer, at)
                            buffer.pos = at + 2
                            self._payload = -1
                        elif overgrown and self.head is None:
                            return OVERGROWN
                        else:
                            continue
                    elif self._chunked:
                        continue
                elif self._chunked:
                    bad_octet(buffer, buffer.pos, "';', the next part of a streamed string")
                elif octet == STAR or octet == _TILDE or octet == _PERCENT or octet == _PIPE or octet == PUSH_TYPE:
                    opened = self._open(octet)
                    if opened == CUT:
                        return CUT
                    if opened == _OPENED:
                        if self._overgrown():
                            return OVERGROWN
                        continue
                elif octet == _DOT:
                    if not self._end_streamed():
                        return CUT
                elif not self._line(octet):
                    return CUT
            # One item is complete: it may complete what it stands in.
            while self._depth > 0:
                if self._flags & _OPEN_ENDED != 0:
                    self._left += 1
                    break
                self._left -= 1
                if self._left > 0:
                    break
                aside = self._flags & _ASIDE != 0
                self._close()
                if aside:
                    break
            else:
                if self._type != 0:
                    return WHOLE
            if self._overgrown():
                return OVERGROWN

    def _odd_string(self, octet: i64, size: i64) -> i64:
        """A string that is null or streamed, or a part of a streamed one: -1 for nothing more to pass over."""
        if self._chunked:
            if octet != _SEMICOLON or size < 0:
                raise ProtocolError(self._token, "no part of a streamed string", "';' and a length", SPEC)
            if size == 0:
                self._chunked = False
                return -1
            return size
        if octet == DOLLAR and size == STREAMED:
            self._chunked = True
            return -1
        if octet == DOLLAR and size == -1:
            return -1
        what = "a length of 0 or more, or -1" if octet == DOLLAR else "a length of 0 or more"
        if octet == _SEMICOLON:
            what = "a part of a streamed string only after '$?'"
        raise ProtocolError(self._token, "'?'" if size == STREAMED else f"a length of {size}", what, SPEC)

    def _pass_payload(self) -> bool:
        """Go on with a string that crosses the window; False while it and its CR LF are not whole."""
        buffer = self.buffer
        if self._verbatim:
            if not buffer.need(4):
                return False
            if buffer.data[buffer.pos + 3] != _COLON:
                bad_octet(buffer, buffer.pos + 3, "':' after the format of a verbatim string")
            self._verbatim = False
        if self._payload > 0:
            self._payload = buffer.pass_over(self._payload) if self.head is None else buffer.pass_window(self._payload)
            if self._payload > 0:
                return False
        if not pass_line_end(buffer):
            return False
        self._payload = -1
        return True

    def _line(self, octet: i64) -> bool:
        """A reply that is one line; False while it is not whole. Its end is the first LF, and CR stands before it."""
        buffer = self.buffer
        start = buffer.pos
        data = buffer.data
        if not is_scalar(octet):
            bad_octet(buffer, start, "a type of RESP")
        at = start + 1
        stop = min(buffer.end, start + _SCAN)
        while at < stop and data[at] != LF:
            at += 1
        if at < stop:
            size = at + 1 - start
            if size > self._head_limit:
                size = -1
        else:
            size = buffer.line(self._head_limit)
            if size == 0:
                return False
        if size < 0:
            self._too_large("a line that does not end", f"limits.head = {self._head_limit} octets")
        check_scalar(buffer, octet, size)
        buffer.pos += size
        return True

    def _open(self, octet: i64) -> i64:
        """The head of an aggregate: CUT while it is not whole, _OPENED when items follow, _ITEM when it is null or empty."""
        buffer = self.buffer
        if octet == PUSH_TYPE and self._depth > 0 and not self._in_exec():
            bad_octet(buffer, buffer.pos, "an item: a push stands between replies")
        count = read_length(buffer)
        if count == NEED_MORE:
            return CUT
        flags: i64 = 0
        if octet == _PIPE:
            flags = _ASIDE
        if count < 0:
            if count == STREAMED and octet != PUSH_TYPE and octet != _PIPE:
                flags = _OPEN_ENDED
                if octet == _PERCENT:
                    flags |= _PAIRS
                count = 0
            elif count == -1 and octet == STAR:
                return _ITEM
            else:
                what = "'?'" if count == STREAMED else f"a count of {count}"
                raise ProtocolError(self._token, what, "a count of 0 or more", SPEC)
        if count > self.limits.elements:
            self._too_large(f"an aggregate of {count} items", f"limits.elements = {self.limits.elements}")
        if octet == _PERCENT or octet == _PIPE:
            count *= 2
        if octet == PUSH_TYPE and self._depth > 0 and count > 0:
            return self._open_nested(count)
        if octet == STAR and self._depth == 0:
            head = self.state.pairing.head() if self.state.extra_items > 0 else None
            if isinstance(head, RedisRequest) and head.situation.extra_items > 0 and count == head.situation.batch_size:
                count += head.situation.extra_items
        if count == 0 and flags & _OPEN_ENDED == 0:
            return _OPENED if flags & _ASIDE != 0 else _ITEM
        return self._push(count, flags)

    def _push(self, count: i64, flags: i64) -> i64:
        """Go into an aggregate of `count` items."""
        if self._depth >= self.limits.nesting:
            self._too_large(f"aggregates nested {self._depth + 1} deep", f"limits.nesting = {self.limits.nesting}")
        if self._depth > 0:
            if self._stack is None:
                self._stack = []
            self._stack.append((self._left << 3) | self._flags)
        self._depth += 1
        self._left = count
        self._flags = flags
        return _OPENED

    def _in_exec(self) -> bool:
        """Whether the reply in progress may be the array that answers EXEC."""
        if self._depth != 1:
            return False
        if self.state.unseen:
            return True
        head = self.state.pairing.head() if self.head is None else self.head.request
        return not isinstance(head, RedisRequest) or head.spec is UNSEEN or head.spec.name == "EXEC"

    def _open_nested(self, count: i64) -> i64:
        """A push inside EXEC's answer, whose items follow: it is one of its items only where it confirms a queued (UN)SUBSCRIBE.

        Its first item tells, so that has to be there: ``$9 CR LF subscribe`` and the like. Returns as `_open`.
        """
        buffer = self.buffer
        self._nested = count
        aside = True
        if count == 3:
            if not buffer.need(5):
                return CUT
            at = buffer.pos
            tens: i64 = buffer.data[at + 1]
            ones: i64 = buffer.data[at + 2]
            line: i64 = 0
            size: i64 = 0
            if buffer.data[at] == DOLLAR and tens == 0x39 and ones == CR:
                line, size = 4, 9
            elif buffer.data[at] == DOLLAR and tens == 0x31 and 0x30 <= ones <= 0x32:
                line, size = 5, 10 + ones - 0x30
            if size > 0:
                if not buffer.need(line + size):
                    return CUT
                at = buffer.pos + line
                aside = not buffer.data[at : at + size].endswith(b"subscribe")
        self._nested = -1
        return self._push(count, _ASIDE if aside else i64(0))

    def _close(self) -> None:
        """The innermost aggregate is complete."""
        self._depth -= 1
        stack = self._stack
        if self._depth > 0 and stack is not None:
            outer: i64 = stack.pop()
            self._left = outer >> 3
            self._flags = outer & 7
        else:
            self._flags = 0

    def _end_streamed(self) -> bool:
        """``.`` CR LF; False while it is not whole. Leaves the aggregate as if it had been counted, before its last item."""
        buffer = self.buffer
        if self._depth == 0 or self._flags & _OPEN_ENDED == 0:
            bad_octet(buffer, buffer.pos, "a type of RESP")
        if self._flags & _PAIRS != 0 and self._left & 1 != 0:
            bad_octet(buffer, buffer.pos, "a value for the last key of a streamed map")
        if not buffer.need(3):
            if buffer.need(2):
                check_line_end(buffer, buffer.pos + 1)
            return False
        check_line_end(buffer, buffer.pos + 1)
        buffer.pos += 3
        self._flags &= ~(_OPEN_ENDED | _PAIRS)
        self._left = 1
        return True

    def _overgrown(self) -> bool:
        return self.head is None and self.buffer.message_size() > self._message_limit

    def _too_large(self, seen: str, limit: str) -> None:
        raise LimitExceeded(self._token, seen, f"at most {limit}", SPEC)
