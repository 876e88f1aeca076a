"""What one session writes, in its order: answers as they were asked for, and no message inside another.

A client of a protocol that pairs by order may ask many times before it reads. What answers a later request, because it was made here
or another server was faster, waits until the requests before it are answered:

    asked        a          b          c
    answered     c (here)   a          b (here)   b (by the server: too late)
    written                 a          b c

- An answer to a request that waits no longer is late. Another was written in its place, so it is dropped, and its `Data` as well.
- Answers that have numbers are in no order, but for those to requests of one client that have the same (`StrictPairing.has_turn`).
- A message that streams is not interrupted: others wait for its end, be they answers, pushes, or what other clients ask.
- What asks is written in the order in which it came, when its number is free (`PairingTable.ready`). Its books are kept then.
- What waits is counted in octets (`AnswerOrder.queued`). From ``limits.queued`` on the order is `AnswerOrder.full`, and the caller holds
  back; `REFUSED_AT` times as much of answers is a `LimitExceeded`, then and at every later call; a request that is more is refused. Nothing
  overtakes and nothing is forgotten.

Every call costs O(1) amortised, beside the octets that it returns.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from mypy_extensions import i64, mypyc_attr

from l7codecs.endpoint.asking import Piece
from l7codecs.endpoint.early import Early
from l7codecs.endpoint.held import Held
from l7codecs.endpoint.requesting import Requesting
from l7codecs.errors import LimitExceeded
from l7codecs.kinds import Kind, Sender
from l7codecs.limits import Limits
from l7codecs.message import Data, Message
from l7codecs.pairing.lanes import LanePairing
from l7codecs.pairing.numbering import StrictPairing
from l7codecs.pairing.quiet import QuietPairing
from l7codecs.pairing.retention import beside, let_go
from l7codecs.pairing.tables import NO_PAIRING, FifoPairing, PairingTable

__all__ = ["AnswerOrder"]

_RESPONSE: Final = Kind.RESPONSE
_HEARTBEAT: Final = Kind.HEARTBEAT
_REQUEST: Final = Kind.REQUEST
_CLIENT: Final = Sender.CLIENT


@mypyc_attr(allow_interpreted_subclasses=True)
class AnswerOrder(Requesting):
    """What one session writes: answers to the requests in `waiting`, which it has received, and what it asks, which `asks` remembers."""

    def __init__(self, waiting: PairingTable, limits: Limits, asks: PairingTable = NO_PAIRING) -> None:
        super().__init__(limits, asks)
        self._waiting = waiting
        self._lanes = isinstance(waiting, LanePairing)
        """Answers that have an id are in no order."""
        in_order = waiting.by_order if isinstance(waiting, LanePairing) else waiting
        self._fifo = in_order if isinstance(in_order, FifoPairing) else None
        self._quiet = waiting if isinstance(waiting, QuietPairing) and waiting.strict else None
        self._strict = waiting if isinstance(waiting, StrictPairing) else None
        self._early = Early()
        self._pushed: deque[Piece] | None = None
        """Pushes, and answers that have numbers, that wait for the end of a message."""

    # What a room may add.

    def begun(self, message: Message) -> None:
        """The first octets of an answer or a push are written. A room overrides it where an answer does more than answer."""
        if message.kind is _RESPONSE:
            if self._fifo is not None and not self._lanes:
                self._fifo.pop()
            elif self._strict is None:
                self._waiting.answered(message)

    # What waits.

    def _waits(self) -> bool:
        return bool(self._pushed) or self._early.count > 0 or self._asking is not None

    def holds(self, request: Message) -> bool:
        """Whether a whole answer to `request` waits for its turn."""
        piece = self._early.first.get(request)
        if piece is None:
            fifo = self._fifo
            return fifo is not None and self._early.has_at(fifo.place_of(request))
        return piece.whole

    # What is given to write.

    def takes(self, message: Message, held: Held) -> bool:
        """Whether no more than this is to be done with `message`, as with nearly all; then its books are kept.

        It is written as it is and at once: `held` is given it, and what waited for it. Or it is whole and waits for its turn from now on.
        Of what asks and has only begun others have to see more.
        """
        if (
            self._streaming is not None
            or self._asking is not None
            or self._error is not None
            or self._paused
            or self.stuck
            or self._out
            or self._pushed
        ):
            return False
        kind = message.kind
        early = self._early
        if kind is _REQUEST:
            if (
                message.more
                or self.wary
                or early.count > 0
                or self._asks.exhausted
                or not (self._in_order or self._stays(message))
            ):
                return False
            self.asked(message, message)
            held.add_span(message.octets, message.start, message.stop)
            return True
        fifo = self._fifo
        request = message.request
        if kind is not _RESPONSE or fifo is None or request is None or not self.as_read(message):
            return False
        if fifo.head() is not request:
            return not message.more and not self._lanes and self._keeps(fifo, request, message)
        if early.count > 0 and (early.has_at(fifo.place) or (early.first and request in early.first)):
            return False
        self.begun(message)
        held.add_span(message.octets, message.start, message.stop)
        if message.more:
            self._streaming = message
        elif early.count > 0:
            self._take_due(fifo, held)
        return True

    def goes_on(self, data: Data) -> bool:
        """Whether `data` is written at once, as it is, since its head is written and nothing waits."""
        if data.message is not self._streaming or (
            self._paused
            or self._out
            or self._pushed
            or self._early.count > 0
            or self._asking is not None
            or self.stuck
            or self._error is not None
        ):
            return False
        if not data.more:
            self._streaming = None
        return True

    def _keeps(self, fifo: FifoPairing, request: Message, message: Message) -> bool:
        """Whether `message`, the whole answer to `request`, waits for its turn from now on, by its place."""
        place = fifo.place_of(request)
        head = fifo.place
        early = self._early
        if head < 0 or place <= head or (early.first and request in early.first):
            return False
        if not early.keep(place, head, message):
            return False
        self._count(message.kept, message)
        return True

    def _take_due(self, fifo: FifoPairing, held: Held) -> None:
        """Give `held` what waited for that which was written."""
        early = self._early
        while True:
            answer = early.take_next(fifo.place)
            if answer is None:
                break
            self._queued -= answer.kept
            held.add_span(answer.octets, answer.start, answer.stop)
            self.begun(answer)
        if not early.first:
            return
        self._release()
        for octets in self._out:
            self._queued -= len(octets)
            held.add(octets)
        self._out.clear()

    def as_read(self, message: Message) -> bool:
        """Whether `message`, which answers, is written here in the octets that it was read in."""
        return True

    def answer(self, request: Message | None, message: Message, octets: bytes) -> bytes:
        """`message` answers `request`, in `octets`; returns what can be written now. Without a request it answers the next one."""
        self._check()
        if request is None:
            return self.push(message, octets)
        fifo = self._fifo
        quiet = self._quiet
        if (fifo is None and quiet is None) or (self._lanes and message.request_id is not None):
            strict = self._strict
            if strict is not None:
                return self._answer_by_number(strict, request, message, octets)
            return self.push(message, octets)
        if quiet is not None and quiet.settle(request):
            self._release()  # late; but what was made here in its place need wait for nobody before it any more
            return self.output()
        behind = self._comes_behind(message)
        if self._turn(request):
            if self._streaming is None and not behind:
                return self._begin(message, octets)
        elif not (self._waiting.waits(request) if fifo is None else fifo.waits(request)):
            return self._late(message)
        piece = Piece(message, message, octets)
        if behind and self._asking is not None:
            self._asking.add(piece)
        else:
            self._answer_later(request, piece)
        self._hold(piece)
        return self.output()

    def _answer_by_number(self, strict: StrictPairing, request: Message, message: Message, octets: bytes) -> bytes:
        """As `answer`, where numbers tell what is answered."""
        if not strict.waits(request):
            return b""  # late
        if not strict.has_turn(request):
            piece = Piece(message, message, octets)
            self._answer_later(request, piece)
            self._hold(piece)
            return self.output()
        if message.last:
            strict.take(request)
        octets = self.push(message, octets)
        if self._early.count == 0:
            return octets
        self._push_turned(strict)
        return octets + self.output()

    def _push_turned(self, strict: StrictPairing) -> None:
        """Answers whose turn has come are written as soon as no message would be interrupted."""
        while True:
            request = strict.next_turned()
            if request is None:
                break
            pieces = self._early.take_all(request)
            if not pieces:
                continue
            if pieces[-1].message.last:
                strict.take(request)
            if self._pushed is None:
                self._pushed = deque()
            self._pushed.extend(pieces)
        self._release()

    def _turn(self, request: Message) -> bool:
        """Whether it is the turn of `request` to be answered."""
        if self._fifo is not None:
            return self._fifo.head() is request
        return self._quiet is not None and self._quiet.turn(request)

    def _answer_later(self, request: Message, piece: Piece) -> None:
        """`piece` answers `request` when it is its turn."""
        whole = None if self._fifo is None else self._early.take_at(self._fifo.place_of(request))
        if whole is not None:
            let_go(whole)
            self._early.add(request, Piece(whole, whole, whole.raw))
        self._early.add(request, piece)
        if self._quiet is not None:
            self._quiet.held(request)

    def _comes_behind(self, message: Message) -> bool:
        """Whether the client sent it behind what it asked and what waits: only heartbeats are answered sooner."""
        asking = self._asking
        if asking is None or message.sender is not _CLIENT or not asking.has_of(message.connection):
            return False
        return message.request is None or message.request.kind is not _HEARTBEAT

    def replace(self, request: Message, message: Message, octets: bytes) -> bytes:
        """As `answer`, in place of any that has begun to come and waits; it was made here, and says nothing of who was asked before."""
        self._drop(request, -1 if self._fifo is None else self._fifo.place_of(request))
        quiet = self._quiet
        if quiet is None or message.more or self._error is not None or not quiet.holds_back(request):
            return self.answer(request, message, octets)
        piece = Piece(message, message, octets)
        self._answer_later(request, piece)
        self._hold(piece)
        return self.output()

    def push(self, message: Message, octets: bytes) -> bytes:
        """`message` has no place in an order: it is written as soon as no message would be interrupted."""
        self._check()
        behind = self._comes_behind(message)
        if self._streaming is None and not behind:
            return self._begin(message, octets)
        piece = Piece(message, message, octets)
        if behind and self._asking is not None:
            self._asking.add(piece)
        else:
            if self._pushed is None:
                self._pushed = deque()
            self._pushed.append(piece)
        self._hold(piece)
        return self.output()

    def insert(self, message: Message, octets: bytes) -> bytes:
        """`octets` that say something of `message` are written as soon as no message would be interrupted."""
        self._check()
        if self._streaming is None:
            return self._write(octets, message)
        piece = Piece(message, message, octets)
        piece.whole = True
        if self._pushed is None:
            self._pushed = deque()
        self._pushed.append(piece)
        self._hold(piece)
        return self.output()

    def rest(self, data: Data) -> bytes:
        """Further octets of a message; returns what can be written now. Nothing, of a message that is not written."""
        self._check()
        head = data.message
        if head is self._streaming:
            if not data.more:
                self._streaming = None
            return self._write(data.raw, head)
        piece = self._open.get(head) if self._open is not None else None
        if piece is None:
            return b""  # of a late answer, or of a request that is refused or given up
        octets = data.raw
        size: i64 = len(octets)
        if self._asking is not None and self._asking.has(head):
            self._check_room(size, 0, head)
        piece.parts.append(octets)
        piece.size += size
        if not data.more:
            piece.whole = True
            self._closed(head)
        self._count(size, head)
        return b""

    # Limits.

    def _late(self, message: Message) -> bytes:
        """An answer to a request that does not wait: it was answered, unless it could not be remembered."""
        if self._fifo is not None and self._fifo.skipping:
            self._error = LimitExceeded(
                message.offset,
                "an answer to a request that was forgotten",
                "at most limits.pending requests that wait, or a session with `endpoint`",
            )
            self._error.sender = message.sender
            raise self._error
        return b""

    # What is written.

    def _begin(self, message: Message, octets: bytes) -> bytes:
        """Write a message whose turn it is, and what waited for it."""
        if self._quiet is not None and self._early.first:
            self._settle(self._quiet, message)
        self._start(message)
        if message.more:
            self._streaming = message
        return self._write(octets, message)

    def _start(self, message: Message) -> None:
        """The first octets of `message` are written: nothing that waits answers the same request, unless it has several answers."""
        fifo = self._fifo
        if self._early.count == 0 or fifo is None:
            self.begun(message)
            if self._early.count > 0 and message.request is not None:
                self._drop(message.request, -1)
            return
        head = fifo.head()
        place = fifo.place
        self.begun(message)
        if head is not None and fifo.place != place:
            self._drop(head, place)

    def _settle(self, quiet: QuietPairing, message: Message) -> None:
        """Answers that were held back until a later one tells who stayed silent go before `message`, which does."""
        while message.request is not None:
            request = quiet.settled_by(message.request)
            if request is None:
                return
            for piece in self._early.take_all(request):
                self.begun(piece.message)
                self._out.extend(piece.parts)
                self._queued -= piece.beside

    def _release(self) -> None:
        """Write what is due: pushes first, then what asks, then answers, as long as none has still to come to its end."""
        while self._streaming is None and not self.stuck:
            if self._pushed:
                self._due(self._pushed.popleft())
                continue
            if self._asking is not None and self._ask_next():
                continue
            if self._early.count == 0:
                return
            fifo = self._fifo
            whole = None if fifo is None else self._early.take_next(fifo.place)
            if whole is not None:
                self._start(whole)
                self._out.append(whole.raw)
                self._queued -= beside(whole)
                continue
            early = self._early.first
            head = fifo.head() if fifo is not None else self._quiet.due(early) if self._quiet is not None else None
            piece = None if head is None else self._early.take(head)
            if piece is None:
                return
            self._due(piece)

    def _answer_in_turn(self, piece: Piece) -> None:
        """An answer that has waited for what its sender asked before it."""
        message = piece.message
        request = message.request
        in_order = (self._fifo is not None or self._quiet is not None) and not (
            self._lanes and message.request_id is not None
        )
        if request is None or not in_order or self._turn(request):
            self._due(piece)
        elif self._waiting.waits(request):
            self._answer_later(request, piece)
        else:
            self._queued -= piece.kept  # late
            self._closed(message)

    def _due(self, piece: Piece) -> None:
        """Write what waited."""
        message = piece.message
        if self._quiet is not None and self._early.first:
            self._settle(self._quiet, message)
        self._start(message)
        if not piece.whole:
            self._closed(message)
            self._streaming = message
        if len(piece.parts) == 1:
            self._out.append(piece.parts[0])
        else:
            self._out.extend(piece.parts)
        self._queued -= piece.beside

    def _drop(self, request: Message, place: i64) -> None:
        """Forget what waits of answers to `request`, which is at `place`, where it has one."""
        for piece in self._early.take_all(request):
            self._queued -= piece.kept
            self._closed(piece.message)
        whole = self._early.take_at(place)
        if whole is not None:
            self._queued -= whole.kept
