"""One HTTP/2 connection.

An observer (no ``endpoint``) forwards octets as they came, which is right for a relay of one connection to one other.
An endpoint encodes what it sends for its own connection, and owes its peer acknowledgements and window updates: write `pending_output` at
the start, after every `receive`, and whenever another session that this one's messages are sent on has made progress.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, final

from l7codecs import Changes, Kind, Limits, Message, Sender, Session, Status, Unsupported
from l7codecs.message import Data, Event, Flow, Gap
from l7codecs.session import unsettled

from ._connection.connection import Connection
from ._connection.decoder import Http2Decoder
from ._endpoint.changes import changed_fields
from ._endpoint.endpoint import Endpoint
from ._frames.frame_message import FrameMessage
from ._semantics.messages import Http2Message

__all__ = ["Http2Session"]

_HEARTBEAT: Final = Kind.HEARTBEAT
_CLIENT: Final = Sender.CLIENT
_SERVER: Final = Sender.SERVER


@final
class Http2Session(Session):
    """One connection."""

    def __init__(self, flow: Flow, limits: Limits, endpoint: Sender | None = None) -> None:
        connection = Connection(flow, limits)
        client = Http2Decoder(flow, _CLIENT, limits, connection)
        super().__init__(flow, client, Http2Decoder(flow, _SERVER, limits, connection), limits, endpoint)
        self._connection = connection
        self._writer = Endpoint(connection, endpoint, limits) if endpoint is not None else None
        connection.endpoint = self._writer

    @property
    def pending(self) -> int:
        """Streams whose request has been seen and not answered to its end."""
        return self._connection.waiting

    @property
    def queued(self) -> int:
        """Octets of bodies that were sent and wait for the peer's window, or while `paused`."""
        return self._held_size if self._writer is None else self._writer.queued

    @property
    def full(self) -> bool:
        """Whether ``limits.pending`` requests wait for a stream, or ``limits.queued`` octets of bodies; 8 times as many are refused."""
        return super().full or (self._writer is not None and self._writer.crowded)

    @property
    def paused(self) -> bool:
        """Set while the transport is not there yet, or is full: `send` and `pending_output` return nothing, and all of it waits."""
        return self._paused if self._writer is None else self._writer.paused

    @paused.setter
    def paused(self, paused: bool) -> None:
        if self._writer is None:
            self._pause(paused)
        else:
            self._writer.paused = paused

    @property
    def closing(self) -> bool:
        """Whether no request can be sent here any more: after GOAWAY, `close`, an end, an error, or the last number of a stream."""
        return self._closed if self._writer is None else self._writer.closing

    @property
    def extended_connect(self) -> bool:
        """Whether CONNECT with ``:protocol`` is allowed (RFC 8441): a server sets it at the start, a client learns it."""
        return self._writer is not None and self._writer.extended_connect

    @extended_connect.setter
    def extended_connect(self, allowed: bool) -> None:
        if self.endpoint is not _SERVER:
            raise Unsupported("the server allows CONNECT with :protocol")
        self._endpoint().extended_connect = allowed

    def streaming(self) -> list[Message]:
        return [] if self._writer is None else self._writer.streaming()

    def unanswered(self) -> list[Message]:
        """The requests on this connection whose answer is not complete, in their order: what is left to answer when it is lost.

        Of a server those as well that have not come to their end.
        """
        return self._connection.unanswered() if self._writer is None else self._writer.unanswered()

    def unprocessed(self) -> list[Message]:
        """The requests that were sent here and that the peer has certainly not processed, after its GOAWAY; each is returned once.

        They can be sent on another connection, unless their `Data` has come already and was not kept.
        """
        return [] if self._writer is None else unsettled(self._writer.unprocessed())

    def abandoned(self) -> list[Message]:
        """The requests that were sent here and that will not be answered, or not to their end; each is returned once.

        After GOAWAY those that are `unprocessed`, and once the connection has ended (`eof`) or the server has failed all that are left, but
        for those that were answered by `reply_error`. A request that
        is answered but has not ended is one of these: `reply_error` tells its client to stop.
        """
        return [] if self._writer is None else unsettled(self._writer.abandoned())

    def cancel(self, request: Message) -> bytes:
        """Give `request` up, which was sent here: RST_STREAM with CANCEL, or nothing where it has no stream yet.

        What answers it yields nothing.
        """
        writer = self._writer
        if writer is None or self.endpoint is not _CLIENT:
            raise Unsupported("a request is given up where it was sent; where it was received, answer it")
        writer.cancel(request)
        return writer.output()

    def hold(self, data: Data) -> None:
        """Give the peer no credit for the octets of `data`, which this session received, until `release`.

        What other sessions queue holds itself; this is for `Data` that the caller keeps, or sends by other means.
        """
        head = data.message
        if isinstance(head, Http2Message) and head.inflow is not None:
            head.inflow.hold(len(data.payload))

    def release(self, data: Data) -> None:
        """The octets of `data` wait no longer: credit for them comes with `pending_output`."""
        head = data.message
        if isinstance(head, Http2Message) and head.inflow is not None:
            head.inflow.release(len(data.payload))

    def close(self) -> bytes:
        """Begin to shut down gracefully: GOAWAY with NO_ERROR. What is under way goes on.

        Of a server, requests that come after the first call are still served; those that come after a second are refused, and safe to
        send again (RFC 9113 §6.8).
        """
        if self._writer is None:
            return super().close()
        self._writer.close()
        return self.pending_output()

    def eof(self, sender: Sender) -> Iterator[Event]:
        if self._writer is not None and sender is not self.endpoint:
            self._writer.end()
        return super().eof(sender)

    def _endpoint(self) -> Endpoint:
        if self._writer is None:
            raise Unsupported("an observer owes nobody anything")
        return self._writer

    def put(self, event: Event, changes: Changes | None = None) -> None:
        """As `send`, but what can be written now comes with the next octets that any call returns: many events make one write."""
        writer = self._writer
        if writer is None:
            super().put(event, changes)
        elif isinstance(event, Data):
            if changes:
                raise Unsupported("only messages can be changed, not Data")
            writer.send_data(event)
        elif isinstance(event, Http2Message):
            writer.send_message(event, changed_fields(event, changes if changes else None, writer.list_limit))
        elif changes:
            raise Unsupported("this message cannot be changed")
        elif isinstance(event, FrameMessage):
            writer.send_frame(event)
        elif isinstance(event, Gap):
            raise Unsupported("lost octets cannot be sent")

    def send_message(self, message: Message, changes: Changes | None) -> bytes:
        """Encode `message` for this connection; frames that concern the other connection only are nothing here."""
        if self._writer is None:
            if changes is not None:
                raise Unsupported("an observer of http2 cannot change messages")
            return message.raw  # streams interleave as they did where they were received
        self.put(message, changes)
        return self._writer.output()

    def send_rest(self, event: Event) -> bytes:
        if self._writer is None:
            return event.raw
        self.put(event)
        return self._writer.output()

    def reply_error(self, request: Message, status: Status, text: str) -> bytes:
        """An HTTP status with `text`, or for gRPC a response that is all trailers; RST_STREAM where a response has begun.

        Other streams are left alone. What the client still sends of the request is not wanted, which it is told; of a request whose
        response is complete, that is all.
        """
        writer = self._writer
        if writer is None or self.endpoint is not _SERVER or not isinstance(request, Http2Message):
            raise Unsupported("a request is answered by the session that plays the server")
        writer.reply_error(request, status, text)
        return writer.output()

    def reply_heartbeat(self, heartbeat: Message) -> bytes:
        """The ACK of a PING, for an endpoint: `pending_output` brings it as well, so this is empty there."""
        if not isinstance(heartbeat, FrameMessage) or heartbeat.kind is not _HEARTBEAT:
            raise Unsupported("only PING is a heartbeat")
        if self._writer is not None:
            return b""
        return self.flush(b"\0\0\x08\x06\x01\0\0\0\0" + heartbeat.payload)

    def probe(self) -> bytes:
        """A PING, of an endpoint: RFC 9113 §6.7."""
        if self._writer is not None:
            self._writer.probe()
        return b""

    def pending_output(self) -> bytes:
        writer = self._writer
        if writer is None:
            return super().pending_output()
        decoder = self._client if self.endpoint is _SERVER else self._server
        return writer.pending_output(decoder.error)
