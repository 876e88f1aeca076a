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


@dataclass
class Target:
    """One way to hold a protocol to its promises.

    name: what it is called on the command line; number: in the header of its programs.
    operations: how many there are; operation 0 has octets of the wire.
    figures: what has been counted, for the report.
    """

    material: Material
    figures: Counter[str] = field(default_factory=Counter)
    name = ""
    number = 0
    operations = 1

    def seeds(self, chance: random.Random) -> Iterator[Program]:
        """Programs to begin with, good ones."""
        raise NotImplementedError

    def run(self, program: Program) -> None:
        """Raises AssertionError where a promise is broken, or whatever should never be raised."""
        raise NotImplementedError

    def usable(self) -> bool:
        """Whether there is something to do."""
        return True

    def explain(self, program: Program) -> str:
        """The program in words, or as a vector."""
        return program.to_text()
