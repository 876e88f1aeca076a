"""Bounds on what the capture reader keeps in memory, and its counters."""

from dataclasses import dataclass

__all__ = ["CaptureLimits", "CaptureStatistics"]


@dataclass(frozen=True)
class CaptureLimits:
    """Bound the memory of reassembly; nothing here depends on a length that a packet declares."""

    #: Octets that one direction may hold behind a missing segment; beyond it the segment is a hole.
    pending_size: int = 1 << 20
    #: Pieces that one direction may hold behind a missing segment.
    pending_count: int = 4096
    #: Octets that all directions together may hold behind missing segments.
    total_pending_size: int = 64 << 20
    #: Connections that are tracked; beyond it the closed, then the longest idle, are given up.
    flow_count: int = 65_536
    #: IP datagrams whose fragments are being collected, 64 KiB each at most.
    datagram_count: int = 256
    #: Octets of one packet in the file. A larger one means that the file is damaged.
    packet_size: int = 16 << 20


class CaptureStatistics:
    """Count what was seen, and what was passed over and why. All counts are packets unless named otherwise."""

    def __init__(self) -> None:
        """Start every counter at 0."""
        self.packets = 0
        self.segments = 0
        #: Connections that were seen, and those of them that had octets.
        self.flows = 0
        self.connections = 0
        #: Link types that are not read: link type -> packets.
        self.unknown_links: dict[int, int] = {}
        #: Neither IPv4 nor IPv6: ARP, LLDP…
        self.not_ip = 0
        #: IP, but not TCP; tunnels and ESP are among them.
        self.not_tcp = 0
        #: Headers that contradict themselves or are cut off by the snap length.
        self.malformed = 0
        #: IP fragments seen, and those among them whose datagram never became whole.
        self.fragments = 0
        self.fragments_skipped = 0
        #: Octets that came twice, or after the end of their connection; not packets.
        self.repeated_octets = 0
        self.late_octets = 0
        #: Octets missing from streams; not packets.
        self.missing_octets = 0
        #: Connections that were given up because there were too many.
        self.evicted = 0
