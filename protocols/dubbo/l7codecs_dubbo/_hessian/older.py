"""The older draft of Hessian 2, which SOFA's hessian 3.x writes: recognised, so that it can be refused by its name.

    53 73 size(16)    string, a chunk of one      4f int name int names   class definition, its name's length before it
    42 62 size(16)    binary, a chunk of one      6f int                  object
    64                date, 8 octets              4d [type] ... 7a        map
    67 68             0.0, 1.0                    56 [type] [n] ... 7a    list; n is 6e and one octet, or 6c and four
    69 6a 6b          double: 1, 2, 4 octets      76 int int              list of a type by its number, and a count
    77                long, 4 octets              4a 4b 52                reference: 1, 2, 4 octets

A type is ``74 size(16) name``, or 75 or 54 and an int. Integers, longs, null, booleans, short strings and short binary data are what they
are in Hessian 2, so nothing marks a stream as a whole. Hessian 2.0 draft of 2007; hessian 3.5.6 of com.alipay.sofa.
"""

from __future__ import annotations

from typing import Final

from librt.vecs import append, vec
from mypy_extensions import i64

from .strings import units_end
from .tags import CUT, INT_SIZES, NO_INT, read_int

__all__ = ["is_older"]

_TO_END: Final[i64] = -1
_UNKNOWN: Final[i64] = 100


def _sizes() -> bytes:
    table = bytearray(256)
    table[0x20:0x30] = range(1, 17)
    table[0x38:0x40] = bytes([3]) * 8
    table[0x44] = table[0x4C] = table[0x64] = 9
    table[0x49] = table[0x52] = table[0x6B] = table[0x77] = 5
    table[0x46] = table[0x4E] = table[0x54] = table[0x67] = table[0x68] = 1
    table[0x4A] = table[0x69] = 2
    table[0x4B] = table[0x6A] = 3
    table[0x80:0xC0] = bytes([1]) * 0x40
    table[0xC0:0xD0] = bytes([2]) * 0x10
    table[0xD0:0xD8] = bytes([3]) * 8
    table[0xD8:0xF0] = bytes([1]) * 0x18
    table[0xF0:0x100] = bytes([2]) * 0x10
    return bytes(table)


_SIZES: Final = _sizes()
"""Octets of a value by its first one, where that says it; else 0."""


def is_older(octets: bytes, start: i64, stop: i64, partial: bool) -> bool:
    """Whether all of ``octets[start:stop]``, which is no Hessian 2, are values of the older draft; with `partial` the beginning of some."""
    fields = vec[i64]()
    lefts = vec[i64]()
    depth: i64 = 0
    left: i64 = _TO_END
    at = start
    while at < stop:
        while left == 0:
            depth -= 1
            left = lefts[depth]
        tag: i64 = octets[at]
        if tag == 0x7A:
            if depth == 0 or left > 0:
                return False
            at += 1
            depth -= 1
            left = lefts[depth]
            continue
        if tag == 0x4F:
            at = _definition_end(octets, at + 1, stop)
            if at < 0:
                return partial and at == -CUT
            fields = append(fields, _field_count(octets, at))
            at = _names_end(octets, at, stop, fields[len(fields) - 1])
            if at < 0:
                return partial and at == -CUT
            continue
        if left > 0:
            left -= 1
        size: i64 = _SIZES[tag]
        if size > 0:
            at += size
            continue
        if tag < 0x20 or tag == 0x53 or tag == 0x73:
            at = _string_end(octets, at, stop)
            if at < 0:
                return partial and at == -CUT
            continue
        if tag == 0x42 or tag == 0x62:
            at = _binary_end(octets, at, stop)
            if at < 0:
                return partial and at == -CUT
            continue
        items: i64 = _TO_END
        if tag == 0x6F or tag == 0x76:
            where = at + 1
            at = _int_end(octets, where, stop)
            if at < 0:
                return partial and at == -CUT
            items = read_int(octets, where)
            if tag == 0x6F:
                if not 0 <= items < len(fields):
                    return False
                items = fields[items]
            else:
                where = at
                at = _int_end(octets, where, stop)
                if at < 0:
                    return partial and at == -CUT
                items = read_int(octets, where)
            if items < 0:
                return False
        elif tag == 0x4D or tag == 0x56:
            at = _type_end(octets, at + 1, stop)
            if at < 0:
                return partial and at == -CUT
            if tag == 0x56 and at < stop and octets[at] == 0x6E:
                at += 2
            elif tag == 0x56 and at < stop and octets[at] == 0x6C:
                at += 5
        else:
            return False
        if items == 0:
            continue
        if depth == len(lefts):
            lefts = append(lefts, left)
        else:
            lefts[depth] = left
        depth += 1
        left = items
    while left == 0:
        depth -= 1
        left = lefts[depth]
    return partial or (at == stop and depth == 0)


def _int_end(octets: bytes, at: i64, stop: i64) -> i64:
    """Behind an int; negative: why not, as of the functions below."""
    if at >= stop:
        return -CUT
    size: i64 = INT_SIZES[octets[at]]
    if size == 0:
        return -NO_INT
    return at + size if at + size <= stop else -CUT


def _definition_end(octets: bytes, at: i64, stop: i64) -> i64:
    """Behind the name of a class; the count of its fields can be read there."""
    end = _int_end(octets, at, stop)
    if end < 0:
        return end
    size = read_int(octets, at)
    if size < 0:
        return -NO_INT
    end = units_end(octets, end, size, stop)
    if end < 0:
        return end
    behind = _int_end(octets, end, stop)
    return behind if behind < 0 else end


def _field_count(octets: bytes, at: i64) -> i64:
    """The count of a class's fields."""
    return read_int(octets, at)


def _names_end(octets: bytes, at: i64, stop: i64, count: i64) -> i64:
    """Behind a count, and so many names."""
    at = _int_end(octets, at, stop)
    if count < 0:
        return -NO_INT
    while count > 0:
        at = _string_end(octets, at, stop)
        if at < 0:
            return at
        count -= 1
    return at


def _type_end(octets: bytes, at: i64, stop: i64) -> i64:
    """Behind a type, which need not be there."""
    if at >= stop:
        return -CUT
    tag: i64 = octets[at]
    if tag == 0x74:
        if at + 3 > stop:
            return -CUT
        return units_end(octets, at + 3, _size(octets, at + 1), stop)
    if tag == 0x75 or tag == 0x54:
        return _int_end(octets, at + 1, stop)
    return at


def _string_end(octets: bytes, at: i64, stop: i64) -> i64:
    """Behind a string."""
    while True:
        if at >= stop:
            return -CUT
        tag: i64 = octets[at]
        if tag < 0x20:
            return units_end(octets, at + 1, tag, stop)
        if tag != 0x53 and tag != 0x73:
            return -_UNKNOWN
        if at + 3 > stop:
            return -CUT
        at = units_end(octets, at + 3, _size(octets, at + 1), stop)
        if at < 0 or tag == 0x53:
            return at


def _binary_end(octets: bytes, at: i64, stop: i64) -> i64:
    """Behind binary data."""
    while True:
        if at >= stop:
            return -CUT
        tag: i64 = octets[at]
        if 0x20 <= tag < 0x30:
            return at + 1 + tag - 0x20
        if tag != 0x42 and tag != 0x62:
            return -_UNKNOWN
        if at + 3 > stop:
            return -CUT
        at += 3 + _size(octets, at + 1)
        if tag == 0x42:
            return at


def _size(octets: bytes, at: i64) -> i64:
    """Two octets as a number."""
    high: i64 = octets[at]
    low: i64 = octets[at + 1]
    return high * 0x100 + low
