"""One Kafka connection: both decoders, ids that are rewritten, and answers in the order of the requests.

A client takes the answers of a connection in the order of its requests, so the session to a client writes them so (`FifoPairing`). The one
to a broker gives the requests numbers of their own where several clients share it (`StrictPairing`).
"""

from __future__ import annotations

from collections import deque
from typing import Final, final

from l7codecs import (
    AnswerOrder,
    Changes,
    FifoPairing,
    Limits,
    Message,
    Sender,
    Status,
    Unsupported,
)
from l7codecs.endpoint.gathering import Gathered
from l7codecs.endpoint.rewriting import GatheringSession
from l7codecs.message import Data, Event, Flow
from l7codecs.pairing.numbering import StrictPairing
from l7codecs.pairing.tables import NO_PAIRING, PairingTable

from ._change.changes import KafkaChanges
from ._change.messages import (
    TOPICS,
    answer_stays,
    as_changes,
    changed_answer,
    changed_request,
    error_reply,
    follow_as_read,
    gathered,
    stays,
    streamed_answer,
)
from ._change.streams import StreamedFetch
from ._meaning.topics import Topics
from ._wire.decoders import AnswerDecoder, RequestDecoder, take_in
from ._wire.messages import KafkaToken
from ._wire.pairing import InFlight
from ._wire.requests import KafkaRequest
from ._wire.responses import KafkaResponse
from ._wire.state import ConnectionState

__all__ = ["ID_BITS", "KafkaSession"]

_SERVER: Final = Sender.SERVER
ID_BITS: Final = 32


def _new_pairing(limits: Limits, endpoint: Sender | None) -> PairingTable:
    """The requests of the client, for whoever plays that side."""
    if endpoint is None:
        return InFlight(limits.pending, limits.waiting)
    if endpoint is Sender.CLIENT:
        return StrictPairing(limits, ID_BITS, False, True)
    return FifoPairing(limits.pending, True, limits.waiting)


@final
class _Order(AnswerOrder):
    """What one side writes: an answer with the id of its request, and tokens, which have none, in their place."""

    def __init__(
        self, state: ConnectionState, names: Topics | None, table: PairingTable, limits: Limits, sender: Sender
    ) -> None:
        answers = sender is _SERVER
        super().__init__(table if answers else NO_PAIRING, limits, NO_PAIRING if answers else table)
        self._state = state
        self._names = names

    def as_read(self, message: Message) -> bool:
        request = message.request
        if isinstance(message, KafkaResponse) and isinstance(request, KafkaRequest):
            return request.correlation == message.correlation
        return True

    def begun(self, message: Message) -> None:
        super().begun(message)
        request = message.request
        if isinstance(message, KafkaResponse) and isinstance(request, KafkaRequest) and self._names is not None:
            take_in(self._state, self._names, request, message)

    def asked(self, message: Message, original: Message) -> bytes | None:
        if isinstance(original, KafkaToken):
            tokens = self._state.sent_tokens
            if tokens is None:
                tokens = deque()
                self._state.sent_tokens = tokens
            tokens.append(original)
            return None
        return super().asked(message, original)


