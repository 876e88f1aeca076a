"""Strings and binary data: where they end, and what they say.

    00-1f units                      a string of so many units
    30-33 low octet, units           0-1023
    53 size(16), units               0-65535
    52 size(16), units, string       a chunk, and the rest as a string of any form

A size counts units of UTF-16, the octets are UTF-8 of each unit by itself: a character above U+FFFF is two surrogates of three octets each,
as Java and JavaScript write, or four octets that count two, as Go does. Binary data has the same forms, at 20-2f, 34-37, 42 and 41.
"""

from __future__ import annotations

from librt.strings import read_i64_le
from mypy_extensions import i64

from .tags import (
    BAD_UTF8,
    BINARY_CHUNK,
    BINARY_LAST,
    CUT,
    NO_BINARY,
    NO_STRING,
    NULL,
    STRING_CHUNK,
    STRING_LAST,
    failure,
)

__all__ = ["binary_between", "binary_end", "string_at", "string_between", "string_end", "units_end"]


def string_end(octets: bytes, at: i64, stop: i64) -> i64:
    """Behind the string, or null, that begins at `at`; negative: why it cannot be read, of `tags`."""
    if at >= stop:
        return -CUT
    tag: i64 = octets[at]
    if tag < 0x20:
        return units_end(octets, at + 1, tag, stop)
    if tag == NULL:
        return at + 1
    while tag == STRING_CHUNK:
        if at + 3 > stop:
            return -CUT
        at = units_end(octets, at + 3, _size(octets, at + 1), stop)
        if at < 0:
            return at
        if at >= stop:
            return -CUT
        tag = octets[at]
    if tag < 0x20:
        return units_end(octets, at + 1, tag, stop)
    if 0x30 <= tag <= 0x33:
        if at + 2 > stop:
            return -CUT
        low: i64 = octets[at + 1]
        return units_end(octets, at + 2, (tag - 0x30) * 0x100 + low, stop)
    if tag == STRING_LAST:
        if at + 3 > stop:
            return -CUT
        return units_end(octets, at + 3, _size(octets, at + 1), stop)
    return -NO_STRING


def string_between(octets: bytes, at: i64, end: i64) -> str | None:
    """The string, or null, that begins at `at` and ends at `end`, as `string_end` says. Two surrogates are one character."""
    tag: i64 = octets[at]
    if tag < 0x20:
        raw = octets[at + 1 : end]
        if end - at - 1 == tag:  # so each has one octet
            return raw.decode("ascii")
        return _text(raw)
    if tag == NULL:
        return None
    if tag == STRING_LAST:
        return _text(octets[at + 3 : end])
    if tag != STRING_CHUNK:
        return _text(octets[at + 2 : end])
    parts: list[bytes] = []
    while tag == STRING_CHUNK:
        behind = units_end(octets, at + 3, _size(octets, at + 1), end)
        parts.append(octets[at + 3 : behind])
        at = behind
        tag = octets[at]
    first = at + 1 if tag < 0x20 else at + 3 if tag == STRING_LAST else at + 2
    parts.append(octets[first:end])
    return _text(b"".join(parts))


def string_at(octets: bytes, at: i64, stop: i64) -> str | None:
    """The string, or null, that begins at `at`.

    Raises:
        ProtocolError: there is none; its offset counts from the start of `octets`.
    """
    end = string_end(octets, at, stop)
    if end < 0:
        raise failure(octets, at, stop, -end)
    return string_between(octets, at, end)


def units_end(octets: bytes, at: i64, units: i64, stop: i64) -> i64:
    """Behind the octets of so many units; negative: why not."""
    end = at + units
    if end > stop:  # a unit has an octet at least
        return -CUT
    high: i64 = 0x80808080
    high |= high << 32  # the high bit of each of eight octets: a literal of 64 bits would be an object
    if units >= 8:
        last = end - 8
        while at < last:
            if read_i64_le(octets, at) & high != 0:
                return _mixed_end(octets, at, end - at, stop)
            at += 8
        if read_i64_le(octets, last) & high != 0:
            return _mixed_end(octets, at, end - at, stop)
    elif at + 8 <= len(octets):
        if units > 0 and (read_i64_le(octets, at) << (64 - 8 * units)) & high != 0:
            return _mixed_end(octets, at, units, stop)
    else:
        while at < end:
            if octets[at] >= 0x80:
                return _mixed_end(octets, at, end - at, stop)
            at += 1
    return end


def _mixed_end(octets: bytes, at: i64, units: i64, stop: i64) -> i64:
    """As `units_end`, of any characters. What is no UTF-8 is refused: others read different things in it."""
    while units > 0:
        if at >= stop:
            return -CUT
        lead: i64 = octets[at]
        if lead < 0x80:
            at += 1
            units -= 1
            continue
        size: i64 = 2 if lead < 0xE0 else 3 if lead < 0xF0 else 4
        if lead < 0xC2 or lead > 0xF4:
            return -BAD_UTF8
        if at + size > stop:
            return -CUT
        second: i64 = octets[at + 1]
        if second & 0xC0 != 0x80:
            return -BAD_UTF8
        if size > 2:
            if octets[at + 2] & 0xC0 != 0x80:
                return -BAD_UTF8
            if lead == 0xE0 and second < 0xA0:  # one of two octets, written in three
                return -BAD_UTF8
            if size > 3:
                if octets[at + 3] & 0xC0 != 0x80:
                    return -BAD_UTF8
                if (lead == 0xF0 and second < 0x90) or (lead == 0xF4 and second > 0x8F) or units < 2:
                    return -BAD_UTF8
                units -= 1
        at += size
        units -= 1
    return at


def binary_end(octets: bytes, at: i64, stop: i64) -> i64:
    """Behind the binary data that begins at `at`; negative: why it cannot be read."""
    while True:
        if at >= stop:
            return -CUT
        tag: i64 = octets[at]
        if 0x20 <= tag < 0x30:
            at += 1 + tag - 0x20
        elif 0x34 <= tag <= 0x37:
            if at + 2 > stop:
                return -CUT
            low: i64 = octets[at + 1]
            at += 2 + (tag - 0x34) * 0x100 + low
        elif tag == BINARY_LAST or tag == BINARY_CHUNK:
            if at + 3 > stop:
                return -CUT
            at += 3 + _size(octets, at + 1)
        else:
            return -NO_BINARY
        if at > stop:
            return -CUT
        if tag != BINARY_CHUNK:
            return at


def binary_between(octets: bytes, at: i64, end: i64) -> bytes:
    """The binary data that begins at `at` and ends at `end`, as `binary_end` says."""
    tag: i64 = octets[at]
    if tag < 0x30:
        return octets[at + 1 : end]
    if tag <= 0x37:
        return octets[at + 2 : end]
    if tag == BINARY_LAST:
        return octets[at + 3 : end]
    parts: list[bytes] = []
    while tag == BINARY_CHUNK:
        behind = at + 3 + _size(octets, at + 1)
        parts.append(octets[at + 3 : behind])
        at = behind
        tag = octets[at]
    first = at + 1 if tag < 0x30 else at + 3 if tag == BINARY_LAST else at + 2
    parts.append(octets[first:end])
    return b"".join(parts)


def _size(octets: bytes, at: i64) -> i64:
    """Two octets as a number."""
    high: i64 = octets[at]
    low: i64 = octets[at + 1]
    return high * 0x100 + low


def _text(octets: bytes) -> str:
    """Text of checked octets. A surrogate alone stays what it is."""
    text = octets.decode("utf-8", "surrogatepass")
    if octets.find(b"\xed") < 0:
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
