"""Lost octets: nothing else is lost, and what is found behind them stands there."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from l7codecs.decoder import Decoder
from l7codecs.kinds import Sender
from l7codecs.message import Gap, Message
from l7codecs.testing.conformance.base import EXAMPLES, ConformanceBase, mutated
from l7codecs.testing.loss import Loss, difference_after_loss, replay_lossy
from l7codecs.testing.replay import Outcome, place
from l7codecs.testing.vectors import Vector

__all__ = ["Gaps"]


class Gaps(ConformanceBase):
    """Conversations of which octets are lost."""

    def test_a_gap_loses_no_other_octet(self, vector: Vector) -> None:
        for at in range(0, vector.size, max(1, vector.size // 40)):
            for size in (0, 1, 7):
                self._check_gap(vector, at, size)

    def _check_gap(self, vector: Vector, at: int, size: int) -> None:
        session = self.open()
        outcome = Outcome()
        fed = dict.fromkeys(Sender, b"")
        start = 0
        for sender, octets in vector.split(at, at + size).pieces:
            if sender in outcome.errors:
                continue
            if start == at:
                outcome.take(sender, session.gap(sender, size))
            if not at <= start < at + size:
                outcome.take(sender, session.receive(sender, octets))
                fed[sender] += octets
            start += len(octets)
        for sender in Sender:
            if sender not in outcome.errors:
                outcome.take(sender, session.eof(sender))
            raw = outcome.raw(sender)
            where = f"{vector.name}, a gap of {size} octets at {at}, of the {sender.value}"
            assert fed[sender][: len(raw)] == raw, f"{where}: the events have other octets than were received"
            assert sender in outcome.errors or raw == fed[sender], (
                f"{where}: the events have {len(raw)} of the {len(fed[sender])} octets that were received"
            )

    def test_decoding_goes_on_at_a_message(self, vector: Vector) -> None:
        """Where octets are lost up to the start of a message, what is found is that one or a later one, and it is decoded as it was."""
        if vector.name in self.misleading:
            return
        whole = self.outcome(vector)
        for sender in Sender:
            octets = vector.octets(sender)
            true = {event.offset: len(event.raw) for event in whole.events if event.sender is sender}
            starts = [event.offset for event in whole.events if event.sender is sender and isinstance(event, Message)]
            for index, start in enumerate(starts):
                # What is lost begins at the message, and inside of the one before, of which something is left.
                before = starts[index - 1] if index else start
                for lost in sorted({start, before + 1, (before + start) // 2, start - 1}):
                    for known in (True, False):
                        if before < lost <= start:
                            self._check_found(vector, sender, octets, lost, start, known, true)

    def _check_found(
        self, vector: Vector, sender: Sender, octets: bytes, lost: int, start: int, known: bool, true: dict[int, int]
    ) -> None:
        session = self.open()
        outcome = Outcome()
        outcome.take(sender, session.receive(sender, octets[:lost]))
        outcome.take(sender, session.gap(sender, start - lost if known else 0))
        before = len(outcome.events)
        outcome.take(sender, session.receive(sender, octets[start:]))
        missing = 0 if known else start - lost  # what the session cannot count
        size = f"{start - lost}" if known else "unknown"
        where = f"{vector.name}, of the {sender.value}, octets lost from {lost} to {start} (their number {size})"
        assert sender not in outcome.errors, f"{where}: {outcome.errors.get(sender)!r}, of octets that are right"
        for event in outcome.events:
            if isinstance(event, Gap) and event.resumed_at is not None:
                found = event.resumed_at + missing
                assert found in true or found == len(octets), (
                    f"{where}: boundary finds a message at octet {found}, where none begins; the next after it is at "
                    f"{min((each for each in true if each > found), default=None)} (`misleading` is for vectors in which "
                    "something looks like a message and is none)"
                )
        for event in outcome.events[before:]:
            if isinstance(event, Message) and not event.more:
                at = event.offset + missing
                assert true.get(at) == len(event.raw), (
                    f"{where}: {place(event)} has {len(event.raw)} octets, and {true.get(at)} where nothing was lost: "
                    "does restart forget all of the message in progress?"
                )

    def test_a_boundary_is_found(self) -> None:
        """A decoder that looks for messages behind a gap finds some."""
        for sender in Sender:
            if type(self.open().decoder(sender)).boundary is Decoder.boundary:
                continue  # it does not look: all stays opaque, as its author has decided
            tried = found = 0
            for vector in self.vectors:
                octets = vector.octets(sender)
                if octets:
                    session = self.open()
                    outcome = Outcome()
                    outcome.take(sender, session.gap(sender))
                    outcome.take(sender, session.receive(sender, octets))
                    tried += 1
                    found += any(isinstance(event, Gap) and event.resumed_at is not None for event in outcome.events)
            assert found or not tried, f"boundary finds no message in any of {tried} vectors of the {sender.value}"

    def test_a_boundary_is_inside_of_its_octets(self, vector: Vector) -> None:
        """It answers with an index of what it is shown, or says from where on it waits; more octets do not change what it found."""
        for sender in Sender:
            octets = vector.octets(sender)
            for start in range(0, len(octets), max(1, len(octets) // 12)):
                shown = octets[start:]
                for size in sorted({0, 1, 2, 5, 12, 40, len(shown) // 2, len(shown)}):
                    if size <= len(shown):
                        self._check_boundary(vector, sender, start, shown[:size])

    def _check_boundary(self, vector: Vector, sender: Sender, start: int, octets: bytes) -> None:
        decoder = self.open().decoder(sender)
        list(self.open().gap(sender))
        at = decoder.boundary(octets)
        where = f"{vector.name}: boundary of octets {start} to {start + len(octets)} of the {sender.value} answers {at}"
        assert -1 - len(octets) <= at, f"{where}: it waits from index {-1 - at} on, beyond the {len(octets)} octets"
        assert at < len(octets), f"{where}: there are but {len(octets)} octets, and a message begins with one"

    def test_behind_a_gap_any_split(self, vector: Vector) -> None:
        """How the octets behind a gap are cut changes nothing: not what is found there, nor an error."""
        for sender in Sender:
            size = len(vector.octets(sender))
            for at in range(0, size, max(1, size // 10)):
                for loss in (Loss(at, min(at + 1, size)), Loss(at, min(at + 7, size), False)):
                    self._check_lossy(vector, {sender: [loss]}, [[1], [20]])

    @given(st.data())
    @EXAMPLES
    def test_behind_gaps_any_split(self, data: st.DataObject) -> None:
        vector = data.draw(st.sampled_from(self.vectors))
        if data.draw(st.booleans()):
            vector = mutated(vector, data)
        losses = {sender: _losses(len(vector.octets(sender)), data) for sender in Sender}
        self._check_lossy(vector, losses, [[1], data.draw(_READS)])

    @given(st.data())
    @EXAMPLES
    def test_behind_a_gap_what_is_no_message_in_any_split(self, data: st.DataObject) -> None:
        """Pieces of conversations, of either side, which no longer fit together, with other octets between them: false starts."""
        numbers = data.draw(st.randoms(use_true_random=False))
        pieces: list[tuple[Sender, bytes]] = []
        for sender in data.draw(st.sampled_from(((Sender.CLIENT,), (Sender.SERVER,), tuple(Sender)))) * 6:
            said_by = numbers.choice((sender, sender, sender.other))
            octets = numbers.choice(self.vectors).octets(said_by)
            at = numbers.randrange(len(octets) + 1)
            noise = bytes(numbers.randrange(numbers.choice((4, 256))) for _ in range(numbers.randrange(12)))
            pieces.append((sender, octets[at : at + numbers.randrange(200)] + noise))
        joined = Vector("pieces", tuple((sender, octets) for sender, octets in pieces if octets))
        self._check_lossy(joined, {sender: [Loss(0, 1, False)] for sender in Sender}, [[1], data.draw(_READS)])

    def _check_lossy(self, vector: Vector, losses: dict[Sender, list[Loss]], cuts: Sequence[Sequence[int]]) -> None:
        whole = replay_lossy(self.open(), vector, losses, _WHOLE)
        for reads in cuts:
            cut = replay_lossy(self.open(), vector, losses, reads)
            difference = difference_after_loss(cut, whole)
            assert not difference, f"{vector.name}, {losses}, in reads of {reads} and whole: {difference}"
        for sender in Sender:
            at = 0
            for event in whole.events:
                if event.sender is sender:
                    assert event.offset == at, (
                        f"{vector.name}, {losses}, of the {sender.value}: {place(event)}, where octet {at} is the next"
                    )
                    at += event.size if isinstance(event, Gap) else len(event.raw)


_WHOLE = (1 << 30,)
_READS = st.lists(st.sampled_from((1, 2, 3, 7, 20, 100, 400, 5000)), min_size=1, max_size=30)


def _losses(size: int, data: st.DataObject) -> list[Loss]:
    """Up to two stretches of `size` octets."""
    places = sorted(data.draw(st.lists(st.integers(0, size), max_size=4, unique=True)))
    return [Loss(start, stop, data.draw(st.booleans())) for start, stop in zip(places[::2], places[1::2], strict=False)]
