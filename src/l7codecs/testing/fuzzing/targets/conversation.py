"""The octets of one connection, of one side or of both, with losses and ends: cut in any way, they say the same."""

from __future__ import annotations

import random
import time
from collections.abc import Iterable, Iterator, Sequence

from l7codecs import Limits
from l7codecs.errors import ProtocolError
from l7codecs.kinds import Kind, Sender
from l7codecs.message import Data, Event, Gap, Message, Opaque
from l7codecs.session import Session
from l7codecs.testing.fuzzing.changing import check_changed
from l7codecs.testing.fuzzing.program import Program, Step
from l7codecs.testing.fuzzing.properties import (
    check_answers,
    check_conserved,
    check_cost,
    check_ends,
    check_forwarded,
    check_messages,
    limits_of,
)
from l7codecs.testing.fuzzing.reads import SENDERS, Read, cut, halved, is_lossy, joined, replay_reads, with_ends
from l7codecs.testing.fuzzing.targets.base import Target
from l7codecs.testing.loss import difference_after_loss
from l7codecs.testing.replay import Outcome, difference_by_cuts
from l7codecs.testing.vectors import Vector

__all__ = ["Conversation", "Direction", "Outline"]

FEED, LOSE, GAP, END, AGAIN = range(5)
_MOST_OCTETS = 64 * 1024
_ONE_BY_ONE = 4096


class Outline(Outcome):
    """An outcome of which only the outline is compared: where events stand, what they are, and whom they answer.

    Nothing is written down until it is compared, and where rows are alike as they are, no more than that.
    """

    def __init__(self) -> None:
        super().__init__(descriptions={})

    @classmethod
    def of(cls, outcome: Outcome) -> Outline:
        """What is in `outcome`, of which nothing else is compared then."""
        found = cls()
        found.events, found.errors, found.pending = outcome.events, outcome.errors, outcome.pending
        return found

    def _take(self, sender: Sender, events: Iterator[Event]) -> bool:
        try:
            self.events.extend(events)  # what comes before an error is in it
        except ProtocolError as error:
            return self.refused(sender, error)
        return False

    def difference(self, other: Outcome) -> str:
        if [*map(_row, self.events)] == [*map(_row, other.events)] and self.refusals() == other.refusals():
            return ""
        for each in (self, other):
            if isinstance(each, Outline) and not each.descriptions:
                each.descriptions = {sender: [] for sender in SENDERS}
                for event in each.events:
                    each._append(event)
        return super().difference(other)

    def _append(self, event: Event) -> None:
        rows = self.descriptions[event.sender]
        row = _row(event)
        # Where one Data or Opaque ends and the next begins follows the reads.
        last = rows[-1] if rows else ("nothing",)
        if isinstance(event, Data) and last[0] is Kind.DATA and last[2] == row[2] and last[4]:
            rows[-1] = (Kind.DATA, last[1], row[2], _added(last[3], row[3]), event.more)
        elif isinstance(event, Opaque) and last[0] is Kind.OPAQUE:
            rows[-1] = (Kind.OPAQUE, last[1], _added(last[2], row[2]))
        else:
            rows.append(row)


def _row(event: Event) -> tuple[object, ...]:
    if isinstance(event, Message):
        request = event.request
        return (
            event.kind, event.offset, event.size, event.more, event.request_id, event.stream_id,
            None if request is None else request.offset, event.sender,
        )  # fmt: skip
    if isinstance(event, Data):
        return (event.kind, event.offset, event.message.offset, len(event.raw), event.more)
    return (event.kind, event.offset, event.size if isinstance(event, Gap) else len(event.raw))


def _added(one: object, other: object) -> int:
    assert isinstance(one, int) and isinstance(other, int)
    return one + other


