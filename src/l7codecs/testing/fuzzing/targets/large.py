"""Messages that are large, and many of them that wait: what shows only where there are a million octets.

A message of the vectors is stretched: octets are put in at a place of it, and the lengths that lead over this are put right. Many places
are none, since what comes of it is refused or is no longer one message; what is, is told from the session, which waits for its end.
"""

from __future__ import annotations

import gc
import random
import time
import tracemalloc
from collections.abc import Callable, Iterable, Iterator, Sequence

from l7codecs import Limits
from l7codecs.errors import ProtocolError
from l7codecs.kinds import Kind, Sender
from l7codecs.message import Message
from l7codecs.session import Session
from l7codecs.testing.fuzzing.mutation import resized
from l7codecs.testing.fuzzing.program import Program, Step
from l7codecs.testing.fuzzing.properties import TookLonger, check_bounds
from l7codecs.testing.fuzzing.reads import SENDERS
from l7codecs.testing.fuzzing.targets.base import Target
from l7codecs.testing.growth import growth, steady_memory

__all__ = ["Large"]

LEAD, ONE, MANY = range(3)
_TRIES = 12
"""Programs that are made until one is of use."""
_PROBE = 32 * 1024
_SMALL = 256 * 1024
"""Octets of which four times as many are copied slowly enough to show."""
_MOST_TIMES = 8
"""What four times the octets may take; quadratic is 16."""
_FLOOR = 0.004
_READS = (16, 64)
_READ = 1460
_FILLERS = (b"a", b"\0", b"7", b"\xff", b" ", b"ab\0")
_BUFFERED = Limits(head=8 << 20, message=8 << 20)
_STREAMED = Limits(head=2048, message=4096, queued=16 * 1024)
_STREAMS = 1 << 19
"""Octets of a message that streams."""
_FREE = 1 << 18
"""Octets of memory that a session may take for itself, tables that are made at first included."""
_COUNT = 256
_EACH = 16 * 1024
"""How many wait, and their octets, which are many more than may be kept of them."""
_TOGETHER = 64
"""Of what a step says, that each of many comes in one read with the message as it was."""
_WAITS = 64 * 1024
_CROWDED = Limits(waiting=_WAITS, queued=_WAITS, shared=_WAITS)
_SHORT = 3 * 1024
"""Octets of memory for each that waits beyond `waiting`: of its own octets 1 KiB, and what it is made of."""


