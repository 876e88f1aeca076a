"""What is fuzzed: a target makes programs of what it knows, and runs any program, raising where a promise is broken."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from l7codecs.testing.fuzzing.program import Program

if TYPE_CHECKING:
    from l7codecs.testing.fuzzing.material import Material

__all__ = ["Target"]

_MOST_SEEN = 4096


@dataclass
class Target:
    """One way to hold a protocol to its promises.

    name: what it is called on the command line; number: in the header of its programs.
    operations: how many there are; operation 0 has octets of the wire.
    figures: what has been counted, for the report.
    """

    material: Material
    figures: Counter[str] = field(default_factory=Counter)
    seen: set[object] = field(default_factory=set)
    """What messages and errors have said, so that an input of which more is said is known without counting lines."""
    name = ""
    number = 0
    operations = 1

    def seeds(self, chance: random.Random) -> Iterator[Program]:
        """Programs to begin with, good ones."""
        raise NotImplementedError

    def fresh(self, chance: random.Random) -> Program | None:
        """A new program, of the grammar where it says something to this target; None where there is no better than changed ones."""
        return None

    def run(self, program: Program) -> None:
        """Raises AssertionError where a promise is broken, or whatever should never be raised.

        It is done with every input, so it costs little: what costs more belongs to `examine`.
        """
        raise NotImplementedError

    def examine(self, program: Program) -> None:
        """As `run`, behind it: what is looked at only where an input is new, or by chance."""

    def note(self, what: object) -> None:
        """An input says `what`; no more is remembered than some thousand."""
        if len(self.seen) < _MOST_SEEN:
            self.seen.add(what)

    def usable(self) -> bool:
        """Whether there is something to do."""
        return True

    def explain(self, program: Program) -> str:
        """The program in words, or as a vector."""
        return program.to_text()
