"""Header compression: from the octets of a header block to its fields. RFC 7541.

A block is the fragments of a HEADERS or PUSH_PROMISE frame and its CONTINUATION frames, joined, without padding. It is a sequence of

    1 index(7)                                     an entry of the tables
    01 name(6) [string] string                     a literal, inserted into the dynamic table
    0000 name(4) [string] string                   a literal, not inserted
    0001 name(4) [string] string                   a literal, never to be indexed
    001 size(5)                                    the dynamic table's new size: at the block's beginning only

where name 0 means that the name comes as a string, and a string is H(1) size(7) octets, Huffman-coded if H is 1.

Each direction of a connection has one decoder, and every block of it must pass through it, in order. Entries of the tables are objects,
`HeaderField`: an indexed field costs one reference. A literal that came before costs no more, as long as it is in the cache (`_literals`).

**Joining a connection** that is under way (`joined`), or losing octets of it (`lose`): entries from before are not known. A reference to
one yields a field that says so. Newer entries stand before older ones in the table, so their indexes do not depend on what came before.
"""

from __future__ import annotations

from typing import Final, NoReturn, final

from librt.strings import BytesWriter
from mypy_extensions import i32, i64

from l7codecs import ProtocolError

from .block import FAR, PART_SIZE, HeaderBlock
from .huffman import BAD_OCTET, EOS_SEEN, PADDING_LONG, decode_huffman
from .literals import LITERAL_SIZE, cached_name, cached_value, keep_name, keep_value, literal_hash
from .static_table import (
    AGAIN,
    FIELD_OVERHEAD,
    FIRST_MARK,
    LATE_PSEUDO,
    NO_FIELD,
    PSEUDO,
    REGULAR,
    REPEATED,
    SENSITIVE,
    STATIC_COUNT,
    STATIC_FIELDS,
    VALUE_BAD,
    HeaderField,
    HeaderName,
    header_name,
    value_flags,
)

__all__ = ["HeaderBlock", "HpackDecoder"]

DEFAULT_TABLE_SIZE: Final[i64] = 4096
"""SETTINGS_HEADER_TABLE_SIZE until a peer says otherwise (RFC 9113 §6.5.2), in octets."""
_DEFAULT_LIST_LIMIT: Final[i64] = 65536
_JOINED_TABLE_SIZE: Final[i64] = 65536
_LARGEST_TABLE_SIZE: Final[i64] = 1 << 20
"""Octets of a table that are remembered, whatever the peers have agreed on."""
"""What is remembered of a table whose size is not known, in octets."""
_MAX_TABLE_SIZE: Final[i64] = 0xFFFFFFFF
_MAX_CONTINUATION: Final[i64] = 28
"""The shift of the last octet that an integer may have: five octets follow the prefix, as in nghttp2."""

_KEPT_WEIGHT: Final[i64] = LITERAL_SIZE + FIELD_OVERHEAD
_PATIENCE: Final[i64] = 64
"""Misses in a row after which the cache is asked for one of eight values of a name."""
_WRITER_SIZE: Final[i64] = 4096
"""A buffer that a longer string was decoded to is not kept."""


