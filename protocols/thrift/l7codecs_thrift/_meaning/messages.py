"""Messages: who is called, and what came of it. Read from the octets when somebody asks.

`plain` is what carries the message proper: ``octets`` itself, or what was inflated or put together from them. Its head is known from the
start; all else is read from the body when somebody asks.
"""

from __future__ import annotations

from typing import Final, final

from mypy_extensions import i64, mypyc_attr

from l7codecs import Headers, Kind, Limits, Message, ProtocolError, Sender, Status
from l7codecs.headers import EMPTY_HEADERS
from l7codecs.message import AttrValue, Flow

from .._encoding.names import Name
from .._encoding.types import Value
from .origin import Origin
from .table import CODECS
from .words import (
    CALL,
    DIALECTS,
    ENCODINGS,
    EXCEPTION,
    FINAGLE,
    HTTP,
    NO_ENCODING,
    ONEWAY,
    REPLY,
    TRANSPORTS,
    TYPES,
    UPGRADE,
    exception_name,
    exception_status,
)

__all__ = ["FIELD", "ThriftAnswer", "ThriftMessage", "new_message"]

_ONEWAY: Final = Kind.ONEWAY
_REQUEST: Final = Kind.REQUEST
_RESPONSE: Final = Kind.RESPONSE
_CLIENT: Final = Sender.CLIENT
FIELD: Final[i64] = 200
"""Octets of memory, about, of an info or a field of HTTP, beside what it says: a pair, and two texts."""
_OK: Final = Status.OK
_UNKNOWN: Final = Status.UNKNOWN
_NO_HEADERS: Final[tuple[tuple[str, str | bytes], ...]] = ()


@final
class ReplyOutcome:
    """What an answer's body says."""

    def __init__(self, field: int, name: str | None, kind: int | None, text: str | None, broken: str | None) -> None:
        self.field = field
        """Of a reply: the id of its field, -1 where it has none; its name, where the encoding has such."""
        self.name = name
        self.kind = kind
        """The type of a TApplicationException, if it has one; and its text."""
        self.text = text
        self.broken = broken


