"""What came before in the same octets: entries of maps, and definitions of classes.

A consumer sends nearly the same attachments with each call, in the same order, and the same definitions. What stood behind an entry
the last time stands there again nearly always: it is compared in place, eight octets at a time, and neither passed over nor read.
What octets say follows from them alone, so the same octets say the same.
"""

from __future__ import annotations

from typing import Final, TypeAlias, final

from librt.strings import read_i64_le
from mypy_extensions import i64, mypyc_attr

__all__ = [
    "Definition",
    "KnownEntry",
    "Pair",
    "entry_behind",
    "find_definition",
    "find_entry",
    "first_entry",
    "note_definition",
]

Pair: TypeAlias = tuple[object, ...]
"""Key and value. Of a tuple whose length its type says mypyc makes a new one wherever it is put."""

_MOST: Final = 512
"""How many entries are kept; then all are forgotten."""
LONGEST: Final[i64] = 128
"""Octets of an entry that is kept."""
_LONGEST_DEFINITION: Final[i64] = 512
_WORD: Final[i64] = 8
_PLACE: Final[i64] = 0xFF


@mypyc_attr(acyclic=True)
class Known:
    """Octets that came before."""

    def __init__(self, octets: bytes) -> None:
        self.octets = octets
        self.size: i64 = len(octets)

    def stands(self, octets: bytes, at: i64, stop: i64) -> bool:
        """Whether these octets stand at `at`, before `stop`. Of fewer than eight this is not known."""
        last = self.size - _WORD
        if last < 0 or self.size > stop - at:
            return False
        own = self.octets
        index: i64 = 0
        while index < last:
            if read_i64_le(own, index) != read_i64_le(octets, at + index):
                return False
            index += _WORD
        return read_i64_le(own, last) == read_i64_le(octets, at + last)


@final
@mypyc_attr(acyclic=True)
class KnownEntry(Known):
    """An entry of a map, a string each for key and value."""

    def __init__(self, octets: bytes, pair: Pair) -> None:
        super().__init__(octets)
        self.pair = pair
        self.place: i64 = 0
        """Where it is, among those that came last."""
        self.follows: i64 = 0
        """Where the one is that stood behind it the last time."""


_NO_ENTRY: Final = KnownEntry(b"", ())
_BEGIN: Final = KnownEntry(b"", ())
"""What stands before the first entry of every map."""
_ENTRIES: Final[dict[bytes, KnownEntry]] = {}
_LATEST: Final[list[KnownEntry]] = [_NO_ENTRY] * 256
"""Those of them that came last, each in the place that its ends say."""


def first_entry() -> KnownEntry:
    """What `entry_behind` takes for the first entry of a map."""
    return _BEGIN


def entry_behind(before: KnownEntry, octets: bytes, at: i64, stop: i64) -> KnownEntry | None:
    """The entry at `at`, if it is the one that came behind `before` the last time."""
    likely = _LATEST[before.follows]
    return likely if likely.stands(octets, at, stop) else None


def find_entry(before: KnownEntry, octets: bytes, start: i64, stop: i64) -> KnownEntry:
    """The entry ``octets[start:stop]``, which stands behind `before`; its ``pair`` is empty where it has to be read first."""
    size = stop - start
    place: i64 = 0
    if size >= _WORD:
        mixed = i64(read_i64_le(octets, start)) ^ (i64(read_i64_le(octets, stop - _WORD)) << 1) ^ size
        mixed ^= mixed >> 32
        mixed ^= mixed >> 16
        place = (mixed ^ (mixed >> 8)) & _PLACE
        found = _LATEST[place]
        if found.size == size and found.stands(octets, start, stop):
            before.follows = place
            return found
    own = octets[start:stop]
    known = _ENTRIES.get(own)
    if known is None:
        known = KnownEntry(own, ())
        known.place = place
        if len(_ENTRIES) >= _MOST:
            _ENTRIES.clear()
            _LATEST[:] = [_NO_ENTRY] * len(_LATEST)
        _ENTRIES[own] = known
    if size >= _WORD:
        _LATEST[place] = known
        before.follows = place
    return known


@final
@mypyc_attr(acyclic=True)
class Definition(Known):
    """A definition of a class, with its first octet."""

    def __init__(self, octets: bytes, first: i64, count: i64) -> None:
        super().__init__(octets)
        self.first: i64 = first
        """Where in it the names of the fields begin, and how many they are."""
        self.count: i64 = count


_NO_DEFINITION: Final = Definition(b"", 0, 0)
_DEFINITIONS: Final[list[Definition]] = [_NO_DEFINITION] * 64
"""Those that came last, each in the place that a few of its first octets say."""


def _definition_place(octets: bytes, at: i64, stop: i64) -> i64:
    """Where the definition at `at` is kept; -1 of one that is not, since there is so little behind it."""
    if stop - at < 4 * _WORD:
        return -1
    mixed = i64(read_i64_le(octets, at)) ^ i64(read_i64_le(octets, at + _WORD)) << 1
    mixed ^= i64(read_i64_le(octets, at + 2 * _WORD)) ^ i64(read_i64_le(octets, at + 3 * _WORD)) << 1
    mixed ^= mixed >> 32
    mixed ^= mixed >> 16
    return (mixed ^ (mixed >> 8)) & 0x3F


def find_definition(octets: bytes, at: i64, stop: i64) -> Definition | None:
    """The definition at `at`, if it came before."""
    place = _definition_place(octets, at, stop)
    if place < 0:
        return None
    known = _DEFINITIONS[place]
    return known if known.stands(octets, at, stop) else None


def note_definition(octets: bytes, at: i64, end: i64, stop: i64, first: i64, count: i64) -> None:
    """``octets[at:end]`` is a definition, whose fields' names begin at `first`."""
    place = _definition_place(octets, at, stop)
    if place >= 0 and end - at <= _LONGEST_DEFINITION:
        _DEFINITIONS[place] = Definition(octets[at:end], first - at, count)
