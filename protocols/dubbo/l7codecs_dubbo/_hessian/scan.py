"""A Hessian 2 stream: passed over where nobody asks, read where somebody does."""

from __future__ import annotations

from typing import Final, final

from mypy_extensions import i64, mypyc_attr

from l7codecs import Limits
from l7codecs.limits import DEFAULT_LIMITS

from .known import LONGEST, Pair, entry_behind, find_entry, first_entry
from .reading import read_value
from .stream import Stream
from .strings import string_between, string_end
from .tags import (
    CUT,
    DEFINITION,
    END,
    MAP,
    MAP_UNTYPED,
    NO_MAP,
    NULL,
    OBJECT,
    STRING_CHUNK,
    STRING_LAST,
    read_int,
)
from .values import Reference, Value

__all__ = ["Entry", "Pair", "Scanner", "decode"]

_MESSAGE: Final = b"\x0ddetailMessage"


@final
@mypyc_attr(acyclic=True)
class Entry:
    """An entry of a map: its key and value, and where they stand in the octets.

    The key begins at `start`, the value at `key_end`; the entry ends at `stop`.
    """

    def __init__(self, key: str, value: Value, start: i64, key_end: i64, stop: i64) -> None:
        self.key = key
        self.value = value
        self.start: i64 = start
        self.key_end: i64 = key_end
        self.stop: i64 = stop

    def __repr__(self) -> str:
        return f"Entry({self.key!r}, {self.value!r}, {self.start}, {self.key_end}, {self.stop})"


