"""The base of text protocols: a line, perhaps with a block of octets behind it whose size it declares.

    line                             block                 line end
    ┌──────┬───┬──────┬───┬────────┐┌─────────────────────┐┌──────┐
    │ verb │   │ word │   │ word …  ││ octets of any sort  ││ CRLF │
    └──────┴───┴──────┴───┴────────┘└─────────────────────┘└──────┘
            blanks                 LF or CRLF, and blanks before it

What a line says follows from its first word. A plugin has a table of those, `LineDecoder.verbs`, and two or three small methods for
what a table cannot say. A verb that ``goes_on`` makes its line the beginning of a longer message, which ends with the first line
that does not: values, and the line that ends them. All lines of a message are one event.

Scanning, numbers, limits, streaming, and the search behind lost octets are here, compiled; of an ordinary message the plugin's code
runs once.
"""

from __future__ import annotations

from typing import ClassVar, Final

from mypy_extensions import i64, mypyc_attr

from l7codecs.decoder import Decoder
from l7codecs.kinds import Kind, Sender
from l7codecs.limits import Limits
from l7codecs.message import Data, Event, Flow, Message
from l7codecs.pairing.tables import PairingTable
from l7codecs.text.verbs import HUGE, Line, LineMessage, Verb, are_numbers, find_word, is_quiet, nth_word, read_number

__all__ = ["LineDecoder"]

_LF: Final[i64] = 10
_CR: Final[i64] = 13
_LONG: Final[i64] = 256
"""Octets of a line behind a gap from which on more of it are waited for at once."""
_REQUEST: Final = Kind.REQUEST
_HEARTBEAT: Final = Kind.HEARTBEAT
_RESPONSE: Final = Kind.RESPONSE
_ONEWAY: Final = Kind.ONEWAY
_NO_VERB: Final = Verb(Kind.CONTROL)


