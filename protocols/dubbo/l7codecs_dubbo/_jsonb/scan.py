"""One value of JSONB: passing over it, its texts, and the class and message of an exception.

    00-2f f0-ff            int of itself: 0 to 47, -16 to -1          90 n               char
    30-3f, 40-47, 48       int of 12, 19, 32 bits                     91 n …             n octets
    49-78                  text of 0 to 47 octets, Latin-1            92 name v          v is of the class `name`
    79 n, 7a n             text of n octets, Latin-1 or UTF-8         93 text            what is at a path of JSONPath
    7b-7d n, 7e n          text in UTF-16, GB18030                    94-a3, a4 n        array of 0 to 15, n values
    7f name                a name                                     a6 (k v)* a5       object
    d8-ef, c8-d7, c0-c7    long of itself: -8 to 15, 12, 19 bits      a7-ae              dates and times
    bf, be                 long of 32, 64 bits                        af b0 b1           null, false, true
    bc bd                  short, byte                                b2-bb              floats, decimals, large integers

    name = text id         its first use: `id` is an int that names it from now on, in this value
         | id              any later use

`n` is an int. All numbers are big-endian. Source: `com.alibaba.fastjson2.JSONB.Constants`, `JSONReaderJSONB`, 2.0.56.

Not handled: symbol tables that both sides have agreed on before (negative ids); Dubbo has none.
"""

from __future__ import annotations

from typing import Final, final

from librt.strings import read_i32_be
from librt.vecs import append, vec
from mypy_extensions import i64

from l7codecs import ProtocolError

from .names import exception_class

__all__ = ["Scanner", "text_of"]

INT_BYTE: Final[i64] = 0x30
INT_SHORT: Final[i64] = 0x40
INT: Final[i64] = 0x48
TEXT: Final[i64] = 0x49
TEXT_SIZED: Final[i64] = 0x79
UTF8: Final[i64] = 0x7A
UTF16: Final[i64] = 0x7B
UTF16LE: Final[i64] = 0x7C
UTF16BE: Final[i64] = 0x7D
GB18030: Final[i64] = 0x7E
SYMBOL: Final[i64] = 0x7F
CHAR: Final[i64] = 0x90
BINARY: Final[i64] = 0x91
TYPED: Final[i64] = 0x92
REFERENCE: Final[i64] = 0x93
ARRAY_FIXED: Final[i64] = 0x94
ARRAY: Final[i64] = 0xA4
OBJECT_END: Final[i64] = 0xA5
OBJECT: Final[i64] = 0xA6
LOCAL_TIME: Final[i64] = 0xA7
LOCAL_DATETIME: Final[i64] = 0xA8
LOCAL_DATE: Final[i64] = 0xA9
ZONED: Final[i64] = 0xAA
MILLIS: Final[i64] = 0xAB
SECONDS: Final[i64] = 0xAC
MINUTES: Final[i64] = 0xAD
INSTANT: Final[i64] = 0xAE
NULL: Final[i64] = 0xAF
FALSE: Final[i64] = 0xB0
TRUE: Final[i64] = 0xB1
DOUBLE_ZERO: Final[i64] = 0xB2
DOUBLE_ONE: Final[i64] = 0xB3
DOUBLE_LONG: Final[i64] = 0xB4
DOUBLE: Final[i64] = 0xB5
FLOAT_INT: Final[i64] = 0xB6
FLOAT: Final[i64] = 0xB7
DECIMAL_LONG: Final[i64] = 0xB8
DECIMAL: Final[i64] = 0xB9
BIGINT_LONG: Final[i64] = 0xBA
BIGINT: Final[i64] = 0xBB
INT16: Final[i64] = 0xBC
INT8: Final[i64] = 0xBD
INT64: Final[i64] = 0xBE
INT64_INT: Final[i64] = 0xBF
LONG_SHORT: Final[i64] = 0xC0
LONG_BYTE: Final[i64] = 0xC8
LONG_NUM: Final[i64] = 0xD8
INT_NEGATIVE: Final[i64] = 0xF0

