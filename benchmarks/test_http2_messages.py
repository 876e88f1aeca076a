"""HTTP/2 requests, method and path of each; responses and trailers, status of each. With strings that repeat, and with fresh ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from .http2_octets import ROUND_COUNT, Conversation, Round, groups, reads
from .http2_sides import (
    H2Answers,
    H2Requests,
    Nghttp2,
    OurAnswers,
    OurCalls,
    OurRequests,
    Walk,
    hpack_decoder,
    jh2_decoder,
    nghttp2_missing,
)
from .measure import Comparison, Side, add_row, compare, time_sides

ROUNDS = 31
RUNS = 10
"""Of each round: `ROUND_COUNT` requests each, whose streams are all closed before the next ones come."""
H2_FRAMES = 25
"""Whole frames of one read that h2 gets: with more streams at once it takes longer for each."""
NGHTTP2 = "C `nghttp2_session_mem_recv`"


class _Rounds:
    """The rounds of one side: `next` goes to the next one, `run` has its octets."""

    def __init__(
        self,
        conversation: Conversation,
        chunks: Callable[[Round], list[bytes]],
        call: Callable[[list[bytes]], object],
        between: Callable[[Round | None, Round], object] = lambda before, now: None,
    ) -> None:
        self._rounds: Iterator[Round] = map(conversation.round, range(1_000_000))
        self._make = chunks
        self._call = call
        self._between = between
        self._now: Round | None = None
        self._chunks: list[bytes] = []

    def next(self) -> None:
        before = self._now
        self._now = next(self._rounds)
        self._chunks = self._make(self._now)
        self._between(before, self._now)

    def run(self) -> object:
        return self._call(self._chunks)

    def side(self, own_time: bool = False) -> Side:
        return Side(self.run, self.next, own_time)


@pytest.mark.parametrize(("order", "fresh"), [(110, False), (120, True)], ids=["repeated", "fresh"])
def test_requests(benchmark: BenchmarkFixture, order: int, fresh: bool) -> None:
    conversation = Conversation(fresh)
    conversation.round((ROUNDS + 2) * RUNS)  # all of them are made before anything is timed

    def ours(own: OurRequests) -> Side:
        return _Rounds(conversation, _requests, own, lambda before, _: before and own.answer(before.closing)).side()

    missing = nghttp2_missing()
    with ExitStack() as stack:
        peers = {
            "h2": _Rounds(conversation, lambda now: groups(now.requests, H2_FRAMES), H2Requests()).side(),
            "hpack": _Rounds(conversation, _requests, Walk(hpack_decoder(), b":method", b":path")).side(),
            "jh2": _Rounds(conversation, _requests, Walk(jh2_decoder(), b":method", b":path")).side(),
            "calls": ours(OurCalls()),
        }
        if missing is None:
            native = stack.enter_context(Nghttp2("server"))
            peers["nghttp2"] = _Rounds(conversation, _requests, native, lambda *_: native.close_streams()).side(True)
        own, theirs = time_sides(benchmark, ours(OurRequests()), peers, rounds=ROUNDS, runs=RUNS)
    if own:
        work = f"HTTP/2 requests of 12 fields, {'fresh' if fresh else 'repeated'} strings: method, path"
        lines = _lines(work, own, theirs, RUNS * ROUND_COUNT, missing)
        note = f"{work}; ours: service, operation".replace("method, path; ours: ", "")
        add_row(benchmark, order, [*lines, _alone(note, theirs["calls"], RUNS * ROUND_COUNT)])


@pytest.mark.parametrize(("order", "fresh"), [(125, False), (126, True)], ids=["repeated", "fresh"])
def test_requests_of_many_streams(benchmark: BenchmarkFixture, order: int, fresh: bool) -> None:
    """The same with ten times as many streams open: what those hold no longer fits a processor's nearest caches."""
    conversation = Conversation(fresh, RUNS * ROUND_COUNT)
    conversation.round(ROUNDS + 2)
    own_side = OurRequests()
    ours = _Rounds(conversation, _requests, own_side, lambda before, _: before and own_side.answer(before.closing))
    peers = {
        "h2": _Rounds(conversation, lambda now: groups(now.requests, H2_FRAMES), H2Requests()).side(),
        "jh2": _Rounds(conversation, _requests, Walk(jh2_decoder(), b":method", b":path")).side(),
    }
    own, theirs = time_sides(benchmark, ours.side(), peers, rounds=ROUNDS)
    if own:
        work = f"the same, {'fresh' if fresh else 'repeated'} strings, 1 000 streams open at once"
        count = RUNS * ROUND_COUNT
        peer_names = {"h2": "`h2`", "jh2": "a walk with `jh2`'s decoder in Rust"}
        lines = [compare(work, own, peer_names[name], theirs[name], count, None) for name in peers]
        add_row(benchmark, order, lines)


@pytest.mark.parametrize(("order", "fresh"), [(130, False), (140, True)], ids=["repeated", "fresh"])
def test_answers(benchmark: BenchmarkFixture, order: int, fresh: bool) -> None:
    conversation = Conversation(fresh)
    conversation.round((ROUNDS + 2) * RUNS)
    own_side, h2_side = OurAnswers(), H2Answers()
    missing = nghttp2_missing()
    with ExitStack() as stack:
        peers = {
            "h2": _Rounds(conversation, _answers, h2_side, lambda _, now: h2_side.ask(now.streams)).side(),
            "hpack": _Rounds(conversation, _answers, Walk(hpack_decoder(), b":status", b"grpc-status")).side(),
            "jh2": _Rounds(conversation, _answers, Walk(jh2_decoder(), b":status", b"grpc-status")).side(),
        }
        if missing is None:
            native = stack.enter_context(Nghttp2("client"))
            asks = _Rounds(conversation, _answers, native, lambda _, now: native.ask(len(now.streams)))
            peers["nghttp2"] = asks.side(True)
        ours = _Rounds(conversation, _answers, own_side, lambda _, now: own_side.ask(now.requests)).side()
        own, theirs = time_sides(benchmark, ours, peers, rounds=ROUNDS, runs=RUNS)
    if own:
        work = f"HTTP/2 responses and trailers, {'fresh' if fresh else 'repeated'} strings: status"
        add_row(benchmark, order, _lines(work, own, theirs, RUNS * 2 * ROUND_COUNT, missing))


def _requests(now: Round) -> list[bytes]:
    return reads(now.requests)


def _answers(now: Round) -> list[bytes]:
    return reads(now.answers)


def _lines(
    work: str, own: list[float], theirs: dict[str, list[float]], count: int, missing: str | None
) -> list[Comparison]:
    """The lines of one row. Without nghttp2 its line is left out, and standard output says why."""
    lines = [
        compare(work, own, "`h2`", theirs["h2"], count, 60.0),
        compare(work, own, "a walk with `hpack`", theirs["hpack"], count, None),
        compare(work, own, "a walk with `jh2`'s decoder in Rust", theirs["jh2"], count, 2.0),
    ]
    if missing is None:
        lines.append(compare(work, own, NGHTTP2, theirs["nghttp2"], count, 0.7))
    else:
        print(f"nghttp2 is left out: {missing}")
    return lines


def _alone(work: str, times: list[float], count: int) -> Comparison:
    """A line of ours beside ours: how much longer it takes is in the row above."""
    rates = sorted(count / time / 1e6 for time in times)
    middle = rates[len(rates) // 2]
    spread = (rates[len(rates) // 4], rates[3 * len(rates) // 4])
    return Comparison(work, f"{middle:.2f} M/s", "–", "", middle, "M/s", spread=spread)
