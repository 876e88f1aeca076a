"""Values of JSONB as values of Python, and the octets that fastjson2 writes for them.

    int, long               int: within 32 bits it is written as an int, else within 64 as a long
    text, float, boolean    str, float, bool
    octets                  bytes
    array                   list
    object                  dict, where its keys are texts, each once; else `Pairs`
    of a class              `Typed`
    a path                  `Reference`
    decimal                 `decimal.Decimal`
    more than 4096 bits     str: hexadecimal, of a decimal with its exponent
    dates and times         `datetime.datetime` (of a moment in UTC), `datetime.date`, `datetime.time`; str where those cannot say it

Nothing here recurses: values are made and written with a stack that is counted.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Final, final

from mypy_extensions import i64

from l7codecs import LimitExceeded, ProtocolError

from .scan import (
    ARRAY,
    ARRAY_FIXED,
    BIGINT,
    BIGINT_LONG,
    BINARY,
    CHAR,
    DECIMAL,
    DECIMAL_LONG,
    DOUBLE,
    DOUBLE_LONG,
    DOUBLE_ONE,
    DOUBLE_ZERO,
    FALSE,
    FLOAT,
    FLOAT_INT,
    GB18030,
    INSTANT,
    INT,
    INT16,
    INT_NEGATIVE,
    LOCAL_DATE,
    LOCAL_DATETIME,
    LOCAL_TIME,
    MILLIS,
    MINUTES,
    NULL,
    OBJECT,
    OBJECT_END,
    REFERENCE,
    SECONDS,
    SYMBOL,
    TEXT,
    TRUE,
    TYPED,
    Scanner,
)

__all__ = ["Pairs", "Reference", "Typed", "Value", "decode", "encode", "encode_key", "read"]


@final
@dataclass
class Reference:
    """What stands at a path of JSONPath in the same value; ``#-1`` is the path of the reference before."""

    path: str | None


@final
@dataclass
class Typed:
    """A value of a Java class, which is named as fastjson2 names it: without its package where that is well known."""

    class_name: str | None
    value: Value


@final
@dataclass
class Pairs:
    """An object whose keys are not all texts, or not all different."""

    pairs: list[tuple[Value, Value]]


Value = (
    None
    | bool
    | int
    | float
    | str
    | bytes
    | Decimal
    | datetime
    | date
    | time
    | list["Value"]
    | dict[str, "Value"]
    | Pairs
    | Typed
    | Reference
)

