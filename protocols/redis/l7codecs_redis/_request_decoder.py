"""Commands: what a client sends, and what a primary sends to its replica.

    *3 CR LF                   the number of arguments
    $3 CR LF  SET CR LF        each argument as a bulk string: the command's name first
    $7 CR LF  user:42 CR LF
    $5 CR LF  hello CR LF

or inline, a line of words with the quoting of a shell (`sdssplitargs`, redis/src/sds.c)::

    SET user:42 "hello world\\x21" LF

"RESP protocol specification", redis.io. A command of no arguments (``*0``, ``*-1``, an empty line) is legal and has no answer.
"""

from __future__ import annotations

from typing import Final, final

from librt.strings import read_i16_le, read_i64_le
from mypy_extensions import i64, mypyc_attr

from l7codecs import Kind, LimitExceeded, Limits, ProtocolError, Sender
from l7codecs.message import Event, Flow, Opaque
from l7codecs.pairing.retention import let_go
from l7codecs.pairing.tables import NO_PAIRING

from ._boundary import find_command_boundary
from ._certainty import client_spoke, lose_client, proven
from ._commands import CommandSpec, find_command, unknown_command
from ._inline import split_arguments
from ._pairing import ask
from ._request import NO_COMMAND, UNSEEN, RedisRequest
from ._resp import DOLLAR, NEED_MORE, SPEC, STAR, STREAMED, bad_octet, pass_line_end, read_length
from ._resuming import ResumingDecoder
from ._state import CLIENT_REPLY, HELLO, NO_EFFECT, REPLCONF, SELECT, ConnectionState, Standing

__all__ = ["RequestDecoder"]

_REQUEST: Final = Kind.REQUEST
_PUSH: Final = Kind.PUSH
_CRLF: Final[i64] = 0x0A0D
"""CR LF as a little-endian number of 16 bits."""
_CRLF_DOLLAR: Final[i64] = 0x240A0D
_ZERO: Final[i64] = 0x30
_HEAD: Final[i64] = 0x0A0D00240A0D002A
"""``*``, CR LF, ``$`` and CR LF, with nothing in place of the two digits between them."""
_HEAD_MASK: Final[i64] = -0x0000FF000000FF01
_AN_ARGUMENT: Final = "'$' and the length of an argument"
_ENDLESS: Final = "a line that does not end"
_NO_NUL: Final = "a line without NUL"
_UNBALANCED: Final = "unbalanced quotes"
_FEW: Final = 99
"""Arguments of a command that is read at once, at most."""


@final
@mypyc_attr(acyclic=True)
class _Slot:
    """One place of the cache of short command names."""

    def __init__(self) -> None:
        self.word: i64 = 0
        """The name in its upper octets, its size in the lowest."""
        self.spec = NO_COMMAND


_NAME_SIZE: Final[i64] = 64
"""Octets of a name, or of an argument that may be a sub-command's, that are looked at: no known one is longer."""
_SLOT_COUNT: Final[i64] = 512
_SLOTS: Final = [_Slot() for _ in range(512)]


def _command_at(data: bytes, at: i64, size: i64) -> CommandSpec:
    """The command whose name is ``data[at:at + size]``.

    Names of up to 7 octets (nearly all there are) are looked up as one 64-bit word in a small direct-mapped cache, with no
    object made of them; the cache cannot grow, whatever names a peer invents.
    """
    if 0 < size < 8 and at + 8 <= len(data):
        word: i64 = (read_i64_le(data, at) << (64 - size * 8)) | size
        folded = word ^ (word >> 27)
        slot = _SLOTS[(folded ^ (folded >> 13) ^ (folded >> 5)) & (_SLOT_COUNT - 1)]
        if slot.word == word:
            return slot.spec
        found = find_command(data[at : at + size])
        if found is not None:
            slot.word = word
            slot.spec = found
            return found
    else:
        found = find_command(data[at : at + size])
        if found is not None:
            return found
    return unknown_command(data[at : at + min(size, _NAME_SIZE)])


def _long_head(data: bytes, at: i64, end: i64) -> i64:
    """The number of arguments of the command at `at`, of up to two digits; times 256, the size of its name, as many; times 65 536, the
    octets before the name. -1 where it is anything else, or where there are fewer than 18 octets.
    """
    if at + 18 > end or data[at] != STAR:
        return -1
    first = at
    count: i64 = data[at + 1] - _ZERO
    if count < 1 or count > 9:
        return -1
    at += 2
    octet: i64 = data[at] - _ZERO
    if 0 <= octet <= 9:
        count = count * 10 + octet
        at += 1
    word: i64 = read_i64_le(data, at)
    size = ((word >> 24) & 0xFF) - _ZERO
    if word & 0xFFFFFF != _CRLF_DOLLAR or size < 1 or size > 9:
        return -1
    at += 6
    word = word >> 32
    if word & 0xFFFF != _CRLF:
        octet = (word & 0xFF) - _ZERO
        if (word >> 8) & 0xFFFF != _CRLF or octet < 0 or octet > 9:
            return -1
        size = size * 10 + octet
        at += 1
        if size > _NAME_SIZE:
            return -1
    return count | (size << 8) | ((at - first) << 16)


