"""Events: heartbeats, the read-only event, and the answers to them.

    e2 .. null        two-way: asks whether the other side is there; a HEARTBEAT, answered by 22, status 20
    a2 .. "R"         of a provider that shuts down: takes no more requests (GOAWAY). 3.3 sends it twice
    a2 .. other       nobody answers it (CONTROL)

A body may have any size, none too: the header says.
"""

from __future__ import annotations

from typing import Final, final

from mypy_extensions import mypyc_attr

from l7codecs import Kind, ProtocolError, Status
from l7codecs.message import AttrValue

from .messages import DubboMessage
from .statuses import OK, failure_status, status_name

__all__ = ["READ_ONLY", "DubboEvent"]

READ_ONLY: Final = "R"
"""``Request.READONLY_EVENT``."""


@final
@mypyc_attr(acyclic=True)
class DubboEvent(DubboMessage):
    """What concerns the connection alone."""

    @property
    def operation(self) -> str | None:
        """``heartbeat``, ``readonly``; ``event`` of any other."""
        if self.kind is Kind.GOAWAY:
            return "readonly"
        if self.kind is Kind.CONTROL:
            return "event"
        return "heartbeat"

    def data(self) -> str | None:
        """What the event says: ``R``; None where it says nothing, or it cannot be read."""
        try:
            return self.body().text(self.octets, self.body_start, self.stop, self.more)
        except ProtocolError:
            return None

    @property
    def status(self) -> Status | None:
        """OK of an answer, unless its status is another."""
        if self.kind is not Kind.RESPONSE:
            return None
        return Status.OK if self.status_octet == OK else failure_status(self.status_octet, self.data())

    @property
    def error(self) -> str | None:
        """The name of a status other than 20."""
        if self.kind is not Kind.RESPONSE or self.status_octet == OK:
            return None
        return status_name(self.status_octet)

    def shortened(self, size: int) -> DubboEvent:
        octets = self.octets[self.start : self.start + size]
        short = DubboEvent(
            self.flow, self.sender, self.kind, self.offset, octets, 0, len(octets), True, self.flags, self.status_octet,
            self.number, self.limits,
        )  # fmt: skip
        short.declared_size = self.stop - self.start if self.size is None else int(self.size)
        return short

    def collect(self, attributes: dict[str, AttrValue]) -> None:
        self.collect_header(attributes)
        attributes["dubbo.event"] = self.operation or "event"
        if self.kind is Kind.RESPONSE:
            attributes["dubbo.status"] = self.status_octet
            error = self.error
            if error is not None:
                attributes["error.type"] = error
