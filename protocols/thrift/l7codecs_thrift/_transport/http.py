"""HTTP/1.1 as THttpClient and Armeria speak it: a POST with one message for its body, and an answer with one.

    POST /svc HTTP/1.1            the head comes line by line, then the body: of a size, in chunks, or, of an answer, up to the
    content-length: 28            end of the connection
                                  content-encoding: gzip, x-gzip, deflate (of zlib, or bare)
    80 01 00 01 …

A one-way call is answered with status 200 and no body, which is told as what concerns the connection. What is no message is told by its
status. A body in chunks that is larger than ``limits.message`` is announced with the first ``limits.head`` octets of the chunk that passes
it; one up to the end of the connection with the first ``limits.message``.

Not handled: other content codings (the message is told as one that cannot be read); several codings in one.
"""

from __future__ import annotations

import zlib
from typing import Final, final

from mypy_extensions import i64

from l7codecs import Kind, Limits, ProtocolError, Sender
from l7codecs.buffer import Buffer

from .._meaning.messages import FIELD, ThriftMessage
from .._meaning.table import CODECS
from .._meaning.words import HTTP, NO_ENCODING, TEXT_JSON
from .frames import Frames, encoding_at

__all__ = ["HttpReader", "chunk_spans", "coding_bits", "deflated_body"]

_CONTROL: Final = Kind.CONTROL
_REQUEST: Final = Kind.REQUEST
_RESPONSE: Final = Kind.RESPONSE
_CLIENT: Final = Sender.CLIENT
_SERVER: Final = Sender.SERVER
_HEAD: Final[i64] = 0
_BODY: Final[i64] = 1
_CHUNK: Final[i64] = 2
_TRAILERS: Final[i64] = 3
_PART: Final[i64] = 4
"""Of a chunk that is too large."""
_TO_END: Final[i64] = 5
_SPEC: Final = "RFC 9112"
_MORE: Final[i64] = -1
_HTTP: Final[i64] = HTTP
_CRLF: Final = 2
_BRACE: Final[i64] = 0x7B
_LINE: Final[i64] = 1024
"""Octets that a line between chunks may have, however many came before."""
_CODINGS: Final = ("gzip", "x-gzip", "deflate")
_GZIP: Final = 31
_ZLIB: Final = 15
_BARE: Final = -15
_NO_BODY: Final = (204, 304)