class Conversation(Target):
    """Both sides, interleaved, with losses and ends.

    0 octets of side `a`; 1 octets that are lost of it, their number told unless `b` is odd; 2 an unknown number lost; 3 its end; 4 the
    last `a` % 4 + 1 steps `b` % 32 times over.
    """

    name = "conversation"
    number = 1
    operations = 5

    def seeds(self, chance: random.Random) -> Iterator[Program]:
        for vector in self.material.vectors:
            yield self.program(vector)
        for octets in self.material.made(chance, 24):
            yield self.program(octets)

    def fresh(self, chance: random.Random) -> Program | None:
        for vector in self.material.made(chance, 1):
            steps = (Step(FEED, SENDERS.index(sender), 0, octets) for sender, octets in vector.pieces)
            return Program(
                self.number, tuple(steps), chance.choice((0, 0, 0, chance.randrange(8))), chance.randrange(1 << 16)
            )
        return None

    def program(self, vector: Vector) -> Program:
        """What `vector` is as a program, a step for each message."""
        pieces = self.material.pieces(vector)
        return Program(self.number, tuple(Step(FEED, SENDERS.index(sender), 0, octets) for sender, octets in pieces))

    def reads(self, program: Program) -> list[Read]:
        """What a program says, without what is more than enough."""
        found: list[Read] = []
        ended: set[Sender] = set()
        left = _MOST_OCTETS
        for step in program.steps:
            sender = SENDERS[step.a & 1]
            operation = step.operation % self.operations
            if operation == AGAIN:
                for read in found[-(step.a % 4 + 1) :] * (step.b % 32):
                    if not read.end and read.sender not in ended and left > len(read.octets):
                        left -= len(read.octets)
                        found.append(read)
                continue
            if sender in ended:
                continue
            if operation == END:
                ended.add(sender)
                found.append(Read(sender, end=True))
            elif operation == GAP:
                found.append(Read(sender, lost=0))
            elif operation == LOSE:
                found.append(Read(sender, lost=0 if step.b & 1 else len(step.octets)))
            elif step.octets and left > len(step.octets):
                left -= len(step.octets)
                found.append(Read(sender, step.octets))
        return with_ends(found)

    def program_of(self, reads: Iterable[Read], limits: int, seed: int) -> Program:
        """The program that says `reads`."""
        steps: list[Step] = []
        for read in reads:
            side = SENDERS.index(read.sender)
            if read.end:
                steps.append(Step(END, side))
            elif read.lost > 0:
                steps.append(Step(LOSE, side, 0, bytes(read.lost)))
            else:
                steps.append(Step(FEED if read.lost < 0 else GAP, side, 0, read.octets))
        return Program(self.number, tuple(steps), limits, seed)

    def run(self, program: Program) -> None:
        reads = self.reads(program)
        size = sum(len(read.octets) for read in reads)
        limits = limits_of(program.limits)
        start = time.process_time()
        whole, session = self.look(joined(reads), program.limits, program.seed)
        other, _ = self.replay(cut(reads, 0, program.seed), program.limits, Outline(), False)
        self.compare(whole, other, is_lossy(reads))
        seconds = time.process_time() - start
        check_messages(whole, self.material.protocol)
        check_forwarded(session, whole.events)
        self.count(whole, size)

        def again(times: int) -> None:
            self.replay(reads * times, program.limits, Outline(), False)
            self.replay(cut(reads * times, 7), program.limits, Outline(), False)

        check_cost(again, seconds, size + len(reads), f"decoding, with {limits}")

    def look(self, reads: Sequence[Read], limits: int, cuts: int) -> tuple[Outcome, Session]:
        """What costs least: the outline, octets, pairs; and the same outline of reads that are halved, unless `cuts` is negative."""
        lossy = is_lossy(reads)
        whole, session = self.replay(reads, limits, Outline(), True)
        if cuts >= 0:
            other, _ = self.replay(halved(reads, cuts), limits, Outline(), False)
            self.compare(whole, other, lossy)
        for sender in SENDERS:
            check_conserved(whole, sender, b"".join([read.octets for read in reads if read.sender is sender]))
        check_ends(whole)
        if not lossy:
            check_answers(whole, self.material.protocol, self.material.loose_ids)
        return whole, session

    def examine(self, program: Program) -> None:
        """All that events say is the same in three ways to cut the octets."""
        reads = self.reads(program)
        size = sum(len(read.octets) for read in reads)
        whole, _ = self.replay(joined(reads), program.limits, Outcome(), False)
        for other_reads in (cut(reads, 1 if size <= _ONE_BY_ONE else 61), cut(reads, 0, program.seed)):
            other, _ = self.replay(other_reads, program.limits, Outcome(), False)
            self.compare(whole, other, is_lossy(reads))
        if not is_lossy(reads) and limits_of(program.limits) == limits_of(0):
            self.figures["changed"] += check_changed(self.material.protocol, reads, whole, program.seed)
        self.figures["examined"] += 1

    def compare(self, whole: Outcome, other: Outcome, lossy: bool) -> None:
        """Raises AssertionError where two outcomes of the same octets are not the same."""
        difference = difference_after_loss(whole, other) if lossy else self.difference(whole, other)
        assert not difference, f"cut in another way: {difference}"

    def count(self, outcome: Outcome, size: int) -> None:
        """Write down how much was said, and what."""
        self.figures["octets"] += size
        messages = 0
        for event in outcome.events:
            if isinstance(event, Message):
                messages += 1
                self.note((event.kind, event.sender, event.operation, event.status, event.more, event.error is None))
        self.figures["messages"] += messages
        self.figures["with messages"] += messages > 0
        self.figures["errors"] += len(outcome.errors)
        for error in outcome.errors.values():
            self.note((type(error), error.expected))

    def difference(self, one: Outcome, other: Outcome) -> str:
        """Where two outcomes of the same octets part."""
        return difference_by_cuts(one, other)

    def replay(self, reads: Iterable[Read], limits: int, outcome: Outcome, watch: bool) -> tuple[Outcome, Session]:
        """Feed a new session, and write `outcome`."""
        session = self.open(limits_of(limits))
        replay_reads(session, reads, outcome, watch)
        return outcome, session

    def open(self, limits: Limits) -> Session:
        """A new session of an observer."""
        return self.material.protocol.open(limits=limits)

    def explain(self, program: Program) -> str:
        lines = []
        for read in self.reads(program):
            who = "C" if read.sender is Sender.CLIENT else "S"
            if read.end:
                lines.append(f"# {who} ends")
            elif read.lost >= 0:
                lines.append(f"# {who} loses {read.lost or 'an unknown number of'} octets")
            else:
                lines.append(f"{who} {repr(read.octets)[2:-1]}")
        return f"# {limits_of(program.limits)}\n" + "\n".join(lines) + "\n"


class Direction(Conversation):
    """One side alone: of the first step. Its octets, whatever is said of losses and ends."""

    name = "direction"
    number = 0
    operations = 1

    def seeds(self, chance: random.Random) -> Iterator[Program]:
        for vector in (*self.material.vectors, *self.material.made(chance, 24)):
            pieces = self.material.pieces(vector)
            for side, sender in enumerate(SENDERS):
                steps = tuple(Step(FEED, side, 0, octets) for who, octets in pieces if who is sender)
                if steps:
                    yield Program(self.number, steps)

    def fresh(self, chance: random.Random) -> Program | None:
        program = super().fresh(chance)
        side = chance.randrange(2)
        return program and program.with_steps(step for step in program.steps if step.a == side)

    def reads(self, program: Program) -> list[Read]:
        side = program.steps[0].a & 1 if program.steps else 0
        steps = [Step(FEED, side, step.b, step.octets) for step in program.steps]
        return super().reads(program.with_steps(steps))
