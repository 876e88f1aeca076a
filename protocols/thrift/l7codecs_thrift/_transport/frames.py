"""What stands in a frame, or in any other octets that hold one message: which encoding it is, and the message itself.

80 01           strict binary             0f ff   THeader, then one of the others
82 x1           compact                   10 00   TTHeader, then one of the others
5b              JSON (`[1,"`)             00 00   the size of an old binary name, or of thriftpy2's JSON
a type of field, or 00 80: the struct that Finagle writes before the message, once both sides have agreed to
"""

from __future__ import annotations

from typing import Final, final

from librt.strings import read_i32_be
from mypy_extensions import i64

from l7codecs import Kind, LimitExceeded, ProtocolError, Sender
from l7codecs.message import Flow

from .._encoding.json_text import SPACE
from .._encoding.names import NO_NAME, find_name
from .._encoding.skip_binary import BinarySkipper
from .._encoding.types import Head
from .._meaning.messages import FIELD, ThriftAnswer, ThriftMessage, new_message
from .._meaning.origin import Origin
from .._meaning.table import CODECS
from .._meaning.words import (
    BINARY,
    CALL,
    COMPACT,
    FINAGLE,
    FRAMED,
    HEADER,
    JSON,
    METADATA_JSON,
    NO_ENCODING,
    OLD_BINARY,
    ONEWAY,
    TTHEADER,
)
from .theader import Header, inflated, parse_header, parse_ttheader

__all__ = ["Frames", "encoding_at", "finagle_struct"]

_KINDS: Final = (Kind.CONTROL, Kind.REQUEST, Kind.RESPONSE, Kind.RESPONSE, Kind.ONEWAY)
_CONTROL: Final = Kind.CONTROL
_RESPONSE: Final = Kind.RESPONSE
_STRICT: Final[i64] = 12
"""Octets of a head in the strict binary protocol, without its name."""
_VERSION: Final[i64] = -0x7FFF
"""Its first 16 bits, with a sign."""
_BRACE: Final[i64] = 0x7B
_BRACKET: Final[i64] = 0x5B
_FIELD_TYPES: Final = bytes((2, 3, 4, 6, 8, 10, 11, 12, 13, 14, 15, 16))


def encoding_at(octets: bytes, at: i64, stop: i64) -> i64:
    """The encoding of the message that begins at `at`; `NO_ENCODING` where none does, or not enough is there."""
    if at >= stop:
        return NO_ENCODING
    first: i64 = octets[at]
    if first == 0x80:
        return BINARY
    if first == 0x82:
        return COMPACT
    if first == _BRACKET:
        return JSON
    if first in SPACE:
        while at < stop and octets[at] in SPACE:
            at += 1
        return JSON if at < stop and octets[at] == _BRACKET else NO_ENCODING
    if first != 0 or stop - at < 5:
        return NO_ENCODING
    return METADATA_JSON if octets[at + 4] == _BRACE else OLD_BINARY


def finagle_struct(octets: bytes, at: i64, stop: i64) -> bool:
    """Whether a struct of Finagle can begin at `at`."""
    if stop - at < 3:
        return False
    first: i64 = octets[at]
    if first == 0:
        return octets[at + 1] == 0x80 and octets[at + 2] == 0x01
    return octets[at + 1] == 0 and octets[at : at + 1] in _FIELD_TYPES and 0 < octets[at + 2] < 0x40


