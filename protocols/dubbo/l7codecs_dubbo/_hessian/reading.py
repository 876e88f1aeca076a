"""Hessian 2 values in Python, made with a stack of our own."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from librt.strings import read_f64_be, read_i16_be, read_i32_be, read_i64_be
from librt.vecs import append, vec
from mypy_extensions import i64

from .stream import KEY, TO_END, Stream
from .strings import binary_between, binary_end, string_between, string_end
from .tags import (
    BAD_COUNT,
    BAD_TAG,
    BINARY_CHUNK,
    BINARY_LAST,
    CUT,
    DATE_MINUTES,
    DATE_MS,
    DEEP,
    DEFINITION,
    DOUBLE,
    DOUBLE_0,
    DOUBLE_1,
    DOUBLE_BYTE,
    DOUBLE_SHORT,
    DOUBLE_THOUSANDTHS,
    END,
    FALSE,
    INT,
    LIST_FIXED,
    LIST_FIXED_UNTYPED,
    LIST_OPEN,
    LIST_OPEN_UNTYPED,
    LONG,
    LONG_INT,
    MANY,
    MAP,
    MAP_UNTYPED,
    NO_CLASS,
    NO_REFERENCE,
    NULL,
    OBJECT,
    REFERENCE,
    SIZES,
    STRING_CHUNK,
    STRING_LAST,
    TRUE,
    read_int,
)
from .values import HessianList, HessianMap, HessianObject, Long, Milliseconds, Reference, Value

__all__ = ["Known", "date_of", "read_value", "scalar"]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_MS: Final[i64] = -62_135_596_800_000
_LAST_MS: Final[i64] = 253_402_300_799_999

Known = list[Value]
"""The lists, maps and objects of a stream by their numbers; None: passed over."""


def date_of(ms: i64) -> datetime | Milliseconds:
    """A date, from milliseconds since 1970."""
    if _FIRST_MS <= ms <= _LAST_MS:
        return _EPOCH + timedelta(milliseconds=int(ms))
    return Milliseconds(ms)


def scalar(octets: bytes, at: i64, tag: i64) -> Value:
    """The value at `at`, whose size `SIZES` says, and all of whose octets are there."""
    if tag >= 0x80:
        if tag < 0xD8:
            return int(read_int(octets, at))
        if tag < 0xF0:
            return Long(tag - 0xE0)
        low: i64 = octets[at + 1]
        return Long((tag - 0xF8) * 0x100 + low)
    if tag < 0x30:
        return octets[at + 1 : at + 1 + tag - 0x20]
    if tag < 0x40:
        return Long((tag - 0x3C) * 0x10000 + (i64(read_i16_be(octets, at + 1)) & 0xFFFF))
    if tag == NULL:
        return None
    if tag == TRUE:
        return True
    if tag == FALSE:
        return False
    if tag == INT:
        return int(read_int(octets, at))
    if tag == LONG:
        return Long(read_i64_be(octets, at + 1))
    if tag == LONG_INT:
        return Long(i64(read_i32_be(octets, at + 1)))
    if tag == DATE_MS:
        return date_of(read_i64_be(octets, at + 1))
    if tag == DATE_MINUTES:
        return date_of(i64(read_i32_be(octets, at + 1)) * 60_000)
    if tag == DOUBLE:
        return read_f64_be(octets, at + 1)
    if tag == DOUBLE_0:
        return 0.0
    if tag == DOUBLE_1:
        return 1.0
    if tag == DOUBLE_BYTE:
        octet: i64 = octets[at + 1]
        return float(octet - 0x100 if octet > 0x7F else octet)
    if tag == DOUBLE_SHORT:
        return float(i64(read_i16_be(octets, at + 1)))
    assert tag == DOUBLE_THOUSANDTHS
    return 0.001 * float(i64(read_i32_be(octets, at + 1)))


def read_value(stream: Stream, known: Known) -> Value:
    """The value at which the stream stands, which goes on behind it.

    Raises:
        ProtocolError: there is none that can be read. The stream is of no use then.
    """
    octets = stream.octets
    at = stream.at
    stop = stream.stop
    while len(known) < stream.references:
        known.append(None)
    found: list[Value] = []
    items = found  # of the innermost container; a map's keys and values in turns
    left: i64 = 1
    current: HessianMap | None = None  # the innermost container, where it is a map
    lefts = vec[i64]()
    numbers = vec[i64]()  # of the containers that are open
    around: list[list[Value]] = []
    maps: list[HessianMap | None] = []
    depth: i64 = 0
    fail = CUT
    mark = at
    while True:
        while left == 0:
            if depth == 0:
                stream.at = at
                stream.references = len(known)
                return found[0]
            depth -= 1
            left = lefts[depth]
            items = around.pop()
            current = maps.pop()
        mark = at
        if at >= stop:
            break
        tag: i64 = octets[at]
        size: i64 = SIZES[tag]
        if size > 0:
            at += size
            if at > stop:
                break
            items.append(scalar(octets, mark, tag))
            if left > 0:
                left -= 1
            continue
        if tag < 0x20 or 0x30 <= tag <= 0x33 or tag == STRING_CHUNK or tag == STRING_LAST:
            at = string_end(octets, at, stop)
            if at < 0:
                fail = -at
                break
            items.append(string_between(octets, mark, at))
            if left > 0:
                left -= 1
            continue
        if tag == DEFINITION:
            at = stream.define(at)
            if at < 0:
                fail = -at
                break
            continue
        if tag == END:
            if left >= 0 or (left == KEY and len(items) & 1):
                fail = BAD_TAG
                break
            at += 1
            depth -= 1
            done = items
            items = around.pop()
            if current is not None:
                value = _map_of(current, done)
                known[numbers[depth]] = value
                items[len(items) - 1] = value
            left = lefts[depth]
            current = maps.pop()
            continue
        if left > 0:
            left -= 1
        count: i64 = TO_END
        inner: list[Value] = []
        begun: HessianMap | None = None
        if 0x60 <= tag < 0x70 or tag == OBJECT:
            number = tag - 0x60
            at += 1
            if tag == OBJECT:
                at = stream.int_end(at)
                if at < 0:
                    fail = -at
                    break
                number = read_int(octets, mark + 1)
            if not 0 <= number * 3 < len(stream.classes):
                fail = NO_CLASS
                break
            count = stream.classes[number * 3 + 2]
            made: Value = HessianObject(stream.definition(number), inner)
        elif 0x78 <= tag < 0x80:
            count = tag - 0x78
            at += 1
            made = inner
        elif 0x70 <= tag < 0x78:
            at = stream.type_end(at + 1)
            if at < 0:
                fail = -at
                break
            count = tag - 0x70
            made = HessianList(stream.type_name(stream.type_number), inner)
        elif tag == MAP_UNTYPED:
            count = KEY
            at += 1
            begun = HessianMap(None, [])
            made = begun
        elif tag == MAP or tag == LIST_OPEN:
            at = stream.type_end(at + 1)
            if at < 0:
                fail = -at
                break
            name = stream.type_name(stream.type_number)
            if tag == MAP:
                count = KEY
                begun = HessianMap(name, [])
                made = begun
            else:
                made = HessianList(name, inner)
        elif tag == LIST_FIXED or tag == LIST_FIXED_UNTYPED:
            at += 1
            made = inner
            if tag == LIST_FIXED:
                at = stream.type_end(at)
                if at < 0:
                    fail = -at
                    break
                made = HessianList(stream.type_name(stream.type_number), inner)
            where = at
            at = stream.int_end(at)
            if at < 0:
                fail = -at
                break
            count = read_int(octets, where)
            if count < 0:
                fail = BAD_COUNT
                break
        elif tag == LIST_OPEN_UNTYPED:
            at += 1
            made = inner
        elif tag == REFERENCE:
            at = stream.int_end(at + 1)
            if at < 0:
                fail = -at
                break
            number = read_int(octets, mark + 1)
            if not 0 <= number < len(known):
                fail = NO_REFERENCE
                break
            referred = known[number]
            if referred is None:
                referred = Reference(int(number))
            elif isinstance(referred, HessianMap):
                referred.referred = True
            items.append(referred)
            continue
        else:
            if 0x34 <= tag <= 0x37 or tag == BINARY_CHUNK or tag == BINARY_LAST:
                at = binary_end(octets, at, stop)
            else:
                at = -BAD_TAG
            if at < 0:
                fail = -at
                break
            items.append(binary_between(octets, mark, at))
            continue
        items.append(made)
        known.append(made)
        if count == 0:
            continue
        if count > stop - at:  # each has an octet at least
            break
        if count > stream.elements:
            fail = MANY
            break
        if depth >= stream.nesting:
            fail = DEEP
            break
        if depth == len(lefts):
            lefts = append(lefts, left)
            numbers = append(numbers, len(known) - 1)
        else:
            lefts[depth] = left
            numbers[depth] = len(known) - 1
        around.append(items)
        maps.append(current)
        depth += 1
        left = count
        items = inner
        current = begun
    del known[stream.references :]
    raise stream.failure(mark, fail)


def _map_of(begun: HessianMap, flat: list[Value]) -> Value:
    """The map of these keys and values."""
    if begun.type_name is None and not begun.referred:
        entries: dict[str, Value] = {}
        index: i64 = 0
        count: i64 = len(flat)
        while index < count:
            key = flat[index]
            if not isinstance(key, str) or key in entries:
                break
            entries[key] = flat[index + 1]
            index += 2
        if index == count:
            return entries
    pairs = begun.pairs
    at: i64 = 0
    while at < len(flat):
        pairs.append((flat[at], flat[at + 1]))
        at += 2
    return begun
