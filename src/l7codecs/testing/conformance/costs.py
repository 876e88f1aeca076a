"""Linear time: nothing is looked at again from its start."""

from __future__ import annotations

import time
from functools import partial

from l7codecs import Limits
from l7codecs.errors import ProtocolError
from l7codecs.kinds import Sender
from l7codecs.limits import DEFAULT_LIMITS
from l7codecs.testing.conformance.base import ConformanceBase
from l7codecs.testing.growth import growth
from l7codecs.testing.vectors import Vector

__all__ = ["Costs"]

_MOST = 8
"""How many times as long four times the octets may take. What is linear takes four times as long, what is quadratic sixteen times."""
_PROBE = 32 * 1024
_LARGE = 800 * 1024
_READ = 256
"""Octets of a read of a large message. What is copied or looked at again at each of them is then nearly all of the time."""
_SHORT = 0.04
"""Seconds that the smaller of two conversations may take: one of many small parts is slow to read, and need not be as large."""


class Costs(ConformanceBase):
    """Each test measures how time grows with size, not how long something takes."""

    def test_octets_one_by_one_cost_linear_time(self) -> None:
        """Four times the octets may take at most eight times as long."""
        vectors = [(_repeated(vector, 8192), _repeated(vector, 4 * 8192)) for vector in [*self.starting_over()][:1]]
        vectors += list(zip(self.large_vectors(8192), self.large_vectors(4 * 8192), strict=True))
        for small, big in vectors:
            self._check(small, big, 1, DEFAULT_LIMITS, "octet by octet")

    def test_a_large_message_costs_linear_time(self) -> None:
        """In small reads, as one that is buffered whole and as one that streams."""
        for index in range(len(self.large_vectors(1024))):
            for limits in (_BUFFERED, _STREAMED):
                small, big = self._sized(index, limits)
                self._check(small, big, _READ, limits, f"in reads of {_READ}")

    def _sized(self, index: int, limits: Limits) -> tuple[Vector, Vector]:
        """The large vectors with that index: as large as can be measured in a short time."""
        probe = self.large_vectors(_PROBE)[index]
        size = min(_LARGE, int(_PROBE * _SHORT / max(self._cost(_READ, limits, probe), 1e-6)))
        size = max(size, _PROBE // 2)
        return self.large_vectors(size)[index], self.large_vectors(4 * size)[index]

    def _check(self, small: Vector, big: Vector, read: int, limits: Limits, how: str) -> None:
        # A protocol may have no message so large: what is compared is what there is.
        most = _MOST * max(1.0, big.size / max(small.size, 1) / 4)
        times = growth(partial(self._cost, read, limits), small, big, most)
        assert times <= most, (
            f"{small.name}, {how}: {big.size} octets take {times:.1f} times as long as {small.size}; "
            f"linear is about {big.size / max(small.size, 1):.0f}, and {most:.0f} is the most: is something copied or looked at again "
            "at each read?"
        )

    def _cost(self, read: int, limits: Limits, vector: Vector) -> float:
        pieces = vector.octet_by_octet().pieces if read == 1 else vector.split(*range(0, vector.size, read)).pieces
        session = self.open(limits)
        start = time.process_time()
        try:
            for sender, octets in pieces:
                for _event in session.receive(sender, octets):
                    pass
        except ProtocolError:
            pass
        return time.process_time() - start

    def test_a_gap_costs_linear_time(self) -> None:
        """What is looked for behind a gap is found, or not, in a time that follows the octets: in one read and in many."""
        for vector in self.vectors[:: max(1, len(self.vectors) // 4)]:
            for sender in Sender:
                again = vector.octets(sender)[len(vector.octets(sender)) // 2 :]
                if not again:
                    continue
                small, big = (again * (size // len(again) + 1) for size in (1 << 14, 1 << 16))
                for most in (1 << 30, 16):
                    times = growth(partial(self._cost_after_gap, sender, most), small, big, _MOST, 0.002)
                    where = f"{vector.name}, {sender.value}, reads of {most}"
                    assert times <= _MOST, f"{where}: four times the octets take {times:.1f} times as long"

    def _cost_after_gap(self, sender: Sender, most: int, octets: bytes) -> float:
        session = self.open()
        start = time.process_time()
        try:
            for _event in session.gap(sender, 1):
                pass
            for at in range(0, len(octets), most):
                for _event in session.receive(sender, octets[at : at + most]):
                    pass
        except ProtocolError:
            pass
        return time.process_time() - start

    def test_detection_costs_linear_time(self) -> None:
        """Of whatever it is shown, even where that is more than it needs."""
        for sender in Sender:
            shown: dict[bytes, str] = {}
            for vector in self.vectors[:: max(1, len(self.vectors) // 6)]:
                octets = vector.octets(sender)
                for again in (octets, octets[len(octets) // 2 :], octets[-1:]):
                    if again:
                        shown[again] = vector.name
            small, big = ([(again * (size // len(again) + 1))[:size] for again in shown] for size in (1 << 13, 1 << 15))
            times = growth(partial(self._cost_of_detection, sender), small, big, _MOST)
            if times > _MOST:
                costs = {
                    self._cost_of_detection(sender, [octets]): name
                    for octets, name in zip(big, shown.values(), strict=True)
                }
                raise AssertionError(
                    f"{costs[max(costs)]}, of the {sender.value}: detect takes {times:.1f} times as long for four times the octets, "
                    f"{max(costs):.4f} s for {1 << 15}"
                )

    def _cost_of_detection(self, sender: Sender, shown: list[bytes]) -> float:
        detect = self.loaded().detect
        start = time.process_time()
        for octets in shown:
            if sender is Sender.CLIENT:
                detect(octets, b"")
            else:
                detect(b"", octets)
        return time.process_time() - start


_BUFFERED = Limits(head=8 << 20, message=8 << 20)
_STREAMED = Limits(head=2048, message=4096)


def _repeated(vector: Vector, size: int) -> Vector:
    """`vector` as often as it takes to have `size` octets."""
    return Vector(vector.name, vector.pieces * max(1, size // max(vector.size, 1)))
