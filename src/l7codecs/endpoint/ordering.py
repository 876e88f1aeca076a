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

from l7codecs.endpoint.asking import Asking, Piece
from l7codecs.endpoint.early import Early
from l7codecs.endpoint.held import Held
from l7codecs.errors import LimitExceeded, Unsupported
from l7codecs.kinds import Kind, Sender
from l7codecs.limits import REFUSED_AT, Limits
from l7codecs.message import Data, Message
from l7codecs.pairing.lanes import LanePairing
from l7codecs.pairing.numbering import StrictPairing
from l7codecs.pairing.quiet import QuietPairing
from l7codecs.pairing.retention import let_go
from l7codecs.pairing.tables import NO_PAIRING, FifoPairing, PairingTable

__all__ = ["AnswerOrder"]

_RESPONSE: Final = Kind.RESPONSE
_HEARTBEAT: Final = Kind.HEARTBEAT
_REQUEST: Final = Kind.REQUEST
_CLIENT: Final = Sender.CLIENT


@mypyc_attr(allow_interpreted_subclasses=True)
class AnswerOrder:
    """What one session writes: answers to the requests in `waiting`, which it has received, and what it asks, which `asks` remembers."""

    def __init__(self, waiting: PairingTable, limits: Limits, asks: PairingTable = NO_PAIRING) -> None:
        self._waiting = waiting
        self._lanes = isinstance(waiting, LanePairing)
        """Answers that have an id are in no order."""
        in_order = waiting.by_order if isinstance(waiting, LanePairing) else waiting
        self._fifo = in_order if isinstance(in_order, FifoPairing) else None
        self._quiet = waiting if isinstance(waiting, QuietPairing) and waiting.strict else None
        self._strict = waiting if isinstance(waiting, StrictPairing) else None
        self._asks = asks
        self._in_order = asks is NO_PAIRING or isinstance(asks, (FifoPairing, QuietPairing))
        """What is asked is known by its place."""
        self._limit: i64 = limits.queued
        self._refused_at: i64 = min(limits.queued * REFUSED_AT, 2**62)
        self._asked_at_most: i64 = min(limits.pending * REFUSED_AT, 2**62)
        self._early = Early()
        self._pushed: deque[Piece] | None = None
        """Pushes, and answers that have numbers, that wait for the end of a message."""
        self._asking: Asking | None = None
        """What asks, and waits for the end of a message or for a number."""
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
        self.wary = False
        """Something that was asked is given up, and may not be asked again while it is owed an answer."""

    # What a room may add.

    def begun(self, message: Message) -> None:
        """The first octets of an answer or a push are written. A room overrides it where an answer does more than answer."""
        if message.kind is _RESPONSE:
            if self._fifo is not None and not self._lanes:
                self._fifo.pop()
            elif self._strict is None:
                self._waiting.answered(message)

    def asked(self, message: Message, original: Message) -> bytes | None:
        """The octets of `message`, which asks in place of `original` and is written now; None: its own. Its books are kept."""
        return self._asks.asks(message, original)

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
        if self._queued >= self._limit:
            return True
        asking = self._asking
        return asking is not None and (self._asks.pending + asking.count) * REFUSED_AT >= self._asked_at_most

    @property
    def paused(self) -> bool:
        """While it is set, nothing is returned but by `output` after it was reset."""
        return self._paused

    @paused.setter
    def paused(self, paused: bool) -> None:
        self._paused = paused

    def holds(self, request: Message) -> bool:
        """Whether a whole answer to `request` waits for its turn."""
        piece = self._early.first.get(request)
        return piece is not None and piece.whole

    @property
    def asking(self) -> bool:
        """Whether anything waits to be asked, or is asked in part."""
        return self._asking is not None or self._streaming is not None

    def unwritten(self) -> list[Message]:
        """What asks, and nothing of which is written."""
        return [] if self._asking is None else self._asking.requests()

    # What is given to write.

    def passes(self, message: Message) -> bool:
        """Whether `message` is written as it is and at once, as nearly all are; then its books are kept.

        What waited for it is `due` then. Of what asks and has only begun others have to see more.
        """
        if (
            self._streaming is not None
            or self._pushed
            or self._asking is not None
            or self._out
            or self._paused
            or self.stuck
            or self._error is not None
        ):
            return False
        kind = message.kind
        if kind is _REQUEST:
            if (
                message.more
                or self.wary
                or self._early.first
                or self._asks.exhausted
                or not (self._in_order or self._stays(message))
            ):
                return False
            self.asked(message, message)
            return True
        fifo = self._fifo
        request = message.request
        if kind is not _RESPONSE or fifo is None or request is None or fifo.head() is not request:
            return False
        if request in self._early.first or not self.as_read(message):
            return False
        self.begun(message)
        if message.more:
            self._streaming = message
        return True

    def goes_on(self, data: Data) -> bool:
        """Whether `data` is written at once, as it is, since its head is written and nothing waits."""
        if data.message is not self._streaming or (
            self._paused
            or self._out
            or self._pushed
            or self._early.first
            or self._asking is not None
            or self.stuck
            or self._error is not None
        ):
            return False
        if not data.more:
            self._streaming = None
        return True

    def as_read(self, message: Message) -> bool:
        """Whether `message`, which answers, is written here in the octets that it was read in."""
        return True

    def _stays(self, message: Message) -> bool:
        """Whether `message`, which asks, goes by its own number, and its answer is told from others by that."""
        asks = self._asks
        return (
            isinstance(asks, StrictPairing)
            and asks.is_alone(message)
            and not asks.owes(message)
            and asks.refuses(message) is None
        )

    def keeps(self, message: Message) -> bool:
        """Whether `message`, which does not pass, is a whole answer that waits for its turn from now on, as nearly all do then."""
        fifo = self._fifo
        request = message.request
        if (
            fifo is None
            or request is None
            or message.more
            or message.kind is not _RESPONSE
            or self._lanes
            or self._asking is not None
            or self._streaming is not None
            or self._error is not None
            or fifo.head() is request
            or not fifo.waits(request)
            or not self.as_read(message)
        ):
            return False
        piece = Piece(message, message, message.raw)
        self._answer_later(request, piece)
        self._hold(piece)
        return True

    @property
    def due(self) -> bool:
        """Whether anything that waited may be written, now that something `passes`."""
        return bool(self._early.first)

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
        if not self._early.first:
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
        self._drop(request)
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

    def ask(self, message: Message, original: Message) -> bytes:
        """`message` asks, or belongs to what asks, and is written in place of `original`: as soon as what came before it is.

        Raises, before anything changes, `LimitExceeded` where it is too much to wait, `Unsupported` where nothing can be written any more.
        """
        self._check()
        if self.stuck:
            raise Unsupported("a message that was written in part will not end here: send it on another connection")
        if self._asks.exhausted:
            raise LimitExceeded(
                message.offset, "a request more than may wait for an answer", "an endpoint that is not `full`"
            )
        if not self._in_order:
            self._check_apart(original)
        asking = self._asking
        if self._streaming is None and asking is None and self._asks.ready(message):
            octets = self.asked(message, original)
            self._rename(message, original)
            if octets is None:
                octets = message.raw
            if message.more and octets:
                self._streaming = original
            return self._write(octets, message)
        if original is self._streaming:
            raise Unsupported("this message is being written here")
        piece = Piece(message, original, message.raw)
        size = piece.kept
        if asking is None:
            self._check_room(size, self._asks.pending, message)
            asking = Asking()
            self._asking = asking
        else:
            self._check_room(size, self._asks.pending + asking.count, message)
            if (message.more or not isinstance(self._asks, FifoPairing)) and asking.has(original):
                raise Unsupported("this message waits here already to be written")
        asking.add(piece)
        self._hold(piece)
        return self.output()

    def _check_apart(self, original: Message) -> None:
        """Raise `Unsupported` where the answer to `original` could not be told from another's."""
        if original.kind is not _REQUEST and original.kind is not _HEARTBEAT:
            return
        if isinstance(self._asks, StrictPairing) and self._asks.owes(original):
            raise Unsupported("this request is under way here: send it again when it is answered, or elsewhere")
        why = self._asks.refuses(original)
        if why is not None:
            raise Unsupported(why)

    def _rename(self, message: Message, original: Message) -> None:
        """`message` was asked in place of `original`: whoever looks for it finds it."""
        asks = self._asks
        if message is not original and isinstance(asks, FifoPairing):
            asks.rename(original, message)

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

    def withdraw(self, original: Message) -> None:
        """What asks is given up: nothing more of it is written."""
        if original is self._streaming:
            self._streaming = None
            self.stuck = True
        asking = self._asking
        if asking is None or not asking.has(original):
            return
        for piece in asking.withdraw(original):
            self._queued -= piece.kept
        self._closed(original)
        if asking.count == 0:
            self._asking = None

    def give_up(self) -> list[Message]:
        """What asks and waits will not be written: returns it, once."""
        asking = self._asking
        if asking is None:
            return []
        self._asking = None
        for piece in asking.pieces():
            self._queued -= piece.kept
            self._closed(piece.original)
        return asking.requests()

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

    def output(self) -> bytes:
        """All that can be written now and was not returned."""
        if self._asking is not None and self._streaming is None:
            self._release()  # numbers may be free again
        if self._paused or not self._out:
            return b""
        octets = self._out[0] if len(self._out) == 1 else b"".join(self._out)
        self._queued -= len(octets)
        self._out.clear()
        return octets

    def take_due(self, held: Held) -> None:
        """Give `held` all that can be written now, where nothing is `paused`."""
        self._release()
        for octets in self._out:
            self._queued -= len(octets)
            held.add(octets)
        self._out.clear()

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
        if self._early.first and self._quiet is not None:
            self._settle(self._quiet, message)
        self._start(message)
        if message.more:
            self._streaming = message
        return self._write(octets, message)

    def _start(self, message: Message) -> None:
        fifo = self._fifo
        if not self._early.first or fifo is None:
            self.begun(message)
            if self._early.first and message.request is not None:
                self._drop(message.request)
            return
        head = fifo.head()
        self.begun(message)
        if head is not None and fifo.head() is not head:
            self._drop(head)  # nothing more answers it

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

    def _write(self, octets: bytes, message: Message) -> bytes:
        """Write octets of `message`, and what is due then."""
        if self.stuck:
            return b""
        if not (self._paused or self._out or self._pushed or self._early.first or self._asking is not None):
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
        """Write what is due: pushes first, then what asks, then answers, as long as none has still to come to its end."""
        while self._streaming is None and not self.stuck:
            if self._pushed:
                self._due(self._pushed.popleft())
                continue
            if self._asking is not None and self._ask_next():
                continue
            fifo = self._fifo
            early = self._early.first
            if not early:
                return
            head = fifo.head() if fifo is not None else self._quiet.due(early) if self._quiet is not None else None
            piece = None if head is None else self._early.take(head)
            if piece is None:
                return
            self._due(piece)

    def _ask_next(self) -> bool:
        """Write the next of what asks, if it can be."""
        asking = self._asking
        piece = None if asking is None else asking.first()
        if asking is None or piece is None:
            return False
        message = piece.message
        answers = message.kind is _RESPONSE
        if not answers and not self._asks.ready(message):
            return False
        asking.take(piece)
        if asking.count == 0:
            self._asking = None
        if answers:
            self._answer_in_turn(piece)
            return True
        original = piece.original
        octets = self.asked(message, original)
        self._rename(message, original)
        if octets is None:
            octets = piece.parts[0]
        if not piece.whole:
            self._closed(original)
        if octets:
            self._queued += len(octets) - len(piece.parts[0])
            piece.parts[0] = octets
            if not piece.whole:
                self._streaming = original
            self._out.extend(piece.parts)
        else:
            self._queued -= piece.size  # it belongs to what waits no longer
        self._queued -= piece.beside
        return True

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
        if self._early.first and self._quiet is not None:
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

    def _drop(self, request: Message) -> None:
        """Forget what waits of answers to `request`."""
        for piece in self._early.take_all(request):
            self._queued -= piece.kept
            self._closed(piece.message)
