"""Answers in the order of the requests, for a session that writes them to a client.

A client of a protocol that pairs by order may ask many times before it reads. What answers a later request, because it was made here
or another server was faster, waits until the requests before it are answered:

    asked        a          b          c
    answered     c (here)   a          b (here)   b (by the server: too late)
    written                 a          b c

- An answer to a request that waits no longer is late. Another was written in its place, so it is dropped, and its `Data` as well.
- An answer that streams is not interrupted: others wait for its end, and so do pushes.
- What waits is counted in octets (`AnswerOrder.queued`). From ``limits.queued`` on the order is `AnswerOrder.full`, and the caller holds
  back; `REFUSED_AT` times as much is a `LimitExceeded`, then and at every later call. Nothing overtakes and nothing is forgotten.

Every call costs O(1) amortised, beside the octets that it returns.
"""

from __future__ import annotations

from collections import deque
from typing import final

from mypy_extensions import i64, mypyc_attr

from l7codecs.errors import LimitExceeded
from l7codecs.limits import REFUSED_AT, Limits
from l7codecs.message import Data, Kind, Message
from l7codecs.pairing import FifoPairing
from l7codecs.retention import let_go

__all__ = ["AnswerOrder"]


@final
class _Piece:
    """An answer or a push that waits for its turn, as far as it has come."""

    def __init__(self, message: Message, octets: bytes) -> None:
        self.message = message
        self.parts = [octets]
        self.size: i64 = len(octets)
        self.whole = not message.more


@mypyc_attr(allow_interpreted_subclasses=True)
class AnswerOrder:
    """The answers that one session writes, in the order of the requests in `waiting`, which it has received."""

    def __init__(self, waiting: FifoPairing, limits: Limits) -> None:
        self._waiting = waiting
        self._limit: i64 = limits.queued
        self._refused_at: i64 = min(limits.queued * REFUSED_AT, 2**62)
        self._early: dict[Message, deque[_Piece]] = {}
        """By request: answers that came before it was their turn."""
        self._pushed: deque[_Piece] | None = None
        """Pushes that wait for the end of an answer."""
        self._open: dict[Message, _Piece] = {}
        """By head: what waits and has not come to its end."""
        self._streaming: Message | None = None
        """The head that is written and whose end is not."""
        self._out: list[bytes] = []
        """What could be written, were it not for `paused`."""
        self._queued: i64 = 0
        self._paused = False
        self._error: LimitExceeded | None = None

    def begun(self, message: Message) -> None:
        """The first octets of an answer or a push are written. A room overrides it where an answer does more than answer."""
        if message.kind is Kind.RESPONSE:
            self._waiting.pop()

    @property
    def queued(self) -> int:
        """Octets that wait."""
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

    def holds(self, request: Message) -> bool:
        """Whether a whole answer to `request` waits for its turn."""
        pieces = self._early.get(request)
        return pieces is not None and pieces[0].whole

    def answer(self, request: Message | None, message: Message, octets: bytes) -> bytes:
        """`message` answers `request`, in `octets`; returns what can be written now. Without a request it answers the next one."""
        self._check()
        if request is None:
            return self.push(message, octets)
        waiting = self._waiting
        if waiting.head() is request:
            if self._streaming is None:
                return self._begin(message, octets)
        elif not waiting.waits(request):
            return self._late(message)
        piece = _Piece(message, octets)
        pieces = self._early.get(request)
        if pieces is None:
            pieces = deque()
            self._early[request] = pieces
        pieces.append(piece)
        self._hold(piece)
        return self.output()

    def replace(self, request: Message, message: Message, octets: bytes) -> bytes:
        """As `answer`, in place of any that has begun to come and waits."""
        self._drop(request)
        return self.answer(request, message, octets)

    def push(self, message: Message, octets: bytes) -> bytes:
        """`message` answers nothing: it is written as soon as no answer would be interrupted."""
        self._check()
        if self._streaming is None:
            return self._begin(message, octets)
        piece = _Piece(message, octets)
        if self._pushed is None:
            self._pushed = deque()
        self._pushed.append(piece)
        self._hold(piece)
        return self.output()

    def rest(self, data: Data) -> bytes:
        """Further octets of an answer or a push; returns what can be written now."""
        self._check()
        head = data.message
        if head is self._streaming:
            if not data.more:
                self._streaming = None
            return self._write(data.raw, head)
        piece = self._open.get(head)
        if piece is None:
            return b""  # of a late answer
        octets = data.raw
        piece.parts.append(octets)
        piece.size += len(octets)
        if not data.more:
            piece.whole = True
            del self._open[head]
        self._count(len(octets), head)
        return b""

    def output(self) -> bytes:
        """All that can be written now and was not returned."""
        if self._paused or not self._out:
            return b""
        octets = self._out[0] if len(self._out) == 1 else b"".join(self._out)
        self._queued -= len(octets)
        self._out.clear()
        return octets

    def _check(self) -> None:
        if self._error is not None:
            raise self._error.with_traceback(None)  # else each time makes it longer

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

    def _hold(self, piece: _Piece) -> None:
        let_go(piece.message)
        if not piece.whole:
            self._open[piece.message] = piece
        self._count(piece.size, piece.message)

    def _late(self, message: Message) -> bytes:
        """An answer to a request that does not wait: it was answered, unless it could not be remembered."""
        if self._waiting.skipping:
            self._error = LimitExceeded(
                message.offset,
                "an answer to a request that was forgotten",
                "at most limits.pending requests that wait, or a session with `endpoint`",
            )
            self._error.sender = message.sender
            raise self._error
        return b""

    def _begin(self, message: Message, octets: bytes) -> bytes:
        """Write a message whose turn it is, and what waited for it."""
        self._start(message)
        if message.more:
            self._streaming = message
        return self._write(octets, message)

    def _start(self, message: Message) -> None:
        if not self._early:
            self.begun(message)
            return
        head = self._waiting.head()
        self.begun(message)
        if head is not None and self._waiting.head() is not head:
            self._drop(head)  # nothing more answers it

    def _write(self, octets: bytes, message: Message) -> bytes:
        """Write octets of `message`, and what is due then."""
        if not (self._paused or self._out or self._pushed or self._early):
            return octets
        self._out.append(octets)
        size: i64 = len(octets)
        if self._paused:
            self._count(size, message)
        else:
            self._queued += size
        self._release()
        return self.output()

    def _release(self) -> None:
        """Write what is due: pushes first, then answers, as long as none has still to come to its end."""
        while self._streaming is None:
            if self._pushed:
                self._due(self._pushed.popleft())
                continue
            head = self._waiting.head() if self._early else None
            pieces = self._early.get(head) if head is not None else None
            if head is None or pieces is None:
                return
            piece = pieces.popleft()
            if not pieces:
                del self._early[head]
            self._due(piece)

    def _due(self, piece: _Piece) -> None:
        """Write what waited."""
        message = piece.message
        self._start(message)
        if not piece.whole:
            del self._open[message]
            self._streaming = message
        self._out.extend(piece.parts)

    def _drop(self, request: Message) -> None:
        """Forget what waits of answers to `request`."""
        pieces = self._early.pop(request, None)
        if pieces is not None:
            for piece in pieces:
                self._queued -= piece.size
                self._open.pop(piece.message, None)
