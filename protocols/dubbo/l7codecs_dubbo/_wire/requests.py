"""Requests: who is called, with what. Read from the body when somebody asks.

Interface, version, method and parameter types stand first and are read directly; attachments stand behind the arguments, which are passed
over. ``service`` is the body's second value: consumers write the interface there, and providers find their export by the attachment
``path``, if there is one. Where both differ, ``dubbo.path`` tells the other one.
"""

from __future__ import annotations

from typing import Final, final

from mypy_extensions import i64, mypyc_attr

from l7codecs import Headers, HeaderValue, Kind, Limits, ProtocolError, Sender
from l7codecs.headers import EMPTY_HEADERS
from l7codecs.message import AttrValue, Flow

from .._body.callees import NOT_FOUND, Callee, find_callee
from .._body.hessian2 import HESSIAN2, call_pairs
from .._body.interface import Attachments, Head, Invocation
from .._body.table import BODIES
from .._body.types import parameter_types
from .._hessian.strings import string_between, string_end
from .header import HEADER, SERIALIZATION
from .messages import DubboMessage

__all__ = ["DubboRequest", "new_request"]

_GENERIC: Final = ("$invoke", "$invokeAsync")
_BLANK: Final = "".join([chr(each) for each in range(0x21)])
"""What Java's ``trim`` takes off both ends."""
_NO_VERSION: Final = "0.0.0"
"""What a consumer writes that asks for none."""
_NOT_READ: Final = Head(None, None, None, None, None, [0, 0, 0, 0, 0, 0])
_BROKEN: Final = Head(None, None, None, None, None, [0, 0, 0, 0, 0, 0])
"""What stands for a head that cannot be read. (In place of an attribute: interpreted, objects of more than 29 take twice as much.)"""


