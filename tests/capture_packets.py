"""Captures made by hand, octet by octet, as input for the capture tests."""

import io
import struct
from collections.abc import Iterable, Iterator
from ipaddress import ip_address

from l7codecs.capture import CaptureLimits, Connection, Hole, Segment, StreamEvent, StreamReader, read_streams
from l7codecs.message import Sender

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
CLIENT = ("10.0.0.1", 40000)
SERVER = ("10.0.0.2", 6379)
CLIENT6 = ("2001:db8::1", 40000)
SERVER6 = ("2001:db8::2", 6379)
SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND


def checksum(data: bytes) -> int:
    """The Internet checksum (RFC 1071)."""
    data += b"\0" * (len(data) & 1)
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def tcp(source, destination, seq, ack, flags, data=b"", options=b"") -> bytes:
    """A TCP segment, its checksum right."""
    offset = 5 + len(options) // 4

    def header(total: int) -> bytes:
        ports = (source[1], destination[1], seq & 0xFFFFFFFF, ack & 0xFFFFFFFF)
        return struct.pack(">HHIIBBHHH", *ports, offset << 4, flags, 8192, total, 0) + options

    addresses = ip_address(source[0]).packed + ip_address(destination[0]).packed
    pseudo = addresses + struct.pack(">IHH", offset * 4 + len(data), 0, 6)
    return header(checksum(pseudo + header(0) + data)) + data


def ipv4(source, destination, payload, options=b"", ident=1, fragment=0, protocol=6, total=None) -> bytes:
    """An IPv4 packet; `fragment` is the 16 bits of flags and offset."""
    size = 20 + len(options)
    total = size + len(payload) if total is None else total
    addresses = ip_address(source[0]).packed + ip_address(destination[0]).packed

    def header(check: int) -> bytes:
        first = struct.pack(">BBHHHBBH", 0x40 | size // 4, 0, total, ident, fragment, 64, protocol, check)
        return first + addresses + options

    return header(checksum(header(0))) + payload


def ipv6(source, destination, payload, following=6, size=None) -> bytes:
    """An IPv6 packet; `payload` starts with the extension headers, `following` is the first one's number."""
    size = len(payload) if size is None else size
    addresses = ip_address(source[0]).packed + ip_address(destination[0]).packed
    return struct.pack(">IHBB", 6 << 28, size, following, 64) + addresses + payload


def ethernet(packet: bytes, tags: Iterable[int] = ()) -> bytes:
    """An Ethernet II frame with VLAN tags of the given EtherTypes."""
    kind = 0x86DD if packet[0] >> 4 == 6 else 0x0800
    head = b"\x02\0\0\0\0\x02\x02\0\0\0\0\x01"
    for tag in tags:
        head += struct.pack(">HH", tag, 5)
    return head + struct.pack(">H", kind) + packet


def pcap(frames, *, order="<", magic=0xA1B2C3D4, link=1, minor=4, snap=65535) -> bytes:
    """A classic pcap file of (time in ns, frame) or (time, captured octets, original size)."""
    out = struct.pack(order + "IHHiIII", magic, 2, minor, 0, 0, snap, link)
    for time, frame, *wire in frames:
        seconds, rest = divmod(time, SECOND)
        rest = rest if magic == 0xA1B23C4D else rest // 1000
        out += struct.pack(order + "IIII", seconds, rest, len(frame), wire[0] if wire else len(frame))
        if magic == 0xA1B2CD34:
            out += struct.pack(order + "IHBB", 2, 8, 0, 0)
        out += frame
    return out


def block(kind: int, body: bytes, order="<") -> bytes:
    """A pcapng block."""
    body += bytes(-len(body) % 4)
    size = struct.pack(order + "I", len(body) + 12)
    return struct.pack(order + "I", kind) + size + body + size


def section(order="<") -> bytes:
    return block(0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1), order)


def option(code: int, value: bytes, order="<") -> bytes:
    return struct.pack(order + "HH", code, len(value)) + value + bytes(-len(value) % 4)


def interface(link=1, snap=0, order="<", options=b"") -> bytes:
    return block(1, struct.pack(order + "HHI", link, 0, snap) + options, order)