@mypyc_attr(allow_interpreted_subclasses=True)
class LineDecoder(Decoder):
    """Lines, with the blocks that they declare.

    Subclasses set ``verbs``, and override what they need to: `message` for a class of their own, `verb` for first words that are in no
    table, `block_size` for lines that are not taken at their word, `plausible` for the search behind lost octets.

    tabs: a tab separates words as well.
    any_case: ``verbs``, whose words are upper case, are meant in any case.
    ordinary: `block_size` is asked only of lines with more octets than that, where a word is no number that should be one, and of a
        block that is refused otherwise.
    strict: CRLF has to stand behind a block. Else any two octets end it, and `Line.ended` tells.
    """

    verbs: ClassVar[dict[bytes, Verb]] = {}
    tabs: ClassVar[bool] = False
    any_case: ClassVar[bool] = False
    strict: ClassVar[bool] = True
    ordinary: ClassVar[int] = 0

    def __init__(self, flow: Flow, sender: Sender, limits: Limits, asks: PairingTable, answers: PairingTable) -> None:
        super().__init__(flow, sender, limits, asks, answers)
        own = type(self)
        self._verbs: dict[bytes, Verb] = own.verbs
        self._tabs: bool = own.tabs
        self._any_case: bool = own.any_case
        self._strict: bool = own.strict
        self._ordinary: i64 = own.ordinary
        # Calling a method that an interpreted class may override costs a look-up, so what is not overridden is not called.
        self._own_message = getattr(own, "message") is not getattr(LineDecoder, "message")  # noqa: B009
        self._own_block = getattr(own, "block_size") is not getattr(LineDecoder, "block_size")  # noqa: B009
        self._own_pair = getattr(own, "pair") is not getattr(Decoder, "pair")  # noqa: B009
        self._head_limit: i64 = limits.head
        self._message_limit: i64 = limits.message
        self._payload_limit: i64 = limits.payload
        self._line = Line(flow, sender, _NO_VERB, self._tabs)
        self._verb = _NO_VERB
        self._begun = False
        """A line of the message in progress has been read; what follows are its places from the start of the message."""
        self._line_size: i64 = 0
        self._block: i64 = 0
        self._block_size: i64 = -1
        self._ended = True
        self._declared: i64 = -1
        self._goes_on = False
        self._left: i64 = -1
        """Octets of a block that are still to come; -1 outside of one."""
        self._head_left: i64 = -1
        """The same of the part of a block that belongs to the head; -1 where there is none."""
        self._amid = False
        """In the search behind a gap: inside of a line that is none of ours."""

    def verb(self, word: bytes) -> Verb:
        """What a line says whose first word is not in ``verbs``; `word` is empty where the line is."""
        self.fail(int(self.buffer.message_size()), f"a line that begins with {word[:32]!r}", "a word of the protocol")

    def block_size(self, line: Line, size: int) -> int:
        """Octets of the block behind `line`, whose verb has one; -1 where none comes all the same.

        `size` is what the line declares; -1 where that is no number. More than 56 bits are told as ``2**56``.
        """
        if size < 0:
            at = int(self.buffer.message_size())
            self.fail(at, f"{line.word(int(line.verb.block))!r} for the size of a block", "a decimal number")
        return size

    def message(self, line: Line) -> Message:
        """The message of `line`, which is its first line."""
        return LineMessage(line, line.kind)

    def plausible(self, line: bytes) -> bool:
        """Whether a message may begin with `line`, whose first word is in ``verbs``, behind lost octets."""
        return True

    def unfinished(self) -> bool:
        return self._begun or self.buffer.unfinished > 0

    def restart(self) -> None:
        self.head = None
        self._begun = False
        self._goes_on = False
        self._left = -1
        self._head_left = -1
        self._amid = False

    def gap(self, size: int) -> None:
        if self.head is not None and self._left > 0 and 0 < size <= int(self._left) and self.buffer.available == 0:
            self._left -= size  # inside a block whose end is known: the message goes on behind the gap
            self.go_on_behind(size)
            return
        super().gap(size)

    def next_event(self) -> Event | None:
        if self._begun:
            return _go_on(self)
        buffer = self.buffer
        size = buffer.line(self._head_limit)
        if size <= 0:
            return _no_line(self, size)
        data = buffer.data
        at = buffer.pos
        end = at + size - 1
        if end > at and data[end - 1] == _CR:
            end -= 1
        verb = _verb_at(self, data, at, end)
        block: i64 = _block_of(self, verb, data, at, end, size) if verb.block != 0 else i64(-1)
        self._verb = verb
        self._line_size = end - at
        self._block = size
        self._block_size = block
        self._ended = True
        if not verb.goes_on:
            # The ordinary case: all of it is here.
            if block < 0:
                buffer.pass_over(size)
                return _complete(self, False)
            total = size + block + 2
            if total <= self._message_limit and buffer.end - at >= total:
                at += size + block
                if data[at] != _CR or data[at + 1] != _LF:
                    _wrong_end(self, data[at : at + 2], size + block)
                buffer.pass_over(total)
                return _complete(self, False)
            self._declared = total
        else:
            self._declared = -1
        self._begun = True
        _follow(self, verb, data, at, end, size, block)
        return _go_on(self)

    def boundary(self, octets: bytes) -> int:
        """The first line whose verb is in ``verbs`` and which is `plausible`. Where a gap ends, a line may begin."""
        at: i64 = 0
        size: i64 = len(octets)
        while True:
            lf: i64 = octets.find(b"\n", at)
            if lf < 0:
                break
            if not self._amid and lf - at < self._head_limit:
                end = _end_of_line(octets, at, lf + 1 - at)
                if self._known(octets, at, end) and self.plausible(octets[at:end]):
                    return int(at)
            self._amid = False
            at = lf + 1
        have = size - at
        if not self._amid and have > 0:
            if have >= self._head_limit or (have > _LONG and not self._known(octets, at, size)):
                self._amid = True
        if self._amid:
            return int(-1 - size)
        if have >= _LONG:
            self.wanted = 2 * have
        return int(-1 - at)

    def _known(self, octets: bytes, at: i64, end: i64) -> bool:
        """Whether ``octets[at:end]`` begins with a word of ``verbs``."""
        start, stop = nth_word(octets, at, end, 0, self._tabs)
        if start < 0:
            return False
        word = octets[start:stop]
        return word in self._verbs or (self._any_case and word.upper() in self._verbs)