@mypyc_attr(acyclic=True, free_list_len=1)
class ThriftMessage(Message):
    """One call, one-way call, reply or exception; or a frame that has no message, or none that can be read.

    This class is that of calls, whose heads say who is called; see `ThriftAnswer`.
    """

    transport_id: i64
    encoding_id: i64
    type_id: i64
    """0 where there is no message, or none that can be read."""
    number: i64

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
        transport_id: i64,
        encoding_id: i64,
        type_id: i64,
        number: i64,
        plain: bytes,
        head: i64,
        name_start: i64,
        name_stop: i64,
        body: i64,
        end: i64,
        origin: Origin,
        named: Name,
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
        self.kept = stop - start
        self.more = more
        self.transport_id = transport_id
        self.encoding_id = encoding_id
        self.type_id = type_id
        self.number = number
        self.plain = plain
        self.head_start = head
        self.name_start = name_start
        self.name_stop = name_stop
        self.body_start = body
        self.body_stop = end
        self.origin = origin
        self.infos: tuple[tuple[str, str | bytes], ...] = _NO_HEADERS
        self.transforms: tuple[str, ...] = ()
        self.http_status: i64 = 0
        self.malformed: str | None = None
        self.inner: ThriftMessage | None = None
        """In a stream of zlib: the same message as it is inside."""
        self.is_overtaken = False
        """At an endpoint: a call that was asked later has been answered before this one."""
        self.sent_method: str | None = None
        """The method that a call was sent with, where that was changed here: its answer has this one."""
        self.post: i64 = 0
        """At an endpoint, of HTTP: how many messages were sent up to this one."""
        self.named = named
        self._name = named.text
        self._service = named.service
        self._operation = named.method
        self._message_type = TYPES[type_id]
        self._outcome: ReplyOutcome | None = None

    # What routers ask of every message: each only returns what is there, so that it costs nothing, see `with_members` of the build.

    @property
    def service(self) -> str | None:
        """What stands before the last ``:`` of the name; of an answer, of its request's name. None where there is no ``:``."""
        return self._service

    @property
    def operation(self) -> str | None:
        """The method; of an answer without a name, that of its request."""
        return self._operation

    @property
    def message_type(self) -> str:
        """``call``, ``reply``, ``exception``, ``oneway``; ``none`` where there is no message, or none that can be read."""
        return self._message_type

    @property
    def name(self) -> str:
        """The name as the message has it: ``method``, or ``service:method``; empty where there is none."""
        return self._name

    # What is asked of every message.

    @property
    def is_empty(self) -> bool:
        """Whether no octet of it is a body."""
        return self.body_stop == self.body_start

    @property
    def request_id(self) -> int | None:
        """The sequence id: 32 bits with sign. None where there is no message, of an answer of HTTP without one that of its request.

        Requests of HTTP that cannot be read have 0: each is answered all the same.
        """
        return self.number

    @property
    def is_accepted(self) -> bool:
        """Whether it is an answer of HTTP that says with no octet in it that all is well, as servers do to one-way calls."""
        return 200 <= self.http_status < 300 and self.body_stop == self.body_start

    @property
    def own_service(self) -> str | None:
        """The service that the message itself names."""
        return self._service

    def renumbered(self, number: int) -> bytes | None:
        return self.origin.writer.renumbered(self, number)

    @property
    def limits(self) -> Limits:
        """Those of the session."""
        return self.origin.limits

    @property
    def transport(self) -> str:
        """How the message stands in the stream: ``framed``, ``unframed``, ``header``, ``ttheader``, ``finagle``, ``zlib``, ``http``."""
        return TRANSPORTS[self.transport_id]

    @property
    def pins(self) -> str | None:
        """``upgrade`` of Finagle's, which is the connection's, and of what is said in its form."""
        if self.transport_id == FINAGLE or (self.type_id == CALL and self._name == UPGRADE):
            return "upgrade" if self.sender is _CLIENT else None
        return None

    @property
    def unshared(self) -> bool:
        """Of HTTP: an answer may end with its connection, and nobody can tell which servers answer one-way calls."""
        return self.transport_id == HTTP

    @property
    def blocks(self) -> bool:
        return False

    @property
    def dialect(self) -> str | None:
        return DIALECTS[self.transport_id * len(ENCODINGS) + self.encoding_id]

    @property
    def encoding(self) -> str:
        """``binary``, ``old-binary``, ``compact``, ``json``, ``thriftpy2-json``; ``unread``."""
        return ENCODINGS[self.encoding_id]

    @property
    def payload(self) -> bytes:
        """The message without its transport, not compressed; of a message with ``more`` what is of it in the head."""
        return self.plain[self.head_start : max(self.head_start, self.body_stop)]

    # What came of it.

    def outcome(self) -> ReplyOutcome:
        """What the body of an answer says."""
        found = self._outcome
        if found is None:
            found = self._read_outcome()
            self._outcome = found
        return found

    def _read_outcome(self) -> ReplyOutcome:
        if self.encoding_id == NO_ENCODING:
            return ReplyOutcome(-1, None, None, None, None)
        try:
            if self.type_id == EXCEPTION:
                kind, text = CODECS[self.encoding_id].application_exception(self.plain, self.body_start, self.body_stop)
                return ReplyOutcome(-1, None, kind, text, None)
            if self.type_id == REPLY:
                first = CODECS[self.encoding_id].first_field(self.plain, self.body_start, self.body_stop)
                return ReplyOutcome(
                    -1 if first is None else first.id, None if first is None else first.name, None, None, None
                )
        except ProtocolError as error:
            return ReplyOutcome(-1, None, None, None, f"saw {error.seen}, expected {error.expected}")
        return ReplyOutcome(-1, None, None, None, None)

    @property
    def status(self) -> Status | None:
        """The outcome: UNKNOWN of an exception that the interface declares; see the README for the others."""
        if self.kind is not _RESPONSE:
            return None
        if self.type_id == REPLY:
            found = self.outcome()
            return _OK if found.field <= 0 and found.broken is None else _UNKNOWN
        if self.type_id == EXCEPTION:
            found = self.outcome()
            return exception_status(found.kind, found.text)
        if self.http_status >= 300 or self.is_accepted:
            return http_status(self.http_status)
        return _UNKNOWN

    @property
    def error(self) -> str | None:
        """The type of a TApplicationException by its name; ``field 1`` of a declared exception, whose name only the interface knows."""
        if self.kind is not _RESPONSE:
            return None
        if self.type_id == EXCEPTION:
            return exception_name(self.outcome().kind)
        if self.type_id == REPLY:
            found = self.outcome()
            return (found.name or f"field {found.field}") if found.field > 0 else None
        if self.http_status >= 300:
            return str(self.http_status)
        return None

    @property
    def reply_kind(self) -> str | None:
        """Of a reply: ``result``, ``declared`` of an exception that the interface declares, ``empty`` of void or null."""
        if self.type_id != REPLY or self.encoding_id == NO_ENCODING:
            return None
        found = self.outcome()
        if found.broken is not None:
            return None
        return "declared" if found.field > 0 else "result" if found.field == 0 else "empty"

    @property
    def exception(self) -> tuple[int | None, str | None]:
        """Type and text of a TApplicationException; None where they are not written."""
        found = self.outcome()
        return found.kind, found.text

    # The body.

    def structure(self) -> Value:
        """The body by the ids of its fields: arguments of a call, the result of a reply. Structs in it are dicts, too.

        Raises:
            ProtocolError: it cannot be read, or ends too early. The offset is an index into ``plain``.
        """
        return CODECS[self.encoding_id].structure(self.plain, self.body_start, self.body_stop, self.limits)

    def pick(self, *path: int | str) -> Value:
        """One value by the ids of the fields that lead to it; everything else is skipped. None where it is not there.

        Of a field that comes twice it is the last, as in `structure`.

        Raises:
            ProtocolError: the octets before it cannot be read. The offset is an index into ``plain``.
        """
        return CODECS[self.encoding_id].pick(self.plain, self.body_start, self.body_stop, path)

    # What the transport says.

    @property
    def headers(self) -> Headers:
        """The infos of THeader, the keys of TTHeader, the header fields of HTTP."""
        return Headers(self.infos) if self.infos else EMPTY_HEADERS

    def wrapped(self, transport: i64, offset: i64, octets: bytes, start: i64, stop: i64) -> ThriftMessage:
        """The same message as one of another transport, that stands in ``octets[start:stop]``."""
        message = new_message(
            self.flow, self.sender, self.kind, offset, octets, start, stop, self.more, transport, self.encoding_id,
            self.type_id, self.number, self.plain, self.head_start, self.name_start, self.name_stop, self.body_start,
            self.body_stop, self.origin, self.named,
        )  # fmt: skip
        message.infos = self.infos
        message.transforms = self.transforms
        message.malformed = self.malformed
        message.inner = self
        message.kept += self.kept
        return message

    # Memory.

    def detach(self) -> bool:
        before = self.start
        shared = self.plain is self.octets
        self.keep_own()
        inner = self.inner
        if inner is not None:
            inner.detach()
            self.plain = inner.plain
            self.head_start = inner.head_start
            self.name_start = inner.name_start
            self.name_stop = inner.name_stop
            self.body_start = inner.body_start
            self.body_stop = inner.body_stop
        if shared:
            self.plain = self.octets
            self.head_start -= before
            self.name_start -= before
            self.name_stop -= before
            self.body_start -= before
            self.body_stop -= before
        return True

    def shortened(self, size: int) -> Message | None:
        if self.kind is _RESPONSE:
            return None  # nobody waits for what answers it
        if size < len(self._name):
            return None  # its name alone is more than it may keep
        octets = self.octets[self.start : min(self.start + size, self.stop)]
        short = new_message(
            self.flow, self.sender, self.kind, self.offset, octets, 0, len(octets), True, self.transport_id,
            self.encoding_id, self.type_id, self.number, b"", 0, 0, 0, 0, 0, self.origin, self.named,
        )  # fmt: skip
        short.declared_size = self.stop - self.start if self.size is None else i64(self.size)
        short.sent_method = self.sent_method
        short.post = self.post
        return short

    def collect(self, attributes: dict[str, AttrValue]) -> None:
        attributes["rpc.system.name"] = "thrift"
        attributes["thrift.transport"] = self.transport
        if self.transforms:
            attributes["thrift.transforms"] = self.transforms
        if self.encoding_id != NO_ENCODING:
            attributes["thrift.protocol"] = self.encoding
        pins = self.pins
        if pins is not None:
            attributes["l7.pins"] = pins
        if self.type_id != 0:
            attributes["thrift.message_type"] = self.message_type
            attributes["thrift.seqid"] = self.number
        service, method = self.service, self.operation
        if service is not None:
            attributes["thrift.service"] = service
        if method is not None:
            attributes["thrift.method"] = method
            attributes["rpc.method"] = method if service is None else f"{service}/{method}"
        if self.http_status:
            attributes["http.response.status_code"] = self.http_status
        if self.malformed is not None:
            attributes["thrift.malformed"] = self.malformed
        if self.kind is _REQUEST or self.kind is _ONEWAY:
            attributes["l7.access"] = "unknown"
        if self.kind is _RESPONSE:
            self._collect_outcome(attributes)

    def _collect_outcome(self, attributes: dict[str, AttrValue]) -> None:
        found = self.outcome()
        kind = self.reply_kind
        if kind is not None:
            attributes["thrift.reply_kind"] = kind
        if found.field > 0 and found.name is None:
            attributes["thrift.exception_field"] = found.field
        if found.kind is not None:
            attributes["thrift.exception_type"] = found.kind
        if found.text is not None:
            attributes["exception.message"] = found.text
        if self.type_id == EXCEPTION:
            attributes["exception.type"] = "TApplicationException"
        error = self.error
        if error is not None:
            attributes["error.type"] = error
        if found.broken is not None:
            attributes["thrift.malformed"] = found.broken


