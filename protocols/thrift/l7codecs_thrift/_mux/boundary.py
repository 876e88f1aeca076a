"""Where decoding of Mux can go on after lost octets: at a dispatch whose message of Thrift ends where its frame does.

Not handled: frames of more than `NEAR` octets, and other frames than dispatches that were done: what follows them is found.
"""

from __future__ import annotations

from typing import Final

from librt.strings import read_i32_be
from mypy_extensions import i64

from l7codecs import Limits, ProtocolError

from .._meaning.table import CODECS
from .._meaning.words import COMPACT
from .._transport.boundary import Place
from .._transport.frames import encoding_at
from .frames import HEADER, TYPE, parse_dispatch

__all__ = ["NEAR", "find_dispatch"]

NEAR: Final[i64] = 16384
_MARKS: Final = (b"\x02\x00", b"\xfe\x00")
"""The type, and the highest octet of a tag."""
_NAME: Final[i64] = 255
_BEHIND: Final[i64] = 5
"""A frame may begin so many octets before the end without its mark."""


def find_dispatch(octets: bytes, limits: Limits) -> Place:
    """The first place where a dispatch plausibly begins."""
    end: i64 = len(octets)
    nexts = [octets.find(mark, int(TYPE)) for mark in _MARKS]
    while True:
        found = [place for place in nexts if place >= 0]
        if not found:
            return Place(-1 - max(0, end - _BEHIND))
        place = min(found)
        at: i64 = i64(place) - TYPE
        size = i64(read_i32_be(octets, at))
        if 8 <= size <= NEAR:
            if end - at < size + 4:
                return Place(-1 - at, size + 4)
            if _is_dispatch(octets, at, at + 4 + size, limits):
                return Place(at)
        index = nexts.index(place)
        nexts[index] = octets.find(_MARKS[index], place + 1)


def _is_dispatch(octets: bytes, at: i64, stop: i64, limits: Limits) -> bool:
    try:
        parts = parse_dispatch(octets, at + HEADER, stop, octets[at + TYPE] == 0xFE)
        encoding = encoding_at(octets, parts.body, stop)
        if parts.status != 0 or encoding > COMPACT:
            return False
        codec = CODECS[encoding]
        head = codec.head(octets, parts.body, stop, _NAME)
        if head is None or not head.name.isprintable():
            return False
        skipper = codec.skipper(head, limits.nesting, limits.elements, limits.payload)
        return skipper.feed(octets, head.body, stop) == stop and skipper.done
    except ProtocolError:
        return False