@mypyc_attr(acyclic=True, free_list_len=1)
class DubboRequest(DubboMessage):
    """One call; of a consumer, or of a provider that calls back. Who is called is known when it is made; see `LateRequest`."""

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
        flags: i64,
        status_octet: i64,
        number: i64,
        limits: Limits,
        callee: Callee,
        second: i64,
    ) -> None:
        """`callee` was found at `second`, where the second value of the head begins; 0 where that is not known."""
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
        self.flags = flags
        self.status_octet = status_octet
        self.number = number
        self.limits = limits
        self._callee = callee
        self._service = callee.service
        self._service_version = callee.version
        self._operation = callee.method
        self._second = second
        self._head: Head | None = None
        self._invocation: Invocation | None = None
        self._attachments: Attachments | None = None
        self._headers: Headers | None = None
        self._looked = False
        """Whether attachments were looked for."""
        self._broken = False
        """Whether they cannot be read."""

    # What routers ask of every call: each only returns what is there, so that it costs nothing, see `with_members` of the build.

    @property
    def service(self) -> str | None:
        """The interface."""
        return self._service

    @property
    def service_version(self) -> str | None:
        """The version that is asked for; None where it is ``0.0.0``, which is none."""
        return self._service_version

    @property
    def operation(self) -> str | None:
        """The method; of a generic call the one that it is for, where that can be read."""
        return self._operation

    # The head of the body.

    def head(self) -> Head:
        """What stands first in the body.

        Raises:
            ProtocolError: it cannot be read. The offset is an index into ``octets``.
        """
        found = self._head
        if found is None or found is _BROKEN:
            start = self.start + HEADER
            found = BODIES[self.flags & SERIALIZATION].head(self.octets, start, self.stop, self.more)
            if found is None:
                found = _NOT_READ
            self._head = found
        return found

    def _read(self) -> Head:
        """As `head`; one that says nothing where it cannot be read."""
        found = self._head
        if found is None:
            try:
                return self.head()
            except ProtocolError:
                found = _BROKEN
                self._head = found
        return found

    @property
    def has_head(self) -> bool:
        """Whether the head could be read."""
        found = self._read()
        return found is not _NOT_READ and found is not _BROKEN

    @property
    def dubbo_version(self) -> str | None:
        """The version of the protocol as the consumer says it: ``2.0.2``. By it a provider decides whether answers have attachments."""
        return self._read().dubbo_version

    @property
    def method(self) -> str | None:
        """The method as it stands in the head: ``$invoke`` of a generic call."""
        return self._read().method

    @property
    def descriptor(self) -> str | None:
        """The JVM's descriptor of the parameters in the head: ``Ljava/lang/String;I``."""
        return self._read().types

    @property
    def param_types(self) -> tuple[str, ...] | None:
        """The parameters' types as Java writes them, ``java.lang.String``, ``int[]``; of a generic call those that it names.

        None where they cannot be read, or are not told.
        """
        real = self.invocation()
        if real is not None:
            return None if real.types is None else tuple(real.types)
        found = self._read().types
        return None if found is None else parameter_types(found)

    @property
    def is_generic(self) -> bool:
        """Whether it goes by ``$invoke`` or ``$invokeAsync``."""
        return self._read().method in _GENERIC

    def invocation(self) -> Invocation | None:
        """What a generic call is for; None of any other, and where that cannot be read."""
        found = self._invocation
        if found is None:
            head = self._read()
            if head.method not in _GENERIC:
                return None
            try:
                found = self.body().invocation(self.octets, head.at, self.stop, self.more, self.limits)
            except ProtocolError:
                pass
            self._invocation = found
        return found

    # Behind the arguments.

    def attachments(self) -> Attachments | None:
        found = self._attachments
        if not self._looked or self._broken:
            head = self.head()
            if head is not _NOT_READ:
                found = self.body().attachments(
                    self.octets, head.at, self.stop, self.more, head.types or "", self.limits
                )
            self._attachments = found
            self._looked = True
        return found

    def _read_attachments(self) -> Attachments | None:
        """As `attachments`; None where they cannot be read."""
        if not self._looked:
            try:
                return self.attachments()
            except ProtocolError:
                self._looked = True
                self._broken = True
        return self._attachments

    @property
    def headers(self) -> Headers:
        """The attachments, with their types; empty where they cannot be reached."""
        known = self._headers
        if known is None:
            known = self._read_headers()
            self._headers = known
        return known

    def _read_headers(self) -> Headers:
        """As `headers`. Of a whole message they are read without their places, unless these are known."""
        second = self._second
        if second > 0 and not self._looked and not self.more:
            callee = self._callee
            try:
                pairs = call_pairs(self.octets, second + callee.size, self.stop, callee, self.limits)
            except ProtocolError:
                pairs = None
            if pairs is not None:
                return Headers(pairs)
        found = self._read_attachments()
        if found is None or not found.entries:
            return EMPTY_HEADERS
        return Headers([(each.key, each.value) for each in found.entries])

    def attachment(self, key: str) -> HeaderValue | None:
        """The value of one attachment; None where it is not there, or cannot be reached."""
        found = self._read_attachments()
        return None if found is None else found.get(key)

    @property
    def group(self) -> str | None:
        """The group that is asked for; it stands in the attachments alone."""
        return _text(self.attachment("group"))

    @property
    def path(self) -> str | None:
        """What providers look for: the attachment ``path``, else what stands in the head."""
        return _text(self.attachment("path")) or self._read().path

    # What endpoints and tables ask.

    def shortened(self, size: int) -> DubboRequest | None:
        head, invocation = self._read(), self.invocation()
        if self._names_size(head, invocation) > size:
            return None  # what it calls is more than it may keep
        octets = self.octets[self.start : self.start + size]
        known = Callee(self.service, self.service_version, self.operation, 0)
        short = DubboRequest(
            self.flow, self.sender, self.kind, self.offset, octets, 0, len(octets), True, self.flags, self.status_octet,
            self.number, self.limits, known, 0,
        )  # fmt: skip
        short._head = _NOT_READ if head is _NOT_READ or head is _BROKEN else head.moved(self.start)
        short._invocation = invocation
        short.declared_size = self.stop - self.start if self.size is None else i64(self.size)
        return short

    def _names_size(self, head: Head, invocation: Invocation | None) -> i64:
        """Letters of all that says what is called."""
        size: i64 = 0
        for each in (self.service, self.service_version, self.operation, head.dubbo_version, head.types):
            if each is not None:
                size += len(each)
        if invocation is not None and invocation.types is not None:
            for name in invocation.types:
                size += len(name)
        return size

    def moved(self) -> None:
        # They are read again where somebody asks.
        self._second = max(self._second - self.start, 0)
        if self._head is not _NOT_READ:
            self._head = None
        self._attachments = None
        self._looked = False

    def collect(self, attributes: dict[str, AttrValue]) -> None:
        self.collect_header(attributes)
        broken: ProtocolError | None = None
        try:
            head = self.head()
        except ProtocolError as error:
            head = _NOT_READ
            broken = error
        self.collect_called(attributes)
        if head.dubbo_version is not None:
            attributes["dubbo.version"] = head.dubbo_version
        types = self.param_types
        if types is not None:
            attributes["dubbo.param_types"] = types
        service = self.service
        if service is not None:
            attributes["dubbo.service"] = service
        operation = self.operation
        if operation is not None:
            attributes["dubbo.method"] = operation
            if head.method is not None and head.method in _GENERIC:
                attributes["dubbo.generic_method"] = head.method
        if broken is None:
            try:
                found = self.attachments()
                if found is not None:
                    self._collect_attached(attributes, head, found)
            except ProtocolError as error:
                broken = error
        if broken is not None:
            at = self.offset + broken.offset - self.start
            attributes["dubbo.malformed"] = str(ProtocolError(at, broken.seen, broken.expected))
        attributes["l7.access"] = "unknown"

    def collect_called(self, attributes: dict[str, AttrValue]) -> None:
        """The attributes that an answer has of its request, too."""
        service = self.service
        operation = self.operation
        if operation is not None:
            attributes["rpc.method"] = operation if service is None else f"{service}/{operation}"
        version = self.service_version
        if version is not None:
            attributes["dubbo.service_version"] = version

    def _collect_attached(self, attributes: dict[str, AttrValue], head: Head, found: Attachments) -> None:
        """What attachments say that have a meaning for providers, or for the consumer's framework."""
        for key, name in (("group", "dubbo.group"), ("remote.application", "dubbo.application")):
            text = _text(found.get(key))
            if text is not None:
                attributes[name] = text
        generic = found.get("generic")
        if isinstance(generic, str):
            attributes["dubbo.generic"] = generic
        path = found.get("path")
        if isinstance(path, str) and path != head.path:
            attributes["dubbo.path"] = path
        version = found.get("version")
        if isinstance(version, str) and (version or _NO_VERSION) != (head.version or _NO_VERSION):
            attributes["dubbo.attached_version"] = version
        timeout = _number(found.get("timeout"))
        if timeout is not None:
            attributes["dubbo.timeout_ms"] = timeout


