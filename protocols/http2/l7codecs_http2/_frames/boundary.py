"""Finding a frame in the midst of a connection: nothing marks one, so two in a row have to make sense, as far as their octets are there.

What is found where follows from the octets alone, however many of them are at hand: a place that needs more of them is waited for.
"""

from __future__ import annotations

import re
from typing import Final

from .frames import FIXED_SIZES, FLAG_MASKS, HEADER_SIZE, PREFACE, TYPE_NAMES

__all__ = ["agree", "find_frame", "find_preface", "plausible_header"]

_SIZE_LIMIT = 16384
"""Octets of a payload, unless a setting that was not seen allows more."""
_FAR_STREAM = 1 << 24
"""Streams from here on are those of long-lived connections only, so frames have to agree on them."""
_NEAR = 1 << 16
"""How far apart the numbers of streams may be that are open at the same time."""
_LEAST_SIZES = {1: 1, 4: 0, 5: 5, 7: 8, 9: 1, 16: 4}
_PREFACE_SIZE = 24
_SETTINGS_SIZE = 252
"""Octets of SETTINGS that are looked at."""
_CANDIDATE: Final = re.compile(
    rb"\x00[\x00-\x40][\x00-\xff](?:\x00[\x00\x01\x08\x09]|\x01[\x00-\x2d]|[\x02\x03\x07\x08\x10]\x00|[\x04\x06][\x00\x01]"
    rb"|\x05[\x00\x04\x08\x0c]|\x09[\x00\x04])[\x00-\x7f]"
)
"""What the headers begin with that `plausible_header` may take for one: all the rest is passed at the speed of a search for octets."""


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


def _telling(octets: bytes, at: int, size: int) -> int:
    """How many octets of the frame of `size` octets at `at` `_plausible_payload` looks at; its header is there."""
    kind, flags = octets[at + 3], octets[at + 4]
    if kind == 4:
        return min(size, HEADER_SIZE + _SETTINGS_SIZE)
    if kind == 8 or kind == 3:
        return HEADER_SIZE + 4
    return HEADER_SIZE + (1 if flags & 0x08 and kind in (0, 1, 5) else 0)


def _plausible_payload(octets: bytes, at: int, size: int) -> bool:
    """Whether the payload of the frame of `size` octets at `at` makes sense, of which as many as are `_telling` are there."""
    kind, flags = octets[at + 3], octets[at + 4]
    start = at + HEADER_SIZE
    if kind == 4:
        return all(octets[each] == 0 for each in range(start, min(at + size, start + _SETTINGS_SIZE), 6))
    if kind == 8:
        return 0 < int.from_bytes(octets[start : start + 4], "big") < 0x80000000
    if kind == 3:
        return int.from_bytes(octets[start : start + 4], "big") < 0x100
    if flags & 0x08 and kind in (0, 1, 5):
        return octets[start] < size - HEADER_SIZE
    return True


def _stream(octets: bytes, at: int) -> int:
    return int.from_bytes(octets[at + 5 : at + 9], "big")


def agree(octets: bytes, one: int, other: int) -> bool:
    """Whether the frames whose headers stand at `one` and `other` may be neighbours: a high number of a stream is not taken from one alone.

    The other concerns the connection, or a stream near it.
    """
    first, second = _stream(octets, one), _stream(octets, other)
    if first < _FAR_STREAM and second < _FAR_STREAM:
        return True
    return first == 0 or second == 0 or abs(first - second) < _NEAR


def find_preface(octets: bytes) -> int:
    """The index of the client's preface in `octets`, or of what may be its beginning at their end; their number where there is none."""
    at = octets.find(PREFACE)
    if at >= 0:
        return at
    end = len(octets)
    for at in range(max(end - _PREFACE_SIZE + 1, 0), end):
        if octets[at] == 0x50 and PREFACE.startswith(octets[at:]):
            return at
    return end


def find_frame(octets: bytes, client: bool, stop: int = 1 << 62, most: int = 1 << 62) -> tuple[int, int]:
    """The index of the first frame before `stop` that another follows, as `Decoder.boundary` returns it; and how many octets that needs.

    Where one is of a high stream, a third has to agree with both: small numbers are frequent in other octets. What cannot be told from
    `most` octets is none: so many may wait.
    """
    end = len(octets)
    at = 0
    while True:
        found = _CANDIDATE.search(octets, at)
        if found is None:
            return -1 - min(max(at, end - HEADER_SIZE + 1, 0), stop), HEADER_SIZE
        at = found.start()
        if at >= stop:
            return -1 - stop, 0
        if at + HEADER_SIZE > end:
            return -1 - at, HEADER_SIZE
        needed = _follow(octets, at, client, most)
        if needed == 0:
            return at, 0
        if needed > 0:
            return -1 - at, needed
        at += 1


def _follow(octets: bytes, at: int, client: bool, most: int) -> int:
    """0 where a frame stands at `at` that others follow; -1 where none does; else how many octets from there on are needed to tell.

    Each step waits for all that it looks at, so that the answer is the same however many octets are there.
    """
    end = len(octets)
    size = plausible_header(octets, at, client)
    if not size or _says_nothing(octets, at):
        return -1
    telling = _telling(octets, at, size)
    if at + telling > end:
        return telling
    if not _plausible_payload(octets, at, size):
        return -1
    second = at + size
    if size + HEADER_SIZE > most:
        return -1
    if second + HEADER_SIZE > end:
        return size + HEADER_SIZE
    following = plausible_header(octets, second, client)
    if not following or _says_nothing(octets, second) or not agree(octets, at, second):
        return -1
    if max(_stream(octets, at), _stream(octets, second)) < _FAR_STREAM:
        return 0
    telling = _telling(octets, second, following)
    if size + following + HEADER_SIZE > most:
        return -1
    if second + telling > end:
        return size + telling
    if not _plausible_payload(octets, second, following):
        return -1
    third = second + following
    if third + HEADER_SIZE > end:
        return size + following + HEADER_SIZE
    agreed = plausible_header(octets, third, client) and agree(octets, at, third) and agree(octets, second, third)
    return 0 if agreed else -1


def _says_nothing(octets: bytes, at: int) -> bool:
    """Whether a frame is DATA without an octet and without END_STREAM: nobody sends it, and numbers that are mostly zeros look like it."""
    return octets[at : at + 5] == bytes(5)
