"""Messages of Mux, with the message of Thrift that a dispatch carries."""

from __future__ import annotations

from typing import Final, final

from mypy_extensions import i64, mypyc_attr

from l7codecs import Headers, Kind, Message, ProtocolError, Sender, Status
from l7codecs.headers import EMPTY_HEADERS
from l7codecs.message import AttrValue, Flow
from l7codecs.pairing.numbering import put_number

from .._meaning.messages import ThriftMessage
from .._meaning.words import FRAMED
from .._transport.frames import Frames
from .frames import FRAGMENT, HEADER, NAMES, STATUSES, TAG, TYPE, Dispatch, parse_dispatch, parse_req

__all__ = ["MuxMessage"]

_NOT_READ: Final = Dispatch()
_DISPATCH: Final[i64] = 2
_REQ: Final[i64] = 1
_DISCARDED: Final[i64] = 66
_OLD_DISCARDED: Final[i64] = -62
_LEASE: Final[i64] = 67
_TAG_SIZE: Final = 3


@final
@mypyc_attr(acyclic=True)
class MuxMessage(Message):
    """One frame of Mux, or the first of several that make one message."""

    type_id: i64
    tag: i64

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
        type_id: i64,
        tag: i64,
        frames: Frames,
    ) -> None:
        super().__init__(flow, sender, kind, offset, octets, start, stop, more)
        self.type_id = type_id
        self.tag = tag
        self.frames = frames
        self.continues: MuxMessage | None = None
        """The head of the message of which this frame is a further one."""
        self.ends: MuxMessage | None = None
        """The head of a message that was to come in several frames, and ends with this one, which gives it up."""
        self._parts: Dispatch | None = None
        self._carried: ThriftMessage | None = None
        self._looked = False
        self._malformed: str | None = None
        self.sent_method: str | None = None
        """The method that a dispatch was sent with, where that was changed here: the message in its answer has this one."""

    @property
    def request_id(self) -> int | None:
        """The tag; of Tdiscarded that of what is given up."""
        if self.discards:
            at = self.start + HEADER
            return int.from_bytes(self.octets[at : min(at + _TAG_SIZE, self.stop)], "big")
        return self.tag & (FRAGMENT - 1)

    @property
    def discards(self) -> bool:
        """Whether it is Tdiscarded, and says of what: no tag has more than 23 bits."""
        if self.type_id != _DISCARDED and self.type_id != _OLD_DISCARDED:
            return False
        return self.stop - self.start >= 11 and i64(self.octets[self.start + HEADER]) < 0x80

    @property
    def is_fragment(self) -> bool:
        """Whether further frames belong to this message."""
        return self.tag & FRAGMENT != 0

    @property
    def reason(self) -> str | None:
        """Of Tdiscarded and Rerr: why."""
        if self.discards:
            return self.octets[self.start + HEADER + _TAG_SIZE : self.stop].decode("utf-8", "replace")
        if self.type_name == "Rerr":
            return self.octets[self.start + HEADER : max(self.stop, self.start + HEADER)].decode("utf-8", "replace")
        return None

    @property
    def lease_ms(self) -> int | None:
        """Of a server's Tlease: for how long requests may be sent, ms."""
        at = self.start + HEADER
        if self.type_id != _LEASE or self.sender is not Sender.SERVER or self.stop - at < 9 or self.octets[at] != 0:
            return None
        return int.from_bytes(self.octets[at + 1 : at + 9], "big")

    @property
    def type_name(self) -> str:
        """``Tdispatch``, ``Rdispatch``, ``Tping``…; the number where it has no name."""
        return NAMES.get(self.type_id) or str(self.type_id)

    def parts(self) -> Dispatch:
        """The parts of a dispatch; empty ones of what is none, or cannot be read."""
        self._look()
        return self._parts or _NOT_READ

    def carried(self) -> ThriftMessage | None:
        """The message of Thrift in a dispatch; None where there is none, or none that can be read."""
        self._look()
        return self._carried

    def _look(self) -> None:
        if self._looked:
            return
        self._looked = True
        kind = self.type_id if self.type_id > 0 else -self.type_id
        if kind != _DISPATCH and kind != _REQ:
            return
        try:
            at = self.start + HEADER
            parse = parse_dispatch if kind == _DISPATCH else parse_req
            parts = parse(self.octets, at, self.stop, self.type_id < 0)
            self._parts = parts
            if parts.status == 0 and parts.body < self.stop:
                self._carried = self.frames.bare(
                    self.octets, self.start, self.stop, self.offset, self.more, parts.body, FRAMED
                )
        except ProtocolError as error:
            self._malformed = f"saw {error.seen}, expected {error.expected}"

    @property
    def payload(self) -> bytes:
        """The message of Thrift of a dispatch; of others the body."""
        parts = self.parts()
        start = parts.body if parts.body > 0 else self.start + HEADER
        return self.octets[start : max(start, self.stop)]

    @property
    def service(self) -> str | None:
        """As that of the message that is carried; of an answer, of its request."""
        if self.kind is Kind.RESPONSE:
            request = self.request
            return None if request is None else request.service
        carried = self.carried()
        return None if carried is None else carried.service

    @property
    def operation(self) -> str | None:
        """The method; of an answer, of its request."""
        if self.kind is Kind.RESPONSE:
            request = self.request
            if request is not None:
                return request.operation
        carried = self.carried()
        return None if carried is None else carried.operation

    @property
    def status(self) -> Status | None:
        """Of a dispatch that was done, that of the message that is carried; UNAVAILABLE of NACK."""
        if self.kind is not Kind.RESPONSE:
            return None
        if self.type_id == -_DISPATCH or self.type_id == -_REQ:
            parts = self.parts()
            code = parts.status
            carried = self.carried()
            if code == 0 and carried is None and parts.body == self.stop and self._malformed is None:
                return Status.OK  # to a one-way call, which has no reply
            if code == 0 and carried is not None and carried.type_id in (2, 3):
                return carried_status(carried)
            return Status.UNAVAILABLE if code == 2 else Status.UNKNOWN
        if self.type_id == -_DISCARDED:
            return Status.CANCELLED
        return Status.INTERNAL if self.type_name == "Rerr" and not self._echoes() else Status.OK

    def _echoes(self) -> bool:
        """Whether it is what was asked, again: how servers that know Tinit answer the check."""
        request = self.request
        return isinstance(request, MuxMessage) and request.type_name == "Rerr" and request.reason == self.reason

    @property
    def error(self) -> str | None:
        """``NACK``, ``ERROR``, ``Rerr``, ``Rdiscarded``; else that of the message that is carried."""
        if self.kind is not Kind.RESPONSE:
            return None
        if self.type_id == -_DISPATCH or self.type_id == -_REQ:
            code = self.parts().status
            if code != 0:
                return STATUSES[code]
            carried = self.carried()
            return None if carried is None else carried.error
        if self.type_id == -_DISCARDED or (self.type_name == "Rerr" and not self._echoes()):
            return self.type_name
        return None

    @property
    def headers(self) -> Headers:
        """The contexts; the headers of Treq."""
        contexts = self.parts().contexts
        return Headers([(each.name, each.value) for each in contexts]) if contexts else EMPTY_HEADERS

    def renumbered(self, number: int) -> bytes | None:
        return put_number(self.raw, int(HEADER if self.discards else TAG), _TAG_SIZE, number)

    def cancellation(self, number: int | None) -> bytes:
        if number is None or (self.type_id != _DISPATCH and self.type_id != _REQ):
            return b""
        return b"\0\0\0\7" + bytes((int(_DISCARDED),)) + b"\0\0\0" + number.to_bytes(_TAG_SIZE, "big")

    def again(self, octets: bytes, more: bool) -> MuxMessage:
        """The message that `octets` are, which stand in place of this one."""
        kind_id = int.from_bytes(octets[TYPE : TYPE + 1], "big", signed=True)
        tag = int.from_bytes(octets[TAG:HEADER], "big")
        made = MuxMessage(
            self.flow, self.sender, self.kind, self.offset, octets, 0, len(octets), more, kind_id, tag, self.frames
        )
        if more and self.declared_size >= 0:
            made.declared_size = self.declared_size + len(octets) - (self.stop - self.start)
        if self.request is not None:
            made.request = self.request
        return made

    def detach(self) -> bool:
        self.keep_own()
        self._parts = None
        self._carried = None
        self._looked = False
        return True

    def shortened(self, size: int) -> None:
        """None: what is carried would not be told."""

    def collect(self, attributes: dict[str, AttrValue]) -> None:
        carried = self.carried()
        if carried is not None:
            carried.collect(attributes)
            attributes.pop("thrift.transport", None)
        attributes["rpc.system.name"] = "thrift"
        attributes["mux.type"] = self.type_name
        attributes["mux.tag"] = int(self.tag & (FRAGMENT - 1))
        parts = self.parts()
        if (self.type_id == -_DISPATCH or self.type_id == -_REQ) and self._malformed is None:
            attributes["mux.status"] = STATUSES[parts.status]
        if parts.destination:
            attributes["mux.destination"] = parts.destination
        if parts.delegations:
            attributes["mux.delegations"] = tuple(parts.delegations)
        service, method = self.service, self.operation
        if method is not None:
            attributes["thrift.method"] = method
            attributes["rpc.method"] = method if service is None else f"{service}/{method}"
        if service is not None:
            attributes["thrift.service"] = service
        error = self.error
        if error is not None:
            attributes["error.type"] = error
        reason = self.reason
        if reason is not None:
            attributes["mux.reason"] = reason
        lease = self.lease_ms
        if lease is not None:
            attributes["mux.lease_ms"] = lease
        if self._malformed is not None:
            attributes["thrift.malformed"] = self._malformed


def carried_status(carried: ThriftMessage) -> Status:
    """The status of a reply or an exception."""
    found = carried.status
    return Status.UNKNOWN if found is None else found
