"""Octets to messages: the same decoder for both sides, since both ask and both answer.

What begins with the magic number is a frame, and its header says how long; anything else is text of the telnet console that
shares the port, up to the next magic number. That is how Dubbo's own codec tells them apart.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final, final

from librt.strings import read_i32_be, read_i64_be
from mypy_extensions import i64

from l7codecs import FramedDecoder, Kind, Limits, Message, Sender
from l7codecs.message import Event, Flow, Gap, Opaque
from l7codecs.pairing.tables import PairingTable

from .boundary import find_frame, is_plausible, most_behind_loss
from .events import READ_ONLY, DubboEvent
from .header import (
    EVENT,
    FLAGS,
    HEADER,
    MAGIC,
    MAGIC_HIGH,
    MAGIC_LOW,
    REQUEST,
    REQUEST_ID,
    SIZE,
    STATUS,
    TWO_WAY,
)
from .requests import new_request
from .responses import DubboResponse

__all__ = ["DubboDecoder"]

_REQUEST: Final = Kind.REQUEST
_ONEWAY: Final = Kind.ONEWAY
_RESPONSE: Final = Kind.RESPONSE
_HEARTBEAT: Final = Kind.HEARTBEAT
_CONTROL: Final = Kind.CONTROL
_GOAWAY: Final = Kind.GOAWAY
_AGREE: Final[i64] = 3
"""So many frames in a row are certainly ones, behind lost octets: the one that was found, and two more."""
_SPEC: Final = "Dubbo protocol, header"


def _with_headers(limits: Limits) -> Limits:
    """`limits` with heads that hold a header at least."""
    return limits if limits.head >= HEADER else replace(limits, head=int(HEADER))


@final
class DubboDecoder(FramedDecoder):
    """What one side says."""

    header_size = 16

    def __init__(self, flow: Flow, sender: Sender, limits: Limits, asks: PairingTable, answers: PairingTable) -> None:
        super().__init__(flow, sender, _with_headers(limits), asks, answers)
        self._largest: i64 = limits.payload
        self._buffered: i64 = limits.message
        self._doubted: Gap | None = None
        """The loss behind which it is not certain yet where messages begin."""
        self._agreed: i64 = 0
        """Frames behind it that have followed directly on one another."""

    def next_event(self) -> Event | None:
        if self._left >= 0 or self.head is not None:
            return super().next_event()  # a message that has begun
        buffer = self.buffer
        if not buffer.need(HEADER):
            return self._few()
        data = buffer.data
        at: i64 = buffer.pos
        if data[at] != MAGIC_HIGH or data[at + 1] != MAGIC_LOW:
            return self._text()
        size = i64(read_i32_be(data, at + SIZE))
        if self._doubted is not None and not self._agrees(data, at, size):
            return self._look_again()
        if size < 0 or size + HEADER > self._largest:
            self._refuse(size)
        size += HEADER
        self._size = size
        if size > self._buffered:
            self._left = size
            return self._announce()
        left = buffer.pass_over(size)
        if left > 0:
            self._left = left
            return None
        offset: i64 = buffer.message_offset
        octets = buffer.message()
        start = buffer.message_start()
        message = self._message(octets, start, start + size, offset, False)
        buffer.finish()
        self.pair(message)
        return message

    def _refuse(self, size: i64) -> None:
        """Raise for a body of `size` octets."""
        at = int(SIZE)
        if size < 0:
            self.fail(at, f"a body of {size} octets", "a size that is not negative", _SPEC)
        seen = f"a frame of {size + HEADER} octets"
        self.exceed(at, seen, f"at most limits.payload = {self.limits.payload}", _SPEC)

    def _few(self) -> Event | None:
        """There are fewer octets than a header has: text among them is told at once."""
        buffer = self.buffer
        if not buffer.need(1):
            return None
        if buffer.data[buffer.pos] == MAGIC_HIGH:
            if not buffer.need(2) or buffer.data[buffer.pos + 1] == MAGIC_LOW:
                return None
        return self._text()

    def _agrees(self, data: bytes, at: i64, size: i64) -> bool:
        """Whether what stands behind a frame, found behind lost octets, is another."""
        if not is_plausible(data, at) or size > most_behind_loss(self.limits):
            return False
        self._agreed += 1
        if self._agreed >= _AGREE:
            self._doubted = None
        return True

    def _look_again(self) -> Event:
        """What was found behind lost octets was no frame, or is followed by none: the search goes on."""
        doubted = self._doubted
        assert doubted is not None
        doubted.resumed_at = None
        self._agreed = 0
        self.lost = doubted
        self.special = True
        buffer = self.buffer
        buffer.pass_over(1)
        offset = buffer.message_offset
        return Opaque(self.sender, offset, buffer.take())

    def _text(self) -> Event:
        """What is no frame, up to where one begins, or as far as there is certainly none."""
        if self._doubted is not None:
            return self._look_again()
        buffer = self.buffer
        data = buffer.data
        at: i64 = buffer.pos
        end: i64 = buffer.end
        stop = i64(data.find(MAGIC, at, end))
        if stop < 0:
            stop = end
            if data[end - 1] == MAGIC_HIGH and end - at > 1:
                stop -= 1  # the next octet says whether a frame begins
        buffer.pass_over(stop - at)
        offset = buffer.message_offset
        return Opaque(self.sender, offset, buffer.take())

    def frame_size(self, data: bytes, at: int) -> int:
        return int(HEADER) + int(read_i32_be(data, at + int(SIZE)))

    def message(self, octets: bytes, start: int, stop: int, offset: int, more: bool) -> Message:
        return self._message(octets, start, stop, offset, more)

    def _message(self, octets: bytes, start: i64, stop: i64, offset: i64, more: bool) -> Message:
        flags: i64 = octets[start + FLAGS]
        status: i64 = octets[start + STATUS]
        number = i64(read_i64_be(octets, start + REQUEST_ID))
        if flags & EVENT != 0:
            return self._event(octets, start, stop, offset, more, flags, status, number)
        if flags & REQUEST != 0:
            kind = _REQUEST if flags & TWO_WAY != 0 else _ONEWAY
            return new_request(
                self.flow, self.sender, kind, offset, octets, start, stop, more, flags, status, number, self.limits
            )
        return DubboResponse(
            self.flow, self.sender, _RESPONSE, offset, octets, start, stop, more, flags, status, number, self.limits
        )

    def _event(
        self, octets: bytes, start: i64, stop: i64, offset: i64, more: bool, flags: i64, status: i64, number: i64
    ) -> Message:
        kind = _RESPONSE
        if flags & REQUEST != 0:
            kind = _HEARTBEAT if flags & TWO_WAY != 0 else _CONTROL
        event = DubboEvent(
            self.flow, self.sender, kind, offset, octets, start, stop, more, flags, status, number, self.limits
        )
        if kind is not _RESPONSE and stop - start > HEADER and event.data() == READ_ONLY:
            event.kind = _GOAWAY
        return event

    # Lost octets.

    def gap(self, size: int) -> None:
        if self._is_inside(size):
            self._pass_lost(size)
        else:
            super().gap(size)
            self._doubted = self.lost
            self._agreed = 0

    def _is_inside(self, size: i64) -> bool:
        """Whether the next `size` octets lie in one frame, of which there is enough to know what it is."""
        if size <= 0 or self._left < size or self.error is not None or self.lost is not None:
            return False
        return self.head is not None or self.buffer.message_size() >= HEADER

    def _pass_lost(self, size: i64) -> None:
        """Go on behind `size` lost octets of a frame: what has come of it is its head."""
        if self.head is None:
            self._head_left = 0
            head = self._complete(True)
            self.set_aside(head)
            self.head = head
        self._left -= size
        self.go_on_behind(int(size))

    def boundary(self, octets: bytes) -> int:
        found = find_frame(octets, self.limits, self.ended)
        self.wanted = found.wanted
        return found.at