@final
@mypyc_attr(acyclic=True)
class Scanner(Stream):
    """See `Stream`. A value that refers to one that was passed over has a `Reference` in its place, which `resolve` reads."""

    def __init__(
        self,
        octets: bytes,
        start: i64,
        stop: i64,
        nesting: i64 = DEFAULT_LIMITS.nesting,
        elements: i64 = DEFAULT_LIMITS.elements,
        partial: bool = False,
    ) -> None:
        super().__init__(octets, start, stop, nesting, elements, partial)
        self._known: list[Value] | None = None
        self._all: list[Value] | None = None
        self.is_mixed = False
        """Whether `map_pairs` has met a value that is no string."""

    def string(self) -> str | None:
        """One string; None for null. Raises `ProtocolError` where there is none."""
        at = self.at
        end = string_end(self.octets, at, self.stop)
        if end < 0:
            raise self.failure(at, -end)
        self.at = end
        return string_between(self.octets, at, end)

    def skip_string(self) -> None:
        """Pass over one string, or null. Raises `ProtocolError` where there is none."""
        end = string_end(self.octets, self.at, self.stop)
        if end < 0:
            raise self.failure(self.at, -end)
        self.at = end

    def value(self) -> Value:
        """One value, with the definitions before it. Raises as `skip` does."""
        known = self._known
        if known is None:
            known = []
            self._known = known
        return read_value(self, known)

    def resolve(self, reference: Reference) -> Value:
        """What a reference stands for. The first one reads all of the stream up to here."""
        if self._all is None:
            again = Scanner(self.octets, self.start, self.stop, self.nesting, self.elements)
            known: list[Value] = []
            while again.at < self.at:
                read_value(again, known)
            self._all = known
        return self._all[reference.number]

    def map_entries(self) -> list[Entry] | None:
        """The entries of one map, in their order; None for null. One whose key is no string is left out.

        Raises:
            ProtocolError: there is no map, or it cannot be read.
        """
        octets = self.octets
        stop = self.stop
        at = self._enter_map()
        if at < 0:
            return None
        entries: list[Entry] = []
        while True:
            if at >= stop:
                raise self.failure(at, CUT)
            tag: i64 = octets[at]
            if tag == END:
                self.at = at + 1
                return entries
            start = at
            if tag == NULL or not _is_string(tag):
                self.at = at
                self.skip_many(2)
                at = self.at
                continue
            key_end = string_end(octets, start, stop)
            if key_end < 0:
                raise self.failure(start, -key_end)
            key = string_between(octets, start, key_end)
            assert key is not None
            if key_end >= stop:
                raise self.failure(key_end, CUT)
            tag = octets[key_end]
            if _is_string(tag):
                at = string_end(octets, key_end, stop)
                if at < 0:
                    raise self.failure(key_end, -at)
                entries.append(Entry(key, string_between(octets, key_end, at), start, key_end, at))
            else:
                self.at = key_end
                value = self.value()
                at = self.at
                entries.append(Entry(key, value, start, key_end, at))

    def map_pairs(self) -> list[Pair] | None:
        """As `map_entries`, each a tuple of key and value, without places. One of two strings that comes again is the same tuple."""
        octets = self.octets
        stop = self.stop
        at = self._enter_map()
        if at < 0:
            return None
        pairs: list[Pair] = []
        before = first_entry()
        while True:
            if at >= stop:
                raise self.failure(at, CUT)
            start = at
            tag: i64 = octets[at]
            if tag == END:
                self.at = at + 1
                return pairs
            known = entry_behind(before, octets, at, stop)
            if known is not None:
                before = known
                pairs.append(known.pair)
                at += known.size
                continue
            if not _is_string(tag):
                self.at = at
                self.skip_many(2)
                at = self.at
                continue
            middle = string_end(octets, start, stop)
            if middle < 0:
                raise self.failure(start, -middle)
            if middle >= stop:
                raise self.failure(middle, CUT)
            if not _is_string(octets[middle]):
                key = string_between(octets, start, middle)
                assert key is not None
                self.at = middle
                self.is_mixed = True
                pairs.append((key, self.value()))
                at = self.at
                continue
            at = string_end(octets, middle, stop)
            if at < 0:
                raise self.failure(middle, -at)
            if at - start > LONGEST:
                pairs.append(_pair(octets, start, middle, at))
                continue
            before = find_entry(before, octets, start, at)
            if not before.pair:
                before.pair = _pair(octets, start, middle, at)
            pairs.append(before.pair)

    def _enter_map(self) -> i64:
        """Where the first entry of the map begins at which the stream stands; -1: it was null."""
        begin = self.value_start()
        tag: i64 = self.octets[begin]
        if tag == NULL:
            self.at = begin + 1
            return -1
        at = begin + 1
        if tag == MAP:
            at = self.type_end(at)
            if at < 0:
                raise self.failure(begin, -at)
        elif tag != MAP_UNTYPED:
            raise self.failure(begin, NO_MAP)
        self.references += 1
        return at

    def throwable(self) -> tuple[str | None, str | None]:
        """Class name and message of an exception: its first field ``detailMessage``.

        None where it is no object, or that no string.

        Raises:
            ProtocolError: it cannot be read.
        """
        octets = self.octets
        at = self.value_start()
        tag: i64 = octets[at]
        if tag == MAP:
            return self._typed_map(at)
        if not (0x60 <= tag < 0x70 or tag == OBJECT):
            self.skip_many(1)
            return None, None
        number = tag - 0x60
        begin = at + 1
        if tag == OBJECT:
            begin = self.int_end(begin)
            if begin < 0:
                raise self.failure(at, -begin)
            number = read_int(octets, at + 1)
        if not 0 <= number * 3 < len(self.classes):
            self.skip_many(1)  # raises
        fields = self.classes[number * 3 + 2]
        before = self._field(number)
        name = self._string(self.classes[number * 3])
        self.at = begin
        self.references += 1
        self.skip_many(before)
        message: str | None = None
        if before < fields:
            message = self._message()
            self.skip_many(fields - before - 1)
        return name, message

    def _typed_map(self, begin: i64) -> tuple[str | None, str | None]:
        """As `throwable`, of a map with the exception's type."""
        at = self.type_end(begin + 1)
        if at < 0:
            raise self.failure(begin, -at)
        name = self.type_name(self.type_number)
        self.at = at
        self.references += 1
        message: str | None = None
        while True:
            at = self.at
            if at >= self.stop:
                raise self.failure(at, CUT)
            if self.octets[at] == END:
                self.at = at + 1
                return name, message
            self.skip_many(1)
            if self.octets[at : self.at] == _MESSAGE:
                message = self._message()
            else:
                self.skip_many(1)

    def _message(self) -> str | None:
        """One value, if it is a string."""
        at = self.at
        self.skip_many(1)
        return string_between(self.octets, at, self.at) if _is_string(self.octets[at]) else None

    def value_start(self) -> i64:
        """Where the next value begins, behind the definitions before it."""
        at = self.at
        while True:
            if at >= self.stop:
                raise self.failure(at, CUT)
            if self.octets[at] != DEFINITION:
                self.at = at
                return at
            mark = at
            at = self.define(at)
            if at < 0:
                raise self.failure(mark, -at)

    def _field(self, number: i64) -> i64:
        """Which field of a class the message is; the number of its fields: none."""
        at = self.classes[number * 3 + 1]
        count = self.classes[number * 3 + 2]
        field: i64 = 0
        while field < count:
            end = string_end(self.octets, at, self.stop)
            if end - at == len(_MESSAGE) and self.octets[at:end] == _MESSAGE:
                return field
            at = end
            field += 1
        return count


def _pair(octets: bytes, start: i64, middle: i64, stop: i64) -> Pair:
    """The strings in ``octets[start:middle]`` and ``octets[middle:stop]``."""
    key = string_between(octets, start, middle)
    assert key is not None
    return key, string_between(octets, middle, stop)


def _is_string(tag: i64) -> bool:
    """Whether a value that begins so is a string."""
    return tag < 0x20 or 0x30 <= tag <= 0x33 or tag == STRING_CHUNK or tag == STRING_LAST


def decode(octets: bytes, start: int, stop: int, limits: Limits = DEFAULT_LIMITS) -> tuple[list[Value], int]:
    """All values of ``octets[start:stop]``, and where the last of them ends.

    Raises:
        ProtocolError: they are no Hessian 2; its offset counts from the start of `octets`.
    """
    scanner = Scanner(octets, start, stop, limits.nesting, limits.elements)
    values: list[Value] = []
    while scanner.at < scanner.stop:
        values.append(scanner.value())
    return values, int(scanner.at)
