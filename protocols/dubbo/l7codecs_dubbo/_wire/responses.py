"""Answers: what became of a call, by the status and by the body.

status 20     kind 0–5, then the value or the exception, then the attachments of kinds 3–5
any other     one text, in the serialization of this very message
"""

from __future__ import annotations

from typing import Final, final

from mypy_extensions import i64, mypyc_attr

from l7codecs import Headers, HeaderValue, Kind, Limits, ProtocolError, Sender, Status
from l7codecs.headers import EMPTY_HEADERS
from l7codecs.message import AttrValue, Flow

from .._body.interface import NOTHING, Attachments, CallOutcome
from .._body.table import BODIES
from .header import HEADER, SERIALIZATION
from .messages import DubboMessage
from .requests import DubboRequest
from .statuses import OK, failure_status, status_name
from .texts import exception_of

__all__ = ["DubboResponse"]

_STATUS_OK: Final = Status.OK
_STATUS_UNKNOWN: Final = Status.UNKNOWN
_KINDS: Final = ("exception", "value", "null", "exception", "value", "null")
_NOT_READ: Final = CallOutcome(NOTHING, -1)


@final
@mypyc_attr(acyclic=True, free_list_len=1)
class DubboResponse(DubboMessage):
    """One answer."""

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
        self.flags = flags
        self.status_octet = status_octet
        self.number = number
        self.limits = limits
        self._outcome: CallOutcome | None = None
        self._attachments: Attachments | None = None
        self._looked = False
        """Whether attachments were looked for."""
        self._unread = False
        """Whether the outcome cannot be read; and the attachments."""
        self._broken = False

    @property
    def status_code(self) -> int:
        """The status of the header: 20 where there is a value or an exception."""
        return self.status_octet

    def outcome(self) -> CallOutcome | None:
        """What the body of status 20 says; None of any other status, or where the serialization is not read.

        Raises:
            ProtocolError: the body cannot be read. The offset is an index into ``octets``.
        """
        if self.status_octet != OK:
            return None
        found = self._outcome
        if found is None or self._unread:
            start = self.start + HEADER
            body = BODIES[self.flags & SERIALIZATION]
            found = body.outcome(self.octets, start, self.stop, self.more, self.limits)
            if found is None:
                found = _NOT_READ
            self._outcome = found
        return None if found is _NOT_READ else found

    def _read(self) -> CallOutcome:
        """As `outcome`; one that says nothing where there is none."""
        found = self._outcome
        if found is None:
            try:
                found = self.outcome()
            except ProtocolError:
                self._unread = True
            if found is None:
                found = _NOT_READ
                self._outcome = found
        return found

    @property
    def response_kind(self) -> str | None:
        """``value``, ``null`` or ``exception``; None of any status but 20, and where that cannot be read."""
        kind = self._read().kind
        return _KINDS[kind] if 0 <= kind < 6 else None

    def text(self) -> str | None:
        """What an answer says of any status but 20; None where that cannot be read."""
        if self.status_octet == OK:
            return None
        start = self.start + HEADER
        try:
            return BODIES[self.flags & SERIALIZATION].text(self.octets, start, self.stop, self.more)
        except ProtocolError:
            return None

    @property
    def exception(self) -> tuple[str | None, str | None]:
        """Class and message of the exception, be it in the body or told by the text; None where there is none, or none is told."""
        if self.status_octet != OK:
            text = self.text()
            return (None, None) if text is None else exception_of(text)
        found = self._read()
        return found.exception, found.message

    @property
    def status(self) -> Status | None:
        """The outcome: UNKNOWN of an exception, and where the body says no kind that is known; see the README for the others."""
        if self.status_octet != OK:
            return failure_status(self.status_octet, self.text())
        found = self._read()
        if found is _NOT_READ:
            # Of a serialization that is not read the header is all there is.
            return _STATUS_OK if not self.body().reads else _STATUS_UNKNOWN
        return _STATUS_UNKNOWN if found.failed else _STATUS_OK

    @property
    def error(self) -> str | None:
        """The exception's class, the name of a status other than 20: ``java.lang.IllegalStateException``, ``SERVICE_ERROR``."""
        if self.status_octet != OK:
            return status_name(self.status_octet)
        found = self._read()
        if found.failed:
            return found.exception or "exception"
        return None

    @property
    def service(self) -> str | None:
        """That of the request."""
        request = self.request
        return None if request is None else request.service

    @property
    def operation(self) -> str | None:
        """That of the request."""
        request = self.request
        return None if request is None else request.operation

    def attachments(self) -> Attachments | None:
        found = self._attachments
        if not self._looked or self._broken:
            if self.status_octet == OK:
                start = self.start + HEADER
                found = self.body().answer_attachments(self.octets, start, self.stop, self.more, self.limits)
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
        found = self._read_attachments()
        if found is None or not found.entries:
            return EMPTY_HEADERS
        return Headers([(each.key, each.value) for each in found.entries])

    def attachment(self, key: str) -> HeaderValue | None:
        """The value of one attachment; None where it is not there, or cannot be reached."""
        found = self._read_attachments()
        return None if found is None else found.get(key)

    def moved(self) -> None:
        self._outcome = None
        self._attachments = None
        self._looked = False

    def shortened(self, size: int) -> None:
        """None: nobody waits for what answers it."""

    def collect(self, attributes: dict[str, AttrValue]) -> None:
        self.collect_header(attributes)
        request = self.request
        if isinstance(request, DubboRequest):
            request.collect_called(attributes)
        attributes["dubbo.status"] = self.status_octet
        kind = self.response_kind
        if kind is not None:
            attributes["dubbo.response_kind"] = kind
        text = self.text()
        if text is not None:
            attributes["dubbo.error_message"] = text
        name, message = self.exception
        if name is not None:
            attributes["exception.type"] = name
            if message is not None:
                attributes["exception.message"] = message
        error = self.error
        if error is not None:
            attributes["error.type"] = error
        try:
            self.outcome()
            self.attachments()
        except ProtocolError as broken:
            at = self.offset + broken.offset - self.start
            attributes["dubbo.malformed"] = str(ProtocolError(at, broken.seen, broken.expected))
