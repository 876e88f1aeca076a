"""Every state that the vectors lead to grows at a constant cost: see `l7codecs.testing.states`."""

from __future__ import annotations

from collections.abc import Collection
from typing import ClassVar

from l7codecs.testing.conformance.base import ConformanceBase
from l7codecs.testing.growth import READS
from l7codecs.testing.states import States, find_states

__all__ = ["Grows"]

_STATES: dict[type, States] = {}
_TIMED = 24
"""So many states, about, are measured, evenly chosen; ``python -m l7codecs.testing states --measure`` measures all."""
_WEIGHED = 6
"""As many in memory."""


class Grows(ConformanceBase):
    """``passing`` are parts of the names of what is held once on a connection, or of the states; None where none has to grow.

    Several in a tuple have to be there together.
    """

    passing: ClassVar[Collection[str | tuple[str, ...]] | None] = None

    @classmethod
    def states(cls) -> States:
        """What the vectors lead to."""
        known = _STATES.get(cls)
        if known is None:
            # `large` is a method of the kit, which is not written everywhere.
            known = find_states(cls.loaded(), list(cls.vectors), cls().large_vectors)
            _STATES[cls] = known
        return known

    def test_what_grows_in_a_state_costs_linear_time(self) -> None:
        """In a state four times the octets take at most eight times as long; sizes of reads take turns."""
        states = self.states()
        for number, grown in enumerate(states.grown[:: len(states.grown) // _TIMED + 1]):
            states.check_time(grown, READS[number % len(READS)])

    def test_memory_in_a_state_follows_the_octets(self) -> None:
        """What is declared takes none."""
        states = self.states()
        for grown in states.grown[:: len(states.grown) // _WEIGHED + 1]:
            states.check_memory(grown, READS[2])

    def test_every_state_grows(self) -> None:
        """Something leads back to each state that the vectors lead to, but for those that come once."""
        if self.passing is None:
            return
        states = self.states()
        left = [
            state for state in states.passed if not passes(self.passing, (str(state), *(state.holds - states.history)))
        ]
        assert not left, (
            f"{len(left)} states never grow, the first at {left[0]}, where it holds {states.names(left[0])}: "
            "give a vector or a form of `large` that does, or name in `passing` what comes once"
        )


def passes(passing: Collection[str | tuple[str, ...]], names: Collection[str]) -> bool:
    """Whether a state with these names comes once."""
    for each in passing:
        words = (each,) if isinstance(each, str) else each
        if all(any(word in name for name in names) for word in words):
            return True
    return False
