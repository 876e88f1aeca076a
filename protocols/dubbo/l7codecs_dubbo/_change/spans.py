"""A body of which some values are replaced: everything else is copied, and the header says the new size."""

from __future__ import annotations

from typing import Final, final

from mypy_extensions import i64

from .._wire.header import HEADER, SIZE

__all__ = ["Spans"]

_LARGEST: Final = 0x7FFFFFFF
"""Java reads the size of a body with a sign."""


@final
class Spans:
    """What is to stand in place of parts of the message ``octets[start:stop]``."""

    def __init__(self, octets: bytes, start: i64, stop: i64) -> None:
        self.octets = octets
        self.start: i64 = start
        self.stop: i64 = stop
        self._found: list[tuple[int, int, bytes]] = []

    def put(self, start: i64, stop: i64, octets: bytes) -> None:
        """`octets` in place of ``octets[start:stop]`` of the message; no two of these touch."""
        self._found.append((start, stop, octets))

    def made(self, header: bytes) -> bytes:
        """The whole message, with `header`, which gets the size of its body. Raises `ValueError` where that is too large for Java."""
        octets = self.octets
        at = int(self.start + HEADER)
        parts = [b""]
        for start, stop, new in sorted(self._found):
            parts.append(octets[at:start])
            parts.append(new)
            at = stop
        parts.append(octets[at : self.stop])
        size = sum([len(part) for part in parts])
        if size > _LARGEST:
            raise ValueError(f"a body of {size} octets is more than its size has room for")
        parts[0] = header[:SIZE] + size.to_bytes(4, "big")
        return b"".join(parts)
