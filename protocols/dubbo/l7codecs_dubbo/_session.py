"""One Dubbo connection: both decoders, ids of both directions, changes and answers."""

from __future__ import annotations

from typing import Final, final

from l7codecs import (
    Changes,
    IdPairing,
    Kind,
    Limits,
    Message,
    Pairing,
    PairingTable,
    Sender,
    Status,
    Unsupported,
)
from l7codecs.endpoint.rewriting import RewritingSession
from l7codecs.message import Flow
from l7codecs.protocol import pairings

from ._change.answers import RPC_EXCEPTION, error_reply, exception_reply, heartbeat_reply, read_only
from ._change.given import REQUEST_ID
from ._change.messages import changed, remade
from ._wire.decoders import DubboDecoder
from ._wire.events import DubboEvent
from ._wire.messages import DubboMessage
from ._wire.requests import DubboRequest

__all__ = ["ID_BITS", "DubboSession"]

_HEARTBEAT: Final = Kind.HEARTBEAT
_CLIENT: Final = Sender.CLIENT
_SERVER: Final = Sender.SERVER
ID_BITS: Final = 64


def _tables(limits: Limits, endpoint: Sender | None) -> tuple[PairingTable, PairingTable]:
    """What the client asks and what the server asks: each side counts for itself, 64 bits long, so no id comes twice."""
    if endpoint is None:
        return IdPairing(limits.pending, limits.waiting, True), IdPairing(limits.pending, limits.waiting, True)
    return pairings(Pairing.ID, ID_BITS, limits, endpoint)


@final
class DubboSession(RewritingSession):
    """One Dubbo connection."""

    number_attribute = REQUEST_ID

    def __init__(self, flow: Flow, limits: Limits, endpoint: Sender | None = None) -> None:
        asked, asked_back = _tables(limits, endpoint)
        client = DubboDecoder(flow, _CLIENT, limits, asked, asked_back)
        super().__init__(flow, client, DubboDecoder(flow, _SERVER, limits, asked_back, asked), limits, endpoint)

    # Changes.

    def rewritten(self, message: Message, changes: Changes) -> Message | None:
        if not isinstance(message, DubboMessage):
            raise Unsupported(f"this is no message of Dubbo: {message!r}")
        octets = changed(message, changes)
        return None if octets is None else remade(message, octets, message.more)

    def reread(self, head: Message, octets: bytes) -> Message:
        if not isinstance(head, DubboMessage):
            raise Unsupported(f"this is no message of Dubbo: {head!r}")
        return remade(head, octets, False)

    # Answers.

    def reply_error(self, request: Message, status: Status, text: str) -> bytes:
        """As everywhere: an answer of Dubbo's status for `status`, with `text`, in the request's serialization (see the README)."""
        asked = self._asked(request)
        return self.answer(asked, error_reply(asked, status, text, self.decoder(asked.sender.other).buffer.offset))

    def reply_exception(self, request: Message, message: str, name: str = RPC_EXCEPTION) -> bytes:
        """As `reply_error`, with an exception of the Java class `name` in the body: the result of the call, which nobody tries again.

        A consumer that does not have the class gets another error. Raises `Unsupported`, and ValueError for a name that is none.
        """
        asked = self._asked(request)
        return self.answer(asked, exception_reply(asked, name, message, self.decoder(asked.sender.other).buffer.offset))

    def _asked(self, request: Message) -> DubboRequest:
        if not isinstance(request, DubboRequest):
            raise Unsupported("only a call can be answered with an error")
        return request

    def reply_heartbeat(self, heartbeat: Message) -> bytes:
        if not isinstance(heartbeat, DubboEvent) or heartbeat.kind is not _HEARTBEAT:
            raise Unsupported("only an event that asks for an answer is a heartbeat")
        return self.answer(heartbeat, heartbeat_reply(heartbeat, self.decoder(heartbeat.sender.other).buffer.offset))

    # The end.

    def close(self) -> bytes:
        """As everywhere; to a consumer the read-only event, behind what is being written: it sends no new calls."""
        if self._closed or self.endpoint is not _SERVER:
            return super().close()
        self._closed = True
        octets = self.pending_output()
        order = self._order_of(_SERVER) or self._begin_order(_SERVER)
        event = read_only(self.flow, self.limits, self.decoder(_SERVER).buffer.offset)
        return octets + self.flush(order.push(event, event.raw))
