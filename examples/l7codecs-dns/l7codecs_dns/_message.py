"""One DNS message: what a routing engine sees of it."""

from __future__ import annotations

from dataclasses import replace

from l7codecs import AttrValue, Flow, Kind, Message, Sender, Status, put_number

from ._wire import HEADER_SIZE, OPCODES, RCODES, TYPES, Question, u16

__all__ = ["DnsMessage"]

_STATUS = {
    "NOERROR": Status.OK,
    "FORMERR": Status.INVALID_ARGUMENT,
    "SERVFAIL": Status.INTERNAL,
    "NXDOMAIN": Status.NOT_FOUND,
    "NOTIMP": Status.UNIMPLEMENTED,
    "REFUSED": Status.PERMISSION_DENIED,
    "YXDOMAIN": Status.ALREADY_EXISTS,
    "YXRRSET": Status.ALREADY_EXISTS,
    "NXRRSET": Status.NOT_FOUND,
    "NOTAUTH": Status.PERMISSION_DENIED,
    "NOTZONE": Status.INVALID_ARGUMENT,
    "DSOTYPENI": Status.UNIMPLEMENTED,
}


class DnsMessage(Message):
    """A query or a response. ``question`` is its first question, None where it has none or the head of a large one cuts it."""

    def __init__(
        self, flow: Flow, sender: Sender, kind: Kind, offset: int, octets: bytes, start: int, stop: int, more: bool,
        question: Question | None,
    ) -> None:  # fmt: skip
        super().__init__(flow, sender, kind, offset, octets, start, stop, more)
        self.question = question
        self.ends = True
        """The last answer to its query; a zone transfer has several."""

    @property
    def last(self) -> bool:
        return self.ends

    def renumbered(self, number: int) -> bytes:
        """With another id, which stands behind the length."""
        return put_number(self.raw, 2, 2, number)

    def detach(self) -> bool:
        """A query that waits for long keeps its own octets; the question knows where it ends among them."""
        if self.question is not None:
            self.question = replace(self.question, stop=self.question.stop - self.start)
        self.keep_own()
        return True

    @property
    def payload(self) -> bytes:
        """The message without its length, as a datagram would carry it."""
        return self.octets[self.start + 2 : self.stop]

    @property
    def request_id(self) -> int:
        return u16(self.octets, self.start + 2)

    @property
    def opcode(self) -> str:
        number = self.octets[self.start + 4] >> 3 & 15
        return OPCODES.get(number, f"OPCODE{number}")

    @property
    def rcode(self) -> str:
        """The low four bits; EDNS has eight more, in a record."""
        number = self.octets[self.start + 5] & 15
        return RCODES.get(number, f"RCODE{number}")

    @property
    def answer_count(self) -> int:
        return u16(self.octets, self.start + 8)

    @property
    def operation(self) -> str | None:
        """The type that a QUERY asks for (``AAAA``, ``AXFR``); of everything else the opcode (``NOTIFY``)."""
        if self.opcode != "QUERY":
            return self.opcode
        if self.question is None:
            return self.request.operation if self.request is not None else None
        return TYPES.get(self.question.type, f"TYPE{self.question.type}")

    @property
    def resources(self) -> tuple[str | bytes, ...]:
        return () if self.question is None else (self.question.name,)

    @property
    def status(self) -> Status | None:
        return _STATUS.get(self.rcode, Status.UNKNOWN) if self.kind is Kind.RESPONSE else None

    @property
    def error(self) -> str | None:
        return self.rcode if self.kind is Kind.RESPONSE and self.rcode != "NOERROR" else None

    def collect(self, attributes: dict[str, AttrValue]) -> None:
        attributes["dns.opcode"] = self.opcode
        if self.question is not None:
            attributes["dns.question.name"] = self.question.name
            attributes["dns.qtype"] = TYPES.get(self.question.type, f"TYPE{self.question.type}")
        if self.kind is Kind.RESPONSE:
            attributes["dns.rcode"] = self.rcode
        if self.error is not None:
            attributes["error.type"] = self.error

    def error_reply(self, rcode: int) -> bytes:
        """The octets that answer this query with `rcode` and its own question."""
        stop = self.start + HEADER_SIZE if self.question is None else self.question.stop
        flags = (0x80 | self.octets[self.start + 4] & 0x79) << 8 | rcode  # QR set; opcode and RD as they were
        counts = b"\0\1" if self.question is not None else b"\0\0"
        header = self.octets[self.start + 2 : self.start + 4] + flags.to_bytes(2) + counts + bytes(6)
        message = header + self.octets[self.start + HEADER_SIZE : stop]
        return len(message).to_bytes(2) + message
