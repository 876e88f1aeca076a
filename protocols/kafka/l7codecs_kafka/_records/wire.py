"""The numbers that record batches are made of: big-endian ones of fixed size, and varints in zigzag.

A varint has seven bits an octet, the lowest first, and the top bit on all but the last (Protocol Buffers, "Encoding", sint32 and sint64).
"""

from __future__ import annotations

from typing import Final, final

from mypy_extensions import i64

from l7codecs import ProtocolError

__all__ = ["SPEC", "Reader", "int16_at", "int32_at", "int64_at", "uint32_at"]

SPEC: Final = "Kafka, Record Batch"

_VARINT_SIZE: Final[i64] = 5
_VARLONG_SIZE: Final[i64] = 10


def int16_at(octets: bytes, at: i64) -> i64:
    value: i64 = (i64(octets[at]) << 8) | i64(octets[at + 1])
    return value - 0x10000 if value >= 0x8000 else value


def uint32_at(octets: bytes, at: i64) -> i64:
    return (i64(octets[at]) << 24) | (i64(octets[at + 1]) << 16) | (i64(octets[at + 2]) << 8) | i64(octets[at + 3])


def int32_at(octets: bytes, at: i64) -> i64:
    value = uint32_at(octets, at)
    return value - 0x1_0000_0000 if value >= 0x8000_0000 else value


def int64_at(octets: bytes, at: i64) -> int:
    return (int(int32_at(octets, at)) << 32) | int(uint32_at(octets, at + 4))


@final
class Reader:
    """Where reading stands in the octets of records, and where they end.

    ``offset`` is what errors tell: that of the batch in its direction, since decompressed octets have none.
    """

    def __init__(self, octets: bytes, at: i64, end: i64, offset: i64) -> None:
        self.octets = octets
        self.at = at
        self.end = end
        self.offset = offset

    def varint(self, what: str) -> i64:
        """A number of 32 bits."""
        at = self.at
        value: i64 = 0
        shift: i64 = 0
        for _ in range(_VARINT_SIZE):
            if at >= self.end:
                raise self.cut(what)
            octet = i64(self.octets[at])
            at += 1
            value |= (octet & 0x7F) << shift
            if octet < 0x80:
                self.at = at
                value &= 0xFFFF_FFFF
                return (value >> 1) ^ -(value & 1)
            shift += 7
        raise ProtocolError(int(self.offset), f"{what} of more than {_VARINT_SIZE} octets", "a varint of 32 bits", SPEC)

    def varlong(self, what: str) -> int:
        """A number of 64 bits."""
        value = 0
        for index in range(int(_VARLONG_SIZE)):
            if self.at >= self.end:
                raise self.cut(what)
            octet = self.octets[self.at]
            self.at += 1
            value |= (octet & 0x7F) << (7 * index)
            if octet < 0x80:
                value &= 0xFFFF_FFFF_FFFF_FFFF
                return (value >> 1) ^ -(value & 1)
        raise ProtocolError(
            int(self.offset), f"{what} of more than {_VARLONG_SIZE} octets", "a varint of 64 bits", SPEC
        )

    def take(self, size: i64, what: str) -> bytes:
        """The next `size` octets."""
        if size < 0 or size > self.end - self.at:
            raise ProtocolError(
                int(self.offset), f"{what} of {size} octets", f"at most the {self.end - self.at} that are left", SPEC
            )
        found = self.octets[self.at : self.at + size]
        self.at += size
        return found

    def cut(self, what: str) -> ProtocolError:
        """The error that the octets end inside `what`."""
        return ProtocolError(int(self.offset), f"the end of the records inside {what}", "a whole record", SPEC)
