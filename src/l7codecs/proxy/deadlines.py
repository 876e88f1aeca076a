"""Requests that have to be answered in time: those of one deadline are due in the order in which they came, so none is sorted.

One that waits keeps none of those behind it that have ended: all are looked at whenever they have become twice as many.
"""

from __future__ import annotations

from collections import deque
from typing import Final, final

from mypy_extensions import i64

from l7codecs.proxy.exchange import Exchange

__all__ = ["Deadlines"]

_FEW: Final[i64] = 1_000
"""So many are not looked at."""


@final
class _Queue:
    """Those of one deadline, oldest first."""

    def __init__(self) -> None:
        self.exchanges: deque[Exchange] = deque()
        self.most: i64 = _FEW
        """How many there may be before those that have ended are sought."""

    def first(self) -> Exchange | None:
        """The oldest that waits."""
        exchanges = self.exchanges
        while exchanges:
            exchange = exchanges[0]
            if exchange.ended == 0.0:
                return exchange
            exchanges.popleft()
        return None

    def add(self, exchange: Exchange) -> None:
        exchanges = self.exchanges
        if len(exchanges) >= self.most:
            self.exchanges = exchanges = deque([each for each in exchanges if each.ended == 0.0])
            twice: i64 = 2 * len(exchanges)
            self.most = twice if twice > _FEW else _FEW
        exchanges.append(exchange)


@final
class Deadlines:
    """What is due when. What has ended is let go of."""

    def __init__(self) -> None:
        self._queues: dict[float, _Queue] = {}
        """By seconds that they have."""

    def add(self, exchange: Exchange, seconds: float) -> bool:
        """`exchange` has so many seconds from its start on; whether nothing else waited for that long."""
        queue = self._queues.get(seconds)
        if queue is None:
            queue = self._queues[seconds] = _Queue()
        alone = queue.first() is None
        queue.add(exchange)
        return alone

    def __len__(self) -> int:
        """How many are kept."""
        return sum([len(queue.exchanges) for queue in self._queues.values()])

    def due(self, now: float) -> list[Exchange]:
        """Those whose time is over, which are looked at no more."""
        found: list[Exchange] = []
        for seconds, queue in self._queues.items():
            exchange = queue.first()
            while exchange is not None and exchange.started + seconds <= now:
                found.append(exchange)
                queue.exchanges.popleft()
                exchange = queue.first()
        return found

    def next(self) -> float:
        """When the next is due; infinite where nothing waits."""
        first = float("inf")
        for seconds, queue in self._queues.items():
            exchange = queue.first()
            if exchange is not None:
                first = min(first, exchange.started + seconds)
        return first
