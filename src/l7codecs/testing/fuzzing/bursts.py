"""Hundreds of neighbours of one program: octets of it changed a little, each run against what costs least.

Most inputs say nothing new, and finding that out should cost little: no program is made of a neighbour, its octets are changed as they
are, and it is decoded once or twice. What says something new, fails or takes long becomes a program, and is run as any other is.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from l7codecs.kinds import Sender
from l7codecs.message import Message
from l7codecs.testing.fuzzing.measuring import Lines
from l7codecs.testing.fuzzing.mutation import Mutator
from l7codecs.testing.fuzzing.program import Program
from l7codecs.testing.fuzzing.properties import check_messages
from l7codecs.testing.fuzzing.reads import Read, joined
from l7codecs.testing.replay import Outcome

if TYPE_CHECKING:
    from l7codecs.testing.fuzzing.targets.conversation import Conversation

__all__ = ["Burst"]

_MOST = 256
_OCTETS = 64 * 1024
"""Of all neighbours of a burst, which is shorter where they are long."""
_AT_ONE = 64
"""Neighbours in a row that differ in the same read."""
_CUT = 3
"""Of so many neighbours one is cut as well."""
_READ = 8
"""Of so many neighbours one has its messages read."""
_SLOW = 5_000_000
_SLOW_OCTET = 20_000
"""Nanoseconds of the processor, for each neighbour and each of its octets, that are not looked at again."""
_SHAPE = 6
_MOST_SHAPES = 1 << 14


class Burst:
    """Runs neighbours of programs of `target`. ``count`` is how many there were; ``shapes`` is what they have said, in short.

    Where `lines` are counted, what reaches new ones is new, too.
    """

    def __init__(
        self, target: Conversation, mutator: Mutator, chance: random.Random, lines: Lines | None = None
    ) -> None:
        self.target = target
        self.mutator = mutator
        self.chance = chance
        self.lines = lines
        self.count = 0
        self.shapes: set[object] = set()

    def around(self, program: Program) -> Iterator[tuple[Program, BaseException | None]]:
        """Those neighbours of `program` that are worth more, as programs, and what they raise."""
        reads = joined(self.target.reads(program))
        places = [number for number, read in enumerate(reads) if read.octets]
        left = min(_MOST, _OCTETS // (sum(len(read.octets) for read in reads) + 1)) if places else 0
        while left > 0:
            place = self.chance.choice(places)
            size = min(left, _AT_ONE)
            left -= size
            self.target.figures["neighbours"] += size
            yield from self._beside(reads, place, size, program.limits)

    def _beside(
        self, reads: Sequence[Read], place: int, count: int, limits: int
    ) -> Iterator[tuple[Program, BaseException | None]]:
        """As `around`, of those that differ in the read at `place`."""
        sender, base, *_ = reads[place]
        before, behind = reads[:place], reads[place + 1 :]
        random_part = self.chance.random
        self._forget_lines()
        start = time.process_time_ns()
        for octets in self.mutator.neighbours(base, count, self.chance):
            near = [*before, Read(sender, octets), *behind]
            cuts = int(random_part() * 0x10000)
            failed: BaseException | None = None
            fresh = False
            self.count += 1
            try:
                fresh = self._run(near, limits, cuts if self.count % _CUT == 0 else -1)
            except KeyboardInterrupt:
                raise
            except BaseException as error:
                failed = error
            now = time.process_time_ns()
            if fresh or failed is not None or now - start > _SLOW + len(octets) * _SLOW_OCTET:
                yield self.target.program_of(near, limits, cuts), failed
                self._forget_lines()
                now = time.process_time_ns()
            start = now

    def _forget_lines(self) -> None:
        """What runs from now on is looked at by itself."""
        if self.lines is not None:
            self.lines.fresh = 0

    def _run(self, reads: list[Read], limits: int, cuts: int) -> bool:
        """Whether it says something new; raises what is wrong."""
        whole, _ = self.target.look(reads, limits, cuts)
        if self.count % _READ == 0:
            check_messages(whole, self.target.material.protocol)
        shape = _shape(whole)
        if shape in self.shapes or len(self.shapes) >= _MOST_SHAPES:
            return self.lines is not None and self.lines.fresh > 0
        self.shapes.add(shape)
        return True


def _shape(outcome: Outcome) -> object:
    """What the first events are, and the errors: no text and no number of the peers'."""
    events = [
        (event.kind._value_, event.sender is Sender.CLIENT, event.more, event.status, event.error is None)
        if isinstance(event, Message)
        else type(event)
        for event in outcome.events[:_SHAPE]
    ]
    errors = [(type(error), error.expected) for error in outcome.errors.values()] if outcome.errors else ()
    return (*events, *errors)