_LARGEST: Final = 512
"""Octets of a whole number that is one of Python: its digits cost the square of their number, and nobody writes more than 4300."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@final
class _Open:
    """A container that is read: what it has so far, and what is still to come."""

    def __init__(self, is_object: bool, left: i64, classes: list[str | None]) -> None:
        self.is_object = is_object
        self.left: i64 = left
        self.items: list[Value] = []
        self.classes = classes

    def made(self) -> Value:
        if not self.is_object:
            return self.items
        items = self.items
        found: dict[str, Value] = {}
        for at in range(0, len(items), 2):
            key = items[at]
            if not isinstance(key, str) or key in found:
                return Pairs([(items[each], items[each + 1]) for each in range(0, len(items), 2)])
            found[key] = items[at + 1]
        return found


def decode(octets: bytes, start: i64, stop: i64, nesting: i64) -> Value:
    """The value ``octets[start:stop]``; what is behind it is not looked at.

    Raises:
        ProtocolError: there is none.
        LimitExceeded: it is deeper than `nesting`.
    """
    return read(Scanner(octets, start, stop), nesting)


def read(scanner: Scanner, nesting: i64) -> Value:
    """As `decode`, of the value at which `scanner` stands."""
    stack: list[_Open] = []
    while True:
        classes: list[str | None] = []
        first = scanner.peek()
        while first == TYPED:
            if len(stack) + len(classes) >= nesting:
                raise _too_deep(scanner, nesting)
            scanner.at += 1
            classes.append(scanner.name())
            first = scanner.peek()
        value: Value = None
        opened = False
        if first == OBJECT:
            scanner.at += 1
            stack.append(_Open(True, 0, classes))
            opened = True
        elif first >= ARRAY_FIXED and first <= ARRAY:
            at = scanner.at
            scanner.at += 1
            count = first - ARRAY_FIXED if first < ARRAY else scanner.number()
            if count < 0 or count > scanner.stop - scanner.at:
                seen = f"an array of {count} values"
                raise ProtocolError(at, seen, f"at most {scanner.stop - scanner.at} octets")
            stack.append(_Open(False, count, classes))
            opened = True
        else:
            value = _typed(_plain(scanner, first), classes)
        if opened and len(stack) + len(classes) > nesting:
            raise _too_deep(scanner, nesting)
        if not opened:
            if not stack:
                return value
            stack[-1].items.append(value)
        while True:
            top = stack[-1]
            if top.is_object:
                if len(top.items) & 1 or scanner.peek() != OBJECT_END:
                    break
                scanner.at += 1
            elif len(top.items) < top.left:
                break
            stack.pop()
            value = _typed(top.made(), top.classes)
            if not stack:
                return value
            stack[-1].items.append(value)


def _too_deep(scanner: Scanner, nesting: i64) -> LimitExceeded:
    return LimitExceeded(scanner.at, f"a value deeper than {nesting}", f"at most limits.nesting = {nesting}")


def _typed(value: Value, classes: list[str | None]) -> Value:
    for name in reversed(classes):
        value = Typed(name, value)
    return value


def _plain(scanner: Scanner, first: i64) -> Value:
    """A value that has no values in it, or a name, which begins with the octet `first`."""
    if first <= INT or first >= INT_NEGATIVE:
        return int(scanner.number())
    if first >= TEXT and first <= GB18030:
        return scanner.string()
    if first == NULL:
        scanner.at += 1
        return None
    if first == TRUE or first == FALSE:
        scanner.at += 1
        return first == TRUE
    if first >= INT16:
        return scanner.long()
    if first == SYMBOL:
        scanner.at += 1
        return scanner.name()
    if first >= LOCAL_TIME and first < NULL:
        return _time(scanner, first)
    start = scanner.at
    if first == BIGINT or first == BINARY:
        scanner.at += 1
        size = scanner.number()
        begin = scanner.at
        scanner.at = start
        scanner.skip()
        octets = scanner.octets[begin : begin + size]
        return octets if first == BINARY else _whole(octets)
    if first == DOUBLE or first == FLOAT:
        scanner.skip()
        form = ">d" if first == DOUBLE else ">f"
        number: float = struct.unpack(form, scanner.octets[start + 1 : scanner.at])[0]
        return number
    if first == DECIMAL_LONG:
        scanner.at += 1
        return Decimal(scanner.long())
    if first == DECIMAL:
        return _decimal(scanner)
    scanner.at += 1
    if first == DOUBLE_ZERO or first == DOUBLE_ONE:
        return 0.0 if first == DOUBLE_ZERO else 1.0
    if first == DOUBLE_LONG:
        return float(scanner.long())
    if first == FLOAT_INT:
        return float(int(scanner.number()))
    if first == BIGINT_LONG:
        return scanner.long()
    if first == CHAR:
        unit = int(scanner.number()) & 0xFFFF
        return chr(unit)
    if first == REFERENCE:
        scanner.references += 1
        return Reference(scanner.string())
    raise ProtocolError(start, f"octet {first:02x}", "a value of JSONB")


def _whole(octets: bytes) -> int | str:
    """A whole number; as hexadecimal text where decimal digits of it would cost too much."""
    number = int.from_bytes(octets, "big", signed=True)
    return number if len(octets) <= _LARGEST else hex(number)


def _decimal(scanner: Scanner) -> Decimal | str:
    scanner.at += 1
    scale = int(scanner.number())
    first = scanner.peek()
    if first == BIGINT or first == BIGINT_LONG:
        unscaled = _plain_integer(scanner, first)
        if isinstance(unscaled, str):
            return f"{unscaled}E{-scale}"
    else:
        unscaled = scanner.long()
    sign, digits, _ = Decimal(unscaled).as_tuple()
    return Decimal((sign, digits, -scale))


def _plain_integer(scanner: Scanner, first: i64) -> int | str:
    scanner.at += 1
    if first == BIGINT_LONG:
        return scanner.long()
    size = scanner.number()
    begin = scanner.at
    if size < 0 or size > scanner.stop - begin:
        raise ProtocolError(begin, f"a size of {size}", f"at most {scanner.stop - begin} octets")
    scanner.at = begin + size
    return _whole(scanner.octets[begin : begin + size])


def _time(scanner: Scanner, first: i64) -> Value:
    octets = scanner.octets
    at = scanner.at + 1
    scanner.skip()
    stop = scanner.at
    if first == MILLIS:
        return _moment(0, int.from_bytes(octets[at:stop], "big", signed=True) * 1000)
    if first == SECONDS or first == MINUTES:
        number = int.from_bytes(octets[at:stop], "big", signed=True)
        return _moment(number * (60 if first == MINUTES else 1), 0)
    part = Scanner(octets, at, stop)
    if first == INSTANT:
        seconds = part.long()
        return _moment(seconds, int(part.number()) // 1000)
    day = ""
    if first != LOCAL_TIME:
        year = int.from_bytes(octets[at : at + 2], "big", signed=True)
        day = f"{year:04d}-{octets[at + 2]:02d}-{octets[at + 3]:02d}"
        at += 4
    if first == LOCAL_DATE:
        return _iso(day, first)
    clock = f"{octets[at]:02d}:{octets[at + 1]:02d}:{octets[at + 2]:02d}"
    part.at = at + 3
    nano = int(part.number())
    if nano:
        clock += f".{nano:09d}"[: 7 if nano % 1000 == 0 else 10]
    if first == LOCAL_TIME:
        return _iso(clock, first)
    if first == LOCAL_DATETIME:
        return _iso(f"{day}T{clock}", first)
    return f"{day}T{clock}[{part.string() if part.at < stop else ''}]"


def _moment(seconds: int, micros: int) -> Value:
    try:
        return _EPOCH + timedelta(seconds=seconds, microseconds=micros)
    except OverflowError:
        return f"{seconds + micros // 1_000_000} s"


def _iso(text: str, first: i64) -> Value:
    """`text` as what it says; text where Python cannot say it: nanoseconds, years below 1."""
    if "." in text and len(text) - text.index(".") > 7:
        return text
    try:
        if first == LOCAL_DATE:
            return date.fromisoformat(text)
        return time.fromisoformat(text) if first == LOCAL_TIME else datetime.fromisoformat(text)
    except ValueError:
        return text


def encode_key(key: str) -> bytes:
    """A key of a map."""
    return _text(key)


def encode(value: Value, nesting: int = 64) -> bytes:
    """Octets that fastjson2 reads as `value`; but for texts beyond Latin-1, which are always in UTF-8 here, those that it writes.

    Classes, decimals, dates and references are not written: ValueError. So are integers of more than 64 bits.
    """
    parts: list[bytes] = []
    stack: list[list[Value | bytes]] = []
    ready: list[Value | bytes] = [value]
    ends: list[bytes] = [b""]
    stack.append(ready)
    while stack:
        top = stack[-1]
        if not top:
            stack.pop()
            parts.append(ends.pop())
            continue
        item = top.pop()
        if isinstance(item, list):
            count = len(item)
            parts.append(bytes((ARRAY_FIXED + count,)) if count < 16 else b"\xa4" + _int(count))
            inner: list[Value | bytes] = list(reversed(item))
            ends.append(b"")
        elif isinstance(item, dict):
            parts.append(b"\xa6")
            inner = []
            for key in reversed(item):
                inner.append(item[key])
                inner.append(key)
            ends.append(b"\xa5")
        else:
            parts.append(_encode_plain(item))
            continue
        if len(stack) > nesting:
            raise ValueError(f"a value deeper than {nesting}")
        stack.append(inner)
    return b"".join(parts)


def _encode_plain(value: Value) -> bytes:
    if value is None:
        return b"\xaf"
    if isinstance(value, bool):
        return b"\xb1" if value else b"\xb0"
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, int):
        return _int(value) if -(1 << 31) <= value < 1 << 31 else _long(value)
    if isinstance(value, float):
        return _double(value)
    if isinstance(value, bytes):
        return b"\x91" + _int(len(value)) + value
    raise ValueError(f"{type(value).__name__} is not written as JSONB")


def _int(number: int) -> bytes:
    if -16 <= number <= 47:
        return bytes((number & 0xFF,))
    if -0x800 <= number <= 0x7FF:
        return (number + (0x38 << 8)).to_bytes(2, "big")
    if -0x40000 <= number <= 0x3FFFF:
        return (number + (0x44 << 16)).to_bytes(3, "big")
    return b"\x48" + number.to_bytes(4, "big", signed=True)


def _long(number: int) -> bytes:
    if not -(1 << 63) <= number < 1 << 63:
        raise ValueError(f"{number} has more than 64 bits")
    return b"\xbe" + number.to_bytes(8, "big", signed=True)


def _double(number: float) -> bytes:
    if number == 1.0:
        return b"\xb3"
    if number == 0.0 and struct.pack(">d", number)[0] == 0:
        return b"\xb2"
    if number != 0.0 and number.is_integer() and -(2**31) <= number < 2**31:
        return b"\xb4" + _shortest(int(number))
    return b"\xb5" + struct.pack(">d", number)


def _shortest(number: int) -> bytes:
    """A long of 32 bits."""
    if -8 <= number <= 15:
        return bytes((number + 8 + 0xD8,))
    if -0x800 <= number <= 0x7FF:
        return (number + (0xD0 << 8)).to_bytes(2, "big")
    if -0x40000 <= number <= 0x3FFFF:
        return (number + (0xC4 << 16)).to_bytes(3, "big")
    return b"\xbf" + number.to_bytes(4, "big", signed=True)


def _text(text: str) -> bytes:
    try:
        octets = text.encode("latin-1")
    except UnicodeEncodeError:
        try:
            octets = text.encode("utf-8")
        except UnicodeEncodeError:
            raise ValueError("a text with half a surrogate pair") from None
        return b"\x7a" + _int(len(octets)) + octets
    if len(octets) <= 47:
        return bytes((TEXT + len(octets),)) + octets
    return b"\x79" + _int(len(octets)) + octets
