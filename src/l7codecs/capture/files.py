"""pcap and pcapng files -> packets.

The formats, and what is read of them:

- classic pcap (draft-ietf-opsawg-pcap): magic a1b2c3d4 (µs), a1b23c4d (ns) and a1b2cd34 (modified, 8 more octets in each
  record header), each in either byte order::

      file    magic u32 · major u16 · minor u16 · zone i32 · accuracy u32 · snaplen u32 · linktype u32
      record  seconds u32 · fraction u32 · captured u32 · original u32 [· ifindex u32 · protocol u16 · type u8 · pad u8]

- pcapng (draft-ietf-opsawg-pcapng): any number of sections, each in its own byte order and with its own interfaces; each
  interface with its own link type, if_tsresol and if_tsoffset. Enhanced (6), Simple (3) and obsolete (2) packet blocks;
  every other block is skipped unread::

      block   type u32 · total u32 · body · total u32

A Simple Packet Block carries no time: its packets get that of the packet before it.

The headers of files, sections and interfaces are dpkt's. Its readers are not used: they turn times into floats (ns are lost),
drop the original length (which tells a cut packet from a whole one), pass a record that ends early as a packet, and read
one section and one interface of a pcapng file, no Simple Packet Block, and cost 1.6 µs a packet (CPython 3.13), four times what
the whole way from the file to the streams costs here compiled.
"""

from abc import abstractmethod
from struct import unpack_from
from typing import Final

import dpkt.pcap
import dpkt.pcapng
from librt.strings import read_i64_be, read_i64_le
from mypy_extensions import i64

from l7codecs.capture.errors import CaptureError
from l7codecs.capture.limits import CaptureLimits
from l7codecs.capture.source import Source

__all__ = ["CaptureFile", "PacketSink", "open_capture"]

_U32: Final = 0xFFFFFFFF

MICRO_MAGIC: Final = 0xA1B2C3D4
NANO_MAGIC: Final = 0xA1B23C4D
MODIFIED_MAGIC: Final = 0xA1B2CD34

SECTION_BLOCK: Final = 0x0A0D0D0A
INTERFACE_BLOCK: Final = 1
OBSOLETE_PACKET_BLOCK: Final = 2
SIMPLE_PACKET_BLOCK: Final = 3
ENHANCED_PACKET_BLOCK: Final = 6
# The largest section or interface block that is read whole; the rest of a larger one cannot be options that anybody wrote.
HEADER_BLOCK_SIZE: Final = 1 << 20

OPTION_END: Final = 0
OPTION_TSRESOL: Final = 9
OPTION_TSOFFSET: Final = 14


class PacketSink:
    """Take packets out of a file."""

    @abstractmethod
    def packet(self, buf: bytes, start: i64, end: i64, wire: i64, time: i64, link: i64) -> None:
        """Take the packet at buf[start:end], of `wire` octets on the wire, seen at `time` ns, of link type `link`."""


class CaptureFile:
    """Read one file chunk by chunk into a sink."""

    def __init__(self, source: Source, sink: PacketSink, limits: CaptureLimits, buf: bytes) -> None:
        """Go on with `buf`, the first octets of the file."""
        self.source = source
        self.sink = sink
        self.packet_size: i64 = limits.packet_size
        self.buf = buf
        self.pos: i64 = 0
        #: Octets that must be there before anything more can be read, from `pos`.
        self.needed: i64 = 0
        #: Whether `buf` has octets that were not looked at.
        self.fresh = True

    @abstractmethod
    def pump(self) -> bool:
        """Read on and pass on the packets at hand; False at the end; CaptureError where the file is damaged."""

    def fill(self) -> bool:
        """Read on until `needed` octets are at hand; False at a clean end; CaptureError if the file is cut off."""
        if self.fresh:
            self.fresh = False
            return True
        parts = [self.buf[self.pos :]]
        size: i64 = len(parts[0])
        self.buf = parts[0]
        self.pos = 0
        while True:
            chunk = self.source.read()
            if not chunk:
                if size > 0:
                    raise self.error(f"cut off: {size} octets at the end, expected at least {self.needed} there")
                return False
            parts.append(chunk)
            size += len(chunk)
            if size >= self.needed:
                break
        self.buf = b"".join(parts)
        return True

    def error(self, reason: str) -> CaptureError:
        """Make the error that names this file."""
        return CaptureError(self.source.name, reason)


