"""Numbers of a variable size, as Kafka and Thrift's compact encoding write them."""

from __future__ import annotations

__all__ = ["varint", "zigzag"]


def varint(number: int) -> bytes:
    found = b""
    while number > 127:
        found += bytes((number & 127 | 128,))
        number >>= 7
    return found + bytes((number,))


def zigzag(number: int) -> bytes:
    """Of one that may be negative."""
    return varint(number << 1 if number >= 0 else (-number << 1) - 1)
