"""After loss: how many requests wait for their answers, where answers come in the order of the requests.

A request makes it one more, an answer one less; what is not known is where the count began. `Alignment` keeps every count that is still
possible, as the bits of one number, and strikes out those that what is seen rules out:

    seen                      possible counts (the latest request first)
    ────────────────────────  ──────────────────────────────────────────────────────────────
    octets lost               0 1 2 3 …, as many as were lost at most; without end after a join
    a request                 each is one more
    an answer                 not 0: something waited. Not n, if the n-th latest request cannot be answered so; else one less

- Where the counts have an end, one that is left is proven.
- Where they have none, one that is left is believed once every count up to `BEYOND` more has been tried on requests that were seen, and has
  failed, and the answers tell at least `EVIDENCE` bits: what they are differs from what most of the latest requests could have had.

What an answer can tell is one of `SHAPES` shapes, given by the protocol. Every call costs O(`SHAPES`), and at most twice `SPAN` requests
are kept.
"""

from __future__ import annotations

from math import log2
from typing import Final, final

from mypy_extensions import i64

from l7codecs.message import Message

__all__ = ["ANY_SHAPE", "BEYOND", "EVIDENCE", "SHAPES", "SPAN", "Alignment"]

SHAPES: Final = 12
"""Shapes of answers that are told apart."""
ANY_SHAPE: Final[i64] = -1
"""Of an answer that any request can have."""
SPAN: Final = 62
"""Requests that are kept, and counts that are told apart."""
BEYOND: Final[i64] = 17
"""How many counts beyond the one that is left have to be ruled out by requests that were seen."""
EVIDENCE: Final = 24.0
"""Bits that the answers have to tell where the counts have no end."""

_RECENT: Final[i64] = 32
_FULL: Final = (1 << 62) - 1
_TOP: Final = 1 << 61
_LOW: Final[list[int]] = [(1 << count) - 1 for count in range(SPAN + 1)]
"""By number: a number with so many of its lowest bits set. (Compiled, a literal that is shifted has 32 bits.)"""


@final
class Alignment:
    """The counts of waiting requests that are possible."""

    def __init__(self) -> None:
        self._requests: list[Message] = []
        self._fits: list[int] = [0] * SHAPES
        """For each shape: bit n is set where the (n + 1)-th latest request can be answered so."""
        self._alive = _FULL
        self._open = True
        self._seen: i64 = 0
        self._evidence = 0.0
        self._last: i64 = ANY_SHAPE

    def begin(self, most: i64) -> None:
        """From 0 to `most` requests wait (-1: any number), none of which was seen."""
        self._requests.clear()
        self._fits = [0] * SHAPES
        self._seen = 0
        self._evidence = 0.0
        self._last = ANY_SHAPE
        self._open = most < 0 or most >= SPAN
        self._alive = _FULL if self._open else _LOW[most + 1]

    def restrict(self, most: i64) -> None:
        """From 0 to `most` of the requests that were seen wait."""
        self._open = most >= SPAN
        self._alive = _FULL if self._open else _LOW[most + 1]

    def widen(self, more: i64) -> None:
        """Up to `more` further requests (-1: any number) were lost, which came after all that were seen."""
        if more == 0:
            return
        if more < 0 or self._open or self._alive.bit_length() + more > SPAN:
            self.begin(-1)
            return
        # A count of what was seen before says nothing any more of which request is which.
        most: i64 = self._alive.bit_length() - 1
        self.begin(most + more)

    def lessen(self) -> None:
        """Any number of answers was lost."""
        if self._open:
            self._alive = _FULL
        else:
            self._alive = _LOW[self._alive.bit_length()]
        self._evidence = 0.0
        self._last = ANY_SHAPE

    def asked(self, request: Message, shapes: i64) -> None:
        """A request is seen that can be answered in the `shapes` whose bits are set."""
        requests = self._requests
        requests.append(request)
        if len(requests) >= 2 * SPAN:
            del requests[:SPAN]
        if self._seen < SPAN:
            self._seen += 1
        fits = self._fits
        for shape in range(SHAPES):
            fits[shape] = ((fits[shape] << 1) | ((shapes >> shape) & 1)) & _FULL
        if self._alive & _TOP:
            self._open = True
        self._alive = (self._alive << 1) & _FULL

    def answered(self, shape: i64) -> None:
        """An answer is seen, of the number of its shape."""
        alive = self._alive & ~1
        if shape >= 0:
            fits = self._fits[shape]
            unseen = _FULL & ~_LOW[min(self._seen + 1, SPAN)]
            alive &= (fits << 1) | unseen
            recent = min(self._seen, _RECENT)
            if shape != self._last and recent > 1:
                fitting = (fits & _LOW[recent]).bit_count()
                if fitting > 0:
                    self._evidence += log2(recent / fitting)
            self._last = shape
        alive >>= 1
        if self._open:
            alive |= _TOP
        elif alive == 0:
            # Something was not as it was taken for.
            self.begin(-1)
            return
        self._alive = alive

    def certain(self) -> i64:
        """How many requests wait, all of which were seen; -1 while that is not certain."""
        alive = self._alive
        seen = self._seen
        if self._open:
            if self._evidence < EVIDENCE:
                return -1
            alive &= _LOW[seen]
        if alive & (alive - 1) or alive == 0:
            return -1
        count: i64 = alive.bit_length() - 1
        if count > seen or (self._open and seen < count + BEYOND):
            return -1
        return count

    def latest(self, count: i64) -> list[Message]:
        """The latest `count` requests."""
        requests = self._requests
        return requests[max(len(requests) - count, 0) :]
