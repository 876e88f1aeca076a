"""One connection: both directions, what they share, and what is written to it.

An observer (a capture, a tap) has one session and feeds it both directions. A proxy has two, one to the client and one to the server:
it receives on one and sends on the other. A direction is either received or sent; `Session.send` keeps the books
(pairing, the protocol's state) only for a direction that this session does not receive. What it writes is in order (`AnswerOrder`), from
whatever clients and servers it comes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from mypy_extensions import i64, mypyc_attr

from l7codecs._layout import check_layout
from l7codecs.decoder import Decoder
from l7codecs.endpoint.changes import Changes
from l7codecs.endpoint.held import AT_ONCE, LARGE, Held
from l7codecs.endpoint.ordering import AnswerOrder
from l7codecs.errors import IncompleteMessage, LimitExceeded, ProtocolError, Unsupported
from l7codecs.kinds import Kind, Sender, Status
from l7codecs.limits import DEFAULT_LIMITS, REFUSED_AT, Limits
from l7codecs.message import Data, Event, Flow, Gap, Message
from l7codecs.pairing.numbering import StrictPairing
from l7codecs.pairing.tables import FifoPairing

__all__ = ["Session"]

_HEARTBEAT: Final = Kind.HEARTBEAT
_REQUEST: Final = Kind.REQUEST
_RESPONSE: Final = Kind.RESPONSE
_CLIENT: Final = Sender.CLIENT
_SERVER: Final = Sender.SERVER


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
        self._holds = False
        """Whether what is written has to go by `flush`: octets wait, or the transport is paused."""
        self._held: Held | None = None
        self._paused = False
        self._closed = False
        self._parted = False
        """Whether `last_words` are said."""
        self._of_client: AnswerOrder | None = None
        """The order of what the client writes; None until something is, so that an observer has none."""
        self._of_server: AnswerOrder | None = None
        """The order of what the server writes."""

    def __reduce__(self) -> str | tuple[object, ...]:
        raise TypeError("a session is not copied or pickled: open another")

    @property
    def _held_size(self) -> int:
        """Octets that were given to write and are written by `flush`."""
        return 0 if self._held is None else self._held.size

    @property
    def protocol(self) -> str | None:
        """The protocol's name; None while it is not detected."""
        return self.flow.protocol

    def decoder(self, sender: Sender) -> Decoder:
        """The decoder of what `sender` sends."""
        return self._client if sender is _CLIENT else self._server

    def receive(self, sender: Sender, data: bytes | bytearray | memoryview) -> Iterator[Event]:
        """Take octets that `sender` sent, and return the iterator of all events that are complete by now.

        Iterating raises `ProtocolError` where the direction breaks the protocol, after every event before that place,
        and again at every later call for that direction. What is not iterated comes first the next time.
        """
        decoder = self._client if sender is _CLIENT else self._server
        if decoder.ended:
            raise ValueError(f"the {sender.value}'s direction has ended")
        if not isinstance(data, bytes):
            data = bytes(memoryview(data))  # which refuses what has no octets
        decoder.fed = True
        if decoder.error is None:
            decoder.buffer.feed(data)
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
            self._drain(decoder)
        # Not inside of the condition above: a compiler that believes it would take the attribute for None still.
        if decoder.error is None:
            decoder.gap(size)
        return self

    def _drain(self, decoder: Decoder) -> None:
        """Set aside all that `decoder`, the active one, can decode by now."""
        decoded: list[Event] = []
        waiting = decoder.backlog  # not looked at again for each gap
        decoder.backlog = None
        try:
            for event in self:
                decoded.append(event)
        except ProtocolError:
            pass
        finally:
            if waiting is not None:
                decoder.backlog = waiting
                decoder.special = True
        for event in decoded:
            decoder.set_aside(event)

    def __iter__(self) -> Iterator[Event]:
        return self

    def __next__(self) -> Event:
        decoder = self._active
        try:
            event = decoder.next_special() if decoder.special else decoder.next_event()
            if event is not None:
                # A decoder that stands still would be asked for ever.
                at: i64 = decoder.buffer.base + decoder.buffer.pos
                if at != decoder.stands:
                    decoder.stands = at
                elif event.sender is decoder.sender:
                    decoder.stood(event)
        except ProtocolError as error:
            error.sender = decoder.sender
            decoder.error = error
            decoder.special = True
            decoder.failed()
            rest = decoder.rest()
            if rest is None or (decoder.given_up is not None and decoder.given_up.swallows(rest)):
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

        Without `changes` they are the event's own octets. Raises `Unsupported` for a change that the protocol cannot make, and for a `Gap`,
        and ValueError for a value that it cannot say. Raises `LimitExceeded`, before anything changes, where `REFUSED_AT` times
        ``limits.queued`` octets would wait.
        """
        octets = self._octets(event, changes)
        return self.flush(octets) if self._holds else octets

    def _octets(self, event: Event, changes: Changes | None) -> bytes:
        """As `send`, without what waits to be written before it."""
        if self._holds:
            self._check_room(event)
        if isinstance(event, Message):
            return self.send_message(event, changes if changes else None)
        if isinstance(event, Gap):
            raise Unsupported("lost octets cannot be sent")
        if changes:
            raise Unsupported(f"only messages can be changed, not {type(event).__name__}")
        return self.send_rest(event)

    def _check_room(self, event: Event) -> None:
        """Raise `LimitExceeded` where `event` is too much to wait. Its changes may make it larger, which is not counted."""
        size: i64 = event.stop - event.start if isinstance(event, (Message, Data)) else len(event.raw)
        if self._held_size + size > self.limits.queued * REFUSED_AT:
            seen = f"{self._held_size + size} octets that wait to be written"
            raise LimitExceeded(0, seen, f"at most {REFUSED_AT} times limits.queued = {self.limits.queued}")

    def put(self, event: Event, changes: Changes | None = None) -> None:
        """As `send`, but what can be written now comes with the next octets that any call returns: many events make one write."""
        held = self._held
        if changes is None and isinstance(event, Message):
            message: Message = event  # compiled, what is narrowed is checked at each use
            if self._paused or (held is not None and held.size >= AT_ONCE):
                self._check_room(message)
            if message.sender is _CLIENT:
                order = self._of_client
                fed = self._client.fed
            else:
                order = self._of_server
                fed = self._server.fed
            if order is not None and not fed:
                if held is None:
                    held = Held()
                    self._held = held
                if order.takes(message, held):
                    self._holds = self._holds or held.size > 0
                    return
        octets = self._octets(event, changes)
        if octets:
            self._hold(octets)

    def _put_as_read(self, data: Data) -> bool:
        """Put `data`, for which there is room, uncopied where nothing comes before it; whether that was done.

        For rooms that write it as it is.
        """
        sender = data.sender
        order = self._order_of(sender)
        if order is None or not self.keeps_books(sender) or not order.goes_on(data):
            return False
        held = self._held
        if held is None:
            held = Held()
            self._held = held
        held.add_span(data.octets, data.start, data.stop)
        self._holds = True
        return True

    def flush(self, octets: bytes) -> bytes:
        """What to write of `octets`: behind what was `put`; nothing while `paused`, when all of it waits.

        A room that overrides `reply_error`, `reply_heartbeat` or `close` returns its octets through this.
        """
        if not self._holds:
            return octets
        self._hold(octets)
        if self._paused:
            return b""
        held = self._held
        octets = b"" if held is None else held.take()
        self._holds = False
        return octets

    def _hold(self, octets: bytes) -> None:
        """Keep `octets` until they can be written."""
        if octets:
            if self._held is None:
                self._held = Held()
            self._held.add(octets)
        self._holds = True

    def send_message(self, message: Message, changes: Changes | None) -> bytes:
        """`send` for a message; rooms override it to make changes and to keep their state."""
        if changes is not None:
            raise Unsupported(f"{self.flow.protocol} cannot change messages")
        return self.pass_on(message)

    def send_rest(self, event: Event) -> bytes:
        """`send` for `Data` and `Opaque`. The `Data` of a message that is not written here are nothing."""
        if not isinstance(event, Data) or not self.keeps_books(event.sender):
            return event.raw
        order = self._order_of(event.sender)
        return order.rest(event) if order is not None else b""

    def pass_on(self, message: Message, original: Message | None = None) -> bytes:
        """What can be written now of `message`, and of what waited for it; keeps the books, and the order.

        `message` goes out here in place of `original`, which a room has changed: that is what its answer is given as ``request``. What
        does not fit waits. A late answer is nothing. Numbers are rewritten, see `Message.renumbered`.
        """
        sender = message.sender
        decoder = self._client if sender is _CLIENT else self._server
        if decoder.fed:
            return message.raw
        order = self._order_of(sender) or self._begin_order(sender)
        if order.wary:
            self._check_owed(order, original or message)
        kind = message.kind
        if kind is _REQUEST or kind is _HEARTBEAT:
            return order.ask(message, original or message)
        request = message.request
        if request is not None and request.sender is not sender:
            table = decoder.answers
            if isinstance(table, StrictPairing):
                return order.answer(request, message, table.restored(message, request) if table.waits(request) else b"")
            if kind is _RESPONSE:
                return order.answer(request, message, message.raw)
        if kind is _RESPONSE or sender is _SERVER:
            return order.push(message, message.raw)
        return order.ask(message, original or message)

    def _check_owed(self, order: AnswerOrder, message: Message) -> None:
        """Raise `Unsupported` where `message` was given up here and its answer is still to come: nobody could tell that from the next."""
        given_up = self.decoder(message.sender.other).given_up
        if given_up is None:
            order.wary = False
        elif given_up.has(message):
            raise Unsupported("this request was given up here, and its answer is still to come: send it elsewhere")

    def answer(self, request: Message, reply: Message) -> bytes:
        """What can be written now of `reply`, which was made here and answers `request`: for rooms that override `reply_error`.

        It takes the place of an answer that waits for its turn. Raises `Unsupported` where nobody waits for one.
        """
        if not self.keeps_books(reply.sender) or self.endpoint is reply.sender.other:
            raise Unsupported("an answer is written to the session that receives from the client")
        order = self._order_of(reply.sender) or self._begin_order(reply.sender)
        if not self.decoder(reply.sender).answers.waits(request) or order.holds(request):
            raise Unsupported(f"{request.operation} is answered already, or forgotten")
        octets = order.replace(request, reply, reply.raw)
        request.settled = True
        return self.flush(octets)

    def new_order(self, sender: Sender) -> AnswerOrder:
        """The order of what `sender` writes here; for rooms whose answers do more than answer."""
        decoder = self.decoder(sender)
        return AnswerOrder(decoder.answers, self.limits, decoder.asks)

    def _order_of(self, sender: Sender) -> AnswerOrder | None:
        """The order of what `sender` writes, once something was."""
        return self._of_client if sender is _CLIENT else self._of_server

    def _begin_order(self, sender: Sender) -> AnswerOrder:
        order = self.new_order(sender)
        if sender is _CLIENT:
            self._of_client = order
        else:
            self._of_server = order
        return order

    def _waiting_orders(self) -> list[AnswerOrder]:
        return [order for order in (self._of_client, self._of_server) if order is not None]

    def keeps_books(self, sender: Sender) -> bool:
        """Whether what `sender` says on this connection is sent by the caller rather than received."""
        return not self.decoder(sender).fed

    def sent(self, message: Message) -> None:
        """Keep the pairing of a message that goes out on this connection."""
        if not self.keeps_books(message.sender):
            return
        decoder = self.decoder(message.sender)
        if message.kind is _REQUEST or message.kind is _HEARTBEAT:
            decoder.asks.asked(message)
        elif message.kind is _RESPONSE:
            decoder.answers.answered(message)

    def reply_error(self, request: Message, status: Status, text: str) -> bytes:
        """The octets that answer `request` with an error, for the session to the client. Raises `Unsupported`.

        A room that overrides this returns what `answer` does of the `Message` that it made: the order is kept, and a late answer dropped.
        """
        raise Unsupported(f"{self.flow.protocol} cannot answer with an error")

    def reply_heartbeat(self, heartbeat: Message) -> bytes:
        """The octets that answer `heartbeat`. Raises `Unsupported` for any other message."""
        raise Unsupported(f"{self.flow.protocol} has no heartbeats")

    def probe(self) -> bytes:
        """The octets, or a part of what `pending_output` brings, that a peer which listens still passes over; none where there are no such.

        To one that has gone they bring its end to light.
        """
        return b""

    def pending_output(self) -> bytes:
        """The octets that were `put` or owed to the peer by now, or whose turn has come; they are returned once."""
        asked = self._of_client
        octets = b"" if asked is None else asked.output()
        answered = self._of_server
        if answered is not None:
            more = answered.output()
            octets = octets + more if octets else more
        error = self._client.error
        if error is not None and self.endpoint is _SERVER and not self._parted:
            octets += self._part(error)
        return self.flush(octets) if self._holds else octets

    def _part(self, error: ProtocolError) -> bytes:
        """What is said last, once all that was asked before `error` is answered."""
        unfinished: i64 = 0 if self._client.head is None else 1
        if self._client.asks.pending > unfinished or isinstance(error, IncompleteMessage):
            return b""
        if self._of_server is not None and self._of_server.streaming is not None:
            return b""
        self._parted = True
        return self.last_words(error)

    def last_words(self, error: ProtocolError) -> bytes:
        """The octets by which a server tells its client that it has broken the protocol, where the protocol has such.

        A room overrides it; `pending_output` brings them, behind the answers to all that was asked before.
        """
        return b""

    def pending_pieces(self) -> list[bytes] | None:
        """What `pending_output` would copy to make one of it: large pieces, which go out as they are. None where it is to be asked instead.

        Rooms whose output is what was put, and nothing else, return what `_held_pieces` does.
        """
        return None

    def _held_pieces(self) -> list[bytes] | None:
        """For rooms, see `pending_pieces`."""
        held = self._held
        if held is None or held.size < LARGE or self._paused:
            return None
        for order in self._waiting_orders():
            octets = order.output()
            if octets:
                held.add(octets)
        self._holds = False
        return held.take_pieces()

    @property
    def paused(self) -> bool:
        """Set while the transport is not there yet, or is full: whatever writes returns nothing, and all of it waits."""
        return self._paused

    @paused.setter
    def paused(self, paused: bool) -> None:
        self._pause(paused)

    def _pause(self, paused: bool) -> None:
        self._paused = paused
        self._holds = paused or self._held_size > 0

    @property
    def queued(self) -> int:
        """Octets that were given to this session to write, and wait: for their turn, or while it is `paused`."""
        size: i64 = self._held_size
        asked = self._of_client
        if asked is not None:
            size += asked.queued
        answered = self._of_server
        if answered is not None:
            size += answered.queued
        return size

    @property
    def full(self) -> bool:
        """Whether more waits than should: ``limits.pending`` requests, ``limits.waiting`` octets of them, ``limits.queued`` to be written.

        Give this session nothing more then: read no more requests, and answers only to the first of `unanswered`, but go on with whoever
        sends what is `streaming`. 8 times as many are a `LimitExceeded`.
        """
        if self._client.asks.full or self._server.asks.full or self.queued >= self.limits.queued:
            return True
        asked = self._of_client
        answered = self._of_server
        return (asked is not None and asked.full) or (answered is not None and answered.full)

    def streaming(self) -> list[Message]:
        """The messages that are written here in part, whose next octets could be written at once: their heads.

        What waits may wait for their end. So whoever sends them (`Message.connection`) is read on, also while this session is `full`.
        """
        if self._paused:
            return []
        return [head for order in self._waiting_orders() if (head := order.streaming) is not None]

    @property
    def closing(self) -> bool:
        """Whether no request can be sent here any more: after `close`, GOAWAY, and once the peer has ended or failed."""
        endpoint = self.endpoint
        if self._closed or endpoint is None:
            return self._closed
        peer = self._server if endpoint is _CLIENT else self._client
        order = self._order_of(endpoint)
        return peer.gone or peer.ended or peer.error is not None or (order is not None and order.stuck)

    def close(self) -> bytes:
        """Begin to shut down gracefully: the octets that say so, where the protocol has such. What is under way goes on."""
        self._closed = True
        return self.pending_output()

    def unanswered(self) -> list[Message]:
        """The requests of the client whose answer is not complete, in their order; none that was given up (`cancel`).

        Of a session that receives from the client the last may be what has not come to its end, whatever its kind: `cancel` that as well
        when the client leaves.
        """
        found = [self.original(each) for each in self._client.asks.waiting()]
        begun = self._half_answered()
        if begun is not None and begun not in found:
            found.insert(0, begun)
        given_up = self._server.given_up
        if given_up is not None:
            found = [each for each in found if not given_up.has(each)]
        comes = self._client.head
        if comes is not None and comes not in found[-1:]:
            found = [each for each in found if each is not comes] + [comes]
        order = self._order_of(_CLIENT)
        return found if order is None else found + order.unwritten()

    def _half_answered(self) -> Message | None:
        """The request whose answer streams: it comes from the server, or is written to the client."""
        head = self._server.head
        if head is None:
            order = self._order_of(_SERVER)
            head = None if order is None else order.streaming
        return head.request if head is not None and head.kind is _RESPONSE else None

    def original(self, request: Message) -> Message:
        """What the caller knows `request` as, which was remembered when it was sent: for rooms that remember what they have changed."""
        return request

    def unprocessed(self) -> list[Message]:
        """The requests that were sent here and that the peer has certainly not processed; each is returned once."""
        order = self._order_of(_CLIENT)
        return unsettled(order.give_up()) if order is not None and self.closing else []

    def abandoned(self) -> list[Message]:
        """The requests that were sent here and will not be answered, in their order; each is returned once.

        Once the server has ended or failed these are all; after GOAWAY those that are `unprocessed`. None that was given up, or that was
        answered by `reply_error`.
        The first may be answered in part: nothing can be written to its client in its place, whose connection has to end.
        """
        server = self._server
        if not self.keeps_books(_CLIENT) or not (server.ended or server.error is not None):
            return self.unprocessed()
        if server.error is not None:
            found = self.unanswered()
            server.head = None
        else:  # what has come of an answer that is cut is still to be iterated
            begun = self._half_answered()
            found = [each for each in self.unanswered() if each is not begun]
        self._client.asks.clear()
        if server.given_up is not None:
            server.given_up.clear()
        order = self._order_of(_CLIENT)
        if order is not None:
            order.give_up()
        return unsettled(found)

    def cancel(self, request: Message) -> bytes:
        """Give `request` up, which was sent here: what answers it yields nothing. Returns what tells the peer, where the protocol can.

        What is not written yet will not be. What is written in part cannot be taken back, be it a request or not: the session is `closing`
        then, and what waits behind it is `unprocessed`. Nothing, where `request` does not wait here. Raises `Unsupported` where it was
        received here: answer it.
        """
        if not self.keeps_books(request.sender):
            raise Unsupported("a request is given up where it was sent; where it was received, answer it")
        order = self._order_of(request.sender)
        if order is None:
            return b""
        order.withdraw(request)
        decoder = self.decoder(request.sender.other)
        sent = self._sent_as(request)
        if sent is None:
            decoder.give_up_rest(request)
            return b""
        table = decoder.answers
        number = table.number(sent) if isinstance(table, StrictPairing) else None
        decoder.give_up(request, sent)
        order.wary = True
        octets = sent.cancellation(number)
        return self.flush(order.insert(sent, octets)) if octets else b""

    def _sent_as(self, request: Message) -> Message | None:
        """What waits for the answer to `request`; None where nothing does, or where it was given up."""
        decoder = self.decoder(request.sender.other)
        if decoder.given_up is not None and decoder.given_up.has(request):
            return None
        table = decoder.answers
        if table.waits(request) or not isinstance(table, FifoPairing):
            return request if table.waits(request) else None
        if not table.knows_names:
            table.learn_names({self.original(each): each for each in table.waiting()})
        return table.find(request)

    def hold(self, data: Data) -> None:
        """Give the peer no credit for the octets of `data`, until `release`. Nothing where the protocol has no credit: stop reading."""

    def release(self, data: Data) -> None:
        """The octets of `data` wait no longer."""


def unsettled(requests: list[Message]) -> list[Message]:
    """Those of `requests` that nobody has answered here."""
    return [each for each in requests if not each.settled]