@final
class RequestDecoder(ResumingDecoder):
    """Commands of one direction.

    With ``stream`` it is the command stream from a primary to its replica: every command is a push, and none is answered.
    """

    def __init__(
        self, flow: Flow, sender: Sender, limits: Limits, state: ConnectionState, stream: bool = False
    ) -> None:
        super().__init__(flow, sender, limits, state.pairing, NO_PAIRING, state)
        self._stream = Standing() if stream else None
        """What is known after lost octets of a stream to a replica, which stands in for the server's replies."""
        self._message_limit: i64 = limits.message
        self._whole_limit: i64 = min(limits.message, limits.payload) if limits.elements >= _FEW else 0
        """Octets of a command that is read at once."""
        self._payload_limit: i64 = limits.payload
        self._head_limit: i64 = limits.head
        self._elements_limit: i64 = limits.elements
        self._left: i64 = -1
        self._index: i64 = 0
        self._payload: i64 = -1
        self._looked = False
        self._spec = UNSEEN
        self._key_at: i64 = 0
        self._key_size: i64 = -1

    @property
    def standing(self) -> Standing:
        return self.state.client if self._stream is None else self._stream

    def unfinished(self) -> bool:
        return self._left >= 0 or self.buffer.unfinished > 0

    def between(self) -> bool:
        """Whether nothing of a command is parsed."""
        return self._left < 0

    def restart(self) -> None:
        self._left = -1
        self._payload = -1
        self.head = None

    def complaint(self, error: ProtocolError) -> str:
        """What the server says of the octets that are `error` here (`setProtocolError`, redis/src/networking.c), or would."""
        if error.expected == _AN_ARGUMENT:
            return f"expected '$', got '{error.seen[2:-1]}'"
        if self._left > 0:
            return "invalid bulk length" if self._payload < 0 else "expected CR LF behind an argument"
        if error.seen == _ENDLESS:
            return "too big inline request"
        if error.seen == _UNBALANCED:
            return "unbalanced quotes in request"
        return "NUL in an inline request" if error.expected == _NO_NUL else "invalid multibulk length"

    def find(self, octets: bytes, fresh: bool, at: int) -> int:
        return find_command_boundary(octets, fresh, at)

    def lose_again(self) -> None:
        lose_client(self.state, 0, 1, self.buffer.offset, False)

    def gap(self, size: int) -> None:
        buffer = self.buffer
        doubted = self.state.client.doubted
        inside = self._left > 0 and self._index > 0 and 0 < size <= self._payload - buffer.available
        decides = self._left > 0 and self._decides()
        if not inside or doubted or decides:
            if self.standing.held:
                self.set_aside(self.passed_over())
            begun: i64 = buffer.unfinished
            named = self._left > 0 and self._index > 0
            self.state.mutes |= decides and not doubted
            super().gap(size)
            lose_client(self.state, size, begun, buffer.offset, named)
            self.resume()
            return
        # Inside an argument whose end is known: the command goes on behind the gap.
        self._payload = buffer.pass_over(self._payload) - size
        if self._spec.effect == SELECT:
            self.state.database = None
        self.set_aside_begun()
        self.go_on_behind(size)

    def _decides(self) -> bool:
        """Whether the argument in progress says what the command does to its connection: nobody knows what is answered without it."""
        if self.head is not None:
            return False
        spec = self._spec
        effect = spec.effect
        if effect == CLIENT_REPLY:
            return True
        return self._index == 1 and (effect == HELLO or effect == REPLCONF or spec.name == "CLIENT")

    def next_event(self) -> Event | None:
        # An ordinary command that lies whole in the window is read here: the same grammar for the case that is nearly always there, in
        # locals. Everything unusual, wrong or cut is the general path's, with nothing moved.
        if self._left >= 0 or self.wary:
            return self._next()
        buffer = self.buffer
        data = buffer.data
        start = buffer.pos
        end = min(buffer.end, start + self._whole_limit)
        if start + 11 > end or buffer.held is not None:
            return self._next()
        # "*", the number of arguments, CR LF, "$", the size of the name, CR LF: eight octets, where both have one digit.
        word: i64 = read_i64_le(data, start)
        count = ((word >> 8) & 0xFF) - _ZERO
        size = ((word >> 40) & 0xFF) - _ZERO
        at = start + 8
        if word & _HEAD_MASK != _HEAD or count < 1 or count > 9 or size < 1 or size > 9:
            head = _long_head(data, start, end)
            if head < 0:
                return self._next()
            count = head & 0xFF
            size = (head >> 8) & 0xFF
            at = start + (head >> 16)
        if at + size + 2 > end:
            return self._next()
        if size < 8 and at + 8 <= end:
            word = (read_i64_le(data, at) << (64 - size * 8)) | size
            folded = word ^ (word >> 27)
            slot = _SLOTS[(folded ^ (folded >> 13) ^ (folded >> 5)) & (_SLOT_COUNT - 1)]
            spec = slot.spec if slot.word == word else _command_at(data, at, size)
        else:
            spec = _command_at(data, at, size)
        key_index = spec.key_index
        key_at: i64 = 0
        key_size: i64 = -1
        at += size
        index: i64 = 1
        while index < count:
            # CR LF of the line before, "$", a size, CR LF: eight octets hold it where the size has up to three digits, and a
            # command that is whole has as many behind it.
            if at + 8 > end:
                return self._next()
            word = read_i64_le(data, at)
            size = ((word >> 24) & 0xFF) - _ZERO
            if word & 0xFFFFFF != _CRLF_DOLLAR or size < 0 or size > 9:
                return self._next()
            word = word >> 32
            if word & 0xFFFF == _CRLF:
                at += 6
            else:
                octet = (word & 0xFF) - _ZERO
                if octet < 0 or octet > 9 or size == 0:
                    return self._next()
                size = size * 10 + octet
                word = word >> 8
                at += 7
                while word & 0xFFFF != _CRLF:
                    octet = (word & 0xFF) - _ZERO
                    if octet < 0 or octet > 9 or size > 999_999 or at + 4 > end:
                        return self._next()
                    size = size * 10 + octet
                    at += 1
                    word = i64(read_i16_le(data, at - 2))
            if at + size + 2 > end:
                return self._next()
            if index == key_index:
                key_at = at - start
                key_size = size
            elif index == 1 and spec.has_subcommands:
                found = spec.subcommand(data[at : at + min(size, _NAME_SIZE)])
                if found is not None:
                    spec = found
                    key_index = spec.key_index
            at += size
            index += 1
        if read_i16_le(data, at) != _CRLF:
            return self._next()
        at += 2
        buffer.pos = at
        state = self.state
        if spec.effect != NO_EFFECT or state.busy or self._stream is not None:
            self._key_at = key_at
            self._key_size = key_size
            return self._message(spec)
        buffer.start = at
        message = RedisRequest(
            self.flow, self.sender, _REQUEST, buffer.base + start, data, start, at, False,
            spec, key_at, key_size, state.ordinary,
        )  # fmt: skip
        state.pairing.asked(message)
        return message

    def _next(self) -> Event | None:
        """As `next_event`, of anything."""
        buffer = self.buffer
        if self.wary:
            return self.next_wary()
        if self._left < 0:
            if buffer.pos >= buffer.end and not buffer.need(1):
                return None
            if buffer.data[buffer.pos] != STAR:
                return self._inline()
            count = read_length(buffer)
            if count <= 0:
                if count == NEED_MORE:
                    return None
                if count == STREAMED:
                    raise ProtocolError(buffer.message_offset + 1, "b'?'", "a number of arguments", SPEC)
                if self.standing.unsure > 0 or self.standing.doubted:
                    raise ProtocolError(buffer.message_offset, "no arguments", "evidence that a command begins", SPEC)
                self._key_size = -1
                return self._message(NO_COMMAND)
            if count > self._elements_limit:
                raise LimitExceeded(
                    buffer.message_offset,
                    f"a command of {count} arguments",
                    f"at most limits.elements = {self.limits.elements}",
                    SPEC,
                )
            self._left = count
            self._index = 0
            self._payload = -1
            self._spec = UNSEEN
            self._key_size = -1
        while self._left > 0:
            if self._payload < 0:
                if not buffer.need(1):
                    return self.rest()
                if buffer.data[buffer.pos] != DOLLAR:
                    bad_octet(buffer, buffer.pos, _AN_ARGUMENT)
                offset = buffer.offset
                size = read_length(buffer)
                if size < 0:
                    if size == NEED_MORE:
                        return self.rest()
                    raise ProtocolError(offset, f"an argument of length {size}", "a length of 0 or more", SPEC)
                if size > self._payload_limit:
                    raise LimitExceeded(
                        offset,
                        f"an argument of {size} octets",
                        f"at most limits.payload = {self._payload_limit}",
                        SPEC,
                    )
                self._payload = size
                self._looked = False
                if self.head is None and buffer.message_size() + size + 2 > self._message_limit:
                    return self.announce()
            if not self._argument():
                return self.rest()
            self._payload = -1
            self._index += 1
            self._left -= 1
        if self.head is not None:
            self._left = -1
            return self.end()
        return self._message(self._spec)

    def _argument(self) -> bool:
        """Go on with an argument whose length is known; False while it and its CR LF are not whole.

        The name and the argument behind it, which may select a sub-command, are looked at, as far as any name goes; of
        the key only its place is kept.
        """
        buffer = self.buffer
        if not self._looked:
            index = self._index
            size = self._payload
            if index <= 1 and not buffer.need(min(size, _NAME_SIZE)):
                return False
            if index <= 1 or index == self._spec.first_key:
                self._look(index, buffer.data, buffer.pos, size)
            self._looked = True
        if self._payload > 0:
            left = self._payload
            self._payload = buffer.pass_over(left) if self.head is None else buffer.pass_window(left)
            if self._payload > 0:
                return False
        return pass_line_end(buffer)

    def _look(self, index: i64, data: bytes, at: i64, size: i64) -> None:
        """See what an argument says: the command, its sub-command, its key."""
        if index == 0:
            if size <= _NAME_SIZE:
                self._spec = _command_at(data, at, size)
            else:
                self._spec = unknown_command(data[at : at + _NAME_SIZE])
        elif index == 1 and self._spec.has_subcommands:
            found = self._spec.subcommand(data[at : at + min(size, _NAME_SIZE)])
            if found is not None:
                self._spec = found
        elif index == self._spec.first_key and self._spec.single_key:
            self._key_at = self.buffer.message_size()
            self._key_size = size

    def _message(self, spec: CommandSpec, arguments: list[bytes] | None = None) -> Event:
        """The command that ends at ``buffer.pos``; `arguments` are given where it is inline."""
        buffer = self.buffer
        state = self.state
        self._left = -1
        if buffer.held is None:
            start = buffer.start
            message = RedisRequest(
                self.flow, self.sender, _REQUEST, buffer.base + start, buffer.data, start, buffer.pos, False,
                spec, self._key_at, self._key_size, state.ordinary,
            )  # fmt: skip
            buffer.start = buffer.pos
        else:
            offset = buffer.message_offset
            octets = buffer.message()
            message = RedisRequest(
                self.flow, self.sender, _REQUEST, offset, octets, 0, len(octets), False,
                spec, self._key_at, self._key_size, state.ordinary,
            )  # fmt: skip
            buffer.finish()
        if arguments is not None:
            message.take_arguments(arguments)
        if self._stream is not None:
            message.kind = _PUSH
        elif spec.effect == NO_EFFECT and not state.busy and spec is not NO_COMMAND:
            state.pairing.asked(message)
        else:
            if state.client.doubted or state.server.doubted:
                client_spoke(state)
                if state.client.doubted and not proven(state.client):
                    let_go(message)
                    state.client.hold(message)
                    state.client.holds = True
                    return message
                for held in state.client.take_held():
                    self.set_aside(Opaque(self.sender, held.offset, held.raw))
                if self.backlog is not None:
                    ask(state, message, True)
                    self.set_aside(message)
                    return self.backlog.popleft()
            ask(state, message, True)
        return message

    def announce(self) -> Event:
        """The head of a command that is too large to buffer: up to and including the length of the argument that is too much."""
        if self.standing.doubted:
            raise LimitExceeded(self.buffer.offset, "a large command that is doubted", "limits.message", SPEC)
        left = self._left
        if self._spec is UNSEEN:
            self.state.unseen = True
        message = self._message(self._spec)
        if isinstance(message, RedisRequest):
            message.more = True
            self._left = left
            self.head = message
        return message

    def _inline(self) -> Event | None:
        buffer = self.buffer
        if self.standing.unsure > 0 or self.standing.doubted:
            bad_octet(buffer, buffer.pos, "'*': a line is no evidence that it begins a command")
        self.state.inline = True
        size = buffer.line(self._head_limit)
        if size <= 0:
            if size == 0:
                return None
            raise LimitExceeded(buffer.offset, _ENDLESS, f"at most limits.head = {self.limits.head} octets", SPEC)
        at = buffer.pos
        line = buffer.data[at : at + size]
        nul: i64 = line.find(b"\0")
        if nul >= 0:
            # The server looks for the LF with strchr, which ends at a NUL: it would wait for ever.
            raise ProtocolError(buffer.offset + nul, "b'\\x00'", _NO_NUL, SPEC)
        arguments = split_arguments(line)
        if arguments is None:
            raise ProtocolError(buffer.offset, _UNBALANCED, "a closing quote before a space or LF", SPEC)
        buffer.pos = at + size
        self._key_size = -1
        if not arguments:
            return self._message(NO_COMMAND)
        name = arguments[0]
        spec = find_command(name)
        if spec is None:
            spec = unknown_command(name)
        elif spec.has_subcommands and len(arguments) > 1:
            selected = spec.subcommand(arguments[1])
            if selected is not None:
                spec = selected
        return self._message(spec, arguments)
