"""32 MiB of DATA in frames of 16 KiB: the octets of each."""

from __future__ import annotations

from functools import partial

from pytest_benchmark.fixture import BenchmarkFixture

from .http2_octets import Conversation, body, frame, reads
from .http2_sides import H2Body, OurBody, OurCopiedBody, copy_body
from .measure import Side, add_row, compare, time_sides

MIB = 1024 * 1024
SIZE = 32 * MIB


def head() -> bytes:
    """A request on stream 1 that has a body."""
    request = Conversation(False).round(0).requests[0]
    return frame(1, 0x04, 1, request[9:])


def test_body(benchmark: BenchmarkFixture) -> None:
    frames = body(1, SIZE, ends=False)
    chunks = reads(frames)
    theirs = H2Body(head(), 1)
    peers = {
        "h2": Side(partial(theirs, chunks), theirs.open_windows),
        "bytes": Side(partial(OurCopiedBody(head()), chunks)),
        "copy": Side(partial(copy_body, chunks)),
    }
    own, times = time_sides(benchmark, Side(partial(OurBody(head()), chunks)), peers, rounds=15)
    if own:
        work = "HTTP/2: 32 MiB of DATA in frames of 16 KiB: the octets of each payload"
        add_row(
            benchmark,
            150,
            [
                compare(f"{work}, in place", own, "`h2`", times["h2"], len(frames), 30.0),
                compare(f"{work}, as `bytes`", times["bytes"], "`h2`", times["h2"], len(frames), None),
                compare(
                    f"{work}, as `bytes`", times["bytes"], "copying them, no protocol", times["copy"], len(frames), None
                ),
            ],
        )
