"""What one session writes, as far as it is octets: what is ready, what waits and how much that is, and the message that streams."""

from __future__ import annotations

from mypy_extensions import i64, mypyc_attr

from l7codecs.endpoint.asking import Piece
from l7codecs.errors import LimitExceeded
from l7codecs.limits import REFUSED_AT, Limits
from l7codecs.message import Message
from l7codecs.pairing.retention import let_go

__all__ = ["Writing"]


@mypyc_attr(allow_interpreted_subclasses=True)
class Writing:
    """Octets in the order in which they are written, and a bound on those that wait. What is due when, subclasses say."""

    def __init__(self, limits: Limits) -> None:
        self._limit: i64 = limits.queued
        self._refused_at: i64 = min(limits.queued * REFUSED_AT, 2**62)
        self._asked_at_most: i64 = min(limits.pending * REFUSED_AT, 2**62)
        self._open: dict[Message, Piece] | None = None
        """By head: what waits and has not come to its end."""
        self._streaming: Message | None = None
        """The head that is written and whose end is not, as the caller knows it."""
        self._out: list[bytes] = []
        """What could be written, were it not for `paused`."""
        self._queued: i64 = 0
        self._paused = False
        self._error: LimitExceeded | None = None
        self.stuck = False
        """A message is written in part, and its rest will not come: nothing can be written any more."""

    # What subclasses say.

    def _waits(self) -> bool:
        """Whether anything waits for its turn."""
        return False

    def _release(self) -> None:
        """Write what is due."""

    # What waits.

    @property
    def streaming(self) -> Message | None:
        """The head that is written and whose end is not."""
        return self._streaming

    @property
    def queued(self) -> int:
        """Octets that wait, with those of memory that their messages keep beside them."""
        return self._queued

    @property
    def full(self) -> bool:
        """Whether more waits than there should."""
        return self._queued >= self._limit

    @property
    def paused(self) -> bool:
        """While it is set, nothing is returned but by `output` after it was reset."""
        return self._paused

    @paused.setter
    def paused(self, paused: bool) -> None:
        self._paused = paused

    def output(self) -> bytes:
        """All that can be written now and was not returned."""
        if self._paused or not self._out:
            return b""
        octets = self._out[0] if len(self._out) == 1 else b"".join(self._out)
        self._queued -= len(octets)
        self._out.clear()
        return octets

    def _write(self, octets: bytes, message: Message) -> bytes:
        """Write octets of `message`, and what is due then."""
        if self.stuck:
            return b""
        if not (self._paused or self._out or self._waits()):
            return octets
        self._out.append(octets)
        size: i64 = len(octets)
        if self._paused:
            self._count(size, message)
        else:
            self._queued += size
        self._release()
        return self.output()

    # Limits.

    def _check(self) -> None:
        if self._error is not None:
            raise self._error.with_traceback(None)  # else each time makes it longer

    def _check_room(self, size: i64, count: i64, message: Message) -> None:
        """Refuse `size` octets more of what asks, behind `count` that wait."""
        if self._queued + size > self._refused_at or count >= self._asked_at_most:
            raise LimitExceeded(
                message.offset,
                f"{count + 1} requests of {self._queued + size} octets that wait to be written",
                f"at most {REFUSED_AT} times limits.queued = {self._limit} octets, and {REFUSED_AT} times limits.pending",
            )

    def _count(self, size: i64, message: Message) -> None:
        """`size` octets more wait."""
        self._queued += size
        if self._queued > self._refused_at:
            self._error = LimitExceeded(
                message.offset,
                f"{self._queued} octets of answers that wait",
                f"at most {REFUSED_AT} times limits.queued = {self._limit}",
            )
            self._error.sender = message.sender
            raise self._error

    def _hold(self, piece: Piece) -> None:
        let_go(piece.message)
        if not piece.whole:
            if self._open is None:
                self._open = {}
            self._open[piece.original] = piece
        self._count(piece.kept, piece.message)

    def _closed(self, head: Message) -> None:
        """What waits has come to its end, or its turn has."""
        if self._open is not None:
            self._open.pop(head, None)