@final
@mypyc_attr(acyclic=True)
class LateRequest(DubboRequest):
    """A call of which more has to be read to say who is called: a generic one, or in another serialization than Hessian 2."""

    _called = False
    """Whether the method has been read."""

    @property
    def service(self) -> str | None:
        found = self._service
        if found is None:
            at = self._second
            end: i64 = -1
            if at > 0:
                end = string_end(self.octets, at, self.stop)
            # Directly, since the rest may not be there.
            found = string_between(self.octets, at, end) if end > 0 else self._read().path
            self._service = found
        return found

    @property
    def service_version(self) -> str | None:
        found = self._read().version
        return found if found != _NO_VERSION and found else None

    @property
    def operation(self) -> str | None:
        if not self._called:
            self._operation = self._find_operation()
            self._called = True
        return self._operation

    def _find_operation(self) -> str | None:
        found = self._read().method
        if found is not None and found.startswith("$inv") and found in _GENERIC:
            real = self.invocation()
            if real is not None and real.method is not None:
                return real.method.strip(_BLANK)  # as `GenericFilter` does
        return found


def new_request(
    flow: Flow,
    sender: Sender,
    kind: Kind,
    offset: i64,
    octets: bytes,
    start: i64,
    stop: i64,
    more: bool,
    flags: i64,
    status_octet: i64,
    number: i64,
    limits: Limits,
) -> DubboRequest:
    """The call in ``octets[start:stop]``, whose header says the rest."""
    second: i64 = 0
    if flags & SERIALIZATION == HESSIAN2:
        second = string_end(octets, start + HEADER, stop)
        if second > 0:
            callee = find_callee(octets, second, stop)
            if callee is not None:
                return DubboRequest(
                    flow, sender, kind, offset, octets, start, stop, more, flags, status_octet, number, limits, callee,
                    second,
                )  # fmt: skip
        else:
            second = 0
    return LateRequest(
        flow, sender, kind, offset, octets, start, stop, more, flags, status_octet, number, limits, NOT_FOUND, second
    )


def _text(value: HeaderValue | None) -> str | None:
    return value if isinstance(value, str) and value else None


def _number(value: HeaderValue | None) -> int | None:
    """A number of milliseconds, which is a text mostly."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 18:
        return int(value)
    return None
