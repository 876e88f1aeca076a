"""Octets to messages: one decoder for each side.

Every frame is a size (32 bits, with a sign) and so many octets; see `messages` for what is in them. A frame larger than
``limits.message`` is told by its head: the fields that routing needs stand before the first records.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final, final

from librt.strings import read_i16_be, read_i32_be
from mypy_extensions import i64

from l7codecs import FramedDecoder, Kind, Limits, Message, ProtocolError, Sender
from l7codecs.message import Data, Event, Flow, Gap, Opaque
from l7codecs.pairing.tables import PairingTable

from .._meaning.naming import learn_names
from .._meaning.topic_ids import Learnt
from .._meaning.topics import Topics
from .apis import (
    CONTROLLED_SHUTDOWN,
    KEYS,
    PRODUCE,
    SASL_HANDSHAKE,
    form_of,
    is_known,
)
from .boundary import AnswerSearch, find_request
from .header import ANSWER, CLIENT_ID, CORRELATION, KEY, SHORTEST, VERSION, skip_tags
from .messages import KafkaMessage, KafkaToken
from .pairing import InFlight
from .requests import KafkaRequest
from .responses import KafkaResponse
from .state import ANY_TOKENS, ConnectionState, continues_a_session
from .streaming import Streamed, follow

__all__ = ["AnswerDecoder", "RequestDecoder"]

_CLIENT: Final = Sender.CLIENT
_SERVER: Final = Sender.SERVER
_REQUEST: Final = Kind.REQUEST
_ONEWAY: Final = Kind.ONEWAY
_RESPONSE: Final = Kind.RESPONSE
_SIZE: Final[i64] = 4
_DOUBTFUL: Final[i64] = 1 << 24
"""A larger frame is not believed behind lost octets."""
_HEAD: Final = 14
"""Octets of a request up to its client id."""
_NO_NAMES: Final = Topics()
_GSSAPI: Final = 0x60
"""The first octet of a Kerberos token, which clients before 0.10 send without any handshake."""


def with_headers(limits: Limits) -> Limits:
    """`limits` with heads that hold the fixed part of a header at least."""
    return limits if limits.head >= _HEAD else replace(limits, head=_HEAD)


class _Doubting(FramedDecoder):
    """A decoder that takes back what it took for a message behind lost octets, where what follows is none."""

    header_size = 4
    doubted: Gap | None = None
    """The loss behind which it is not certain yet where messages begin."""
    streamed: Streamed | None = None
    """Follows the message that streams to its end."""

    def frame_size(self, data: bytes, at: int) -> int:
        size = i64(read_i32_be(data, at)) + _SIZE
        if size < _SIZE:
            self.fail(
                0, f"a size of {read_i32_be(data, at)}", "a size that is not negative", "Kafka protocol guide, Network"
            )
        if self.doubted is not None and size > _DOUBTFUL:
            self.exceed(0, f"a frame of {size} octets behind lost ones", f"at most {_DOUBTFUL}")
        return size

    def next_event(self) -> Event | None:
        doubted = self.doubted
        if doubted is None:
            return super().next_event()
        try:
            return super().next_event()
        except ProtocolError:
            buffer = self.buffer
            if buffer.message_size() == 0:
                buffer.need(1)
                buffer.pass_over(1)
            self.restart()
            doubted.resumed_at = None
            self.lost = doubted
            self.special = True
            offset = buffer.message_offset
            return Opaque(self.sender, offset, buffer.take())

    def gap(self, size: int) -> None:
        if self._is_inside(size):
            self._pass_lost(size)
            if self.streamed is not None:
                self.streamed.lose()
            return
        super().gap(size)
        self.doubted = self.lost
        self.lose()

    def rest(self) -> Event | None:
        found = super().rest()
        if self.streamed is not None and isinstance(found, Data):
            self.streamed.add(found.octets, found.start, found.stop)
        return found

    def end(self) -> Event:
        found = super().end()
        streamed = self.streamed
        if streamed is not None and isinstance(found, Data):
            self.streamed = None
            streamed.add(found.octets, found.start, found.stop)
            head = found.message
            if isinstance(head, KafkaMessage):
                head.ending = streamed.end(head.of_consumers)
        return found

    def restart(self) -> None:
        super().restart()
        self.streamed = None

    def lose(self) -> None:
        """Octets were lost, and with them where a message begins. For both directions to say what is not certain any more."""

    def _is_inside(self, size: i64) -> bool:
        """Whether the next `size` octets lie in one frame, of which there is enough to know what it is."""
        if (
            size <= 0
            or self._left < size
            or self.error is not None
            or self.lost is not None
            or self.doubted is not None
        ):
            return False
        return self.head is not None or self.buffer.message_size() >= _HEAD

    def _pass_lost(self, size: i64) -> None:
        """Go on behind `size` lost octets of a frame: what has come of it is its head."""
        if self.head is None:
            self._head_left = 0
            head = self._complete(True)
            self.set_aside(head)
            self.head = head
        self._left -= size
        self.go_on_behind(int(size))


@final
class RequestDecoder(_Doubting):
    """What the client says."""

    def __init__(
        self, flow: Flow, limits: Limits, asks: PairingTable, answers: PairingTable, state: ConnectionState
    ) -> None:
        super().__init__(flow, _CLIENT, with_headers(limits), asks, answers)
        self._state = state
        memory = flow.memory
        self._names = memory if isinstance(memory, Topics) else _NO_NAMES
        self._learnt: Learnt = self._names.learnt
        self._fresh = True
        """Nothing has come yet."""

    def message(self, octets: bytes, start: int, stop: int, offset: int, more: bool) -> Message:
        request = self._request(octets, start, stop, offset, more)
        if more and isinstance(request, KafkaRequest):
            self.streamed = follow(request, self.limits.message)
        return request

    def _request(self, octets: bytes, start: i64, stop: i64, offset: i64, more: bool) -> Message:
        state = self._state
        if (state.tokens > 0 or self._fresh) and self._is_token(octets, start, stop):
            if state.tokens < ANY_TOKENS:
                state.tokens -= 1
            self._fresh = False
            return KafkaToken(self.flow, self.sender, _REQUEST, offset, octets, start, stop, more)
        state.tokens = 0
        self._fresh = False
        if stop - start < SHORTEST:
            seen = f"a request of {stop - start - _SIZE} octets"
            self.fail(int(_SIZE), seen, "key, version and correlation id: 8 octets", "Kafka protocol guide, Headers")
        key = i64(read_i16_be(octets, start + KEY))
        version = i64(read_i16_be(octets, start + VERSION))
        correlation = i64(read_i32_be(octets, start + CORRELATION))
        form = form_of(key, version)
        client_id: str | None = None
        client_start: i64 = -1
        client_stop: i64 = -1
        body: i64 = start + CLIENT_ID + 2
        if key == CONTROLLED_SHUTDOWN and version == 0 and body + 2 == stop:
            body = start + CLIENT_ID  # its header, version 0, has no client id; there are tools that send the next one
        elif body <= stop:
            size = i64(read_i16_be(octets, start + CLIENT_ID))
            if size >= 0 and body + size <= stop:
                client_start = body
                client_stop = body + size
                body = client_stop
                client_id = state.client_id(octets, client_start, client_stop)
            elif size != -1:
                body = self._without_client_id(start, key, version, size, more)
        else:
            body = -1
        if body >= 0:
            if form.flexible:
                if body < stop and octets[body] == 0:
                    body += 1
                else:
                    body = skip_tags(octets, body, stop)
            elif key < 0 or key >= KEYS:
                body = -1  # nobody knows whether it has tagged fields
        kind = _REQUEST
        if key == PRODUCE and body >= 0 and _has_no_acks(octets, body, stop, version):
            kind = _ONEWAY
        if self.doubted is not None and form.known:
            self.doubted = None
        request = KafkaRequest(
            self.flow, self.sender, kind, offset, octets, start, stop, more, form, correlation, client_id,
            client_start, client_stop, body, self._learnt.count,
        )  # fmt: skip
        if key == SASL_HANDSHAKE:
            if version == 0:
                self._begin_tokens(request)
        elif continues_a_session(key):
            state.ask(request)
        return request

    def _is_token(self, octets: bytes, start: i64, stop: i64) -> bool:
        """Whether a frame is a bare token: one is due, or one may be and it is no request."""
        if self._state.tokens == 0:
            # Kerberos without a handshake (KIP-43): no request begins so.
            return stop - start > SHORTEST and octets[start + KEY] == _GSSAPI
        if self._state.tokens < ANY_TOKENS or stop - start < SHORTEST:
            return True
        return not is_known(i64(read_i16_be(octets, start + KEY)), i64(read_i16_be(octets, start + VERSION)))

    def _begin_tokens(self, request: KafkaRequest) -> None:
        """SaslHandshake v0: the mechanism's name is all of the body."""
        at = request.body + 2
        name = request.octets[at : request.stop].decode("utf-8", "replace") if request.body >= 0 else ""
        self._state.shake_hands(name)

    def _without_client_id(self, start: i64, key: i64, version: i64, size: i64, more: bool) -> i64:
        """-1: nobody knows where the body begins of a request whose client id does not fit into it; raises where its key is known."""
        if is_known(key, version) and not more:
            seen = f"a client id of {size} octets"
            self.fail(int(CLIENT_ID), seen, "null, or one that fits into the request", "Kafka protocol guide, Headers")
        return -1

    def boundary(self, octets: bytes) -> int:
        found = find_request(octets, self.limits)
        self.wanted = found.wanted
        return found.at

    def lose(self) -> None:
        self._fresh = False
        self._state.lose()
        if isinstance(self.asks, InFlight):
            self.asks.lose_requests()


