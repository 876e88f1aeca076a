"""Sessions of rooms that write a changed message anew, and gather it first where its first octets say something of the last.

    GatheringSession     what is gathered is part of what waits: its size, giving up, the end
    RewritingSession     requests with numbers: a message is written in place of the one that came, or with another number

A room of the second kind says how a message changes (`RewritingSession.rewritten`) and how octets are read again (`reread`).
"""

from __future__ import annotations

from typing import ClassVar, Final

from mypy_extensions import mypyc_attr

from l7codecs.decoder import Decoder
from l7codecs.endpoint.changes import Changes
from l7codecs.endpoint.gathering import Gathered, Gathering
from l7codecs.kinds import Kind, Sender
from l7codecs.limits import DEFAULT_LIMITS, Limits
from l7codecs.message import Data, Event, Flow, Message
from l7codecs.pairing.numbering import StrictPairing
from l7codecs.session import Session

__all__ = ["GatheringSession", "RewritingSession"]

_NO_CHANGES: Final = Changes()


@mypyc_attr(allow_interpreted_subclasses=True)
class GatheringSession(Session):
    """A session that gathers large messages (``self.gathering``)."""

    def __init__(
        self,
        flow: Flow,
        client: Decoder,
        server: Decoder,
        limits: Limits = DEFAULT_LIMITS,
        endpoint: Sender | None = None,
    ) -> None:
        super().__init__(flow, client, server, limits, endpoint)
        self.gathering = Gathering(limits)

    def send_gathered(self, found: Gathered) -> bytes:
        """The octets to write of a large message that has come as a whole."""
        raise NotImplementedError

    def send_rest(self, event: Event) -> bytes:
        if self.gathering.size and isinstance(event, Data) and self.gathering.has(event):
            found = self.gathering.add(event)
            return b"" if found is None else self.send_gathered(found)
        return super().send_rest(event)

    @property
    def queued(self) -> int:
        return super().queued + self.gathering.size

    def answer(self, request: Message, reply: Message) -> bytes:
        octets = super().answer(request, reply)
        self.gathering.drop_answer(request)
        return octets

    def cancel(self, request: Message) -> bytes:
        if self.gathering.drop(request):
            return b""  # nothing of it was written, and nothing of its rest will be
        return super().cancel(request)

    def unanswered(self) -> list[Message]:
        return super().unanswered() + self.gathering.requests()

    def abandoned(self) -> list[Message]:
        found = super().abandoned()
        if self.closing:
            found += [head for head in self.gathering.requests() if head not in found and not head.settled]
            self.gathering.clear()
        return found


@mypyc_attr(allow_interpreted_subclasses=True)
class RewritingSession(GatheringSession):
    """A session of a protocol that pairs by number, whose messages change in their octets.

    Subclasses set ``number_attribute``, the attribute that is a message's number, and write `rewritten` and `reread`.
    """

    number_attribute: ClassVar[str] = ""

    def rewritten(self, message: Message, changes: Changes) -> Message | None:
        """`message` with `changes`; None where it has to come as a whole first. Raises `Unsupported` and ValueError."""
        raise NotImplementedError

    def reread(self, head: Message, octets: bytes) -> Message:
        """The message that began with `head`, all of whose `octets` have come."""
        raise NotImplementedError

    def send_message(self, message: Message, changes: Changes | None) -> bytes:
        if changes is None:
            if message.more and self._needs_whole(message):
                self.gathering.begin(message, _NO_CHANGES)
                return b""
            return self.pass_on(message)
        made = self.rewritten(message, changes)
        if made is None or (made.more and self._needs_whole(made)):
            self.gathering.begin(message, changes)
            return b""
        return self._send_in_place(message, made, changes)

    def _needs_whole(self, message: Message) -> bool:
        """Whether `message`, which has only begun, may get another number here that cannot be written before the last of it has come."""
        sender = message.sender
        decoder = self.decoder(sender)
        number = message.request_id
        if decoder.fed or not isinstance(number, int):
            return False
        request = message.request
        if request is None or request.sender is sender:
            asks = decoder.asks
            if not isinstance(asks, StrictPairing) or (self._asks_at_once(sender) and asks.keeps_number(message)):
                return False
        else:
            answers = decoder.answers
            if not isinstance(answers, StrictPairing) or answers.own_number(message) == answers.own_number(request):
                return False
        return message.renumbered(number) is None

    def _asks_at_once(self, sender: Sender) -> bool:
        """Whether nothing waits that `sender` asks here, and that comes before what it asks next."""
        order = self._order_of(sender)
        return order is None or not order.asking

    def send_gathered(self, found: Gathered) -> bytes:
        made = self.rewritten(self.reread(found.head, found.octets), found.changes)
        assert made is not None
        return self._send_in_place(found.head, made, found.changes)

    def _send_in_place(self, message: Message, made: Message, changes: Changes) -> bytes:
        """What can be written now of `made`, which is written in place of `message`, or of what began with it."""
        sender = message.sender
        if not self.keeps_books(sender):
            return made.raw
        order = self._order_of(sender) or self._begin_order(sender)
        request = message.request
        if request is None or request.sender is sender:
            if made.more and made.kind is Kind.RESPONSE:  # what follows belongs to `message`
                return order.push(message, made.raw)
            return self.pass_on(made, message)
        table = self.decoder(sender).answers
        octets = made.raw
        if isinstance(table, StrictPairing):
            if not table.waits(request):
                octets = b""
            elif self.number_attribute not in changes.attributes:
                octets = table.restored(made, request)
        return order.answer(request, message if made.more else made, octets)
