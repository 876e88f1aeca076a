"""The compact protocol's integers: seven bits an octet, the lowest first."""

from __future__ import annotations

from typing import Final

from mypy_extensions import i64

from l7codecs import ProtocolError

__all__ = ["CUT", "read_varint", "unzigzag", "varint", "varint_end", "zigzag"]

CUT: Final[i64] = -1
_LONGEST: Final[i64] = 10


def varint_end(octets: bytes, at: i64, stop: i64) -> i64:
    """Where the varint that begins at `at` ends; `CUT`: not before `stop`. Raises `ProtocolError` where it has more than ten octets."""
    limit = at + _LONGEST
    if limit > stop:
        limit = stop
    each = at
    while each < limit:
        if i64(octets[each]) < 0x80:
            return each + 1
        each += 1
    if limit == at + _LONGEST:
        raise ProtocolError(at, "a varint of more than 10 octets", "at most 10")
    return CUT


def read_varint(octets: bytes, at: i64, end: i64) -> i64:
    """The varint in ``octets[at:end]``, its low 64 bits."""
    number: i64 = 0
    shift: i64 = 0
    while at < end and shift < 63:
        number |= (i64(octets[at]) & 0x7F) << shift
        shift += 7
        at += 1
    if at < end:
        top = i64(octets[at]) & 1
        number |= -top << 63
    return number


def unzigzag(number: i64) -> i64:
    """The signed integer that a zigzag stands for."""
    return (number >> 1 & 0x7FFF_FFFF_FFFF_FFFF) ^ -(number & 1)


def zigzag(number: i64) -> int:
    """The zigzag of a signed integer of 63 bits at most."""
    return int(number << 1) if number >= 0 else int(-number << 1) - 1


def varint(number: int) -> bytes:
    """The varint of an integer that is not negative."""
    made = bytearray()
    while number > 0x7F:
        made.append(number & 0x7F | 0x80)
        number >>= 7
    made.append(number)
    return bytes(made)
