"""Streams that grow, in every state: four and sixteen times the octets take no more than so many times as long, and no more memory.

A program leads a session into a state, by octets, losses and a place at which it stops; then the same octets come again and again.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Sequence

from l7codecs.errors import ProtocolError
from l7codecs.kinds import Sender
from l7codecs.testing.fuzzing.program import Program, Step
from l7codecs.testing.fuzzing.properties import TookLonger, limits_of
from l7codecs.testing.fuzzing.reads import SENDERS
from l7codecs.testing.fuzzing.targets.base import Target
from l7codecs.testing.growth import READS, growth, most_memory, steady_memory

__all__ = ["Growth"]

_SMALL = 2048
_MOST_TIMES = 8
"""What four times the octets may take; quadratic is 16."""
_FLOOR = 0.004
"""Seconds; less is not measured well."""
LEAD, GAP, GROW = range(3)
_FILLERS = (b"\0", b"\xff", b"a", b"\r\n", b"0", b" ", b"\x80", b"[", b"{", b"1\r\n")


class Growth(Target):
    """A session is led into a state, and what grows comes.

    0 octets of side `a`; 1 octets are lost of side `a`, `b` of them; 2 octets of side `a`, which grow; reads are of size `b`.
    """

    name = "growth"
    number = 4
    operations = 3
    told = 0
    """Events of what grew last."""

    def seeds(self, chance: random.Random) -> Iterator[Program]:
        for vector in self.material.vectors:
            pieces = self.material.pieces(vector)
            for _ in range(4):
                yield self.state(pieces, chance)

    def fresh(self, chance: random.Random) -> Program | None:
        for vector in self.material.made(chance, 1):
            return self.state(vector.pieces, chance)
        return self.state(self.material.pieces(chance.choice(self.material.vectors)), chance)

    def state(self, pieces: Sequence[tuple[Sender, bytes]], chance: random.Random) -> Program:
        """The beginning of a conversation, to any octet of any message, and then some of its octets or others again and again."""
        number = chance.randrange(len(pieces))
        sender, octets = pieces[number]
        cut = chance.choice((0, len(octets), chance.randrange(len(octets) + 1), chance.randrange(len(octets) + 1)))
        side = SENDERS.index(sender)
        steps = [Step(LEAD, SENDERS.index(who), 0, each) for who, each in pieces[:number]]
        steps.append(Step(LEAD, side, 0, octets[:cut]))
        if chance.random() < 0.2:
            steps.append(Step(GAP, side, chance.randrange(3)))
        choice = chance.randrange(4)
        if choice == 0:
            grows = chance.choice(_FILLERS)
        elif choice == 1:
            grows = octets[cut:] or octets
        elif choice == 2:
            at = chance.randrange(len(octets))
            grows = octets[at : at + chance.choice((1, 2, 4, 8, 30))]
        else:
            grows = chance.choice(self.material.tokens or [b"\0"])
        return Program(self.number, (*steps, Step(GROW, side, chance.randrange(4), grows)), chance.choice((0, 0, 1, 4)))

    def grows(self, program: Program) -> Step | None:
        """What comes again and again; None where a program has nothing of it, or too much."""
        if sum(len(step.octets) for step in program.steps) > 1 << 16:
            return None
        return next((step for step in reversed(program.steps) if step.operation % 3 == GROW and step.octets), None)

    def run(self, program: Program) -> None:
        last = self.grows(program)
        if last is None:
            return
        read = READS[last.b % 4]
        # One octet at a time takes a call for each.
        base = _SMALL if read == 1 else 2 * _SMALL

        def cost(times: int) -> float:
            return self.grow(program, last, base * times, read)

        small, large = cost(1), cost(4)
        if large > _MOST_TIMES * max(small, _FLOOR):
            times = growth(cost, 1, 4, _MOST_TIMES, _FLOOR)
            if times > _MOST_TIMES:
                again = cost(16) / max(min(large, cost(4)), _FLOOR)
                if again > _MOST_TIMES:
                    raise TookLonger(
                        f"in reads of {read} four times the octets take {times:.0f} times as long, "
                        f"and four times these {again:.0f} times: {last.octets[:40]!r} again and again"
                    )
        self.figures["states"] += 1

    def examine(self, program: Program) -> None:
        """Memory follows the octets that came, and the limits: never what they declare."""
        last = self.grows(program)
        if last is None:
            return
        self.figures["examined"] += 1
        read = READS[last.b % 4]
        limits = limits_of(program.limits)
        size = 16 * _SMALL
        self.grow(program, last, size, read)
        most = most_memory(limits, size + sum(len(step.octets) for step in program.steps), size, self.told)
        used = steady_memory(lambda: self.grow(program, last, size, read), most)
        assert used <= most, f"{size} octets take {used} octets of memory: {last.octets[:40]!r} again and again"

    def grow(self, program: Program, last: Step, size: int, read: int) -> float:
        """Seconds of the processor for `size` octets."""
        session = self.material.protocol.open(limits=limits_of(program.limits))
        sender = SENDERS[last.a & 1]
        wrong: set[Sender] = set()
        self.told = 0
        for step in program.steps:
            who = SENDERS[step.a & 1]
            operation = step.operation % 3
            if who in wrong or operation == GROW:
                continue
            try:
                found = session.gap(who, step.b) if operation == GAP else session.receive(who, step.octets)
                for _event in found:
                    pass
            except ProtocolError:
                wrong.add(who)
        octets = (last.octets * (size // len(last.octets) + 1))[:size]
        reads = [octets[at : at + read] for at in range(0, size, read)]
        if sender in wrong:
            return 0.0
        start = time.process_time()
        try:
            for each in reads:
                for _event in session.receive(sender, each):
                    self.told += 1
        except ProtocolError:
            pass
        return time.process_time() - start
