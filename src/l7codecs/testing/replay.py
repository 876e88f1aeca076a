"""Feeding a conversation to a session and writing down what comes out, in a form that does not depend on the cuts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from l7codecs.errors import ProtocolError
from l7codecs.message import Data, Event, Gap, Message, Opaque, Sender
from l7codecs.session import Session
from l7codecs.testing.vectors import Vector

__all__ = ["Outcome", "describe", "replay"]

Description = tuple[object, ...]


def describe(event: Event) -> Description:
    """Everything that an event says, read whole; so that reading it is part of every test."""
    if isinstance(event, Message):
        return (
            "message", event.protocol, event.sender, event.kind, event.offset, event.size, event.more, event.request_id, event.stream_id,
            event.request.offset if event.request is not None else None, event.service, event.operation, event.resources,
            event.status, event.error, event.headers, tuple(sorted(event.attributes.items())), event.raw, event.payload, repr(event),
        )  # fmt: skip
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


@dataclass
class Outcome:
    """What a conversation came to: the events of each direction, and the error that ended it."""

    events: list[Event] = field(default_factory=list)
    descriptions: dict[Sender, list[Description]] = field(default_factory=lambda: {sender: [] for sender in Sender})
    errors: dict[Sender, ProtocolError] = field(default_factory=dict)

    def take(self, sender: Sender, events: Iterator[Event]) -> None:
        """Iterate, and write down."""
        try:
            for event in events:
                self.events.append(event)
                self._append(event)
        except ProtocolError as error:
            self.errors[sender] = error

    def _append(self, event: Event) -> None:
        described = describe(event)
        before = self.descriptions[event.sender]
        if (
            before
            and isinstance(event, Data)
            and before[-1][0] == "data"
            and before[-1][3] == described[3]
            and before[-1][7]
        ):
            # Where one Data ends and the next begins follows the reads.
            kind, sender, stream, head, offset, raw, payload, _ = before[-1]
            assert isinstance(raw, bytes) and isinstance(payload, bytes)
            before[-1] = (kind, sender, stream, head, offset, raw + event.raw, payload + event.payload, event.more)
        elif before and isinstance(event, Opaque) and before[-1][0] == "opaque":
            kind, sender, offset, raw = before[-1]
            assert isinstance(raw, bytes)
            before[-1] = (kind, sender, offset, raw + event.raw)
        else:
            before.append(described)

    def raw(self, sender: Sender) -> bytes:
        """The octets of all events of `sender`."""
        return b"".join(event.raw for event in self.events if event.sender is sender)

    def difference(self, other: Outcome) -> str:
        """Where two outcomes of the same octets, cut in two ways, part; empty where they agree, as they should."""
        for sender in Sender:
            ours, theirs = self.descriptions[sender], other.descriptions[sender]
            for index, (mine, its) in enumerate(zip(ours, theirs, strict=False)):
                if mine != its:
                    parts = [f"{a!r} and {b!r}" for a, b in zip(mine, its, strict=False) if a != b]
                    return f"event {index} of the {sender.value}, {mine[0]} and {its[0]}: {'; '.join(parts)}"
            if len(ours) != len(theirs):
                return f"{len(ours)} and {len(theirs)} events of the {sender.value}"
            if _error(self.errors.get(sender)) != _error(other.errors.get(sender)):
                return f"of the {sender.value}: {self.errors.get(sender)!r} and {other.errors.get(sender)!r}"
        return ""


def _error(error: ProtocolError | None) -> object:
    return None if error is None else (type(error), error.offset, error.seen, error.expected, error.spec)


def replay(session: Session, vector: Vector, *, eof: bool = False) -> Outcome:
    """Feed all pieces of `vector` to `session`; a direction with an error gets no more."""
    outcome = Outcome()
    for sender, octets in vector.pieces:
        if sender not in outcome.errors:
            outcome.take(sender, session.receive(sender, octets))
    if eof:
        for sender in Sender:
            if sender not in outcome.errors:
                outcome.take(sender, session.eof(sender))
    return outcome
