"""The first octet of a Hessian 2 value, how long what follows is, and why reading stops.

    00-1f  string of 0-31 units           46 54  false, true            5a     Z: end of a list or map
    20-2f  binary of 0-15 octets          48     untyped map            5b 5c  double 0.0, 1.0
    30-33  string of 0-1023 units         49     int, 4 octets          5d 5e  double, 1 or 2 octets of an integer
    34-37  binary of 0-1023 octets        4a     date, 8 octets of ms   5f     double, 4 octets of thousandths
    38-3f  long, 18 bits                  4b     date, 4 of minutes     60-6f  object of class 0-15
    41 42  binary: a chunk, the last      4c     long, 8 octets         70-77  typed list of 0-7
    43     class definition               4d     typed map              78-7f  untyped list of 0-7
    44     double, 8 octets               4e     null                   80-bf  int -16 to 47
    51     reference                      4f     object                 c0-cf  int, 12 bits
    52 53  string: a chunk, the last      55 57  list up to Z           d0-d7  int, 19 bits
    59     long, 4 octets                 56 58  list of a count        d8-ef  long -8 to 15
                                                                        f0-ff  long, 12 bits

Hessian 2.0 Serialization Protocol, §12, "Bytecode map". 40, 45, 47 and 50 are not used.
"""

from __future__ import annotations

from typing import Final

from mypy_extensions import i64

from l7codecs import IncompleteMessage, LimitExceeded, ProtocolError

__all__ = [
    "BINARY_CHUNK",
    "BINARY_LAST",
    "DEFINITION",
    "END",
    "INT_SIZES",
    "LIST_FIXED",
    "LIST_FIXED_UNTYPED",
    "LIST_OPEN",
    "LIST_OPEN_UNTYPED",
    "MAP",
    "MAP_UNTYPED",
    "NULL",
    "OBJECT",
    "REFERENCE",
    "SIZES",
    "STRING_CHUNK",
    "STRING_LAST",
    "failure",
    "read_int",
]

SPEC: Final = "Hessian 2.0 Serialization Protocol"

BINARY_CHUNK: Final[i64] = 0x41
BINARY_LAST: Final[i64] = 0x42
DEFINITION: Final[i64] = 0x43
DOUBLE: Final[i64] = 0x44
FALSE: Final[i64] = 0x46
MAP_UNTYPED: Final[i64] = 0x48
INT: Final[i64] = 0x49
DATE_MS: Final[i64] = 0x4A
DATE_MINUTES: Final[i64] = 0x4B
LONG: Final[i64] = 0x4C
MAP: Final[i64] = 0x4D
NULL: Final[i64] = 0x4E
OBJECT: Final[i64] = 0x4F
REFERENCE: Final[i64] = 0x51
STRING_CHUNK: Final[i64] = 0x52
STRING_LAST: Final[i64] = 0x53
TRUE: Final[i64] = 0x54
LIST_OPEN: Final[i64] = 0x55
LIST_FIXED: Final[i64] = 0x56
LIST_OPEN_UNTYPED: Final[i64] = 0x57
LIST_FIXED_UNTYPED: Final[i64] = 0x58
LONG_INT: Final[i64] = 0x59
END: Final[i64] = 0x5A
DOUBLE_0: Final[i64] = 0x5B
DOUBLE_1: Final[i64] = 0x5C
DOUBLE_BYTE: Final[i64] = 0x5D
DOUBLE_SHORT: Final[i64] = 0x5E
DOUBLE_THOUSANDTHS: Final[i64] = 0x5F

# Why reading stops; a function that returns an offset returns these negated.
CUT: Final[i64] = 1
BAD_TAG: Final[i64] = 2
BAD_UTF8: Final[i64] = 3
NO_STRING: Final[i64] = 4
NO_BINARY: Final[i64] = 5
NO_INT: Final[i64] = 6
NO_CLASS: Final[i64] = 7
NO_TYPE: Final[i64] = 8
NO_REFERENCE: Final[i64] = 9
BAD_COUNT: Final[i64] = 10
DEEP: Final[i64] = 11
MANY: Final[i64] = 12
NO_MAP: Final[i64] = 13
OLDER: Final[i64] = 14

_EXPECTED: Final = (
    "",
    "a longer stream",
    "a value",
    "UTF-8 of as many UTF-16 units as its string has",
    "a string, or null",
    "binary data",
    "an int",
    "the number of a class that was defined",
    "a type's name, or the number of one that was named",
    "the number of a list, map or object before it",
    "a count that is not negative",
    "at most limits.nesting containers inside each other",
    "at most limits.elements items",
    "a map, or null",
    "Hessian 2 as its specification says; this is the older draft that SOFA's hessian 3.x writes",
)


def _sizes() -> bytes:
    table = bytearray(256)
    table[0x20:0x30] = range(1, 17)
    table[0x38:0x40] = bytes([3]) * 8
    for tag, size in (
        (FALSE, 1), (NULL, 1), (TRUE, 1), (DOUBLE_0, 1), (DOUBLE_1, 1), (DOUBLE, 9), (INT, 5), (DATE_MS, 9), (DATE_MINUTES, 5),
        (LONG, 9), (LONG_INT, 5), (DOUBLE_BYTE, 2), (DOUBLE_SHORT, 3), (DOUBLE_THOUSANDTHS, 5),
    ):  # fmt: skip
        table[tag] = size
    table[0x80:0xC0] = bytes([1]) * 0x40
    table[0xC0:0xD0] = bytes([2]) * 0x10
    table[0xD0:0xD8] = bytes([3]) * 8
    table[0xD8:0xF0] = bytes([1]) * 0x18
    table[0xF0:0x100] = bytes([2]) * 0x10
    return bytes(table)


SIZES: Final = _sizes()
"""Octets of a value by its first one, where that says it; else 0."""

INT_SIZES: Final = bytes(
    1 if 0x80 <= tag < 0xC0 else 2 if 0xC0 <= tag < 0xD0 else 3 if 0xD0 <= tag < 0xD8 else 5 if tag == 0x49 else 0
    for tag in range(256)
)
"""Octets of an int by its first one; 0: it is none."""


def read_int(octets: bytes, at: i64) -> i64:
    """The int at `at`, all of whose octets are there."""
    tag: i64 = octets[at]
    if tag < 0x80:
        value: i64 = octets[at + 1]
        if value > 0x7F:
            value -= 0x100
        second: i64 = octets[at + 2]
        third: i64 = octets[at + 3]
        fourth: i64 = octets[at + 4]
        return ((value * 0x100 + second) * 0x100 + third) * 0x100 + fourth
    if tag < 0xC0:
        return tag - 0x90
    low: i64 = octets[at + 1]
    if tag < 0xD0:
        return (tag - 0xC8) * 0x100 + low
    lowest: i64 = octets[at + 2]
    return ((tag - 0xD4) * 0x100 + low) * 0x100 + lowest


def failure(octets: bytes, at: i64, stop: i64, reason: i64, partial: bool = False) -> ProtocolError:
    """The error of what cannot be read at `at`; with `partial` what goes on beyond `stop` is incomplete only."""
    shown = octets[at : min(at + 8, stop)].hex(" ")
    expected = _EXPECTED[reason]
    if reason == CUT:
        seen = f"{stop - at} octets: {shown}"
        if partial:
            return IncompleteMessage(at, seen, expected, SPEC)
        return ProtocolError(at, seen, expected, SPEC)
    if reason == DEEP or reason == MANY:
        return LimitExceeded(at, shown, expected, SPEC)
    return ProtocolError(at, shown, expected, SPEC)
