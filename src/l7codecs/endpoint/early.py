"""Answers that came before it was their turn: what one session has to write later, by the request that is answered."""

from __future__ import annotations

from collections import deque
from typing import final

from l7codecs.endpoint.asking import Piece
from l7codecs.message import Message

__all__ = ["Early"]


@final
class Early:
    """Nearly every answer is one message, so that stands alone; only what follows another of the same request is in a queue."""

    def __init__(self) -> None:
        self.first: dict[Message, Piece] = {}
        """By request; empty where nothing waits."""
        self._behind: dict[Message, deque[Piece]] = {}

    def add(self, request: Message, piece: Piece) -> None:
        """`piece` answers `request`, behind what does so already."""
        if request not in self.first:
            self.first[request] = piece
            return
        pieces = self._behind.get(request)
        if pieces is None:
            pieces = deque()
            self._behind[request] = pieces
        pieces.append(piece)

    def take(self, request: Message) -> Piece | None:
        """The first that answers `request`, which waits no longer."""
        piece = self.first.get(request)
        if piece is None:
            return None
        if self._behind and request in self._behind:
            pieces = self._behind[request]
            self.first[request] = pieces.popleft()
            if not pieces:
                del self._behind[request]
        else:
            del self.first[request]
        return piece

    def take_all(self, request: Message) -> list[Piece]:
        """All that answers `request`, which waits no longer."""
        if request not in self.first:
            return []
        pieces = [self.first.pop(request)]
        if self._behind and request in self._behind:
            pieces.extend(self._behind.pop(request))
        return pieces
