"""10 000 streams at once on one connection: memory of each, and whether the time of an event depends on their number."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from l7codecs import Sender

from .http2_memory import open_session
from .http2_octets import ROUND_COUNT, Conversation, frame, reads
from .measure import Comparison, Side, add_row, time_sides

COUNT = 10_000
Receive = Callable[[Sender, bytes], Iterator[Any]]


def opening(fresh: bool) -> list[bytes]:
    """Requests that open `COUNT` streams."""
    conversation = Conversation(fresh)
    return [request for index in range(COUNT // ROUND_COUNT) for request in conversation.round(index).requests]


def measure_memory(path: Path) -> dict[str, float]:
    """What `http2_memory.py` prints, run in a process of its own."""
    command = [sys.executable, str(Path(__file__).with_name("http2_memory.py")), str(COUNT), str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize(("order", "fresh"), [(160, False), (161, True)], ids=["repeated", "fresh"])
def test_memory(benchmark: BenchmarkFixture, tmp_path: Path, order: int, fresh: bool) -> None:
    path = tmp_path / "requests"
    path.write_bytes(b"".join(opening(fresh)))
    found: list[dict[str, float]] = []
    benchmark.pedantic(lambda: found.append(measure_memory(path)), rounds=3, iterations=1)  # type: ignore[no-untyped-call]
    assert all(run["open"] == run["events"] == COUNT for run in found)
    each = max(run["each"] for run in found)
    work = f"an open HTTP/2 stream of 10 000 on one connection, {'fresh' if fresh else 'repeated'} strings: memory"
    figure = f"{each:.0f} octets, {found[0]['wire']:.0f} of them its request's"
    add_row(benchmark, order, [Comparison(work, figure, "–", "", each / 1024, "KiB", 1.0, at_most=True)])


class Lives:
    """Streams in one session, over and over: `at_once` are opened, each gets two DATA frames in turn, and all are answered.

    Blocks that need no dynamic table, so that every life has the same octets but for the numbers of the streams.
    """

    events = 4 * COUNT

    def __init__(self, at_once: int) -> None:
        self.at_once = at_once
        self.session = open_session()
        self.first = 1
        self.chunks: list[tuple[Sender, bytes]] = []
        self.prepare()

    def prepare(self) -> None:
        """The octets of `COUNT` lives, which is not timed."""
        self.chunks = []
        for _ in range(COUNT // self.at_once):
            streams = range(self.first, self.first + 2 * self.at_once, 2)
            self.first = streams.stop
            request = b"\x83\x86\x84\x01\x01b"  # POST, http, /, and an authority
            asked = [frame(1, 0x04, stream, request) for stream in streams]
            asked += [frame(0, 0, stream, b"12345678") for stream in streams]
            asked += [frame(0, 0x01, stream, b"12345678") for stream in streams]
            self.chunks += [(Sender.CLIENT, chunk) for chunk in reads(asked)]
            answered = [frame(1, 0x05, stream, b"\x88") for stream in streams]
            self.chunks += [(Sender.SERVER, chunk) for chunk in reads(answered)]

    def __call__(self) -> int:
        receive: Receive = self.session.receive
        count = 0
        for sender, chunk in self.chunks:
            for _ in receive(sender, chunk):
                count += 1
        return count


def test_time_is_flat(benchmark: BenchmarkFixture) -> None:
    few, many = Lives(1_000), Lives(COUNT)
    for lives in (few, many):
        assert Lives.events <= lives() < Lives.events * 1.01  # DATA that two reads share comes as two events
        assert lives.session.pending == 0
    own, others = time_sides(benchmark, Side(many, many.prepare), {"few": Side(few, few.prepare)}, rounds=21)
    if not own:
        return
    fewer = others["few"]
    ratio = median(one / other for one, other in zip(own, fewer, strict=True))
    times = " · ".join(f"{median(times) / Lives.events * 1e9:.0f} ns" for times in (fewer, own))
    work = "HTTP/2 events with 1 000 and with 10 000 streams at once: time of one beside that of the other (flat: 1)"
    add_row(benchmark, 170, [Comparison(work, times, "–", "", ratio, "×", 1.25, at_most=True)])
