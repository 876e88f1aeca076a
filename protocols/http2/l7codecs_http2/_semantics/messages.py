"""What a routing engine sees of HTTP/2: requests, responses, trailers.

gRPC, Triple and Connect are HTTP/2 with more meaning: ``speaks`` is which of them the stream speaks (`spoken`), and ``protocol`` its name.
"""

from __future__ import annotations

from typing import Final, final

from mypy_extensions import i32, i64, mypyc_attr, u8

from l7codecs import Headers, Kind, Message, Sender, Status
from l7codecs.message import AttrValue, Flow

from .._frames.windows import Inflow
from .._hpack.decoder import HeaderBlock
from .._hpack.static_table import SENSITIVE, HeaderName
from .attributes import STATUS_CODE_KEY, collect_calls, collect_request, collect_triple, system_of
from .bodies import Calls
from .meaning import (
    EXCEPTIONS,
    GRPC_STATUS,
    HTTP_STATUS,
    RpcName,
    digits,
    find_octet,
    grpc_status_of_http,
    grpc_timeout_ms,
    rpc_name,
    text_of,
    word_of,
)
from .names import (
    AUTHORITY,
    CONNECT_TIMEOUT,
    CONTENT_TYPE,
    EXCEPTION_CODE,
    GRPC_STATUS_NAME,
    GRPC_TIMEOUT,
    HOST,
    METHOD,
    PATH,
    SCHEME,
    SERVICE_TIMEOUT,
    STATUS,
    TRIPLE_TIMEOUT,
    USER_AGENT,
)
from .roles import INTERIM, PROMISE, REQUEST, RESPONSE, TRAILERS
from .spoken import CONNECT, CONNECT_STREAM, GRPC, GRPC_WEB, HTTP, TRIPLE, TRIPLE_HTTP

__all__ = ["INTERIM", "PROMISE", "REQUEST", "RESPONSE", "TRAILERS", "Http2Message"]

_SERVER: Final = Sender.SERVER
_STATUSES: Final = list(Status)
"""By number. Calling `Status` runs the enum's Python, and so does the name of a member."""
_OK: Final = Status.OK
_UNKNOWN: Final = Status.UNKNOWN
_INVALID: Final = Status.INVALID_ARGUMENT
_INTERNAL: Final = Status.INTERNAL


@final
@mypyc_attr(acyclic=True)
class _Findings:
    """What few messages have: those that are malformed, the last of an RPC, and at an endpoint those with a body."""

    def __init__(self) -> None:
        self.malformed: str | None = None
        self.calls: Calls | None = None
        self.inflow: Inflow | None = None
        self.outcome: Status | None = None
        self.word: str | None = None


