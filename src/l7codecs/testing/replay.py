"""Feeding a conversation to a session and writing down what comes out, in a form that does not depend on the cuts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from l7codecs.errors import ProtocolError
from l7codecs.kinds import Sender
from l7codecs.message import Data, Event, Gap, Message, Opaque
from l7codecs.session import Session
from l7codecs.testing.vectors import Vector

__all__ = ["Outcome", "check_cuts", "describe", "replay"]

Description = tuple[object, ...]

AT_FAULT = "the plugin is at fault"
"""What the framework gives as the rule that is broken, where it finds that a decoder is wrong and not the octets."""


FIELDS = (
    "protocol", "sender", "kind", "offset", "size", "more", "request_id", "stream_id", "request", "service", "operation", "resources",
    "status", "error", "headers", "attributes", "raw", "payload", "repr",
)  # fmt: skip
"""What a `Message` is described by, in this order, behind the word that says that it is one."""


def describe(event: Event) -> Description:
    """Everything that an event says, read whole; so that reading it is part of every test.

    Raises:
        AssertionError: reading a field of a message raises; says which, and what.
    """
    if isinstance(event, Message):
        try:
            return (
                "message", event.protocol, event.sender, event.kind, event.offset, event.size, event.more, event.request_id,
                event.stream_id, event.request.offset if event.request is not None else None, event.service, event.operation,
                event.resources, event.status, event.error, event.headers, tuple(sorted(event.attributes.items())), event.raw,
                event.payload, repr(event),
            )  # fmt: skip
        except Exception as error:
            raise AssertionError(_unreadable(event, error)) from error
    if isinstance(event, Data):
        return (
            "data",
            event.sender,
            event.stream_id,
            event.message.offset,
            event.offset,
            event.raw,
            event.payload,
            event.more,
        )
    if isinstance(event, Gap):
        return ("gap", event.sender, event.offset, event.size)
    return ("opaque", event.sender, event.offset, event.raw)


def place(event: Event) -> str:
    """Where an event stands, in words: ``the client's request at octet 12``."""
    what = event.kind.value if isinstance(event, Message) else type(event).__name__
    return f"the {event.sender.value}'s {what} at octet {event.offset}"


def _unreadable(message: Message, error: Exception) -> str:
    """Which field of `message` cannot be read."""
    for name in FIELDS:
        try:
            repr(message) if name == "repr" else getattr(message, name)
        except Exception as again:
            return f"reading {name} of {place(message)} raises {again!r}"
    return f"reading {place(message)} raises {error!r}"


def difference_of(one: Description, other: Description) -> str:
    """Which fields of two descriptions are not the same, with both values."""
    if one[0] != other[0] or one[0] != "message":
        return "; ".join(f"{_short(a)} and {_short(b)}" for a, b in zip(one, other, strict=False) if a != b)
    pairs = zip(FIELDS, one[1:], other[1:], strict=True)
    found = [f"{name} is {_short(a)} and {_short(b)}" for name, a, b in pairs if a != b and name != "repr"]
    return "; ".join(found) or f"repr is {one[-1]} and {other[-1]}"


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 200 else f"{text[:160]}… ({len(text)} characters)"