@final
class HttpReader:
    """The head and the size of the messages of one side."""

    def __init__(self, sender: Sender, limits: Limits) -> None:
        self._sender = sender
        self._limits = limits
        self._state: i64 = _HEAD
        self._lines: list[str] = []
        self._head_size: i64 = 0
        self._body_size: i64 = 0
        self._chunks: list[tuple[int, int]] = []
        self._owed: i64 = 0
        """Octets of a chunk that are still to come, with its line break where ``_ends_line``."""
        self._part: i64 = 0
        self._left: i64 = 0
        self._streamed: i64 = 0
        """Octets of a body that streams."""
        self.streams = False
        """Whether the message is announced, or is to be, and the rest of its body is told by `rest_of`."""
        self.ends = False
        """Whether the message that streams is at its end."""
        self.refused: str | None = None
        """What passes which limit."""
        self.limit = ""

    def restart(self) -> None:
        """Forget the message in progress."""
        self._state = _HEAD
        self._lines = []
        self._head_size = 0
        self._body_size = 0
        self._chunks = []
        self._owed = 0
        self._left = 0
        self._streamed = 0
        self.streams = False
        self.ends = False

    @property
    def is_simple(self) -> bool:
        """Whether the body has a size, and so can stream by itself."""
        return not self._chunks and self._state == _BODY

    @property
    def goes_to_end(self) -> bool:
        """Whether the body ends with the connection."""
        return self._state == _TO_END

    def _refuse(self, seen: str, limit: str) -> i64:
        self.refused = seen
        self.limit = limit
        return 0

    def size_of(self, buffer: Buffer, ended: bool) -> i64:
        """Octets of the message that begins here, or of what is to be announced of it (``streams``); -1 while that is not known."""
        while self._state != _BODY:
            if self._state == _TO_END:
                return self._to_end(buffer, ended)
            if self._owed > 0:
                self._owed = buffer.pass_over(self._owed)
                if self._owed > 0:
                    return _MORE
            if self._state == _PART:
                begins = buffer.message_size() - self._part
                self._chunks.append((int(begins), int(begins + self._part)))
                self._streamed = sum([last - first for first, last in self._chunks])
                self.streams = True
                return buffer.message_size()
            longest: i64 = self._limits.head if self._state == _HEAD else self._limits.message
            room = max(longest - buffer.message_size(), _LINE if self._state != _HEAD else 1)
            line = buffer.line(room)
            if line == 0:
                return _MORE
            if line < 0:
                name = "head" if self._state == _HEAD else "message"
                return self._refuse(f"more than {longest} octets of HTTP", f"at most limits.{name} = {longest}")
            at: i64 = buffer.pos
            text = buffer.data[at : at + line].decode("latin-1").rstrip("\r\n")
            place: i64 = buffer.base + at  # which moves with the window
            buffer.pass_over(line)
            if self._state == _HEAD:
                self._take_line(text, buffer)
                if self.refused is not None:
                    return 0
            elif self._state == _CHUNK:
                size = self._chunk_size(text, place)
                if size == 0:
                    self._state = _TRAILERS
                    continue
                begins = buffer.message_size()
                if begins + size > self._limits.message:
                    self._part = min(size, self._limits.head)
                    self._left = size - self._part
                    self._owed = self._part
                    self._state = _PART
                    continue
                self._chunks.append((int(begins), int(begins + size)))
                self._owed = size + _CRLF
            elif not text:
                self._body_size = buffer.message_size() - self._head_size
                self._state = _BODY
        return self._head_size + self._body_size

    def _to_end(self, buffer: Buffer, ended: bool) -> i64:
        """As `size_of`, of what ends with the connection."""
        room = max(self._limits.message, self._head_size) - buffer.message_size()
        buffer.pass_over(min(room, buffer.available))
        if buffer.available > 0:
            self._streamed = buffer.message_size() - self._head_size
            self.streams = True
            return buffer.message_size()
        return buffer.message_size() if ended else _MORE

    def _chunk_size(self, text: str, at: i64) -> i64:
        size = _hex(text)
        if size < 0:
            raise ProtocolError(at, f"a chunk of size {text[:20]!r}", "a number", _SPEC)
        return size

    def rest_of(self, buffer: Buffer, ended: bool) -> i64:
        """Pass over what there is of a body that streams; octets of it that were passed last, -1 where there are none yet; see ``ends``."""
        if self._state == _TO_END:
            have: i64 = buffer.available
            buffer.pass_over(have)
            self._count(have)
            self.ends = ended
            return have if have > 0 or ended else _MORE
        while True:
            if self._left > 0:
                before = self._left
                self._left = buffer.pass_window(before)
                passed = before - self._left
                if self._left == 0:
                    self._owed = _CRLF
                    self._state = _CHUNK
                if passed > 0:
                    return passed
                return _MORE
            if self._state == _PART:  # the chunk was all announced
                self._owed = _CRLF
                self._state = _CHUNK
            if self._owed > 0:
                self._owed = buffer.pass_over(self._owed)
                if self._owed > 0:
                    return _MORE
            line = buffer.line(self._limits.head)
            if line == 0:
                return _MORE
            if line < 0:
                return self._refuse("a long line of HTTP", f"at most limits.head = {self._limits.head}")
            at: i64 = buffer.pos
            text = buffer.data[at : at + line].decode("latin-1").rstrip("\r\n")
            place: i64 = buffer.base + at  # which moves with the window
            buffer.pass_over(line)
            if self._state == _TRAILERS:
                if not text:
                    self.ends = True
                    return 0
                continue
            size = self._chunk_size(text, place)
            if size == 0:
                self._state = _TRAILERS
                continue
            self._count(size)
            if self.refused is not None:
                return 0
            self._left = size

    def _count(self, size: i64) -> None:
        self._streamed += size
        if self._streamed > self._limits.payload:
            self._refuse("a long body of HTTP", f"at most limits.payload = {self._limits.payload}")

    def _take_line(self, text: str, buffer: Buffer) -> None:
        if text or not self._lines:
            self._lines.append(text)
            return
        self._head_size = buffer.message_size()
        self._body_size = 0
        status: i64 = _status(self._lines[0]) if self._sender is _SERVER else 0
        if self._sender is _SERVER and (100 <= status < 200 or status in _NO_BODY):
            self._state = _BODY  # whatever size it says
            return
        codings = self._fields("transfer-encoding")
        if codings:
            coding = codings[-1]
            if coding.lower().rpartition(",")[2].strip() != "chunked":
                raise ProtocolError(buffer.message_offset, f"transfer-encoding {coding[:20]!r}", "chunked, last", _SPEC)
            self._state = _CHUNK
            return
        lengths = self._fields("content-length")
        if lengths:
            length = lengths[0]
            for other in lengths:
                if other != length:
                    seen = f"content-length {length[:20]!r} and {other[:20]!r}"
                    raise ProtocolError(buffer.message_offset, seen, "one of them", _SPEC)
            if not (length.isascii() and length.isdigit() and len(length) < 18):
                raise ProtocolError(buffer.message_offset, f"content-length {length[:20]!r}", "a number", _SPEC)
            self._body_size = int(length)
            if self._body_size > self._limits.payload:
                self._refuse(f"a body of {length} octets", f"at most limits.payload = {self._limits.payload}")
        elif status >= 200:
            self._state = _TO_END
            return
        self._state = _BODY

    def field(self, name: str) -> str | None:
        """The first field of that name, in lower case."""
        found = self._fields(name)
        return found[0] if found else None

    def _fields(self, name: str) -> list[str]:
        """All fields of that name, in lower case."""
        pairs = [line.partition(":") for line in self._lines[1:]]
        return [value.strip() for key, _, value in pairs if key.strip().lower() == name]

    def _carried(
        self,
        frames: Frames,
        octets: bytes,
        start: i64,
        stop: i64,
        offset: i64,
        more: bool,
        plain: bytes,
        at: i64,
        end: i64,
    ) -> ThriftMessage:
        """The message that is the body; one without a type where the body is none."""
        broken: str | None = None
        try:
            if encoding_at(plain, at, end) != NO_ENCODING:
                return frames.plain(octets, start, stop, offset, more, plain, at, end, _HTTP)
            if at < end and i64(plain[at]) == _BRACE:
                head = CODECS[TEXT_JSON].head(plain, at, end, self._limits.head)
                if head is not None:
                    return frames.made(octets, start, stop, offset, more, plain, at, end, _HTTP, TEXT_JSON, head)
        except ProtocolError as error:
            broken = f"saw {error.seen}, expected {error.expected}"
        message = frames.nothing(octets, start, stop, offset, more, _HTTP, plain, at)
        message.malformed = broken
        return message

    def message(self, frames: Frames, octets: bytes, start: i64, stop: i64, offset: i64, more: bool) -> ThriftMessage:
        """The message in ``octets[start:stop]``, of which the size was told."""
        at = start + self._head_size
        plain = octets
        end = stop
        if self._chunks:
            plain = b"".join([octets[start + first : start + last] for first, last in self._chunks])
            at = 0
            end = len(plain)
        coding = (self.field("content-encoding") or "identity").lower()
        broken: str | None = None
        if coding in _CODINGS and at < end:
            try:
                plain = inflated_body(plain[at:end], coding, max(self._limits.message, self._limits.head))
                at = 0
                end = len(plain)
            except zlib.error as error:
                broken = f"saw octets that {coding} does not read: {error}"
        elif coding != "identity" and at < end:
            broken = f"cannot be read: content coding {coding[:40]}"
        first = self._lines[0]
        infos = [(key, value) for key, value in (_pair(line) for line in self._lines[1:])]
        status = _status(first) if self._sender is _SERVER else 0
        if broken is None:
            message = self._carried(frames, octets, start, stop, offset, more, plain, at, end)
        else:
            message = frames.nothing(octets, start, stop, offset, more, _HTTP, plain, at)
            message.malformed = broken
        if message.type_id == 0:
            message.body_stop = end
            message.kind = _REQUEST if self._sender is _CLIENT else _RESPONSE
            if 100 <= status < 200:
                message.kind = _CONTROL  # another answer follows
        if coding != "identity":
            message.transforms = (coding,)
        message.http_status = status
        message.infos = tuple(infos)
        message.kept += FIELD * len(infos) + self._head_size
        if message.plain is not octets:
            message.kept += len(message.plain)
        if not self.streams:
            self.restart()
        return message


