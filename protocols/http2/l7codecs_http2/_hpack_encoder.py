"""Header compression: from fields to the octets of a header block. RFC 7541; see `_hpack` for the layout.

What goes into the dynamic table is the encoder's choice. Here, after nghttp2 and with gRPC in mind: names whose values
hardly repeat stay out; a path
goes in when it came lately, so that the methods of an RPC service cost one octet and the pages of a site do not flush
the table; credentials are
never indexed; nor is what came as never to be indexed (RFC 7541 §7.1.3). Strings are Huffman-coded where that is shorter.
"""

from __future__ import annotations

from typing import Final, final

from librt.strings import BytesWriter
from mypy_extensions import i64, u8

from l7codecs import Unsupported

from ._huffman import encode_huffman, huffman_bits
from ._static_table import (
    INDEX,
    NO_FIELD,
    PASS,
    REPEATING,
    SECRET,
    SENSITIVE,
    SHORT_SECRET,
    STATIC_COUNT,
    STATIC_FIELDS,
    UNKNOWN_NAME,
    UNKNOWN_VALUE,
    HeaderField,
    HeaderName,
)

__all__ = ["HpackEncoder"]

_INITIAL_TABLE_SIZE: Final[i64] = 4096
"""SETTINGS_HEADER_TABLE_SIZE until a peer says otherwise (RFC 9113 §6.5.2), in octets."""
_SHORT: Final[i64] = 20
"""Octets below which a `SHORT_SECRET` could be guessed one character at a time, as in nghttp2."""
_RECENT_COUNT: Final[i64] = 64
_RECENT_SIZE: Final[i64] = 256
"""Octets that a value may have to be remembered as recent."""
_WRITER_SIZE: Final[i64] = 16384
"""A buffer that has grown past this is not kept."""


def _static_pairs() -> dict[tuple[bytes, bytes], int]:
    pairs: dict[tuple[bytes, bytes], int] = {}
    for index, field in enumerate(STATIC_FIELDS):
        if index > 0:
            pairs.setdefault((field.title.octets, field.value), index)
    return pairs


_STATIC_PAIRS: Final = _static_pairs()


