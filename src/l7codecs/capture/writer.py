"""Write a relayed connection as a capture: Ethernet, IPv4 or IPv6, TCP, with handshake, acknowledgments and FINs.

For tests and demo captures, which then need neither root nor tcpdump. The file is a classic pcap with times in ns.
"""

import os
from socket import AF_INET, AF_INET6, inet_pton
from types import TracebackType
from typing import BinaryIO

import dpkt.ethernet
import dpkt.ip
import dpkt.ip6
import dpkt.pcap
import dpkt.tcp

from l7codecs.kinds import Sender

__all__ = ["CaptureWriter", "WrittenConnection"]

SNAP_SIZE = 262_144
SEGMENT_SIZE = 1448
WINDOW = 65_535
CLIENT_MAC = b"\x02\0\0\0\0\x01"
SERVER_MAC = b"\x02\0\0\0\0\x02"
# Time between packets that one call writes.
STEP_NS = 1_000


class CaptureWriter:
    """Write packets to a pcap file. Also a context manager, which closes the file if this opened it."""

    def __init__(self, target: "str | os.PathLike[str] | BinaryIO") -> None:
        """Write the file header; OSError if the path cannot be written."""
        if isinstance(target, (str, os.PathLike)):
            self._file: BinaryIO = open(target, "wb")  # noqa: SIM115  # closed by `close`
            self._opened = True
        else:
            self._file = target
            self._opened = False
        header = dpkt.pcap.LEFileHdr(
            magic=dpkt.pcap.TCPDUMP_MAGIC_NANO, snaplen=SNAP_SIZE, linktype=dpkt.pcap.DLT_EN10MB
        )
        self._file.write(bytes(header))

    def write_frame(self, time: int, frame: bytes) -> None:
        """Write one Ethernet frame, seen at `time` ns since 1970."""
        seconds, fraction = divmod(time, 1_000_000_000)
        size = len(frame)
        self._file.write(bytes(dpkt.pcap.LEPktHdr(tv_sec=seconds, tv_usec=fraction, caplen=size, len=size)) + frame)

    def open_connection(
        self,
        time: int,
        client: tuple[str, int],
        server: tuple[str, int],
        *,
        client_isn: int = 1000,
        server_isn: int = 2000,
    ) -> "WrittenConnection":
        """Write the handshake at `time` ns and return the connection to send on; both addresses are of one IP version."""
        return WrittenConnection(self, time, client, server, client_isn, server_isn)

    def close(self) -> None:
        """Close the file, or flush it if it was handed over open."""
        if self._opened:
            self._file.close()
        else:
            self._file.flush()

    def __enter__(self) -> "CaptureWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class WrittenConnection:
    """One connection in the file, made by `CaptureWriter.open_connection`."""

    def __init__(
        self,
        writer: CaptureWriter,
        time: int,
        client: tuple[str, int],
        server: tuple[str, int],
        client_isn: int,
        server_isn: int,
    ) -> None:
        self._writer = writer
        self._ends = {Sender.CLIENT: client, Sender.SERVER: server}
        self._next = {Sender.CLIENT: client_isn, Sender.SERVER: server_isn}
        self._packet_count = 0
        self._packet(time, Sender.CLIENT, dpkt.tcp.TH_SYN, b"")
        self._packet(time + STEP_NS, Sender.SERVER, dpkt.tcp.TH_SYN | dpkt.tcp.TH_ACK, b"")
        self._packet(time + 2 * STEP_NS, Sender.CLIENT, dpkt.tcp.TH_ACK, b"")

    def send(self, time: int, sender: Sender, data: bytes) -> None:
        """Write octets that `sender` sent at `time` ns, in as many segments as they need, and their acknowledgment."""
        for start in range(0, len(data), SEGMENT_SIZE):
            piece = data[start : start + SEGMENT_SIZE]
            push = dpkt.tcp.TH_PUSH if start + SEGMENT_SIZE >= len(data) else 0
            self._packet(time, sender, dpkt.tcp.TH_ACK | push, piece)
        if data:
            self._packet(time + STEP_NS, _other(sender), dpkt.tcp.TH_ACK, b"")

    def close(self, time: int, first: Sender = Sender.CLIENT) -> None:
        """Write the FINs of both sides and the last acknowledgment."""
        flags = dpkt.tcp.TH_FIN | dpkt.tcp.TH_ACK
        self._packet(time, first, flags, b"")
        self._packet(time + STEP_NS, _other(first), flags, b"")
        self._packet(time + 2 * STEP_NS, first, dpkt.tcp.TH_ACK, b"")

    def _packet(self, time: int, sender: Sender, flags: int, data: bytes) -> None:
        receiver = _other(sender)
        source, destination = self._ends[sender], self._ends[receiver]
        tcp = dpkt.tcp.TCP(
            sport=source[1],
            dport=destination[1],
            seq=self._next[sender],
            ack=self._next[receiver] if flags & dpkt.tcp.TH_ACK else 0,
            flags=flags,
            win=WINDOW,
            data=data,
        )
        self._packet_count += 1
        if ":" in source[0]:
            kind = dpkt.ethernet.ETH_TYPE_IP6
            packet = dpkt.ip6.IP6(
                src=inet_pton(AF_INET6, source[0]),
                dst=inet_pton(AF_INET6, destination[0]),
                nxt=dpkt.ip.IP_PROTO_TCP,
                hlim=64,
                plen=len(tcp),
                data=tcp,
            )
            packet.extension_hdrs = {}
        else:
            kind = dpkt.ethernet.ETH_TYPE_IP
            packet = dpkt.ip.IP(
                src=inet_pton(AF_INET, source[0]),
                dst=inet_pton(AF_INET, destination[0]),
                p=dpkt.ip.IP_PROTO_TCP,
                id=self._packet_count & 0xFFFF,
                df=1,
                data=tcp,
            )
        client = sender is Sender.CLIENT
        frame = dpkt.ethernet.Ethernet(
            src=CLIENT_MAC if client else SERVER_MAC, dst=SERVER_MAC if client else CLIENT_MAC, type=kind, data=packet
        )
        self._writer.write_frame(time, bytes(frame))
        used = len(data) + bool(flags & (dpkt.tcp.TH_SYN | dpkt.tcp.TH_FIN))
        self._next[sender] = (self._next[sender] + used) & 0xFFFFFFFF


def _other(sender: Sender) -> Sender:
    return Sender.SERVER if sender is Sender.CLIENT else Sender.CLIENT
