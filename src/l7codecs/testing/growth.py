"""How the time of something grows with its size, measured so that a busy machine does not decide it."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import TypeVar

__all__ = ["growth"]

_T = TypeVar("_T")

_FIRST = 3
_MOST = 15


def growth(seconds: Callable[[_T], float], small: _T, large: _T, most: float, floor: float = 0.001) -> float:
    """How many times as long as `small` `large` takes, where `seconds` does the work and says how long it took.

    The fastest of each counts, without the garbage collector. `small` is measured three times first, so that a moment of its own bad
    luck hides nothing; then `large` and `small` in turns, until the result is at most `most` or fifteen turns have been taken: what truly
    grows faster stays above it however often it is measured. A `small` that takes less than `floor` seconds counts as that.

        assert growth(cost, 10_000, 40_000, 8) <= 8     # linear: about 4; quadratic: 16
    """
    collects = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        least = min(seconds(small) for _ in range(_FIRST))
        fastest = seconds(large)
        for _ in range(_MOST - 1):
            if fastest <= most * max(least, floor):
                break
            least = min(least, seconds(small))
            fastest = min(fastest, seconds(large))
    finally:
        if collects:
            gc.enable()
    return fastest / max(least, floor)
