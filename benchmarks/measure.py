"""Time ours and its peers turn by turn, and keep the row for the table.

Each round runs every peer and then ours, on the same octets; the peers in the set-up of the round, which pytest-benchmark leaves out
of its own time. A ratio is the median of the rounds' ratios, so that whatever else the machine does falls on both sides. Where what one run
does must stay small, a round has several runs of each side, one after the other; and where a run is so short that what the others left
in the processor's caches would be most of what is timed.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median, quantiles
from time import perf_counter

from pytest_benchmark.fixture import BenchmarkFixture

__all__ = ["Comparison", "Side", "add_row", "compare", "time_sides"]


@dataclass(frozen=True)
class Side:
    """One side of a row: `prepare` is not timed, `run` is.

    With `own_time`, for a peer in a process of its own, `run` returns the seconds that it measured itself. With `once` a single run stands
    for all runs of a round: it is long enough, or is itself many, of which the time is that of one.
    """

    run: Callable[[], object]
    prepare: Callable[[], object] = lambda: None
    own_time: bool = False
    once: bool = False


@dataclass(frozen=True)
class Comparison:
    """One line of the table.

    ``figure`` is what was measured of ours and ``peer_figure`` of the peer, as text; ``value`` is compared with ``reach``: at least that
    much, or at most where `at_most`. ``reach`` is None for a line that only informs. ``spread`` is the middle half of the rounds' values.
    """

    work: str
    figure: str
    peer: str
    peer_figure: str
    value: float
    unit: str
    reach: float | None = None
    at_most: bool = False
    spread: tuple[float, float] | None = None

    @property
    def reached(self) -> bool | None:
        if self.reach is None:
            return None
        return self.value <= self.reach if self.at_most else self.value >= self.reach


def add_row(benchmark: BenchmarkFixture, order: int, comparisons: Sequence[Comparison]) -> None:
    """Put lines of the table into the report of this benchmark; `order` is their place."""
    benchmark.extra_info["order"] = order
    benchmark.extra_info["rows"] = [asdict(line) | {"reached": line.reached} for line in comparisons]


def time_sides(
    benchmark: BenchmarkFixture,
    ours: Side,
    peers: Mapping[str, Side],
    rounds: int,
    runs: int = 1,
    warmup_rounds: int = 2,
) -> tuple[list[float], dict[str, list[float]]]:
    """Seconds of each round of `runs` runs: ours, and those of each peer in the same order. Empty where measuring is disabled."""
    taken: dict[str, list[float]] = {name: [] for name in peers}
    done = 0

    def set_up() -> None:
        nonlocal done
        if done % runs == 0:
            for name, peer in peers.items():
                count = 1 if peer.once else runs
                taken[name].append(sum(_time(peer) for _ in range(count)) * runs / count)
        done += 1
        ours.prepare()

    gc.collect()
    gc.freeze()  # what pytest holds is no garbage of anyone's, and looking through it would be timed
    try:
        benchmark.pedantic(  # type: ignore[no-untyped-call]
            ours.run, setup=set_up, rounds=rounds * runs, warmup_rounds=warmup_rounds * runs, iterations=1
        )
    finally:
        gc.unfreeze()
    if benchmark.stats is None:
        return [], {name: [] for name in peers}
    each = benchmark.stats.stats.data
    own = [sum(each[at : at + runs]) for at in range(0, len(each), runs)]
    return own, {name: times[-len(own) :] for name, times in taken.items()}


def _time(side: Side) -> float:
    """Seconds of one run."""
    side.prepare()
    start = perf_counter()
    result = side.run()
    elapsed = perf_counter() - start
    return result if side.own_time and isinstance(result, float) else elapsed


def compare(
    work: str, ours: list[float], peer: str, theirs: list[float], count: int, reach: float | None, what: str = "M/s"
) -> Comparison:
    """How many times as fast ours is, both having handled `count` messages in each round."""
    ratios = [their / own for own, their in zip(ours, theirs, strict=True)]
    low, _, high = quantiles(ratios, n=4)
    return Comparison(
        work,
        f"{count / median(ours) / 1e6:.2f} {what}",
        peer,
        f"{count / median(theirs) / 1e6:.2f} {what}",
        median(ratios),
        "×",
        reach,
        spread=(low, high),
    )