@dataclass
class Outcome:
    """What a conversation came to: the events of each direction, and the error that ended it.

    pending: requests that waited for an answer when all octets were there, before the end; set by `replay`.
    """

    events: list[Event] = field(default_factory=list)
    descriptions: dict[Sender, list[Description]] = field(
        default_factory=lambda: {Sender.CLIENT: [], Sender.SERVER: []}
    )
    errors: dict[Sender, ProtocolError] = field(default_factory=dict)
    pending: int = 0

    def take(self, sender: Sender, events: Iterator[Event]) -> None:
        """Iterate, and write down.

        Raises:
            AssertionError: anything but a `ProtocolError` is raised, or one that says that the plugin is at fault.
        """
        try:
            while self._take(sender, events):
                pass
        except AssertionError:
            raise
        except Exception as error:
            last = f"after {place(self.events[-1])}" if self.events else "before any event"
            raise AssertionError(
                f"decoding the {sender.value}'s octets raises {error!r}, {last}: nothing but ProtocolError may be raised"
            ) from error

    def _take(self, sender: Sender, events: Iterator[Event]) -> bool:
        """As `take`; whether there may be more, behind an error of the other direction, which waited until its protocol was known."""
        try:
            for event in events:
                self.events.append(event)
                self._append(event)
        except ProtocolError as error:
            return self.refused(sender, error)
        return False

    def refused(self, sender: Sender, error: ProtocolError) -> bool:
        """Write down the error that iterating what `sender` sent has raised; whether there may be more, as it is the other's."""
        if error.spec == AT_FAULT:
            raise AssertionError(f"the plugin is at fault, of the {sender.value}: {error}") from error
        whose = sender if error.sender is None else error.sender
        goes_on = whose is not sender and whose not in self.errors
        self.errors[whose] = error.with_traceback(None)  # which would keep all of this until it is collected
        return goes_on

    def _append(self, event: Event) -> None:
        before = self.descriptions[event.sender]
        described = describe(event)
        last = before[-1] if before else ("nothing",)
        # Where one Data or Opaque ends and the next begins follows the reads. In place: copying would be quadratic.
        if isinstance(event, Data):
            joins = last[0] == "data" and last[3] == described[3] and bool(last[7])
            *row, raw, payload, _ = before.pop() if joins else (*described[:5], bytearray(), bytearray(), None)
            assert isinstance(raw, bytearray) and isinstance(payload, bytearray)
            raw += event.raw
            payload += event.payload
            described = (*row, raw, payload, event.more)
        elif isinstance(event, Opaque):
            *row, raw = before.pop() if last[0] == "opaque" else (*described[:3], bytearray())
            assert isinstance(raw, bytearray)
            raw += event.raw
            described = (*row, raw)
        before.append(described)

    def raw(self, sender: Sender) -> bytes:
        """The octets of all events of `sender`."""
        return b"".join(event.raw for event in self.events if event.sender is sender)

    def difference(self, other: Outcome) -> str:
        """Where two outcomes of the same octets, cut in two ways, part; empty where they agree, as they should."""
        refusals, others = self.refusals(), other.refusals()
        for sender in Sender:
            ours, theirs = self.descriptions[sender], other.descriptions[sender]
            for index, (mine, its) in enumerate(zip(ours, theirs, strict=False)):
                if mine != its:
                    return f"event {index} of the {sender.value}, {mine[0]} and {its[0]}: {difference_of(mine, its)}"
            if len(ours) != len(theirs):
                more = (ours if len(ours) > len(theirs) else theirs)[min(len(ours), len(theirs))]
                return f"{len(ours)} and {len(theirs)} events of the {sender.value}, the first more: {_short(more)}"
            if refusals.get(sender) != others.get(sender):
                return f"error of the {sender.value}: {self.errors.get(sender)!r} and {other.errors.get(sender)!r}"
        return ""

    def refusals(self) -> dict[Sender, object]:
        """By direction, all that its error says."""
        return {
            sender: (type(error), error.offset, error.seen, error.expected, error.spec)
            for sender, error in self.errors.items()
        }


def replay(session: Session, vector: Vector, *, eof: bool | Sequence[Sender] = False) -> Outcome:
    """Feed all pieces of `vector` to `session`; a direction with an error gets no more.

    `eof` says whose end follows, in what order; True stands for both.
    """
    outcome = Outcome()
    for sender, octets in vector.pieces:
        if sender not in outcome.errors:
            outcome.take(sender, session.receive(sender, octets))
    outcome.pending = session.pending
    if isinstance(eof, bool):
        eof = tuple(Sender) if eof else ()
    for sender in eof:
        if sender not in outcome.errors:
            outcome.take(sender, session.eof(sender))
    return outcome


def check_cuts(
    open_session: Callable[[], Session], vector: Vector, *, eof: bool | Sequence[Sender] = False, seed: int = 7
) -> Outcome:
    """Replay `vector` as it is and as `Vector.recut` cuts it, each time with a new session, and return the outcome.

    Meant for recordings of real peers, which are long; `ProtocolConformance` tries more cuts.

    Raises:
        AssertionError: two outcomes are not the same; says at which event they part.
    """
    outcome = replay(open_session(), vector, eof=eof)
    for other in vector.recut(seed):
        seen = replay(open_session(), other, eof=eof)
        difference = difference_by_cuts(seen, outcome)
        if difference:
            raise AssertionError(f"{other.name}: {difference}")
    return outcome


def difference_by_cuts(one: Outcome, other: Outcome) -> str:
    """As `Outcome.difference`, and whether messages of the two directions come in another order, or other requests wait."""
    difference = one.difference(other)
    if not difference and _order(one) != _order(other):
        difference = "the messages of the two directions come in another order"
    if not difference and one.pending != other.pending:
        difference = f"{one.pending} and {other.pending} requests wait"
    return difference


def _order(outcome: Outcome) -> list[tuple[Sender, int]]:
    return [(event.sender, event.offset) for event in outcome.events if isinstance(event, Message)]
