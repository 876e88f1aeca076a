"""Hessian 2, written: the octets that Dubbo's own hessian-lite 4.0.4 writes of the same values.

Of several forms it is always the same one: the shortest integer; a double as an integer of 16 bits, or as thousandths, where that is
exact; a date in minutes where it is whole ones; lists by their count; strings in chunks of 32768 units, no pair of surrogates apart.
Binary data is cut where Java's buffer of 8192 octets was full, so that buffer is followed: where it was emptied, not what is in it.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Final, final

from librt.strings import BytesWriter, write_f64_be, write_i16_be, write_i32_be, write_i64_be
from mypy_extensions import i16, i32, i64

from .values import HessianList, HessianMap, HessianObject, Long, Milliseconds, Reference, Value

__all__ = ["Writer"]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
_BUFFER: Final[i64] = 8192
_CHUNK: Final[i64] = 0x8000
_INT_MIN: Final[i64] = -0x80000000
_INT_MAX: Final[i64] = 0x7FFFFFFF
_AS_INT: Final[i64] = 0
_AS_LONG: Final[i64] = 1
_AS_DATE: Final[i64] = 2


@final
class _Open:
    """A container that is being written."""

    def __init__(self, items: list[Value], ends: bool) -> None:
        self.items = items
        self.at: i64 = 0
        self.ends = ends
        """Whether Z closes it."""


@final
class Writer:
    """Writes values one behind another.

    Args:
        references, types, classes: how many there are before, where the values follow others in their stream; see `Stream`.
    """

    def __init__(self, references: int = 0, types: int = 0, classes: int = 0) -> None:
        self.out = BytesWriter()
        self._references = references
        self._first_type = types
        self._first_class = classes
        self._numbers: dict[int, int] = {}
        self._held: list[Value] = []  # an object's id is its own only while it lives
        self._types: dict[str, int] = {}
        self._classes: dict[tuple[str, tuple[str, ...]], int] = {}
        self._emptied: i64 = 0

    def getvalue(self) -> bytes:
        """What was written so far."""
        return self.out.getvalue()

    def null(self) -> None:
        """Write null."""
        self._room(17)
        self.out.append(0x4E)

    def boolean(self, value: bool) -> None:
        """Write true or false."""
        self._room(16)
        self.out.append(0x54 if value else 0x46)

    def integer(self, value: i64) -> None:
        """Write an int. Raises `ValueError` beyond 32 bits."""
        if not _INT_MIN <= value <= _INT_MAX:
            raise ValueError(f"{value} is no integer of 32 bits")
        self._room(17)
        out = self.out
        if -16 <= value <= 47:
            out.append(0x90 + value)
        elif -0x800 <= value <= 0x7FF:
            out.append(0xC8 + (value >> 8))
            out.append(value & 0xFF)
        elif -0x40000 <= value <= 0x3FFFF:
            out.append(0xD4 + (value >> 16))
            out.append((value >> 8) & 0xFF)
            out.append(value & 0xFF)
        else:
            out.append(0x49)
            write_i32_be(out, i32(value))

    def long(self, value: i64) -> None:
        """Write a long, of 64 bits."""
        self._room(17)
        out = self.out
        if -8 <= value <= 15:
            out.append(0xE0 + value)
        elif -0x800 <= value <= 0x7FF:
            out.append(0xF8 + (value >> 8))
            out.append(value & 0xFF)
        elif -0x40000 <= value <= 0x3FFFF:
            out.append(0x3C + (value >> 16))
            out.append((value >> 8) & 0xFF)
            out.append(value & 0xFF)
        elif _INT_MIN <= value <= _INT_MAX:
            out.append(0x59)
            write_i32_be(out, i32(value))
        else:
            out.append(0x4C)
            write_i64_be(out, value)

    def double(self, value: float) -> None:
        """Write a double. The sign of a zero is lost, and which NaN it is."""
        self._room(17)
        out = self.out
        if math.isnan(value):
            out.append(0x44)
            write_i64_be(out, 0x7FF8000000000000)
            return
        if -32768.0 <= value <= 32767.0:
            whole = i64(value)
            if float(whole) == value:
                if whole == 0:
                    out.append(0x5B)
                elif whole == 1:
                    out.append(0x5C)
                elif -0x80 <= whole < 0x80:
                    out.append(0x5D)
                    out.append(whole & 0xFF)
                else:
                    out.append(0x5E)
                    write_i16_be(out, i16(whole))
                return
        thousandths: i64 = _INT_MAX
        if value * 1000 <= -2147483648.0:
            thousandths = _INT_MIN
        elif value * 1000 < 2147483647.0:
            thousandths = i64(value * 1000)
        if 0.001 * float(thousandths) == value:
            out.append(0x5F)
            write_i32_be(out, i32(thousandths))
        else:
            out.append(0x44)
            write_f64_be(out, value)

    def date(self, ms: i64) -> None:
        """Write a date: milliseconds since 1970-01-01 in UTC."""
        self._room(32)
        minutes = ms // 60_000
        if minutes * 60_000 == ms and _INT_MIN <= minutes <= _INT_MAX:
            self.out.append(0x4B)
            write_i32_be(self.out, i32(minutes))
        else:
            self.out.append(0x4A)
            write_i64_be(self.out, ms)

    def string(self, value: str | None) -> None:
        """Write a string, or null."""
        self._room(17)
        out = self.out
        if value is None:
            out.append(0x4E)
            return
        text = value if value.isascii() else _units(value)
        left: i64 = len(text)
        at: i64 = 0
        while left > _CHUNK:
            size = _CHUNK
            if 0xD800 <= ord(text[at + size - 1]) <= 0xDBFF:
                size -= 1
            self._room(17)
            out.append(0x52)
            write_i16_be(out, i16(size - 0x10000 if size > 0x7FFF else size))
            self._print(text[at : at + size])
            at += size
            left -= size
        self._room(17)
        if left < 0x20:
            out.append(left)
        elif left < 0x400:
            out.append(0x30 + (left >> 8))
            out.append(left & 0xFF)
        else:
            out.append(0x53)
            write_i16_be(out, i16(left - 0x10000 if left > 0x7FFF else left))
        self._print(text if at == 0 else text[at:])

    def binary(self, value: bytes) -> None:
        """Write binary data."""
        out = self.out
        at: i64 = 0
        left: i64 = len(value)
        while _BUFFER - (i64(len(out)) - self._emptied) - 3 < left:
            size = _BUFFER - (i64(len(out)) - self._emptied) - 3
            if size < 16:
                self._emptied = len(out)
                size = min(_BUFFER - 3, left)
            out.append(0x41)
            write_i16_be(out, i16(size))
            out.write(value[at : at + size])
            self._emptied = len(out)
            at += size
            left -= size
        self._room(16)
        if left < 0x10:
            out.append(0x20 + left)
        elif left < 0x400:
            out.append(0x34 + (left >> 8))
            out.append(left & 0xFF)
        else:
            out.append(0x42)
            write_i16_be(out, i16(left))
        out.write(value[at:] if at else value)

    def value(self, value: Value) -> None:
        """Write any value; one that this writer has written before, as a reference. An ``int`` beyond 32 bits is written as a long.

        Raises:
            ValueError: an integer is beyond 64 bits; a type's name is empty; an object has not one value for each field; a `Reference` is
                to nothing before it.
            TypeError: it is no `Value`.
        """
        around: list[_Open] = []
        begun = self._begin(value)
        if begun is not None:
            around.append(begun)
        while around:
            inner = around[-1]
            if inner.at < len(inner.items):
                inner.at += 1
                begun = self._begin(inner.items[inner.at - 1])
                if begun is not None:
                    around.append(begun)
            else:
                around.pop()
                if inner.ends:
                    self._room(32)
                    self.out.append(0x5A)

    def _begin(self, value: Value) -> _Open | None:
        """Write a value, of a container only what stands before its items."""
        if value is None:
            self.null()
        elif isinstance(value, str):
            self.string(value)
        elif isinstance(value, bool):
            self.boolean(value)
        elif isinstance(value, Long):  # asked here: compiled, an int that is passed on forgets its class
            self._number(value, _AS_LONG)
        elif isinstance(value, Milliseconds):
            self._number(value, _AS_DATE)
        elif isinstance(value, int):
            self._number(value, _AS_INT)
        elif isinstance(value, float):
            self.double(value)
        elif isinstance(value, bytes):
            self.binary(value)
        elif isinstance(value, datetime):
            self.date((value - _EPOCH) // _MILLISECOND)
        elif isinstance(value, Reference):
            if not 0 <= value.number < self._references:
                raise ValueError(f"{value!r} is to nothing before it: {self._references}")
            self._refer(value.number)
        elif not isinstance(value, (list, dict, HessianList, HessianMap, HessianObject)):
            raise TypeError(f"{type(value).__name__} is no Hessian value")
        else:
            return self._open(value)
        return None

    def _number(self, value: int, kind: i64) -> None:
        """Write an integer as what it is."""
        if not -(2**63) <= value < 2**63:
            raise ValueError(f"{value} is no integer of 64 bits")
        if kind == _AS_DATE:
            self.date(value)
        elif kind == _AS_LONG or not -0x80000000 <= value <= 0x7FFFFFFF:
            self.long(value)
        else:
            self.integer(value)

    def _open(self, value: Value) -> _Open | None:
        """Write what stands before a container's items, or a reference to it."""
        number = self._numbers.get(id(value), -1)
        if number >= 0:
            self._refer(number)
            return None
        self._numbers[id(value)] = self._references
        self._held.append(value)
        self._references += 1
        flat: list[Value] = []
        if isinstance(value, list):
            self._list_head(len(value), None)
            return _Open(value, False)
        if isinstance(value, HessianList):
            self._list_head(len(value.items), value.type_name)
            return _Open(value.items, False)
        if isinstance(value, HessianObject):
            self._object_head(value)
            return _Open(value.values, False)
        self._room(32)
        if isinstance(value, HessianMap):
            if value.type_name is None:
                self.out.append(0x48)
            else:
                self.out.append(0x4D)
                self._type(value.type_name)
            for pair in value.pairs:
                flat.append(pair[0])
                flat.append(pair[1])
        elif isinstance(value, dict):
            self.out.append(0x48)
            for key, item in value.items():
                flat.append(key)
                flat.append(item)
        return _Open(flat, True)

    def _list_head(self, count: i64, type_name: str | None) -> None:
        """Write a list's type and count."""
        self._room(32)
        if count < 8:
            if type_name is None:
                self.out.append(0x78 + count)
            else:
                self.out.append(0x70 + count)
                self._type(type_name)
            return
        if type_name is None:
            self.out.append(0x58)
        else:
            self.out.append(0x56)
            self._type(type_name)
        self.integer(count)

    def _object_head(self, value: HessianObject) -> None:
        """Write an object's class, and its definition where it is the first of it."""
        name, fields = value.definition.name, value.definition.fields
        if len(fields) != len(value.values):
            raise ValueError(f"{len(value.values)} values for {len(fields)} fields of {name}")
        number = self._classes.get((name, fields), -1)
        self._room(32)
        if number < 0:
            number = self._first_class + len(self._classes)
            self._classes[name, fields] = number
            self.out.append(0x43)
            self.string(name)
            self.integer(len(fields))
            for field in fields:
                self.string(field)
            self._room(32)
        if number < 16:
            self.out.append(0x60 + number)
        else:
            self.out.append(0x4F)
            self.integer(number)

    def _type(self, name: str) -> None:
        """Write a type's name, or the number of one that was written."""
        if not name:
            raise ValueError("a type's name is empty")
        self._room(32)
        number = self._types.get(name, -1)
        if number >= 0:
            self.integer(number)
        else:
            self._types[name] = self._first_type + len(self._types)
            self.string(name)

    def _refer(self, number: int) -> None:
        """Write a reference."""
        self._room(16)
        self.out.append(0x51)
        self.integer(number)

    def _room(self, least: i64) -> None:
        """Empty Java's buffer where it has not so much room left."""
        if _BUFFER - (i64(len(self.out)) - self._emptied) < least:
            self._emptied = len(self.out)

    def _print(self, text: str) -> None:
        """Write UTF-8 of units that are all below 0x10000. Java looks at its buffer before each."""
        octets = text.encode("utf-8", "surrogatepass")
        before: i64 = len(self.out)
        self.out.write(octets)
        count: i64 = len(octets)
        if before + count - self._emptied < _BUFFER - 16:
            return
        at: i64 = 0
        while at < count:
            if octets[at] & 0xC0 != 0x80 and before + at - self._emptied >= _BUFFER - 16:
                self._emptied = before + at
            at += 1


def _units(text: str) -> str:
    """The same with a character for each unit of UTF-16."""
    if max(text) < "\U00010000":
        return text
    parts: list[str] = []
    for character in text:
        code = ord(character)
        if code < 0x10000:
            parts.append(character)
        else:
            parts.append(chr(0xD7C0 + (code >> 10)))
            parts.append(chr(0xDC00 + (code & 0x3FF)))
    return "".join(parts)