class PcapFile(CaptureFile):
    """Classic pcap."""

    def __init__(self, source: Source, sink: PacketSink, limits: CaptureLimits, buf: bytes) -> None:
        """Read the file header; CaptureError if its version is unknown."""
        super().__init__(source, sink, limits, buf)
        self.little = buf[0] != 0xA1
        if len(buf) < dpkt.pcap.FileHdr.__hdr_len__:
            self.needed = dpkt.pcap.FileHdr.__hdr_len__
            self.fresh = False
            self.fill()
            self.fresh = True
        header = (dpkt.pcap.LEFileHdr if self.little else dpkt.pcap.FileHdr)(self.buf[: dpkt.pcap.FileHdr.__hdr_len__])
        self.pos = dpkt.pcap.FileHdr.__hdr_len__
        if header.v_major != 2:
            raise self.error(f"pcap version {header.v_major}.{header.v_minor}, expected 2.4")
        # Up to 2.2 the two lengths stood the other way round, and 2.3 had writers of both kinds (libpcap's sf-pcap.c).
        self.swapped = bool(header.v_minor <= 3)
        self.always_swapped = bool(header.v_minor < 3)
        # Bits 26-31 tell the length of the frame check sequence.
        self.link: i64 = header.linktype & 0x03FFFFFF
        self.unit: i64 = 1 if header.magic == NANO_MAGIC else 1000
        self.header_size: i64 = 24 if header.magic == MODIFIED_MAGIC else 16
        self.needed = self.header_size

    def pump(self) -> bool:
        """Read on and pass on the records at hand; False at the end; CaptureError where the file is damaged."""
        if not self.fill():
            return False
        buf = self.buf
        size: i64 = len(buf)
        pos: i64 = self.pos
        header_size: i64 = self.header_size
        unit: i64 = self.unit
        link: i64 = self.link
        limit: i64 = self.packet_size
        little = self.little
        sink = self.sink
        self.needed = header_size
        while size - pos >= header_size:
            if little:
                word: i64 = read_i64_le(buf, pos)
                seconds: i64 = word & _U32
                fraction: i64 = (word >> 32) & _U32
                word = read_i64_le(buf, pos + 8)
                captured: i64 = word & _U32
                wire: i64 = (word >> 32) & _U32
            else:
                word = read_i64_be(buf, pos)
                seconds = (word >> 32) & _U32
                fraction = word & _U32
                word = read_i64_be(buf, pos + 8)
                captured = (word >> 32) & _U32
                wire = word & _U32
            if self.swapped and (self.always_swapped or captured > wire):
                captured, wire = wire, captured
            if captured > limit:
                self.pos = pos
                raise self.error(f"a packet of {captured} octets, expected {limit} at most: the file is damaged")
            end: i64 = pos + header_size + captured
            if end > size:
                self.needed = header_size + captured
                break
            sink.packet(buf, pos + header_size, end, wire, seconds * 1_000_000_000 + fraction * unit, link)
            pos = end
        self.pos = pos
        return True


class Interface:
    """What an Interface Description Block says that is needed here."""

    def __init__(self, link: int, snap_size: int, digits: int, offset: int) -> None:
        """Take the link type, the snap length (0: none), if_tsresol as it stands in the file, if_tsoffset in s."""
        self.link: i64 = link
        self.snap_size: i64 = snap_size
        self.units = 1 << (digits & 0x7F) if digits & 0x80 else 10**digits
        #: ns in a unit of time, 0 where that is not a whole number.
        self.unit: i64 = 1_000_000_000 // self.units if 1_000_000_000 % self.units == 0 else 0
        self.offset: i64 = offset * 1_000_000_000

    def time(self, high: i64, low: i64) -> i64:
        """Turn a timestamp in the interface's units into ns since 1970, 0 if that is beyond 64 bits."""
        if self.unit > 0 and high < (1 << 31) // self.unit:
            return ((high << 32) | low) * self.unit + self.offset
        return exact_time((int(high) << 32) | int(low), self.units, int(self.offset))


def exact_time(ticks: int, units: int, offset: int) -> int:
    """Turn any number of ticks, `units` a second, into ns after `offset` ns; 0 if that is beyond 64 bits."""
    # Unbounded integers throughout: compiled, one i64 among the operands would make all of them i64.
    time = ticks * 1_000_000_000 // units + offset
    return time if -0x8000000000000000 <= time <= 0x7FFFFFFFFFFFFFFF else 0