class Large(Target):
    """The steps before the last that says more lead a session into a state.

    0 octets of side `a`; 1 a message of it, stretched where the program's seed says, with what `b` says, comes in small reads; 2 so do
    many of it, one behind the other, with numbers of their own where they have such.
    """

    name = "large"
    number = 9
    operations = 3

    def seeds(self, chance: random.Random) -> Iterator[Program]:
        for _ in range(24):
            program = self.fresh(chance)
            if program is not None:
                yield program

    def fresh(self, chance: random.Random) -> Program | None:
        for _ in range(_TRIES):
            program = self.stretched(chance)
            if self.is_large(program):
                return program
        return None

    def stretched(self, chance: random.Random) -> Program:
        """A message of a vector, behind those before it."""
        pieces = self.material.pieces(chance.choice(self.material.vectors))
        number = chance.randrange(len(pieces))
        steps = [Step(LEAD, SENDERS.index(sender), 0, octets) for sender, octets in pieces[:number]]
        sender, octets = pieces[number]
        steps.append(Step(chance.choice((ONE, MANY)), SENDERS.index(sender), chance.randrange(256), octets))
        return Program(self.number, tuple(steps), 0, chance.randrange(1 << 16))

    def last(self, program: Program) -> Step | None:
        """The message that is stretched."""
        steps = program.steps
        return next(
            (step for step in reversed(steps) if step.operation % self.operations != LEAD and step.octets), None
        )

    def octets(self, program: Program, last: Step, size: int) -> bytes:
        """The message with `size` octets more."""
        at = program.seed * (len(last.octets) + 1) >> 16
        filler = _FILLERS[last.b % len(_FILLERS)]
        return resized(last.octets, at, at, (filler * (size // len(filler) + 1))[:size])

    def opened(self, program: Program, limits: Limits) -> Session:
        """A session behind the steps that lead."""
        session = self.material.protocol.open(limits=limits)
        for step in program.steps:
            if step.operation % self.operations == LEAD:
                feed(session, SENDERS[step.a & 1], [step.octets])
        return session

    def is_large(self, program: Program) -> bool:
        """Whether the message, stretched, is one: half of it is waited for, or streams."""
        last = self.last(program)
        if last is None:
            return False
        session = self.opened(program, _BUFFERED)
        octets = self.octets(program, last, _PROBE)
        side = SENDERS[last.a & 1]
        ended = feed(session, side, [octets[: len(octets) // 2]])
        return not ended and session.decoder(side).buffer.unfinished > len(octets) // 4

    def run(self, program: Program) -> None:
        if self.is_large(program):
            self.figures["large"] += 1
            last = self.last(program)
            assert last is not None
            self.note((last.operation % self.operations, last.octets[:8], program.seed >> 13))

    def examine(self, program: Program) -> None:
        last = self.last(program)
        if last is None or not self.is_large(program):
            return
        self.figures["examined"] += 1
        if last.operation % self.operations == ONE:
            self.check_time(program, last)
            self.check_memory(program, last)
        else:
            self.check_kept(program, last)

    def check_time(self, program: Program, last: Step) -> None:
        """Four times the octets in small reads take no more than four times as long, buffered and as a stream."""
        read = _READS[last.b // len(_FILLERS) % len(_READS)]
        side = SENDERS[last.a & 1]
        for limits in (_BUFFERED, _STREAMED):

            def cost(times: int, limits: Limits = limits) -> float:
                octets = self.octets(program, last, times * _SMALL)
                reads = [octets[at : at + read] for at in range(0, len(octets), read)]
                session = self.opened(program, limits)
                start = time.process_time()
                feed(session, side, reads)
                return time.process_time() - start

            self.hold_time(cost, f"a message of {len(last.octets)} octets, stretched, in reads of {read}")

    def hold_time(self, cost: Callable[[int], float], what: str) -> None:
        """Raises `TookLonger` where four times as much takes more than eight times as long."""
        if cost(4) <= _MOST_TIMES * max(cost(1), _FLOOR):
            return
        times = growth(cost, 1, 4, _MOST_TIMES, _FLOOR)
        if times > _MOST_TIMES:
            raise TookLonger(f"{what}: {4 * _SMALL} octets take {times:.0f} times as long as a quarter of them")

    def check_memory(self, program: Program, last: Step) -> None:
        """No more of a message waits than may be buffered, and where it streams it takes no memory for what of it has passed."""
        side = SENDERS[last.a & 1]
        octets = self.octets(program, last, _STREAMS)
        session = self.opened(program, _STREAMED)
        ended = feed(session, side, cut(octets[: _STREAMS // 2]))
        if ended:
            return  # it is too large
        check_bounds(session, side, _READ)
        used = steady_memory(lambda: feed(self.opened(program, _STREAMED), side, cut(octets)), _FREE)
        assert used <= _FREE, (
            f"a message of {len(last.octets)} octets, stretched to {len(octets)}, streams, and {used} octets of memory are in use "
            f"at once, at most {_FREE} may be, with {_STREAMED}"
        )

    def check_kept(self, program: Program, last: Step) -> None:
        """Many that wait are kept as far as limits allow, and what is done with is not kept."""
        side = SENDERS[last.a & 1]
        octets = self.octets(program, last, _EACH)
        session = self.opened(program, _CROWDED)
        reads = self.numbered(program, last, octets, 1)
        if last.b & _TOGETHER:  # a small one keeps nothing of the read that it came in
            reads = [
                large + small
                for large, small in zip(reads, self.numbered(program, last, last.octets, _COUNT + 1), strict=True)
            ]
        gc.collect()
        tracemalloc.start()
        try:
            before = tracemalloc.get_traced_memory()[0]
            ended = feed(session, side, (bytes(bytearray(each)) for each in reads))
            gc.collect()
            held = tracemalloc.get_traced_memory()[0] - before
        finally:
            tracemalloc.stop()
        if not ended:
            most = _FREE + 3 * _WAITS + max(session.pending, _COUNT) * _SHORT
            assert held <= most, (
                f"{_COUNT} messages of {len(octets)} octets came, and {held} octets of memory are held, at most {most} may be, "
                f"with {_CROWDED}; {session.pending} requests wait"
            )

    def numbered(self, program: Program, last: Step, octets: bytes, first: int) -> Sequence[bytes]:
        """The same message many times, each with a number of its own, from `first` on, where it can be written."""
        session = self.opened(program, Limits())
        found: list[Message] = []
        try:
            for event in session.receive(SENDERS[last.a & 1], octets):
                if isinstance(event, Message):
                    found.append(event)
        except ProtocolError:
            pass
        bits = self.material.protocol.id_bits
        if len(found) != 1 or not bits or found[0].kind is not Kind.REQUEST:
            return [octets] * _COUNT
        numbers = [found[0].renumbered(number % (1 << bits)) for number in range(first, first + _COUNT)]
        return [octets if each is None else each for each in numbers]

    def explain(self, program: Program) -> str:
        names = ("comes", "comes, stretched", "comes, stretched, many times")
        return f"# at {program.seed} / 65536 of its octets\n" + "".join(
            f"{'CS'[step.a & 1]} {repr(step.octets)[2:-1]}\n# {names[step.operation % self.operations]}: {step.b}\n"
            for step in program.steps
        )


def cut(octets: bytes) -> Iterator[bytes]:
    """In reads as they come from a network."""
    for at in range(0, len(octets), _READ):
        yield octets[at : at + _READ]


def feed(session: Session, side: Sender, reads: Iterable[bytes]) -> bool:
    """Whether an error ended it."""
    try:
        for each in reads:
            for _event in session.receive(side, each):
                pass
    except ProtocolError:
        return True
    return False
