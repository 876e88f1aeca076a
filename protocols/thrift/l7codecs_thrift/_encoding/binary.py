"""The binary protocol, strict and old: heads.

    strict   80 01 00 kind | size32 name | seqid32 | body
    old               size32 name | kind | seqid32 | body

    struct           (type id16 value)* 00
    bool i8          1 octet          string, binary   size32 octets
    i16 i32 i64      2, 4, 8          list, set        type count32 value*
    double           8, IEEE 754      map              type type count32 (key value)*
    uuid             16

All numbers are big-endian and signed. Sources: `thrift-binary-protocol.md`, `TBinaryProtocol`, Apache Thrift 0.25.

Not handled: types that no compiler of today writes (1, 5, 7, 9, 17 and above).
"""

from __future__ import annotations

from typing import Final, final

from librt.strings import read_i32_be
from mypy_extensions import i64

from l7codecs import ProtocolError

from .binary_values import BinaryCursor
from .cursor import Cursor
from .encoding import Encoding, check_kind, check_size
from .names import find_name
from .skip_binary import BinarySkipper
from .skipper import Skipper
from .types import EXCEPTION, Head

__all__ = ["BinaryEncoding"]

_VERSION: Final[i64] = 0x8001


@final
class BinaryEncoding(Encoding):
    """See the module. Strict and old messages are told apart, one by one, by their first octet."""

    def head(self, octets: bytes, at: i64, stop: i64, longest: i64) -> Head | None:
        """See `Encoding.head`."""
        if stop - at < 4 or at < 0 or stop > len(octets):
            if at >= 0 and at < stop and octets[at] >= 0x80:
                self._check_version(octets, at, stop)
            return None
        first = i64(read_i32_be(octets, at))
        if first >= 0:
            return self._old_head(octets, at, stop, first, longest)
        if first >> 16 & 0xFFFF != _VERSION:
            self._check_version(octets, at, stop)
        kind = first & 0xFF
        if kind < 1 or kind > 4:
            check_kind(kind, at + 3)
        if stop - at < 8:
            return None
        size = i64(read_i32_be(octets, at + 4))
        if size < 0 or size > longest:
            check_size(size, longest, at + 4)
        end = at + 8 + size
        if stop - end < 4:
            return None
        named = find_name(octets, at + 8, end)
        return Head(kind, named, i64(read_i32_be(octets, end)), at, end + 4, at + 8, end, end, end + 4, at + 3)

    def _old_head(self, octets: bytes, at: i64, stop: i64, size: i64, longest: i64) -> Head | None:
        check_size(size, longest, at)
        end = at + 4 + size
        if end >= stop:
            return None
        kind = i64(octets[end])
        check_kind(kind, end)
        if stop - end < 5:
            return None
        named = find_name(octets, at + 4, end)
        seqid = i64(read_i32_be(octets, end + 1))
        return Head(kind, named, seqid, at, end + 5, at + 4, end, end + 1, end + 5, end, False)

    def _check_version(self, octets: bytes, at: i64, stop: i64) -> None:
        """Refuse a version that is not 8001, by as few of its octets as show it."""
        if octets[at] != 0x80:
            raise ProtocolError(at, f"octet {octets[at]:02x}", "version 8001 of the binary protocol")
        if stop - at > 1 and octets[at + 1] != 1:
            raise ProtocolError(at, f"version 80{octets[at + 1]:02x}", "version 8001 of the binary protocol")

    def skipper(self, head: Head, nesting: i64, elements: i64, payload: i64) -> Skipper:
        """See `Encoding.skipper`."""
        return BinarySkipper(nesting, elements, payload)

    def cursor(self, octets: bytes, at: i64, stop: i64, nesting: i64, elements: i64) -> Cursor:
        """See `Encoding.cursor`."""
        return BinaryCursor(octets, at, stop, nesting, elements)

    def exception_message(self, name: str, seqid: i64, type: i64, text: str, strict: bool = True) -> bytes:
        """See `Encoding.exception_message`."""
        said = text.encode("utf-8", "replace")
        body = b"\x0b\x00\x01" + _int32(len(said)) + said + b"\x08\x00\x02" + _int32(type) + b"\x00"
        return _head(name.encode("utf-8", "replace"), seqid, EXCEPTION, strict, b"\x00") + body

    def with_head(
        self, octets: bytes, head: Head, name: str | None = None, seqid: int | None = None, kind: int | None = None
    ) -> bytes:
        """See `Encoding.with_head`."""
        named = octets[head.name_at : head.name_stop] if name is None else name.encode("utf-8", "replace")
        third = octets[head.at + 2 : head.at + 3]
        return _head(
            named, head.seqid if seqid is None else seqid, head.kind if kind is None else kind, head.strict, third
        )


def _head(name: bytes, seqid: i64, kind: i64, strict: bool, third: bytes) -> bytes:
    size = _int32(len(name))
    if strict:
        return b"\x80\x01" + third + bytes([kind]) + size + name + _int32(seqid)
    return size + name + bytes([kind]) + _int32(seqid)


def _int32(number: i64) -> bytes:
    return (int(number) & 0xFFFFFFFF).to_bytes(4, "big")
