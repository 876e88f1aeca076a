"""Octets that a session was given to write, and that wait for the next call that returns some."""

from __future__ import annotations

from typing import Final, final

from mypy_extensions import i64

__all__ = ["AT_ONCE", "LARGE", "Held"]

_NOTHING: Final = b""
AT_ONCE: Final[i64] = 1 << 16
"""Octets that wait, up to which nobody has to look whether there is room."""
LARGE: Final[i64] = 1 << 17
"""So many octets cost more to copy than a few calls."""
_PIECE: Final[i64] = 1 << 14
"""As `LARGE`, of one piece beside the place that it takes where several are written at once."""


@final
class Held:
    """Octets that wait to be written. Neighbours in one read are one piece of it; no more than one read is kept for that."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self.size: i64 = 0
        """Octets."""
        self._read = _NOTHING
        self._start: i64 = 0
        self._stop: i64 = 0

    def add(self, octets: bytes) -> None:
        """Octets that come next."""
        if self._read:
            self._end_span()
        self._parts.append(octets)
        self.size += len(octets)

    def add_span(self, read: bytes, start: i64, stop: i64) -> None:
        """What comes next is ``read[start:stop]``."""
        if read is not self._read:
            if self._read is not _NOTHING:
                self._end_span()
            self._read = read
            self._start = start
        elif start != self._stop:
            self._end_span()
            self._read = read
            self._start = start
        self._stop = stop
        self.size += stop - start

    def _end_span(self) -> None:
        read = self._read
        whole = self._start == 0 and self._stop == len(read)
        self._parts.append(read if whole else read[self._start : self._stop])
        self._read = _NOTHING

    def take(self) -> bytes:
        """All of it, which waits no longer."""
        self.size = 0
        if self._read:
            self._end_span()
        parts = self._parts
        if len(parts) == 1:
            return parts.pop()
        octets = b"".join(parts)
        parts.clear()
        return octets

    def take_pieces(self) -> list[bytes]:
        """As `take`, but only small neighbours are made one."""
        self.size = 0
        if self._read:
            self._end_span()
        pieces: list[bytes] = []
        small: list[bytes] = []
        for part in self._parts:
            if len(part) < _PIECE:
                small.append(part)
                continue
            if small:
                pieces.append(b"".join(small))
                small.clear()
            pieces.append(part)
        if small:
            pieces.append(b"".join(small))
        self._parts.clear()
        return pieces
