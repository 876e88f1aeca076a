"""Captures: pcap and pcapng files -> TCP streams.

    file, gzip or pipe ── source ──> octets ── files ──> packets ── packets ──> segments ── flows ──> events

`read_streams` yields, for all connections in capture order, `Opened`, `Segment`, `Hole`, `Ended` and `Closed`. Needs the
extra ``capture``, which brings dpkt.

dpkt (BSD licence, pure Python, no dependencies) is the library for the formats: the headers of files, sections and
interfaces, the rarer link layers, and everything that `writer` writes. The alternatives: scapy is GPL-2.0; python-pcapng reads
one of the two formats; libpcap's bindings need a C library and refuse a pcapng file whose interfaces differ in link type.
What is not left to dpkt, and why, stands in `files` (its readers lose ns, lengths, interfaces) and `packets` (its header
objects are too slow to be made for every packet).
"""

from l7codecs.capture.errors import CaptureError
from l7codecs.capture.events import Closed, Connection, Ended, Hole, Opened, Segment, StreamEvent
from l7codecs.capture.limits import CaptureLimits, CaptureStatistics
from l7codecs.capture.reader import StreamReader, read_streams
from l7codecs.capture.writer import CaptureWriter, WrittenConnection

__all__ = [
    "CaptureError",
    "CaptureLimits",
    "CaptureStatistics",
    "CaptureWriter",
    "Closed",
    "Connection",
    "Ended",
    "Hole",
    "Opened",
    "Segment",
    "StreamEvent",
    "StreamReader",
    "WrittenConnection",
    "read_streams",
]
