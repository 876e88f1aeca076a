"""Literals that came before: a cache of bounded size that all decoders share. It spares decoding a string and making an object of it.

What is compared is the string as it stands on the wire: its octets, and whether they are Huffman-coded. A hash tells each string its slot,
one of 1024; what misses a slot twice in a row takes it. So strings that never come again cost an octet of a table, and push nothing out.
Sensitive values are not to be put here.

    hash     bits 0-9  slot           10-17  tag of the string in the slot, and of the last one that missed it
"""

from __future__ import annotations

from typing import Final, final

from librt.strings import BytesWriter, read_i64_le
from mypy_extensions import i64, mypyc_attr, u8

from .static_table import NO_FIELD, NO_NAME, HeaderField, HeaderName

__all__ = ["LITERAL_SIZE", "cached_name", "cached_value", "keep_name", "keep_value", "literal_hash"]

LITERAL_SIZE: Final[i64] = 128
"""Octets that a literal may have on the wire to be kept, and the name that it belongs to."""
_SLOT_COUNT: Final[i64] = 1024
_SLOT_MASK: Final[i64] = 1023
_TAG_SHIFT: Final[i64] = 10


@final
@mypyc_attr(acyclic=True)
class _Literal:
    """A string that came twice, and what it stands for."""

    def __init__(self, wire: bytes, huffman: bool, field: HeaderField, title: HeaderName) -> None:
        self.wire = wire
        self.huffman = huffman
        self.field = field
        """Of a value."""
        self.title = title
        """The name, or the one that the value belongs to."""


def _table(size: int) -> BytesWriter:
    writer = BytesWriter()
    writer.write(bytes(size))
    return writer


_NOTHING: Final = _Literal(b"", False, NO_FIELD, NO_NAME)
_VALUES: Final = [_NOTHING] * 1024
_NAMES: Final = [_NOTHING] * 1024
_VALUE_TAGS: Final = _table(2048)
"""For each slot of `_VALUES` the tag of what it holds; then for each the tag of what missed it last."""
_NAME_TAGS: Final = _table(2048)


def literal_hash(block: bytes, at: i64, end: i64, huffman: bool, salt: i64) -> i64:
    """A hash from 0 on of the string ``block[at:end]``, of 1 to `LITERAL_SIZE` octets; `end` is 8 or more.

    Of a long one only the first, middle and last 8 octets count.
    """
    length = end - at
    last: i64 = read_i64_le(block, end - 8)
    if length < 8:
        last = (last >> (64 - length * 8)) & 0x7FFFFFFFFFFFFFFF
        first = last
    else:
        first = read_i64_le(block, at)
        if length > 16:
            middle: i64 = read_i64_le(block, at + (length >> 1) - 4)
            first ^= (middle >> 3) ^ ((middle << 7) & 0x7FFFFFFFFFFFFF80)
    if huffman:
        salt += 1024
    # Products of 31 and 32 bits stay below 2**63.
    mixed = (
        ((first & 0x7FFFFFFF) * 0x9E3779B1)
        ^ (((first >> 32) & 0x7FFFFFFF) * 0x85EBCA77)
        ^ ((last & 0x7FFFFFFF) * 0xC2B2AE3D)
        ^ (((last >> 32) & 0x7FFFFFFF) * 0x27D4EB2F)
        ^ ((salt + length) * 0x165667B1)
    )
    return (mixed >> 15) ^ (mixed >> 33)


def cached_value(folded: i64, title: HeaderName, block: bytes, at: i64, end: i64, huffman: bool) -> HeaderField | None:
    """The field `title` with the value ``block[at:end]``, whose hash is `folded`, if it is there."""
    number = folded & _SLOT_MASK
    tag = i64(_VALUE_TAGS[number])
    if tag != (folded >> _TAG_SHIFT) & 0xFF:
        return None
    slot = _VALUES[number]
    if slot.title is title and slot.huffman == huffman and _same(slot.wire, block, at, end):
        return slot.field
    return None


def keep_value(folded: i64, field: HeaderField, block: bytes, at: i64, end: i64, huffman: bool) -> None:
    """`field` was not there: if it was missed before, put it there."""
    number = folded & _SLOT_MASK
    tag = u8((folded >> _TAG_SHIFT) & 0xFF)
    if _VALUE_TAGS[_SLOT_COUNT + number] == tag:
        _VALUES[number] = _Literal(block[at:end], huffman, field, field.title)
        _VALUE_TAGS[number] = tag
    else:
        _VALUE_TAGS[_SLOT_COUNT + number] = tag


def cached_name(folded: i64, block: bytes, at: i64, end: i64, huffman: bool) -> HeaderName | None:
    """The name ``block[at:end]``, whose hash is `folded`, if it is there."""
    number = folded & _SLOT_MASK
    tag = i64(_NAME_TAGS[number])
    if tag != (folded >> _TAG_SHIFT) & 0xFF:
        return None
    slot = _NAMES[number]
    if slot.huffman == huffman and _same(slot.wire, block, at, end):
        return slot.title
    return None


def keep_name(folded: i64, title: HeaderName, block: bytes, at: i64, end: i64, huffman: bool) -> None:
    """`title` was not there: if it was missed before, put it there."""
    number = folded & _SLOT_MASK
    tag = u8((folded >> _TAG_SHIFT) & 0xFF)
    if _NAME_TAGS[_SLOT_COUNT + number] == tag:
        _NAMES[number] = _Literal(block[at:end], huffman, NO_FIELD, title)
        _NAME_TAGS[number] = tag
    else:
        _NAME_TAGS[_SLOT_COUNT + number] = tag


def _same(wire: bytes, block: bytes, at: i64, end: i64) -> bool:
    """Whether `wire` is ``block[at:end]``."""
    length = end - at
    if len(wire) != length:
        return False
    done: i64 = 0
    while done <= length - 8:
        if read_i64_le(wire, done) != read_i64_le(block, at + done):
            return False
        done += 8
    if done == length:
        return True
    if length >= 8:
        return read_i64_le(wire, length - 8) == read_i64_le(block, end - 8)
    while done < length:
        if wire[done] != block[at + done]:
            return False
        done += 1
    return True