@final
class AnswerDecoder(_Doubting):
    """What the broker says."""

    def __init__(
        self, flow: Flow, limits: Limits, asks: PairingTable, answers: PairingTable, state: ConnectionState
    ) -> None:
        super().__init__(flow, _SERVER, with_headers(limits), asks, answers)
        self._state = state
        self._in_flight = answers if isinstance(answers, InFlight) else None
        memory = flow.memory
        self._names = memory if isinstance(memory, Topics) else _NO_NAMES
        self._learnt: Learnt = self._names.learnt
        self._search: AnswerSearch | None = None
        """Behind lost octets."""

    def message(self, octets: bytes, start: int, stop: int, offset: int, more: bool) -> Message:
        in_flight = self._in_flight
        if (in_flight is None or in_flight.tokens > 0 or stop - start < ANSWER) and self._token_is_due(stop - start):
            return KafkaToken(self.flow, self.sender, _RESPONSE, offset, octets, start, stop, more)
        if stop - start < ANSWER:
            seen = f"an answer of {stop - start - _SIZE} octets"
            self.fail(int(_SIZE), seen, "a correlation id: 4 octets", "Kafka protocol guide, Headers")
        correlation = i64(read_i32_be(octets, start + _SIZE))
        return KafkaResponse(
            self.flow, self.sender, _RESPONSE, offset, octets, start, stop, more, correlation, self._learnt.count
        )

    def _token_is_due(self, size: i64) -> bool:
        """Whether what comes is the answer to a bare token."""
        in_flight = self._in_flight
        if in_flight is not None:
            # An answer has four octets at least; who sees the server first does not know of the token.
            return in_flight.token_is_due() or (size < ANSWER and in_flight.pending == 0)
        return bool(self._state.sent_tokens) and self.answers.pending == 0

    def pair(self, message: Message) -> None:
        if isinstance(message, KafkaToken):
            sent = self._state.sent_tokens
            if sent and self._in_flight is None:
                message.request = sent.popleft()
            else:
                message.request = self.answers.answered(message)
            return
        request = self.answers.answered(message)
        if isinstance(message, KafkaResponse):
            if isinstance(request, KafkaRequest):
                self.doubted = None
                message.answers(request)
                take_in(self._state, self._names, request, message)
            if message.more:
                self.streamed = follow(message, self.limits.message)

    def boundary(self, octets: bytes) -> int:
        search = self._search
        if search is None:
            search = AnswerSearch()
            self._search = search
        found = search.find(octets, self.buffer.offset, self.limits.payload, self._in_flight)
        self.wanted = found.wanted
        return found.at

    def restart(self) -> None:
        super().restart()
        self._search = None

    def lose(self) -> None:
        self._state.lose()
        if isinstance(self.answers, InFlight):
            self.answers.lose_answers()


