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
from l7codecs.message import Data, Event, Flow
from l7codecs.pairing.numbering import StrictPairing

from ._change.answers import error_reply
from ._change.given import SEQID, Given
from ._change.rewriting import Rewriter, changed, note_method, with_method_back
from ._meaning.messages import ThriftMessage
from ._meaning.pairing import ThriftPairing
from ._meaning.words import HTTP
from ._transport.decoders import ThriftDecoder
from ._transport.rereading import reread
from ._transport.zlib_stream import Packer

__all__ = ["ID_BITS", "ThriftSession"]

_ONEWAY: Final = Kind.ONEWAY
_REQUEST: Final = Kind.REQUEST
_RESPONSE: Final = Kind.RESPONSE
_CLIENT: Final = Sender.CLIENT
_SERVER: Final = Sender.SERVER
ID_BITS: Final = 32
_NO_CHANGES: Final = Changes()


def _tables(limits: Limits, endpoint: Sender | None) -> tuple[PairingTable, PairingTable]:
    """What the client asks and what the server asks."""
    if endpoint is None:
        return ThriftPairing(limits), ThriftPairing(limits)
    client, server = [StrictPairing(limits, ID_BITS, False, asks is endpoint, True, True) for asks in Sender]
    return client, server


@final
class ThriftSession(RewritingSession):
    """One Thrift connection."""

    number_attribute = SEQID

    def __init__(self, flow: Flow, limits: Limits, endpoint: Sender | None = None) -> None:
        self._packer: Packer | None = None
        """What is written here goes through it, once it is known that it has to."""
        self._knows_packing = False
        asked, asked_back = _tables(limits, endpoint)
        writer = Rewriter()
        client = ThriftDecoder(flow, _CLIENT, limits, asked, asked_back, writer)
        server = ThriftDecoder(flow, _SERVER, limits, asked_back, asked, writer)
        super().__init__(flow, client, server, limits, endpoint)

    # Changes.

    def rewritten(self, message: Message, changes: Changes) -> Message | None:
        if not isinstance(message, ThriftMessage):
            raise Unsupported(f"this is no message of Thrift: {message!r}")
        if message.inner is not None:
            raise Unsupported("a message within a stream of zlib changes at an endpoint alone, which writes the stream")
        given = Given(changes)
        octets = changed(message, given)
        note_method(message, given)
        return None if octets is None else reread(message, octets, message.more)

    def reread(self, head: Message, octets: bytes) -> Message:
        if not isinstance(head, ThriftMessage):
            raise Unsupported(f"this is no message of Thrift: {head!r}")
        return reread(head, octets, False)

    def send_message(self, message: Message, changes: Changes | None) -> bytes:
        request = message.request
        if request is not None and request.kind is _ONEWAY and self.keeps_books(message.sender):
            return self._send_unasked(message, changes)
        if message.kind is _RESPONSE and self.keeps_books(message.sender):
            self._doubt_overtaken(message)
            if isinstance(message, ThriftMessage):
                changes = with_method_back(message, changes)
        inner = message.inner if isinstance(message, ThriftMessage) else None
        if inner is not None and self.endpoint is not None and self.keeps_books(message.sender):
            octets = self._send_unpacked(message, inner, changes)
        else:
            octets = super().send_message(message, changes)
        if isinstance(message, ThriftMessage) and message.transport_id == HTTP and self.endpoint is message.sender:
            if message.kind is _REQUEST or message.kind is _ONEWAY:
                server = self.decoder(message.sender.other)
                assert isinstance(server, ThriftDecoder)
                server.posted(message)
        if not self._knows_packing and self.endpoint is not None:
            self._learn_packing(message, message.sender)
        return octets

    def put(self, event: Event, changes: Changes | None = None) -> None:
        # What is packed, or posted, does not pass as it lies in its read: `send_message` writes it.
        if isinstance(event, ThriftMessage) and (
            event.inner is not None or event.transport_id == HTTP or self._packer is not None or not self._knows_packing
        ):
            octets = self._octets(event, changes)
            if octets:
                self._hold(octets)
            return
        super().put(event, changes)

    def _send_unasked(self, answer: Message, changes: Changes | None) -> bytes:
        """What can be written now of `answer`, to a one-way call over HTTP, which no order has."""
        made = answer if changes is None else self.rewritten(answer, changes)
        if made is None:
            raise Unsupported("an answer that comes in pieces cannot be changed here")
        order = self._order_of(answer.sender) or self._begin_order(answer.sender)
        return order.push(answer, made.raw)

    def send_rest(self, event: Event) -> bytes:
        if isinstance(event, Data) and self.endpoint is not None:
            head = event.message
            if isinstance(head, ThriftMessage) and head.inner is not None and self.keeps_books(event.sender):
                event = Data(head, event.offset, event.payload, event.more)
        return super().send_rest(event)

    # Streams of zlib: what goes into one is written as it is inside, whatever it comes from, and packed on its way out.

    def _learn_packing(self, message: Message, writer: Sender) -> None:
        """Whether what `writer` says here is packed: as the other side does, or, before that has spoken, as `message` is."""
        if not self.keeps_books(writer):
            return
        self._knows_packing = True
        peer = self.decoder(writer.other)
        assert isinstance(peer, ThriftDecoder)
        if peer.packs if peer.fed else isinstance(message, ThriftMessage) and message.inner is not None:
            self._packer = Packer()
            self._holds = True

    def _send_unpacked(self, message: Message, inner: ThriftMessage, changes: Changes | None) -> bytes:
        if changes is None:
            changes = _NO_CHANGES
            made = inner
        else:
            given = Given(changes)
            octets = changed(inner, given)
            note_method(message, given)
            if octets is None:
                raise Unsupported("a large message that is packed in a stream of zlib cannot be changed")
            made = reread(inner, octets, inner.more)
        return self._send_in_place(message, made, changes)

    def flush(self, octets: bytes) -> bytes:
        packer = self._packer
        if packer is None:
            return super().flush(octets)
        found = super().flush(octets)
        self._holds = True
        return packer.pack(found) if found else b""

    def _pause(self, paused: bool) -> None:
        super()._pause(paused)
        if self._packer is not None:
            self._holds = True

    def _doubt_overtaken(self, answer: Message) -> None:
        """Calls of this client that were overtaken at the server may never be answered: they wait no longer."""
        table = self.decoder(answer.sender).answers
        if not isinstance(table, StrictPairing):
            return
        request = answer.request
        first = table.first
        while isinstance(first, ThriftMessage) and first.is_overtaken and first is not request:
            if request is not None and table.own_number(first) == table.own_number(request):
                return  # its client knows answers by their order, and calls without an answer have ids of their own
            table.doubt(first)
            first = table.first

    def abandoned(self) -> list[Message]:
        """As everywhere; of calls that were overtaken, which may be one-way calls, none."""
        server = self.decoder(_SERVER)
        table = server.answers
        left: list[Message] = []
        if isinstance(table, StrictPairing) and (server.ended or server.error is not None):
            for each in table.doubted():
                if isinstance(each, ThriftMessage) and not each.is_overtaken and not each.settled:
                    left.append(each)
        return left + super().abandoned()

    # Answers.

    def reply_error(self, request: Message, status: Status, text: str) -> bytes:
        """As everywhere: a TApplicationException with the type for `status`, and `text`, as the request came."""
        if not isinstance(request, ThriftMessage) or request.kind is not _REQUEST:
            raise Unsupported("only a call can be answered with an error")
        if not self._knows_packing:
            self._learn_packing(request, request.sender.other)
        reply = error_reply(request, status, text, self.decoder(request.sender.other).buffer.offset)
        return self.answer(request, reply)
