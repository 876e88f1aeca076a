"""What lines of text protocols are made of: verbs, words, blocks. See `l7codecs.text.lines`."""

from __future__ import annotations

from typing import Final, final

from mypy_extensions import i64, mypyc_attr

from l7codecs.kinds import Kind, Sender, Status
from l7codecs.message import Flow, Message

__all__ = ["HUGE", "Line", "LineMessage", "Verb", "are_numbers", "find_word", "is_quiet", "nth_word", "read_number"]

_RESPONSE: Final = Kind.RESPONSE
_BLANK: Final[i64] = 32
_TAB: Final[i64] = 9
_ZERO: Final[i64] = 48
_NINE: Final[i64] = 57
HUGE: Final[i64] = 1 << 56
"""What a number that is larger counts as: no limit allows it."""


@final
class Verb:
    """What a line says that begins with a certain word.

    ``kind`` and ``operation`` are its message's, and so are ``status`` and ``error`` of an answer. Words are counted from the verb,
    which is word 0, or from the last, which is word -1; 0 stands for none:

    resource: the word that it is about, a key; with ``many`` all that follow as well.
    block: the word that declares the size of the block behind the line.
    numbers: the first of the words up to that one that are numbers in an ordinary line (see `LineDecoder.ordinary`).
    head: the word that declares how much of the block is a header section, which a message that is too large to buffer keeps in its head.

    ``quietly`` is the last word of a line that wants no answer, behind the resource: its message is ONEWAY then.
    ``goes_on`` says that another line follows, which belongs to the message. ``made`` is the class of its messages, which are then made
    without asking the plugin (`LineDecoder.message`). ``note`` is the plugin's own.
    """

    def __init__(
        self,
        kind: Kind,
        operation: str | None = None,
        *,
        resource: int = 0,
        many: bool = False,
        block: int = 0,
        numbers: int = 0,
        head: int = 0,
        goes_on: bool = False,
        status: Status | None = None,
        error: str | None = None,
        note: str | None = None,
        made: type[LineMessage] | None = None,
        quietly: bytes | None = None,
    ) -> None:
        self.kind: Final = kind
        self.operation: Final = operation
        self.resource: i64 = resource
        self.many: Final = many
        self.block: i64 = block
        self.numbers: i64 = numbers
        self.head: i64 = head
        self.goes_on: Final = goes_on
        self.status: Final = status
        self.error: Final = error
        self.note: Final = note
        self.made: Final = made
        self.quietly: Final = quietly

    def __repr__(self) -> str:
        return f"<Verb {self.kind.value} {self.operation or self.note or self.error or ''}>"


def nth_word(octets: bytes, at: i64, end: i64, index: i64, tabs: bool) -> tuple[i64, i64]:
    """Where word `index` of ``octets[at:end]`` begins and ends; both -1 where there are not so many."""
    while True:
        while at < end and (octets[at] == _BLANK or (tabs and octets[at] == _TAB)):
            at += 1
        if at >= end:
            return -1, -1
        start = at
        while at < end and octets[at] != _BLANK and not (tabs and octets[at] == _TAB):
            at += 1
        if index == 0:
            return start, at
        index -= 1


def _last(octets: bytes, at: i64, end: i64, index: i64, tabs: bool) -> tuple[i64, i64]:
    """As `nth_word`, counted from the last: -1 is the last."""
    while True:
        while end > at and (octets[end - 1] == _BLANK or (tabs and octets[end - 1] == _TAB)):
            end -= 1
        if end <= at:
            return -1, -1
        stop = end
        while end > at and octets[end - 1] != _BLANK and not (tabs and octets[end - 1] == _TAB):
            end -= 1
        index += 1
        if index == 0:
            return end, stop


def find_word(octets: bytes, at: i64, end: i64, index: i64, tabs: bool) -> tuple[i64, i64]:
    """Where word `index` of ``octets[at:end]`` begins and ends, -1 the last; both -1 where there is none such."""
    return nth_word(octets, at, end, index, tabs) if index >= 0 else _last(octets, at, end, index, tabs)


def read_number(octets: bytes, at: i64, end: i64) -> i64:
    """The decimal number in ``octets[at:end]``; -1 where it is none. One that is larger than any limit is `HUGE`."""
    if at >= end:
        return -1
    found: i64 = 0
    while at < end:
        octet: i64 = octets[at]
        if octet < _ZERO or octet > _NINE:
            return -1
        if found < HUGE:
            found = found * 10 + octet - _ZERO
        at += 1
    return found if found < HUGE else HUGE


def are_numbers(octets: bytes, at: i64, end: i64, first: i64, last: i64, tabs: bool) -> bool:
    """Whether the words `first` to `last` of ``octets[at:end]`` are there, and decimal numbers."""
    start, stop = nth_word(octets, at, end, first, tabs)
    while start >= 0 and read_number(octets, start, stop) >= 0:
        if first >= last:
            return True
        first += 1
        start, stop = nth_word(octets, stop, end, 0, tabs)
    return False


def _separates(octet: int, tabs: bool) -> bool:
    return octet == _BLANK or (tabs and octet == _TAB)


def is_quiet(octets: bytes, at: i64, end: i64, verb: Verb, tabs: bool) -> bool:
    """Whether the line ``octets[at:end]`` ends with the word of `verb` that wants no answer, behind its resource."""
    word = verb.quietly
    if word is None or end <= at:
        return False
    last: i64 = octets[end - 1]
    if last != word[len(word) - 1] and last != _BLANK and last != _TAB:
        return False
    start, stop = find_word(octets, at, end, -1, tabs)
    return octets[start:stop] == word and find_word(octets, at, end, verb.resource, tabs)[0] < start


