"""Pass over a body: where each wanted field stands, and where the body ends.

    string      length(16) octets            compact: length + 1 as a varint, 0 is null
    bytes       length(32) octets            the same
    array       count(32) elements           the same, of the count
    struct      fields, of a flexible message then its tagged fields: count, and each tag, size, octets
    null        length or count -1; a struct that can be null has an octet before it: -1 or 1

"Protocol Primitive Types", Kafka protocol guide; KIP-482. A varint has seven bits an octet, the lowest first. Nothing is allocated by
what the octets declare: a count is held against the octets that there are.
"""

from __future__ import annotations

from typing import Final

from librt.strings import read_i16_be, read_i32_be
from librt.vecs import append, vec
from mypy_extensions import i64

from .found import (
    BAD_LENGTH,
    BAD_MARKER,
    BAD_SIZE,
    BAD_VARINT,
    CUT,
    ENTRY,
    GOES_ON,
    Found,
    failure,
    read_varint,
)
from .layouts import Layout
from .programs import (
    A_MASK,
    ARRAY,
    BEFORE,
    BEFORE_MASK,
    CHECK,
    CODE,
    COMPACT,
    EACH,
    END,
    END_TAG,
    FIXED,
    FORM_MASK,
    LAST,
    NEXT_TAG,
    NEXT_TAGS,
    NOTE,
    NULLABLE,
    OP_MASK,
    SHORT,
    SIZED,
    SKIP,
    SKIP_ITEMS,
    SKIP_STRUCTS,
    SKIP_TAGS,
    TAGGED,
    WALK,
    A,
    B,
    program_for,
)

__all__ = ["Found", "pick", "read_varint", "run_program", "skip"]

_ROOM: Final[i64] = 8
"""Entries that there is room for at first."""
_FIRST: Final = vec[i64]([0] * 32)
"""So much room; ``_ROOM * ENTRY`` numbers."""


def pick(
    layout: Layout, octets: bytes, start: i64, end: i64, wanted: i64, check: bool = False, partial: bool = False
) -> Found:
    """Where the fields with one of the roles `wanted` stand in the body ``octets[start:end]``.

    Octets behind the last of them are looked at with `check` only. With `partial` a body may be cut anywhere: what is complete
    before the cut is found. Octets behind the body are no error; ``Found.at`` says where it ended.

    Raises:
        ProtocolError: the octets are no body of this layout; its offset counts from the start of `octets`.
    """
    if end > len(octets):
        raise ValueError(f"no {end} octets: {len(octets)}")
    found = Found(layout, octets, start, end)
    program = program_for(layout, wanted, CHECK if check else WALK)
    run_program(program.code, found, partial)
    return found


def skip(layout: Layout, octets: bytes, start: i64, end: i64) -> int:
    """Behind the last octet of the body that starts at `start`.

    Raises:
        ProtocolError: the octets up to `end` are no body of this layout.
    """
    return pick(layout, octets, start, end, 0, True).at


def _shifted(number: i64, bits: i64) -> i64:
    """``number << bits``: mypyc writes a literal, also one with a name, as C's own integer, which has 32 bits."""
    return number << bits


def _more(entries: vec[i64]) -> vec[i64]:
    """The same with room for more."""
    size: i64 = len(entries)
    if size == 0:
        return _FIRST[0 : _ROOM * ENTRY]  # a copy, which costs a tenth of one made of a list
    more = vec[i64]([0] * (size * 2))
    at: i64 = 0
    while at < size:
        more[at] = entries[at]
        at += 1
    return more


