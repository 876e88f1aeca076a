"""Octets of one direction -> frames.

    24 octets of preface (client)    length(24) type(8) flags(8) R(1) stream(31) payload(length)    …

RFC 9113 §3.4, §4, §6. Checks what a frame's header and padding tell by themselves; joins HEADERS or PUSH_PROMISE with its CONTINUATION
frames. Every frame but DATA is waited for as a whole; DATA is passed on as it comes, and octets lost inside it lose nothing else. What
frames mean is up to the subclass.
"""

from __future__ import annotations

from typing import Final, NoReturn

from librt.strings import read_i64_be
from mypy_extensions import i64

from l7codecs import Decoder, LimitExceeded, Limits, ProtocolError, Sender
from l7codecs.message import Event, Flow, Gap, Opaque
from l7codecs.pairing.tables import NO_PAIRING

from .._frames.boundary import find_frame, find_preface
from .._frames.frames import (
    CONTINUATION,
    DATA,
    END_HEADERS,
    FIXED_SIZES,
    GOAWAY,
    HEADER_SIZE,
    HEADERS,
    PADDED,
    PING,
    PREFACE,
    PRIORITY,
    PRIORITY_FLAG,
    PUSH_PROMISE,
    RST_STREAM,
    SETTINGS,
    TYPE_NAMES,
)
from .._hpack.decoder import HeaderBlock
from .connection import Connection
from .upgrade import begins_upgrade

__all__ = ["FrameReader"]

_UNSURE: Final[i64] = 8
_UNSURE_SIZE: Final[i64] = 1 << 16
"""Frames that have to make sense before a place that was found after lost octets is certain, and octets: those of a few frames of the usual
size, since inside of one body there can be many frames of another connection."""
_MAX_CONTINUATIONS: Final = 256
"""CONTINUATION frames of one block: 64 KiB of block in frames of 256 octets."""

_UPGRADE_SIZE: Final[i64] = 8192
"""Octets behind a gap among which the head of a request that upgrades is looked for."""


