"""The topics of a request, in one pass that notes nothing but them: what a router asks of every message.

It runs the program that `walk.pick` would, where all that is noted are strings, and ids that stand right before their name or have
none. What it meets besides, or cannot read, `pick` tells.
"""

from __future__ import annotations

from librt.strings import read_i16_be, read_i32_be, read_i64_be
from mypy_extensions import i64

from .found import read_varint, text_of
from .layouts import Layout
from .programs import (
    A_MASK,
    ARRAY,
    BEFORE,
    BEFORE_MASK,
    COMPACT,
    END,
    FIXED,
    FORM_MASK,
    LAST,
    NEXT_TAGS,
    NOTE,
    OP_MASK,
    PASS,
    SHORT,
    SIZED,
    SKIP,
    SKIP_ITEMS,
    SKIP_STRUCTS,
    WALK,
    A,
    B,
    program_for,
)

__all__ = ["names"]


def names(layout: Layout, octets: bytes, start: i64, end: i64, wanted: i64) -> list[str | bytes] | None:
    """The strings and the ids with one of the roles `wanted`, in the order of the wire, without null and zero.

    An id that stands right before its name is left out where that is not null. None: it takes `pick` to tell, or to say what is wrong.
    """
    program = program_for(layout, wanted, WALK)
    if not program.plain or end > len(octets):
        return None
    code = program.code
    paired = program.paired
    found: list[str | bytes] = []
    at = start
    limit = end
    left: i64 = 1  # as in `walk.run_program`
    left1: i64 = 1
    left2: i64 = 1
    size: i64 = 0
    id_at: i64 = 0  # where the id of a name stands
    pc: i64 = 0
    while True:
        word = code[pc]
        pc += 1
        op = word & OP_MASK
        at += (word >> BEFORE) & BEFORE_MASK
        mark = at
        if SKIP <= op < SIZED:
            form = op & FORM_MASK
            if form == COMPACT:
                if at >= limit:
                    return None
                size = octets[at]
                at += 1
                if size >= 0x80:
                    size = read_varint(octets, mark, limit)
                    if size < 0:
                        return None
                    at = mark + (size & 7)
                    size >>= 3
                size -= 1
            else:
                at += 2 if form == SHORT else 4
                if at > limit:
                    return None
                size = i64(read_i16_be(octets, mark)) if form == SHORT else i64(read_i32_be(octets, mark))
                if size < -1:
                    return None
            if op < NOTE:
                if size > 0:
                    at += size
            elif op < ARRAY:
                if size > limit - at:
                    return None
                if size >= 0:
                    found.append(text_of(octets[at : at + size]))
                    at += size
                elif paired:
                    _add_id(found, octets, id_at)
            elif op < SKIP_ITEMS:
                if size > limit - at:
                    return None
                if size <= 0:
                    pc = (word >> A) & A_MASK
                else:
                    depth = word >> B
                    if depth == 1:
                        left1 = left
                    elif depth == 2:
                        left2 = left
                    left = size
            elif op < SKIP_STRUCTS:
                if size > 0:
                    at += size * ((word >> A) & A_MASK)
            else:
                if size > limit - at:
                    return None
                a = (word >> A) & A_MASK
                while size > 0:
                    at += a
                    if at >= limit or octets[at] != 0:
                        return None
                    at += 1
                    size -= 1
        elif op <= NEXT_TAGS:
            if op == NEXT_TAGS:
                if at >= limit or octets[at] != 0:
                    return None
                at += 1
            elif op == END:
                return found if at <= limit else None
            left -= 1
            if left > 0:
                pc = (word >> A) & A_MASK
            elif word >> B == 2:
                left = left1
            elif word >> B == 3:
                left = left2
        elif op == LAST:
            a = (word >> A) & A_MASK
            if left == 1 and (a < 2 or (left1 == 1 and (a < 3 or left2 == 1))):
                return found if at <= limit else None
        elif op == FIXED:
            at += word >> B
            if at > limit:
                return None
            if paired:
                id_at = mark
            else:
                _add_id(found, octets, mark)
        elif op != PASS:  # tagged fields of which none is wanted
            if at >= limit or octets[at] != 0:
                return None
            at += 1
        if at > limit:
            return None


def _add_id(found: list[str | bytes], octets: bytes, at: i64) -> None:
    """Note the id at `at`, where it is one."""
    if read_i64_be(octets, at) != 0 or read_i64_be(octets, at + 8) != 0:
        found.append(octets[at : at + 16])