def enhanced(time: int, frame: bytes, index=0, order="<", wire=None, options=b"") -> bytes:
    """An Enhanced Packet Block; `time` in the interface's units."""
    sizes = (len(frame), len(frame) if wire is None else wire)
    padding = bytes(-len(frame) % 4)
    body = struct.pack(order + "IIIII", index, time >> 32, time & 0xFFFFFFFF, *sizes) + frame + padding + options
    return block(6, body, order)


class Dialogue:
    """Packets of one connection, with sequence numbers counted."""

    def __init__(self, client=CLIENT, server=SERVER, client_isn=100, server_isn=900):
        self.ends = {Sender.CLIENT: client, Sender.SERVER: server}
        self.first = {Sender.CLIENT: client_isn + 1, Sender.SERVER: server_isn + 1}
        self.sent = {Sender.CLIENT: 0, Sender.SERVER: 0}
        self.packets: list[bytes] = []

    def at(self, sender, pos, data=b"", flags=ACK, ack=None, options=b"") -> bytes:
        """A packet of the octets at `pos` (counted from 0) of the sender's direction; `ack` counts likewise."""
        other = sender.other
        ack = self.first[other] + (self.sent[other] if ack is None else ack)
        source, destination = self.ends[sender], self.ends[other]
        segment = tcp(source, destination, self.first[sender] + pos, ack if flags & ACK else 0, flags, data, options)
        return (ipv6 if ":" in source[0] else ipv4)(source, destination, segment)

    def handshake(self) -> "Dialogue":
        self.packets.append(self.at(Sender.CLIENT, -1, flags=SYN))
        self.packets.append(self.at(Sender.SERVER, -1, flags=SYN | ACK))
        self.packets.append(self.at(Sender.CLIENT, 0))
        return self

    def send(self, sender, data: bytes, flags=ACK | PSH) -> "Dialogue":
        self.packets.append(self.at(sender, self.sent[sender], data, flags))
        self.sent[sender] += len(data)
        return self

    def close(self) -> "Dialogue":
        for sender in (Sender.CLIENT, Sender.SERVER):
            self.packets.append(self.at(sender, self.sent[sender], flags=FIN | ACK))
            self.sent[sender] += 1
        self.packets.append(self.at(Sender.CLIENT, self.sent[Sender.CLIENT]))
        return self


def timed(packets: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    """Packets a millisecond apart."""
    for index, packet in enumerate(packets):
        yield START + index * 1_000_000, packet


class Pipe(io.RawIOBase):
    """A file that cannot seek and gives a few octets at a time."""

    def __init__(self, octets: bytes, size: int = 7):
        self.inner = io.BytesIO(octets)
        self.size = size

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        return self.inner.read(min(self.size, size) if size >= 0 else self.size)


def read(octets: bytes, *, limits: CaptureLimits | None = None, server_ports=()) -> list[StreamEvent]:
    """All events of a file."""
    return list(reader(octets, limits=limits, server_ports=server_ports))


def reader(octets: bytes, *, limits: CaptureLimits | None = None, server_ports=()) -> StreamReader:
    return read_streams(io.BytesIO(octets), limits=limits, server_ports=server_ports)


def read_packets(packets: Iterable[bytes], **options) -> list[StreamEvent]:
    """All events of IP packets, as a file of link type raw IP."""
    return read(pcap(timed(packets), link=101), **options)


Stream = list[bytes | int]


def streams(events: Iterable[StreamEvent]) -> dict[tuple[int, Sender], Stream]:
    """Directions as lists of octets and sizes of holes, neighbouring octets joined."""
    out: dict[tuple[int, Sender], Stream] = {}
    for event in events:
        if isinstance(event, Segment):
            stream = out.setdefault((event.connection.id, event.sender), [])
            if stream and isinstance(stream[-1], bytes):
                stream[-1] += event.data
            else:
                stream.append(event.data)
        elif isinstance(event, Hole):
            out.setdefault((event.connection.id, event.sender), []).append(event.size)
    return out


def connections(events: Iterable[StreamEvent]) -> list[Connection]:
    """Connections in the order of their first event."""
    return list({event.connection.id: event.connection for event in events}.values())


def names(events: Iterable[StreamEvent]) -> list[str]:
    """The kinds of the events."""
    return [type(event).__name__ for event in events]
