"""Attachments in Hessian 2 of which some are left out: what stays is numbered anew.

    48 │ "a" 7a 91 92 │ "b" 79 93 │ "c" 51 93 │ 5a        three containers before "c", so 51 93 is the list of "b"
    48 │ "b" 79 93 │ "c" 51 92 │ 5a                       without "a"

Lists, maps and objects, the names of types and the classes of a stream are numbered by their order, so all of them that stand behind
what is left out get lower numbers. Nothing else changes.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Final, final

from mypy_extensions import i64

from l7codecs import Limits, Unsupported

from .._hessian.scan import Scanner
from .._hessian.strings import binary_end, string_end
from .._hessian.tags import (
    BINARY_CHUNK,
    BINARY_LAST,
    DEFINITION,
    END,
    INT_SIZES,
    LIST_FIXED,
    LIST_FIXED_UNTYPED,
    LIST_OPEN,
    LIST_OPEN_UNTYPED,
    MAP,
    MAP_UNTYPED,
    OBJECT,
    REFERENCE,
    SIZES,
    read_int,
)
from .._hessian.writer import Writer
from .interface import Attachments

__all__ = ["kept_entries"]

_REFERENCES: Final[i64] = 0
_TYPES: Final[i64] = 1
_CLASSES: Final[i64] = 2
_ANY: Final[i64] = -1
"""Left in a container that goes on up to Z."""


@final
class _Gone:
    """What is left out: for each kind of number, from where to where, in rising order."""

    def __init__(self) -> None:
        self.firsts: list[list[int]] = [[], [], []]
        self.lasts: list[list[int]] = [[], [], []]
        self.sums: list[list[int]] = [[], [], []]
        """How many are left out up to there."""
        self.any = False

    def add(self, kind: i64, first: i64, last: i64) -> None:
        if last > first:
            sums = self.sums[kind]
            sums.append(int(last - first) + (sums[-1] if sums else 0))
            self.firsts[kind].append(int(first))
            self.lasts[kind].append(int(last))
            self.any = True

    def moved(self, kind: i64, number: i64) -> i64:
        """The new number of what had `number`. Raises `Unsupported` where that is left out."""
        at = bisect_right(self.firsts[kind], number)
        if at == 0:
            return number
        if number < self.lasts[kind][at - 1]:
            raise Unsupported("an attachment cannot change whose value another one refers to")
        return number - self.sums[kind][at - 1]


def kept_entries(octets: bytes, start: i64, found: Attachments, keep: list[bool], limits: Limits) -> list[bytes]:
    """See `Body.kept_attachments`."""
    parts: list[bytes] = []
    gone = _Gone()
    scanner = Scanner(octets, start, found.stop, limits.nesting, limits.elements)
    while scanner.at < found.start:
        scanner.skip()
    _enter(scanner, found)
    for number, entry in enumerate(found.entries):
        parts.append(_kept(scanner, entry.start, gone))
        if keep[number]:
            parts[-1] += _kept(scanner, entry.stop, gone)
        else:
            references, types, classes = scanner.references, scanner.type_count, scanner.class_count
            while scanner.at < entry.stop:
                scanner.skip()
            gone.add(_REFERENCES, references, scanner.references)
            gone.add(_TYPES, types, scanner.type_count)
            gone.add(_CLASSES, classes, scanner.class_count)
    parts.append(_kept(scanner, found.last, gone))
    return parts


def _enter(scanner: Scanner, found: Attachments) -> None:
    """Stand before the first entry; the map itself is counted."""
    if found.first == found.start:
        return
    octets = scanner.octets
    at = scanner.at
    while octets[at] == DEFINITION:
        at = scanner.define(at)
    if octets[at] == MAP:
        scanner.type_end(at + 1)
    scanner.references += 1
    scanner.at = found.first


def _kept(scanner: Scanner, stop: i64, gone: _Gone) -> bytes:
    """The octets up to `stop`, over which `scanner` passes."""
    start = scanner.at
    while scanner.at < stop:
        scanner.skip()
    if not gone.any:
        return scanner.octets[start:stop]
    return _renumbered(scanner, start, stop, gone)


def _renumbered(scanner: Scanner, start: i64, stop: i64, gone: _Gone) -> bytes:
    """The whole values ``octets[start:stop]``, which `scanner` has passed, with new numbers."""
    octets = scanner.octets
    parts: list[bytes] = []
    copied = start
    at = start
    around: list[i64] = []
    """Of each container around: how many values are still to come in it."""
    left: i64 = _ANY
    while at < stop:
        while left == 0:
            left = around.pop()
        tag: i64 = octets[at]
        if tag == DEFINITION:
            at = string_end(octets, at + 1, stop)
            names = read_int(octets, at)
            at += INT_SIZES[octets[at]]
            while names > 0:
                at = string_end(octets, at, stop)
                names -= 1
            continue
        if tag == END:
            at += 1
            left = around.pop()
            continue
        if left > 0:
            left -= 1
        size: i64 = SIZES[tag]
        if size > 0:
            at += size
            continue
        place: i64 = -1
        kind = _REFERENCES
        new: i64 = 0
        items: i64 = 0
        if 0x60 <= tag < 0x70 or tag == OBJECT:
            kind = _CLASSES
            place = at
            old = tag - 0x60 if tag != OBJECT else read_int(octets, at + 1)
            at += 1 if tag != OBJECT else 1 + INT_SIZES[octets[at + 1]]
            items = scanner.classes[old * 3 + 2]
            new = gone.moved(kind, old)
            if new != old:
                parts.append(octets[copied:place])
                parts.append(bytes((0x60 + int(new),)) if new < 16 else b"\x4f" + _int(new))
                copied = at
        elif 0x78 <= tag < 0x80:
            items = tag - 0x78
            at += 1
        elif tag == MAP_UNTYPED or tag == LIST_OPEN_UNTYPED:
            items = _ANY
            at += 1
        elif tag == LIST_FIXED_UNTYPED:
            items = read_int(octets, at + 1)
            at += 1 + INT_SIZES[octets[at + 1]]
        elif 0x70 <= tag < 0x78 or tag == MAP or tag == LIST_OPEN or tag == LIST_FIXED or tag == REFERENCE:
            place = at + 1
            width: i64 = INT_SIZES[octets[place]]
            if width == 0:
                at = string_end(octets, place, stop)
            else:
                kind = _REFERENCES if tag == REFERENCE else _TYPES
                old = read_int(octets, place)
                new = gone.moved(kind, old)
                at = place + width
                if new != old:
                    parts.append(octets[copied:place])
                    parts.append(_int(new))
                    copied = at
            if tag == LIST_FIXED:
                items = read_int(octets, at)
                at += INT_SIZES[octets[at]]
            elif tag < 0x78 and tag >= 0x70:
                items = tag - 0x70
            elif tag != REFERENCE:
                items = _ANY
        elif 0x20 <= tag < 0x30 or 0x34 <= tag <= 0x37 or tag == BINARY_CHUNK or tag == BINARY_LAST:
            at = binary_end(octets, at, stop)
        else:
            at = string_end(octets, at, stop)
        if items != 0:
            around.append(left)
            left = items
    parts.append(octets[copied:stop])
    return b"".join(parts)


def _int(number: i64) -> bytes:
    writer = Writer()
    writer.integer(number)
    return writer.getvalue()
