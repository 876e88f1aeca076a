"""Vectors cut, joined and saved; and `check_cuts`, which must find what a decoder does differently in another cut."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l7codecs import Event, FramedDecoder, IncompleteMessage, Kind, Limits, Message, Pairing, Protocol, Sender, Session
from l7codecs.testing import Vector, check_cuts, load_vectors, replay

C, S = Sender.CLIENT, Sender.SERVER
VECTORS = st.builds(
    Vector, st.just("any"), st.lists(st.tuples(st.sampled_from(Sender), st.binary(max_size=9)), max_size=9).map(tuple)
)


# ---------------------------------------------------------------------------------------------------------------- vectors


@given(VECTORS, st.lists(st.integers(-3, 90), max_size=20))
def test_split(vector: Vector, cuts: list[int]) -> None:
    """Every octet keeps its sender and place; each cut that lies in the vector is between two pieces."""
    parts = vector.split(*cuts)
    edges, wanted = [{0}, {0}], {cut for cut in cuts if 0 < cut < vector.size}
    for found, each in zip(edges, (vector, parts), strict=True):
        for _, octets in each.pieces:
            found.add(max(found) + len(octets))
    assert edges[1] == edges[0] | wanted
    assert every_octet(parts) == every_octet(vector)


@given(VECTORS)
def test_joined(vector: Vector) -> None:
    joined = vector.joined()
    assert every_octet(joined) == every_octet(vector)
    senders = [sender for sender, _ in joined.pieces]
    assert all(before is not after for before, after in pairwise(senders))


@given(VECTORS, st.integers(0, 99))
def test_recut(vector: Vector, seed: int) -> None:
    cuts = list(vector.recut(seed))
    assert all(every_octet(cut) == every_octet(vector) for cut in cuts)
    assert len({cut.name for cut in cuts}) == len(cuts) == 4
    assert cuts == list(vector.recut(seed))
    assert len(cuts[-1].pieces) == vector.size


def test_recut_of_what_is_long() -> None:
    cuts = list(Vector("long", ((C, bytes(60_000)), (S, bytes(60_000)))).recut())
    counts = [len(cut.pieces) for cut in cuts]
    assert counts[0] == 2 and 5 < counts[1] < 300 and 1000 < counts[2] < 5000
    assert len(counts) == 3, "not octet by octet"
    assert {cut.pieces for cut in Vector("long", ((C, bytes(60_000)),)).recut(8)} != {cut.pieces for cut in cuts}


def every_octet(vector: Vector) -> list[tuple[Sender, int]]:
    return [(sender, octet) for sender, octets in vector.pieces for octet in octets]


@given(VECTORS)
def test_saved_and_loaded(tmp_path_factory: pytest.TempPathFactory, vector: Vector) -> None:
    folder = tmp_path_factory.mktemp("vectors")
    path = vector.save(folder, "a-server 7.0\npython record.py any")
    assert path == folder / "any.txt"
    assert path.read_text("utf-8").startswith("# a-server 7.0\n# python record.py any\n")
    assert load_vectors(folder) == [vector]


def test_saved_beside_others(tmp_path: Path) -> None:
    Vector("b", ((C, b"\0\xff'\"\\n\r\n"),)).save(tmp_path, "x")
    Vector("a", ((S, b""),)).save(str(tmp_path), "")
    assert [vector.name for vector in load_vectors(tmp_path)] == ["a", "b"]


# ------------------------------------------------------------------------------------------------------------- check_cuts


class Line(Message):
    """An octet of size, and text."""

    careless = 0

    @property
    def operation(self) -> str | None:
        return self.raw[1:].decode("latin-1")

    @property
    def stream_id(self) -> int | None:
        return self.careless


class Lines(FramedDecoder):
    header_size = 1

    def frame_size(self, data: bytes, at: int) -> int:
        return 1 + data[at]

    def message(self, octets: bytes, start: int, stop: int, offset: int, more: bool) -> Line:
        kind = Kind.REQUEST if self.sender is C else Kind.RESPONSE
        return Line(self.flow, self.sender, kind, offset, octets, start, stop, more)


LINES = Protocol("lines", "Lines", (), Pairing.FIFO, Lines)
SAID = Vector("said", ((C, b"\x01a\x03b"), (C, b"cd\x02ef"), (S, b"\x01A\x03"), (C, b"\x02gh"), (S, b"BCD\x02EF")))
LONG = Vector("long", ((C, b"\xff" + b"x" * 255 + b"\x01y"), (S, b"\x01A\x01B")))


def test_what_is_the_same_in_every_cut() -> None:
    outcome = check_cuts(LINES.open, SAID, eof=True)
    assert [event.operation for event in outcome.events if isinstance(event, Line)] == [
        "a", "bcd", "ef", "A", "gh", "BCD", "EF",
    ]  # fmt: skip
    assert outcome.pending == 1 and not outcome.errors


def test_a_large_message_may_be_cut_anywhere() -> None:
    """How it is cut into Data follows the reads, and is no difference."""
    outcome = check_cuts(lambda: LINES.open(limits=Limits(message=64, head=64)), LONG)
    assert outcome.raw(C) == LONG.octets(C)
    assert [description[0] for description in outcome.descriptions[C]] == ["message", "data", "message"]


def test_the_end_of_one_side_or_both() -> None:
    cut = Vector("cut", (*SAID.pieces, (C, b"\x05abc")))
    assert not replay(LINES.open(), cut).errors
    assert not replay(LINES.open(), cut, eof=[S]).errors
    for eof in (True, [S, C], (C,)):
        errors = check_cuts(LINES.open, cut, eof=eof).errors
        assert list(errors) == [C] and isinstance(errors[C], IncompleteMessage)


class Careless(Lines):
    """Takes the window for the message."""

    def message(self, octets: bytes, start: int, stop: int, offset: int, more: bool) -> Line:
        found = super().message(octets, start, stop, offset, more)
        found.careless = len(octets)
        return found


class CountsCalls(Session):
    """Counts reads where it should count requests."""

    calls = 0

    def receive(self, sender: Sender, data: bytes | bytearray | memoryview) -> Iterator[Event]:
        self.calls += 1
        return super().receive(sender, data)

    @property
    def pending(self) -> int:
        return self.calls


class Lags(Session):
    """Tells what the server said two reads too late."""

    lagging: tuple[list[Event], ...] = ([], [])

    def receive(self, sender: Sender, data: bytes | bytearray | memoryview) -> Iterator[Event]:
        events = list(super().receive(sender, data))
        due, *rest = self.lagging
        self.lagging = (*rest, events if sender is S else [])
        return iter(due + (events if sender is C else []))

    def eof(self, sender: Sender) -> Iterator[Event]:
        lagging, self.lagging = self.lagging, ()
        return iter([event for events in lagging for event in events])


def of_kind(kind: type[Session]) -> Session:
    made = LINES.open()
    return kind(made.flow, made.decoder(C), made.decoder(S))


def test_differences_are_found() -> None:
    with pytest.raises(
        AssertionError, match=r"^said, joined: event 0 of the client, message and message: stream_id is 9 and 4$"
    ):
        check_cuts(Protocol("careless", "Careless", (), Pairing.FIFO, Careless).open, SAID)
    with pytest.raises(AssertionError, match=r"^said, joined: 4 and 5 requests wait$"):
        check_cuts(lambda: of_kind(CountsCalls), SAID)
    with pytest.raises(AssertionError, match="the messages of the two directions come in another order"):
        check_cuts(lambda: of_kind(Lags), SAID, eof=True)
    assert check_cuts(lambda: of_kind(Session), SAID, eof=True).pending == 1
