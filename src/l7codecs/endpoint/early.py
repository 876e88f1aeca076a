"""Answers that came before it was their turn: what one session has to write later.

Nearly every answer is one message, written in the octets that it was read in. Where answers come in the order of the requests such a
one stands alone, by the place of its request among all that were asked, which costs neither an object nor a look-up:

    asked        a   b   c   d   e          place of the next to be answered: that of b
    answered     a       c       e
    by place         -   c   -   e

All others are found by their requests: pieces of what streams or was made here, and those to requests that have several answers.
"""

from __future__ import annotations

from collections import deque
from typing import Final, final

from mypy_extensions import i64

from l7codecs.endpoint.asking import Piece
from l7codecs.endpoint.held import AT_ONCE
from l7codecs.message import Message
from l7codecs.pairing.retention import Reads

__all__ = ["Early"]

_FEW: Final[i64] = 64
"""So many places that were passed stay in the list before they are taken out of it."""


@final
class Early:
    """What waits. Every call costs O(1) amortised."""

    def __init__(self) -> None:
        self.count: i64 = 0
        """How many requests have something here."""
        self.first: dict[Message, Piece] = {}
        """By request: what is not by place, the first of it."""
        self._behind: dict[Message, deque[Piece]] = {}
        self._whole: list[Message | None] = []
        """By place, from `_base` on."""
        self._base: i64 = 0
        self._whole_count: i64 = 0
        self._reads: Reads | None = None
        """What those by place lie in."""

    # By place.

    def keep(self, place: i64, head: i64, answer: Message) -> bool:
        """`answer` is the whole answer to the request at `place`, and the next to be answered is at `head`; False where it has one."""
        whole = self._whole
        if self._whole_count == 0:
            self._base = head
        at = place - self._base
        size: i64 = len(whole)
        if at < size:
            if at < 0 or whole[at] is not None:
                return False
            whole[at] = answer
        else:
            while size < at:
                whole.append(None)
                size += 1
            whole.append(answer)
        self._whole_count += 1
        self.count += 1
        reads = self._reads
        if reads is None:
            reads = Reads(AT_ONCE)
            self._reads = reads
        if answer.octets is not reads.latest and reads.add(answer.octets):
            reads.gather([each for each in whole if each is not None])
        return True

    def has_at(self, place: i64) -> bool:
        """Whether the request at `place` has a whole answer there."""
        at = place - self._base
        return self._whole_count > 0 and 0 <= at < len(self._whole) and self._whole[at] is not None

    def take_at(self, place: i64) -> Message | None:
        """The whole answer to the request at `place`, which waits no longer."""
        if self._whole_count == 0:
            return None
        whole = self._whole
        at = place - self._base
        size: i64 = len(whole)
        if at < 0 or at >= size:
            return None
        answer = whole[at]
        if answer is None:
            return None
        self.count -= 1
        self._whole_count -= 1
        if self._whole_count == 0:
            whole.clear()
            if self._reads is not None:
                self._reads.clear()
        else:
            whole[at] = None
        return answer

    def take_next(self, head: i64) -> Message | None:
        """As `take_at`, of the next to be answered: nothing before it waits."""
        answer = self.take_at(head)
        if answer is not None:
            at = head - self._base
            if at >= _FEW and 2 * at >= len(self._whole):
                del self._whole[: at + 1]
                self._base = head + 1
        return answer

    # By request.

    def add(self, request: Message, piece: Piece) -> None:
        """`piece` answers `request`, behind what does so already."""
        if request not in self.first:
            self.first[request] = piece
            self.count += 1
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
            self.count -= 1
        return piece

    def take_all(self, request: Message) -> list[Piece]:
        """All that answers `request`, which waits no longer."""
        if request not in self.first:
            return []
        pieces = [self.first.pop(request)]
        self.count -= 1
        if self._behind and request in self._behind:
            pieces.extend(self._behind.pop(request))
        return pieces
