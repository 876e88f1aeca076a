"""Requests, answers, and the bare tokens of old SASL: what routing sees of them, and where their parts stand.

    request     0      4    6        8            12          14                   body
                ├──────┼────┼────────┼────────────┼───────────┼──────────┬─────────┼───────────
                │ size │ key│ version│ correlation│ client id │ client id│ tagged  │ fields
                │      │    │        │ id         │ size      │          │ fields  │
    answer      0      4                8         body
                ├──────┼────────────────┼─────────┼───────────
                │ size │ correlation id │ tagged  │ fields
                │      │                │ fields  │
    token       0      4
                ├──────┼───────────
                │ size │ token

Tagged fields stand in the header of flexible versions only, and in no header of an answer to ApiVersions; the client id's size is 16 bits
in all of them. An answer says neither its key nor its version: they are its request's.
"""

from __future__ import annotations

from typing import Final, final

from librt.strings import read_i16_be, read_i32_be
from mypy_extensions import i64, mypyc_attr

from l7codecs import Kind, Message, ProtocolError, Sender, Status
from l7codecs.message import AttrValue, Flow
from l7codecs.numbering import put_number

from .._meaning.access import access_of, is_internal, operation_type
from .._meaning.describe import collect_fields
from .._meaning.errors import error_name, error_status, worst_status
from .._meaning.naming import TopicKey, has_topics, known_topics, topic_keys, topic_names
from .._meaning.outcome import Result, error_codes, results_of
from .._meaning.sessions import SessionTopics
from .._meaning.topics import Topics, topic_text
from .._schema.layouts import KEY_TYPE, MAX_WAIT_MS, TRANSACTIONAL_ID, Layout, Value, layout
from .._schema.values import decode
from .._schema.walk import codes, pick
from .apis import (
    API_VERSIONS,
    FETCH,
    FIND_COORDINATOR,
    JOIN_GROUP,
    SASL_AUTHENTICATE,
    SASL_HANDSHAKE,
    SHARE_ACKNOWLEDGE,
    SHARE_FETCH,
    SYNC_GROUP,
    api_name,
    is_flexible,
)
from .header import ANSWER, CORRELATION, skip_tags

__all__ = ["Ending", "KafkaMessage", "KafkaRequest", "KafkaResponse", "KafkaToken", "is_refused"]

UNSUPPORTED_VERSION: Final = 35
"""The error of ApiVersions in a version that the broker does not have; the answer is one of version 0."""
_SERVER: Final = Sender.SERVER
_STATUS_OK: Final = Status.OK
_STATUS_UNKNOWN: Final = Status.UNKNOWN
_UNKNOWN: Final[i64] = -(1 << 20)
"""No key, no version."""


