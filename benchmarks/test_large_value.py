"""A 256 MiB value in reads of 64 KiB: how far the peak of memory rises, and whether time follows size."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import partial
from pathlib import Path
from statistics import median

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

import l7codecs
from l7codecs import Sender

from .measure import Comparison, Side, add_row, time_sides
from .octets import READ_SIZE

MIB = 1024 * 1024


def measure_memory(*arguments: str) -> dict[str, float]:
    """What `memory.py` prints, run in a process of its own."""
    command = [sys.executable, str(Path(__file__).with_name("memory.py")), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return {name: value for name, value in json.loads(done.stdout).items() if name != "by"}


@pytest.mark.parametrize(
    ("order", "what", "overhead"), [(50, "value", 36), (51, "reply", 14)], ids=["of-a-command", "of-a-reply"]
)
def test_peak_memory(benchmark: BenchmarkFixture, order: int, what: str, overhead: int) -> None:
    size = 256 * MIB
    found: list[dict[str, float]] = []
    benchmark.pedantic(lambda: found.append(measure_memory(what, str(size))), rounds=3, iterations=1)  # type: ignore[no-untyped-call]
    assert all(run["octets"] == size + overhead for run in found)  # every octet came out again
    growth = max(run["growth"] for run in found) / MIB
    work = f"a 256 MiB value of a {'command' if what == 'value' else 'reply'} in 64 KiB reads: peak memory"
    add_row(benchmark, order, [Comparison(work, f"+{growth:.2f} MiB", "–", "", growth, "MiB", 2.0, at_most=True)])


def test_peak_memory_sees_what_is_kept() -> None:
    """The measure itself: values that are kept show, all but what the heap had free before."""
    size = 32 * MIB
    assert 0.9 * size < measure_memory("kept", str(size))["growth"] < 1.5 * size


def pass_value(size: int) -> int:
    """Pass a SET of a value of `size` octets; returns the octets of its events."""
    receive = l7codecs.open_session("redis").receive
    chunk = b"x" * READ_SIZE
    octets = 0
    for event in receive(Sender.CLIENT, b"*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$%d\r\n" % size):
        octets += len(event.raw)
    for _ in range(size // READ_SIZE):
        for event in receive(Sender.CLIENT, chunk):
            octets += len(event.raw)
    for event in receive(Sender.CLIENT, b"\r\n"):
        octets += len(event.raw)
    return octets


def test_time_is_linear(benchmark: BenchmarkFixture) -> None:
    sizes = [64 * MIB, 128 * MIB, 256 * MIB]
    assert all(size < pass_value(size) < size + 64 for size in sizes)
    shorter = {str(size): Side(partial(pass_value, size)) for size in sizes[:-1]}
    longest, others = time_sides(benchmark, Side(partial(pass_value, sizes[-1])), shorter, rounds=15)
    if not longest:
        return
    first, second = (others[str(size)] for size in sizes[:-1])
    ratio = median(long / short for long, short in zip(longest, first, strict=True))
    times = " · ".join(f"{median(times) * 1000:.1f} ms" for times in (first, second, longest))
    work = "64, 128, 256 MiB values in 64 KiB reads: time of 256 MiB beside that of 64 MiB (linear: 4)"
    add_row(benchmark, 52, [Comparison(work, times, "–", "", ratio, "×", 4.4, at_most=True)])
