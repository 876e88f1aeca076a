"""Idle sessions: resident memory of each of 100 000."""

from __future__ import annotations

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from .measure import Comparison, add_row
from .test_large_value import measure_memory

COUNT = 100_000


@pytest.mark.parametrize(
    ("order", "what", "state"),
    [(60, "idle", "after one command and its answer"), (61, "open", "freshly opened")],
    ids=["used", "fresh"],
)
def test_idle_sessions(benchmark: BenchmarkFixture, order: int, what: str, state: str) -> None:
    found: list[dict[str, float]] = []
    benchmark.pedantic(lambda: found.append(measure_memory(what, str(COUNT))), rounds=3, iterations=1)  # type: ignore[no-untyped-call]
    assert all(run["count"] == COUNT for run in found)
    each = max(run["each"] for run in found)
    work = f"idle session, {COUNT:,} open, {state}".replace(",000", " 000")
    add_row(benchmark, order, [Comparison(work, f"{each:.0f} octets", "–", "", each / 1024, "KiB", 2.0, at_most=True)])