@final
class HpackEncoder:
    """The header blocks that we send on one connection.

    ``table_size``: octets of the dynamic table that we use at most, whatever the peer allows.
    """

    def __init__(self, table_size: i64 = _INITIAL_TABLE_SIZE) -> None:
        self._allowed: i64 = table_size
        self._max: i64 = _INITIAL_TABLE_SIZE
        self._smallest: i64 = -1
        self._size: i64 = 0
        self._count: i64 = 0
        self._inserted: i64 = 0
        self._ring = [NO_FIELD] * 16
        self._mask: i64 = 15
        self._pairs: dict[tuple[bytes, bytes], int] = {}
        self._names: dict[bytes, int] = {}
        self._recent = [b""] * 64
        self._out = BytesWriter()
        if table_size < _INITIAL_TABLE_SIZE:
            self._resize(table_size)

    @property
    def table(self) -> list[HeaderField]:
        """The dynamic table, the newest entry first."""
        return [self._ring[(self._inserted - index) & self._mask] for index in range(1, self._count + 1)]

    @property
    def table_size(self) -> int:
        """Octets of `table`, as RFC 7541 §4.1 counts."""
        return self._size

    def set_table_limit(self, size: i64) -> None:
        """The peer's SETTINGS_HEADER_TABLE_SIZE. A change is announced at the beginning of the next block (RFC 7541 §4.2)."""
        if size < 0:
            raise ValueError(f"a table of {size} octets")
        self._resize(min(size, self._allowed))

    def encode(self, fields: list[HeaderField]) -> bytes:
        """One header block of `fields`, in that order.

        Raises Unsupported, with nothing encoded, if a name or a value is not known.
        """
        for field in fields:
            if field.flags & (UNKNOWN_NAME | UNKNOWN_VALUE):
                raise Unsupported("a field that is not known cannot be sent")
        out = self._out
        out.truncate(0)
        if self._smallest >= 0:
            if self._smallest < self._max:
                _write_integer(out, 0x20, 0x1F, self._smallest)
            _write_integer(out, 0x20, 0x1F, self._max)
            self._smallest = -1
        for field in fields:
            self._field(out, field)
        block = out.getvalue()
        if len(block) > _WRITER_SIZE:
            self._out = BytesWriter()
        return block

    def _field(self, out: BytesWriter, field: HeaderField) -> None:
        title = field.title
        policy = self._policy(title, field)
        if policy != SECRET:
            index = self._find(title, field.value)
            if index > 0:
                _write_integer(out, 0x80, 0x7F, index)
                return
        name = title.index
        if name == 0:
            number = self._names.get(title.octets)
            if number is not None:
                at: i64 = number
                name = self._inserted - at + STATIC_COUNT
        if policy == INDEX:
            _write_integer(out, 0x40, 0x3F, name)
        elif policy == SECRET:
            _write_integer(out, 0x10, 0x0F, name)
        else:
            _write_integer(out, 0x00, 0x0F, name)
        if name == 0:
            _write_string(out, title.octets)
        _write_string(out, field.value)
        if policy == INDEX:
            self._insert(field)

    def _policy(self, title: HeaderName, field: HeaderField) -> i64:
        """`INDEX`, `PASS` or `SECRET`."""
        if field.flags & SENSITIVE:
            return SECRET
        policy = title.policy
        if policy == SHORT_SECRET:
            policy = SECRET if len(field.value) < _SHORT else INDEX
        elif policy == REPEATING:
            policy = INDEX if self._came_lately(field.value) else PASS
        if policy == INDEX and field.size * 4 > self._max * 3:
            return PASS
        return policy

    def _came_lately(self, value: bytes) -> bool:
        """Whether `value` is remembered; it is from now on."""
        size: i64 = len(value)
        if size == 0 or size > _RECENT_SIZE:
            return False
        last: i64 = value[size - 1]
        middle: i64 = value[size >> 1]
        slot = (size * 5 + last * 3 + middle) & (_RECENT_COUNT - 1)
        if self._recent[slot] == value:
            return True
        self._recent[slot] = value
        return False

    def _find(self, title: HeaderName, value: bytes) -> i64:
        """The index of the field in the tables, or 0."""
        key = (title.octets, value)
        if title.index > 0:
            index = _STATIC_PAIRS.get(key)
            if index is not None:
                return index
        number = self._pairs.get(key)
        if number is None:
            return 0
        at: i64 = number
        return self._inserted - at + STATIC_COUNT

    def _insert(self, field: HeaderField) -> None:
        """Put `field`, which is known to fit, into the table."""
        self._evict(self._max - field.size)
        if self._count > self._mask:
            entries = self.table
            entries.reverse()
            self._rehouse(entries)
        self._ring[self._inserted & self._mask] = field
        self._pairs[(field.title.octets, field.value)] = self._inserted
        self._names[field.title.octets] = self._inserted
        self._inserted += 1
        self._count += 1
        self._size += field.size

    def _rehouse(self, entries: list[HeaderField]) -> None:
        """Make room for twice as many entries. Numbers stay as they are, so each goes to its place in the larger ring."""
        count: i64 = len(entries)
        self._ring = [NO_FIELD] * (count * 2)
        self._mask = count * 2 - 1
        number = self._inserted - count
        for field in entries:
            self._ring[number & self._mask] = field
            number += 1

    def _evict(self, size: i64) -> None:
        """Drop the oldest entries until at most `size` octets are left."""
        while self._size > size:
            number = self._inserted - self._count
            field = self._ring[number & self._mask]
            self._ring[number & self._mask] = NO_FIELD
            self._size -= field.size
            self._count -= 1
            key = (field.title.octets, field.value)
            if self._pairs.get(key) == number:
                del self._pairs[key]
            if self._names.get(field.title.octets) == number:
                del self._names[field.title.octets]

    def _resize(self, size: i64) -> None:
        if size == self._max:
            return
        if self._smallest < 0 or size < self._smallest:
            self._smallest = size
        self._max = size
        self._evict(size)


def _write_integer(out: BytesWriter, pattern: i64, full: i64, value: i64) -> None:
    """Append `value` (RFC 7541 §5.1) with the prefix mask `full` under the bits `pattern`."""
    if value < full:
        out.append(u8(pattern | value))
        return
    out.append(u8(pattern | full))
    value -= full
    while value >= 0x80:
        out.append(u8((value & 0x7F) | 0x80))
        value >>= 7
    out.append(u8(value))


def _write_string(out: BytesWriter, octets: bytes) -> None:
    """Append `octets` as a string (RFC 7541 §5.2), Huffman-coded where that is shorter."""
    size: i64 = len(octets)
    coded = (huffman_bits(octets) + 7) >> 3
    if coded < size:
        _write_integer(out, 0x80, 0x7F, coded)
        encode_huffman(octets, out)
    else:
        _write_integer(out, 0x00, 0x7F, size)
        out.write(octets)
