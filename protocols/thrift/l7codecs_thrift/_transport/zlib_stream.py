"""TZlibTransport: the whole direction is one stream of zlib, flushed behind each message or several.

    78 9c … 00 00 ff ff  … 00 00 ff ff        each piece ends with the empty block of a flush

What is inflated is read as any other direction is. The octets of a piece are those of the first message that ends in it; further ones
have none of their own.

Not handled: pieces of more than ``limits.message`` octets, or that inflate to more.
"""

from __future__ import annotations

import zlib
from collections import deque
from typing import Final, NoReturn, final

from mypy_extensions import i64

from l7codecs import LimitExceeded, Limits, ProtocolError
from l7codecs.decoder import Decoder
from l7codecs.message import Event

from .._meaning.messages import ThriftMessage
from .._meaning.words import ZLIB

__all__ = ["ZlibStream", "begins_zlib"]

_FLUSH: Final = b"\x00\x00\xff\xff"
_SECOND: Final = b"\x01\x5e\x9c\xda"
_TAIL: Final[i64] = 3


def begins_zlib(octets: bytes, at: i64) -> bool:
    """Whether the header of zlib stands at `at`."""
    return octets[at] == 0x78 and octets[at + 1 : at + 2] in _SECOND


@final
class ZlibStream:
    """What one direction inflates to. `inner` is a decoder of such, which pairs nothing."""

    def __init__(self, limits: Limits, inner: Decoder) -> None:
        self._limits = limits
        self._machine = zlib.decompressobj()
        self._inner = inner
        self._tail = b""
        """The last octets that were looked at, of this piece."""
        self._ready: deque[ThriftMessage] = deque()
        self._size: i64 = 0
        """Octets inflated of this piece."""

    def next_event(self, decoder: Decoder) -> Event | None:
        """The next message, for `decoder`, which is that of the direction."""
        while not self._ready:
            if not self._next_piece(decoder):
                return None
        message = self._ready.popleft()
        decoder.pair(message)
        return message

    def _next_piece(self, decoder: Decoder) -> bool:
        """Take octets up to the next flush; False where it has not come."""
        buffer = decoder.buffer
        while True:
            if not buffer.need(1):
                return False
            at: i64 = buffer.pos
            end: i64 = buffer.end
            shown = self._tail + buffer.data[at:end]
            found = i64(shown.find(_FLUSH))
            size = end - at if found < 0 else found + 4 - len(self._tail)
            room = self._limits.message - buffer.message_size()
            if size > room:
                self._inflate(decoder, buffer.data[at : at + max(room, 0)])  # what is wrong before is told first
                self._exceed(decoder)
            self._inflate(decoder, buffer.data[at : at + size])
            buffer.pass_over(size)
            if found >= 0:
                self._tail = b""
                return self._piece(decoder)
            self._tail = shown[-_TAIL:]

    def _inflate(self, decoder: Decoder, octets: bytes) -> None:
        room = max(0, self._limits.message - int(self._size))
        try:
            plain = self._machine.decompress(octets, room + 1)
        except zlib.error as error:
            decoder.fail(0, f"octets that zlib does not read: {error}", "a stream of zlib")
        self._size += len(plain)
        if self._size > self._limits.message:
            self._exceed(decoder)
        if plain:
            self._inner.buffer.feed(plain)

    def _exceed(self, decoder: Decoder) -> NoReturn:
        """Said alike of both, since it depends on the reads which of them is seen first."""
        limit = f"at most limits.message = {self._limits.message}, packed and inflated"
        decoder.exceed(0, "a large piece of zlib", limit)

    def _piece(self, decoder: Decoder) -> bool:
        """A piece is there: the messages that end in it are ready; True."""
        self._size = 0
        buffer = decoder.buffer
        inner = self._inner
        while True:
            try:
                event = inner.next_event()
            except ProtocolError as error:
                if isinstance(error, LimitExceeded):
                    decoder.exceed(0, error.seen, error.expected)
                decoder.fail(0, f"{error.seen}, once inflated", error.expected)
            if event is None:
                return True
            if not isinstance(event, ThriftMessage) or event.more:
                decoder.exceed(0, "a large message", f"at most limits.message = {self._limits.message}")
            assert isinstance(event, ThriftMessage)
            offset: i64 = buffer.message_offset
            size = buffer.message_size()
            octets = buffer.message()
            start = buffer.message_start()
            buffer.finish()
            self._ready.append(event.wrapped(ZLIB, offset, octets, start, start + size))
