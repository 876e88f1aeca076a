"""The rarer link layers, by dpkt: 802.3 with LLC/SNAP, MPLS, PPPoE, PPP.

dpkt would go on to parse IP and TCP at once, and in doing so drop what a cut packet lacks; here its type tables are
replaced by ones that stop at the IP header and hand back the octets.
"""

import struct
from typing import ClassVar

import dpkt
import dpkt.ethernet
import dpkt.llc
import dpkt.ppp
import dpkt.pppoe

__all__ = ["find_ip_packet"]

LINK_ETHERNET = 1
LINK_PPP = 9
LINK_PPP_HDLC = 50


class _Octets(dpkt.Packet):  # type: ignore[misc]  # dpkt has no types
    """Hold the octets of an IP packet."""

    __hdr__ = ()

    def unpack(self, buf: bytes) -> None:
        self.data: bytes = buf


class _PppoePpp(dpkt.pppoe.PPP):  # type: ignore[misc]  # dpkt has no types
    _protosw: ClassVar = {dpkt.ppp.PPP_IP: _Octets, dpkt.ppp.PPP_IP6: _Octets}


class _Ppp(dpkt.ppp.PPP):  # type: ignore[misc]  # dpkt has no types
    _protosw: ClassVar = {dpkt.ppp.PPP_IP: _Octets, dpkt.ppp.PPP_IP6: _Octets}


class _Pppoe(dpkt.pppoe.PPPoE):  # type: ignore[misc]  # dpkt has no types
    def unpack(self, buf: bytes) -> None:
        dpkt.Packet.unpack(self, buf)
        if self.code == dpkt.pppoe.PPPoE_SESSION:
            self.data = _PppoePpp(buf[self.__hdr_len__ :])


class _Ethernet(dpkt.ethernet.Ethernet):  # type: ignore[misc]  # dpkt has no types
    _typesw: ClassVar = {
        dpkt.ethernet.ETH_TYPE_IP: _Octets,
        dpkt.ethernet.ETH_TYPE_IP6: _Octets,
        dpkt.ethernet.ETH_TYPE_PPPoE: _Pppoe,
    }


def find_ip_packet(frame: bytes, link: int) -> bytes | None:
    """Return the IP packet in a frame, with whatever trails it; None if there is none that dpkt finds."""
    try:
        if link == LINK_ETHERNET:
            (size,) = struct.unpack_from(">H", frame, 12)
            if size <= 1500:
                snap = struct.unpack_from(">BBB3sH", frame, 14)
                if snap[:4] == (0xAA, 0xAA, 3, b"\0\0\0") and snap[4] in (0x0800, 0x86DD):
                    return frame[22:]
                return None
            layer = _Ethernet(frame)
        elif link in (LINK_PPP, LINK_PPP_HDLC):
            layer = _Ppp(frame)
        else:
            return None
        while isinstance(layer, dpkt.Packet):
            if isinstance(layer, _Octets):
                return bytes(layer.data)
            layer = layer.data
    # dpkt lets struct.error and IndexError through on short input.
    except (dpkt.Error, struct.error, IndexError, ValueError, KeyError):
        return None
    return None
