"""The header of 16 octets, which every message has.

    0      2       3        4             12          16
    ├──────┼───────┼────────┼─────────────┼───────────┼───────
    │ dabb │ flags │ status │ request id  │ body size │ body
    └──────┴───────┴────────┴─────────────┴───────────┴───────
             80 request  40 two-way  20 event  1f serialization id

All numbers are big-endian; the id has 64 bits without sign. The status of a request is no status: it is 0, and is not looked at.
"""

from __future__ import annotations

from typing import Final

from mypy_extensions import i64

__all__ = [
    "EVENT",
    "FLAGS",
    "HEADER",
    "MAGIC",
    "MAGIC_HIGH",
    "MAGIC_LOW",
    "REQUEST",
    "REQUEST_ID",
    "SERIALIZATION",
    "SIZE",
    "STATUS",
    "TWO_WAY",
]

MAGIC: Final = b"\xda\xbb"
MAGIC_HIGH: Final[i64] = 0xDA
MAGIC_LOW: Final[i64] = 0xBB
HEADER: Final[i64] = 16
"""Octets of a header."""

# Where in a header the parts stand.
FLAGS: Final[i64] = 2
STATUS: Final[i64] = 3
REQUEST_ID: Final[i64] = 4
SIZE: Final[i64] = 12

# The flags.
REQUEST: Final[i64] = 0x80
TWO_WAY: Final[i64] = 0x40
EVENT: Final[i64] = 0x20
SERIALIZATION: Final[i64] = 0x1F
"""The bits of the serialization id."""