@mypyc_attr(acyclic=True)
class KafkaMessage(Message):
    """A request or an answer.

    ``api_key`` and ``version`` are those of the request; ``body_version`` is that of the body, which is another one where a broker
    refuses a version of ApiVersions. ``body`` is where in ``octets`` the body begins; -1 where that is not known.
    """

    api_key: i64
    version: i64
    body_version: i64
    body: i64
    correlation: i64
    """The correlation id."""
    reached: i64
    """How many names of topics were known when it came."""

    @property
    def correlation_id(self) -> int:
        """The correlation id: 32 bits, with a sign."""
        return self.correlation

    @property
    def request_id(self) -> int:
        return self.correlation

    @property
    def operation(self) -> str | None:
        """The API's name: ``Produce``; None where it is not known."""
        return api_name(self.api_key)

    @property
    def layout(self) -> Layout | None:
        """What the table says of the body; None where it does not have the key or the version, or where they are not known."""
        if self.body < 0:
            return None
        return layout(self.api_key, self.body_version, self.sender is _SERVER)

    @property
    def payload(self) -> bytes:
        """The body, without header; of a message with ``more`` what is of it in the head."""
        return self.octets[self.body : self.stop] if self.body >= 0 else b""

    def fields(self) -> dict[str, Value]:
        """The body's fields, by the names of Kafka's definitions: structs are dicts, arrays are lists, a UUID is 16 octets.

        Raises:
            ProtocolError: the body cannot be read: it is broken, of an unknown key or version, or but the head of a message.
        """
        found = self.layout
        if found is None or self.more:
            seen = f"a body of key {self.api_key}, version {self.body_version}"
            if self.more:
                seen = "a head"
            elif self.api_key == _UNKNOWN:
                seen = "an answer whose request was not seen"
            raise ProtocolError(self.offset, seen, "a whole body that the table has")
        try:
            return decode(found, self.octets, self.body, self.stop)[0]
        except ProtocolError as error:
            raise ProtocolError(self.offset + error.offset - self.start, error.seen, error.expected) from None

    @property
    def key_type(self) -> int:
        """Of the keys of FindCoordinator: 0 groups, 1 transactions, 2 share partitions."""
        return 0

    @property
    def names_leaders(self) -> bool:
        """Whether the leaders that it names are ones: an answer without an error to ShareFetch names node 0, epoch 0, whoever leads."""
        return True

    def own_topics(self) -> list[TopicKey]:
        """The topics that the body names: by name, or by the 16 octets of their id. Empty where it cannot be read."""
        found = self.layout
        if found is None:
            return []
        try:
            return topic_keys(found, self.octets, self.body, self.stop, self.more)
        except ProtocolError:
            return []

    @property
    def topics(self) -> Topics | None:
        """What is known of topics."""
        return known_topics(self.flow)

    def take_correlation(self, number: int) -> bytes:
        """The octets with another correlation id."""
        at = ANSWER - 4 if self.sender is Sender.SERVER else CORRELATION
        return put_number(self.raw, at, 4, number)

    def renumbered(self, number: int) -> bytes | None:
        return self.take_correlation(number)

    def moved(self) -> None:
        """The message is on its own: what points into ``octets`` moves down."""
        if self.body >= 0:
            self.body -= self.start

    def detach(self) -> bool:
        self.moved()
        self.keep_own()
        return True

    def collect_names(self, attributes: dict[str, AttrValue], keys: list[TopicKey]) -> None:
        """The attributes of an API, and of topics."""
        attributes["messaging.system"] = "kafka"
        name = self.operation
        if name is not None:
            attributes["messaging.operation.name"] = name
        kind = operation_type(self.api_key)
        if kind is not None:
            attributes["messaging.operation.type"] = kind
        attributes["kafka.correlation_id"] = self.correlation
        if self.api_key != _UNKNOWN:
            attributes["kafka.api_key"] = self.api_key
            attributes["kafka.api_version"] = self.version
            if is_internal(self.api_key):
                attributes["kafka.internal"] = True
        if keys:
            names = topic_names(keys, self.flow, self.reached)
            attributes["kafka.topics"] = names
            if len(names) == 1:
                attributes["messaging.destination.name"] = names[0]
            ids = tuple([topic_text(key) for key in keys if isinstance(key, bytes)])
            if ids:
                attributes["kafka.topic_ids"] = ids

    def collect_body(self, attributes: dict[str, AttrValue]) -> None:
        """The attributes of the body's fields."""
        found = self.layout
        if found is None:
            return
        try:
            collect_fields(
                found, self.octets, self.body, self.stop, self.more, attributes, self.key_type, self.names_leaders
            )
        except ProtocolError as error:
            attributes["kafka.malformed"] = str(
                ProtocolError(self.offset + error.offset - self.start, error.seen, error.expected)
            )


