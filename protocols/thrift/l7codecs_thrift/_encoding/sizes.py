"""How many octets a value has in the binary protocol, by its type. Zero: that says not the type."""

from __future__ import annotations

from typing import Final

from mypy_extensions import i64

__all__ = ["FIXED", "SIZES"]


def _sizes() -> bytes:
    sizes = bytearray(256)
    for each, size in ((2, 1), (3, 1), (4, 8), (6, 2), (8, 4), (10, 8), (16, 16)):
        sizes[each] = size
    return bytes(sizes)


FIXED: Final = _sizes()
SIZES: Final[i64] = 1 << 8 | 1 << 12 | 8 << 16 | 2 << 24 | 4 << 32 | 8 << 40
"""The same of the types up to 15, four bits for each."""