# Functions rather than methods: calling a method of a class that may have interpreted subclasses costs a look-up by name.


def _no_line(decoder: LineDecoder, size: i64) -> Event | None:
    """There is no whole line yet; of a message that streams, what is there of it."""
    if size < 0:
        at = int(decoder.buffer.message_size())
        decoder.exceed(
            at, f"a line of more than {decoder._head_limit} octets", f"at most limits.head = {decoder._head_limit}"
        )
    return None if decoder.head is None else decoder.rest()


def _end_of_line(data: bytes, at: i64, size: i64) -> i64:
    """Where the line ends that takes `size` octets with what ends it."""
    end = at + size - 1
    if end > at and data[end - 1] == _CR:
        end -= 1
    return end


def _verb_at(decoder: LineDecoder, data: bytes, at: i64, end: i64) -> Verb:
    start, stop = nth_word(data, at, end, 0, decoder._tabs)
    if start < 0:
        return decoder.verb(b"")
    word = data[start:stop]
    found = decoder._verbs.get(word)
    if found is None and decoder._any_case:
        found = decoder._verbs.get(word.upper())
    return decoder.verb(word) if found is None else found


def _block_of(decoder: LineDecoder, verb: Verb, data: bytes, at: i64, end: i64, size: i64) -> i64:
    """Octets of the block behind the line ``data[at:end]`` of `size` octets; -1 where there is none."""
    block: i64 = -1
    start, stop = find_word(data, at, end, verb.block, decoder._tabs)
    if start >= 0:
        block = read_number(data, start, stop)
    if block < 0 or (
        decoder._own_block
        and (
            end - at > decoder._ordinary
            or block > decoder._payload_limit
            or (verb.numbers != 0 and not are_numbers(data, at, end, verb.numbers, verb.block, decoder._tabs))
        )
    ):
        line = decoder._line
        line.verb = verb
        line.octets = data
        line.start = at
        line.end = end
        line.stop = at + size
        line.offset = decoder.buffer.offset
        told: int = decoder.block_size(line, int(block))
        line.octets = b""
        if told < 0:
            return -1
        block = HUGE if told > int(HUGE) else told
    if block > decoder._payload_limit:
        seen = "more than 2**56" if block >= HUGE else str(block)
        at = decoder.buffer.message_size()
        decoder.exceed(int(at), f"a block of {seen} octets", f"at most limits.payload = {decoder.limits.payload}")
    return block


def _follow(decoder: LineDecoder, verb: Verb, data: bytes, at: i64, end: i64, size: i64, block: i64) -> None:
    """Pass over the line ``data[at:end]`` of `size` octets; what is behind it comes next. What is too large streams from here on."""
    decoder.buffer.pass_over(size)
    decoder._left = block
    decoder._goes_on = verb.goes_on
    if decoder.head is not None:
        return
    have = decoder.buffer.message_size()
    if block >= 0:
        if have + block + 2 <= decoder._message_limit:
            return
    elif not verb.goes_on or have <= decoder._message_limit:
        return
    decoder._head_left = 0
    if verb.head != 0 and block >= 0 and not verb.goes_on:
        start, stop = find_word(data, at, end, verb.head, decoder._tabs)
        part: i64 = read_number(data, start, stop) if start >= 0 else i64(0)
        part = min(max(part, 0), block)
        if have + part > decoder._head_limit:
            decoder.exceed(0, f"a head of {have + part} octets", f"at most limits.head = {decoder._head_limit}")
        decoder._head_left = part
        decoder._left = block - part


