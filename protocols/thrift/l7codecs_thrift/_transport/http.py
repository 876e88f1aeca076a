"""HTTP/1.1 as THttpClient and Armeria speak it: a POST with one message for its body, and an answer with one.

A one-way call is answered with status 200 and no body,
which is told as what concerns the connection. The head comes line by line, then the body: of a size, or in chunks.

Not handled: bodies with a content coding, chunked bodies larger than ``limits.message``, bodies that end with the connection, HTTP/1.0
without a size. What is no message is told by its status.
"""

from __future__ import annotations

from typing import Final, final

from mypy_extensions import i64

from l7codecs import Kind, Limits, ProtocolError, Sender
from l7codecs.buffer import Buffer

from .._meaning.messages import ThriftMessage
from .._meaning.words import HTTP, NO_ENCODING
from .frames import Frames, encoding_at

__all__ = ["HttpReader"]

_HEAD: Final[i64] = 0
_BODY: Final[i64] = 1
_CHUNK: Final[i64] = 2
_TRAILERS: Final[i64] = 3
_SPEC: Final = "RFC 9112"
_MORE: Final[i64] = -1
_HTTP: Final[i64] = HTTP
_CRLF: Final = 2


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
        """Octets of a chunk that are still to come."""
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

    @property
    def is_simple(self) -> bool:
        """Whether the body has a size, and so can stream."""
        return not self._chunks

    def size_of(self, buffer: Buffer) -> i64:
        """Octets of the message that begins here; -1 while that is not known."""
        while self._state != _BODY:
            if self._owed > 0:
                self._owed = buffer.pass_over(self._owed)
                if self._owed > 0:
                    return _MORE
            longest: i64 = self._limits.head if self._state == _HEAD else self._limits.message
            line = buffer.line(max(longest - buffer.message_size(), 1))
            if line == 0:
                return _MORE
            if line < 0:
                self.refused = f"more than {longest} octets of HTTP"
                self.limit = f"at most limits.{'head' if self._state == _HEAD else 'message'} = {longest}"
                return 0
            at: i64 = buffer.pos
            text = buffer.data[at : at + line].decode("latin-1").rstrip("\r\n")
            buffer.pass_over(line)
            if self._state == _HEAD:
                self._take_line(text, buffer)
            elif self._state == _CHUNK:
                size = _hex(text)
                if size < 0:
                    raise ProtocolError(buffer.base + at, f"a chunk of size {text[:20]!r}", "a number", _SPEC)
                if size == 0:
                    self._state = _TRAILERS
                    continue
                begins = buffer.message_size()
                if begins + size > self._limits.message:
                    self.refused = f"chunks of more than {begins + size} octets"
                    self.limit = f"at most limits.message = {self._limits.message}"
                    return 0
                self._chunks.append((int(begins), int(begins + size)))
                self._owed = size + _CRLF
            elif not text:
                self._body_size = buffer.message_size() - self._head_size
                self._state = _BODY
        return self._head_size + self._body_size

    def _take_line(self, text: str, buffer: Buffer) -> None:
        if text or not self._lines:
            self._lines.append(text)
            return
        self._head_size = buffer.message_size()
        coding = (self.field("transfer-encoding") or "").lower()
        if coding.endswith("chunked"):
            self._state = _CHUNK
            return
        length = self.field("content-length")
        self._body_size = 0
        if length is not None:
            if not (length.isascii() and length.isdigit() and len(length) < 18):
                raise ProtocolError(buffer.message_offset, f"content-length {length[:20]!r}", "a number", _SPEC)
            self._body_size = int(length)
            if self._body_size > self._limits.payload:
                self.refused = f"a body of {length} octets"
                self.limit = f"at most limits.payload = {self._limits.payload}"
        self._state = _BODY

    def field(self, name: str) -> str | None:
        """The first field of that name, in lower case."""
        for line in self._lines[1:]:
            key, _, value = line.partition(":")
            if key.strip().lower() == name:
                return value.strip()
        return None

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
        if encoding_at(plain, at, end) != NO_ENCODING:
            try:
                return frames.plain(octets, start, stop, offset, more, plain, at, end, _HTTP)
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
        first = self._lines[0]
        infos = [(key, value) for key, value in (_pair(line) for line in self._lines[1:])]
        status = _status(first) if self._sender is Sender.SERVER else 0
        message = self._carried(frames, octets, start, stop, offset, more, plain, at, end)
        if message.type_id == 0:
            message.body_stop = end
            message.kind = Kind.REQUEST if self._sender is Sender.CLIENT else Kind.RESPONSE
            if 100 <= status < 200:
                message.kind = Kind.CONTROL  # another answer follows
        message.http_status = status
        message.infos = tuple(infos)
        self.restart()
        return message


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
