"""What the tests of the kit are made of: the protocol, its vectors, and what its author says of them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from l7codecs import Limits, Protocol, get_protocol
from l7codecs.session import Session
from l7codecs.testing.replay import Outcome, difference_by_cuts, replay
from l7codecs.testing.vectors import Vector

__all__ = ["EXAMPLES", "ConformanceBase", "mutated", "show_error"]

EXAMPLES = settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.differing_executors],
)
"""Of every test that draws its examples."""


class ConformanceBase:
    """The attributes that an author sets, and the helpers of the tests. See `ProtocolConformance`."""

    protocol: ClassVar[str | Protocol]
    vectors: ClassVar[Sequence[Vector]]
    once: ClassVar[Collection[str]] = ()
    undetected: ClassVar[Collection[str]] = ()
    unpaired: ClassVar[Collection[str]] = ()
    stateful: ClassVar[Collection[str]] = ()
    misleading: ClassVar[Collection[str]] = ()
    unsupported: ClassVar[Collection[str]] = ()
    exchanges: ClassVar[Collection[str] | None] = None
    golden: ClassVar[bool] = True
    memory: ClassVar[int] = 24 * 1024

    def large(self, size: int) -> list[Vector]:
        """Conversations of about `size` octets in one message each, of every form that can be long; none where no message can.

        Called with sizes up to 8 MiB; one that the protocol cannot reach may be cut to what it can.
        """
        raise NotImplementedError

    @classmethod
    def loaded(cls) -> Protocol:
        return get_protocol(cls.protocol) if isinstance(cls.protocol, str) else cls.protocol

    def open(self, limits: Limits | None = None) -> Session:
        """A new session of an observer."""
        return self.loaded().open(limits=limits or Limits())

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        if "vector" in metafunc.fixturenames:
            vectors = type(self).vectors
            metafunc.parametrize("vector", vectors, ids=[vector.name for vector in vectors])

    def outcome(self, vector: Vector, *, eof: bool = False, limits: Limits | None = None) -> Outcome:
        return replay(self.open(limits), vector, eof=eof)

    def large_vectors(self, size: int) -> list[Vector]:
        """As `large`; none where it is not written, which one test tells."""
        try:
            return self.large(size)
        except NotImplementedError:
            return []

    def starting_over(self) -> Iterator[Vector]:
        """The vectors after which their connection can start over."""
        return (vector for vector in self.vectors if vector.name not in self.once)

    @staticmethod
    def same(outcome: Outcome, other: Outcome, where: str) -> None:
        """Fail where two cuts of the same octets do not come to the same."""
        difference = difference_by_cuts(outcome, other)
        assert not difference, f"{where}: {difference}"


def show_error(outcome: Outcome) -> str:
    """The errors of an outcome, in words; empty where there is none."""
    return "; ".join(
        f"{type(error).__name__} of the {sender.value} {error}" for sender, error in outcome.errors.items()
    )


def mutated(vector: Vector, data: st.DataObject) -> Vector:
    """`vector` with some octets flipped, left out, put in or doubled."""
    pieces = list(vector.pieces)
    for _ in range(data.draw(st.integers(1, 3))):
        index = data.draw(st.integers(0, len(pieces) - 1))
        sender, octets = pieces[index]
        at = data.draw(st.integers(0, len(octets)))
        end = min(len(octets), at + data.draw(st.integers(0, 8)))
        action = data.draw(st.sampled_from(("replace", "insert", "delete", "double")))
        if action == "replace":
            octets = octets[:at] + data.draw(st.binary(min_size=end - at, max_size=end - at)) + octets[end:]
        elif action == "insert":
            octets = octets[:at] + data.draw(st.binary(max_size=8)) + octets[at:]
        elif action == "delete":
            octets = octets[:at] + octets[end:]
        else:
            octets = octets[:end] + octets[at:end] + octets[end:]
        pieces[index] = (sender, octets)
    return Vector(f"{vector.name}, mutated", tuple(pieces))
