"""One Dubbo connection: both decoders, ids of both directions, changes and answers."""

from __future__ import annotations

from typing import Final, final

from l7codecs import (
    AnswerOrder,
    Changes,
    IdPairing,
    Kind,
    Limits,
    Message,
    Pairing,
    PairingTable,
    Sender,
    Session,
    Status,
    Unsupported,
)
from l7codecs.endpoint.gathering import Gathered, Gathering
from l7codecs.message import Data, Event, Flow
from l7codecs.pairing.numbering import StrictPairing
from l7codecs.protocol import pairings

from ._change.answers import RPC_EXCEPTION, error_reply, exception_reply, heartbeat_reply, read_only
from ._change.given import REQUEST_ID
from ._change.messages import changed, remade
from ._wire.decoders import DubboDecoder
from ._wire.events import DubboEvent
from ._wire.messages import DubboMessage
from ._wire.requests import DubboRequest

__all__ = ["ID_BITS", "DubboSession"]

ID_BITS: Final = 64


def _tables(limits: Limits, endpoint: Sender | None) -> tuple[PairingTable, PairingTable]:
    """What the client asks and what the server asks: each side counts for itself, 64 bits long, so no id comes twice."""
    if endpoint is None:
        return IdPairing(limits.pending, limits.waiting, True), IdPairing(limits.pending, limits.waiting, True)
    return pairings(Pairing.ID, ID_BITS, limits, endpoint)


@final
class DubboSession(Session):
    """One Dubbo connection."""

    def __init__(self, flow: Flow, limits: Limits, endpoint: Sender | None = None) -> None:
        asked, asked_back = _tables(limits, endpoint)
        client = DubboDecoder(flow, Sender.CLIENT, limits, asked, asked_back)
        super().__init__(flow, client, DubboDecoder(flow, Sender.SERVER, limits, asked_back, asked), limits, endpoint)
        self._gathering = Gathering(limits)

    # Changes.

    def send_message(self, message: Message, changes: Changes | None) -> bytes:
        if changes is None or not isinstance(message, DubboMessage):
            return self.pass_on(message)
        octets = changed(message, changes)
        if octets is None:
            self._gathering.begin(message, changes)
            return b""
        return self._send_changed(message, remade(message, octets, message.more), changes)

    def _send_changed(self, message: Message, made: DubboMessage, changes: Changes) -> bytes:
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
            elif REQUEST_ID not in changes.attributes:
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
        assert isinstance(head, DubboMessage)
        whole = remade(head, found.octets, False)
        octets = changed(whole, found.changes)
        assert octets is not None
        return self._send_changed(head, remade(whole, octets, False), found.changes)

    @property
    def queued(self) -> int:
        return super().queued + self._gathering.size

    # Answers.

    def reply_error(self, request: Message, status: Status, text: str) -> bytes:
        """As everywhere: an answer of Dubbo's status for `status`, with `text`, in the request's serialization (see the README)."""
        asked = self._asked(request)
        return self._reply(asked, error_reply(asked, status, text, self.decoder(asked.sender.other).buffer.offset))

    def reply_exception(self, request: Message, message: str, name: str = RPC_EXCEPTION) -> bytes:
        """As `reply_error`, with an exception of the Java class `name` in the body: the result of the call, which nobody tries again.

        A consumer that does not have the class gets another error. Raises `Unsupported`, and ValueError for a name that is none.
        """
        asked = self._asked(request)
        return self._reply(asked, exception_reply(asked, name, message, self.decoder(asked.sender.other).buffer.offset))

    def _asked(self, request: Message) -> DubboRequest:
        if not isinstance(request, DubboRequest):
            raise Unsupported("only a call can be answered with an error")
        return request

    def reply_heartbeat(self, heartbeat: Message) -> bytes:
        if not isinstance(heartbeat, DubboEvent) or heartbeat.kind is not Kind.HEARTBEAT:
            raise Unsupported("only an event that asks for an answer is a heartbeat")
        return self._reply(heartbeat, heartbeat_reply(heartbeat, self.decoder(heartbeat.sender.other).buffer.offset))

    def _reply(self, request: Message, reply: Message) -> bytes:
        octets = self.answer(request, reply)
        self._gathering.drop_answer(request)
        return octets

    # The end.

    def close(self) -> bytes:
        """As everywhere; to a consumer the read-only event, behind what is being written: it sends no new calls."""
        if self._closed or self.endpoint is not Sender.SERVER:
            return super().close()
        self._closed = True
        octets = self.pending_output()
        order = self._order_of(Sender.SERVER) or self._begin_order(Sender.SERVER)
        event = read_only(self.flow, self.limits, self.decoder(Sender.SERVER).buffer.offset)
        return octets + self.flush(order.push(event, event.raw))

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
