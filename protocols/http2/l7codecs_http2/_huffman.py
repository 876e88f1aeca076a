"""The Huffman code of HPACK strings, both ways. RFC 7541 §5.2 and Appendix B.

    ┌ code of the first octet ┬ … ┬ code of the last octet ┬ 1 … 1 ┐
      5 to 30 bits, the most significant first               0 to 7 bits: the beginning of EOS

The code is canonical: among the codes of one size, the octets ascend. So a code longer than the window needs no table of its own, only
the first code and the number of codes of each size.
"""

from __future__ import annotations

from typing import Final

from librt.strings import BytesWriter, read_i32_le, read_i64_be, write_i16_le, write_i32_be
from mypy_extensions import i16, i32, i64, u8

from ._huffman_table import CODES, SIZES

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
_SHORTEST_LONG: Final[i64] = 13
_LONGEST: Final[i64] = 30
_TWO: Final[i64] = 0x02000000
"""Entries from here on hold two octets."""


def _pack(values: list[int]) -> bytes:
    return b"".join(value.to_bytes(4, "little") for value in values)


def _decoding_table() -> bytes:
    """For every 12 bits that may come next, the octets whose codes are whole in them: 32 bits each, little-endian.

    Bits 0-7 first octet, 8-15 second octet, 16-19 size of the first code, 20-23 size of all codes, 24-25 number of octets.
    All zero where the first code is longer. Codes of up to 12 bits are those of ASCII, so the upper bits of the octets are 0.
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
            table.append(first | second << 8 | size << 16 | (size + second_size) << 20 | 2 << 24)
        else:
            table.append(first | size << 16 | size << 20 | 1 << 24)
    return _pack(table)


def _long_codes() -> tuple[bytes, bytes]:
    """For each size of a code its first code, the number of codes, and where their symbols stand in the list that comes second."""
    rows: list[int] = []
    symbols: list[int] = []
    for size in range(31):
        having = [symbol for symbol in range(257) if SIZES[symbol] == size]
        rows += [CODES[having[0]] if having else 0, len(having), len(symbols)]
        symbols += having
    return _pack(rows), _pack(symbols)


_DECODING: Final = _decoding_table()
_LONG: Final = _long_codes()
_LONG_CODES: Final = _LONG[0]
_LONG_SYMBOLS: Final = _LONG[1]
_ENCODING: Final = _pack(list(CODES[:256]))
_BITS: Final = bytes(SIZES[:256])


def decode_huffman(data: bytes, start: i64, stop: i64, out: BytesWriter) -> i64:
    """Append to `out` what ``data[start:stop]`` stands for.

    Returns `DECODED` or `BAD_OCTET`, or an error below 0, and then what was appended means nothing. Appends at most 1.6 octets for
    each one read.
    """
    table = _DECODING
    swift: i64 = min(stop - 6, len(data) - 8)
    at = start
    bits: i64 = 0  # the lower `have` bits are to be decoded; what stands above them is done with
    have: i64 = 0
    result: i64 = DECODED
    while True:
        if at <= swift:
            bits = ((bits & _WINDOW_MASK) << 48) | ((read_i64_be(data, at) >> 16) & 0xFFFFFFFFFFFF)
            at += 6
            have += 48
        else:
            bits &= _WINDOW_MASK
            while have < _LONGEST and at < stop:
                octet: i64 = data[at]
                bits = (bits << 8) | octet
                at += 1
                have += 8
            if have < _WINDOW:
                break
        while have >= _WINDOW:
            entry = i64(read_i32_le(table, ((bits >> (have - _WINDOW)) & _WINDOW_MASK) * 4))
            if entry >= _TWO:
                write_i16_le(out, i16(entry & 0x7F7F))
                have -= (entry >> 20) & 15
            elif entry != 0:
                out.append(u8(entry & 0x7F))
                have -= (entry >> 20) & 15
            else:
                bits &= 0xFFFFFFFFFFFFFFF
                if have < _LONGEST:
                    bits &= 0x3FFFFFFF
                    while have < _LONGEST and at < stop:
                        octet = data[at]
                        bits = (bits << 8) | octet
                        at += 1
                        have += 8
                found = _long_code(bits, have)
                if found < 0:
                    return PADDING_LONG
                symbol = found & 0x1FF
                if symbol == _EOS:
                    return EOS_SEEN
                if symbol == 0 or symbol == 0x0A or symbol == 0x0D:
                    result = BAD_OCTET
                out.append(u8(symbol))
                have -= found >> 9
    while True:
        window = ((bits << (_WINDOW - have)) & _WINDOW_MASK) | (_WINDOW_MASK >> have)
        entry = i64(read_i32_le(table, window * 4))
        size = (entry >> 16) & 15
        if entry == 0 or size > have:
            break
        out.append(u8(entry & 0x7F))
        have -= size
    if have > 7:
        return PADDING_LONG
    return result if window == _WINDOW_MASK else PADDING_ZERO


def _long_code(bits: i64, have: i64) -> i64:
    """The symbol (bits 0-8) and the size (from bit 9 on) of the code longer than the window that the lower `have` bits begin with.

    -1 if it is longer than `have` bits.
    """
    size: i64 = _SHORTEST_LONG
    while size <= _LONGEST and size <= have:
        # The lower `size` bits of what comes next, relative to the first code of that size.
        above = bits >> (have - size)
        nth = (above - i64(read_i32_le(_LONG_CODES, size * 12))) & 0x3FFFFFFF & _low_bits(size)
        if nth < i64(read_i32_le(_LONG_CODES, size * 12 + 4)):
            symbol = i64(read_i32_le(_LONG_SYMBOLS, (i64(read_i32_le(_LONG_CODES, size * 12 + 8)) + nth) * 4))
            return symbol | (size << 9)
        size += 1
    return -1


def _low_bits(size: i64) -> i64:
    """A mask of `size` bits, up to 30."""
    return 0x3FFFFFFF >> (_LONGEST - size)


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
    sizes = _BITS
    bits: i64 = 0  # fewer than 32 bits between two octets, so at most 61
    have: i64 = 0
    at: i64 = 0
    stop: i64 = len(octets)
    while at < stop:
        octet: i64 = octets[at]
        code = i64(read_i32_le(codes, octet * 4))
        size: i64 = sizes[octet]
        at += 1
        bits = (bits << size) | code
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
