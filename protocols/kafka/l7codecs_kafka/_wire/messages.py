"""What requests and answers have in common, where their parts stand, and the bare tokens of old SASL.

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

from mypy_extensions import i64, mypyc_attr

from l7codecs import Kind, Message, ProtocolError, Sender, Status
from l7codecs.message import AttrValue, Flow
from l7codecs.pairing.numbering import put_number

from .._meaning.access import is_internal, operation_type
from .._meaning.describe import collect_fields
from .._meaning.members import MEMBERS
from .._meaning.naming import TopicKey, has_all_topics, has_topics, known_topics, topic_keys, topic_names
from .._meaning.topics import Topics, topic_text
from .._schema.layouts import Layout, Value
from .._schema.values import decode
from .apis import Form
from .header import ANSWER, CORRELATION

__all__ = ["NOT_KNOWN", "Ending", "KafkaMessage", "KafkaToken"]

_RESPONSE: Final = Kind.RESPONSE
_CLIENT: Final = Sender.CLIENT
_SERVER: Final = Sender.SERVER
NOT_KNOWN: Final[i64] = -(1 << 20)
"""No key, no version."""


@final
@mypyc_attr(acyclic=True)
class Ending:
    """What a message that streamed turned out to say, once its end has come."""

    def __init__(self, codes: list[int] | None, topics: list[TopicKey] | None) -> None:
        self.codes = codes
        """Every error code; None where they could not be followed."""
        self.topics = topics
        """All topics; None where they could not be followed."""


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
    _operation: str | None
    _form: Form | None
    """That of the body; None of an answer whose request was not seen."""
    correlation: i64
    """The correlation id."""
    reached: i64
    """How many names of topics were known when it came."""
    ending: Ending | None
    """What the rest of a message that streams has said, once it has come."""

    def __init__(
        self, flow: Flow, sender: Sender, kind: Kind, offset: i64, octets: bytes, start: i64, stop: i64, more: bool
    ) -> None:
        """Say that the numbers are set, as every subclass does itself: else, compiled, one of -113 is taken for none."""
        super().__init__(flow, sender, kind, offset, octets, start, stop, more)
        self.api_key = 0
        self.version = 0
        self.body_version = 0
        self.body = -1
        self.correlation = 0
        self.reached = 0

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
        return self._operation

    @property
    def layout(self) -> Layout | None:
        """What the table says of the body; None where it does not have the key or the version, or where they are not known."""
        form = self._form
        if form is None or self.body < 0:
            return None
        return form.answer if self.sender is _SERVER else form.request

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
            elif self.api_key == NOT_KNOWN:
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
        """The topics that the body names: by name, or by the 16 octets of their id. Empty where it cannot be read.

        Of a message that streams they are those in its head, and all of them once its end has come.
        """
        ending = self.ending
        if ending is not None and ending.topics is not None:
            return ending.topics
        found = self.layout
        if found is None:
            return []
        consumers = found.has & MEMBERS == 0 or self.of_consumers
        try:
            return topic_keys(found, self.octets, self.body, self.stop, self.more, consumers)
        except ProtocolError:
            return []

    @property
    def more_topics(self) -> bool:
        """Whether it may name further topics behind its head, which `resources` do not have.

        False once its end has come, unless that could not be followed: octets were lost, or there is more than ``limits.message`` beside
        records.
        """
        if not self.more:
            return False
        ending = self.ending
        if ending is not None:
            return ending.topics is None
        form = self._form
        if form is None:
            return False
        found = form.answer if self.sender is _SERVER else form.request
        if found is None or not has_topics(found):
            return False
        return self.body < 0 or not has_all_topics(found, self.octets, self.body, self.stop)

    @property
    def of_consumers(self) -> bool:
        """Whether members of a classic group that do not say their protocol type here may be consumers."""
        return True

    @property
    def topics(self) -> Topics | None:
        """What is known of topics."""
        return known_topics(self.flow)

    def take_correlation(self, number: int) -> bytes:
        """The octets with another correlation id."""
        at = ANSWER - 4 if self.sender is _SERVER else CORRELATION
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
        if self.api_key != NOT_KNOWN:
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
        if self.more and self.more_topics:
            attributes["kafka.more_topics"] = True

    def collect_body(self, attributes: dict[str, AttrValue]) -> None:
        """The attributes of the body's fields."""
        found = self.layout
        if found is None:
            return
        try:
            collect_fields(
                found, self.octets, self.body, self.stop, self.more, attributes, self.key_type, self.names_leaders,
                found.has & MEMBERS == 0 or self.of_consumers,
            )  # fmt: skip
        except ProtocolError as error:
            attributes["kafka.malformed"] = str(
                ProtocolError(self.offset + error.offset - self.start, error.seen, error.expected)
            )


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
        if self.kind is not _RESPONSE:
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
        if self.sender is _CLIENT:
            attributes["l7.access"] = "read"
            attributes["l7.pins"] = "authentication"
