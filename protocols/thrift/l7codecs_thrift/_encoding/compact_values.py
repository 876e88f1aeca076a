"""Values of the compact protocol. Their layout: `compact`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final
from uuid import UUID

from librt.strings import read_f64_le
from librt.vecs import append, vec
from mypy_extensions import i64

from l7codecs import ProtocolError

from .cursor import Cursor, text_or_octets
from .skip_compact import CompactSkipper
from .types import BOOL, DOUBLE, I8, I16, I32, I64, STRING, UUID_TYPE
from .varint import CUT, read_varint, unzigzag, varint_end

if TYPE_CHECKING:
    from .types import Value

__all__ = ["CompactCursor"]

_UNBOUNDED: Final[i64] = 1 << 40
_TYPES: Final = bytes([0, 2, 2, 3, 6, 8, 10, 4, 11, 15, 14, 13, 12, 16, 0, 0])
"""The binary protocol's type of each."""
_COMPACT: Final = bytes([0, 0, 1, 3, 7, 0, 4, 0, 5, 0, 6, 8, 12, 11, 10, 9, 13])
"""And the other way."""
_SMALLEST: Final = bytes([1, 1, 1, 1, 1, 1, 1, 8, 1, 1, 1, 1, 1, 16, 1, 1])

_NO_BOOL: Final[i64] = -1


@final
class CompactCursor(Cursor):
    """See `Cursor`."""

    def __init__(self, octets: bytes, at: i64, stop: i64, nesting: i64, elements: i64) -> None:
        super().__init__(octets, at, stop, nesting, elements)
        self._last: i64 = 0
        """The id of the last field in this struct, and in those around it."""
        self._outer = vec[i64]()
        self._depth: i64 = 0
        self._skipper: CompactSkipper | None = None
        self._marked_depth: i64 = 0
        self._marked_bool: i64 = _NO_BOOL
        self._bool: i64 = _NO_BOOL
        """The value of a bool that its field's head says."""

    def open_struct(self) -> None:
        """See `Cursor.open_struct`."""
        if self._depth < len(self._outer):
            self._outer[self._depth] = self._last
        else:
            self._outer = append(self._outer, self._last)
        self._depth += 1
        self._last = 0

    def mark(self) -> None:
        """See `Cursor.mark`."""
        super().mark()
        self._marked_depth = self._depth
        self._marked_bool = self._bool

    def go_back(self) -> None:
        """See `Cursor.go_back`. What follows is read no more, so the id of the last field says nothing."""
        super().go_back()
        self._depth = self._marked_depth
        self._bool = self._marked_bool

    def field(self) -> bool:
        """See `Cursor.field`."""
        at = self.at
        if at >= self.stop:
            raise self.cut()
        first = i64(self.octets[at])
        self.at = at + 1
        if first == 0:
            self._depth -= 1
            self._last = self._outer[self._depth]
            return False
        kind = first & 15
        if first < 0x10:
            found = unzigzag(self._varint())
            if found < -0x8000 or found > 0x7FFF:
                raise ProtocolError(at, f"field {found}", "an id of 16 bits")
        else:
            found = self._last + (first >> 4)
            if found > 0x7FFF:
                found -= 0x10000
        self._last = found
        self.id = found
        self.type = self._type(kind, at)
        self._bool = 2 - kind if kind <= 2 else _NO_BOOL
        return True

    def _type(self, kind: i64, at: i64) -> i64:
        found: i64 = _TYPES[kind]
        if found == 0:
            raise ProtocolError(at, f"a value of type {kind}", "a type of the compact protocol")
        return found

    def open_list(self) -> None:
        """See `Cursor.open_list`."""
        at = self._move(1)
        first = i64(self.octets[at])
        self.count = first >> 4
        if self.count == 15:
            self.count = self._varint()
        self.element_type = 0
        if self.count != 0:
            self.element_type = self._type(first & 15, at)
            self.check_count(at, i64(_SMALLEST[first & 15]))

    def open_map(self) -> None:
        """See `Cursor.open_map`."""
        at = self.at
        self.count = self._varint()
        self.key_type = 0
        self.element_type = 0
        if self.count == 0:
            return
        types = i64(self.octets[self._move(1)])
        self.key_type = self._type(types >> 4, at)
        self.element_type = self._type(types & 15, at)
        self.check_count(at, 2)

    def scalar(self, type: i64) -> Value:
        """See `Cursor.scalar`."""
        octets = self.octets
        if type == STRING:
            size = self._size()
            at = self._move(size)
            return text_or_octets(octets[at : at + size])
        if type == I32 or type == I64 or type == I16:
            return int(unzigzag(self._varint()))
        if type == BOOL:
            told = self._bool
            self._bool = _NO_BOOL
            return told == 1 if told != _NO_BOOL else octets[self._move(1)] == 1
        if type == DOUBLE:
            return read_f64_le(octets, self._move(8))
        if type == I8:
            octet = i64(octets[self._move(1)])
            return int(octet if octet < 0x80 else octet - 0x100)
        if type == UUID_TYPE:
            at = self._move(16)
            return UUID(bytes=octets[at : at + 16])
        raise ProtocolError(self.at, f"a value of type {type}", "a type of Thrift")

    def skip(self, type: i64) -> None:
        """See `Cursor.skip`."""
        if type == BOOL and self._bool != _NO_BOOL:
            self._bool = _NO_BOOL
        elif type == I32 or type == I64 or type == I16:
            self._varint()
        elif type == STRING:
            self._move(self._size())
        else:
            skipper = self._skipper
            if skipper is None:
                skipper = CompactSkipper(_UNBOUNDED, _UNBOUNDED, _UNBOUNDED)
                self._skipper = skipper
            skipper.begin(i64(_COMPACT[type]))
            self.at = skipper.feed(self.octets, self.at, self.stop)
            if not skipper.done:
                raise self.cut()

    def _varint(self) -> i64:
        at = self.at
        end = varint_end(self.octets, at, self.stop)
        if end == CUT:
            raise self.cut()
        self.at = end
        return read_varint(self.octets, at, end)

    def _size(self) -> i64:
        at = self.at
        size = self._varint()
        if size < 0:
            raise ProtocolError(at, f"a string of {size} octets", "a size that is not negative")
        return size

    def _move(self, size: i64) -> i64:
        """Go behind `size` octets; return where they begin."""
        at = self.at
        if size > self.stop - at:
            raise self.cut()
        self.at = at + size
        return at