@final
class KafkaSession(GatheringSession):
    """One Kafka connection."""

    def __init__(self, flow: Flow, limits: Limits, endpoint: Sender | None = None) -> None:
        state = ConnectionState(limits)
        table = _new_pairing(limits, endpoint)
        client = RequestDecoder(flow, limits, table, NO_PAIRING, state)
        super().__init__(flow, client, AnswerDecoder(flow, limits, NO_PAIRING, table, state), limits, endpoint)
        self._state = state
        self._table = table
        self._streams: dict[Message, StreamedFetch] | None = None
        """By head: answers that change as they come."""

    def new_order(self, sender: Sender) -> AnswerOrder:
        memory = self.flow.memory
        names = memory if isinstance(memory, Topics) else None
        return _Order(self._state, names, self._table, self.limits, sender)

    def put(self, event: Event, changes: Changes | None = None) -> None:
        """As everywhere; what does not change goes on as it lies in its read, and its records are not copied."""
        if isinstance(changes, KafkaChanges):
            if isinstance(event, KafkaRequest):
                if stays(event, changes):
                    changes = None
            elif isinstance(event, KafkaResponse):
                stream = follow_as_read(event, changes, self.limits.message) if event.more else None
                if stream is not None:
                    self._follow(event, stream)
                if stream is not None or answer_stays(event, changes):
                    changes = None
        elif isinstance(event, Data) and changes is None:
            if self._holds:
                self._check_room(event)
            data = self._changed_rest(event)
            if not self._put_as_read(data):
                octets = super().send_rest(data)
                if octets:
                    self._hold(octets)
            return
        super().put(event, changes)

    def pending_pieces(self) -> list[bytes] | None:
        return self._held_pieces()

    def _follow(self, head: Message, stream: StreamedFetch) -> None:
        """`stream` changes what follows `head`."""
        if self._streams is None:
            self._streams = {}
        self._streams[head] = stream

    def send_message(self, message: Message, changes: Changes | None) -> bytes:
        if changes is not None:
            return self._send_changed(message, changes)
        if isinstance(message, KafkaResponse):
            request = message.request
            if isinstance(request, KafkaRequest) and request.correlation != message.correlation:
                return self.write_answer(message, message.take_correlation(request.correlation))
        return self.pass_on(message)

    def _send_changed(self, message: Message, given: Changes) -> bytes:
        """`send_message` with changes. What has to come first as a whole is gathered, and nothing until then."""
        if isinstance(message, KafkaRequest):
            request = changed_request(message, given, as_changes(given, message))
            if request is not None:
                return self.pass_on(message) if request is message else self.pass_on(request, message)
        elif isinstance(message, KafkaResponse):
            octets = changed_answer(message, given, as_changes(given, message))
            if octets is not None:
                return self.write_answer(message, octets)
            streamed = streamed_answer(message, given, as_changes(given, message), self.limits.message)
            if streamed is not None:
                octets, stream = streamed
                self._follow(message, stream)
                return self.write_answer(message, octets)
        elif given.attributes or given.set_headers or given.remove_headers:
            raise Unsupported("a bare token of SASL cannot be changed")
        else:
            return self.pass_on(message)
        if TOPICS in given.attributes:
            raise Unsupported(f"{TOPICS} cannot change in a large message that names further ones behind its head")
        self.gathering.begin(message, given)
        return b""

    def send_rest(self, event: Event) -> bytes:
        return super().send_rest(self._changed_rest(event) if isinstance(event, Data) else event)

    def _changed_rest(self, data: Data) -> Data:
        """`data` with what changes in the rest of its message."""
        stream = self._streams.get(data.message) if self._streams else None
        if stream is None:
            return data
        if not data.more:
            del self._streams[data.message]  # type: ignore[union-attr]  # it is there
        octets = stream.add(data.octets, data.start, data.stop, data.more)
        return data if octets is None else Data(data.message, data.offset, octets, data.more)

    def send_gathered(self, found: Gathered) -> bytes:
        """A large message has come as a whole."""
        head = found.head
        assert isinstance(head, (KafkaRequest, KafkaResponse))
        whole = gathered(head, found.octets)
        if isinstance(whole, KafkaRequest):
            request = changed_request(whole, found.changes, as_changes(found.changes, whole))
            assert request is not None
            return self.pass_on(request, head)
        octets = changed_answer(whole, found.changes, as_changes(found.changes, whole))
        assert octets is not None
        return self.write_answer(whole, octets)

    def reply_error(self, request: Message, status: Status, text: str) -> bytes:
        """As everywhere, by the error code that makes clients do what `status` asks for (see the README)."""
        if status is Status.OK:
            raise ValueError("an error needs a status other than OK")
        return self._reply(request, status, 0, text)

    def reply_error_code(self, request: Message, code: int, text: str = "") -> bytes:
        """`reply_error` with an error code of Kafka. Raises `Unsupported`."""
        if not -1 <= code <= 0x7FFF or code == 0:
            raise ValueError(f"an error code is -1 or a positive number of 16 bits, not {code}")
        return self._reply(request, None, code, text)

    def _reply(self, request: Message, status: Status | None, code: int, text: str) -> bytes:
        if not isinstance(request, KafkaRequest):
            raise Unsupported("only a request can be answered with an error")
        reply = error_reply(request, status, code, text, self.decoder(_SERVER).buffer.offset)
        return self.answer(request, reply)

    def write_answer(self, answer: Message, octets: bytes) -> bytes:
        """What can be written now of `answer`, which the server has given to the request that it names, in `octets`."""
        if not self.keeps_books(answer.sender):
            return octets
        order = self._order_of(answer.sender) or self._begin_order(answer.sender)
        return order.answer(answer.request, answer, octets)

    def unanswered(self) -> list[Message]:
        tokens: list[Message] = list(self._state.sent_tokens or ())
        return super().unanswered() + tokens

    def abandoned(self) -> list[Message]:
        found = super().abandoned()
        server = self.decoder(_SERVER)
        if server.ended or server.error is not None:
            self._state.sent_tokens = None
        return found