def inflated_body(octets: bytes, coding: str, most: int) -> bytes:
    """Up to `most` octets of a body in this coding. Raises `zlib.error`."""
    bits = _GZIP if coding != "deflate" else _ZLIB if has_zlib_head(octets) else _BARE
    return zlib.decompressobj(bits).decompress(octets, most)


def coding_bits(coding: str, before: bytes) -> int:
    """What zlib calls this coding, as `before` is in it."""
    return _GZIP if coding != "deflate" else _ZLIB if has_zlib_head(before) else _BARE


def deflated_body(octets: bytes, coding: str, before: bytes) -> bytes:
    """`octets` in this coding, as `before` is."""
    machine = zlib.compressobj(wbits=coding_bits(coding, before))
    return machine.compress(octets) + machine.flush()


def has_zlib_head(octets: bytes) -> bool:
    """Whether they begin as zlib does: of some peers, "deflate" is without."""
    return len(octets) >= 2 and octets[0] & 0x0F == 8 and int.from_bytes(octets[:2], "big") % 31 == 0


def chunk_spans(octets: bytes, at: int) -> tuple[list[tuple[int, int]], int]:
    """Where the data of the chunks from `at` on stand, as far as they are there; and how many octets of the last are missing."""
    spans: list[tuple[int, int]] = []
    while True:
        line = octets.find(b"\n", at)
        size = -1 if line < 0 else int(_hex(octets[at:line].decode("latin-1").rstrip("\r")))
        if size <= 0:
            return spans, 0
        stop = line + 1 + size
        if stop > len(octets):
            spans.append((line + 1, len(octets)))
            return spans, stop - len(octets)
        spans.append((line + 1, stop))
        at = stop + _CRLF


def _pair(line: str) -> tuple[str, str | bytes]:
    key, _, value = line.partition(":")
    return key.strip(), value.strip()


def _status(line: str) -> i64:
    """The status of an answer; 0 where it has none."""
    word = line.split(" ", 2)[1] if line.count(" ") else ""
    return int(word) if word.isascii() and word.isdigit() and len(word) == 3 else 0


def _hex(text: str) -> i64:
    """The size of a chunk; -1 where it is none."""
    word = text.partition(";")[0].strip()
    if not word or len(word) > 8 or not all(each in "0123456789abcdefABCDEF" for each in word):
        return -1
    return int(word, 16)
