"""The names in heads of messages: clients call the same methods again and again, so each is read once and then known by its octets.

A name is compared in place, eight octets at a time. What is kept is one name in each of a few hundred places, for the whole process; which
place is its own a name says by its ends.
"""

from __future__ import annotations

from typing import Final, final

from librt.strings import read_i64_le
from mypy_extensions import i64, mypyc_attr

__all__ = ["NO_NAME", "Name", "find_name"]

_LONGEST: Final[i64] = 256
"""Octets of a name that is kept."""
_WORD: Final[i64] = 8
"""Octets that are compared at once."""
_PLACE: Final[i64] = 0xFF


@final
@mypyc_attr(acyclic=True)
class Name:
    """A name as it reads; what is no UTF-8 in its octets is U+FFFD."""

    def __init__(self, text: str) -> None:
        self.text = text
        service, _, method = text.rpartition(":")
        self.service: str | None = service or None
        """What stands before the last ``:``; None where there is no ``:``."""
        self.method: str | None = method or None
        """What stands behind it."""
        self.octets = b""
        """Those of a name that is kept; their first and last eight, where they are as many, else all of them in `last`."""
        self.first: i64 = 0
        self.last: i64 = 0


NO_NAME: Final = Name("")
_NAMES: Final[list[Name]] = [NO_NAME] * 256


def find_name(octets: bytes, start: i64, stop: i64) -> Name:
    """The name ``octets[start:stop]``."""
    size = stop - start
    if size == 0:
        return NO_NAME
    if size > _LONGEST or stop < _WORD:
        return Name(octets[start:stop].decode("utf-8", "replace"))
    first: i64 = 0
    last = i64(read_i64_le(octets, stop - _WORD))
    if size < _WORD:
        last >>= (_WORD - size) << 3
    else:
        first = i64(read_i64_le(octets, start))
    mixed = last ^ first ^ size
    mixed ^= mixed >> 32
    mixed ^= mixed >> 16
    place = (mixed ^ (mixed >> 8)) & _PLACE
    known = _NAMES[place]
    if known.last == last and known.first == first and len(known.octets) == size:
        if size <= 2 * _WORD or _is_same(known.octets, octets, start, size):
            return known
    known = Name(octets[start:stop].decode("utf-8", "replace"))
    known.octets = octets[start:stop]
    known.first = first
    known.last = last
    _NAMES[place] = known
    return known


def _is_same(known: bytes, octets: bytes, start: i64, size: i64) -> bool:
    """Whether ``octets[start : start + size]`` is `known`, whose ends are the same."""
    at = _WORD
    while at < size - _WORD:
        if read_i64_le(known, at) != read_i64_le(octets, start + at):
            return False
        at += _WORD
    return True