_KEY: Final[i64] = -1
_VALUE: Final[i64] = -2
"""What comes next in an object; in an array it is how many elements do."""


def _sizes() -> bytes:
    """How many octets a value has, by its first; 0: that says not all."""
    sizes = bytearray(256)
    for first in range(256):
        if first < INT_BYTE or first >= LONG_NUM:
            sizes[first] = 1
        elif first < INT_SHORT or LONG_BYTE <= first < LONG_NUM:
            sizes[first] = 2
        elif first < INT or LONG_SHORT <= first < LONG_BYTE:
            sizes[first] = 3
        elif TEXT <= first < TEXT_SIZED:
            sizes[first] = first - TEXT + 1
    for first in (NULL, FALSE, TRUE, DOUBLE_ZERO, DOUBLE_ONE):
        sizes[first] = 1
    sizes[INT8] = 2
    sizes[INT16] = 3
    for first in (INT, SECONDS, MINUTES, FLOAT, INT64_INT, LOCAL_DATE):
        sizes[first] = 5
    for first in (INT64, MILLIS, DOUBLE):
        sizes[first] = 9
    return bytes(sizes)


_SIZES: Final = _sizes()


@final
class Scanner:
    """Stands at ``at`` in one value, ``octets[start:stop]``, or in several that know each other's names."""

    def __init__(self, octets: bytes, start: i64, stop: i64) -> None:
        if start < 0 or stop > len(octets):
            raise ValueError(f"no octets from {start} to {stop}: {len(octets)}")
        self.octets = octets
        self.at: i64 = start
        self.stop: i64 = stop
        self.names: dict[int, int] | None = None
        """Where the text of each id is that was passed so far."""
        self._texts: dict[int, str | None] | None = None
        """The texts of ids that somebody asked for: a name that comes again is one string, however long."""
        self.references = 0
        """How many references were passed so far."""
        self.defined: set[int] | None = None
        self.used: set[int] | None = None
        """The ids of names, where somebody wants them, that were defined so far, and that were used."""

    def skip(self) -> None:
        """Pass over one value.

        Raises:
            ProtocolError: here is none. Its offset counts from the start of ``octets``.
        """
        octets = self.octets
        stop = self.stop
        outer = vec[i64]()
        depth: i64 = 0
        left: i64 = 1
        while True:
            if left == 0:
                if depth == 0:
                    return
                depth -= 1
                left = outer[depth]
                continue
            at = self.at
            if at >= stop:
                raise self._cut()
            first: i64 = octets[at]
            if left == _KEY:
                if first == OBJECT_END:
                    self.at = at + 1
                    depth -= 1
                    left = outer[depth]
                    continue
                left = _VALUE
            elif left == _VALUE:
                left = _KEY
            else:
                left -= 1
            size: i64 = _SIZES[first]
            if size > 0:
                if at + size > stop:
                    raise self._cut()
                self.at = at + size
                continue
            while first == TYPED:
                self.at += 1
                self.skip_name()
                if self.at >= stop:
                    raise self._cut()
                first = octets[self.at]
            opened = self._begin(first)
            if opened == 0:
                continue
            if depth < len(outer):
                outer[depth] = left
            else:
                outer = append(outer, left)
            depth += 1
            left = opened if opened == _KEY else opened - 1

    def _begin(self, first: i64) -> i64:
        """Pass over a value that begins with `first`. 0 if that is all; else what is in it: `_KEY`, or elements and 1."""
        at = self.at
        size: i64 = _SIZES[first]
        if size > 0:
            self._move(size)
        elif first == OBJECT:
            self.at = at + 1
            return _KEY
        elif first >= ARRAY_FIXED and first <= ARRAY:
            self.at = at + 1
            count = first - ARRAY_FIXED if first < ARRAY else self.number()
            if count < 0 or count > self.stop - self.at:
                raise ProtocolError(at, f"an array of {count} values", f"at most {self.stop - self.at} octets")
            return count + 1
        elif first == SYMBOL:
            self.at = at + 1
            self.skip_name()
        elif (first >= TEXT_SIZED and first <= GB18030) or first == BINARY or first == BIGINT:
            self.at = at + 1
            self._move(self._length())
        else:
            self._number_or_time(first)
        return 0

    def _number_or_time(self, first: i64) -> None:
        at = self.at
        self.at = at + 1
        if first == CHAR or first == FLOAT_INT:
            self.number()
        elif first == DOUBLE_LONG or first == DECIMAL_LONG or first == BIGINT_LONG:
            self.long()
        elif first == INSTANT:
            self.long()
            self.number()
        elif first == LOCAL_TIME:
            self._move(3)
            self.number()
        elif first == LOCAL_DATETIME:
            self._move(7)
            self.number()
        elif first == ZONED:
            self._move(7)
            self.number()
            self.string()
        elif first == REFERENCE:
            self.references += 1
            self.string()
        elif first == DECIMAL:
            self.number()
            unscaled = self.peek()
            if unscaled == BIGINT:
                self.at += 1
                self._move(self._length())
            else:
                if unscaled == BIGINT_LONG:
                    self.at += 1
                self.long()
        else:
            raise ProtocolError(at, f"octet {first:02x}", "a value of JSONB")

    def peek(self) -> i64:
        """The octet where it stands."""
        if self.at >= self.stop:
            raise self._cut()
        return self.octets[self.at]

    def number(self) -> i64:
        """An int of any size, as lengths, counts and ids are."""
        at = self.at
        first = self.peek()
        if first < INT_BYTE:
            self.at = at + 1
            return first
        if first >= INT_NEGATIVE:
            self.at = at + 1
            return first - 0x100
        if first < INT_SHORT:
            self._move(2)
            second: i64 = self.octets[at + 1]
            return (first - 0x38) * 0x100 + second
        if first < INT:
            self._move(3)
            upper: i64 = self.octets[at + 1]
            lower: i64 = self.octets[at + 2]
            return (first - 0x44) * 0x10000 + upper * 0x100 + lower
        if first == INT:
            self._move(5)
            return i64(read_i32_be(self.octets, at + 1))
        raise ProtocolError(at, f"octet {first:02x}", "an int of JSONB")

    def long(self) -> int:
        """An integer of any type and size."""
        at = self.at
        first = self.peek()
        if first < TEXT or first >= INT_NEGATIVE:
            return int(self.number())
        size: i64 = _SIZES[first]
        if first >= LONG_SHORT or (first >= INT16 and first <= INT64_INT):
            self._move(size)
            if first >= LONG_NUM:
                return int(first - LONG_NUM - 8)
            if first < LONG_SHORT:
                return int.from_bytes(self.octets[at + 1 : at + size], "big", signed=True)
            rest = int.from_bytes(self.octets[at + 1 : at + size], "big")
            return int(first - 0xD0) * 0x100 + rest if first >= LONG_BYTE else int(first - 0xC4) * 0x10000 + rest
        raise ProtocolError(at, f"octet {first:02x}", "an integer of JSONB")

    def _length(self) -> i64:
        at = self.at
        size = self.number()
        if size < 0:
            raise ProtocolError(at, f"a size of {size}", "one that is not negative")
        return size

    def _move(self, size: i64) -> None:
        if size > self.stop - self.at:
            raise self._cut()
        self.at += size

    def _cut(self) -> ProtocolError:
        return ProtocolError(self.at, "the end of the value", "the rest of it")

    def string(self) -> str | None:
        """A text; None for null."""
        start = self.at
        first = self.peek()
        if first == NULL:
            self.at += 1
            return None
        if first < TEXT or first > GB18030:
            raise ProtocolError(start, f"octet {first:02x}", "a text of JSONB")
        if first < TEXT_SIZED:
            self._move(first - TEXT + 1)
            return self.octets[start + 1 : self.at].decode("latin-1")
        self.at = start + 1
        size = self._length()
        begin = self.at
        self._move(size)
        return text_of(first, self.octets[begin : self.at])

    def _skip_text(self, first: i64) -> None:
        """A text that begins with `first`."""
        if first < TEXT_SIZED:
            self._move(first - TEXT + 1)
        else:
            self.at += 1
            self._move(self._length())

    def skip_name(self) -> None:
        """A name behind 7f or 92: with its id, or the id alone."""
        first = self.peek()
        if first == SYMBOL:
            self.at += 1
            first = self.peek()
        if first <= INT or first >= INT_NEGATIVE:
            used = int(self.number())
            if self.used is not None:
                self.used.add(used)
            return
        start = self.at
        if first < TEXT or first > GB18030:
            raise ProtocolError(start, f"octet {first:02x}", "a name: a text or an int of JSONB")
        self._skip_text(first)
        number = int(self.number())
        if self.names is None:
            self.names = {}
        self.names[number] = int(start)
        if self._texts is not None:
            self._texts.pop(number, None)
        if self.defined is not None:
            self.defined.add(number)

    def name(self) -> str | None:
        """As `skip_name`, and what it is; None where that was not defined before."""
        start = self.at
        self.skip_name()
        if self.octets[start] == SYMBOL:
            start += 1
        end = self.at
        self.at = start
        first: i64 = self.octets[start]
        found: str | None = None
        if first > INT and first < INT_NEGATIVE:
            found = self.string()
        elif self.names is not None:
            number = int(self.number())
            if self._texts is None:
                self._texts = {}
            if number in self._texts:
                found = self._texts[number]
            elif number in self.names:
                self.at = self.names[number]
                found = self.string()
                self._texts[number] = found
        self.at = end
        return found

    def key(self) -> str | None:
        """A key of an object, which is a text or a name; None where it is something else, and passed over."""
        first = self.peek()
        if first == SYMBOL:
            self.at += 1
            return self.name()
        if first >= TEXT and first <= GB18030:
            return self.string()
        self.skip()
        return None

    def throwable(self) -> tuple[str | None, str | None]:
        """The class of an exception and its ``detailMessage``; None where it has none. Its frames are passed over."""
        class_name: str | None = None
        message: str | None = None
        while self.peek() == TYPED:
            self.at += 1
            class_name = self.name()
        if self.peek() != OBJECT:
            self.skip()
            return None if class_name is None else exception_class(class_name), None
        self.at += 1
        while self.peek() != OBJECT_END:
            name = self.key()
            first = self.peek()
            if name == "detailMessage" and (first == NULL or (first >= TEXT and first <= GB18030)):
                message = self.string()
            else:
                self.skip()
        self.at += 1
        return None if class_name is None else exception_class(class_name), message


def text_of(form: i64, octets: bytes) -> str:
    """The octets of a text whose first octet is `form`. What is no text in its encoding has U+FFFD, as Java reads it."""
    if form < UTF8:
        return octets.decode("latin-1")
    if form == UTF8:
        try:
            return octets.decode("utf-8")
        except UnicodeDecodeError:
            pass
        try:
            # A pair of surrogates in three octets each is one character; a lone one stays.
            text = octets.decode("utf-8", "surrogatepass")
        except UnicodeDecodeError:
            return octets.decode("utf-8", "replace")
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
    if form == UTF16LE:
        return octets.decode("utf-16-le", "replace")
    if form == GB18030:
        return octets.decode("gb18030", "replace")
    if form == UTF16 and octets[:2] == b"\xff\xfe":
        return octets[2:].decode("utf-16-le", "replace")
    if form == UTF16 and octets[:2] == b"\xfe\xff":
        return octets[2:].decode("utf-16-be", "replace")
    return octets.decode("utf-16-be", "replace")
