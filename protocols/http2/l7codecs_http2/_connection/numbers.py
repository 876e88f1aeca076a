"""Numbers of streams, as ranges: those of one side follow one another, so thousands of them are few ranges."""

from __future__ import annotations

from bisect import bisect_right
from typing import final

__all__ = ["Numbers"]

_STEP = 2
"""From the number of a stream to the next of the same side."""


@final
class Numbers:
    """Numbers that are all odd, or all even. At most `limit` ranges: beyond, the two lowest become one, and what lies between counts."""

    def __init__(self, limit: int) -> None:
        self._limit = max(limit, 1)
        self._first: list[int] = []
        self._last: list[int] = []

    def __contains__(self, number: int) -> bool:
        at = bisect_right(self._first, number) - 1
        return at >= 0 and number <= self._last[at]

    def __len__(self) -> int:
        """How many ranges they are."""
        return len(self._first)

    def add(self, number: int) -> None:
        """Put `number` in."""
        first, last = self._first, self._last
        at = bisect_right(first, number)
        if at > 0 and number <= last[at - 1]:
            return
        below = at > 0 and last[at - 1] + _STEP == number
        above = at < len(first) and first[at] - _STEP == number
        if below and above:
            last[at - 1] = last[at]
            del first[at], last[at]
        elif below:
            last[at - 1] = number
        elif above:
            first[at] = number
        else:
            first.insert(at, number)
            last.insert(at, number)
            if len(first) > self._limit:
                del first[1], last[0]

    def discard(self, number: int) -> bool:
        """Take `number` out; False where it was not in."""
        first, last = self._first, self._last
        at = bisect_right(first, number) - 1
        if at < 0 or number > last[at]:
            return False
        if first[at] == last[at]:
            del first[at], last[at]
        elif number == first[at]:
            first[at] = number + _STEP
        elif number == last[at]:
            last[at] = number - _STEP
        else:
            first.insert(at + 1, number + _STEP)
            last.insert(at, number - _STEP)
            if len(first) > self._limit:
                del first[1], last[0]
        return True