def _go_on(decoder: LineDecoder) -> Event | None:
    """The next event of the message in progress; None where it needs more octets."""
    buffer = decoder.buffer
    while True:
        if decoder._head_left >= 0:
            decoder._head_left = buffer.pass_over(decoder._head_left)
            if decoder._head_left > 0:
                return None
            decoder._head_left = -1
            message = _complete(decoder, True)
            decoder.head = message
            return message
        if decoder._left > 0:
            if decoder.head is not None:
                decoder._left = buffer.pass_window(decoder._left)
                return decoder.rest()
            decoder._left = buffer.pass_over(decoder._left)
            if decoder._left > 0:
                return None
        if decoder._left == 0:
            if not buffer.need(2):
                return None if decoder.head is None else decoder.rest()
            data = buffer.data
            at = buffer.pos
            if data[at] != _CR or data[at + 1] != _LF:
                _wrong_end(decoder, data[at : at + 2], buffer.message_size())
            buffer.pass_over(2)
            decoder._left = -1
        if not decoder._goes_on:
            return _complete(decoder, False) if decoder.head is None else _finish(decoder)
        size = buffer.line(decoder._head_limit)
        if size <= 0:
            return _no_line(decoder, size)
        data = buffer.data
        at = buffer.pos
        end = _end_of_line(data, at, size)
        verb = _verb_at(decoder, data, at, end)
        block: i64 = _block_of(decoder, verb, data, at, end, size) if verb.block != 0 else i64(-1)
        _follow(decoder, verb, data, at, end, size, block)


def _wrong_end(decoder: LineDecoder, octets: bytes, at: i64) -> None:
    """`octets` are not the CRLF that should stand behind a block."""
    if decoder._strict:
        decoder.fail(int(at), f"{octets!r} behind a block of {decoder._block_size} octets", "CRLF")
    decoder._ended = False


def _finish(decoder: LineDecoder) -> Event:
    """The last of a streaming message; what ends its block is no payload."""
    head = decoder.head
    assert head is not None
    decoder.head = None
    decoder._begun = False
    offset = decoder.buffer.message_offset
    octets = decoder.buffer.take()
    if decoder._verb.goes_on:
        return Data(head, offset, octets, False)
    return Data(head, offset, octets, False, 0, -1, 0, max(0, len(octets) - 2))


def _complete(decoder: LineDecoder, more: bool) -> Message:
    """The message in progress, or its head where `more`."""
    buffer = decoder.buffer
    line = decoder._line
    line.verb = decoder._verb
    line.offset = buffer.message_offset
    line.octets = buffer.message()
    start = buffer.message_start()
    line.start = start
    line.end = start + decoder._line_size
    line.block = start + decoder._block
    line.block_size = decoder._block_size
    line.stop = start + buffer.message_size()
    line.more = more
    line.ended = decoder._ended
    verb = decoder._verb
    made = verb.made
    kind = verb.kind
    if verb.quietly is not None and is_quiet(line.octets, line.start, line.end, verb, line.tabs):
        kind = _ONEWAY
    line.kind = kind
    if made is not None:
        message: Message = made(line, kind)
    elif decoder._own_message:
        message = decoder.message(line)
    else:
        message = LineMessage(line, kind)
    line.octets = b""  # else it would keep the read
    buffer.finish()
    if more:
        message.declared_size = decoder._declared
    else:
        decoder._begun = False
    if decoder._own_pair:
        decoder.pair(message)
    else:
        kind = message.kind
        if kind is _REQUEST or kind is _HEARTBEAT:
            decoder.asks.asked(message)
        elif kind is _RESPONSE:
            message.request = decoder.answers.answered(message)
    return message