def take_in(state: ConnectionState, names: Topics, request: KafkaRequest, answer: KafkaResponse) -> None:
    """Learn what an answer says of topics and sessions, and that no tokens follow."""
    if continues_a_session(request.api_key):
        state.answered(request, answer)
        return
    if request.api_key == SASL_HANDSHAKE:
        if request.version == 0 and answer.failed:
            state.tokens = 0
        return
    found = answer.layout
    if found is not None and names is not _NO_NAMES:
        try:
            learn_names(names, found, answer.octets, answer.body, answer.stop, answer.more)
        except ProtocolError:
            pass  # what cannot be read teaches nothing


def _has_no_acks(octets: bytes, body: i64, stop: i64, version: i64) -> bool:
    """Whether a Produce asks for no acknowledgement: acks (16 bits), behind the transactional id from version 3 on, is 0."""
    at = body
    if version >= 9:
        if at >= stop:
            return False
        size: i64 = octets[at]  # compact: one more than the size, 0 is null
        at += 1
        if size >= 0x80:
            if at >= stop or octets[at] >= 0x80:
                octet: i64 = 0
                shift: i64 = 7
                size &= 0x7F
                while at < stop and shift < 35:
                    octet = octets[at]
                    at += 1
                    size |= (octet & 0x7F) << shift
                    shift += 7
                    if octet < 0x80:
                        break
            else:
                size = (size & 0x7F) | (i64(octets[at]) << 7)
                at += 1
        if size > 0:
            at += size - 1
    elif version >= 3:
        if at + 2 > stop:
            return False
        length = i64(read_i16_be(octets, at))
        at += 2 + max(length, 0)
    return at + 2 <= stop and octets[at] == 0 and octets[at + 1] == 0
