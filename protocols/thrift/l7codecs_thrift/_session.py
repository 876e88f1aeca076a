"""One Thrift connection: both decoders, the pairing of both directions, changes and answers."""

from __future__ import annotations

from typing import Final, final

from l7codecs import (
    Changes,
    Kind,
    Limits,
    Message,
    PairingTable,
    Sender,
    Status,
    Unsupported,
)
from l7codecs.endpoint.rewriting import RewritingSession
from l7codecs.message import Flow
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
class ThriftSession(RewritingSession):
    """One Thrift connection."""

    number_attribute = SEQID

    def __init__(self, flow: Flow, limits: Limits, endpoint: Sender | None = None) -> None:
        asked, asked_back = _tables(limits, endpoint)
        writer = Rewriter()
        client = ThriftDecoder(flow, Sender.CLIENT, limits, asked, asked_back, writer)
        server = ThriftDecoder(flow, Sender.SERVER, limits, asked_back, asked, writer)
        super().__init__(flow, client, server, limits, endpoint)

    # Changes.

    def rewritten(self, message: Message, changes: Changes) -> Message | None:
        if not isinstance(message, ThriftMessage):
            raise Unsupported(f"this is no message of Thrift: {message!r}")
        octets = changed(message, Given(changes))
        return None if octets is None else reread(message, octets, message.more)

    def reread(self, head: Message, octets: bytes) -> Message:
        assert isinstance(head, ThriftMessage)
        return reread(head, octets, False)

    def send_message(self, message: Message, changes: Changes | None) -> bytes:
        if message.kind is Kind.RESPONSE and self.keeps_books(message.sender):
            self._doubt_overtaken(message)
        return super().send_message(message, changes)

    def _doubt_overtaken(self, answer: Message) -> None:
        """Calls of this client that were overtaken at the server may never be answered: they wait no longer."""
        table = self.decoder(answer.sender).answers
        if not isinstance(table, StrictPairing):
            return
        first = table.first
        while isinstance(first, ThriftMessage) and first.is_overtaken and first is not answer.request:
            table.doubt(first)
            first = table.first

    # Answers.

    def reply_error(self, request: Message, status: Status, text: str) -> bytes:
        """As everywhere: a TApplicationException with the type for `status`, and `text`, as the request came."""
        if not isinstance(request, ThriftMessage) or request.kind is not Kind.REQUEST:
            raise Unsupported("only a call can be answered with an error")
        reply = error_reply(request, status, text, self.decoder(request.sender.other).buffer.offset)
        return self.answer(request, reply)