@final
@mypyc_attr(acyclic=True, free_list_len=1)
class KafkaRequest(KafkaMessage):
    """One request."""

    def __init__(
        self,
        flow: Flow,
        sender: Sender,
        kind: Kind,
        offset: i64,
        octets: bytes,
        start: i64,
        stop: i64,
        more: bool,
        api_key: i64,
        version: i64,
        correlation: i64,
        client_start: i64,
        client_stop: i64,
        body: i64,
        reached: i64,
    ) -> None:
        """The client id is ``octets[client_start:client_stop]``; null where `client_start` is -1."""
        self.flow = flow
        self.sender = sender
        self.kind = kind
        self.offset = offset
        self.octets = octets
        self.start = start
        self.stop = stop
        self._request = None
        self._attributes = None
        self._referred = False
        self.settled = False
        self.declared_size = -1
        self.more = more
        self.api_key = api_key
        self.version = version
        self.body_version = version
        self.body = body
        self.correlation = correlation
        self.reached = reached
        self._client_start = client_start
        self._client_stop = client_stop
        self._client_id: str | None = None
        self.session_topics: SessionTopics | None = None
        """The topics of the fetch session or share session that it continues; None: of none that is known."""

    @property
    def client_id(self) -> str | None:
        """The client id of the header; None where it is null."""
        if self._client_start < 0:
            return None
        found = self._client_id
        if found is None:
            octets = self.octets[self._client_start : self._client_stop]
            try:
                found = octets.decode("utf-8")
            except UnicodeDecodeError:
                found = octets.decode("utf-8", "replace")
            self._client_id = found
        return found

    @property
    def client_place(self) -> tuple[int, int]:
        """Where in ``octets`` the client id stands; the first is -1 where it is null, the second where there is none."""
        return self._client_start, self._client_stop

    @property
    def resources(self) -> tuple[str | bytes, ...]:
        """All topics, by name where that is known, else by id; of a message of a fetch or share session, those of the session."""
        if self.session_topics is not None:
            return topic_names(self.keys(), self.flow, self.reached)
        if self.body < 0:
            return ()
        found = layout(self.api_key, self.body_version, False)
        if found is None or not has_topics(found):
            return ()
        try:
            keys = topic_keys(found, self.octets, self.body, self.stop, self.more)
        except ProtocolError:
            return ()
        return topic_names(keys, self.flow, self.reached)

    def keys(self) -> list[TopicKey]:
        """The topics that it names, and those of the session that it continues."""
        own = self.own_topics()
        if self.session_topics is None:
            return own
        keys = dict.fromkeys(own)
        keys.update(self.session_topics.keys())
        return list(keys)

    @property
    def pins(self) -> str | None:
        """``authentication``, ``transaction``, ``share session``: why what follows has to stay on this connection."""
        key = self.api_key
        if key == SASL_HANDSHAKE or key == SASL_AUTHENTICATE:
            return "authentication"
        if key == SHARE_FETCH or key == SHARE_ACKNOWLEDGE:
            return "share session"
        found = self.layout
        if found is None or found.has & TRANSACTIONAL_ID == 0 or access_of(key) == "admin":
            return None
        try:
            ids = pick(found, self.octets, self.body, self.stop, TRANSACTIONAL_ID, partial=self.more)
        except ProtocolError:
            return None
        for at in range(len(ids)):
            if ids.starts(at) >= 0:
                return "transaction"
        return None

    @property
    def blocks(self) -> bool:
        """Whether the answer waits for records, or for other members of a group."""
        key = self.api_key
        if key == JOIN_GROUP or key == SYNC_GROUP:
            return True
        if (key != FETCH and key != SHARE_FETCH) or self.body < 0:
            return False
        found = self.layout
        if found is None:
            return False
        try:
            wait, least = _waits(found, self.octets, self.body, self.stop)
        except ProtocolError:
            return False
        return wait > 0 and least > 0

    def shortened(self, size: int) -> KafkaRequest:
        client_id = self.client_id
        octets = self.octets[self.start : self.start + size]
        stop = len(octets)
        client_start = self._client_start - self.start if self._client_start >= 0 else -1
        body = self.body - self.start if 0 <= self.body - self.start <= stop else -1
        short = KafkaRequest(
            self.flow, self.sender, self.kind, self.offset, octets, 0, stop, True, self.api_key, self.version,
            self.correlation, client_start, self._client_stop - self.start, body, self.reached,
        )  # fmt: skip
        short._client_id = client_id
        short.session_topics = self.session_topics
        short.declared_size = self.stop - self.start if self.size is None else i64(self.size)
        return short

    def moved(self) -> None:
        if self._client_start >= 0:
            self._client_start -= self.start
            self._client_stop -= self.start
        super().moved()

    def collect(self, attributes: dict[str, AttrValue]) -> None:
        self.collect_names(attributes, self.keys())
        client_id = self.client_id
        if client_id is not None:
            attributes["messaging.client.id"] = client_id
        self.collect_body(attributes)
        attributes["l7.access"] = access_of(self.api_key)
        why = self.pins
        if why is not None:
            attributes["l7.pins"] = why
        if self.blocks:
            attributes["l7.blocks"] = True
        if "kafka.replica_id" in attributes:
            attributes["kafka.internal"] = True