@final
class Frames:
    """Makes the messages of one direction."""

    def __init__(self, flow: Flow, sender: Sender, origin: Origin) -> None:
        limits = origin.limits
        self._origin = origin
        self._flow = flow
        self._sender = sender
        self._limits = limits
        self._longest: i64 = limits.head
        self._skipper = BinarySkipper(limits.nesting, limits.elements, limits.payload)

    def strict(
        self, octets: bytes, start: i64, stop: i64, offset: i64, more: bool, at: i64, transport: i64
    ) -> ThriftMessage | None:
        """As `framed`, of a message of the strict binary protocol alone; None where there is none, or where it is wrong."""
        if stop - at < _STRICT:
            return None
        word = i64(read_i32_be(octets, at))
        kind = word & 0xFF
        size = i64(read_i32_be(octets, at + 4))
        name = at + 8
        if word >> 16 != _VERSION or kind < CALL or kind > ONEWAY or size < 0 or size > self._longest:
            return None
        name_stop = name + size
        if name_stop > stop - 4:
            return None
        number = i64(read_i32_be(octets, name_stop))
        if kind == CALL or kind == ONEWAY:
            return ThriftMessage(
                self._flow, self._sender, _KINDS[kind], offset, octets, start, stop, more, transport, BINARY, kind,
                number, octets, at, name, name_stop, name_stop + 4, stop, self._origin,
                find_name(octets, name, name_stop),
            )  # fmt: skip
        return ThriftAnswer(
            self._flow, self._sender, _RESPONSE, offset, octets, start, stop, more, transport, BINARY, kind, number,
            octets, at, name, name_stop, name_stop + 4, stop, self._origin, find_name(octets, name, name_stop),
        )  # fmt: skip

    def strict_end(self, octets: bytes, at: i64, stop: i64) -> i64:
        """Behind the message of the strict binary protocol at `at`; -1 where ``octets[:stop]`` has not all of it, or where it is wrong."""
        if stop - at < _STRICT:
            return -1
        word = i64(read_i32_be(octets, at))
        kind = word & 0xFF
        size = i64(read_i32_be(octets, at + 4))
        if word >> 16 != _VERSION or kind < CALL or kind > ONEWAY or size < 0 or size > self._longest:
            return -1
        body = at + _STRICT + size
        if body > stop:
            return -1
        skipper = self._skipper
        skipper.clear()
        try:
            end = skipper.feed(octets, body, stop)
        except ProtocolError:
            return -1
        return end if skipper.done else -1

    def framed(
        self, octets: bytes, start: i64, stop: i64, offset: i64, more: bool, at: i64, transport: i64
    ) -> ThriftMessage:
        """The message of the frame ``octets[start:stop]`` whose content begins at `at`.

        Raises:
            ProtocolError: there is none. The offset is an index into `octets`.
        """
        message = self.strict(octets, start, stop, offset, more, at, transport)
        if message is not None:
            return message
        if at >= stop and not more:
            return self.nothing(octets, start, stop, offset, more, transport, octets, at)
        if stop - at >= 2:
            if octets[at] == 0x0F and octets[at + 1] == 0xFF:
                return self._headed(octets, start, stop, offset, more, at, HEADER)
            if octets[at] == 0x10 and octets[at + 1] == 0x00:
                return self._headed(octets, start, stop, offset, more, at, TTHEADER)
        if finagle_struct(octets, at, stop):
            skipper = self._skipper
            skipper.clear()
            at = skipper.feed(octets, at, stop)
            if not skipper.done:
                raise self._cut(at, more, "a struct of Finagle")
            transport = FINAGLE
        return self.plain(octets, start, stop, offset, more, octets, at, stop, transport)

    def bare(
        self, octets: bytes, start: i64, stop: i64, offset: i64, more: bool, at: i64, transport: i64
    ) -> ThriftMessage:
        """The message ``octets[at:stop]``, which has no header of its own. Raises as `framed` does."""
        message = self.strict(octets, start, stop, offset, more, at, transport)
        return message or self.plain(octets, start, stop, offset, more, octets, at, stop, transport)

    def plain(
        self,
        octets: bytes,
        start: i64,
        stop: i64,
        offset: i64,
        more: bool,
        plain: bytes,
        at: i64,
        end: i64,
        transport: i64,
    ) -> ThriftMessage:
        """The message ``plain[at:end]``, which ``octets[start:stop]`` holds. Raises as `framed` does, with an index into `plain`."""
        encoding = encoding_at(plain, at, end)
        if encoding == NO_ENCODING:
            if end - at < 5 and more:
                raise self._cut(at, more, "a message")
            seen = plain[at : min(end, at + 4)].hex() or "nothing"
            expected = "the beginning of a message"
            if transport == FRAMED:
                expected += ", or in place of a frame a name of old binary, which begins with printable ASCII"
            raise ProtocolError(at, f"octets {seen}", expected)
        head = CODECS[encoding].head(plain, at, end, self._longest)
        if head is None:
            raise self._cut(at, more, "the head of a message")
        return self.made(octets, start, stop, offset, more, plain, at, end, transport, encoding, head)

    def made(
        self,
        octets: bytes,
        start: i64,
        stop: i64,
        offset: i64,
        more: bool,
        plain: bytes,
        at: i64,
        end: i64,
        transport: i64,
        encoding: i64,
        head: Head,
    ) -> ThriftMessage:
        """As `plain`, of which the head is known."""
        return new_message(
            self._flow, self._sender, _KINDS[head.kind], offset, octets, start, stop, more, transport, encoding,
            head.kind, head.seqid, plain, at, head.name_at, head.name_stop, head.body, end, self._origin, head.named,
        )  # fmt: skip

    def _cut(self, at: i64, more: bool, what: str) -> ProtocolError:
        """`what` is not all there."""
        if more:
            return LimitExceeded(at, f"{what} that is longer", f"at most limits.head = {self._limits.head}")
        return ProtocolError(at, f"the end of a frame in {what}", "all of it")

    def _part(
        self, octets: bytes, start: i64, stop: i64, offset: i64, more: bool, plain: bytes, transport: i64
    ) -> ThriftMessage:
        """The message whose beginning `plain` is."""
        encoding = encoding_at(plain, 0, len(plain))
        if encoding == NO_ENCODING:
            return self.nothing(octets, start, stop, offset, more, transport, plain, 0)
        head = CODECS[encoding].head(plain, 0, len(plain), self._longest)
        if head is None:
            raise self._cut(0, True, "the head of a message")
        return self.made(octets, start, stop, offset, more, plain, 0, len(plain), transport, encoding, head)

    def nothing(
        self, octets: bytes, start: i64, stop: i64, offset: i64, more: bool, transport: i64, plain: bytes, at: i64
    ) -> ThriftMessage:
        """A frame without a message."""
        return ThriftAnswer(
            self._flow, self._sender, _CONTROL, offset, octets, start, stop, more, transport, NO_ENCODING, 0, 0,
            plain, at, at, at, at, at, self._origin, NO_NAME,
        )  # fmt: skip

    def _headed(
        self, octets: bytes, start: i64, stop: i64, offset: i64, more: bool, at: i64, transport: i64
    ) -> ThriftMessage:
        """The message of a frame that begins with a header."""
        header = parse_header(octets, at, stop) if transport == HEADER else parse_ttheader(octets, at, stop)
        if header is None:
            raise self._cut(at, more, "a header")
        message = self._behind(octets, start, stop, offset, more, transport, header)
        infos = header.infos
        if infos:
            message.infos = tuple(infos)
            message.kept += FIELD * len(infos) + header.payload - header.start
        message.transforms = header.names()
        if message.plain is not octets:
            message.kept += len(message.plain)
        return message

    def _behind(
        self, octets: bytes, start: i64, stop: i64, offset: i64, more: bool, transport: i64, header: Header
    ) -> ThriftMessage:
        at = header.payload
        if at == stop and not more:
            return self.nothing(octets, start, stop, offset, more, transport, octets, at)
        if not header.is_readable:
            message = self.nothing(octets, start, stop, offset, more, transport, octets, at)
            message.malformed = f"cannot be read: transforms {', '.join(header.names())}"
            return message
        if not header.transforms:
            return self._inside(octets, start, stop, offset, more, transport, header, octets, at, stop)
        plain = inflated(octets, at, stop, self._limits, len(header.transforms), more)
        try:
            if len(plain) >= max(self._limits.message, self._longest):  # perhaps there is more of it
                return self._part(octets, start, stop, offset, more, plain, transport)
            return self._inside(octets, start, stop, offset, more, transport, header, plain, 0, len(plain))
        except LimitExceeded as error:  # an index into what is inflated is none into the frame
            raise LimitExceeded(int(at), f"{error.seen}, once inflated", error.expected, error.spec) from None
        except ProtocolError as error:
            raise ProtocolError(int(at), f"{error.seen}, once inflated", error.expected, error.spec) from None

    def _inside(
        self,
        octets: bytes,
        start: i64,
        stop: i64,
        offset: i64,
        more: bool,
        transport: i64,
        header: Header,
        plain: bytes,
        at: i64,
        end: i64,
    ) -> ThriftMessage:
        """The message ``plain[at:end]`` behind a header. Raises as `framed` does, with an index into `plain`."""
        if transport == TTHEADER and end - at > 8 and i64(read_i32_be(plain, at)) == end - at - 4:
            if encoding_at(plain, at + 4, end) != NO_ENCODING:
                at += 4  # framed once more
        if encoding_at(plain, at, end) == NO_ENCODING and (end > at or more):
            message = self.nothing(octets, start, stop, offset, more, transport, plain, at)
            message.malformed = f"cannot be read: protocol {header.protocol}"
            return message
        return self.plain(octets, start, stop, offset, more, plain, at, end, transport)