@final
@mypyc_attr(acyclic=True, free_list_len=1)
class ThriftAnswer(ThriftMessage):
    """An answer, or what has no message: what its head does not say its request does."""

    @property
    def request_id(self) -> int | None:
        if self.type_id != 0:
            return self.number
        if self.transport_id == HTTP and self.kind is _REQUEST:
            return 0
        request = self._request
        if not isinstance(request, ThriftMessage):
            return None
        return request.number if request.type_id != 0 else 0 if request.transport_id == HTTP else None

    @property
    def service(self) -> str | None:
        service = self._service
        if service is not None:
            return service  # no library of Thrift repeats it
        request = self._request
        return None if request is None else request.service

    @property
    def operation(self) -> str | None:
        if self._name:
            return self._operation
        request = self._request
        return None if request is None else request.operation


def new_message(
    flow: Flow,
    sender: Sender,
    kind: Kind,
    offset: i64,
    octets: bytes,
    start: i64,
    stop: i64,
    more: bool,
    transport_id: i64,
    encoding_id: i64,
    type_id: i64,
    number: i64,
    plain: bytes,
    head: i64,
    name_start: i64,
    name_stop: i64,
    body: i64,
    end: i64,
    origin: Origin,
    named: Name,
) -> ThriftMessage:
    """A message of the class for its type."""
    if type_id == CALL or type_id == ONEWAY:
        return ThriftMessage(
            flow, sender, kind, offset, octets, start, stop, more, transport_id, encoding_id, type_id, number, plain,
            head, name_start, name_stop, body, end, origin, named,
        )  # fmt: skip
    return ThriftAnswer(
        flow, sender, kind, offset, octets, start, stop, more, transport_id, encoding_id, type_id, number, plain, head,
        name_start, name_stop, body, end, origin, named,
    )  # fmt: skip


def http_status(number: i64) -> Status:
    """The canonical code of an answer of HTTP that has no message."""
    if 200 <= number < 300:
        return Status.OK
    if number == 404:
        return Status.UNIMPLEMENTED
    if number == 401:
        return Status.UNAUTHENTICATED
    if number == 403:
        return Status.PERMISSION_DENIED
    if number == 429:
        return Status.RESOURCE_EXHAUSTED
    if number == 503 or number == 502:
        return Status.UNAVAILABLE
    if number == 504:
        return Status.DEADLINE_EXCEEDED
    if 400 <= number < 500:
        return Status.INVALID_ARGUMENT
    return Status.INTERNAL if number >= 500 else Status.UNKNOWN