@final
@mypyc_attr(acyclic=True, free_list_len=1)
class KafkaResponse(KafkaMessage):
    """One answer. What it is, its request says: without that, its correlation id is all that is known, and its status is UNKNOWN."""

    def __init__(
        self,
        flow: Flow,
        sender: Sender,
        kind: Kind,
        offset: i64,
        octets: bytes,
        start: i64,
        stop: i64,
        more: bool,
        correlation: i64,
        reached: i64,
    ) -> None:
        self.flow = flow
        self.sender = sender
        self.kind = kind
        self.offset = offset
        self.octets = octets
        self.start = start
        self.stop = stop
        self._request = None
        self._attributes = None
        self._referred = False
        self.settled = False
        self.declared_size = -1
        self.more = more
        self.api_key = _UNKNOWN
        self.version = _UNKNOWN
        self.body_version = _UNKNOWN
        self.body = -1
        self.correlation = correlation
        self.reached = reached
        self._codes: list[int] | None = None
        self._known_codes: list[int] | None = None
        self._broken = False
        self.ending: Ending | None = None
        """What the rest of a message that streams has said, once it has come."""

    def answers(self, request: KafkaRequest) -> None:
        """It answers `request`, by whose key and version it is read."""
        self.request = request
        self.read_as(request.api_key, request.version)

    def read_as(self, api_key: i64, version: i64) -> None:
        """Its body is that of an answer to requests of `api_key` and `version`."""
        self.api_key = api_key
        self.version = version
        self.body_version = version
        body = self.start + ANSWER
        if api_key == API_VERSIONS:
            if version != 0 and is_refused(self.octets, body, self.stop, self.stop):
                self.body_version = 0
        elif is_flexible(api_key, version):
            body = skip_tags(self.octets, body, self.stop)
        self.body = body

    @property
    def codes(self) -> list[int]:
        """Every error code in it, in the order of the wire; of a message with ``more`` those that have come."""
        ending = self.ending
        if ending is not None and ending.codes is not None:
            return ending.codes
        found = self._codes
        if found is None:
            found = []
            known = self.layout
            if known is not None:
                try:
                    found = error_codes(known, self.octets, self.body, self.stop, self.more)
                except ProtocolError:
                    pass
            self._codes = found
        return found

    def _distinct(self) -> list[int]:
        """Every distinct error code, sorted."""
        ending = self.ending
        if ending is not None and ending.codes is not None:
            return sorted(set(ending.codes))
        found = self._known_codes
        if found is None:
            found = []
            known = self.layout
            if known is None:
                self._broken = True
            else:
                try:
                    found = codes(known, self.octets, self.body, self.stop, self.more)
                except ProtocolError:
                    self._broken = True
            self._known_codes = found
        return found

    @property
    def error_codes(self) -> tuple[int, ...]:
        """Every distinct error code in it, sorted."""
        return tuple(self._distinct())

    @property
    def failed(self) -> bool:
        """Whether an error code in it is not 0."""
        found = self._distinct()
        return len(found) > 1 or (len(found) == 1 and found[0] != 0)

    @property
    def status(self) -> Status | None:
        """The worst outcome in it; UNKNOWN where it cannot be read. None while a message streams whose head has no failure."""
        if self.failed:
            found = self._distinct()
            return error_status(found[0]) if len(found) == 1 else worst_status(self.codes)
        if self._broken:
            return _STATUS_UNKNOWN
        if self.more:
            ending = self.ending
            if ending is None:
                return None
            return _STATUS_OK if ending.codes is not None else _STATUS_UNKNOWN
        return _STATUS_OK

    @property
    def body_status(self) -> Status | None:
        return self.status if self.more else None

    @property
    def error(self) -> str | None:
        """The name of the first error code that is not 0: ``NOT_LEADER_OR_FOLLOWER``."""
        if self.failed:
            for code in self.codes:
                if code != 0:
                    return error_name(code)
        return None

    @property
    def resources(self) -> tuple[str | bytes, ...]:
        """The topics that it names; where it names none, those of its request."""
        return topic_names(self.keys(), self.flow, self.reached)

    def keys(self) -> list[TopicKey]:
        """The topics that it names; where it names none, those of its request."""
        own = self.own_topics()
        request = self.request
        return own if own or not isinstance(request, KafkaRequest) else request.keys()

    @property
    def key_type(self) -> int:
        request = self.request
        if self.api_key != FIND_COORDINATOR or not isinstance(request, KafkaRequest):
            return 0
        found = request.layout
        if found is None:
            return 0
        try:
            kinds = pick(found, request.octets, request.body, request.stop, KEY_TYPE, partial=request.more)
        except ProtocolError:
            return 0
        return kinds.number(0) if len(kinds) > 0 else 0

    @property
    def names_leaders(self) -> bool:
        if self.api_key != SHARE_FETCH and self.api_key != SHARE_ACKNOWLEDGE:
            return True
        return self.error is not None

    def results(self) -> list[Result]:
        """What became of each item: every struct with an error code, in the order of the wire.

        Raises:
            ProtocolError: as `fields`.
        """
        found = self.layout
        body = self.fields()
        assert found is not None
        topics = self.topics or Topics()
        return [
            Result(
                topics.name(topic, self.reached)
                if isinstance(topic, bytes)
                else topic
                if isinstance(topic, str)
                else None,
                partition,
                code,
                fields,
            )
            for topic, partition, code, fields in results_of(found, body)
        ]

    def shortened(self, size: int) -> None:
        """None: nobody waits for what answers it."""

    def collect(self, attributes: dict[str, AttrValue]) -> None:
        self.collect_names(attributes, self.keys())
        request = self.request
        if isinstance(request, KafkaRequest) and request.client_id is not None:
            attributes["messaging.client.id"] = request.client_id
        self.collect_body(attributes)
        found = self.error_codes
        if found:
            attributes["kafka.error_codes"] = found
        error = self.error
        if error is not None:
            attributes["error.type"] = error


