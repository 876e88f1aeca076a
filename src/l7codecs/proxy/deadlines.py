"""Requests that have to be answered in time: those of one deadline are due in the order in which they came, so none is sorted."""

from __future__ import annotations

from collections import deque
from typing import final

from l7codecs.proxy.exchange import Exchange

__all__ = ["Deadlines"]


@final
class Deadlines:
    """What is due when. What has ended is let go of as soon as all before it has."""

    def __init__(self) -> None:
        self._queues: dict[float, deque[Exchange]] = {}
        """By seconds that they have: those that were sent, oldest first."""

    def add(self, exchange: Exchange, seconds: float) -> bool:
        """`exchange` has so many seconds from its start on; whether nothing else waited for that long."""
        queue = self._queues.get(seconds)
        if queue is None:
            queue = self._queues[seconds] = deque()
        while queue and queue[0].ended > 0.0:
            queue.popleft()
        queue.append(exchange)
        return len(queue) == 1

    def due(self, now: float) -> list[Exchange]:
        """Those whose time is over, which are looked at no more."""
        found: list[Exchange] = []
        for seconds, queue in self._queues.items():
            while queue and (queue[0].ended > 0.0 or queue[0].started + seconds <= now):
                exchange = queue.popleft()
                if exchange.ended == 0.0:
                    found.append(exchange)
        return found

    def next(self) -> float:
        """When the next is due; infinite where nothing waits."""
        first = float("inf")
        for seconds, queue in self._queues.items():
            while queue and queue[0].ended > 0.0:
                queue.popleft()
            if queue:
                first = min(first, queue[0].started + seconds)
        return first
