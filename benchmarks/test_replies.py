"""Replies of many types: kind, status and the request that each answers."""

from __future__ import annotations

from functools import partial

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from .measure import Side, add_row, compare, time_sides
from .octets import REPLY_COUNT, reads, replies
from .sides import HiredisReplies, HiredisValues, OurReplies


@pytest.mark.parametrize(("order", "version", "reach"), [(30, 2, 1.25), (40, 3, 1.15)], ids=["RESP2", "RESP3"])
def test_replies(benchmark: BenchmarkFixture, order: int, version: int, reach: float) -> None:
    exchange = replies(version)
    requests, chunks = reads(exchange.commands), reads(exchange.replies)
    names = [tuple(command.split(b"\r\n")[2:5:2]) for command in exchange.commands]
    own = OurReplies(version)
    paired = HiredisReplies(pushes=version == 3)
    peers = {
        # Fresh tuples every time: a user's requests are not shared either.
        "paired": Side(partial(paired, chunks), lambda: paired.ask([(name, key) for name, key in names])),
        "values": Side(partial(HiredisValues(), chunks)),
    }
    ours, theirs = time_sides(
        benchmark, Side(partial(own, chunks), lambda: own.ask(requests)), peers, rounds=101, warmup_rounds=5
    )
    if ours:
        work = f"replies, RESP{version}: kind, status, paired request"
        note = f"replies, RESP{version}: the same, beside values alone"
        add_row(
            benchmark,
            order,
            [
                compare(work, ours, "hiredis `Reader`, with its user's pairing", theirs["paired"], REPLY_COUNT, 1.0),
                compare(note, ours, "hiredis `Reader`, `gets()` alone", theirs["values"], REPLY_COUNT, reach),
            ],
        )