@final
@mypyc_attr(acyclic=True, free_list_len=1)
class Http2Message(Message):
    """One header block with its meaning."""

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
        request: Message | None,
        stream: i64,
        role: u8,
        speaks: u8,
        block: HeaderBlock,
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
        self.role = role
        self.speaks = speaks
        self.stream: i32 = i32(stream)
        self.block = block
        self._findings: _Findings | None = None
        if request is not None:
            self.request = request

    @property
    def malformed(self) -> str | None:
        """Which rule of RFC 9113 §8 it breaks: an error of its stream only."""
        found = self._findings
        return None if found is None else found.malformed

    def detach(self) -> bool:
        self.keep_own()
        return True

    @property
    def certain(self) -> bool:
        """Whether all its fields are known; not so where it stands for a head that was not seen."""
        return self.block.count > 0 and self.block.known

    @property
    def calls(self) -> Calls | None:
        """Of the end of an RPC: what both bodies added up to."""
        found = self._findings
        return None if found is None else found.calls

    @property
    def awaits_request(self) -> bool:
        """Whether it ends an RPC whose request has not ended, so that what that adds up to is still to be noted."""
        found = self._findings
        return found is not None and found.calls is not None and found.calls.request is None

    def note(self, malformed: str | None, calls: Calls | None = None) -> None:
        """Keep what was found out about the message: the first fault, and what an RPC added up to."""
        found = self._findings
        if found is None:
            found = _Findings()
            self._findings = found
        if found.malformed is None:
            found.malformed = malformed
        if calls is not None:
            found.calls = calls
            self._attributes = None  # somebody may have read them before the end

    def settle(self, response: Http2Message | None) -> None:
        """A call of gRPC or Triple has ended with this message, or behind it: what its outcome is where ``grpc-status`` does not tell it.

        `response` is the head of the answer, where there was one.
        """
        head = self if response is None else response
        number = self.grpc_status
        if number is None:
            outcome = grpc_status_of_http(head.status_code)
            word = outcome.name
            code = head.status_code
            if code is not None and code >= 400:
                word = str(code)
        elif number == 0 and self.speaks == TRIPLE:
            exception = self._number_of(EXCEPTION_CODE)
            if exception is None:
                exception = head._number_of(EXCEPTION_CODE)
            if exception is None:
                return
            word, outcome = EXCEPTIONS.get(exception, (f"exception {exception}", Status.UNKNOWN))
        else:
            return
        self.set_outcome(outcome, word)

    def set_outcome(self, outcome: Status, word: str | None) -> None:
        """The outcome of its call is known now; `word` is the protocol's own for a failure."""
        found = self._findings
        if found is None:
            found = _Findings()
            self._findings = found
        found.outcome = outcome
        found.word = word
        self._attributes = None

    @property
    def inflow(self) -> Inflow | None:
        """At an endpoint: what has come of the body, and what of it waits."""
        found = self._findings
        return None if found is None else found.inflow

    def receive_body(self, inflow: Inflow) -> None:
        """The body begins to come, at an endpoint."""
        found = self._findings
        if found is None:
            found = _Findings()
            self._findings = found
        found.inflow = inflow

    @property
    def size(self) -> int | None:
        """Octets of the frames of the header block; None where a body follows."""
        return None if self.more else self.stop - self.start

    @property
    def stream_id(self) -> int | None:
        return self.stream

    @property
    def request_id(self) -> int | None:
        return self.stream

    def value(self, title: HeaderName) -> str | None:
        """The first field of that name as text; None where there is none, or where it is not known."""
        field = self.block.get(title)
        return None if field is None or not field.known else text_of(field.value)

    def _word(self, title: HeaderName) -> str | None:
        """As `value`, for what comes again and again."""
        field = self.block.get(title)
        return None if field is None or not field.known else word_of(field.value)

    def _name(self) -> RpcName | None:
        """What the path of an RPC names."""
        field = self.block.get(PATH)
        if field is None or not field.known:
            return None
        path = field.value
        return rpc_name(path[: find_octet(path, 0x3F, 0)] if self.speaks == CONNECT else path)

    def code(self) -> i64:
        """``:status``, three digits; -1 where there is none, or where it is not known."""
        field = self.block.get(STATUS)
        if field is None or not field.known or len(field.value) != 3:
            return -1
        return digits(field.value)

    def grpc_number(self) -> i64:
        """``grpc-status``; -1 where there is none, or where it is not known."""
        field = self.block.get(GRPC_STATUS_NAME)
        if field is None or not field.known or not 0 < len(field.value) < 4:
            return -1
        return digits(field.value)

    @property
    def framed(self) -> bool:
        """Whether bodies of its stream are length-prefixed messages, and ``grpc-status`` tells the outcome."""
        return self.speaks == GRPC or self.speaks == TRIPLE

    def type_is(self, prefix: bytes) -> bool:
        """Whether ``content-type`` begins with `prefix`, which is in lower case."""
        field = self.block.get(CONTENT_TYPE)
        return field is not None and field.known and field.value.lower().startswith(prefix)

    @property
    def method(self) -> str | None:
        return self._word(METHOD)

    @property
    def path(self) -> str | None:
        """The whole ``:path``, with its query."""
        return self.value(PATH)

    @property
    def _called(self) -> str | None:
        """The path of an RPC; only Connect puts a query behind it."""
        path = self.path
        return path.partition("?")[0] if path is not None and self.speaks == CONNECT else path

    @property
    def authority(self) -> str | None:
        """``:authority``, or ``host`` where there is none."""
        found = self._word(AUTHORITY)
        return found if found is not None else self._word(HOST)

    @property
    def status_code(self) -> int | None:
        """``:status``, three digits."""
        number = self.code()
        return int(number) if number >= 0 else None

    @property
    def service(self) -> str | None:
        """The authority; of an RPC, ``package.Service``."""
        if self.role != REQUEST and self.role != PROMISE:
            return None if self.request is None else self.request.service
        if self.speaks == HTTP:
            return self.authority
        name = self._name()
        return None if name is None else name.service

    @property
    def operation(self) -> str | None:
        """The method; of an RPC, its name."""
        if self.role != REQUEST and self.role != PROMISE:
            return None if self.request is None else self.request.operation
        if self.speaks == HTTP:
            return self.method
        name = self._name()
        return None if name is None else name.method

    @property
    def resources(self) -> tuple[str | bytes, ...]:
        """The path without its query; nothing of an RPC, whose path is its name."""
        if self.speaks != HTTP or (self.role != REQUEST and self.role != PROMISE):
            return ()
        path = self.path
        if path is None:
            return ()
        end = path.find("?")
        return (path,) if end < 0 else (path[:end],)

    @property
    def resource(self) -> str | bytes | None:
        """The path without its query; None of an RPC."""
        if self.speaks != HTTP or (self.role != REQUEST and self.role != PROMISE):
            return None
        path = self.path
        if path is None:
            return None
        end = path.find("?")
        return path if end < 0 else path[:end]

    @property
    def grpc_status(self) -> int | None:
        """``grpc-status``, of trailers or of a response that has no body."""
        number = self.grpc_number()
        return int(number) if number >= 0 else None

    @property
    def status(self) -> Status | None:
        """The outcome; of a malformed answer that says OK it is INTERNAL, as for its receiver, who has to reset the stream."""
        status = self._said()
        if status is _OK and self._findings is not None and self._findings.malformed is not None:
            return _INTERNAL
        return status

    def _said(self) -> Status | None:
        """The outcome that it states."""
        if self.speaks != HTTP and self.speaks != TRIPLE_HTTP:
            found = self._findings
            return self._told() if found is None or found.outcome is None else found.outcome
        if self.role == RESPONSE:
            code = self.code()
            if code < 0:
                return _UNKNOWN
            if code < 400:
                if not self.block.known and not self._surely_http():
                    return None if self.more else _UNKNOWN
                return _OK
            return HTTP_STATUS.get(int(code), _INVALID if code < 500 else _INTERNAL)
        return None

    def _told(self) -> Status | None:
        """Of an RPC: what this header block says of the outcome; None where it does not."""
        if self.speaks < CONNECT_STREAM and self.sender is _SERVER:
            number = self.grpc_number()
            if number >= 0:
                return _STATUSES[number] if number < len(_STATUSES) else _UNKNOWN
        if self.role != RESPONSE:
            return None
        code = self.status_code
        if self.speaks == CONNECT:
            if code == 200:
                return _OK if self.type_is(b"application/") else _UNKNOWN  # a page is no answer
            if self.more and self.type_is(b"application/json"):
                return None  # the body will tell
            return grpc_status_of_http(code)
        return None if self.more and (code is None or code == 200) else grpc_status_of_http(code)

    def _surely_http(self) -> bool:
        """Of a response some of whose fields are not known: whether its type, or its request's, tells that it is no call of gRPC."""
        kind = self.block.get(CONTENT_TYPE)
        if kind is not None and kind.known:
            return True
        request = self.request
        if not isinstance(request, Http2Message):
            return False
        kind = request.block.get(CONTENT_TYPE)
        return request.certain or (kind is not None and kind.known)

    @property
    def error(self) -> str | None:
        """The name of the gRPC status, the HTTP status from 400 on, or PROTOCOL_ERROR where the message is malformed.

        Of a call of Triple whose method threw, the name of the kind of exception.
        """
        findings = self._findings
        if findings is not None:
            if findings.malformed is not None:
                return "PROTOCOL_ERROR"
            if findings.word is not None:
                return findings.word
        if (self.framed or self.speaks == GRPC_WEB) and self.sender is _SERVER:
            number = self.grpc_status
            if number is not None:
                if number == 0:
                    return None
                return GRPC_STATUS[number] if number < len(GRPC_STATUS) else str(number)
        if self.role == RESPONSE:
            code = self.status_code
            if self.speaks >= GRPC_WEB:
                outcome = self.status
                if outcome is None or outcome is Status.OK:
                    return None
                if code is None or code < 400:
                    return outcome.name
            if code is not None and code >= 400:
                return str(code)
        return None

    @property
    def body_status(self) -> Status | None:
        """Of a call whose body told its outcome, or ended it where trailers had to tell it."""
        found = self._findings
        if found is None or self.role != RESPONSE or not self.more or self._told() is not None:
            return None
        return found.outcome

    @property
    def headers(self) -> Headers:
        """Every field but the pseudo-headers, in order, with repeats. One that is not known is left out."""
        return Headers(
            [
                (field.title.text, field.value)
                for field in self.block.fields
                if field.known and not field.title.text.startswith(":")
            ],
            fold_case=True,
        )

    @property
    def fields(self) -> list[tuple[str | None, bytes | None, bool]]:
        """Name, value, and whether it must never be indexed, of every field, pseudo-headers too; None for what is not known."""
        return [
            (
                field.name if field.name_known else None,
                field.value if field.value_known else None,
                field.flags & SENSITIVE != 0,
            )
            for field in self.block.fields
        ]

    @property
    def payload(self) -> bytes:
        """Nothing: the body comes as `Data`."""
        return b""

    def attribute(self, name: str) -> AttrValue | None:
        if self._attributes is None and (self.role == REQUEST or self.role == PROMISE):
            if name == "url.path":
                path = self.path
                if path is None:
                    return None
                end = path.find("?")
                return path if end < 0 else path[:end]
            if name == "http.request.method":
                return self.method
            if name == "user_agent.original":
                return self.value(USER_AGENT)
        return self.attributes.get(name)

    def collect(self, attributes: dict[str, AttrValue]) -> None:
        attributes["network.protocol.version"] = "2"
        attributes["http2.stream_id"] = int(self.stream)
        if not self.block.known:
            attributes["http2.fields_unknown"] = True
        error = self.error
        if error is not None and (
            self.speaks != HTTP or self.malformed is not None or int(self.status_code or 0) >= 500
        ):
            attributes["error.type"] = error
        if self.malformed is not None:
            attributes["http2.malformed"] = self.malformed
        if self.role == REQUEST or self.role == PROMISE:
            self._collect_request(attributes)
        elif self.sender is _SERVER:
            self._collect_outcome(attributes, error)
        elif self.speaks != HTTP:  # a client's trailers, which tell no outcome, whatever they say
            self._collect_rpc(attributes, self.request)

    def _collect_outcome(self, attributes: dict[str, AttrValue], error: str | None) -> None:
        """What a server says of a request."""
        code = self.status_code
        if code is not None:
            attributes["http2.interim_status" if self.role == INTERIM else "http.response.status_code"] = code
        if self.speaks == HTTP:
            return
        self._collect_rpc(attributes, self.request)
        number = self.grpc_status if self.framed or self.speaks == GRPC_WEB else None
        if number is not None:
            attributes[STATUS_CODE_KEY] = GRPC_STATUS[number] if number < len(GRPC_STATUS) else str(number)
        elif self.speaks >= GRPC_WEB and error is not None:
            attributes[STATUS_CODE_KEY] = error
        if self.speaks == TRIPLE:
            exception = self._number_of(EXCEPTION_CODE)
            if exception is not None:
                attributes["dubbo.exception_code"] = exception
        calls = self.calls
        if calls is not None:
            collect_calls("connect" if self.speaks >= CONNECT_STREAM else "grpc", calls, attributes)

    def _collect_request(self, attributes: dict[str, AttrValue]) -> None:
        collect_request(self.method, self.path, self.value(SCHEME), self.authority, attributes)
        agent = self.value(USER_AGENT)
        if agent is not None:
            attributes["user_agent.original"] = agent
        if self.speaks != HTTP:
            attributes["l7.access"] = "unknown"
            self._collect_rpc(attributes, self)
            timeout = grpc_timeout_ms(self.value(GRPC_TIMEOUT))
            if timeout is not None:
                attributes["grpc.timeout_ms"] = timeout
            if self.speaks >= CONNECT_STREAM:
                timeout = self._number_of(CONNECT_TIMEOUT)
                if timeout is not None:
                    attributes["connect.timeout_ms"] = timeout

    def _collect_rpc(self, attributes: dict[str, AttrValue], request: Message | None) -> None:
        attributes["rpc.system.name"] = system_of(self.speaks)
        if isinstance(request, Http2Message):
            path = request._called
            if path is not None:
                attributes["rpc.method"] = path[1:] if path.startswith("/") else path
            if (self.speaks == TRIPLE or self.speaks == TRIPLE_HTTP) and request is self:
                collect_triple(self.block, attributes)
                timeout = self._number_of(SERVICE_TIMEOUT)
                if timeout is None:
                    timeout = self._number_of(TRIPLE_TIMEOUT)
                if timeout is not None:
                    attributes["dubbo.timeout_ms"] = timeout

    def _number_of(self, title: HeaderName) -> int | None:
        """The first field of that name as a number of up to 18 digits; None for anything else."""
        field = self.block.get(title)
        if field is None or not field.known:
            return None
        number = digits(field.value)
        return int(number) if number >= 0 else None
