"""Passing over bodies of the binary protocol. Their layout: `binary`."""

from __future__ import annotations

from typing import Final, final

from librt.strings import read_i32_be
from librt.vecs import append, vec
from mypy_extensions import i64

from l7codecs import LimitExceeded, ProtocolError

from .sizes import FIXED, SIZES
from .skipper import Skipper
from .types import LIST, MAP, SET, STOP, STRING, STRUCT, UUID_TYPE

__all__ = ["BinarySkipper"]

_IN_STRUCT: Final[i64] = -1
"""What stands for the elements left in a struct."""
_SHIFT: Final[i64] = 16
_STRINGS: Final[i64] = STRING << 8 | STRING
"""The types of a list of strings, or of a map of such."""
_PASSED: Final[i64] = -2
"""In place of the type of a value that is passed."""


@final
class BinarySkipper(Skipper):
    """See `Skipper`.

    `_left` says how many values are left in the container where it stands, keys and values of a map each, or `_IN_STRUCT`; `_types`
    has the type of its keys, 8 bits, above that of its values or elements. `_outer` has both of each container around it, in one number.
    """

    def __init__(self, nesting: i64, elements: i64, payload: i64) -> None:
        super().__init__(nesting, elements, payload)
        self._left: i64 = _IN_STRUCT
        self._types: i64 = 0
        self._owed: i64 = 0
        """How many octets to pass over before anything else."""
        self._depth: i64 = 0
        self._pending: i64 = STOP
        """The type of a field whose value comes next, if its head was passed already."""
        self._outer = vec[i64]()

    def clear(self) -> None:
        """Begin anew, with another body."""
        self.done = False
        self._left = _IN_STRUCT
        self._types = 0
        self._owed = 0
        self._depth = 0
        self._pending = STOP

    def begin(self, type: i64) -> None:
        """Begin anew, with one value of a type, which is known to be one."""
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
        left = self._left
        types = self._types
        kind = self._pending
        payload = self.payload
        if self.done:
            return at
        while True:
            if kind == STOP:
                if left == _IN_STRUCT:
                    if at >= stop:
                        break
                    kind = i64(octets[at])
                    if kind != STOP:
                        if stop - at < 3:
                            kind = STOP
                            break
                        at += 3
                    else:
                        at += 1
                        left = 0
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
            size: i64 = SIZES >> (kind << 2) & 15 if kind < UUID_TYPE else i64(FIXED[kind])
            if size > 0:
                kind = STOP
                if size > stop - at:
                    self._owed = size - (stop - at)
                    at = stop
                    break
                at += size
                continue
            if kind == STRING:
                more: i64 = (
                    left if types == _STRINGS and left > 0 else 0
                )  # of a list of strings, which are passed in a row
                while True:
                    if stop - at < 4:
                        break
                    size = i64(read_i32_be(octets, at))
                    if size < 0 or size > payload:
                        raise self._too_long(at, size)
                    at += 4
                    if size > stop - at:
                        self._owed = size - (stop - at)
                        at = stop
                        kind = STOP
                        break
                    at += size
                    if more == 0:
                        kind = _PASSED
                        break
                    more -= 1
                    left = more
                if kind != _PASSED:
                    break
                kind = STOP
                continue
            if kind == STRUCT:
                self._push(at, left, types)
                left = _IN_STRUCT
                kind = STOP
                continue
            head: i64 = 6 if kind == MAP else 5
            if kind != LIST and kind != SET and kind != MAP:
                raise ProtocolError(at, f"a value of type {kind}", "a type of Thrift")
            if stop - at < head:
                break
            count = i64(read_i32_be(octets, at + head - 4))
            element = i64(octets[at + head - 5])
            key: i64 = i64(octets[at]) if kind == MAP else element
            kind = STOP
            at += head
            if count == 0:
                continue
            if count < 0 or count > self.elements:
                raise self._too_many(at - 4, count)
            size = SIZES >> (element << 2) & 15 if element < UUID_TYPE else i64(FIXED[element])
            key_size: i64 = SIZES >> (key << 2) & 15 if key < UUID_TYPE else i64(FIXED[key])
            if size > 0 and key_size > 0:
                if head == 6:
                    size += key_size
                size *= count
                if size > stop - at:
                    self._owed = size - (stop - at)
                    at = stop
                    break
                at += size
                continue
            if (size == 0 and (element < STRING or element > LIST)) or (key_size == 0 and (key < STRING or key > LIST)):
                raise ProtocolError(at - head, f"elements of type {key}, {element}", "types of Thrift")
            self._push(at, left, types)
            types = element | key << 8
            left = count * 2 if head == 6 else count
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
        if count < 0:
            return ProtocolError(at, f"a container of {count} elements", "a count that is not negative")
        return LimitExceeded(at, f"a container of {count} elements", f"at most limits.elements = {self.elements}")

    def _too_long(self, at: i64, size: i64) -> ProtocolError:
        if size < 0:
            return ProtocolError(at, f"a string of {size} octets", "a size that is not negative")
        return LimitExceeded(at, f"a string of {size} octets", f"at most limits.payload = {self.payload}")
