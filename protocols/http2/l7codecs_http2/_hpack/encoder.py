"""Header compression: from fields to the octets of a header block. RFC 7541; see `_hpack` for the layout.

What goes into the dynamic table is the encoder's choice. Values that never come again must not flush it, so a name has to earn its place:

- A name has credit, some of it from the start unless its values are known to be ids, times and the like (`WAIT`). A value that is in the
  table adds to it, one that is not takes from it. With credit, a value goes in at once; without, when it came lately.
- A value whose name is in neither table goes in for the sake of the name.
- Credentials are never indexed, nor is what came as never to be indexed (RFC 7541 §7.1.3).

Strings are Huffman-coded where that is shorter.
"""

from __future__ import annotations

from typing import Final, final

from librt.strings import BytesWriter, read_i64_le
from mypy_extensions import i64, u8

from l7codecs import Unsupported

from .huffman import encode_huffman, huffman_bits
from .static_table import (
    INDEX,
    NO_FIELD,
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
_SLOT_MASK: Final[i64] = 255
_START: Final[i64] = 4
"""The credit of a name whose values are expected to repeat: as many may miss."""
_MIDDLE: Final[i64] = 128
_MOST: Final[i64] = 8
"""What can be gained or lost; a hit gains 2."""
_NAME_SHARE: Final[i64] = 8
"""A field may take this part of the table for the sake of its name."""
_CODED_AT_ONCE: Final[i64] = 126
"""Octets of a string whose coded size, if shorter, is a single octet."""
_KNOWN: Final = 4
"""Lists of fields that are known with their blocks, of up to `_KNOWN_SIZE` octets, as long as nothing changes."""
_KNOWN_SIZE: Final[i64] = 256
_WRITER_SIZE: Final[i64] = 16384
"""A buffer that has grown past this is not kept."""


def _slots(value: int, count: int) -> BytesWriter:
    writer = BytesWriter()
    writer.write(bytes([value]) * count)
    return writer


@final
class _Encoded:
    """A list of fields that was encoded, and its block: the same as long as nothing of the encoder changes."""

    def __init__(self, fields: list[HeaderField], block: bytes) -> None:
        self._fields = fields
        self.block = block

    def is_of(self, fields: list[HeaderField]) -> bool:
        """Whether `fields` are the same objects, as those of the tables and of the cache of literals are."""
        own = self._fields
        count: i64 = len(own)
        if count != len(fields):
            return False
        at = count - 1  # what differs is rather at the end
        while at >= 0:
            if own[at] is not fields[at]:
                return False
            at -= 1
        return True


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
        self._credit = _slots(128, 256)
        """By name, from `_MIDDLE` on; names with the same hash share it."""
        self._recent = _slots(0, 512)
        """By hash, the tags of the last two values that did not go in."""
        self._out = BytesWriter()
        self._still = True
        """Nothing has changed since that could make the octets of a list other ones: the table, credit, what came lately."""
        self._known: list[_Encoded] = []
        """Lists that were encoded while nothing changed, the latest first."""
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
        for known in self._known:
            if known.is_of(fields):
                return known.block
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
            self._still = False
        for field in fields:
            self._field(out, field)
        block = out.getvalue()
        size: i64 = len(block)
        if size > _WRITER_SIZE:
            self._out = BytesWriter()
        if not self._still:
            self._known.clear()
            self._still = True
        elif size <= _KNOWN_SIZE:
            self._known.insert(0, _Encoded(fields.copy(), block))
            if len(self._known) > _KNOWN:
                self._known.pop()
        return block

    def _field(self, out: BytesWriter, field: HeaderField) -> None:
        title = field.title
        value = field.value
        policy = title.policy
        if policy == SHORT_SECRET:
            policy = SECRET if len(value) < _SHORT else INDEX
        if field.flags & SENSITIVE or policy == SECRET:
            name = self._name(title)
            _write_integer(out, 0x10, 0x0F, name)
        else:
            index = self._static(title, value)
            if index > 0:
                _write_integer(out, 0x80, 0x7F, index)
                return
            number = self._pairs.get((title.octets, value))
            slot = _hash(title.octets) & _SLOT_MASK
            credit = i64(self._credit[slot])
            if number is not None:
                if credit < _MIDDLE + _MOST:
                    self._credit[slot] = u8(credit + 2)
                    self._still = False
                at: i64 = number
                _write_integer(out, 0x80, 0x7F, self._inserted - at + STATIC_COUNT)
                return
            self._still = False
            if credit > _MIDDLE - _MOST:
                self._credit[slot] = u8(credit - 1)
            if policy == INDEX:
                credit += _START
            name = self._name(title)
            size = title.weight + len(value)
            if (
                (credit > _MIDDLE and size * 4 <= self._max * 3)
                or (name == 0 and size * _NAME_SHARE <= self._max)
                or (self._came_lately(slot, value) and size * 4 <= self._max * 3)
            ):
                _write_integer(out, 0x40, 0x3F, name)
                if name == 0:
                    _write_string(out, title.octets)
                _write_string(out, value)
                self._insert(field)
                return
            _write_integer(out, 0x00, 0x0F, name)
        if name == 0:
            _write_string(out, title.octets)
        _write_string(out, value)

    def _name(self, title: HeaderName) -> i64:
        """The index of a name in the tables, or 0."""
        if title.index > 0:
            return title.index
        number = self._names.get(title.octets)
        if number is None:
            return 0
        at: i64 = number
        return self._inserted - at + STATIC_COUNT

    def _came_lately(self, salt: i64, value: bytes) -> bool:
        """Whether `value` is remembered; it is from now on."""
        folded = _hash(value) + salt * 0x9E3779B1
        recent = self._recent
        slot = (folded & _SLOT_MASK) * 2
        tag = (folded >> 8) & 0xFF
        first = i64(recent[slot])
        if first == tag or i64(recent[slot + 1]) == tag:
            return True
        recent[slot + 1] = u8(first)
        recent[slot] = u8(tag)
        return False

    def _static(self, title: HeaderName, value: bytes) -> i64:
        """The index of the field in the static table, or 0."""
        index = title.index
        if index > 0:
            size: i64 = len(value)
            while index <= STATIC_COUNT:
                entry = STATIC_FIELDS[index]
                if entry.title is not title:
                    break
                if len(entry.value) == size and entry.value == value:
                    return index
                index += 1
        return 0

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
        self._known.clear()
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
    if size <= _CODED_AT_ONCE:
        start: i64 = len(out)
        out.append(0)
        encode_huffman(octets, out)
        coded = i64(len(out)) - start - 1
        if coded < size:
            out[start] = u8(0x80 | coded)
            return
        out.truncate(start)
    else:
        coded = (huffman_bits(octets) + 7) >> 3
        if coded < size:
            _write_integer(out, 0x80, 0x7F, coded)
            encode_huffman(octets, out)
            return
    _write_integer(out, 0x00, 0x7F, size)
    out.write(octets)


def _hash(octets: bytes) -> i64:
    """A hash from 0 on. Of long strings only the first, middle and last 8 octets count."""
    size: i64 = len(octets)
    if size < 8:
        word: i64 = size
        at: i64 = 0
        while at < size:
            octet: i64 = octets[at]
            word = (word << 8) | octet
            at += 1
        mixed = word
    else:
        mixed = (
            read_i64_le(octets, 0) ^ (read_i64_le(octets, size - 8) >> 3) ^ (read_i64_le(octets, (size >> 1) - 4) >> 7)
        )
    mixed = ((mixed & 0x7FFFFFFF) * 0x9E3779B1) ^ (((mixed >> 32) & 0x7FFFFFFF) * 0x85EBCA77) ^ (size * 0x165667B1)
    return (mixed ^ (mixed >> 29)) >> 7
