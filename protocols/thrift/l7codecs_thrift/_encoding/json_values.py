"""Values of Apache's JSON. Their layout: `json`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final
from uuid import UUID

from mypy_extensions import i64

from l7codecs import ProtocolError

from .cursor import Cursor
from .json_text import SPACE, JsonScan, string_end, text_between
from .types import BOOL, DOUBLE, MAP, STRING, UUID_TYPE

if TYPE_CHECKING:
    from .types import Value

__all__ = ["JsonCursor"]

_TYPES: Final[dict[bytes, int]] = {
    b"tf": 2, b"i8": 3, b"dbl": 4, b"i16": 6, b"i32": 8, b"i64": 10, b"str": 11, b"rec": 12, b"map": 13, b"set": 14,
    b"lst": 15, b"uid": 16,
}  # fmt: skip
_LONGEST: Final[i64] = 400
"""Characters of a number; a double in its longest form has some 330."""


@final
class JsonCursor(Cursor):
    """See `Cursor`. What passes over values checks that they are JSON; of what reads them, the commas and colons are not looked at."""

    def open_struct(self) -> None:
        """See `Cursor.open_struct`."""
        self._expect(0x7B)

    def field(self) -> bool:
        """See `Cursor.field`."""
        if self._next() == 0x7D:
            self.at += 1
            return False
        at = self.at
        key = self._string()
        sign = key[:1] == b"-"
        if len(key) > 6 or not key[1 if sign else 0 :].isdigit():
            raise ProtocolError(at, f"the key {key[:20]!r}", "the id of a field")
        found = i64(int(key))
        if found < -0x8000 or found > 0x7FFF:
            raise ProtocolError(at, f"field {found}", "an id of 16 bits")
        self.id = found
        self._expect(0x3A)
        self._expect(0x7B)
        self.type = self._type()
        self._expect(0x3A)
        return True

    def after_field(self) -> None:
        """See `Cursor.after_field`."""
        self._expect(0x7D)

    def open_list(self) -> None:
        """See `Cursor.open_list`."""
        at = self.at
        self._expect(0x5B)
        self.element_type = self._type()
        self._count(at)

    def open_map(self) -> None:
        """See `Cursor.open_map`."""
        at = self.at
        self._expect(0x5B)
        self.key_type = self._type()
        self.element_type = self._type()
        self._count(at)
        self._next()
        self._expect(0x7B)

    def close(self, kind: i64) -> None:
        """See `Cursor.close`."""
        if kind == MAP:
            self._expect(0x7D)
        self._expect(0x5D)

    def scalar(self, type: i64) -> Value:
        """See `Cursor.scalar`."""
        is_string = self._next() == 0x22
        at = self.at
        if type == STRING or type == UUID_TYPE:
            begin = at + 1
            inner = self._string()
            text = text_between(self.octets, begin, begin + len(inner))
            if type == STRING:
                return inner if text is None else text
            try:
                return UUID(text or "")
            except ValueError:
                raise ProtocolError(at, f"{inner[:40]!r}", "a uuid") from None
        told = self._string() if is_string else self._bare()
        if type == BOOL and told in (b"1", b"0", b"true", b"false"):
            return told in (b"1", b"true")
        if len(told) <= _LONGEST and b"_" not in told:
            try:
                number = float(told) if type == DOUBLE else int(told)
            except ValueError:
                number = _as_float(told)
            if type == DOUBLE or number == number // 1:
                return number if type == DOUBLE else int(number)
        raise ProtocolError(at, f"{told[:20]!r}", "a number")

    def skip(self, type: i64) -> None:
        """See `Cursor.skip`."""
        self._next()
        at = self.at
        scan = JsonScan(1 << 62)
        self.at = scan.feed(self.octets, at, self.stop)
        if not scan.done:
            raise self.cut()

    def _next(self) -> i64:
        """The octet that comes next, behind white space and one comma or colon, if there is one."""
        octets = self.octets
        at = self.at
        stop = self.stop
        passed = False
        while at < stop:
            octet = i64(octets[at])
            if (octet == 0x2C or octet == 0x3A) and not passed:
                passed = True
            elif octet not in SPACE:
                self.at = at
                return octet
            at += 1
        raise self.cut()

    def _expect(self, expected: i64) -> None:
        """Go behind an octet that must come next, but for white space, and a comma before a value."""
        if expected != 0x3A:
            found = self._next()
        else:
            while self.at < self.stop and self.octets[self.at] in SPACE:
                self.at += 1
            if self.at >= self.stop:
                raise self.cut()
            found = i64(self.octets[self.at])
        if found != expected:
            raise ProtocolError(self.at, f"octet {found:02x}", f"octet {expected:02x}")
        self.at += 1

    def _string(self) -> bytes:
        """What is between two quotes, as it stands."""
        self._expect(0x22)
        begin = self.at
        end = string_end(self.octets, begin, self.stop)
        if end < 0:
            raise self.cut()
        self.at = end + 1
        return self.octets[begin:end]

    def _bare(self) -> bytes:
        """A number or a word, as it stands."""
        octets = self.octets
        begin = self.at
        end = begin
        while end < self.stop and octets[end] not in b' \t\r\n,:]}"[{':
            end += 1
        self.at = end
        return octets[begin:end]

    def _type(self) -> i64:
        self._next()
        at = self.at
        word = self._string()
        found = _TYPES.get(word)
        if found is None:
            raise ProtocolError(at, f"the type {word[:20]!r}", "a type of Thrift")
        return i64(found)

    def _count(self, at: i64) -> None:
        self._next()
        word = self._bare()
        if not word.isdigit() or len(word) > 10:
            raise ProtocolError(at, f"a count of {word[:20]!r}", "a number")
        self.count = i64(int(word))
        self.check_count(at, 1)


def _as_float(told: bytes) -> float:
    """A number with a point, or not a number: NaN, which no integer is."""
    try:
        return float(told)
    except ValueError:
        return float("nan")
