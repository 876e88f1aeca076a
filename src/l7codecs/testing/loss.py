"""Conversations of which octets are lost, as a capture has them: whatever the reads were, a session says the same of the rest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from l7codecs.kinds import Sender
from l7codecs.message import Gap
from l7codecs.session import Session
from l7codecs.testing.replay import Outcome
from l7codecs.testing.vectors import Vector

__all__ = ["Loss", "difference_after_loss", "replay_lossy"]


@dataclass(frozen=True)
class Loss:
    """The octets ``start`` to ``stop`` of one direction, which are lost; ``known`` says whether it is told how many they are."""

    start: int
    stop: int
    known: bool = True


def replay_lossy(
    session: Session, vector: Vector, losses: Mapping[Sender, Sequence[Loss]], reads: Iterable[int]
) -> Outcome:
    """Feed `vector` to `session` without what is lost of either direction, in order, and both ends behind it.

    `reads` are the sizes of the reads, in octets: a piece of the vector and a loss end one as well. The last goes on for ever.
    """
    outcome = Outcome()
    sizes = iter(reads)
    size = next(sizes)
    place = dict.fromkeys(Sender, 0)
    left = {sender: list(losses.get(sender, ())) for sender in Sender}
    for sender, octets in vector.pieces:
        begin = place[sender]
        place[sender] = end = begin + len(octets)
        at = begin
        while at < end and sender not in outcome.errors:
            loss = left[sender][0] if left[sender] else None
            if loss is not None and at == loss.start:
                outcome.take(sender, session.gap(sender, loss.stop - loss.start if loss.known else 0))
            if loss is not None and at >= loss.start:
                at = min(end, loss.stop)
                if at == loss.stop:
                    del left[sender][0]
                continue
            stop = min(end, at + size, end if loss is None else loss.start)
            outcome.take(sender, session.receive(sender, octets[at - begin : stop - begin]))
            at = stop
            size = next(sizes, size)
    for sender in Sender:
        if sender not in outcome.errors:
            outcome.take(sender, session.eof(sender))
    return outcome


def difference_after_loss(one: Outcome, other: Outcome) -> str:
    """Where two outcomes of the same octets with the same losses part, and where decoding went on; empty where they agree."""
    difference = one.difference(other)
    if difference:
        return difference
    for sender in Sender:
        ours, theirs = (
            [gap.resumed_at for gap in each.events if isinstance(gap, Gap) and gap.sender is sender]
            for each in (one, other)
        )
        if ours != theirs:
            return f"the {sender.value}'s gaps end at {ours} and at {theirs}"
    return ""
