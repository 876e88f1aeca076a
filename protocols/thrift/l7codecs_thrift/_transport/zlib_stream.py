"""TZlibTransport: the whole direction is one stream of zlib, flushed behind each message or several.

    78 9c … 00 00 ff ff  … 00 00 ff ff        each piece ends with the empty block of a flush

What is inflated is read as any other direction is, piece by piece. A piece ends with a flush, with the stream, and where a quarter of
``limits.message`` has been inflated or packed (1 to 64 KiB). Its octets are those of the first event in it; further ones have none of their
own, and what there is of a message that ends in a later piece belongs to that. A stream that ends is followed by another. Pieces with
nothing in them at the end of a stream (Go's transport writes one where it is closed) or of the connection are told as what concerns that.
"""

from __future__ import annotations

import zlib
from collections import deque
from typing import Final, final

from mypy_extensions import i64

from l7codecs import LimitExceeded, Limits, ProtocolError
from l7codecs.decoder import Decoder
from l7codecs.message import Data, Event
from l7codecs.pairing.retention import let_go

from .._meaning.messages import ThriftMessage
from .._meaning.words import ZLIB
from .frames import Frames

__all__ = ["Packer", "ZlibStream", "begins_zlib"]

_FLUSH: Final = b"\x00\x00\xff\xff"
_SECOND: Final = b"\x01\x5e\x9c\xda"
_TAIL: Final[i64] = 3
_RATIO: Final[i64] = 1032
"""Octets that one may inflate to, at most; and octets of what comes behind those that are told already."""
_AHEAD: Final[i64] = 258
_READ_ON: Final[i64] = 8
"""Octets that zlib may have taken beyond those that it needed for what it has told."""
_SMALLEST: Final[i64] = 1024
_LARGEST: Final[i64] = 1 << 16
_EMPTY: Final[i64] = 4096
"""Octets of flushes that say nothing, beside twice ``limits.message``."""


def begins_zlib(octets: bytes, at: i64) -> bool:
    """Whether the header of zlib stands at `at`."""
    return octets[at] == 0x78 and octets[at + 1 : at + 2] in _SECOND


@final
class Packer:
    """What one direction is packed by, here: one stream, flushed behind all that is written at once, as peers do."""

    def __init__(self) -> None:
        self._machine = zlib.compressobj()

    def pack(self, octets: bytes) -> bytes:
        """What to write of `octets`."""
        return self._machine.compress(octets) + self._machine.flush(zlib.Z_SYNC_FLUSH)


