"""DNS over TCP for l7codecs."""

from __future__ import annotations

from l7codecs import Attribute, Direction, Pairing, Protocol

from ._detect import detect
from ._message import DnsMessage
from ._session import DnsSession

__all__ = ["PROTOCOL", "DnsMessage", "DnsSession"]

PROTOCOL = Protocol(
    name="dns",
    title="DNS over TCP",
    session=DnsSession,
    detect=detect,
    ports=(53,),
    pairing=Pairing.ID,
    id_bits=16,
    specification="RFC 1035, RFC 7766",
    attributes=(
        Attribute(
            "dns.question.name", str, Direction.BOTH, "QNAME of the first question, as text without its last dot"
        ),
        Attribute("dns.qtype", str, Direction.BOTH, "QTYPE of the first question: its name, or TYPE and its number"),
        Attribute("dns.opcode", str, Direction.BOTH, "opcode of the header: its name, or OPCODE and its number"),
        Attribute("dns.rcode", str, Direction.BOTH, "rcode of the header: its name, or RCODE and its number"),
        Attribute("error.type", str, Direction.BOTH, "rcode where it is not NOERROR"),
    ),
)
