"""Packets -> TCP segments: link layer, IPv4 or IPv6, TCP header.

Read here: Ethernet with any number of VLAN tags (802.1Q, 802.1ad), Linux cooked v1 and v2, BSD loopback (NULL, LOOP), raw IP.
dpkt reads the rest (`rare`: LLC/SNAP, MPLS, PPPoE, PPP). It does not read everything, because its reader and header objects
cost 9.1 µs for an Ethernet/IPv4/TCP packet (CPython 3.13; 481 080 packets in 64 MiB), of which tshark needs 14 µs for all that
it does, while this path needs 0.43 µs compiled and 2.6 µs interpreted, file and reassembly included; and because a packet cut by
the snap length loses its true size in them.

Not read: tunnels (GRE, IP in IP, VXLAN), ESP. Checksums are not verified: captures on the sending host have none yet.
"""

from typing import Final

from librt.strings import read_i64_be
from mypy_extensions import i64

from l7codecs.capture.files import PacketSink
from l7codecs.capture.flows import Flows
from l7codecs.capture.fragments import Fragments
from l7codecs.capture.limits import CaptureLimits, CaptureStatistics
from l7codecs.capture.rare import find_ip_packet

__all__ = ["Dissector"]

# tcpdump.org/linktypes.html; 12 and 14 are the values of DLT_RAW on BSD and OpenBSD, seen in files all the same.
LINK_NULL: Final = 0
LINK_ETHERNET: Final = 1
LINK_PPP: Final = 9
LINK_RAW_BSD: Final = 12
LINK_RAW_OPENBSD: Final = 14
LINK_PPP_HDLC: Final = 50
LINK_RAW: Final = 101
LINK_LOOP: Final = 108
LINK_LINUX_SLL: Final = 113
LINK_IPV4: Final = 228
LINK_IPV6: Final = 229
LINK_LINUX_SLL2: Final = 276

ETHER_IPV4: Final = 0x0800
ETHER_IPV6: Final = 0x86DD
ETHER_8021Q: Final = 0x8100
ETHER_8021AD: Final = 0x88A8
ETHER_QINQ1: Final = 0x9100
ETHER_QINQ2: Final = 0x9200
ETHER_MPLS: Final = 0x8847
ETHER_MPLS_MULTICAST: Final = 0x8848
ETHER_PPPOE: Final = 0x8864
ETHER_SIZE_MAX: Final = 1500

PROTOCOL_TCP: Final = 6
NEXT_HOP_BY_HOP: Final = 0
NEXT_ROUTING: Final = 43
NEXT_FRAGMENT: Final = 44
NEXT_AUTHENTICATION: Final = 51
NEXT_DESTINATION: Final = 60
NEXT_MOBILITY: Final = 135
NEXT_HIP: Final = 139
NEXT_SHIM6: Final = 140

_NOT_IP: Final = -1
_ASK_DPKT: Final = -2
_MALFORMED: Final = -3
_UNKNOWN_LINK: Final = -4


