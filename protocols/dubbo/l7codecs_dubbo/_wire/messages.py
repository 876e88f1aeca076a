"""What requests, answers and events have in common: the header, and the serialization by which the body is read.

See `header` for the octets. The five low bits of the flags are the serialization's id, of each message by itself: an answer may
come in another one than its request.
"""

from __future__ import annotations

from typing import Final

from mypy_extensions import i64, mypyc_attr

from l7codecs import Kind, Limits, Message, Sender
from l7codecs.message import AttrValue, Flow
from l7codecs.pairing.numbering import put_number

from .._body.interface import Attachments, Body
from .._body.table import BODIES
from .header import EVENT, HEADER, REQUEST, REQUEST_ID, SERIALIZATION, TWO_WAY

__all__ = ["DubboMessage"]

_WRAP: Final = 1 << 64


@mypyc_attr(acyclic=True)
class DubboMessage(Message):
    """A request, an answer or an event."""

    flags: i64
    """The third octet of the header."""
    status_octet: i64
    """The fourth."""
    number: i64
    """The id as it stands in 64 bits with a sign; ``request_id`` is without."""
    limits: Limits

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
        super().__init__(flow, sender, kind, offset, octets, start, stop, more)
        self.flags = flags
        self.status_octet = status_octet
        self.number = number
        self.limits = limits

    @property
    def request_id(self) -> int:
        """The id: 64 bits without sign. Each direction counts for itself."""
        number = self.number
        return number if number >= 0 else int(number) + _WRAP

    @property
    def is_request(self) -> bool:
        """Whether the header says that it is a request (or an event that is one)."""
        return self.flags & REQUEST != 0

    @property
    def is_two_way(self) -> bool:
        """Whether the header asks for an answer."""
        return self.flags & TWO_WAY != 0

    @property
    def is_event(self) -> bool:
        """Whether the header says that it concerns the connection alone."""
        return self.flags & EVENT != 0

    @property
    def serialization_id(self) -> int:
        """0 to 31."""
        return self.flags & SERIALIZATION

    @property
    def serialization(self) -> str:
        """``hessian2``, ``fastjson2``…; the id as text where it has no name."""
        return BODIES[self.flags & SERIALIZATION].name

    def body(self) -> Body:
        """What reads the body, and writes another."""
        return BODIES[self.flags & SERIALIZATION]

    @property
    def body_start(self) -> int:
        """Where in ``octets`` the body begins."""
        return self.start + HEADER

    @property
    def payload(self) -> bytes:
        """The body, without header; of a message with ``more`` what is of it in the head."""
        return self.octets[self.start + HEADER : max(self.start + HEADER, self.stop)]

    def attachments(self) -> Attachments | None:
        """The attachments with their places in ``octets``; None where there are none, or where they cannot be reached.

        Raises:
            ProtocolError: the body cannot be read. The offset is an index into ``octets``.
        """
        return None

    def renumbered(self, number: int) -> bytes | None:
        return put_number(self.raw, int(REQUEST_ID), 8, number)

    def detach(self) -> bool:
        self.moved()
        self.keep_own()
        return True

    def moved(self) -> None:
        """The message is on its own from now on: every index into ``octets`` moves down by ``start``."""

    def collect_header(self, attributes: dict[str, AttrValue]) -> None:
        """The attributes of the header."""
        attributes["rpc.system.name"] = "dubbo"
        attributes["dubbo.request_id"] = self.request_id
        attributes["dubbo.serialization"] = self.serialization
