"""Finding a frame in the midst of a connection: nothing marks one, so two headers in a row have to make sense."""

from __future__ import annotations

from ._frames import FIXED_SIZES, FLAG_MASKS, HEADER_SIZE, TYPE_NAMES

__all__ = ["find_frame", "plausible_header"]

_SIZE_LIMIT = 16384
"""Octets of a payload, unless a setting that was not seen allows more."""


def plausible_header(octets: bytes, at: int) -> int:
    """Octets of the frame whose header seems to stand at `at`; 0 if none can."""
    length = int.from_bytes(octets[at : at + 3], "big")
    kind, flags = octets[at + 3], octets[at + 4]
    stream = int.from_bytes(octets[at + 5 : at + 9], "big")
    if kind not in TYPE_NAMES or length > _SIZE_LIMIT or stream & 0x80000000 or flags & ~FLAG_MASKS.get(kind, 0):
        return 0
    if kind in FIXED_SIZES and length != FIXED_SIZES[kind]:
        return 0
    if kind == 4 and (length % 6 or (flags and length)):
        return 0
    on_connection = kind in (4, 6, 7, 16)
    if kind != 8 and (stream == 0) is not on_connection:
        return 0
    if kind in (1, 5, 9) and length == 0:
        return 0
    return HEADER_SIZE + length


def find_frame(octets: bytes) -> int:
    """The index of the first frame that another follows, as `Decoder.boundary` returns it."""
    end = len(octets)
    for at in range(end):
        if at + HEADER_SIZE > end:
            return -1 - at
        size = plausible_header(octets, at)
        if size:
            if at + size + HEADER_SIZE > end:
                return -1 - at
            if plausible_header(octets, at + size):
                return at
    return -1 - end
