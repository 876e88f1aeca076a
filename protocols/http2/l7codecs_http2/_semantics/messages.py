"""What a routing engine sees of HTTP/2: requests, responses, trailers.

gRPC and Triple are HTTP/2 with more meaning. Which one a stream speaks is told by its request (`spoken`), and the message says so in
``protocol``. Triple (Dubbo 3) is two protocols in one (Triple Protocol Specification §3): gRPC with ``tri-`` headers, and for unary calls
a plain POST, whose body is the argument alone and whose status is that of HTTP.
"""

from __future__ import annotations

from typing import Final, final

from mypy_extensions import i32, i64, mypyc_attr, u8

from l7codecs import Headers, Kind, Message, Sender, Status
from l7codecs.message import AttrValue, Flow

from .._frames.windows import Inflow
from .._hpack.decoder import HeaderBlock
from .._hpack.static_table import SENSITIVE, HeaderName, header_name, well_known
from .._hpack.static_table import TRIPLE as TRIPLE_NAME
from .bodies import Calls
from .meaning import (
    EXCEPTIONS,
    GRPC_STATUS,
    HTTP_STATUS,
    grpc_status_of_http,
    grpc_timeout_ms,
    split_authority,
    split_rpc_path,
)

__all__ = [
    "CONNECT",
    "CONNECT_STREAM",
    "CONTENT_TYPE",
    "GRPC",
    "GRPC_WEB",
    "HTTP",
    "INTERIM",
    "PROMISE",
    "REQUEST",
    "RESPONSE",
    "TRAILERS",
    "TRIPLE",
    "TRIPLE_HTTP",
    "Http2Message",
    "spoken",
]

HTTP: Final[u8] = 0
GRPC: Final[u8] = 1
TRIPLE: Final[u8] = 2
TRIPLE_HTTP: Final[u8] = 3
GRPC_WEB: Final[u8] = 4
CONNECT_STREAM: Final[u8] = 5
CONNECT: Final[u8] = 6
"""What a stream speaks: GRPC and TRIPLE send length-prefixed messages, GRPC_WEB and CONNECT_STREAM such with an end among them,
HTTP, TRIPLE_HTTP and CONNECT (a unary call of it) bodies as they are."""

REQUEST: Final[u8] = 0
RESPONSE: Final[u8] = 1
INTERIM: Final[u8] = 2
TRAILERS: Final[u8] = 3
PROMISE: Final[u8] = 4
"""What a header block is."""

METHOD: Final = well_known(":method")
PATH: Final = well_known(":path")
AUTHORITY: Final = well_known(":authority")
SCHEME: Final = well_known(":scheme")
STATUS: Final = well_known(":status")
CONTENT_TYPE: Final = well_known("content-type")
GRPC_STATUS_NAME: Final = well_known("grpc-status")
GRPC_TIMEOUT: Final = well_known("grpc-timeout")
HOST: Final = well_known("host")
USER_AGENT: Final = well_known("user-agent")

_GO_VERSION: Final = header_name(b"triple-protocol-version")
_STATUS_CODE_KEY: Final = "rpc.response.status_code"
"""OpenTelemetry 1.44; the head after it says rpc.status_code."""


_STATUSES: Final = tuple(Status)
"""By number. Calling `Status` runs the enum's Python."""


def digits(octets: bytes) -> i64:
    """The number that 1 to 18 decimal digits are; -1 for anything else."""
    number: i64 = 0
    at: i64 = 0
    stop: i64 = len(octets)
    if stop == 0 or stop > 18:
        return -1
    while at < stop:
        octet: i64 = octets[at]
        if octet < 0x30 or octet > 0x39:
            return -1
        number = number * 10 + octet - 0x30
        at += 1
    return number


def spoken(block: HeaderBlock) -> u8:
    """What a stream speaks, from its request's headers.

    A call without ``tri-`` headers is gRPC: Triple is the same on the wire then, and some of its clients send none. In a plain request
    ``tri-protocol-version`` is what tells Triple from others (Triple Protocol Specification §3.1.1); not every client sends it, so any
    ``tri-`` header does. dubbo-go sends ``triple-protocol-version`` instead.
    """
    kind = block.get(CONTENT_TYPE)
    if kind is None or not kind.known:
        if _is_connect_get(block):
            return CONNECT
        if block.known or not _names_grpc(block):
            return HTTP
        return TRIPLE if block.seen & TRIPLE_NAME != 0 else GRPC
    value = kind.value
    if value == b"application/grpc":
        return TRIPLE if block.seen & TRIPLE_NAME != 0 else GRPC
    value = value.lower()
    if value.startswith(b"application/grpc") and value[16:17] in (b"", b"+", b";"):
        return TRIPLE if block.seen & TRIPLE_NAME != 0 else GRPC
    if not value.startswith(b"application/"):
        return CONNECT if _is_connect_get(block) else HTTP
    if value.startswith(b"application/grpc-web") and value[20:21] in (b"", b"+", b";", b"-"):
        return GRPC_WEB
    if value.startswith(b"application/connect+"):
        return CONNECT_STREAM
    if value.startswith(b"application/triple+"):
        return TRIPLE
    method = block.get(METHOD)
    if method is None or method.value != b"POST":
        return CONNECT if _is_connect_get(block) else HTTP
    if block.get(_CONNECT_VERSION) is not None:
        return CONNECT
    return TRIPLE_HTTP if block.seen & TRIPLE_NAME != 0 or block.get(_GO_VERSION) is not None else HTTP


