"""How the time and the memory of something grow with its size, measured so that a busy machine does not decide it."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable
from typing import TypeVar

from l7codecs.limits import Limits

__all__ = ["READS", "growth", "most_memory", "peak_memory", "steady_memory"]

READS = (1, 16, 1500, 1 << 16)
"""Octets of a read, of streams that grow."""
_EACH = 96
"""Octets of memory for each octet received, beside the limits."""
_WAITS = 1024
"""Octets of memory for each message that may wait for an answer, of which there are ``limits.pending``."""

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


def peak_memory(run: Callable[[], object]) -> int:
    """The most octets of memory that are in use at once while `run` works, beyond those before."""
    tracemalloc.start()
    try:
        run()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def steady_memory(run: Callable[[], object], most: int) -> int:
    """As `peak_memory`; where that is more than `most`, of a second time: the first time tables may be made."""
    used = peak_memory(run)
    return used if used <= most else peak_memory(run)


def most_memory(limits: Limits, size: int, grown: int, messages: int) -> int:
    """Octets of memory that a session may hold of `size` octets, of which `grown` came last, in so many messages."""
    most = _EACH * size + 2 * (limits.head + min(limits.message, grown)) + (1 << 18)
    return most + _WAITS * min(limits.pending, messages)