class PcapngFile(CaptureFile):
    """pcapng."""

    def __init__(self, source: Source, sink: PacketSink, limits: CaptureLimits, buf: bytes) -> None:
        """Start before the first section header."""
        super().__init__(source, sink, limits, buf)
        self.little = True
        self.interfaces: list[Interface] = []
        self.time: i64 = 0
        #: Octets of an uninteresting block that are still to come.
        self.skipping: i64 = 0
        self.needed = 12

    def pump(self) -> bool:
        """Read on and pass on the blocks at hand; False at the end; CaptureError where the file is damaged."""
        if not (self.skip() if self.skipping > 0 else self.fill()):
            return False
        buf = self.buf
        size: i64 = len(buf)
        pos: i64 = self.pos
        little = self.little
        self.needed = 12
        while size - pos >= 12:
            if little:
                word: i64 = read_i64_le(buf, pos)
                kind: i64 = word & _U32
                total: i64 = (word >> 32) & _U32
            else:
                word = read_i64_be(buf, pos)
                kind = (word >> 32) & _U32
                total = word & _U32
            if kind == SECTION_BLOCK:
                self.pos = pos
                total = self.section(buf, pos)
                little = self.little
            if total < 12 or total & 3:
                self.pos = pos
                raise self.error(f"a block of {total} octets, expected at least 12 and a multiple of 4")
            if kind == ENHANCED_PACKET_BLOCK or kind == SIMPLE_PACKET_BLOCK or kind == OBSOLETE_PACKET_BLOCK:
                if total > self.packet_size + 65_536:
                    self.pos = pos
                    raise self.error(f"a packet block of {total} octets: the file is damaged")
            elif kind == SECTION_BLOCK or kind == INTERFACE_BLOCK:
                if total > HEADER_BLOCK_SIZE:
                    self.pos = pos
                    raise self.error(f"a header block of {total} octets: the file is damaged")
            elif total > size - pos:
                self.pos = size
                self.skipping = total - (size - pos)
                return True
            if total > size - pos:
                self.needed = total
                break
            self.pos = pos
            self.check_trailer(buf, pos, total)
            if kind == ENHANCED_PACKET_BLOCK:
                self.packet(buf, pos, total, False)
            elif kind == INTERFACE_BLOCK:
                self.interface(buf, pos, total)
            elif kind == SIMPLE_PACKET_BLOCK:
                self.simple_packet(buf, pos, total)
            elif kind == OBSOLETE_PACKET_BLOCK:
                self.packet(buf, pos, total, True)
            pos += total
        self.pos = pos
        return True

    def skip(self) -> bool:
        """Read past a block without keeping it; CaptureError if the file ends inside."""
        while True:
            chunk = self.source.read()
            if not chunk:
                self.buf = b""
                self.pos = 0
                raise self.error(f"cut off in the middle of a block: {self.skipping} octets missing")
            if len(chunk) >= self.skipping:
                self.buf = chunk
                self.pos = self.skipping
                self.skipping = 0
                return True
            self.skipping -= len(chunk)

    def word(self, buf: bytes, pos: i64) -> i64:
        """Read a u32 in the section's byte order."""
        if self.little:
            return (buf[pos + 3] << 24) | (buf[pos + 2] << 16) | (buf[pos + 1] << 8) | buf[pos]
        return (buf[pos] << 24) | (buf[pos + 1] << 16) | (buf[pos + 2] << 8) | buf[pos + 3]

    def check_trailer(self, buf: bytes, pos: i64, total: i64) -> None:
        """Check the block's length against its copy at the block's end."""
        trailer: i64 = self.word(buf, pos + total - 4)
        if trailer != total:
            raise self.error(f"a block of {total} octets that ends with the length {trailer}: the file is damaged")

    def section(self, buf: bytes, pos: i64) -> i64:
        """Enter a section at its first 12 octets; return the size of its header block, 28 where it stays incomplete."""
        order = buf[pos + 8 : pos + 12]
        if order == b"\x4d\x3c\x2b\x1a":
            self.little = True
        elif order == b"\x1a\x2b\x3c\x4d":
            self.little = False
        else:
            raise self.error(f"byte-order magic {order.hex()}, expected 1a2b3c4d in either order")
        total: i64 = self.word(buf, pos + 4)
        block = dpkt.pcapng.SectionHeaderBlockLE if self.little else dpkt.pcapng.SectionHeaderBlock
        if total < block.__hdr_len__:
            raise self.error(f"a section header of {total} octets, expected 28 at least")
        if len(buf) - pos >= block.__hdr_len__:
            header = block()
            header.unpack_hdr(buf[pos : pos + block.__hdr_len__])
            if header.v_major != 1:
                raise self.error(f"pcapng version {header.v_major}.{header.v_minor}, expected 1.0")
            self.interfaces = []
        return total

    def interface(self, buf: bytes, pos: i64, total: i64) -> None:
        """Take an interface of this section."""
        block = dpkt.pcapng.InterfaceDescriptionBlockLE if self.little else dpkt.pcapng.InterfaceDescriptionBlock
        if total < block.__hdr_len__:
            raise self.error(f"an interface block of {total} octets, expected 20 at least")
        header = block()
        header.unpack_hdr(buf[pos : pos + block.__hdr_len__])
        digits = 6
        offset = 0
        order = "<" if self.little else ">"
        at: i64 = pos + 16
        end: i64 = pos + total - 4
        # Not dpkt's options: those refuse the whole block for a comment that is not UTF-8.
        while end - at >= 4:
            code, size = unpack_from(order + "HH", buf, at)
            at += 4
            if code == OPTION_END or size > end - at:
                break
            if code == OPTION_TSRESOL and size >= 1:
                digits = buf[at]
            elif code == OPTION_TSOFFSET and size >= 8:
                (offset,) = unpack_from(order + "q", buf, at)
            at += (size + 3) & ~3
        if abs(offset) >= 1 << 33:
            offset = 0
        self.interfaces.append(Interface(header.linktype, header.snaplen, digits, offset))

    def packet(self, buf: bytes, pos: i64, total: i64, obsolete: bool) -> None:
        """Pass on an Enhanced or an obsolete Packet Block: interface · high · low · captured · original · data."""
        if total < 32:
            raise self.error(f"a packet block of {total} octets, expected 32 at least")
        index: i64 = self.word(buf, pos + 8)
        if obsolete:  # interface u16 · drops u16
            index = index & 0xFFFF if self.little else index >> 16
        if index >= len(self.interfaces):
            raise self.error(f"a packet of interface {index}, but the section has {len(self.interfaces)} so far")
        captured: i64 = self.word(buf, pos + 20)
        if captured > total - 32:
            raise self.error(f"a packet of {captured} octets in a block of {total}: the file is damaged")
        interface = self.interfaces[index]
        self.time = interface.time(self.word(buf, pos + 12), self.word(buf, pos + 16))
        wire: i64 = self.word(buf, pos + 24)
        self.sink.packet(buf, pos + 28, pos + 28 + captured, wire, self.time, interface.link)

    def simple_packet(self, buf: bytes, pos: i64, total: i64) -> None:
        """Pass on a Simple Packet Block, which belongs to the section's first interface: original · data."""
        if total < 16:
            raise self.error(f"a packet block of {total} octets, expected 16 at least")
        if not self.interfaces:
            raise self.error("a packet of interface 0, but the section has 0 so far")
        interface = self.interfaces[0]
        wire: i64 = self.word(buf, pos + 8)
        captured: i64 = wire
        if interface.snap_size > 0 and captured > interface.snap_size:
            captured = interface.snap_size
        if captured > total - 16:
            captured = total - 16
        self.sink.packet(buf, pos + 12, pos + 12 + captured, wire, self.time, interface.link)


def open_capture(source: Source, sink: PacketSink, limits: CaptureLimits) -> CaptureFile:
    """Tell the format by its first four octets; CaptureError if it is neither pcap nor pcapng."""
    buf = source.read()
    while buf and len(buf) < 4:
        more = source.read()
        if not more:
            break
        buf += more
    if not buf:
        raise CaptureError(source.name, "the file is empty")
    magic = buf[:4]
    if int.from_bytes(magic, "big") == SECTION_BLOCK and len(magic) == 4:
        return PcapngFile(source, sink, limits, buf)
    if int.from_bytes(magic, "big") in (MICRO_MAGIC, NANO_MAGIC, MODIFIED_MAGIC):
        return PcapFile(source, sink, limits, buf)
    if int.from_bytes(magic, "little") in (MICRO_MAGIC, NANO_MAGIC, MODIFIED_MAGIC):
        return PcapFile(source, sink, limits, buf)
    raise CaptureError(source.name, f"not a pcap or pcapng file: it starts with {magic.hex()}")