def run_program(code: vec[i64], found: Found, partial: bool) -> None:
    """Run a program. Raises as `pick` does."""
    octets = found.octets
    at = found.start
    limit = found.end
    entries = found.entries
    room: i64 = 0
    used: i64 = 0
    bits: i64 = 0
    higher: i64 = 0
    left: i64 = 1  # elements of the array, this one counted; and of those around it
    left1: i64 = 1
    left2: i64 = 1
    left3: i64 = 1
    left4: i64 = 1
    tags: i64 = 0  # tagged fields that are to come
    stack = vec[i64]()  # of those around: how many, and where what holds them ends
    depth: i64 = 0
    size: i64 = 0
    pc: i64 = 0
    fail = GOES_ON
    mark = at  # where what cannot be read begins
    while True:
        word = code[pc]
        pc += 1
        op = word & OP_MASK
        at += (word >> BEFORE) & BEFORE_MASK
        a = (word >> A) & A_MASK
        mark = at
        if op <= NEXT_TAGS:
            if op == NEXT_TAGS:
                if at >= limit:
                    fail = CUT
                    break
                if octets[at] == 0:
                    at += 1
                else:
                    size = _skip_tags(octets, at, limit)
                    if size < 0:
                        fail = -size
                        break
                    at = size
            elif at > limit:
                fail = CUT
                break
            elif op == END:
                break
            left -= 1
            if left > 0:
                pc = a
            else:
                size = word >> B
                if size == 2:
                    left = left1
                elif size == 3:
                    left = left2
                elif size == 4:
                    left = left3
                elif size == 5:
                    left = left4
        elif SKIP <= op < SIZED:
            form = op & FORM_MASK
            if form == COMPACT:
                if at >= limit:
                    fail = CUT
                    break
                size = octets[at]
                at += 1
                if size >= 0x80:
                    size = read_varint(octets, mark, limit)
                    if size < 0:
                        fail = CUT if size == -1 else BAD_VARINT
                        break
                    at = mark + (size & 7)
                    size >>= 3
                size -= 1
            else:
                at += 2 if form == SHORT else 4
                if at > limit:
                    fail = CUT
                    break
                size = i64(read_i16_be(octets, mark)) if form == SHORT else i64(read_i32_be(octets, mark))
                if size < -1:
                    fail = BAD_LENGTH
                    break
            if op < NOTE:
                if size > 0:
                    at += size
                    if at > limit:
                        fail = CUT
                        break
            elif op < ARRAY:
                if at + size > limit and not (partial and word >> B == 1):
                    fail = CUT
                    break
                if used == room:
                    entries = _more(entries)
                    room = len(entries)
                entries[used] = a
                entries[used + 1] = mark
                if size < 0:
                    entries[used + 2] = -1
                else:
                    entries[used + 2] = at
                    at += size
                entries[used + 3] = at
                used += ENTRY
                if at > limit:
                    fail = CUT
                    break
            elif op < SKIP_ITEMS:
                if size <= 0:
                    pc = a
                elif size > limit - at and not partial:  # an element has an octet at least
                    fail = CUT
                    break
                else:
                    depth_of = word >> B
                    if depth_of == 1:
                        left1 = left
                    elif depth_of == 2:
                        left2 = left
                    elif depth_of == 3:
                        left3 = left
                    elif depth_of == 4:
                        left4 = left
                    left = size
            elif op < SKIP_STRUCTS:
                if size > 0:
                    at += size * a
                    if at > limit:
                        fail = CUT
                        break
            elif op < EACH:
                if size > limit - at and not partial:
                    fail = CUT
                    break
                while size > 0:
                    at += a
                    mark = at
                    if at >= limit:
                        fail = CUT
                        break
                    if octets[at] == 0:
                        at += 1
                    else:
                        behind = _skip_tags(octets, at, limit)
                        if behind < 0:
                            fail = -behind
                            break
                        at = behind
                    size -= 1
                if fail != GOES_ON:
                    break
            else:
                width = word >> B
                while size > 0:
                    mark = at
                    at += width
                    if at > limit:
                        fail = CUT
                        break
                    if used == room:
                        entries = _more(entries)
                        room = len(entries)
                    entries[used] = a
                    entries[used + 1] = mark
                    entries[used + 2] = mark
                    entries[used + 3] = at
                    used += ENTRY
                    size -= 1
                if fail != GOES_ON:
                    break
        elif op == CODE:
            at += 2
            if at > limit:
                fail = CUT
                break
            size = i64(read_i16_be(octets, mark))
            if 0 <= size < 64:
                bits |= _shifted(1, size)
            elif 64 <= size < 128:
                higher |= _shifted(1, size - 64)
            elif used == 0 or entries[used - ENTRY] != size:
                if used == room:
                    entries = _more(entries)
                    room = len(entries)
                entries[used] = size
                used += ENTRY
        elif op == FIXED:
            at += word >> B
            if at > limit:
                fail = CUT
                break
            if used == room:
                entries = _more(entries)
                room = len(entries)
            entries[used] = a
            entries[used + 1] = mark
            entries[used + 2] = mark
            entries[used + 3] = at
            used += ENTRY
        elif op == LAST:
            if at > limit:
                fail = CUT
                break
            if left == 1 and (a < 2 or (left1 == 1 and (a < 3 or (left2 == 1 and (a < 4 or left3 == left4 == 1))))):
                break
        elif op == SKIP_TAGS:
            if at >= limit:
                fail = CUT
                break
            if octets[at] == 0:
                at += 1
            else:
                size = _skip_tags(octets, at, limit)
                if size < 0:
                    fail = -size
                    break
                at = size
        elif op == NULLABLE:
            if at >= limit:
                fail = CUT
                break
            size = octets[at]
            at += 1
            if size == 0xFF:
                pc = a
            elif size != 1:
                fail = BAD_MARKER
                break
        elif op == TAGGED:
            size = read_varint(octets, at, limit)
            if size < 0:
                fail = CUT if size == -1 else BAD_VARINT
                break
            at += size & 7
            if depth == len(stack):
                stack = append(stack, 0)
                stack = append(stack, 0)
            stack[depth] = tags
            stack[depth + 1] = limit
            depth += 2
            tags = size >> 3
            pc = a
        elif op == NEXT_TAG:
            if tags == 0:
                depth -= 2
                tags = stack[depth]
                limit = stack[depth + 1]
                pc = a
            else:
                tags -= 1
                tag = read_varint(octets, at, limit)
                if tag < 0:
                    fail = CUT if tag == -1 else BAD_VARINT
                    break
                at += tag & 7
                tag >>= 3
                width = at
                size = read_varint(octets, at, limit)
                if size < 0:
                    fail = CUT if size == -1 else BAD_VARINT
                    break
                at += size & 7
                size >>= 3
                if at + size > limit and not partial:
                    fail = CUT
                    break
                entry = pc
                behind = pc + (word >> B)
                while entry < behind and code[entry] >> B != tag:
                    entry += 1
                if entry == behind:
                    at += size
                    pc -= 1
                    if at > limit:
                        fail = CUT
                        break
                else:
                    found.tags = append(found.tags, width)
                    found.tags = append(found.tags, at)
                    found.tags = append(found.tags, at + size)
                    if at + size < limit:
                        limit = at + size
                    pc = (code[entry] >> A) & A_MASK
        elif op == END_TAG:
            if at != limit:
                fail = BAD_SIZE if at < limit else CUT
                break
            limit = stack[depth - 1]
            pc = a
        elif at > limit:
            fail = CUT
            break
    found.entries = entries
    found.count = used // ENTRY
    found.codes = bits
    found.higher_codes = higher
    found.at = at
    if fail != GOES_ON:
        if partial and fail == CUT:
            found.complete = False
        else:
            raise failure(octets, min(mark, limit), limit, fail)


def _skip_tags(octets: bytes, at: i64, limit: i64) -> i64:
    """Behind the tagged fields at `at`; the reason, negative, where they cannot be read."""
    count = read_varint(octets, at, limit)
    if count < 0:
        return -CUT if count == -1 else -BAD_VARINT
    at += count & 7
    count >>= 3
    while count > 0:
        tag = read_varint(octets, at, limit)
        if tag < 0:
            return -CUT if tag == -1 else -BAD_VARINT
        at += tag & 7
        size = read_varint(octets, at, limit)
        if size < 0:
            return -CUT if size == -1 else -BAD_VARINT
        at += (size & 7) + (size >> 3)
        if at > limit:
            return -CUT
        count -= 1
    return at
