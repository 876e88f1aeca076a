"""Passing over bodies of the compact protocol. Their layout: `compact`."""

from __future__ import annotations

from typing import Final, final

from librt.vecs import append, vec
from mypy_extensions import i64

from l7codecs import LimitExceeded, ProtocolError

from .skipper import Skipper
from .varint import CUT, read_varint, varint_end

__all__ = ["CompactSkipper"]

_NONE: Final[i64] = -1
_IN_STRUCT: Final[i64] = -1
_SHIFT: Final[i64] = 16

_DOUBLE: Final[i64] = 7
_STRING: Final[i64] = 8
_LIST: Final[i64] = 9
_SET: Final[i64] = 10
_MAP: Final[i64] = 11
_STRUCT: Final[i64] = 12
_UUID: Final[i64] = 13
_ID: Final[i64] = 16
"""What stands for the id of a field, in its long form; the field's own type is in the bits above the fifth."""


def _fixed() -> bytes:
    """How many octets an element has, by its type; 0: that says not the type; 255: there is no such type."""
    sizes = bytearray(b"\x00" * 13 + b"\xff" * 243)
    sizes[0] = 255
    sizes[1] = sizes[2] = sizes[3] = 1
    sizes[_DOUBLE] = 8
    sizes[_UUID] = 16
    return bytes(sizes)


_FIXED: Final = _fixed()

_SIZES: Final[i64] = 1 << 4 | 1 << 8 | 1 << 12 | 8 << 28
"""The same of the types up to 11, four bits for each; there are no others below them."""


