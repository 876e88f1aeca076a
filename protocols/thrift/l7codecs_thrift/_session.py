"""One Thrift connection: both decoders, the pairing of both directions, changes and answers."""

from __future__ import annotations

from typing import Final, final

from l7codecs import (
    AnswerOrder,
    Changes,
    Kind,
    Limits,
    Message,
    PairingTable,
    Sender,
    Session,
    Status,
    Unsupported,
)
from l7codecs.endpoint.gathering import Gathered, Gathering
from l7codecs.message import Data, Event, Flow
from l7codecs.pairing.numbering import StrictPairing

from ._change.answers import error_reply
from ._change.given import SEQID, Given
from ._change.rewriting import Rewriter, changed
from ._meaning.messages import ThriftMessage
from ._meaning.pairing import ThriftPairing
from ._transport.decoders import ThriftDecoder
from ._transport.rereading import reread

__all__ = ["ID_BITS", "ThriftSession"]

ID_BITS: Final = 32


def _tables(limits: Limits, endpoint: Sender | None) -> tuple[PairingTable, PairingTable]:
    """What the client asks and what the server asks."""
    if endpoint is None:
        return ThriftPairing(limits), ThriftPairing(limits)
    client, server = [StrictPairing(limits, ID_BITS, False, asks is endpoint, True) for asks in Sender]
    return client, server


@final
class ThriftSession(Session):
    """One Thrift connection."""

    def __init__(self, flow: Flow, limits: Limits, endpoint: Sender | None = None) -> None:
        asked, asked_back = _tables(limits, endpoint)
        writer = Rewriter()
        client = ThriftDecoder(flow, Sender.CLIENT, limits, asked, asked_back, writer)
        server = ThriftDecoder(flow, Sender.SERVER, limits, asked_back, asked, writer)
        super().__init__(flow, client, server, limits, endpoint)
        self._gathering = Gathering(limits)

    # Changes.

    def send_message(self, message: Message, changes: Changes | None) -> bytes:
        if message.kind is Kind.RESPONSE and self.keeps_books(message.sender):
            self._doubt_overtaken(message)
        if changes is None or not isinstance(message, ThriftMessage):
            return self.pass_on(message)
        octets = changed(message, Given(changes))
        if octets is None:
            self._gathering.begin(message, changes)
            return b""
        return self._send_changed(message, reread(message, octets, message.more), changes)

    def _doubt_overtaken(self, answer: Message) -> None:
        """Calls of this client that were overtaken at the server may never be answered: they wait no longer."""
        table = self.decoder(answer.sender).answers
        if not isinstance(table, StrictPairing):
            return
        first = table.first
        while isinstance(first, ThriftMessage) and first.is_overtaken and first is not answer.request:
            table.doubt(first)
            first = table.first

    def _send_changed(self, message: Message, made: ThriftMessage, changes: Changes) -> bytes:
        """What can be written now of `made`, which is written in place of `message`, or of what began with it."""
        sender = message.sender
        if not self.keeps_books(sender):
            return made.raw
        request = message.request
        if request is None or request.sender is sender:
            if made.more and made.kind is Kind.RESPONSE:  # what follows belongs to `message`
                return self._order(sender).push(message, made.raw)
            return self.pass_on(made, message)
        table = self.decoder(sender).answers
        octets = made.raw
        if isinstance(table, StrictPairing):
            if not table.waits(request):
                octets = b""
            elif SEQID not in changes.attributes:
                octets = table.restored(made, request)
        return self._order(sender).answer(request, message if made.more else made, octets)

    def _order(self, sender: Sender) -> AnswerOrder:
        return self._order_of(sender) or self._begin_order(sender)

    def send_rest(self, event: Event) -> bytes:
        if self._gathering.size and isinstance(event, Data) and self._gathering.has(event):
            found = self._gathering.add(event)
            return b"" if found is None else self._send_gathered(found)
        return super().send_rest(event)

    def _send_gathered(self, found: Gathered) -> bytes:
        """A large message has come as a whole."""
        head = found.head
        assert isinstance(head, ThriftMessage)
        whole = reread(head, found.octets, False)
        octets = changed(whole, Given(found.changes))
        assert octets is not None
        return self._send_changed(head, reread(whole, octets, False), found.changes)

    @property
    def queued(self) -> int:
        return super().queued + self._gathering.size

    # Answers.

    def reply_error(self, request: Message, status: Status, text: str) -> bytes:
        """As everywhere: a TApplicationException with the type for `status`, and `text`, as the request came."""
        if not isinstance(request, ThriftMessage) or request.kind is not Kind.REQUEST:
            raise Unsupported("only a call can be answered with an error")
        reply = error_reply(request, status, text, self.decoder(request.sender.other).buffer.offset)
        octets = self.answer(request, reply)
        self._gathering.drop_answer(request)
        return octets

    # What is given up.

    def cancel(self, request: Message) -> bytes:
        if self._gathering.drop(request):
            return b""  # nothing of it was written, and nothing of its rest will be
        return super().cancel(request)

    def unanswered(self) -> list[Message]:
        return super().unanswered() + self._gathering.requests()

    def abandoned(self) -> list[Message]:
        found = super().abandoned()
        if self.closing:
            found += [head for head in self._gathering.requests() if head not in found and not head.settled]
            self._gathering.clear()
        return found
