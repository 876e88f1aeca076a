"""One HTTP/2 connection.

An observer (no ``endpoint``) forwards octets as they came, which is right for a relay of one connection to one other.
An endpoint encodes what it sends for its
own connection, and owes its peer acknowledgements and window updates: write `pending_output` after every `receive`, and at the start.
"""

from __future__ import annotations

from typing import final

from l7codecs import Changes, Kind, Limits, Message, Sender, Session, Status, Unsupported
from l7codecs.message import Data, Event, Flow

from ._changes import changed_fields
from ._connection import Connection
from ._decoder import Http2Decoder
from ._endpoint import Endpoint
from ._messages import FrameMessage, Http2Message

__all__ = ["Http2Session"]


@final
class Http2Session(Session):
    """One connection."""

    def __init__(self, flow: Flow, limits: Limits, endpoint: Sender | None = None) -> None:
        connection = Connection(flow, limits)
        client = Http2Decoder(flow, Sender.CLIENT, limits, connection)
        super().__init__(flow, client, Http2Decoder(flow, Sender.SERVER, limits, connection), limits, endpoint)
        self._connection = connection
        self._writer = Endpoint(connection, endpoint, limits) if endpoint is not None else None
        connection.endpoint = self._writer

    @property
    def pending(self) -> int:
        """Streams whose request has been seen and not answered to its end."""
        return self._connection.streams.count

    @property
    def queued(self) -> int:
        """Octets of bodies that were sent and wait for the peer's window: read less from the other side while they are many."""
        return 0 if self._writer is None else self._writer.queued

    def send_message(self, message: Message, changes: Changes | None) -> bytes:
        """Encode `message` for this connection; frames that concern the other connection only are nothing here."""
        writer = self._writer
        if writer is None:
            return super().send_message(message, changes)
        if isinstance(message, Http2Message):
            return writer.send_message(message, changed_fields(message, changes))
        if changes is not None:
            raise Unsupported(f"{message.operation} cannot be changed")
        if isinstance(message, FrameMessage) and message.kind is Kind.RESET:
            return writer.send_reset(message)
        return b""

    def send_rest(self, event: Event) -> bytes:
        writer = self._writer
        if writer is not None and isinstance(event, Data):
            return writer.send_data(event)
        return event.raw

    def reply_error(self, request: Message, status: Status, text: str) -> bytes:
        writer = self._writer
        if writer is None or self.endpoint is not Sender.SERVER or not isinstance(request, Http2Message):
            raise Unsupported("a request is answered by the session that plays the server")
        return writer.reply_error(request, status, text)

    def reply_heartbeat(self, heartbeat: Message) -> bytes:
        """The ACK of a PING, for an endpoint: `pending_output` brings it as well, so this is empty there."""
        if not isinstance(heartbeat, FrameMessage) or heartbeat.kind is not Kind.HEARTBEAT:
            raise Unsupported("only PING is a heartbeat")
        if self._writer is not None:
            return b""
        return b"\0\0\x08\x06\x01\0\0\0\0" + heartbeat.payload

    def pending_output(self) -> bytes:
        writer = self._writer
        if writer is None:
            return b""
        received = Sender.CLIENT if self.endpoint is Sender.SERVER else Sender.SERVER
        return writer.pending_output(self.decoder(received).error)
