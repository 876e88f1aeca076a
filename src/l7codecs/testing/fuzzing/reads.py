"""What comes of the two sides of a connection, in its order: octets, losses and ends, cut in any way."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from l7codecs.kinds import Sender
from l7codecs.session import Session
from l7codecs.testing.fuzzing.properties import check_bounds
from l7codecs.testing.replay import Outcome

__all__ = ["SENDERS", "Read", "cut", "halved", "is_lossy", "joined", "replay_reads", "with_ends"]

SENDERS = (Sender.CLIENT, Sender.SERVER)
_SIZES = (1, 2, 3, 5, 9, 20, 100, 1000)


class Read(NamedTuple):
    """What comes of a side: octets, ``lost`` octets (0: an unknown number; -1: none are), or its end."""

    sender: Sender
    octets: bytes = b""
    lost: int = -1
    end: bool = False


def replay_reads(session: Session, reads: Iterable[Read], outcome: Outcome, watch: bool) -> None:
    """Feed `session`, and write `outcome`; a direction with an error gets no more. With `watch` what it holds is held to its limits."""
    ended: list[Sender] = []  # the hash of a member of an Enum costs more than to look at two
    errors = outcome.errors
    for sender, octets, lost, end in reads:
        if sender in ended or (errors and sender in errors):
            continue
        if end:
            if not ended:
                outcome.pending = session.pending
            ended.append(sender)
            outcome.take(sender, session.eof(sender))
        elif lost >= 0:
            outcome.take(sender, session.gap(sender, lost))
        else:
            outcome.take(sender, session.receive(sender, octets))
            if watch:
                check_bounds(session, sender, len(octets))


def is_lossy(reads: Iterable[Read]) -> bool:
    """Whether any octets are lost."""
    return any(read.lost >= 0 for read in reads)


def with_ends(reads: list[Read]) -> list[Read]:
    """The same, and the end of every side that has none."""
    ended = {read.sender for read in reads if read.end}
    return reads + [Read(sender, end=True) for sender in SENDERS if sender not in ended]


def joined(reads: Sequence[Read]) -> list[Read]:
    """In as few reads as the order of the sides allows."""
    found: list[Read] = []
    parts: list[bytes] = []
    for read in reads:
        plain = read.lost < 0 and not read.end
        if parts and not (plain and found[-1].sender is read.sender):
            found[-1] = Read(found[-1].sender, b"".join(parts))
            parts = []
        if plain:
            if not parts:
                found.append(read)
            parts.append(read.octets)
        else:
            found.append(read)
    if parts:
        found[-1] = Read(found[-1].sender, b"".join(parts))
    return found


def halved(reads: Iterable[Read], seed: int) -> Iterator[Read]:
    """Each read in two, where `seed` says."""
    for read in reads:
        octets = read.octets
        size = len(octets)
        if size < 2:
            yield read
        else:
            at = 1 + seed % (size - 1)
            yield Read(read.sender, octets[:at])
            yield Read(read.sender, octets[at:])


def cut(reads: Iterable[Read], size: int, seed: int = 0) -> Iterator[Read]:
    """In reads of `size`; 0: of sizes that follow from `seed`."""
    for read in reads:
        octets = read.octets
        if not octets or read.lost >= 0 or read.end:
            yield read
            continue
        at = 0
        while at < len(octets):
            step = size
            if not size:
                # As random as a cut has to be, for a fraction of what the generators of Python cost.
                seed = (seed * 1103515245 + 12345) & 0x7FFFFFFF
                step = _SIZES[seed >> 16 & 7]
            yield Read(read.sender, octets[at : at + step])
            at += step
