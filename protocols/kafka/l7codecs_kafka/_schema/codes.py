"""Every error code of an answer, in one pass that notes nothing else: what tells whether it has failed.

It runs the program that `walk.run_program` would, for bodies without tagged fields and with codes below 128, which nearly all are. What it
meets besides, or cannot read, `walk.run_program` tells.
"""

from __future__ import annotations

from typing import Final

from librt.strings import read_i16_be, read_i32_be
from mypy_extensions import i64

from .found import ENTRY, Found, read_varint
from .layouts import ERROR_CODE, Layout
from .programs import (
    A_MASK,
    BEFORE,
    BEFORE_MASK,
    CODE,
    CODES,
    COMPACT,
    END,
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
    A,
    B,
    Program,
    program_for,
)
from .walk import run_program

__all__ = ["codes"]

_NONE: Final[i64] = 1
"""The bit of code 0, which is no error."""


def codes(layout: Layout, octets: bytes, start: i64, end: i64, partial: bool = False) -> list[int]:
    """Every error code in the body, each once, in rising order; 0 is one too. Raises as `walk.pick` does."""
    if end > len(octets):
        raise ValueError(f"no {end} octets: {len(octets)}")
    program = program_for(layout, ERROR_CODE, CODES)
    if program.plain and not partial:
        values = _plain(program, octets, start, end)
        if values is not None:
            return values
    found = Found(layout, octets, start, end)
    run_program(program.code, found, partial)
    values = []
    _add_bits(values, found.codes, 0)
    _add_bits(values, found.higher_codes, 64)
    if found.count == 0:
        return values
    at: i64 = 0
    while at < found.count:
        values.append(int(found.entries[at * ENTRY]))
        at += 1
    return sorted(set(values))


def _add_bits(values: list[int], bits: i64, first: i64) -> None:
    value = first
    last = first + 64  # the highest bit is the sign, which comes again
    while bits != 0 and value < last:
        if bits & 1:
            values.append(int(value))
        bits >>= 1
        value += 1


def _shifted(number: i64, bits: i64) -> i64:
    """``number << bits``: mypyc writes a literal, also one with a name, as C's own integer, which has 32 bits."""
    return number << bits


def _plain(program: Program, octets: bytes, start: i64, limit: i64) -> list[int] | None:
    """The same of a plain program; None where it takes `walk.run_program`."""
    code = program.code
    at = start
    bits: i64 = 0
    higher: i64 = 0
    left: i64 = 1  # as in `walk.run_program`
    left1: i64 = 1
    left2: i64 = 1
    size: i64 = 0
    pc: i64 = 0
    while True:
        word = code[pc]
        pc += 1
        op = word & OP_MASK
        at += (word >> BEFORE) & BEFORE_MASK
        if op == CODE:
            if at + 2 > limit:
                return None
            size = i64(read_i16_be(octets, at))
            at += 2
            if size == 0:
                bits |= _NONE
            elif 0 < size < 64:
                bits |= _shifted(1, size)
            elif 64 <= size < 128:
                higher |= _shifted(1, size - 64)
            else:
                return None
        elif SKIP <= op < SIZED:
            form = op & FORM_MASK
            if form == COMPACT:
                if at >= limit:
                    return None
                size = octets[at]
                at += 1
                if size >= 0x80:
                    if at >= limit:
                        return None
                    octet: i64 = octets[at]
                    if octet < 0x80:  # two octets, as of most records
                        size = (size & 0x7F) | (octet << 7)
                        at += 1
                    else:
                        size = read_varint(octets, at - 1, limit)
                        if size < 0:
                            return None
                        at += (size & 7) - 1
                        size >>= 3
                size -= 1
            elif form == SHORT:
                if at + 2 > limit:
                    return None
                size = i64(read_i16_be(octets, at))
                at += 2
                if size < -1:
                    return None
            else:
                if at + 4 > limit:
                    return None
                size = i64(read_i32_be(octets, at))
                at += 4
                if size < -1:
                    return None
            if op < NOTE:
                if size > 0:
                    at += size
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
                break
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
                break
        elif op != PASS:  # tagged fields of which none is wanted
            if at >= limit or octets[at] != 0:
                return None
            at += 1
        if at > limit:
            return None
    if at > limit:
        return None
    if bits == _NONE and higher == 0:
        return [0]
    values: list[int] = []
    _add_bits(values, bits, 0)
    _add_bits(values, higher, 64)
    return values
