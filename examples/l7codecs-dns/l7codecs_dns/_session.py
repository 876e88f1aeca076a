"""One connection of DNS over TCP: both directions are framed alike, and an answer repeats the id of its query."""

from __future__ import annotations

from l7codecs import (
    Flow,
    FramedDecoder,
    Kind,
    Limits,
    Message,
    Pairing,
    ProtocolError,
    Sender,
    Session,
    Status,
    Unsupported,
    pairings,
)

from ._message import DnsMessage
from ._wire import HEADER_SIZE, SOA, last_type, plausible, read_question, u16

__all__ = ["DnsDecoder", "DnsSession"]

_RCODE = {
    Status.INVALID_ARGUMENT: 1,
    Status.NOT_FOUND: 3,
    Status.UNIMPLEMENTED: 4,
    Status.PERMISSION_DENIED: 5,
    Status.UNAUTHENTICATED: 5,
    Status.RESOURCE_EXHAUSTED: 5,
}
_SERVFAIL = 2


class DnsDecoder(FramedDecoder):
    """The messages of one direction."""

    header_size = HEADER_SIZE

    def frame_size(self, data: bytes, at: int) -> int:
        return 2 + u16(data, at)

    def message(self, octets: bytes, start: int, stop: int, offset: int, more: bool) -> DnsMessage:
        response = octets[start + 4] >> 7
        question = None
        if u16(octets, start + 6) > 0:
            question = read_question(octets, start + HEADER_SIZE, stop, offset - start)
            if question is None and not more:
                raise ProtocolError(offset, f"{stop - start} octets", "a whole question", "RFC 1035 §4.1.2")
        kind = Kind.RESPONSE if response else Kind.REQUEST
        return DnsMessage(self.flow, self.sender, kind, offset, octets, start, stop, more, question)

    def pair(self, message: Message) -> None:
        """A zone transfer is answered by many messages; its query is waited for until the last."""
        super().pair(message)
        request = message.request
        if request is not None and request.operation == "AXFR" and isinstance(message, DnsMessage):
            message.ends = self._ends_transfer(message)
            if not message.ends:
                self.answers.again(request, message)

    def _ends_transfer(self, answer: DnsMessage) -> bool:
        """Whether this is the last answer: an error, or one that ends with the SOA that the first began with (RFC 5936 §2.2)."""
        if answer.error is not None or answer.answer_count == 0:
            return True
        at = answer.start + HEADER_SIZE if answer.question is None else answer.question.stop
        first = last_type(answer.octets, at, answer.stop, 1) == SOA
        last = last_type(answer.octets, at, answer.stop, answer.answer_count)
        return last == SOA and not (first and answer.answer_count == 1 and answer.question is not None)

    def boundary(self, octets: bytes) -> int:
        for at in range(len(octets)):
            verdict = plausible(octets, at, self.sender is Sender.SERVER)
            if verdict != 0:
                return at if verdict > 0 else -1 - at
        return -1 - len(octets)


class DnsSession(Session):
    """One connection."""

    def __init__(self, flow: Flow, limits: Limits, endpoint: Sender | None = None) -> None:
        queries, other = pairings(Pairing.ID, 16, limits, endpoint)  # the server has none in plain DNS
        self._answers = DnsDecoder(flow, Sender.SERVER, limits, other, queries)
        super().__init__(flow, DnsDecoder(flow, Sender.CLIENT, limits, queries, other), self._answers, limits, endpoint)

    def reply_error(self, request: Message, status: Status, text: str) -> bytes:
        """A response without records; DNS has no place for `text`."""
        if not isinstance(request, DnsMessage) or request.kind is not Kind.REQUEST:
            raise Unsupported("only a query can be answered with an error")
        octets = request.error_reply(_RCODE.get(status, _SERVFAIL))
        return self.answer(request, self._answers.message(octets, 0, len(octets), 0, False))