def _is_connect_get(block: HeaderBlock) -> bool:
    """Whether a request is a call of Connect by GET: ``connect=v1`` stands in its query."""
    path = block.get(PATH)
    if path is None or path.value.find(b"connect=v1") < 0:
        return False
    method = block.get(METHOD)
    return method is not None and method.value == b"GET" and b"connect=v1" in path.value.partition(b"?")[2].split(b"&")


def _names_grpc(block: HeaderBlock) -> bool:
    """Whether a block that is not wholly known has a header that only gRPC has (``grpc-status``, ``grpc-timeout``…)."""
    return any(field.title.octets.startswith(b"grpc-") for field in block.fields)


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
        self.declared_size = -1
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
            exception = self._number_of(_EXCEPTION_CODE)
            if exception is None:
                exception = head._number_of(_EXCEPTION_CODE)
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
        if field is None or not field.known:
            return None
        try:
            return field.value.decode("utf-8")  # compiled, it looks up no error handler
        except UnicodeDecodeError:
            return field.value.decode("utf-8", "backslashreplace")

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
        return self.value(METHOD)

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
        found = self.value(AUTHORITY)
        return found if found is not None else self.value(HOST)

    @property
    def status_code(self) -> int | None:
        """``:status``, three digits."""
        field = self.block.get(STATUS)
        if field is None or not field.known or len(field.value) != 3:
            return None
        number = digits(field.value)
        return number if number >= 0 else None

    @property
    def service(self) -> str | None:
        """The authority; of an RPC, ``package.Service``."""
        if self.role != REQUEST and self.role != PROMISE:
            return None if self.request is None else self.request.service
        if self.speaks == HTTP:
            return self.authority
        return split_rpc_path(self._called)[0]

    @property
    def operation(self) -> str | None:
        """The method; of an RPC, its name."""
        if self.role != REQUEST and self.role != PROMISE:
            return None if self.request is None else self.request.operation
        if self.speaks == HTTP:
            return self.method
        return split_rpc_path(self._called)[1]

    @property
    def resources(self) -> tuple[str | bytes, ...]:
        """The path without its query; nothing of an RPC, whose path is its name."""
        if self.speaks != HTTP or (self.role != REQUEST and self.role != PROMISE):
            return ()
        path = self.path
        return () if path is None else (path.partition("?")[0],)

    @property
    def grpc_status(self) -> int | None:
        """``grpc-status``, of trailers or of a response that has no body."""
        field = self.block.get(GRPC_STATUS_NAME)
        if field is None or not field.known or not 0 < len(field.value) < 4:
            return None
        number = digits(field.value)
        return number if number >= 0 else None

    @property
    def status(self) -> Status | None:
        if self.speaks != HTTP and self.speaks != TRIPLE_HTTP:
            found = self._findings
            return self._told() if found is None or found.outcome is None else found.outcome
        if self.role == RESPONSE:
            code = self.status_code
            if code is None:
                return Status.UNKNOWN
            if code < 400 and not self.block.known and not self._surely_http():
                return None if self.more else Status.UNKNOWN
            return HTTP_STATUS.get(
                code, Status.OK if code < 400 else Status.INVALID_ARGUMENT if code < 500 else Status.INTERNAL
            )
        return None

    def _told(self) -> Status | None:
        """Of an RPC: what this header block says of the outcome; None where it does not."""
        if self.speaks < CONNECT_STREAM:
            number = self.grpc_status
            if number is not None:
                return _STATUSES[number] if number < len(_STATUSES) else Status.UNKNOWN
        if self.role != RESPONSE:
            return None
        code = self.status_code
        if self.speaks == CONNECT:
            if code == 200:
                return Status.OK if self.type_is(b"application/") else Status.UNKNOWN  # a page is no answer
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
        if self.framed or self.speaks == GRPC_WEB:
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
            (field.name or None, field.value if field.value_known else None, field.flags & SENSITIVE != 0)
            for field in self.block.fields
        ]

    @property
    def payload(self) -> bytes:
        """Nothing: the body comes as `Data`."""
        return b""

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
        else:
            code = self.status_code
            if code is not None:
                attributes["http2.interim_status" if self.role == INTERIM else "http.response.status_code"] = code
            if self.speaks != HTTP:
                self._collect_rpc(attributes, self.request)
                number = self.grpc_status if self.framed or self.speaks == GRPC_WEB else None
                if number is not None:
                    attributes[_STATUS_CODE_KEY] = GRPC_STATUS[number] if number < len(GRPC_STATUS) else str(number)
                elif self.speaks >= GRPC_WEB and error is not None:
                    attributes[_STATUS_CODE_KEY] = error
                if self.speaks == TRIPLE:
                    exception = self._number_of(_EXCEPTION_CODE)
                    if exception is not None:
                        attributes["dubbo.exception_code"] = exception
                calls = self.calls
                if calls is not None:
                    family = "connect" if self.speaks >= CONNECT_STREAM else "grpc"
                    streaming = calls.streaming
                    if streaming is not None:
                        attributes[f"{family}.streaming"] = streaming
                    for side, body in (("request", calls.request), ("response", calls.response)):
                        if body is None:
                            continue
                        attributes[f"{family}.{side}.message_count"] = int(body.messages)
                        attributes[f"{family}.{side}.message_size"] = int(body.message_octets)
                        attributes[f"{family}.{side}.compressed_count"] = int(body.compressed)

    def _collect_request(self, attributes: dict[str, AttrValue]) -> None:
        method, path, scheme, authority = self.method, self.path, self.value(SCHEME), self.authority
        if method is not None:
            attributes["http.request.method"] = method
            attributes["l7.access"] = "read" if method in _SAFE else "write"
        if path is not None:
            route, mark, query = path.partition("?")
            attributes["url.path"] = route
            if mark:
                attributes["url.query"] = query
        if scheme is not None:
            attributes["url.scheme"] = scheme
        if authority is not None:
            host, port = split_authority(authority)
            attributes["server.address"] = host
            if port is not None:
                attributes["server.port"] = port
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
                timeout = self._number_of(_CONNECT_TIMEOUT)
                if timeout is not None:
                    attributes["connect.timeout_ms"] = timeout

    def _collect_rpc(self, attributes: dict[str, AttrValue], request: Message | None) -> None:
        attributes["rpc.system.name"] = _SYSTEMS[int(self.speaks)]
        if isinstance(request, Http2Message):
            path = request._called
            if path is not None:
                attributes["rpc.method"] = path[1:] if path.startswith("/") else path
            if (self.speaks == TRIPLE or self.speaks == TRIPLE_HTTP) and request is self:
                for title, key in _TRIPLE_KEYS.items():
                    text = self.value(title)
                    if text is not None:
                        attributes[key] = text
                timeout = self._number_of(_SERVICE_TIMEOUT)
                if timeout is None:
                    timeout = self._number_of(_TRIPLE_TIMEOUT)
                if timeout is not None:
                    attributes["dubbo.timeout_ms"] = timeout

    def _number_of(self, title: HeaderName) -> int | None:
        """The first field of that name as a number of up to 18 digits; None for anything else."""
        field = self.block.get(title)
        if field is None or not field.known:
            return None
        number = digits(field.value)
        return int(number) if number >= 0 else None


_SYSTEMS: Final = ["", "grpc", "dubbo", "dubbo", "grpc", "connectrpc", "connectrpc"]
"""By what a stream speaks; the values are OpenTelemetry's."""
_CONNECT_VERSION: Final = header_name(b"connect-protocol-version")
_CONNECT_TIMEOUT: Final = header_name(b"connect-timeout-ms")
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "QUERY"})
_TRIPLE_KEYS: Final[dict[HeaderName, str]] = {
    well_known("tri-service-version"): "dubbo.service_version",
    well_known("tri-service-group"): "dubbo.group",
    well_known("tri-unit-info"): "dubbo.unit_info",
    well_known("tri-consumer-appname"): "dubbo.application",
    well_known("tri-req-id"): "dubbo.request_id",
    _GO_VERSION: "dubbo.protocol_version",
    header_name(b"tri-protocol-version"): "dubbo.protocol_version",
}
_SERVICE_TIMEOUT: Final = header_name(b"tri-service-timeout")
_TRIPLE_TIMEOUT: Final = header_name(b"triple-timeout-ms")
_EXCEPTION_CODE: Final = well_known("tri-exception-code")
