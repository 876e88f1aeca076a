"""Pipelined commands: operation and keys of each."""

from __future__ import annotations

from functools import partial

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from .measure import Side, add_row, compare, time_sides
from .octets import cache_mix, commands, reads
from .sides import HiredisCommands, HiredisMix, OurCommands, OurMix, RedisPyCommands


@pytest.mark.parametrize(
    ("order", "count", "times", "value_size", "hiredis_reach", "redis_py_reach"),
    [(10, 20_000, 1, 100, 1.5, 20.0), (20, 240, 16, 4_096, 2.0, None), (21, 4_000, 1, 4_096, None, None)],
    ids=["100-octets", "4-KiB", "4-KiB-out-of-cache"],
)
def test_commands(
    benchmark: BenchmarkFixture,
    order: int,
    count: int,
    times: int,
    value_size: int,
    hiredis_reach: float | None,
    redis_py_reach: float | None,
) -> None:
    # What a socket has just delivered is in the processor's cache. Here 1 MiB of reads comes again and again, so it stays there; the
    # same work on 16 MiB that come from memory stands beside it.
    chunks = reads(commands(count, value_size)) * times
    count *= times
    peers = {
        "redis-py": Side(partial(RedisPyCommands(), chunks, count)),
        "hiredis": Side(partial(HiredisCommands(), chunks)),
    }
    ours, theirs = time_sides(benchmark, Side(partial(OurCommands(), chunks)), peers, rounds=61)
    if ours:
        size = "100-octet" if value_size == 100 else "4 KiB"
        where = " out of the cache" if value_size > 100 and times == 1 else ""
        work = f"pipelined commands, {size} values{where}: operation, first key"
        add_row(
            benchmark,
            order,
            [
                compare(work, ours, "hiredis `Reader`", theirs["hiredis"], count, hiredis_reach),
                compare(work, ours, "redis-py's parser", theirs["redis-py"], count, redis_py_reach),
            ],
        )


def test_a_cache_mix(benchmark: BenchmarkFixture) -> None:
    commands = cache_mix(1 << 20)
    chunks = reads(commands)
    ours, theirs = time_sides(
        benchmark, Side(partial(OurMix(), chunks)), {"hiredis": Side(partial(HiredisMix(), chunks))}, rounds=61
    )
    if ours:
        work = "commands of a cache (55 % GET, 30 % SET, 6 others), 1 MiB a session: kind, operation, all keys"
        peer = "hiredis `Reader`, the first two items"
        add_row(benchmark, 22, [compare(work, ours, peer, theirs["hiredis"], len(commands), 1.6)])
