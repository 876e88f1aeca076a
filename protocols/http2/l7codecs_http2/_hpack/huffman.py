"""The Huffman code of HPACK strings, both ways. RFC 7541 §5.2 and Appendix B.

    ┌ code of the first octet ┬ … ┬ code of the last octet ┬ 1 … 1 ┐
      5 to 30 bits, the most significant first               0 to 7 bits: the beginning of EOS

The code is canonical: among the codes of one size, the octets ascend. So a code longer than the window needs no table of its own, only
the first code and the number of codes of each size.
"""

from __future__ import annotations

from typing import Final

from librt.strings import BytesWriter, read_i32_le, read_i64_be, read_i64_le, write_i32_be, write_i64_le
from mypy_extensions import i32, i64, u8

from .huffman_table import CODES, SIZES

__all__ = [
    "BAD_OCTET",
    "DECODED",
    "EOS_SEEN",
    "PADDING_LONG",
    "PADDING_ZERO",
    "decode_huffman",
    "encode_huffman",
    "huffman_bits",
]

# What `decode_huffman` returns; below 0 are errors.
DECODED: Final[i64] = 0
BAD_OCTET: Final[i64] = 1
"""Decoded, and the string holds NUL, CR or LF, which RFC 9113 §8.2.1 forbids in a field."""
PADDING_LONG: Final[i64] = -1
"""More than 7 bits are left behind the last octet: too much padding, or a code that is cut."""
PADDING_ZERO: Final[i64] = -2
"""The padding is not all ones."""
EOS_SEEN: Final[i64] = -3
"""EOS itself is in the string."""

_EOS: Final[i64] = 256
_WINDOW: Final[i64] = 12
_WINDOW_MASK: Final[i64] = 0xFFF
_SHORTEST: Final[i64] = 5
_SHORTEST_LONG: Final[i64] = 13
_LONGEST: Final[i64] = 30


def _pack(values: list[int]) -> bytes:
    return b"".join(value.to_bytes(4, "little") for value in values)


def _decoding_table() -> bytes:
    """For every 12 bits that may come next, the one or two octets whose codes are whole in them: 32 bits each, little-endian.

        bits  0-5    size of the codes
        bits  8-15   8 times the number of octets
        bits 16-31   the octets, the first one lowest; codes of up to 12 bits are those of ASCII, so bits 23 and 31 are 0

    The lower halves of four entries can be added. An entry is 0 where the first code is longer: those bits are 0xFFC or above.
    """
    single = [(0, 0)] * 4096
    for symbol, (code, size) in enumerate(zip(CODES, SIZES, strict=True)):
        if size <= 12:
            span = 4096 >> size
            single[code * span : (code + 1) * span] = [(symbol, size)] * span
    table = []
    for bits, (first, size) in enumerate(single):
        second, second_size = single[(bits << size) & 4095]
        if size == 0:
            table.append(0)
        elif second_size and size + second_size <= 12:
            table.append(size + second_size | 16 << 8 | first << 16 | second << 24)
        else:
            table.append(size | 8 << 8 | first << 16)
    return _pack(table)


def _codes_by_size() -> tuple[bytes, bytes]:
    """For each size of a code its first code, the number of codes, and where their symbols stand in the list that comes second."""
    rows: list[int] = []
    symbols: list[int] = []
    for size in range(31):
        having = [symbol for symbol in range(257) if SIZES[symbol] == size]
        rows += [CODES[having[0]] if having else 0, len(having), len(symbols)]
        symbols += having
    return _pack(rows), _pack(symbols)


_DECODING: Final = _decoding_table()
_CANONICAL: Final = _codes_by_size()
_BY_SIZE: Final = _CANONICAL[0]
_SYMBOLS: Final = _CANONICAL[1]
_ENCODING: Final = b"".join((code | size << 32).to_bytes(8, "little") for code, size in zip(CODES, SIZES, strict=True))
"""For each octet its code, and from bit 32 on the code's size: 64 bits each, little-endian."""
_BITS: Final = bytes(SIZES[:256])


