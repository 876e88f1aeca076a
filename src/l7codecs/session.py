"""One connection: both directions, what they share, and what is written to it.

An observer (a capture, a tap) has one session and feeds it both directions. A proxy has two, one to the client and one to the server:
it receives on one and sends on the other. A direction is either received or sent; `Session.send` keeps the books
(pairing, the protocol's state) only for a direction that this session does not receive.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from mypy_extensions import mypyc_attr

from l7codecs._layout import check_layout
from l7codecs.decoder import Decoder
from l7codecs.errors import ProtocolError, Unsupported
from l7codecs.headers import HeaderValue
from l7codecs.limits import DEFAULT_LIMITS, Limits
from l7codecs.message import AttrValue, Event, Flow, Gap, Kind, Message, Sender, Status

__all__ = ["Changes", "Session"]


class Changes:
    """What to change in a message on its way through: attributes by name, headers by name.

    A protocol declares in its schema which attributes can change; any other raises `Unsupported`.
    """

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        check_layout(cls)

    def __init__(
        self,
        attributes: Mapping[str, AttrValue] | None = None,
        *,
        set_headers: Mapping[str, HeaderValue] | None = None,
        remove_headers: Iterable[str] = (),
    ) -> None:
        self.attributes = dict(attributes or {})
        self.set_headers = dict(set_headers or {})
        self.remove_headers = tuple(remove_headers)

    def __bool__(self) -> bool:
        return bool(self.attributes or self.set_headers or self.remove_headers)

    def __repr__(self) -> str:
        return f"Changes({self.attributes!r}, set_headers={self.set_headers!r}, remove_headers={self.remove_headers!r})"


@mypyc_attr(allow_interpreted_subclasses=True)
class Session:
    """One connection of one protocol.

    A room subclasses it and creates both decoders. ``endpoint`` says which side the caller plays, None for an observer.
    """

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        check_layout(cls)

    def __init__(
        self,
        flow: Flow,
        client: Decoder,
        server: Decoder,
        limits: Limits = DEFAULT_LIMITS,
        endpoint: Sender | None = None,
    ) -> None:
        self.flow = flow
        self.limits = limits
        self.endpoint = endpoint
        self._client = client
        self._server = server
        self._active = client

    @property
    def protocol(self) -> str | None:
        """The protocol's name; None while it is not detected."""
        return self.flow.protocol

    def decoder(self, sender: Sender) -> Decoder:
        """The decoder of what `sender` sends."""
        return self._client if sender is Sender.CLIENT else self._server

    def receive(self, sender: Sender, data: bytes | bytearray | memoryview) -> Iterator[Event]:
        """Take octets that `sender` sent, and return the iterator of all events that are complete by now.

        Iterating raises `ProtocolError` where the direction breaks the protocol, after every event before that place,
        and again at every later call for that direction. What is not iterated comes first the next time.
        """
        decoder = self._client if sender is Sender.CLIENT else self._server
        if decoder.ended:
            raise ValueError(f"the {sender.value}'s direction has ended")
        decoder.fed = True
        if decoder.error is None:
            decoder.buffer.feed(data if isinstance(data, bytes) else bytes(data))
        self._active = decoder
        return self

    def eof(self, sender: Sender) -> Iterator[Event]:
        """`sender` will send no more. Iterating raises `IncompleteMessage` where a message was cut."""
        decoder = self.decoder(sender)
        decoder.ended = True
        decoder.special = True
        self._active = decoder
        return self

    def gap(self, sender: Sender, size: int = 0) -> Iterator[Event]:
        """`size` octets of `sender` are lost (0: an unknown number): decoding goes on at the next message found."""
        if size < 0:
            raise ValueError(f"the size of a gap must not be negative: {size}")
        decoder = self.decoder(sender)
        if decoder.ended:
            raise ValueError(f"the {sender.value}'s direction has ended")
        self._active = decoder
        if decoder.error is None:
            decoded: list[Event] = []
            try:
                for event in self:
                    decoded.append(event)
            except ProtocolError:
                pass
            for event in decoded:
                decoder.set_aside(event)
            if decoder.error is None:
                decoder.gap(size)
        return self

    def __iter__(self) -> Iterator[Event]:
        return self

    def __next__(self) -> Event:
        decoder = self._active
        try:
            event = decoder.next_special() if decoder.special else decoder.next_event()
        except ProtocolError as error:
            error.sender = decoder.sender
            decoder.error = error
            decoder.special = True
            decoder.failed()
            rest = decoder.rest()
            if rest is None:
                raise
            return rest
        if event is None:
            decoder.buffer.release()
            raise StopIteration
        return event

    @property
    def pending(self) -> int:
        """Requests of the client that wait for an answer."""
        return self._client.asks.pending

    def send(self, event: Event, changes: Changes | None = None) -> bytes:
        """The octets to write to this connection for `event`, which another session received.

        Without `changes` they are the event's own octets. Raises `Unsupported` for a change that the protocol cannot make, and for a `Gap`.
        """
        if isinstance(event, Gap):
            raise Unsupported("lost octets cannot be sent")
        if isinstance(event, Message):
            return self.send_message(event, changes if changes else None)
        if changes:
            raise Unsupported(f"only messages can be changed, not {type(event).__name__}")
        return self.send_rest(event)

    def send_message(self, message: Message, changes: Changes | None) -> bytes:
        """`send` for a message; rooms override it to make changes and to keep their state."""
        if changes is not None:
            raise Unsupported(f"{self.flow.protocol} cannot change messages")
        self.sent(message)
        return message.raw

    def send_rest(self, event: Event) -> bytes:
        """`send` for `Data` and `Opaque`."""
        return event.raw

    def keeps_books(self, sender: Sender) -> bool:
        """Whether what `sender` says on this connection is sent by the caller rather than received."""
        return not self.decoder(sender).fed

    def sent(self, message: Message) -> None:
        """Keep the pairing of a message that goes out on this connection."""
        if not self.keeps_books(message.sender):
            return
        decoder = self.decoder(message.sender)
        if message.kind is Kind.REQUEST or message.kind is Kind.HEARTBEAT:
            decoder.asks.asked(message)
        elif message.kind is Kind.RESPONSE:
            decoder.answers.answered(message)

    def reply_error(self, request: Message, status: Status, text: str) -> bytes:
        """The octets that answer `request` with an error, for the session to the client. Raises `Unsupported`.

        A room that overrides this gives the answer, as a `Message`, to `sent`, so that the request waits no longer.
        """
        raise Unsupported(f"{self.flow.protocol} cannot answer with an error")

    def reply_heartbeat(self, heartbeat: Message) -> bytes:
        """The octets that answer `heartbeat`. Raises `Unsupported` for any other message."""
        raise Unsupported(f"{self.flow.protocol} has no heartbeats")

    def pending_output(self) -> bytes:
        """The octets that this endpoint owes its peer by now; they are returned once. Empty for an observer."""
        return b""
