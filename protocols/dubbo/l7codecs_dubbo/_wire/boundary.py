"""Where decoding can go on after lost octets.

The magic number stands in bodies, too, so a place is believed only where a header is plausible and

    - its body, up to `NEAR` octets, is read to its very end by its serialization, or
    - another plausible header stands behind its body, or
    - of a larger body the first `LOOK` octets can be the beginning of one.
"""

from __future__ import annotations

from typing import Final, final

from librt.strings import read_i32_be
from mypy_extensions import i64

from l7codecs import Limits

from .._body.table import BODIES
from .header import FLAGS, HEADER, MAGIC, MAGIC_HIGH, REQUEST, SERIALIZATION, SIZE, STATUS, TWO_WAY
from .statuses import NAMES as STATUSES

__all__ = ["LOOK", "NEAR", "NO", "YES", "Place", "find_frame", "is_plausible", "most_behind_loss"]

NEAR: Final[i64] = 1 << 11
LOOK: Final[i64] = 1 << 10
YES: Final[i64] = -1
NO: Final[i64] = 0
"""What `weigh` says; any other number: it needs so many octets."""
_DOUBTFUL: Final[i64] = 1 << 28
"""No larger body is believed behind lost octets."""


@final
class Place:
    """Where a message starts, as `Decoder.boundary` returns it, and how many octets it takes to tell."""

    def __init__(self, at: i64, wanted: i64 = 0) -> None:
        self.at: i64 = at
        self.wanted: i64 = wanted


def find_frame(octets: bytes, limits: Limits, ended: bool) -> Place:
    """The first place where a frame plausibly begins; `ended`: nothing follows `octets`."""
    end: i64 = len(octets)
    at: i64 = 0
    while True:
        at = i64(octets.find(MAGIC, at))
        if at < 0:
            rest: i64 = end - 1 if end > 0 and octets[end - 1] == MAGIC_HIGH else end
            return Place(-1 - rest)
        verdict = _weigh(octets, at, end, limits, ended)
        if verdict == YES:
            return Place(at)
        if verdict != NO:
            return Place(-1 - at, verdict)
        at += 1


def _weigh(octets: bytes, at: i64, end: i64, limits: Limits, ended: bool) -> i64:
    if end - at < HEADER:
        return HEADER
    if not is_plausible(octets, at):
        return NO
    size = i64(read_i32_be(octets, at + SIZE))
    if size > most_behind_loss(limits):
        return NO
    body = BODIES[octets[at + FLAGS] & SERIALIZATION]
    start = at + HEADER
    if size > NEAR:
        if end - start < LOOK:
            return HEADER + LOOK
        return YES if not body.reads or body.plausible(octets, start, start + LOOK, True, limits) else NO
    stop = start + size
    if end < stop:
        return HEADER + size
    if size > 0 and body.plausible(octets, start, stop, False, limits):
        return YES
    if end - stop >= HEADER:
        return YES if octets[stop : stop + 2] == MAGIC and is_plausible(octets, stop) else NO
    if ended:
        return YES if end == stop else NO
    return 2 * HEADER + size


def most_behind_loss(limits: Limits) -> i64:
    """The most octets of a body that are believed while it is not certain where messages begin."""
    largest: i64 = limits.payload
    return min(largest - HEADER, _DOUBTFUL)


def is_plausible(octets: bytes, at: i64) -> bool:
    """Whether the 16 octets at `at`, which begin with the magic number, can be a header.

    Any serialization id but 0 can be: beside those that have names there are the ones that applications add.
    """
    flags: i64 = octets[at + FLAGS]
    status: i64 = octets[at + STATUS]
    if flags & SERIALIZATION == 0 or octets[at + SIZE] >= 0x80:
        return False
    if flags & REQUEST != 0:
        return status == 0
    return flags & TWO_WAY == 0 and int(status) in STATUSES
