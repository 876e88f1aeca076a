"""The compact protocol: heads.

    82 | kind << 5 | 1 | seqid varint | size varint name | body

    struct         ((id - last id) << 4 | type, or type, id zigzag; value)* 00
    bool           a field: none, types 1 (true) and 2 (false). An element: 01, 02; its type is 1 or 2
    i8             1 octet
    i16 i32 i64    zigzag varint
    double         8 octets, IEEE 754, little-endian
    string         size varint, octets
    list, set      count << 4 | type, or f0 | type, count varint; value*
    map            00, or count varint, key type << 4 | value type, (key value)*
    uuid           16 octets

    types: 1 true, 2 false, 3 i8, 4 i16, 5 i32, 6 i64, 7 double, 8 string, 9 list, a set, b map, c struct, d uuid

A varint has seven bits in each octet, the lowest first; the last octet is below 80. The seqid is no zigzag. Sources:
`thrift-compact-protocol.md`, `TCompactProtocol`, Apache Thrift 0.25.

Not handled: version 2, of fbthrift alone, whose doubles are big-endian.
"""

from __future__ import annotations

from typing import Final, final

from mypy_extensions import i64

from l7codecs import ProtocolError

from .compact_values import CompactCursor
from .cursor import Cursor
from .encoding import Encoding, check_kind, check_size
from .names import find_name
from .skip_compact import CompactSkipper
from .skipper import Skipper
from .types import EXCEPTION, Head
from .varint import CUT, read_varint, varint, varint_end, zigzag

__all__ = ["CompactEncoding"]

_PROTOCOL: Final[i64] = 0x82
_VERSION: Final[i64] = 1


@final
class CompactEncoding(Encoding):
    """See the module."""

    def head(self, octets: bytes, at: i64, stop: i64, longest: i64) -> Head | None:
        """See `Encoding.head`."""
        if at < 0 or at >= stop or stop > len(octets):
            return None
        if octets[at] != 0x82:
            raise ProtocolError(at, f"octet {octets[at]:02x}", "82 of the compact protocol")
        if stop - at < 2:
            return None
        second = i64(octets[at + 1])
        if second & 0x1F != _VERSION:
            raise ProtocolError(at + 1, f"version {second & 0x1F}", "version 1 of the compact protocol")
        kind = second >> 5
        if kind < 1 or kind > 4:
            check_kind(kind, at + 1)
        seqid_stop = varint_end(octets, at + 2, stop)
        if seqid_stop == CUT:
            return None
        size_stop = varint_end(octets, seqid_stop, stop)
        if size_stop == CUT:
            return None
        size = read_varint(octets, seqid_stop, size_stop)
        if size < 0 or size > longest:
            check_size(size & 0x7FFF_FFFF_FFFF_FFFF, longest, seqid_stop)
        body = size_stop + size
        if body > stop:
            return None
        seqid = read_varint(octets, at + 2, seqid_stop) & 0xFFFFFFFF
        if seqid >= 0x80000000:
            seqid -= 0x100000000
        named = find_name(octets, size_stop, body)
        return Head(kind, named, seqid, at, body, size_stop, body, at + 2, seqid_stop, at + 1)

    def skipper(self, head: Head, nesting: i64, elements: i64, payload: i64) -> Skipper:
        """See `Encoding.skipper`."""
        return CompactSkipper(nesting, elements, payload)

    def cursor(self, octets: bytes, at: i64, stop: i64, nesting: i64, elements: i64) -> Cursor:
        """See `Encoding.cursor`."""
        return CompactCursor(octets, at, stop, nesting, elements)

    def exception_message(self, name: str, seqid: i64, type: i64, text: str, strict: bool = True) -> bytes:
        """See `Encoding.exception_message`."""
        said = text.encode("utf-8", "replace")
        body = b"\x18" + varint(len(said)) + said + b"\x15" + varint(zigzag(type)) + b"\x00"
        return _head(name.encode("utf-8", "replace"), varint(seqid & 0xFFFFFFFF), EXCEPTION) + body

    def with_head(
        self, octets: bytes, head: Head, name: str | None = None, seqid: int | None = None, kind: int | None = None
    ) -> bytes:
        """See `Encoding.with_head`."""
        named = octets[head.name_at : head.name_stop] if name is None else name.encode("utf-8", "replace")
        number = octets[head.seqid_at : head.seqid_stop] if seqid is None else varint(seqid & 0xFFFFFFFF)
        return _head(named, number, head.kind if kind is None else kind)


def _head(name: bytes, seqid: bytes, kind: i64) -> bytes:
    return bytes([0x82, int(kind << 5 | _VERSION)]) + seqid + varint(len(name)) + name