@final
class HpackDecoder:
    """The header blocks of one direction.

    ``table_limit``: the SETTINGS_HEADER_TABLE_SIZE that holds for it, in octets; ``list_limit``: octets that a header list may have, as RFC
    7541 §4.1 counts; ``joined``: the connection was under way before, so neither the table nor its limit is known.
    """

    def __init__(
        self, table_limit: i64 = DEFAULT_TABLE_SIZE, list_limit: i64 = _DEFAULT_LIST_LIMIT, joined: bool = False
    ) -> None:
        self.list_limit = list_limit
        self._limit: i64 = table_limit
        self._max: i64 = table_limit
        self._must_shrink: i64 = -1
        self._size: i64 = 0
        self._count: i64 = 0
        self._inserted: i64 = 0
        self._ring = [NO_FIELD] * 16
        self._mask: i64 = 15
        self._blind = False
        self._bounded = True
        self._at: i64 = 0
        self._bad_octet = False
        self._out = BytesWriter()
        if joined:
            self.lose()

    @property
    def table(self) -> list[HeaderField]:
        """What is known of the dynamic table, the newest entry first."""
        return [self._ring[(self._inserted - index) & self._mask] for index in range(1, self._count + 1)]

    @property
    def table_size(self) -> int:
        """Octets of `table`, as RFC 7541 §4.1 counts."""
        return self._size

    def set_table_limit(self, size: i64) -> None:
        """The peer has acknowledged this SETTINGS_HEADER_TABLE_SIZE. If its table may be larger, it must say that it shrinks it."""
        self._limit = size
        if not self._bounded:
            self._bounded = size <= _LARGEST_TABLE_SIZE
            self._max = min(size, _LARGEST_TABLE_SIZE)
            self._evict(self._max)
            self._open_eyes()
        elif self._max > size:
            self._max = size
            self._must_shrink = size
            self._evict(size)
            self._open_eyes()

    def lose(self) -> None:
        """Octets of this direction were not seen: what the table holds, and how large it may be, is no longer known."""
        self._evict(0)
        self._blind = True
        self._bounded = False
        self._limit = _MAX_TABLE_SIZE
        self._max = _JOINED_TABLE_SIZE
        self._must_shrink = -1

    def decode(self, block: bytes, start: i64, stop: i64) -> HeaderBlock:
        """Decode the block ``block[start:stop]``.

        Raises ProtocolError if it is no such block, with the offset counted from `start`; the decoder cannot be used any more then.
        Raises ValueError if the range is not inside `block`.
        """
        if not 0 <= start <= stop <= len(block):
            raise ValueError(f"the range {start} to {stop} is not inside {len(block)} octets")
        decoded = HeaderBlock()
        count: i64 = 0
        static = STATIC_FIELDS
        size: i64 = 0
        seen: i64 = 0
        places: i64 = 0
        place_of: i64 = 0
        limit = self.list_limit
        at = start
        if self._must_shrink >= 0 or (at < stop and block[at] & 0xE0 == 0x20):
            at = self._resize(block, start, stop)
        while at < stop:
            octet: i64 = block[at]
            if octet > 0x80 and octet < 0x80 + 62:
                field = static[octet - 0x80]
                at += 1
            elif octet >= 0x80:
                index: i64 = octet - 0x80
                at += 1
                if index == 0x7F:
                    index, at = self._integer(block, start, at, stop, index)
                if index > STATIC_COUNT:
                    index -= STATIC_COUNT
                    if index <= self._count:
                        field = self._ring[(self._inserted - index) & self._mask]
                    else:
                        field = self._older(index, at - 1 - start)
                elif index > 0:
                    field = static[index]
                else:
                    raise ProtocolError(int(at - 1 - start), "index 0", "an index from 1 on", "RFC 7541 §6.1")
            else:
                field = self._literal(block, start, at, stop)
                at = self._at
            title = field.title
            size += title.weight + len(field.value)
            if size > limit:
                continue
            flags = field.flags
            place = title.place
            if place >= 0:
                place_of = (places >> place) & FAR
                if place_of != 0:
                    if flags & PSEUDO:
                        seen |= REPEATED
                else:
                    place_of = count + 1
                    if place_of > FAR:
                        place_of = FAR
                    places |= place_of << place
            if flags & PSEUDO and seen & REGULAR:
                seen |= LATE_PSEUDO
            if seen & flags >= FIRST_MARK:
                seen |= AGAIN
            seen |= flags
            if count < PART_SIZE:
                decoded.put(count, field)  # as `append` does
            else:
                decoded.count = i32(count)
                decoded.append(field)
            count += 1
        decoded.count = i32(count)
        decoded.size = size
        decoded.seen = seen
        decoded.places = places
        decoded.oversized = size > limit
        return decoded

    def _literal(self, block: bytes, start: i64, at: i64, stop: i64) -> HeaderField:
        """The literal whose first octet stands at `at`; `_at` is behind it."""
        octet: i64 = block[at]
        first = at
        insert = octet >= 0x40
        if insert:
            index = octet & 0x3F
            full: i64 = 0x3F
        elif octet >= 0x20:
            raise ProtocolError(int(at - start), "a table size update behind a field", "a field", "RFC 7541 §4.2")
        else:
            index = octet & 0x0F
            full = 0x0F
        at += 1
        if index == full:
            index, at = self._integer(block, start, at, stop, index)
        if index == 0:
            title = self._name(block, start, at, stop)
            at = self._at
        elif index <= STATIC_COUNT:
            title = STATIC_FIELDS[index].title
        else:
            index -= STATIC_COUNT
            if index <= self._count:
                title = self._ring[(self._inserted - index) & self._mask].title
            else:
                title = self._older(index, first - start).title
        if at >= stop:
            self._cut(stop - start)
        length: i64 = block[at]
        huffman = length >= 0x80
        length &= 0x7F
        at += 1
        if length == 0x7F:
            length, at = self._integer(block, start, at, stop, length)
        end = at + length
        if end > stop:
            self._cut(stop - start)
        self._at = end
        flags = title.flags
        if octet & 0xF0 == 0x10:
            field = self._field(title, block, start, at, end, huffman, flags | SENSITIVE)
        elif length == 0 or length > LITERAL_SIZE or end < 8 or title.weight > _KEPT_WEIGHT:
            field = self._field(title, block, start, at, end, huffman, flags)
        elif title.misses > _PATIENCE and title.misses & 7 != 0:
            # Ids and the like never come again: only one of eight is looked for, and kept.
            title.misses += 1
            field = self._field(title, block, start, at, end, huffman, flags)
        else:
            folded = literal_hash(block, at, end, huffman, title.weight)
            found = cached_value(folded, title, block, at, end, huffman)
            if found is not None:
                title.misses = 0
                field = found
            else:
                title.misses += 1
                field = self._field(title, block, start, at, end, huffman, flags)
                keep_value(folded, field, block, at, end, huffman)
        if insert:
            self._insert(field)
        return field

    def _field(
        self, title: HeaderName, block: bytes, start: i64, at: i64, end: i64, huffman: bool, flags: i64
    ) -> HeaderField:
        """A new field: `title` with the value ``block[at:end]``."""
        if huffman:
            value = self._octets(block, start, at, end)
            if self._bad_octet:
                flags |= VALUE_BAD
            size: i64 = len(value)
            if size > 0:
                first: i64 = value[0]
                last: i64 = value[size - 1]
                if first == 0x20 or last == 0x20 or first == 0x09 or last == 0x09:
                    flags |= VALUE_BAD
        else:
            value = block[at:end]
            flags |= value_flags(value)
        return HeaderField(title, value, flags)

    def _name(self, block: bytes, start: i64, at: i64, stop: i64) -> HeaderName:
        """The name that stands as a string at `at`; `_at` is behind it."""
        if at >= stop:
            self._cut(stop - start)
        length: i64 = block[at]
        huffman = length >= 0x80
        length &= 0x7F
        at += 1
        if length == 0x7F:
            length, at = self._integer(block, start, at, stop, length)
        end = at + length
        if end > stop:
            self._cut(stop - start)
        self._at = end
        if length == 0 or length > LITERAL_SIZE or end < 8:
            return header_name(self._octets(block, start, at, end) if huffman else block[at:end])
        folded = literal_hash(block, at, end, huffman, 0)
        found = cached_name(folded, block, at, end, huffman)
        if found is not None:
            return found
        title = header_name(self._octets(block, start, at, end) if huffman else block[at:end])
        keep_name(folded, title, block, at, end, huffman)
        return title

    def _octets(self, block: bytes, start: i64, at: i64, end: i64) -> bytes:
        """What the Huffman-coded string ``block[at:end]`` stands for; `_bad_octet` tells whether a value must not hold it."""
        out = self._out
        out.truncate(0)
        result = decode_huffman(block, at, end, out)
        if result < 0:
            _bad_huffman(result, at - start, end - start)
        self._bad_octet = result == BAD_OCTET
        octets = out.getvalue()
        if end - at > _WRITER_SIZE:
            self._out = BytesWriter()
        return octets

    def _integer(self, block: bytes, start: i64, at: i64, stop: i64, value: i64) -> tuple[i64, i64]:
        """The integer whose prefix, all ones, is `value`, continued at `at` (RFC 7541 §5.1); and where it ends."""
        shift: i64 = 0
        while True:
            if at >= stop:
                self._cut(stop - start)
            octet: i64 = block[at]
            at += 1
            value += (octet & 0x7F) << shift
            if octet < 0x80:
                if value > _MAX_TABLE_SIZE:
                    break
                return value, at
            shift += 7
            if shift > _MAX_CONTINUATION:
                break
        raise ProtocolError(int(at - 1 - start), "an integer of more than 32 bits", "a smaller one", "RFC 7541 §5.1")

    def _cut(self, offset: i64) -> NoReturn:
        raise ProtocolError(int(offset), "the end of the block", "the rest of a field", "RFC 7541 §3.2")

    def _older(self, index: i64, offset: i64) -> HeaderField:
        """An entry of the dynamic table that is not known: if it may be there, one that says so."""
        if self._blind and (not self._bounded or index * FIELD_OVERHEAD <= self._max):
            return NO_FIELD
        raise ProtocolError(
            int(offset),
            f"index {index + STATIC_COUNT}",
            f"an index up to {STATIC_COUNT + self._count}, with {self._count} entries in the dynamic table",
            "RFC 7541 §2.3.3",
        )

    def _resize(self, block: bytes, start: i64, stop: i64) -> i64:
        """Take the table size updates at the block's beginning; returns where they end.

        Deviation: "at most two" may stand there (RFC 7541 §4.2). As nghttp2 and hpack do, this takes any number, each within the limit.
        """
        at = start
        while at < stop:
            octet: i64 = block[at]
            if octet & 0xE0 != 0x20:
                break
            first = at
            size = octet & 0x1F
            at += 1
            if size == 0x1F:
                size, at = self._integer(block, start, at, stop, size)
            limit = self._limit
            if 0 <= self._must_shrink < limit:
                limit = self._must_shrink
            if size > limit:
                raise ProtocolError(
                    int(first - start), f"a table size of {size}", f"at most {limit} octets", "RFC 7541 §6.3"
                )
            self._must_shrink = -1
            self._max = size
            self._bounded = True
            largest = _JOINED_TABLE_SIZE if self._limit == _MAX_TABLE_SIZE else _LARGEST_TABLE_SIZE
            if size > largest:
                # Nobody has agreed to remember that much, or it is more than is remembered: what falls out is not known.
                self._max = largest
                self._bounded = False
                self._blind = True
            self._evict(self._max)
            self._open_eyes()
        if self._must_shrink >= 0:
            seen = "a field" if at < stop else "the end of the block"
            expected = f"a table size update to {self._must_shrink} or less"
            raise ProtocolError(int(at - start), seen, expected, "RFC 7541 §4.2")
        return at

    def _open_eyes(self) -> None:
        """If the known entries leave no room for another one, nothing unknown is left in the table."""
        if self._blind and self._bounded and self._size + FIELD_OVERHEAD > self._max:
            self._blind = False

    def _insert(self, field: HeaderField) -> None:
        size = field.title.weight + len(field.value)
        if size > self._max:
            # Not an error: it empties the table (RFC 7541 §4.4). Where only our memory of the table is that small, it
            # has a place there all the same.
            self._evict(0)
            if self._bounded:
                self._blind = False
                return
            field = NO_FIELD
            size = FIELD_OVERHEAD
        if self._size + size > self._max:
            self._evict(self._max - size)
        if self._count > self._mask:
            self._grow()
        self._ring[self._inserted & self._mask] = field
        self._inserted += 1
        self._count += 1
        self._size += size
        if self._blind:
            self._open_eyes()

    def _evict(self, size: i64) -> None:
        """Drop the oldest entries until at most `size` octets are left."""
        ring = self._ring
        while self._size > size:
            oldest = (self._inserted - self._count) & self._mask
            field = ring[oldest]
            self._size -= field.title.weight + len(field.value)
            ring[oldest] = NO_FIELD
            self._count -= 1

    def _grow(self) -> None:
        """Make room for twice as many entries; what is evicted leaves the room behind."""
        entries = self.table
        entries.reverse()
        count: i64 = len(entries)
        self._ring = entries + [NO_FIELD] * count
        self._mask = count * 2 - 1
        self._inserted = count


def _bad_huffman(result: i64, start: i64, end: i64) -> NoReturn:
    """Raise the error of a string that stands from `start` to `end`."""
    if result == EOS_SEEN:
        raise ProtocolError(int(start), "EOS in a string", "octets, and up to 7 bits of padding", "RFC 7541 §5.2")
    seen = "a code that is cut, or more than 7 bits of padding" if result == PADDING_LONG else "padding with a 0"
    raise ProtocolError(int(end - 1), seen, "up to 7 bits of padding, all 1", "RFC 7541 §5.2")
