"""Any split, same events; and every octet in one of them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from l7codecs.errors import IncompleteMessage
from l7codecs.kinds import Sender
from l7codecs.message import Event, Message, Opaque
from l7codecs.testing.conformance.base import EXAMPLES, ConformanceBase, show_error
from l7codecs.testing.conformance.events import check_ends, check_octets
from l7codecs.testing.replay import FIELDS, Description, Outcome, describe, difference_of, place, replay
from l7codecs.testing.vectors import Vector

__all__ = ["Splits"]

_LEARNT = {"status", "error", "attributes", "repr"}
"""What a head of a message that streams may come to say only at its end."""


class Splits(ConformanceBase):
    """The vectors whole, cut and cut off."""

    def test_a_vector_decodes_whole(self, vector: Vector) -> None:
        outcome = self.outcome(vector, eof=True)
        assert not outcome.errors, f"{vector.name} has an error: {show_error(outcome)}"
        check_octets(outcome, vector)
        check_octets(self.outcome(vector.joined(), eof=True), vector)
        check_ends(outcome.events, vector.name)

    def test_octet_by_octet(self, vector: Vector) -> None:
        octet_by_octet = self.outcome(vector.octet_by_octet())
        self.same(octet_by_octet, self.outcome(vector), f"{vector.name}, octet by octet and whole")
        self.same(
            octet_by_octet,
            self.outcome(vector.joined()),
            f"{vector.name}, octet by octet and in as few reads as can be",
        )

    def test_every_split_point(self, vector: Vector) -> None:
        whole = self.outcome(vector)
        for at in range(1, vector.size):
            self.same(self.outcome(vector.split(at)), whole, f"{vector.name}, split at {at} and whole")

    @given(st.data())
    @EXAMPLES
    def test_any_split(self, data: st.DataObject) -> None:
        vector = data.draw(st.sampled_from(self.vectors))
        cuts = data.draw(st.lists(st.integers(0, max(vector.size, 1)), max_size=12))
        self.same(self.outcome(vector.split(*cuts)), self.outcome(vector), f"{vector.name}, split at {cuts} and whole")

    def test_events_come_as_soon_as_they_are_complete(self, vector: Vector) -> None:
        """What the first n octets complete is yielded when they are there, not later."""
        session = self.open()
        fed = self.outcome(vector)
        streams = {e.sender for e in fed.events if not isinstance(e, Message)}
        due = {sender: [e for e in fed.events if e.sender is sender] for sender in Sender}
        received = dict.fromkeys(Sender, 0)
        for sender, octet in vector.octet_by_octet().pieces:
            received[sender] += 1
            come = list(session.receive(sender, octet))
            if sender in streams:
                continue
            while due[sender] and due[sender][0].offset + len(due[sender][0].raw) <= received[sender]:
                event = due[sender].pop(0)
                assert come, (
                    f"{vector.name}: {place(event)} is complete with {received[sender]} octets, and does not come with the last of them"
                )
                come.pop(0)
            assert not come, f"{vector.name}: {place(come[0])} comes with octet {received[sender]}, before its last"

    # Truncated, concatenated.

    def test_truncated_everywhere(self, vector: Vector) -> None:
        whole = self.outcome(vector)
        for at in range(vector.size):
            part = self.outcome(vector.cut(at))
            where = f"{vector.name}, cut at {at}"
            assert not part.errors, f"{where}: the beginning of what is right is not wrong: {show_error(part)}"
            for sender in Sender:
                found = part.descriptions[sender]
                expected = whole.descriptions[sender][: len(found)]
                if found and found[-1][0] == "data":
                    found, expected = found[:-1], expected[:-1]
                elif found and found[-1][0] == "opaque" and expected and expected[-1][0] == "opaque":
                    expected = [*expected[:-1], _cut(expected[-1], found[-1])]
                assert len(found) == len(expected), f"{where}: more events of the {sender.value} than without the cut"
                for one, other in zip(found, expected, strict=True):
                    assert one == other, f"{where} and whole, of the {sender.value}: {difference_of(one, other)}"

    def test_the_end_inside_a_message_is_told(self, vector: Vector) -> None:
        boundaries: dict[Sender, set[int]] = {sender: {0} for sender in Sender}
        for event in self.outcome(vector).events:
            end = event.offset + len(event.raw)
            if isinstance(event, Opaque):  # which has no end
                boundaries[event.sender].update(range(event.offset, end))
            boundaries[event.sender].add(end)
        for at in range(vector.size):
            part = vector.cut(at)
            outcome = self.outcome(part, eof=True)
            for sender in Sender:
                error = outcome.errors.get(sender)
                octets = part.octets(sender)
                if len(octets) in boundaries[sender]:
                    continue
                where = f"{vector.name}, the end after {len(octets)} octets of the {sender.value}"
                assert isinstance(error, IncompleteMessage), (
                    f"{where}: it stands inside a message, and what is raised is {error!r}, not IncompleteMessage: see unfinished"
                )
                assert error.offset <= len(octets), f"{where}: the error is said to be at octet {error.offset}"
                raw = outcome.raw(sender)
                assert raw == octets[: len(raw)], f"{where}: what came before it are other octets"

    def test_concatenated(self, vector: Vector) -> None:
        """The same conversation again on the same connection says the same again."""
        if vector.name in self.once:
            return
        outcome = self.outcome(vector + vector + vector)
        assert not outcome.errors, f"{vector.name}, three times: {show_error(outcome)}"
        for sender in Sender:
            once = _said([event for event in self.outcome(vector).events if event.sender is sender])
            found = _said([event for event in outcome.events if event.sender is sender])
            assert len(found) == 3 * len(once), f"{vector.name}, three times: {len(found)} events of the {sender.value}"
            for index, one in enumerate(found):
                other = once[index % len(once)]
                if vector.name in self.stateful:
                    one, other = one[:1], other[:1]
                assert one == other, (
                    f"{vector.name}, three times: event {index} of the {sender.value} says {one}, and at first {other}: "
                    "state is left of what came before (`once` and `stateful` are for what has to be)"
                )

    # When, and in what order, something is read.

    def test_what_is_said_does_not_depend_on_when_it_is_read(self, vector: Vector) -> None:
        """A message reads from its own octets: after all others, and backwards, it says what it said at once."""
        at_once = Outcome()
        later = Outcome()
        first: list[Description] = []
        one, other = self.open(), self.open()
        for sender, octets in vector.pieces:
            for event in one.receive(sender, octets):
                at_once.events.append(event)
                first.append(describe(event))
            later.events += other.receive(sender, octets)
        for event, said in reversed(list(zip(later.events, first, strict=True))):
            if isinstance(event, Message):
                for name in reversed(FIELDS):
                    repr(event) if name == "repr" else getattr(event, name)
            again = describe(event)
            if isinstance(event, Message) and event.more:
                again, said = _without(again, _LEARNT), _without(said, _LEARNT)
            assert again == said, (
                f"{vector.name}: {place(event)} says one thing when it is read later, and another at once: {difference_of(again, said)}"
            )

    def test_sessions_share_nothing(self, vector: Vector) -> None:
        """Two connections at once come to what each comes to alone."""
        index = [each.name for each in self.vectors].index(vector.name)
        other = self.vectors[(index + 1) % len(self.vectors)]
        turns = (vector.split(*range(0, vector.size, 7)), other.split(*range(0, other.size, 7)))
        outcomes = (Outcome(), Outcome())
        sessions = (self.open(), self.open())
        for at in range(max(len(turn.pieces) for turn in turns)):
            for turn, outcome, session in zip(turns, outcomes, sessions, strict=True):
                if at < len(turn.pieces) and turn.pieces[at][0] not in outcome.errors:
                    sender, octets = turn.pieces[at]
                    outcome.take(sender, session.receive(sender, octets))
        for turn, outcome in zip(turns, outcomes, strict=True):
            difference = outcome.difference(replay(self.open(), turn))
            assert not difference, f"{turn.name}, beside another connection and alone: {difference}"


def _said(events: list[Event]) -> list[tuple[object, ...]]:
    """What events say of themselves, without where and when."""
    return [
        (event.raw, event.kind.value, event.operation, event.status and event.status.name, event.error)
        if isinstance(event, Message)
        else (event.raw,)
        for event in events
    ]


def _without(description: Description, names: set[str]) -> Description:
    """A description of a message, without some of its fields."""
    return tuple(None if name in names else each for name, each in zip(("", *FIELDS), description, strict=True))


def _cut(whole: Description, part: Description) -> Description:
    """Opaque octets, as many as there are of `part`."""
    *row, raw = whole
    assert isinstance(raw, bytearray) and isinstance(part[-1], bytearray)
    return (*row, raw[: len(part[-1])])