@final
class CompactSkipper(Skipper):
    """See `Skipper`. `_left`, `_types` and `_outer` are as those of `BinarySkipper`."""

    def __init__(self, nesting: i64, elements: i64, payload: i64) -> None:
        super().__init__(nesting, elements, payload)
        self._left: i64 = _IN_STRUCT
        self._types: i64 = 0
        self._owed: i64 = 0
        """How many octets to pass over before anything else."""
        self._depth: i64 = 0
        self._pending: i64 = _NONE
        """The type of a field whose value comes next, if its head was passed already."""
        self._outer = vec[i64]()

    def clear(self) -> None:
        """Begin anew, with another body."""
        self.done = False
        self._left = _IN_STRUCT
        self._types = 0
        self._owed = 0
        self._depth = 0
        self._pending = _NONE

    def begin(self, type: i64) -> None:
        """Begin anew, with one element of a type of this protocol, which is known to be one."""
        self.clear()
        self._left = 0
        self._pending = type

    def feed(self, octets: bytes, at: i64, stop: i64) -> i64:
        """See `Skipper.feed`."""
        if at < 0 or stop > len(octets):
            raise ValueError(f"no octets from {at} to {stop}: {len(octets)}")
        owed = self._owed
        if owed > 0:
            if owed > stop - at:
                self._owed = owed - (stop - at)
                return stop
            at += owed
            self._owed = 0
        if self.done:
            return at
        left = self._left
        types = self._types
        kind = self._pending
        while True:
            if kind == _NONE:
                if left == _IN_STRUCT:
                    if at >= stop:
                        break
                    kind = i64(octets[at])
                    at += 1
                    if kind == 0:
                        kind = _NONE
                        left = 0
                        continue
                    if kind < 0x10:
                        kind = _ID | kind << 5
                    else:
                        kind &= 15
                        if kind <= 2:
                            if kind == 0:
                                raise ProtocolError(at - 1, "a field of type 0", "a type of the compact protocol")
                            kind = _NONE
                            continue
                elif left == 0:
                    depth = self._depth - 1
                    if depth < 0:
                        self.done = True
                        break
                    self._depth = depth
                    left = self._outer[depth]
                    if left != _IN_STRUCT:
                        types = left & 0xFFFF
                        left >>= _SHIFT
                    continue
                else:
                    left -= 1
                    kind = types & 0xFF if left & 1 == 0 else types >> 8
            if (kind < _DOUBLE and kind > 3) or kind & 31 == _ID:
                if at < stop and i64(octets[at]) < 0x80:
                    end = at + 1
                else:
                    end = varint_end(octets, at, stop)
                    if end == CUT:
                        break
                at = end
                kind = kind >> 5 if kind >= _ID else _NONE
                if kind == 1 or kind == 2:
                    kind = _NONE
                continue
            size: i64 = _SIZES >> (kind << 2) & 15 if kind < _STRUCT else i64(_FIXED[kind])
            if size == 255:
                raise ProtocolError(at, f"a value of type {kind}", "a type of the compact protocol")
            if size > 0:
                kind = _NONE
                if size > stop - at:
                    self._owed = size - (stop - at)
                    at = stop
                    break
                at += size
                continue
            if kind == _STRING:
                if at < stop and i64(octets[at]) < 0x80:
                    end = at + 1
                    size = i64(octets[at])
                else:
                    end = varint_end(octets, at, stop)
                    if end == CUT:
                        break
                    size = read_varint(octets, at, end)
                    if size < 0 or size > self.payload:
                        raise self._too_long(at, size)
                at = end
                kind = _NONE
                if size > stop - at:
                    self._owed = size - (stop - at)
                    at = stop
                    break
                at += size
                continue
            if kind == _STRUCT:
                self._push(at, left, types)
                left = _IN_STRUCT
                kind = _NONE
                continue
            if at >= stop:
                break
            first = i64(octets[at])
            count: i64 = 0
            head = at
            if kind == _MAP:
                if first == 0:
                    at += 1
                    kind = _NONE
                    continue
                end = varint_end(octets, at, stop)
                if end == CUT:
                    break
                count = read_varint(octets, at, end)
                if count == 0:
                    at = end
                    kind = _NONE
                    continue
                if end >= stop:
                    break
                first = i64(octets[end])
                at = end + 1
                key = first >> 4
                element = first & 15
            else:
                element = first & 15
                key = element
                count = first >> 4
                at += 1
                if count == 15:
                    end = varint_end(octets, at, stop)
                    if end == CUT:
                        at = head
                        break
                    count = read_varint(octets, at, end)
                    at = end
                if count == 0:
                    kind = _NONE
                    continue
            if count < 0 or count > self.elements or count > 0x7FFFFFFF:
                raise self._too_many(head, count)
            is_map = kind == _MAP
            kind = _NONE
            size = _SIZES >> (element << 2) & 15 if element < _STRUCT else i64(_FIXED[element])
            key_size: i64 = _SIZES >> (key << 2) & 15 if key < _STRUCT else i64(_FIXED[key])
            if size == 255 or key_size == 255 or element == 0 or key == 0:
                raise ProtocolError(head, f"elements of type {key}, {element}", "types of the compact protocol")
            if size > 0 and key_size > 0:
                if is_map:
                    size += key_size
                size *= count
                if size > stop - at:
                    self._owed = size - (stop - at)
                    at = stop
                    break
                at += size
                continue
            self._push(at, left, types)
            types = element | key << 8
            left = count * 2 if is_map else count
        self._left = left
        self._types = types
        self._pending = kind
        return at

    def _push(self, at: i64, left: i64, types: i64) -> None:
        """Go into one more container; note what is left in this one."""
        depth = self._depth
        if depth >= self.nesting - 1:  # the body is the first level
            raise LimitExceeded(at, "one more level of containers", f"at most limits.nesting = {self.nesting}")
        noted = left if left == _IN_STRUCT else left << _SHIFT | types
        if depth < len(self._outer):
            self._outer[depth] = noted
        else:
            self._outer = append(self._outer, noted)
        self._depth = depth + 1

    def _too_many(self, at: i64, count: i64) -> ProtocolError:
        if count < 0 or count > 0x7FFFFFFF:
            return ProtocolError(at, f"a container of {count} elements", "a count of 31 bits")
        return LimitExceeded(at, f"a container of {count} elements", f"at most limits.elements = {self.elements}")

    def _too_long(self, at: i64, size: i64) -> ProtocolError:
        if size < 0 or size > 0x7FFFFFFF:
            return ProtocolError(at, f"a string of {size} octets", "a size of 31 bits")
        return LimitExceeded(at, f"a string of {size} octets", f"at most limits.payload = {self.payload}")
