"""Counters by what exchanges have in common: one look-up for an exchange, and a bound on what peers can make of it.

A series is one combination of label values. Some of these come from peers (the service, the operation), who could name another one in each
message. So each label takes only so many values, the table only so many series, and a value only so many characters; what is beyond goes to
``other``, and how often is counted for each label. What was counted once stays where it was counted, so no counter ever goes down.

`Table.drain` takes out what was counted since the last time, as plain rows, and `Table.fill` adds rows: so the workers of a proxy send
what they count to one table of all.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import Final, final

from mypy_extensions import i64

__all__ = ["BUCKETS", "OTHER", "Counters", "Label", "Row", "Series", "Table", "quantile"]

Label = str | int | None
"""A value of a label as an exchange has it; an int is a `Status`."""

Row = tuple[list[Label], list[float]]
"""The labels of a series, and `Series.figures`."""

OTHER: Final = "other"

BUCKETS: Final[tuple[float, ...]] = (
    0.00025,
    0.0005,
    0.001,
    0.0025,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.5,
    5.0,
    10.0,
)
"""Upper bounds of the usual histogram, in seconds, inclusive."""

_REQUESTS: Final = 0
_RECEIVED: Final = 1
_SENT: Final = 2
_RETRIES: Final = 3
_FIXED: Final = 5
"""Figures in front of those of the buckets: the four above and the seconds."""


@final
class Series:
    """What was counted of one combination of labels.

    ``received`` are octets of requests, ``sent`` those of answers. ``buckets`` are not cumulative; the last is of what took longer than all
    bounds.
    """

    def __init__(self, bounds: Sequence[float]) -> None:
        self.requests: i64 = 0
        self.received: i64 = 0
        self.sent: i64 = 0
        self.retries: i64 = 0
        self.seconds: float = 0.0
        self._buckets: list[int] = [0] * (len(bounds) + 1)
        self._bounds: list[float] = list(bounds)
        self._at = 0
        """The latest bucket, what it is of, and how many came to it in a row that are not in ``_buckets`` yet."""
        self._above: float = 0.0
        self._upto: float = 0.0
        self._row: i64 = 0

    def add(self, seconds: float, received: i64, sent: i64, attempts: i64) -> None:
        """Count one exchange that took `seconds` and was sent `attempts` times."""
        self.requests += 1
        self.received += received
        self.sent += sent
        if attempts > 1:
            self.retries += attempts - 1
        self.seconds += seconds
        if self._above < seconds <= self._upto:
            self._row += 1
        else:
            self._place(seconds)

    def _place(self, seconds: float) -> None:
        """Count `seconds` in another bucket than the latest."""
        self._settle()
        at = bisect_left(self._bounds, seconds)
        self._at = at
        self._above = self._bounds[at - 1] if at else -1.0
        self._upto = self._bounds[at] if at < len(self._bounds) else float("inf")
        self._row = 1

    def _settle(self) -> None:
        if self._row > 0:
            self._buckets[self._at] += self._row
            self._row = 0

    @property
    def buckets(self) -> list[int]:
        """How many exchanges took at most each of the bounds, and longer than the one before."""
        self._settle()
        return self._buckets

    @property
    def figures(self) -> list[float]:
        """All numbers in one list."""
        found = [float(int(self.requests)), float(int(self.received)), float(int(self.sent)), float(int(self.retries))]
        found.append(self.seconds)
        found.extend([float(count) for count in self.buckets])
        return found

    def merge(self, figures: Sequence[float]) -> None:
        """Add what `figures` of another one say."""
        self.requests += int(figures[_REQUESTS])
        self.received += int(figures[_RECEIVED])
        self.sent += int(figures[_SENT])
        self.retries += int(figures[_RETRIES])
        self.seconds += figures[_FIXED - 1]
        buckets = self.buckets
        for at in range(len(buckets)):
            buckets[at] += int(figures[_FIXED + at])

    def clear(self) -> None:
        """Nothing was counted."""
        self.requests = self.received = self.sent = self.retries = 0
        self.seconds = 0.0
        self._row = 0
        self._buckets = [0] * (len(self._bounds) + 1)


@final
class Table:
    """All series.

    `names` are the labels; the values of those in `foreign` come from peers. A label takes `values` different ones, each of at most `size`
    characters, and there are at most `series`: past that a new combination has ``other`` for all of its `foreign` labels, and where
    there is still no room, for every label.
    """

    def __init__(
        self,
        names: Sequence[str],
        foreign: Sequence[str],
        bounds: Sequence[float] = BUCKETS,
        values: i64 = 200,
        series: i64 = 2000,
        size: i64 = 120,
    ) -> None:
        if any(name not in names for name in foreign):
            raise ValueError(f"{foreign} are not all in {names}")
        if list(bounds) != sorted(set(bounds)):
            raise ValueError("the bounds of a histogram ascend")
        self.names: Final = tuple(names)
        self.bounds: Final = tuple(bounds)
        self._foreign: Final = tuple(names.index(name) for name in foreign)
        self._values: Final = values
        self._limit: Final = series
        self._size: Final = size
        self._series: Final[dict[tuple[Label, ...], Series]] = {}
        self._known: Final[list[set[Label]]] = [set() for _ in names]
        self.overflowed: Final[list[int]] = [0] * len(names)
        """By label: how many exchanges went to ``other``."""

    def __len__(self) -> int:
        return len(self._series)

    def items(self) -> list[tuple[tuple[Label, ...], Series]]:
        """Every series with its labels."""
        return list(self._series.items())

    def find(self, labels: tuple[Label, ...]) -> Series:
        """The series that counts what has `labels`."""
        found = self._series.get(labels)
        return self._place(labels) if found is None else found

    def has(self, labels: tuple[Label, ...]) -> bool:
        """Whether they have a series of their own: it stays theirs."""
        return labels in self._series

    def _place(self, labels: tuple[Label, ...]) -> Series:
        """That of labels which were not seen yet, or found no room."""
        kept = list(labels)
        for at in range(len(kept)):
            value = kept[at]
            known = self._known[at]
            if value is None or value == OTHER or value in known:
                continue
            if len(known) >= self._values or (isinstance(value, str) and len(value) > self._size):
                kept[at] = OTHER
                self.overflowed[at] += 1
        key = tuple(kept)
        found = self._series.get(key)
        if found is not None:
            return found
        if len(self._series) >= self._limit:
            return self._crowded(kept)
        return self._made(key)

    def _crowded(self, kept: list[Label]) -> Series:
        """That of labels of which there can be no new combination: as few of them become ``other`` as will do."""
        for at in self._foreign:
            if kept[at] is not None and kept[at] != OTHER:
                kept[at] = OTHER
                self.overflowed[at] += 1
        found = self._series.get(tuple(kept))
        if found is not None:
            return found
        if len(self._series) < 2 * self._limit:
            return self._made(tuple(kept))
        for at in range(len(kept)):
            if at not in self._foreign:
                self.overflowed[at] += 1
        last: tuple[Label, ...] = tuple([OTHER] * len(kept))
        found = self._series.get(last)
        return self._made(last) if found is None else found

    def _made(self, key: tuple[Label, ...]) -> Series:
        for at in range(len(key)):
            if key[at] is not None and key[at] != OTHER:
                self._known[at].add(key[at])
        found = self._series[key] = Series(self.bounds)
        return found

    def drain(self) -> list[Row]:
        """What was counted since the last time; it is gone from here."""
        found: list[Row] = []
        for labels, series in self._series.items():
            if series.requests > 0:
                found.append((list(labels), series.figures))
                series.clear()
        return found

    def drain_overflowed(self) -> list[int]:
        """What `overflowed` counted since the last time."""
        found = self.overflowed.copy()
        for at in range(len(found)):
            self.overflowed[at] = 0
        return found

    def fill(self, rows: Sequence[Row], overflowed: Sequence[int]) -> None:
        """Add what another table with the same labels and bounds drained."""
        for labels, figures in rows:
            self.find(tuple(labels)).merge(figures)
        for at in range(len(self.overflowed)):
            self.overflowed[at] += overflowed[at]


@final
class Counters:
    """Plain counters of few names each, such as what came to a listener: at most `limit` combinations, the rest in one of ``other``."""

    def __init__(self, names: Sequence[str], kinds: Sequence[str], limit: i64 = 1000) -> None:
        self.names: Final = tuple(names)
        self.kinds: Final = tuple(kinds)
        self._limit: Final = limit
        self._counts: Final[dict[tuple[Label, ...], list[int]]] = {}

    def add(self, labels: tuple[Label, ...], kind: i64, count: i64 = 1) -> None:
        """Count one of the `kinds`, by its place among them."""
        found = self._counts.get(labels)
        if found is None:
            if len(self._counts) >= self._limit:
                other: list[Label] = [OTHER] * len(labels)
                labels = tuple(other)
            found = self._counts.get(labels)
            if found is None:
                found = self._counts[labels] = [0] * len(self.kinds)
        found[kind] += count

    def items(self) -> list[tuple[tuple[Label, ...], list[int]]]:
        """Every combination, and its counts in the order of `kinds`."""
        return list(self._counts.items())

    def drain(self) -> list[Row]:
        """What was counted since the last time; it is gone from here."""
        found: list[Row] = []
        for labels, counts in self._counts.items():
            if any(counts):
                found.append((list(labels), [float(count) for count in counts]))
                for at in range(len(counts)):
                    counts[at] = 0
        return found

    def fill(self, rows: Sequence[Row]) -> None:
        """Add what another one with the same names and kinds drained."""
        for labels, figures in rows:
            for at in range(len(self.kinds)):
                self.add(tuple(labels), at, int(figures[at]))


def quantile(share: float, bounds: Sequence[float], counts: Sequence[int]) -> float:
    """About how many seconds that `share` of all took at most; a straight line within a bucket, the last bound beyond all."""
    total = sum(counts)
    if not total:
        return 0.0
    sums: list[int] = []
    for count in counts:
        sums.append(count + (sums[-1] if sums else 0))
    at = bisect_left(sums, share * total)
    if at >= len(bounds):
        return bounds[-1]
    below = bounds[at - 1] if at else 0.0
    before = sums[at - 1] if at else 0
    return below + (bounds[at] - below) * (share * total - before) / max(1, counts[at])