def _split(octets: bytes, at: i64, end: i64, tabs: bool, first: i64) -> list[bytes]:
    """The words of ``octets[at:end]`` from word `first` on."""
    if first > 0:
        at = nth_word(octets, at, end, first, tabs)[0]
        if at < 0:
            return []
    line = octets[at:end]
    if tabs:
        line = line.replace(b"\t", b" ")
    return [word for word in line.split(b" ") if word]


@final
class Line:
    """A line that a decoder has read, and where its message stands; for the methods of the decoder, and only while they run.

    ``kind`` is what its verb says, or ONEWAY where it ends so. ``octets[start:end]`` is the line without what ends it;
    ``octets[block:block + block_size]`` the block (``block_size`` is -1 where there is none), and ``octets[start:stop]`` the message, or
    its head where ``more``. ``ended`` is False where something else than CRLF stands behind the block. Only what is in front of
    ``stop`` is there.
    """

    def __init__(self, flow: Flow, sender: Sender, verb: Verb, tabs: bool) -> None:
        self.flow: Final = flow
        self.sender: Final = sender
        self.tabs: Final = tabs
        self.verb = verb
        self.kind = verb.kind
        self.offset: i64 = 0
        self.octets = b""
        self.start: i64 = 0
        self.end: i64 = 0
        self.block: i64 = 0
        self.block_size: i64 = -1
        self.stop: i64 = 0
        self.more = False
        self.ended = True

    def word(self, index: int) -> bytes | None:
        """Word `index`, 0 is the verb, -1 the last word; None where there are not so many."""
        start, stop = find_word(self.octets, self.start, self.end, index, self.tabs)
        return self.octets[start:stop] if start >= 0 else None

    def number(self, index: int) -> int:
        """The decimal number that word `index` is; -1 where it is none. One of more than 56 bits is told as ``2**56``."""
        start, stop = find_word(self.octets, self.start, self.end, index, self.tabs)
        return read_number(self.octets, start, stop) if start >= 0 else -1

    @property
    def words(self) -> list[bytes]:
        """All words."""
        return _split(self.octets, self.start, self.end, self.tabs, 0)


@mypyc_attr(acyclic=True, allow_interpreted_subclasses=True)
class LineMessage(Message):
    """A line with its block, or several. What its `Verb` says is read from there, words from its first line."""

    def __init__(self, line: Line, kind: Kind) -> None:
        super().__init__(line.flow, line.sender, kind, line.offset, line.octets, line.start, line.stop, line.more)
        self.verb = line.verb
        self._tabs = line.tabs
        # All from the start of the message, so that they stay right when it moves.
        self._line_size = line.end - line.start
        self._block = line.block - line.start
        self._block_size = line.block_size

    def word(self, index: int) -> bytes | None:
        """Word `index` of the first line, 0 is the verb, -1 the last word; None where there are not so many."""
        start, stop = find_word(self.octets, self.start, self.start + self._line_size, index, self._tabs)
        return self.octets[start:stop] if start >= 0 else None

    @property
    def words(self) -> list[bytes]:
        """All words of the first line."""
        return _split(self.octets, self.start, self.start + self._line_size, self._tabs, 0)

    @property
    def block(self) -> bytes | None:
        """The block behind the first line, or what is in the head of it; None where there is none."""
        if self._block_size < 0:
            return None
        at = self.start + self._block
        return self.octets[at : min(at + self._block_size, self.stop)]

    @property
    def block_size(self) -> int | None:
        """Octets that the block has, as the line says; None where there is none."""
        return self._block_size if self._block_size >= 0 else None

    @property
    def payload(self) -> bytes:
        if self.verb.goes_on:
            return self.raw
        return self.block or b""

    @property
    def operation(self) -> str | None:
        found = self.verb.operation
        if found is None and self.kind is _RESPONSE:
            request = self.request
            return None if request is None else request.operation
        return found

    @property
    def resources(self) -> tuple[str | bytes, ...]:
        verb = self.verb
        first = verb.resource
        if first == 0:
            return ()
        octets = self.octets
        end = self.start + self._line_size
        start, stop = find_word(octets, self.start, end, first, self._tabs)
        if start < 0:
            return ()
        if verb.many and stop < end:
            return tuple(_split(octets, start, end, self._tabs, 0))
        return (octets[start:stop],)

    @property
    def status(self) -> Status | None:
        return self.verb.status

    @property
    def error(self) -> str | None:
        return self.verb.error

    def detach(self) -> bool:
        self.keep_own()
        return True

    def shortened(self, size: int) -> Message | None:
        """A copy that has only the first octets; None where a subclass is made in another way, or they do not say the same."""
        line = Line(self.flow, self.sender, self.verb, self._tabs)
        line.offset = self.offset
        line.octets = self.octets[self.start : self.start + size]
        line.stop = len(line.octets)
        line.end = self._line_size
        if line.stop < line.end:  # a word that is cut is none
            line.end = line.stop
            while line.end > 0 and not _separates(line.octets[line.end - 1], self._tabs):
                line.end -= 1
        line.block = self._block
        line.block_size = self._block_size
        line.more = True
        made = self.remade(line)
        if made is None or made.request_id != self.request_id or made.operation != self.operation:
            return None
        made.declared_size = self.stop - self.start if self.size is None else i64(self.size)
        made.request = self.request
        return made

    def remade(self, line: Line) -> LineMessage | None:
        """The same message of other octets, for `shortened`; a subclass whose constructor takes anything else overrides it."""
        return type(self)(line, self.kind)
