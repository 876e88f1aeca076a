"""How the time of something grows with its size, measured so that a busy machine does not decide it."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import TypeVar

__all__ = ["growth"]

_T = TypeVar("_T")

_FEWEST = 3
_MOST = 15


def growth(seconds: Callable[[_T], float], small: _T, large: _T, most: float, floor: float = 0.001) -> float:
    """How many times as long as `small` `large` takes, where `seconds` does the work and says how long it took.

    The fastest of each counts, measured in turns, without the garbage collector, at least three times, and again until the result is at
    most `most` or fifteen turns have been taken: what truly grows faster stays above it however often it is measured. A `small` that
    takes less than `floor` seconds counts as that.

        assert growth(cost, 10_000, 40_000, 8) <= 8     # linear: about 4; quadratic: 16
    """
    collects = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        least = fastest = float("inf")
        for turn in range(_MOST):
            least = min(least, seconds(small))
            fastest = min(fastest, seconds(large))
            if turn + 1 >= _FEWEST and fastest <= most * max(least, floor):
                break
    finally:
        if collects:
            gc.enable()
    return fastest / max(least, floor)