@final
class ZlibStream:
    """What one direction inflates to. `inner` is a decoder of such, which pairs nothing."""

    def __init__(self, limits: Limits, inner: Decoder, frames: Frames) -> None:
        self._frames = frames
        self._whole: i64 = max(_SMALLEST, min(limits.message // 4, _LARGEST))
        """What a piece is and inflates to, at most."""
        self._most: i64 = 2 * min(limits.message, 1 << 56) + _EMPTY
        self._limits = limits
        self._machine = zlib.decompressobj()
        self._inner = inner
        self._tail = b""
        """The last octets that were looked at, of this piece."""
        self._ready: deque[Event] = deque()
        self._error: ProtocolError | None = None
        """What comes behind them."""
        self._head: ThriftMessage | None = None
        """The message that streams."""
        self._plain = bytearray()
        """What this piece has inflated to."""
        self._size: i64 = 0
        """Octets inflated of this piece, and packed ones."""
        self._packed: i64 = 0

    def unfinished(self) -> bool:
        """Whether what is inflated stands inside a message."""
        return self._inner.unfinished()

    def next_event(self, decoder: Decoder) -> Event | None:
        """The next event, for `decoder`, which is that of the direction."""
        while not self._ready:
            if self._error is not None:
                raise self._error
            if not self._next_piece(decoder):
                return None
        event = self._ready.popleft()
        if isinstance(event, ThriftMessage):
            if event.more:
                decoder.head = event
            decoder.pair(event)
        elif isinstance(event, Data) and not event.more:
            decoder.head = None
        return event

    def _next_piece(self, decoder: Decoder) -> bool:
        """Take octets up to the end of a piece; False where it has not come."""
        buffer = decoder.buffer
        while True:
            if not buffer.need(1):
                return decoder.ended and self._packed == 0 and buffer.message_size() > 0 and self._put_nothing(decoder)
            at: i64 = buffer.pos
            size = self._to_flush(buffer.data, at, buffer.end)
            flushed = size > 0
            if not flushed:
                size = buffer.end - at
            room = min(self._whole - self._packed, self._most - buffer.message_size())
            if size > room:
                flushed = False
                size = room
            octets = buffer.data[at : at + size]
            taken = self._inflate(decoder, octets)
            buffer.pass_over(taken)
            self._packed += taken
            ended = self._machine.eof
            if ended:
                self._machine = zlib.decompressobj()
            elif self._size < self._whole and self._packed < self._whole and not (flushed and taken == size):
                self._tail = (self._tail + octets[:taken])[-_TAIL:]
                if buffer.message_size() >= self._most:
                    limit = f"at most twice limits.message = {self._limits.message}"
                    decoder.exceed(0, "octets of zlib that say nothing", limit)
                continue
            self._tail = b""
            self._size = 0
            self._packed = 0
            self._piece(decoder)
            if ended:
                self._put_nothing(decoder)
            return True

    def _put_nothing(self, decoder: Decoder) -> bool:
        """Whether whole pieces with nothing in them stand at the end, which are told as that, then."""
        if self._ready or self._error is not None or self._inner.unfinished() or self._head is not None:
            return False
        nothing = self._frames.nothing(b"", 0, 0, 0, False, ZLIB, b"", 0)
        self._ready.append(self._wrapped(decoder, nothing))
        return True

    def _to_flush(self, data: bytes, at: i64, end: i64) -> i64:
        """Octets from `at` on up to the end of the first flush; 0: none ends here."""
        have: i64 = len(self._tail)
        if have > 0:
            found = i64((self._tail + data[at : min(end, at + _TAIL)]).find(_FLUSH))
            if found >= 0:
                return found + 4 - have
        found = i64(data.find(_FLUSH, at, end))
        return found + 4 - at if found >= 0 else 0

    def _inflate(self, decoder: Decoder, octets: bytes) -> i64:
        """Inflate `octets` up to the end of the piece; how many of them that takes."""
        room = self._whole - self._size
        size: i64 = len(octets)
        before = self._machine.copy() if size * _RATIO + _AHEAD >= room else None
        taken = size
        try:
            plain = self._machine.decompress(octets, int(min(room, size * _RATIO + _AHEAD)))  # which is allocated
            # At the end of a stream what is behind it may stand in both.
            machine = self._machine
            taken = size - len(machine.unused_data if machine.eof else machine.unconsumed_tail)
        except zlib.error as error:
            if before is None:
                decoder.fail(0, f"octets that zlib does not read: {error}", "a stream of zlib")
            plain = b""
            self._machine = before
            taken = self._one_by_one(decoder, octets, 0)
        else:
            if len(plain) == room and before is not None:
                # It may have read on; and what it takes has to follow from the octets alone.
                self._machine = before
                sure = max(0, taken - _READ_ON)
                plain = before.decompress(octets[:sure], int(room)) if sure > 0 else b""
                self._told(plain)
                plain = b""
                taken = self._one_by_one(decoder, octets, sure)
        self._told(plain)
        return taken

    def _one_by_one(self, decoder: Decoder, octets: bytes, at: i64) -> i64:
        """As `_inflate` from octet `at` on."""
        size: i64 = len(octets)
        machine = self._machine
        while at < size and self._size < self._whole and not machine.eof:
            try:
                plain = machine.decompress(octets[at : at + 1], int(self._whole - self._size))
            except zlib.error as error:
                decoder.fail(0, f"octets that zlib does not read: {error}", "a stream of zlib")
            at += 1 - len(machine.unconsumed_tail)
            self._told(plain)
        return at

    def _told(self, plain: bytes) -> None:
        """`plain` comes next."""
        if plain:
            self._size += len(plain)
            self._plain += plain

    def _piece(self, decoder: Decoder) -> None:
        """A piece is there: the events in it are ready, and what is wrong behind them."""
        self._inner.buffer.feed(bytes(self._plain))
        self._plain.clear()
        parts: list[bytes] = []
        while True:
            try:
                event = self._inner.next_event()
            except ProtocolError as error:
                self._put_data(decoder, parts)
                place = decoder.buffer.message_offset
                seen = f"{error.seen}, once inflated"
                if isinstance(error, LimitExceeded):
                    self._error = LimitExceeded(place, seen, error.expected)
                else:
                    self._error = ProtocolError(place, seen, error.expected)
                return
            if event is None:
                self._put_data(decoder, parts)
                return
            if isinstance(event, ThriftMessage):
                message = self._wrapped(decoder, event)
                self._head = message if event.more else None
                self._ready.append(message)
            elif isinstance(event, Data):
                parts.append(event.raw)
                if not event.more:
                    self._ready.append(self._data(decoder, b"".join(parts), False))
                    parts.clear()
                    self._head = None

    def _put_data(self, decoder: Decoder, parts: list[bytes]) -> None:
        """What there is of the message that streams, and goes on."""
        if self._head is not None and (parts or decoder.buffer.message_size() > 0):
            self._ready.append(self._data(decoder, b"".join(parts), True))

    def _wrapped(self, decoder: Decoder, event: ThriftMessage) -> ThriftMessage:
        buffer = decoder.buffer
        offset: i64 = buffer.message_offset
        size = buffer.message_size()
        octets = buffer.message()
        start = buffer.message_start()
        buffer.finish()
        let_go(event)  # what it inflated with is of no table
        return event.wrapped(ZLIB, offset, octets, start, start + size)

    def _data(self, decoder: Decoder, plain: bytes, more: bool) -> Data:
        """Further octets of the message that streams; `plain` is what they inflate to."""
        head = self._head
        assert head is not None
        offset = decoder.buffer.message_offset
        octets = decoder.buffer.take()
        size = len(octets)
        return Data(head, offset, octets + plain, more, 0, size, size, size + len(plain))
