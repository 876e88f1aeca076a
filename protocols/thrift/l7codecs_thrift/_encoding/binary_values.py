"""Values of the binary protocol. Their layout: `binary`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final
from uuid import UUID

from librt.strings import read_f64_be, read_i16_be, read_i32_be, read_i64_be
from mypy_extensions import i64

from l7codecs import ProtocolError

from .cursor import Cursor, text_or_octets
from .sizes import FIXED, SIZES
from .skip_binary import BinarySkipper
from .types import BOOL, DOUBLE, I8, I16, I32, I64, LIST, STOP, STRING, UUID_TYPE

if TYPE_CHECKING:
    from .types import Value

__all__ = ["BinaryCursor"]

_UNBOUNDED: Final[i64] = 1 << 62


@final
class BinaryCursor(Cursor):
    """See `Cursor`."""

    def open_struct(self) -> None:
        """See `Cursor.open_struct`."""

    def field(self) -> bool:
        """See `Cursor.field`."""
        at = self.at
        if at >= self.stop:
            raise self.cut()
        kind = i64(self.octets[at])
        if kind == STOP:
            self.at = at + 1
            return False
        if self.stop - at < 3:
            raise self.cut()
        self.check_type(kind, at)
        self.type = kind
        self.id = i64(read_i16_be(self.octets, at + 1))
        self.at = at + 3
        return True

    def seek(self, wanted: i64) -> bool:
        """See `Cursor.seek`."""
        octets = self.octets
        stop = self.stop
        at = self.at
        skipper: BinarySkipper | None = None
        while True:
            self.at = at
            if at >= stop:
                raise self.cut()
            kind = i64(octets[at])
            if kind == STOP:
                self.at = at + 1
                return False
            if stop - at < 3:
                raise self.cut()
            found = i64(read_i16_be(octets, at + 1))
            size: i64 = SIZES >> (kind << 2) & 15 if kind < UUID_TYPE else i64(FIXED[kind])
            if size == 0 and kind != STRING:
                self.check_type(kind, at)
            at += 3
            self.at = at
            if found == wanted:
                self.id = found
                self.type = kind
                return True
            if size == 0:
                if kind == STRING:
                    at = self._move(4)
                    size = i64(read_i32_be(octets, at))
                    if size < 0:
                        raise ProtocolError(at, f"a string of {size} octets", "a size that is not negative")
                    at += 4
                else:
                    if skipper is None:
                        skipper = BinarySkipper(_UNBOUNDED, _UNBOUNDED, _UNBOUNDED)
                    skipper.begin(kind)
                    at = skipper.feed(octets, at, stop)
                    if not skipper.done:
                        self.at = at
                        raise self.cut()
                    continue
            if size > stop - at:
                self.at = at
                raise self.cut()
            at += size

    def check_type(self, type: i64, at: i64) -> None:
        """Refuse a type that is none."""
        if FIXED[type] == 0 and (type < STRING or type > LIST):
            raise ProtocolError(at, f"a value of type {type}", "a type of Thrift")

    def open_list(self) -> None:
        """See `Cursor.open_list`."""
        at = self._move(5)
        self.element_type = i64(self.octets[at])
        self.count = i64(read_i32_be(self.octets, at + 1))
        if self.count != 0:
            self.check_type(self.element_type, at)
            self.check_count(at + 1, max(i64(FIXED[self.element_type]), 1))

    def open_map(self) -> None:
        """See `Cursor.open_map`."""
        at = self._move(6)
        self.key_type = i64(self.octets[at])
        self.element_type = i64(self.octets[at + 1])
        self.count = i64(read_i32_be(self.octets, at + 2))
        if self.count != 0:
            self.check_type(self.key_type, at)
            self.check_type(self.element_type, at + 1)
            self.check_count(at + 2, 2)

    def scalar(self, type: i64) -> Value:
        """See `Cursor.scalar`."""
        octets = self.octets
        if type == STRING:
            at = self._move(4)
            size = i64(read_i32_be(octets, at))
            if size < 0:
                raise ProtocolError(at, f"a string of {size} octets", "a size that is not negative")
            at = self._move(size)
            return text_or_octets(octets[at : at + size])
        at = self._move(FIXED[type])
        if type == I32:
            return int(i64(read_i32_be(octets, at)))
        if type == I64:
            return int(read_i64_be(octets, at))
        if type == BOOL:
            return octets[at] != 0
        if type == DOUBLE:
            return read_f64_be(octets, at)
        if type == I16:
            return int(i64(read_i16_be(octets, at)))
        if type == I8:
            octet = i64(octets[at])
            return int(octet if octet < 0x80 else octet - 0x100)
        if type == UUID_TYPE:
            return UUID(bytes=octets[at : at + 16])
        raise ProtocolError(at, f"a value of type {type}", "a type of Thrift")

    def skip(self, type: i64) -> None:
        """See `Cursor.skip`."""
        size: i64 = FIXED[type]
        if size == 0:
            if type == STRING:
                at = self._move(4)
                size = i64(read_i32_be(self.octets, at))
                if size < 0:
                    raise ProtocolError(at, f"a string of {size} octets", "a size that is not negative")
            else:
                skipper = BinarySkipper(_UNBOUNDED, _UNBOUNDED, _UNBOUNDED)
                skipper.begin(type)
                self.at = skipper.feed(self.octets, self.at, self.stop)
                if not skipper.done:
                    raise self.cut()
                return
        self._move(size)

    def _move(self, size: i64) -> i64:
        """Go behind `size` octets; return where they begin."""
        at = self.at
        if size > self.stop - at:
            raise self.cut()
        self.at = at + size
        return at
