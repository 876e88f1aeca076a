"""Differential fuzzing: a second implementation reads the same octets, and says the same."""

from __future__ import annotations

import contextlib
import random
import signal
from collections.abc import Iterator

from l7codecs.errors import ProtocolError
from l7codecs.testing.fuzzing.comparison import Comparison, Refusal, how_they_differ, side_by_side
from l7codecs.testing.fuzzing.program import Program, Step
from l7codecs.testing.fuzzing.targets.base import Target

__all__ = ["Differential"]

_MOST_OCTETS = 16 * 1024
_PATIENCE = 0.5
"""Seconds of the processor after which the other one hangs, as far as it runs in Python here."""


class _Hangs(Exception):
    """It does not come to its end."""


@contextlib.contextmanager
def _patience() -> Iterator[None]:
    """End what takes too long, and leave the timer of whoever runs this as it was."""
    before = signal.signal(signal.SIGVTALRM, _hangs)
    left = signal.setitimer(signal.ITIMER_VIRTUAL, _PATIENCE)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, *left)
        signal.signal(signal.SIGVTALRM, before)


def _hangs(number: int, frame: object) -> None:
    raise _Hangs(f"more than {_PATIENCE} s of the processor")


class Differential(Target):
    """The octets of the steps are the pieces of an input; `a` of the first one says which of the material's comparisons reads it."""

    name = "differential"
    number = 7

    def usable(self) -> bool:
        return any(self.ready(comparison) for comparison in self.material.comparisons)

    def ready(self, comparison: Comparison) -> bool:
        """Whether it is installed, and started."""
        if comparison not in self.material.started:
            try:
                comparison.start()
            except (ImportError, OSError) as error:
                self.figures[f"without {comparison.name} ({error})"] += 1
                self.material.started[comparison] = False
            else:
                self.material.started[comparison] = True
        return self.material.started[comparison]

    def seeds(self, chance: random.Random) -> Iterator[Program]:
        for number, comparison in enumerate(self.material.comparisons):
            if self.ready(comparison):
                for pieces in comparison.seeds(self.material, chance):
                    steps = tuple(Step(0, number, 0, octets) for octets in pieces if octets)
                    if steps and sum(map(len, pieces)) <= _MOST_OCTETS:
                        yield Program(self.number, steps)

    def chosen(self, program: Program) -> tuple[Comparison | None, list[bytes]]:
        """Which comparison reads what."""
        pieces = [step.octets for step in program.steps if step.octets]
        if not pieces or sum(map(len, pieces)) > _MOST_OCTETS:
            return None, pieces
        comparison = self.material.comparisons[program.steps[0].a % len(self.material.comparisons)]
        return (comparison if self.ready(comparison) else None), pieces

    def run(self, program: Program) -> None:
        comparison, pieces = self.chosen(program)
        if comparison is None:
            return
        ours, theirs = self.readings(comparison, pieces)
        what = comparison.name
        if ours == theirs:
            last = ours[-1] if isinstance(ours, list) and ours else ours
            self.figures[f"{what} refuses too" if isinstance(last, Refusal) else f"{what} agrees"] += 1
            return
        known = comparison.known(pieces, ours, theirs)
        if known is not None:
            self.figures[f"{what} otherwise: {known}"] += 1
            return
        raise AssertionError(f"{what} {how_they_differ(ours, theirs)}\n{side_by_side(ours, theirs)}")

    def readings(self, comparison: Comparison, pieces: list[bytes]) -> tuple[object, object]:
        """Ours and theirs."""
        ours: object
        theirs: object
        try:
            ours = comparison.ours(pieces)
        except ProtocolError as error:
            ours = Refusal(str(error))
        try:
            with _patience():
                theirs = comparison.theirs(pieces)
        except Exception as wrong:  # a hang among them
            theirs = Refusal(f"{type(wrong).__name__}: {wrong}")
        return ours, theirs

    def explain(self, program: Program) -> str:
        comparison, pieces = self.chosen(program)
        if comparison is None:
            return program.to_text()
        said = "".join(f"  {repr(piece)[1:]}\n" for piece in pieces)
        return f"beside {comparison.name}:\n{said}{side_by_side(*self.readings(comparison, pieces))}\n"