class Dissector(PacketSink):
    """Find the TCP segment in each packet and pass it to the flows."""

    def __init__(self, flows: Flows, limits: CaptureLimits, statistics: CaptureStatistics) -> None:
        """Pass segments to `flows`."""
        self.flows = flows
        self.statistics = statistics
        self.fragments = Fragments(limits, statistics)
        self.packet_count: i64 = 0

    def packet(self, buf: bytes, start: i64, end: i64, wire: i64, time: i64, link: i64) -> None:
        """Take the packet at buf[start:end], of `wire` octets on the wire, seen at `time` ns, of link type `link`."""
        self.packet_count += 1
        ip = self.find_ip(buf, start, end, link)
        if ip >= 0:
            self.ip(buf, ip, end, start + wire, time)
        elif ip == _ASK_DPKT:
            packet = find_ip_packet(buf[start:end], link)
            if packet is None:
                self.statistics.not_ip += 1
            else:
                self.ip(packet, 0, len(packet), len(packet) + wire - (end - start), time)
        elif ip == _NOT_IP:
            self.statistics.not_ip += 1
        elif ip == _MALFORMED:
            self.statistics.malformed += 1
        else:
            links = self.statistics.unknown_links
            links[link] = links.get(link, 0) + 1

    def find_ip(self, buf: bytes, start: i64, end: i64, link: i64) -> i64:
        """Return where the IP header starts, or one of the negative answers above."""
        size: i64 = end - start
        if link == LINK_ETHERNET:
            at: i64 = start + 12
        elif link == LINK_LINUX_SLL:
            at = start + 14
        elif link == LINK_LINUX_SLL2:
            # The protocol comes first, the rest of the header after it; a VLAN tag would stand behind the header.
            if size < 20:
                return _MALFORMED
            at = start + 18
            kind: i64 = (buf[start] << 8) | buf[start + 1]
            return self.unwrap(buf, at, end, kind)
        elif link == LINK_NULL or link == LINK_LOOP:
            return self.find_loopback(buf, start, end)
        elif (
            link == LINK_RAW
            or link == LINK_RAW_BSD
            or link == LINK_RAW_OPENBSD
            or link == LINK_IPV4
            or link == LINK_IPV6
        ):
            return start
        elif link == LINK_PPP or link == LINK_PPP_HDLC:
            return _ASK_DPKT
        else:
            return _UNKNOWN_LINK
        if end - at < 2:
            return _MALFORMED
        kind = (buf[at] << 8) | buf[at + 1]
        if link == LINK_ETHERNET and (
            kind <= ETHER_SIZE_MAX or kind == ETHER_MPLS or kind == ETHER_MPLS_MULTICAST or kind == ETHER_PPPOE
        ):
            return _ASK_DPKT
        return self.unwrap(buf, at, end, kind)

    def unwrap(self, buf: bytes, at: i64, end: i64, kind: i64) -> i64:
        """Step over VLAN tags; `kind` is the EtherType, which stands (or would) at `at`."""
        while kind == ETHER_8021Q or kind == ETHER_8021AD or kind == ETHER_QINQ1 or kind == ETHER_QINQ2:
            at += 4  # the tag, then the next EtherType
            if end - at < 2:
                return _MALFORMED
            kind = (buf[at] << 8) | buf[at + 1]
        if kind == ETHER_IPV4 or kind == ETHER_IPV6:
            return at + 2
        return _NOT_IP

    def find_loopback(self, buf: bytes, start: i64, end: i64) -> i64:
        """Read the address family, in either byte order: 2 is IPv4, and IPv6 is 10, 24, 28 or 30 by system."""
        if end - start < 4:
            return _MALFORMED
        if buf[start + 1] != 0 or buf[start + 2] != 0 or (buf[start] != 0 and buf[start + 3] != 0):
            return _NOT_IP
        family: i64 = buf[start] | buf[start + 3]
        if family == 2 or family == 10 or family == 24 or family == 28 or family == 30:
            return start + 4
        return _NOT_IP

    def ip(self, buf: bytes, ip: i64, end: i64, wire_end: i64, time: i64) -> None:
        """Read the IP header at `ip`; the octets end at `end`, and ended at `wire_end` before the snap length cut them."""
        if end - ip < 20:
            self.statistics.malformed += 1
            return
        word: i64 = read_i64_be(buf, ip)  # version 4 · IHL 4 · TOS 8 · total length 16 · id 16 · flags 3 · offset 13
        version: i64 = (word >> 60) & 15
        if version == 6:
            self.ipv6(buf, ip, end, wire_end, time)
            return
        header_size: i64 = ((word >> 56) & 15) * 4
        if version != 4 or header_size < 20:
            self.statistics.malformed += 1
            return
        total: i64 = (word >> 32) & 0xFFFF
        # A length of 0 is that of a segment which the network card was yet to cut up.
        ip_end: i64 = ip + total if total > 0 else wire_end
        if end > ip_end:
            end = ip_end  # Ethernet's padding
        protocol: i64 = buf[ip + 9]
        if word & 0x3FFF:
            key = buf[ip + 12 : ip + 20] + buf[ip + 4 : ip + 6] + buf[ip + 9 : ip + 10]
            offset: i64 = (word & 0x1FFF) * 8
            self.fragment(key, buf, ip + header_size, end, ip_end, offset, (word & 0x2000) != 0, protocol, time)
        elif protocol != PROTOCOL_TCP:
            self.statistics.not_tcp += 1
        elif header_size == 20 and end - ip >= 40:
            self.tcp(buf[ip + 12 : ip + 24], buf, ip + 20, end, ip_end, time)
        else:
            tcp: i64 = ip + header_size
            self.tcp(buf[ip + 12 : ip + 20] + buf[tcp : tcp + 4], buf, tcp, end, ip_end, time)

    def ipv6(self, buf: bytes, ip: i64, end: i64, wire_end: i64, time: i64) -> None:
        """Read the IPv6 header at `ip` and the extension headers behind it."""
        if end - ip < 40:
            self.statistics.malformed += 1
            return
        size: i64 = (buf[ip + 4] << 8) | buf[ip + 5]
        ip_end: i64 = ip + 40 + size if size > 0 else wire_end  # 0: a jumbogram, or yet to be cut up
        if end > ip_end:
            end = ip_end
        following: i64 = buf[ip + 6]
        at: i64 = ip + 40
        while following != PROTOCOL_TCP:
            if following == NEXT_FRAGMENT:
                self.fragment6(buf, ip, at, end, ip_end, time)
                return
            if (
                following == NEXT_HOP_BY_HOP
                or following == NEXT_ROUTING
                or following == NEXT_DESTINATION
                or following == NEXT_MOBILITY
                or following == NEXT_HIP
                or following == NEXT_SHIM6
            ):
                unit: i64 = 8
                least: i64 = 8
            elif following == NEXT_AUTHENTICATION:  # counted in 4 octets, minus 2 (RFC 4302 §2.2)
                unit = 4
                least = 8
            else:
                self.statistics.not_tcp += 1
                return
            if end - at < 2:
                self.statistics.malformed += 1
                return
            following = buf[at]
            at += least + buf[at + 1] * unit
        if at == ip + 40:
            self.tcp(buf[ip + 8 : ip + 44], buf, at, end, ip_end, time)
        else:
            self.tcp(buf[ip + 8 : ip + 40] + buf[at : at + 4], buf, at, end, ip_end, time)

    def fragment6(self, buf: bytes, ip: i64, at: i64, end: i64, ip_end: i64, time: i64) -> None:
        """Read a Fragment header: next 8 · reserved 8 · offset 13, reserved 2, M 1 · identification 32."""
        if end - at < 8:
            self.statistics.malformed += 1
            return
        following: i64 = buf[at]
        place: i64 = (buf[at + 2] << 8) | buf[at + 3]
        key = buf[ip + 8 : ip + 40] + buf[at + 4 : at + 8]
        self.fragment(key, buf, at + 8, end, ip_end, place & 0xFFF8, (place & 1) != 0, following, time)

    def fragment(
        self, key: bytes, buf: bytes, at: i64, end: i64, ip_end: i64, offset: i64, more: bool, protocol: i64, time: i64
    ) -> None:
        """Collect buf[at:end] for the datagram `key` and go on with it once it is whole."""
        # Only of a first fragment is `protocol` sure for IPv6; a later one of something else is collected for nothing.
        if protocol != PROTOCOL_TCP:
            self.statistics.not_tcp += 1
            return
        if at > end or end < ip_end:  # cut by the snap length: it can never become whole
            self.statistics.fragments += 1
            self.statistics.fragments_skipped += 1
            return
        whole = self.fragments.add(key, offset, more, buf[at:end], time)
        if whole is not None:
            size: i64 = len(whole)
            address_size: i64 = 32 if len(key) == 36 else 8
            self.tcp(key[:address_size] + whole[:4], whole, 0, size, size, time)

    def tcp(self, key: bytes, buf: bytes, tcp: i64, end: i64, ip_end: i64, time: i64) -> None:
        """Read the TCP header at `tcp`; `key` is both addresses and both ports."""
        if end - tcp < 20:
            self.statistics.malformed += 1
            return
        word: i64 = read_i64_be(buf, tcp + 4)  # sequence number, acknowledgment number
        start: i64 = tcp + (buf[tcp + 12] >> 4) * 4
        flags: i64 = buf[tcp + 13]
        if start < tcp + 20 or start > ip_end:
            self.statistics.malformed += 1
            return
        size: i64 = ip_end - start
        if start > end:  # the snap length cut the options
            start = end
        self.flows.segment(key, buf, start, end, size, (word >> 32) & 0xFFFFFFFF, word & 0xFFFFFFFF, flags, time)