class FrameReader(Decoder):
    """The frames of one direction.

    ``type``, ``flags``, ``stream`` and ``length`` are those of the frame in progress.
    """

    def __init__(self, flow: Flow, sender: Sender, limits: Limits, connection: Connection) -> None:
        super().__init__(flow, sender, limits, NO_PAIRING, NO_PAIRING)
        self.connection = connection
        self.side = connection.side(sender)
        self.peer = connection.peer(sender)
        self.opening = True
        """What comes before the frames is still to come: the client's preface, or HTTP/1.1 that upgrades."""
        self.type: i64 = 0
        self.flags: i64 = 0
        self.stream: i64 = 0
        self.length: i64 = 0
        self.padding: i64 = 0
        """Octets of padding behind the payload of DATA; -1 until that is known."""
        self.left: i64 = -1
        """Octets of the frame in progress that have not been passed, header included; -1 between frames."""
        self.streaming = False
        """The beginning of the payload of DATA has been handed out, and its end has not."""
        self._first = True
        self._cut_block = False
        """Octets were lost, and what comes may be the rest of a header block whose beginning was among them."""
        self._doubtful = False
        """The place that was found after lost octets is not certain: where the octets stop making sense another is looked for."""
        self._doubtful_before = False
        """The same, before the latest gap."""
        self._frames: i64 = 0
        """Frames since that place."""
        self._found_at: i64 = -1
        self._gap: Gap | None = None
        self._known: i64 = -1
        """Octets to come of the frame in which octets were lost; -1 where its end is not known."""
        self._at: i64 = 0
        """Where in the message in progress the current frame starts."""
        self.head_limit: i64 = limits.head
        self.message_limit: i64 = limits.message
        # The header block in progress.
        self.block_type: i64 = -1
        """HEADERS or PUSH_PROMISE; -1 outside of a block."""
        self.block_flags: i64 = 0
        self.block_stream: i64 = 0
        self._first_start: i64 = 0
        self._first_stop: i64 = 0
        """Where in the message in progress the first part of the block lies; nearly always it is the only one."""
        self._fragments: list[tuple[i64, i64]] = []
        """Where the parts in CONTINUATION frames lie: start and stop."""
        self._block_size: i64 = 0

    # What frames mean, for the subclass.

    def start(self) -> Event | None:
        """What comes before the frames; clears `opening` when that is over."""
        raise NotImplementedError

    def data(self) -> Event | None:
        """DATA, whose header and padding's length are in the window: it may all be there, or only its beginning."""
        raise NotImplementedError

    def more_data(self) -> Event | None:
        """The next part of the payload of DATA, where `streaming`."""
        raise NotImplementedError

    def lose_data(self, size: i64) -> None:
        """`size` of the octets of DATA that are still to come are lost; the frame's end is not among them."""
        raise NotImplementedError

    def frame(self) -> Event:
        """A frame of another type, which ends at ``buffer.pos``."""
        raise NotImplementedError

    def header_block(self) -> Event:
        """The header block that ends at ``buffer.pos``; `decode_block` decodes it."""
        raise NotImplementedError

    # The interface of decoders.

    def unfinished(self) -> bool:
        return self.left >= 0 or self.block_type >= 0 or self.buffer.unfinished > 0

    def failed(self) -> None:
        self.connection.joined = True
        if self.connection.endpoint is not None:
            self.connection.endpoint.on_failed()

    def restart(self) -> None:
        super().restart()
        self.left = -1
        self.streaming = False
        self.block_type = -1
        self._fragments = []
        self.opening = False
        self._first = False
        self._cut_block = True
        self._doubt()

    def _doubt(self) -> None:
        self._doubtful = True
        self.side.doubtful = True
        self._frames = 0
        self._found_at = -1

    def gap(self, size: int) -> None:
        if self.streaming and 0 < size <= self.left and self.buffer.unfinished == 0:
            self.lose_data(size)
            self.left -= size
            self.go_on_behind(size)
            return
        inside = self.left - self.buffer.available if self.left >= 0 else -1
        self._doubtful_before = self._doubtful
        super().gap(size)
        self._known = inside - size if 0 < size <= inside else -1
        self._gap = self.lost
        self.connection.lose(self.sender, False)

    def boundary(self, octets: bytes) -> int:
        if self._known >= 0:
            have: i64 = len(octets)
            if have < self._known:
                self._known -= have
                return int(-1 - have)
            at = self._known
            self._known = -1
            self._doubtful = self._doubtful_before
            self.side.doubtful = self._doubtful
            return int(at)
        client = self.sender is Sender.CLIENT
        if self.passed == 0 and not (client and self.connection.upgraded):
            begins = begins_upgrade(octets, client, min(self.limits.head, _UPGRADE_SIZE))
            if begins is None:
                return -1
            if begins:
                self.opening = True
                return 0
        most = self.limits.message + self.limits.head
        if not client:
            found, self.wanted = find_frame(octets, False, most=most)
            return found
        preface = find_preface(octets)
        found, self.wanted = find_frame(octets, True, preface, most)
        if found >= 0 or -1 - found < preface or preface == len(octets):
            return found
        if octets.startswith(PREFACE, preface):
            self.wanted = 0
            self.opening = True
            return preface
        self.wanted = len(PREFACE)
        return -1 - preface

    def next_event(self) -> Event | None:
        if not self._doubtful:
            return self._next_event()
        if self._found_at < 0:
            self._found_at = self.buffer.offset
        try:
            event = self._next_event()
        except ProtocolError:
            return self._search_again()
        # Frames count, not events: how many events DATA is depends on the reads.
        if event is not None and self.left < 0 and not self.opening:
            self._frames += 1
            if self._frames >= _UNSURE and self.buffer.offset - self._found_at >= _UNSURE_SIZE:
                self._doubtful = False
                self.side.doubtful = False
        return event

    def _search_again(self) -> Event:
        """What was taken for a frame is none: pass it over, and look for another one."""
        buffer = self.buffer
        offset = buffer.message_offset
        if buffer.message_size() == 0:
            buffer.pass_over(1)
        self.passed += buffer.message_size()
        passed = Opaque(self.sender, offset, buffer.take())
        self.restart()
        self.connection.lose(self.sender, True)
        gap = self._gap
        if gap is not None:
            gap.resumed_at = None
        self.lost = gap
        self.special = True
        return passed

    def _next_event(self) -> Event | None:
        buffer = self.buffer
        if self.opening:
            return self.start()
        while True:
            if self.left < 0:
                if buffer.end - buffer.pos < HEADER_SIZE and not buffer.need(HEADER_SIZE):
                    return None
                self._read_header()
            if self.streaming:
                return self.more_data()
            if self.type == DATA:
                if self.padding < 0 and not self._read_padding():
                    return None
                return self.data()
            if not buffer.need(self.left):
                return None
            buffer.pos += self.left
            self.left = -1
            if self.type == HEADERS or self.type == CONTINUATION or self.type == PUSH_PROMISE:
                if self._cut_block:
                    self._cut_block = self.flags & END_HEADERS == 0
                    return self.frame()
                self._collect()
                if self.flags & END_HEADERS == 0:
                    continue
                return self.header_block()
            return self.frame()

    # Headers of frames.

    def _read_header(self) -> None:
        """The nine octets of a frame's header; checks what can be told from them alone."""
        buffer = self.buffer
        data = buffer.data
        at = buffer.pos
        word: i64 = read_i64_be(data, at)  # all but the last octet of the stream's number
        last: i64 = data[at + 8]
        length = (word >> 40) & 0xFFFFFF
        kind = (word >> 32) & 0xFF
        self.length = length
        self.type = kind
        self.flags = (word >> 24) & 0xFF
        self.stream = ((word & 0x7FFFFF) << 8) | last
        self._at = buffer.message_size()
        self.peer.resets = 0  # it is being heard: calls that time out, one by one, are no rapid reset
        if self._first:
            self._first = False
            self.side.heard = True
            self.connection.widen(self.sender)
            if kind != SETTINGS and not self.connection.joined:
                self.error_here(f"{self.name()} first", "SETTINGS", "RFC 9113 §3.4 PROTOCOL_ERROR")
        if length > self.peer.frame_size and self.connection.endpoint is not None and not self.connection.joined:
            # An observer may not have seen yet what the peer allows.
            self.error_here(
                f"a frame of {length} octets", f"at most {self.peer.frame_size}", "RFC 9113 §4.2 FRAME_SIZE_ERROR"
            )
        if self.block_type >= 0 and (kind != CONTINUATION or self.stream != self.block_stream):
            self.error_here(
                f"{self.name()} inside a header block", "CONTINUATION of its stream", "RFC 9113 §6.10 PROTOCOL_ERROR"
            )
        if kind == DATA:
            self._cut_block = False
            if self.stream == 0:
                self.error_here("DATA on stream 0", "a stream", "RFC 9113 §6 PROTOCOL_ERROR")
            self.padding = 0
            if self.flags & PADDED != 0:
                if length < 1:
                    self.error_here("padded DATA of 0 octets", "its padding's length", "RFC 9113 §6.1 FRAME_SIZE_ERROR")
                self.padding = -1
        else:
            self._check_header(kind, length)
        self.left = HEADER_SIZE + length

    def _check_header(self, kind: i64, length: i64) -> None:
        """The header of a frame that is not DATA."""
        if kind > PRIORITY and kind in FIXED_SIZES and length != FIXED_SIZES[kind]:
            self.error_here(f"{self.name()} of {length} octets", f"{FIXED_SIZES[kind]}", "RFC 9113 §6 FRAME_SIZE_ERROR")
        if kind == HEADERS or kind == CONTINUATION or kind == PUSH_PROMISE:
            if (self._block_size + length > self.head_limit and self.block_type >= 0) or length > self.head_limit:
                raise LimitExceeded(
                    self.buffer.offset,
                    f"a header block of more than {self.head_limit} octets",
                    f"at most limits.head = {self.limits.head}",
                    "RFC 9113 §10.5.1 ENHANCE_YOUR_CALM",
                )
        elif length > self.message_limit:
            raise LimitExceeded(
                self.buffer.offset,
                f"a frame of {length} octets",
                f"at most limits.message = {self.limits.message}",
                "RFC 9113 §4.2",
            )
        if self.stream == 0:
            if kind <= RST_STREAM or kind == PUSH_PROMISE or kind == CONTINUATION:
                self.error_here(f"{self.name()} on stream 0", "a stream", "RFC 9113 §6 PROTOCOL_ERROR")
        elif kind == SETTINGS or kind == PING or kind == GOAWAY:
            self.error_here(f"{self.name()} on stream {self.stream}", "stream 0", "RFC 9113 §6 PROTOCOL_ERROR")
        elif kind == PUSH_PROMISE and self.stream & 1 == 0:  # certain, also on a connection that was joined
            self.error_here(
                f"PUSH_PROMISE on stream {self.stream}", "one that the client opened", "RFC 9113 §6.6 PROTOCOL_ERROR"
            )
        if kind != CONTINUATION:
            self._cut_block = False
        elif self.block_type < 0 and not self._cut_block:
            self.error_here("CONTINUATION outside of a header block", "another frame", "RFC 9113 §6.10 PROTOCOL_ERROR")

    def _read_padding(self) -> bool:
        """The length of the padding of DATA; False while that octet has not come."""
        buffer = self.buffer
        if not buffer.need(HEADER_SIZE + 1):
            return False
        self.padding = buffer.data[buffer.pos + HEADER_SIZE]
        if self.padding >= self.length:
            self.error_here(
                f"{self.padding} octets of padding", "less than the payload", "RFC 9113 §6.1 PROTOCOL_ERROR"
            )
        return True

    def name(self) -> str:
        """The type of the frame in progress."""
        return TYPE_NAMES.get(int(self.type), f"type 0x{self.type:02x}")

    def error_here(self, seen: str, expected: str, spec: str) -> NoReturn:
        """Raise `ProtocolError` for the frame in progress."""
        raise ProtocolError(self.buffer.message_offset + self._at, seen, expected, spec)

    def number(self, at: i64) -> i64:
        """Four octets of the payload of a frame that has just been passed, from its octet `at` on, as a number."""
        octets = self.buffer.data
        at += self.buffer.pos - self.length
        return (octets[at] << 24) | (octets[at + 1] << 16) | (octets[at + 2] << 8) | octets[at + 3]

    def check_dependency(self, at: i64) -> None:
        """An endpoint refuses a stream that depends on itself, at octet `at` of the payload; RFC 9113 has dropped that rule."""
        if self.connection.endpoint is not None and self.number(at) & 0x7FFFFFFF == self.stream:
            self.error_here(f"stream {self.stream} depends on itself", "another", "RFC 7540 §5.3.1 PROTOCOL_ERROR")

    # Header blocks.

    def _collect(self) -> None:
        """Note where the part of a header block lies that HEADERS, PUSH_PROMISE or CONTINUATION has brought."""
        start = self._at + HEADER_SIZE
        stop = start + self.length
        if self.type == CONTINUATION:
            if len(self._fragments) >= _MAX_CONTINUATIONS:
                raise LimitExceeded(
                    self.buffer.message_offset + self._at,
                    f"more than {_MAX_CONTINUATIONS} CONTINUATION frames",
                    "fewer in one header block",
                    "RFC 9113 §10.5.1 ENHANCE_YOUR_CALM",
                )
            self._fragments.append((start, stop))
            self._block_size += stop - start
            return
        skipped: i64 = 0
        padding: i64 = 0
        if self.flags & PADDED != 0:
            if self.length < 1:
                self.error_here(
                    f"padded {self.name()} of 0 octets", "its padding's length", "RFC 9113 §6.2 FRAME_SIZE_ERROR"
                )
            padding = self.buffer.data[self.buffer.pos - self.length]
            skipped = 1
        if self.type == HEADERS and self.flags & PRIORITY_FLAG != 0:
            skipped += 5
        elif self.type == PUSH_PROMISE:
            skipped += 4
        if skipped > self.length:
            self.error_here(
                f"{self.name()} of {self.length} octets", f"at least {skipped}", "RFC 9113 §4.2 FRAME_SIZE_ERROR"
            )
        if self.type == HEADERS and self.flags & PRIORITY_FLAG != 0:
            self.check_dependency(skipped - 5)
        if skipped + padding > self.length:
            self.error_here(f"{padding} octets of padding", "less than the payload", "RFC 9113 §6.2 PROTOCOL_ERROR")
        self.block_type = self.type
        self.block_flags = self.flags
        self.block_stream = self.stream
        self._first_start = start + skipped
        self._first_stop = stop - padding
        self._block_size = self._first_stop - self._first_start
        if self._fragments:
            self._fragments = []

    def decode_block(self, octets: bytes, begin: i64) -> HeaderBlock:
        """The fields of the header block that is whole; ``octets[begin]`` is the first of its message."""
        fragments = self._fragments
        try:
            if not fragments:
                return self.side.hpack.decode(octets, begin + self._first_start, begin + self._first_stop)
            first = octets[begin + self._first_start : begin + self._first_stop]
            joined = first + b"".join([octets[begin + start : begin + stop] for start, stop in fragments])
            return self.side.hpack.decode(joined, 0, len(joined))
        except ProtocolError as error:
            raise ProtocolError(
                self._place(error.offset), error.seen, error.expected, error.spec + " COMPRESSION_ERROR"
            ) from None

    def promised(self, octets: bytes, begin: i64) -> i64:
        """The stream that PUSH_PROMISE announces."""
        at = begin + self._first_start - 4
        return ((octets[at] & 0x7F) << 24) | (octets[at + 1] << 16) | (octets[at + 2] << 8) | octets[at + 3]

    def _place(self, at: i64) -> int:
        """Where in the direction octet `at` of the joined block stands."""
        offset: i64 = self.buffer.message_offset
        end = self._first_stop
        if at < end - self._first_start:
            return offset + self._first_start + at
        at -= end - self._first_start
        for start, stop in self._fragments:
            if at < stop - start:
                return offset + start + at
            at -= stop - start
            end = stop
        return offset + end