def decode_huffman(data: bytes, start: i64, stop: i64, out: BytesWriter) -> i64:
    """Append to `out` what ``data[start:stop]`` stands for.

    Returns `DECODED` or `BAD_OCTET`, or an error below 0, and then what was appended means nothing. Appends at most 1.6 octets for
    each one read.
    """
    table = _DECODING
    bit = start * 8
    last = stop * 8
    size: i64 = len(out)
    result: i64 = DECODED
    while True:
        # Four times 12 bits of a word that has 57 or more to come; behind the string it has ones. Up to 8 octets.
        at = bit >> 3
        if at + 8 <= stop:
            word: i64 = read_i64_be(data, at)
        else:
            word = _last_word(data, at, stop)
        shift = 52 - (bit & 7)
        one = i64(read_i32_le(table, ((word >> shift) & _WINDOW_MASK) * 4))
        shift -= one & 63
        two = i64(read_i32_le(table, ((word >> shift) & _WINDOW_MASK) * 4))
        shift -= two & 63
        three = i64(read_i32_le(table, ((word >> shift) & _WINDOW_MASK) * 4))
        shift -= three & 63
        four = i64(read_i32_le(table, ((word >> shift) & _WINDOW_MASK) * 4))
        octets = (one >> 16) | ((two >> 16) << ((one >> 8) & 127))
        one += two
        octets |= (three >> 16) << ((one >> 8) & 127)
        one += three
        octets |= (four >> 16) << ((one >> 8) & 127)
        one += four
        write_i64_le(out, octets)
        bit += one & 63
        size += (one >> 11) & 15
        if four != 0:
            if one & 0x4000 == 0:  # fewer than 8 octets
                out.truncate(size)
            continue
        out.truncate(size)
        left = last - bit
        if 0 <= left <= 7:
            return result  # the entry is 0, so what is left is all ones
        if left < 0:
            break
        found = _code(data, bit, stop, _SHORTEST_LONG)
        if found < 0:
            break
        symbol = found & 0x1FF
        if symbol == _EOS:
            return EOS_SEEN
        if symbol == 0 or symbol == 0x0A or symbol == 0x0D:
            result = BAD_OCTET
        out.append(u8(symbol))
        size += 1
        bit += found >> 9
    return _fault(data, start, stop)


def _last_word(data: bytes, at: i64, stop: i64) -> i64:
    """The 8 octets at `at`, of which fewer than 8 are before `stop`; those behind are all ones."""
    count = stop - at
    if count <= 0:
        return -1
    word: i64 = 0
    if stop >= 8:
        word = read_i64_be(data, stop - 8)
    else:
        while at < stop:
            octet: i64 = data[at]
            word = (word << 8) | octet
            at += 1
    # What is shifted out is not looked at.
    fill = 64 - count * 8
    return (word << fill) | (0xFFFFFFFFFFFFFF >> (56 - fill))


def _code(data: bytes, bit: i64, stop: i64, size: i64) -> i64:
    """The symbol (bits 0-8) and the size (from bit 9 on) of the code that stands at `bit` and is `size` bits long or longer.

    -1 if it is not whole before octet `stop`.
    """
    at = bit >> 3
    word: i64 = read_i64_be(data, at) if at + 8 <= stop else _last_word(data, at, stop)
    bits = (word >> (34 - (bit & 7))) & 0x3FFFFFFF
    while size <= _LONGEST and bit + size <= stop * 8:
        nth = (bits >> (_LONGEST - size)) - i64(read_i32_le(_BY_SIZE, size * 12))
        if 0 <= nth < i64(read_i32_le(_BY_SIZE, size * 12 + 4)):
            symbol = i64(read_i32_le(_SYMBOLS, (i64(read_i32_le(_BY_SIZE, size * 12 + 8)) + nth) * 4))
            return symbol | (size << 9)
        size += 1
    return -1


def _fault(data: bytes, start: i64, stop: i64) -> i64:
    """What is wrong with the padding of ``data[start:stop]``."""
    bit = start * 8
    while True:
        found = _code(data, bit, stop, _SHORTEST)
        if found < 0:
            return PADDING_LONG if stop * 8 - bit > 7 else PADDING_ZERO
        bit += found >> 9


def huffman_bits(octets: bytes) -> i64:
    """How many bits the code of `octets` takes, padding not counted."""
    sizes = _BITS
    bits: i64 = 0
    at: i64 = 0
    stop: i64 = len(octets)
    while at < stop:
        octet: i64 = octets[at]
        size: i64 = sizes[octet]
        bits += size
        at += 1
    return bits


def encode_huffman(octets: bytes, out: BytesWriter) -> None:
    """Append to `out` the code of `octets`, padded with ones to a whole number of octets."""
    codes = _ENCODING
    bits: i64 = 0  # fewer than 32 bits between two octets, so at most 61
    have: i64 = 0
    at: i64 = 0
    stop: i64 = len(octets)
    while at < stop:
        octet: i64 = octets[at]
        code: i64 = read_i64_le(codes, octet * 8)
        size = code >> 32
        at += 1
        bits = (bits << size) | (code & 0x3FFFFFFF)
        have += size
        if have >= 32:
            have -= 32
            word = bits >> have
            bits -= word << have
            write_i32_be(out, i32((word ^ 0x80000000) - 0x80000000))
    if have & 7:
        pad = 8 - (have & 7)
        bits = (bits << pad) | (0xFF >> (8 - pad))
        have += pad
    while have > 0:
        have -= 8
        out.append(u8((bits >> have) & 0xFF))
