"""What a header block is."""

from __future__ import annotations

from typing import Final

from mypy_extensions import u8

__all__ = ["INTERIM", "PROMISE", "REQUEST", "RESPONSE", "TRAILERS"]

REQUEST: Final[u8] = 0
RESPONSE: Final[u8] = 1
INTERIM: Final[u8] = 2
TRAILERS: Final[u8] = 3
PROMISE: Final[u8] = 4
