"""What asks and waits to be written: for the end of a message that streams, or for a number.

It is written in the order in which it came, and so is what belongs between two requests of one connection. What is given up meanwhile is
never written, and keeps no place.
"""

from __future__ import annotations

from collections import deque
from typing import Final, final

from mypy_extensions import i64

from l7codecs.kinds import Kind
from l7codecs.message import Flow, Message
from l7codecs.pairing.retention import beside

__all__ = ["Asking", "Piece"]

_FEW: Final[i64] = 64
"""So many that were given up may stay in the queue before they are taken out of it."""


@final
class Piece:
    """A message that waits for its turn, as far as it has come."""

    def __init__(self, message: Message, original: Message, octets: bytes) -> None:
        self.message = message
        self.original = original
        """What the caller knows it as; another where it was changed."""
        self.parts = [octets]
        self.size: i64 = len(octets)
        """Octets to be written; and those of memory that the message keeps beside its own."""
        self.beside = beside(message) if message is original else beside(message) + beside(original)
        self.whole = not message.more
        self.dropped = False

    @property
    def kept(self) -> i64:
        """All octets that it keeps."""
        return self.size + self.beside


@final
class Asking:
    """What waits, in its order. Every call costs O(1) amortised."""

    def __init__(self) -> None:
        self._pieces: deque[Piece] = deque()
        self._by: dict[Message, list[Piece]] = {}
        """By what the caller knows it as; one that was given several times waits as often."""
        self._from: dict[Flow, int] = {}
        """How many of each connection wait."""
        self.count: i64 = 0
        """How many wait."""

    def add(self, piece: Piece) -> None:
        """`piece` comes behind all that wait."""
        self._pieces.append(piece)
        self.count += 1
        known = self._by.get(piece.original)
        if known is None:
            self._by[piece.original] = [piece]
        else:
            known.append(piece)
        flow = piece.original.connection
        self._from[flow] = self._from.get(flow, 0) + 1

    def first(self) -> Piece | None:
        """The next of them; None where there is none."""
        pieces = self._pieces
        while pieces and pieces[0].dropped:
            pieces.popleft()
        return pieces[0] if pieces else None

    def take(self, piece: Piece) -> None:
        """`piece`, the first, waits no longer."""
        self._pieces.popleft()
        known = self._by[piece.original]
        if len(known) == 1:
            del self._by[piece.original]
        else:
            del known[0]
        self._leave(piece)

    def withdraw(self, original: Message) -> list[Piece]:
        """`original` is given up, as often as it waits; returns what waited of it."""
        found = self._by.pop(original, None)
        if found is None:
            return []
        for piece in found:
            piece.dropped = True
            piece.parts = []
            self._leave(piece)
        gone: i64 = len(self._pieces) - self.count
        if gone > _FEW and gone > self.count:
            self._pieces = deque([each for each in self._pieces if not each.dropped])
        return found

    def _leave(self, piece: Piece) -> None:
        self.count -= 1
        flow = piece.original.connection
        left = self._from[flow] - 1
        if left == 0:
            del self._from[flow]
        else:
            self._from[flow] = left

    def has(self, original: Message) -> bool:
        """Whether `original` waits."""
        return original in self._by

    def has_of(self, connection: Flow) -> bool:
        """Whether anything that came on `connection` waits."""
        return connection in self._from

    def pieces(self) -> list[Piece]:
        """All that wait, in their order."""
        return [piece for piece in self._pieces if not piece.dropped]

    def requests(self) -> list[Message]:
        """Those that want an answer, as the caller knows them."""
        return [
            piece.original
            for piece in self._pieces
            if not piece.dropped and (piece.message.kind is Kind.REQUEST or piece.message.kind is Kind.HEARTBEAT)
        ]
