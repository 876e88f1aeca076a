"""Finding a frame in the midst of a connection: nothing marks one, so two in a row have to make sense, as far as their octets are there."""

from __future__ import annotations

from .frames import FIXED_SIZES, FLAG_MASKS, HEADER_SIZE, TYPE_NAMES

__all__ = ["agree", "find_frame", "plausible_header"]

_SIZE_LIMIT = 16384
"""Octets of a payload, unless a setting that was not seen allows more."""
_FAR_STREAM = 1 << 24
"""Streams from here on are those of long-lived connections only, so two frames have to agree on them."""
_NEAR = 1 << 16
"""How far apart the numbers of streams may be that are open at the same time."""
_LEAST_SIZES = {1: 1, 4: 0, 5: 5, 7: 8, 9: 1, 16: 4}


def plausible_header(octets: bytes, at: int, client: bool) -> int:
    """Octets of the frame whose header seems to stand at `at`, sent by the client or the server; 0 if none can."""
    length = int.from_bytes(octets[at : at + 3], "big")
    kind, flags = octets[at + 3], octets[at + 4]
    stream = int.from_bytes(octets[at + 5 : at + 9], "big")
    if kind not in TYPE_NAMES or length > _SIZE_LIMIT or stream >> 31 or flags & ~FLAG_MASKS.get(kind, 0):
        return 0
    if kind in FIXED_SIZES and length != FIXED_SIZES[kind]:
        return 0
    if kind == 4 and (length % 6 or (flags and length)):
        return 0
    on_connection = kind in (4, 6, 7, 16)
    if kind != 8 and (stream == 0) is not on_connection:
        return 0
    least = _LEAST_SIZES.get(kind, 0) + (flags & 0x08 > 0) + (5 if kind == 1 and flags & 0x20 else 0)
    if length < least or not _plausible_sender(kind, stream, client):
        return 0
    return HEADER_SIZE + length


def _plausible_sender(kind: int, stream: int, client: bool) -> bool:
    """Whether that side sends such a frame on such a stream."""
    if client:
        return kind != 5 and (stream & 1 == 1 or kind not in (0, 1, 9))
    return kind != 16 and (kind != 5 or stream & 1 == 1)


def _plausible_payload(octets: bytes, at: int) -> bool:
    """Whether what is there of the payload of fixed size of the frame at `at` makes sense; the frame's octets are all there."""
    kind = octets[at + 3]
    first = int.from_bytes(octets[at + 9 : at + 13], "big")
    if kind == 8:
        return 0 < first < 0x80000000
    if kind == 4:
        return all(octets[each] == 0 for each in range(at + 9, at + 9 + octets[at + 2], 6))
    return kind != 3 or first < 0x100


def agree(octets: bytes, one: int, other: int) -> bool:
    """Whether the frames whose headers stand at `one` and `other` may be neighbours: a high number of a stream is not taken from one alone.

    The other concerns the connection, or a stream near it.
    """
    first = int.from_bytes(octets[one + 5 : one + 9], "big")
    second = int.from_bytes(octets[other + 5 : other + 9], "big")
    if first < _FAR_STREAM and second < _FAR_STREAM:
        return True
    return first == 0 or second == 0 or abs(first - second) < _NEAR


def find_frame(octets: bytes, client: bool) -> int:
    """The index of the first frame that another follows, as `Decoder.boundary` returns it."""
    end = len(octets)
    for at in range(end):
        if at + HEADER_SIZE > end:
            return -1 - at
        size = plausible_header(octets, at, client)
        if size:
            if at + size + HEADER_SIZE > end:
                return -1 - at
            following = plausible_header(octets, at + size, client) and agree(octets, at, at + size)
            if following and _plausible_payload(octets, at):
                return at
    return -1 - end
