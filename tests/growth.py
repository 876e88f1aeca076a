"""How much memory something keeps."""

from __future__ import annotations

import gc
import tracemalloc
from collections import deque
from collections.abc import Iterator

__all__ = ["grown"]


def grown(work: Iterator[object]) -> int:
    """Octets that are allocated once `work` has been done, and were not before."""
    gc.collect()
    tracemalloc.start()
    try:
        deque(work, maxlen=0)
        gc.collect()
        return tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
