"""What one session asks, beside what it answers: written in the order in which it came, when its number is free (`PairingTable.ready`).

Its books are kept then. What waits for that, or for the end of a message, is `Asking`; a request that is too much to wait is refused.
"""

from __future__ import annotations

from typing import Final

from mypy_extensions import mypyc_attr

from l7codecs.endpoint.asking import Asking, Piece
from l7codecs.endpoint.writing import Writing
from l7codecs.errors import LimitExceeded, Unsupported
from l7codecs.kinds import Kind
from l7codecs.limits import REFUSED_AT, Limits
from l7codecs.message import Message
from l7codecs.pairing.numbering import StrictPairing
from l7codecs.pairing.quiet import QuietPairing
from l7codecs.pairing.tables import NO_PAIRING, FifoPairing, PairingTable

__all__ = ["Requesting"]

_HEARTBEAT: Final = Kind.HEARTBEAT
_REQUEST: Final = Kind.REQUEST
_RESPONSE: Final = Kind.RESPONSE


@mypyc_attr(allow_interpreted_subclasses=True)
class Requesting(Writing):
    """What one session writes, as far as it asks: `asks` remembers it."""

    def __init__(self, limits: Limits, asks: PairingTable) -> None:
        super().__init__(limits)
        self._asks = asks
        self._in_order = asks is NO_PAIRING or isinstance(asks, (FifoPairing, QuietPairing))
        """What is asked is known by its place."""
        self._asking: Asking | None = None
        """What asks, and waits for the end of a message or for a number."""
        self.wary = False
        """Something that was asked is given up, and may not be asked again while it is owed an answer."""

    # What a room may add.

    def asked(self, message: Message, original: Message) -> bytes | None:
        """The octets of `message`, which asks in place of `original` and is written now; None: its own. Its books are kept."""
        return self._asks.asks(message, original)

    # What subclasses say.

    def _answer_in_turn(self, piece: Piece) -> None:
        """`piece`, an answer, has waited for what its sender asked before it."""

    # What waits.

    @property
    def asking(self) -> bool:
        """Whether anything waits to be asked, or is asked in part."""
        return self._asking is not None or self._streaming is not None

    @property
    def full(self) -> bool:
        if self._queued >= self._limit:
            return True
        asking = self._asking
        return asking is not None and (self._asks.pending + asking.count) * REFUSED_AT >= self._asked_at_most

    def unwritten(self) -> list[Message]:
        """What asks, and nothing of which is written."""
        return [] if self._asking is None else self._asking.requests()

    def output(self) -> bytes:
        if self._asking is not None and self._streaming is None:
            self._release()  # numbers may be free again
        return super().output()

    # What is given to write.

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

    def _stays(self, message: Message) -> bool:
        """Whether `message`, which asks, goes by its own number, and its answer is told from others by that."""
        asks = self._asks
        return (
            isinstance(asks, StrictPairing)
            and asks.is_alone(message)
            and not asks.owes(message)
            and asks.refuses(message) is None
        )

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