@final
@mypyc_attr(acyclic=True)
class Ending:
    """What a message that streamed turned out to say, once its end has come."""

    def __init__(self, codes: list[int] | None) -> None:
        self.codes = codes
        """Every error code; None where they could not be followed."""


@final
@mypyc_attr(acyclic=True)
class KafkaToken(Message):
    """A bare token of SASL, of the client or of the server, behind SaslHandshake v0."""

    @property
    def operation(self) -> str:
        return "SaslToken"

    @property
    def payload(self) -> bytes:
        """The token, without its size; a credential."""
        return self.octets[self.start + 4 : self.stop]

    @property
    def status(self) -> Status | None:
        """OK, of the server's: it closes where it does not accept. UNKNOWN where its question was not seen."""
        if self.kind is not Kind.RESPONSE:
            return None
        return Status.OK if self.request is not None else Status.UNKNOWN

    @property
    def pins(self) -> str | None:
        return "authentication"

    def detach(self) -> bool:
        self.keep_own()
        return True

    def collect(self, attributes: dict[str, AttrValue]) -> None:
        attributes["messaging.system"] = "kafka"
        attributes["messaging.operation.name"] = "SaslToken"
        attributes["kafka.token_size"] = self.stop - self.start - 4
        if self.sender is Sender.CLIENT:
            attributes["l7.access"] = "read"
            attributes["l7.pins"] = "authentication"


def is_refused(octets: bytes, body: i64, end: i64, stop: i64) -> bool:
    """Whether an answer to ApiVersions is one of version 0 that refuses the version: error 35, and entries of three numbers up to `stop`.

    There are octets up to `end`.
    """
    if body + 6 > end or read_i16_be(octets, body) != UNSUPPORTED_VERSION:
        return False
    return body + 6 + 6 * i64(read_i32_be(octets, body + 2)) == stop


def _waits(found: Layout, octets: bytes, body: i64, stop: i64) -> tuple[int, int]:
    """How long a Fetch or ShareFetch waits, in ms, and for how many octets."""
    waiting = pick(found, octets, body, stop, MAX_WAIT_MS, partial=True)
    if len(waiting) == 0:
        return 0, 0
    behind = waiting.ends(0)
    if behind + 4 > stop:
        return 0, 0
    return waiting.number(0), i64(read_i32_be(octets, behind))
