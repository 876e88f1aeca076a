"""Windows: what the peer may send, on each stream and in all. RFC 9113 §5.2, §6.9.

    granted                                             given to the peer at first, and to be given to it again
    ├── window      it may still send that much
    └── spent       received
        ├── held    waits here, or where it was sent on: not to be credited yet
        └── the rest, which WINDOW_UPDATE gives back when it is half of what was granted

DATA that is written on at once is never held, so by default credit is given for all that comes. What a session must queue, because the
other peer's window is used up or its transport is full, is held until it leaves the queue: that stream stops, the others go on.
"""

from __future__ import annotations

from typing import final

from mypy_extensions import i64

__all__ = ["Inflow", "Inflows"]


@final
class Inflows:
    """All that the peer sends on one connection."""

    def __init__(self, granted: i64) -> None:
        self.granted = granted
        self.window: i64 = granted
        self.spent: i64 = 0
        self.held: i64 = 0
        self.due: list[Inflow] = []
        """Streams that may have earned a WINDOW_UPDATE."""

    def take(self, size: i64) -> bool:
        """`size` octets have come; False where they are more than was allowed."""
        self.window -= size
        self.spent += size
        return self.window >= 0

    def credit(self) -> i64:
        """The octets of the WINDOW_UPDATE that is due, which the peer may send from now on; 0 while they are too few."""
        size = self.spent - self.held
        if size * 2 < self.granted:
            return 0
        self.spent -= size
        self.window += size
        return size


@final
class Inflow:
    """What the peer sends on one stream."""

    def __init__(self, number: i64, granted: i64, window: i64, all_: Inflows) -> None:
        self.number = number
        self.granted = granted
        self.window = window
        self.spent: i64 = 0
        self.held: i64 = 0
        self.ended = False
        """It sends nothing more."""
        self._all = all_
        self._listed = False

    def take(self, size: i64, ends: bool) -> bool:
        """`size` octets have come; False where they are more than was allowed. The connection counts for itself."""
        self.window -= size
        self.spent += size
        self.ended = ends
        self._look()
        # What is empty needs no window (RFC 9113 §6.9.1), and our SETTINGS may have made this one negative (§6.9.2).
        return size == 0 or self.window >= 0

    def hold(self, size: i64) -> None:
        """`size` octets of what has come have to wait."""
        self.held += size
        self._all.held += size

    def release(self, size: i64) -> None:
        """`size` octets of what was held wait no longer."""
        size = min(size, self.held)
        self.held -= size
        self._all.held -= size
        self._look()

    def credit(self) -> i64:
        """As `Inflows.credit`; 0 where the stream has ended."""
        self._listed = False
        size = self.spent - self.held
        if self.ended or size * 2 < self.granted:
            return 0
        self.spent -= size
        self.window += size
        return size

    def _look(self) -> None:
        if not self._listed and not self.ended and (self.spent - self.held) * 2 >= self.granted:
            self._listed = True
            self._all.due.append(self)
