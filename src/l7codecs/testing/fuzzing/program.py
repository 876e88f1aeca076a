"""What an input says: steps, in one compact form for all targets, so that a file of a corpus does the same in every build.

    header   target, limits, seed (2)                       4 octets
    step     operation, a, b, size (2), octets              5 octets and more, as often as there is room

Numbers are little-endian. Any octets are a program: what is missing at the end is 0, and of the octets what is there. Each target says what
its operations are; an operation is taken modulo their number. `a` and `b` choose among what there is, modulo its number, too.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

__all__ = ["HEADER_SIZE", "STEP_SIZE", "Program", "Step"]

HEADER_SIZE = 4
STEP_SIZE = 5
_MOST = 0xFFFF


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a program."""

    operation: int
    a: int = 0
    b: int = 0
    octets: bytes = b""

    def encoded(self) -> bytes:
        """Its octets; those of more than 65535 are several steps."""
        found = b""
        for at in range(0, max(len(self.octets), 1), _MOST):
            part = self.octets[at : at + _MOST]
            found += bytes((self.operation & 0xFF, self.a & 0xFF, self.b & 0xFF)) + len(part).to_bytes(2, "little")
            found += part
        return found

    def __str__(self) -> str:
        words = f"{self.operation} {self.a} {self.b}"
        return f"{words} {self.octets!r}" if self.octets else words


@dataclass(frozen=True)
class Program:
    """What one input does. ``limits`` and ``seed`` choose limits of the session and how its octets are cut."""

    target: int
    steps: tuple[Step, ...] = field(default=())
    limits: int = 0
    seed: int = 0

    @classmethod
    def decode(cls, octets: bytes) -> Program:
        """The program in any octets."""
        head = octets[:HEADER_SIZE].ljust(HEADER_SIZE, b"\0")
        steps: list[Step] = []
        at = HEADER_SIZE
        while at < len(octets):
            operation, a, b, low, high = octets[at : at + STEP_SIZE].ljust(STEP_SIZE, b"\0")
            at += STEP_SIZE
            size = low | high << 8
            steps.append(Step(operation, a, b, octets[at : at + size]))
            at += size
        return cls(head[0], tuple(steps), head[1], head[2] | head[3] << 8)

    def encode(self) -> bytes:
        """The octets of a file of a corpus."""
        head = bytes((self.target & 0xFF, self.limits & 0xFF)) + (self.seed & _MOST).to_bytes(2, "little")
        return head + b"".join(step.encoded() for step in self.steps)

    def with_steps(self, steps: Iterable[Step]) -> Program:
        """The same with other steps."""
        return replace(self, steps=tuple(steps))

    def to_text(self) -> str:
        """A line for each step, to be read."""
        return f"target {self.target}, limits {self.limits}, seed {self.seed}\n" + "".join(
            f"  {step}\n" for step in self.steps
        )
