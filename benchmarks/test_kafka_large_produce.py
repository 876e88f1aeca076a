"""A Produce of Kafka of 256 MiB in reads of 64 KiB: how far the peak of memory rises, and whether time follows size."""

from __future__ import annotations

from functools import partial
from statistics import median

from pytest_benchmark.fixture import BenchmarkFixture

import l7codecs
from l7codecs import Sender

from .kafka_octets import READ_SIZE, large_head
from .measure import Comparison, Side, add_row, time_sides
from .test_large_value import MIB, measure_memory


def test_peak_memory(benchmark: BenchmarkFixture) -> None:
    size = 256 * MIB
    found: list[dict[str, float]] = []
    benchmark.pedantic(lambda: found.append(measure_memory("produce", str(size))), rounds=3, iterations=1)  # type: ignore[no-untyped-call]
    assert all(run["octets"] == size + len(large_head(size)) + 3 for run in found)  # every octet came out again
    growth = max(run["growth"] for run in found) / MIB
    work = "a 256 MiB Produce of Kafka in 64 KiB reads: peak memory"
    add_row(benchmark, 186, [Comparison(work, f"+{growth:.2f} MiB", "–", "", growth, "MiB", 2.0, at_most=True)])


def pass_produce(size: int) -> int:
    """Pass a Produce with records of `size` octets; returns the octets of its events."""
    receive = l7codecs.open_session("kafka").receive
    chunk = b"x" * READ_SIZE
    octets = 0
    for read in (large_head(size), *[chunk] * (size // READ_SIZE), bytes(3)):
        for event in receive(Sender.CLIENT, read):
            octets += len(event.raw)
    return octets


def test_time_is_linear(benchmark: BenchmarkFixture) -> None:
    sizes = [64 * MIB, 128 * MIB, 256 * MIB]
    assert all(pass_produce(size) == size + len(large_head(size)) + 3 for size in sizes)
    shorter = {str(size): Side(partial(pass_produce, size)) for size in sizes[:-1]}
    longest, others = time_sides(benchmark, Side(partial(pass_produce, sizes[-1])), shorter, rounds=15)
    if not longest:
        return
    first, second = (others[str(size)] for size in sizes[:-1])
    ratio = median(long / short for long, short in zip(longest, first, strict=True))
    times = " · ".join(f"{median(times) * 1000:.1f} ms" for times in (first, second, longest))
    work = "64, 128, 256 MiB of Produce in 64 KiB reads: time of 256 MiB beside that of 64 MiB (linear: 4)"
    add_row(benchmark, 187, [Comparison(work, times, "–", "", ratio, "×", 4.4, at_most=True)])
