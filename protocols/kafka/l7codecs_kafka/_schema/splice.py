"""Bodies with other values in some places: what is not changed is copied as it is.

A string's or octets' length is written anew, compact where the message's lengths are; so is the size of a tagged field that holds a
change, and of those around it. No counts change: who adds or removes elements takes `decode` and `encode`.
"""

from __future__ import annotations

from typing import Final

from librt.strings import BytesWriter, write_i16_be, write_i32_be
from librt.vecs import append, vec
from mypy_extensions import i16, i32, i64

from .found import Found, varint_size
from .layouts import BYTES, STRING
from .values import write_varint

__all__ = ["splice"]

_STRING_LIMIT: Final[i64] = 0x7FFF


def splice(found: Found, changes: list[tuple[int, bytes | None]]) -> bytes:
    """The body that `found` is of, with new octets (None: null) in place of the values of some entries, by their numbers.

    `changes` are in rising order. Values of fixed size keep their size.

    Raises:
        ValueError: an entry comes twice or out of order; the new value has another size than the type; a string is too long.
    """
    octets = found.octets
    out = BytesWriter()
    copied = found.start
    sizes = _sizes(found, changes)
    tags = found.tags
    tag: i64 = 0
    tag_count: i64 = len(tags)
    flexible = found.layout.flexible
    for number, value in changes:
        prefix = found.prefix(number)
        while tag < tag_count and tags[tag] < prefix:
            if sizes[tag // 3] >= 0:
                out.write(octets[copied : tags[tag]])
                write_varint(out, sizes[tag // 3])
                copied = tags[tag + 1]
            tag += 3
        out.write(octets[copied:prefix])
        copied = found.ends(number)
        kind = found.field(number).kind
        if kind == STRING or kind == BYTES:
            size: i64 = -1 if value is None else len(value)
            if flexible:
                write_varint(out, size + 1)
            elif kind == STRING:
                write_i16_be(out, i16(size))
            else:
                write_i32_be(out, i32(size))
        if value is not None:
            out.write(value)
    out.write(octets[copied : found.end])
    return out.getvalue()


def _sizes(found: Found, changes: list[tuple[int, bytes | None]]) -> vec[i64]:
    """The new size of each tagged field in `Found.tags`; -1 where it stays what it is."""
    tags = found.tags
    sizes = vec[i64]()
    grown = vec[i64]()
    count: i64 = len(tags)
    at: i64 = 0
    while at < count:
        sizes = append(sizes, -1)
        grown = append(grown, 0)
        at += 3
    flexible = found.layout.flexible
    opened = vec[i64]()  # the tags around, outermost first
    depth: i64 = 0
    tag: i64 = 0
    before = -1
    limit: i64 = len(found)
    for number, value in changes:
        if not before < number < limit:
            raise ValueError(f"no entry {number} behind entry {before} of {limit}")
        before = number
        prefix = found.prefix(number)
        while True:
            if depth > 0 and tags[opened[depth - 1] + 2] <= prefix:
                depth -= 1
                _close(found, opened, depth, sizes, grown)
            elif tag < count and tags[tag] < prefix:
                while depth > 0 and tags[opened[depth - 1] + 2] <= tags[tag]:
                    depth -= 1
                    _close(found, opened, depth, sizes, grown)
                if depth < len(opened):
                    opened[depth] = tag
                else:
                    opened = append(opened, tag)
                depth += 1
                tag += 3
            else:
                break
        kind = found.field(number).kind
        old = found.ends(number) - prefix
        size: i64 = 0 if value is None else len(value)
        if kind == STRING or kind == BYTES:
            if kind == STRING and size > _STRING_LIMIT:
                raise ValueError(f"{found.field(number).path}: {size} octets; a string has {_STRING_LIMIT} at most")
            if flexible:
                size += varint_size(0 if value is None else size + 1)
            else:
                size += 2 if kind == STRING else 4
        elif size != old:
            raise ValueError(f"{found.field(number).path}: {size} octets in place of {old}")
        if depth > 0:
            grown[opened[depth - 1] // 3] += size - old
    while depth > 0:
        depth -= 1
        _close(found, opened, depth, sizes, grown)
    return sizes


def _close(found: Found, opened: vec[i64], depth: i64, sizes: vec[i64], grown: vec[i64]) -> None:
    """Settle the size of the tagged field ``opened[depth]``, and what that means for the one around it."""
    tag = opened[depth]
    more = grown[tag // 3]
    if more == 0:
        return
    tags = found.tags
    size = tags[tag + 2] - tags[tag + 1] + more
    sizes[tag // 3] = size
    if depth > 0:
        grown[opened[depth - 1] // 3] += more + varint_size(size) - (tags[tag + 1] - tags[tag])
