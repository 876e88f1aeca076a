"""DNS over TCP on the wire: a length of 16 bits, then the message as it would stand in a datagram. All numbers are big-endian.

    0        2    4       6       8       10      12      14                              length + 2
    ├────────┼────┼───────┼───────┼───────┼───────┼───────┼───────────────┬───────────────┤
    │ length │ id │ flags │ QD    │ AN    │ NS    │ AR    │ question      │ AN + NS + AR  │
    │        │    │       │ COUNT │ COUNT │ COUNT │ COUNT │ name type cls │ records       │
    └────────┴────┴───────┴───────┴───────┴───────┴───────┴───────────────┴───────────────┘
    flags   QR 1 | opcode 4 | AA TC RD RA Z AD CD 1 each | rcode 4
    name    labels, each an octet of size (1 to 63) and so many octets; a size of 0 ends it
    record  name type class TTL(32 bits) RDLENGTH(16 bits) and so many octets

RFC 1035 §4.1 and §4.2.2; RFC 7766 (pipelining, answers in any order). Not read: the records, except for what ends a zone transfer.
"""

from __future__ import annotations

from dataclasses import dataclass

from l7codecs import ProtocolError

__all__ = [
    "HEADER_SIZE",
    "OPCODES",
    "RCODES",
    "SOA",
    "TYPES",
    "Question",
    "last_type",
    "plausible",
    "read_question",
    "u16",
]

HEADER_SIZE = 14
"""Octets of the length and the fixed header."""
SOA = 6

TYPES = {
    1: "A", 2: "NS", 5: "CNAME", SOA: "SOA", 12: "PTR", 15: "MX", 16: "TXT", 28: "AAAA", 33: "SRV", 35: "NAPTR", 39: "DNAME",
    43: "DS", 46: "RRSIG", 48: "DNSKEY", 52: "TLSA", 64: "SVCB", 65: "HTTPS", 251: "IXFR", 252: "AXFR", 255: "ANY", 257: "CAA",
}  # fmt: skip
OPCODES = {0: "QUERY", 1: "IQUERY", 2: "STATUS", 4: "NOTIFY", 5: "UPDATE", 6: "DSO"}
RCODES = {
    0: "NOERROR", 1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 4: "NOTIMP", 5: "REFUSED", 6: "YXDOMAIN", 7: "YXRRSET",
    8: "NXRRSET", 9: "NOTAUTH", 10: "NOTZONE", 11: "DSOTYPENI",
}  # fmt: skip

_SPEC = "RFC 1035 §4.1.2"
_CLASSES = (1, 3, 4, 254, 255)
_NAME_SIZE = 255
_RECORD_SIZE = 11
"""Octets of the smallest record: the root's name and no data."""
_ESCAPED = b'"().;\\@$'


@dataclass(frozen=True, slots=True)
class Question:
    """The first question: the name as text without its last dot, the numbers of type and class, and the index after it."""

    name: str
    type: int
    cls: int
    stop: int


def u16(octets: bytes, at: int) -> int:
    """The number of 16 bits at `at`."""
    return octets[at] << 8 | octets[at + 1]


def read_question(octets: bytes, at: int, stop: int, base: int) -> Question | None:
    """The question at `at`; None where it does not end before `stop`.

    `base` is the offset in the direction of ``octets[0]``. Raises `ProtocolError` for a label that is none.
    """
    labels: list[str] = []
    first = at
    while at < stop and octets[at] != 0:
        size = octets[at]
        if size > 63:
            raise ProtocolError(base + at, f"a label of size {size:#04x}", "a size of 0 to 63", _SPEC)
        if at + 1 + size >= stop:
            return None
        labels.append(_text(octets[at + 1 : at + 1 + size]))
        at += 1 + size
        if at - first >= _NAME_SIZE:
            raise ProtocolError(base + at, "a longer name", f"a name of at most {_NAME_SIZE} octets", "RFC 1035 §2.3.4")
    if at + 5 > stop:
        return None
    return Question(".".join(labels) or ".", u16(octets, at + 1), u16(octets, at + 3), at + 5)


def _text(label: bytes) -> str:
    """A label as zone files write it (RFC 1035 §5.1)."""
    parts: list[str] = []
    for octet in label:
        if octet in _ESCAPED:
            parts.append("\\" + chr(octet))
        elif 0x20 < octet < 0x7F:
            parts.append(chr(octet))
        else:
            parts.append(f"\\{octet:03d}")
    return "".join(parts)


def last_type(octets: bytes, at: int, stop: int, count: int) -> int | None:
    """The type of the last of `count` records that begin at `at`; None where they are cut."""
    found = None
    for _ in range(count):
        while at < stop and 0 < octets[at] < 0xC0:
            at += 1 + octets[at]
        at += 2 if at < stop and octets[at] >= 0xC0 else 1
        if at + 10 > stop:
            return None
        found = u16(octets, at)
        at += 10 + u16(octets, at + 8)
    return found if at <= stop else None


def plausible(octets: bytes, at: int, response: bool) -> int:
    """Whether a message with one question begins at `at`: 1 yes, 0 no, -1 more octets are needed to tell.

    Stricter than decoding: it has to tell DNS from everything else.
    """
    have = len(octets) - at
    if have < 2:
        return -1
    size = u16(octets, at)
    if size < HEADER_SIZE - 2 + 5:
        return 0
    if have >= 5 and (octets[at + 4] >> 7 != response or octets[at + 4] >> 3 & 15 not in (0, 4, 5)):
        return 0
    if have >= 6 and (octets[at + 5] & 0x40 or (not response and octets[at + 5] & 15)):
        return 0
    if have >= 8 and u16(octets, at + 6) != 1:
        return 0
    if have < HEADER_SIZE:
        return -1
    records = u16(octets, at + 8) + u16(octets, at + 10) + u16(octets, at + 12)
    if records * _RECORD_SIZE > size - 17:
        return 0
    stop = at + 2 + size
    name = at = at + HEADER_SIZE
    while at < len(octets) and octets[at] != 0:
        if octets[at] > 63 or at + octets[at] - name >= _NAME_SIZE or at + octets[at] >= stop:
            return 0
        if not all(0x21 <= octet < 0x7F for octet in octets[at + 1 : at + 1 + octets[at]]):
            return 0
        at += 1 + octets[at]
    if at + 5 > stop:
        return 0
    if at + 5 > len(octets):
        return -1
    return int(u16(octets, at + 3) in _CLASSES and u16(octets, at + 1) > 0)
