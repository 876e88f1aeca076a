"""File formats, link layers and IP headers: every one yields the same connection."""

import gzip
import io
import os
import struct
import subprocess
import sys
from time import process_time

import pytest

from capture_packets import (
    ACK,
    CLIENT,
    CLIENT6,
    SECOND,
    SERVER,
    SERVER6,
    START,
    SYN,
    Dialogue,
    Pipe,
    block,
    connections,
    enhanced,
    ethernet,
    interface,
    ipv4,
    ipv6,
    names,
    option,
    pcap,
    read,
    reader,
    section,
    streams,
    tcp,
    timed,
)
from l7codecs.capture import CaptureError, CaptureLimits, Segment, read_streams
from l7codecs.capture.fragments import Fragments
from l7codecs.capture.limits import CaptureStatistics
from l7codecs.message import Sender
from l7codecs.testing import growth

REQUEST, ANSWER = b"GET key\r\n", b"$5\r\nvalue\r\n"
EXPECTED = {(1, Sender.CLIENT): [REQUEST], (1, Sender.SERVER): [ANSWER]}
TALK = Dialogue().handshake().send(Sender.CLIENT, REQUEST).send(Sender.SERVER, ANSWER).close().packets
TALK6 = Dialogue(CLIENT6, SERVER6).handshake().send(Sender.CLIENT, REQUEST).send(Sender.SERVER, ANSWER).close().packets
FRAMES = [(time, ethernet(packet)) for time, packet in timed(TALK)]
KINDS = ["Opened", "Segment", "Segment", "Ended", "Ended", "Closed"]


def check(octets: bytes, flow="10.0.0.1:40000>10.0.0.2:6379") -> list:
    events = read(octets)
    assert streams(events) == EXPECTED
    assert names(events) == KINDS
    assert [connection.flow for connection in connections(events)] == [flow]
    assert not connections(events)[0].midstream
    return events


def collect(octets: bytes, events: list) -> None:
    """Append events until an error comes; `extend` would do the same, but is not bound to."""
    for event in read_streams(io.BytesIO(octets)):
        events.append(event)


class TestPcap:
    @pytest.mark.parametrize("order", ["<", ">"])
    @pytest.mark.parametrize("magic", [0xA1B2C3D4, 0xA1B23C4D, 0xA1B2CD34])
    def test_magic(self, order, magic):
        frames = [(time + 123_456_789, frame) for time, frame in FRAMES]
        events = check(pcap(frames, order=order, magic=magic))
        times = [event.time for event in events if isinstance(event, Segment)]
        unit = 1 if magic == 0xA1B23C4D else 1000
        assert times == [frames[3][0] // unit * unit, frames[4][0] // unit * unit]

    @pytest.mark.parametrize(("minor", "swap"), [(2, True), (3, True), (3, False)])
    def test_old_versions_swap_the_lengths(self, minor, swap):
        out = bytearray(pcap([], minor=minor))
        for time, frame in FRAMES:
            padded = frame + b"pad"
            sizes = (len(padded), len(frame)) if swap else (len(frame), len(padded))
            out += struct.pack("<IIII", time // SECOND, 0, *sizes) + frame
        check(bytes(out))

    def test_fcs_bits_in_the_link_type(self):
        check(pcap([(time, frame + b"FCS!") for time, frame in FRAMES], link=0x54000001))

    def test_version(self):
        with pytest.raises(CaptureError, match=r"pcap version 3\.4, expected 2\.4"):
            read(struct.pack("<IHHiIII", 0xA1B2C3D4, 3, 4, 0, 0, 65535, 1))

    def test_every_cut_delivers_what_stands_before(self):
        octets = pcap(FRAMES)
        ends = [24]
        for _, frame in FRAMES:
            ends.append(ends[-1] + 16 + len(frame))
        whole = streams(read(octets))
        for cut in range(1, len(octets)):
            events = []
            if cut in ends:
                events = read(octets[:cut])
            else:
                with pytest.raises(CaptureError):
                    collect(octets[:cut], events)
            complete = sum(end <= cut for end in ends) - 1
            assert (Sender.CLIENT in {key[1] for key in streams(events)}) == (complete >= 4)
            for key, stream in streams(events).items():
                assert stream == whole[key]

    def test_absurd_record(self):
        octets = pcap(FRAMES) + struct.pack("<IIII", 0, 0, 0x7FFFFFFF, 0x7FFFFFFF)
        events = []
        with pytest.raises(CaptureError, match="2147483647 octets"):
            collect(octets, events)
        assert streams(events) == EXPECTED

    def test_record_larger_than_a_chunk(self):
        big = (START, b"\0" * 3_000_000)
        check(pcap([big, *FRAMES, big]))


class TestPcapng:
    @pytest.mark.parametrize("order", ["<", ">"])
    def test_enhanced(self, order):
        blocks = [enhanced(time // 1000, frame, order=order) for time, frame in FRAMES]
        events = check(section(order) + interface(order=order) + b"".join(blocks))
        assert events[0].time == FRAMES[3][0]

    @pytest.mark.parametrize("order", ["<", ">"])
    def test_obsolete_packet_block(self, order):
        out = section(order) + interface(link=101, order=order) + interface(order=order)
        for time, frame in FRAMES:
            ticks = time // 1000
            head = struct.pack(order + "HHIIII", 1, 77, ticks >> 32, ticks & 0xFFFFFFFF, len(frame), len(frame))
            out += block(2, head + frame, order)
        assert check(out)[0].time == FRAMES[3][0]

    @pytest.mark.parametrize("order", ["<", ">"])
    @pytest.mark.parametrize("snap", [0, 65535])
    def test_simple_packet_block(self, order, snap):
        out = section(order) + interface(snap=snap, order=order)
        for _, frame in FRAMES:
            out += block(3, struct.pack(order + "I", len(frame)) + frame, order)
        check(out)

    def test_simple_packet_block_is_cut_at_the_snap_length(self):
        request = ethernet(Dialogue().send(Sender.CLIENT, b"0123456789").packets[0])
        out = section() + interface(snap=59) + block(3, struct.pack("<I", len(request)) + request[:59])
        assert streams(read(out)) == {(1, Sender.CLIENT): [b"01234", 5]}

    def test_sections_and_interfaces(self):
        """Each section has its byte order, each interface its link type, resolution and offset."""
        first, second, third = FRAMES[:3], list(timed(TALK))[3:4], FRAMES[4:]
        out = section("<") + interface() + interface(link=101)
        out += b"".join(enhanced(time // 1000, frame) for time, frame in first)
        nano = option(9, b"\x09") + option(14, struct.pack("<q", 1_000_000_000)) + option(0, b"")
        out += interface(link=101, options=option(1, b"not \xff UTF-8") + nano)
        out += block(5, b"statistics") + block(0x80000001, b"x" * 700_001)
        out += b"".join(enhanced(time - 10**18, packet, index=2, options=option(1, b"c")) for time, packet in second)
        out += section(">") + interface(order=">", options=option(9, b"\x03", ">"))
        out += b"".join(enhanced(time // 1_000_000, frame, order=">") for time, frame in third)
        assert [event.time for event in check(out)][:3] == [FRAMES[3][0], FRAMES[3][0], FRAMES[4][0]]

    @pytest.mark.parametrize(
        ("digits", "ticks", "expected"),
        [
            (0, 1_700_000_000, START),
            (3, 1_700_000_000_001, START + 1_000_000),
            (6, 1_700_000_000_000_001, START + 1000),
            (9, START + 1, START + 1),
            (12, 5 * 10**12 + 1999, 5 * SECOND + 1),
            (0x80, 1_700_000_000, START),
            (0x80 | 20, 1_700_000_000 << 20 | 1 << 19, START + SECOND // 2),
            (0x80 | 32, 1_700_000_000 << 32 | 1 << 31, START + SECOND // 2),
            (127, 5, 0),
            (0, 0xFFFFFFFFFFFFFFFF, 0),
        ],
    )
    def test_resolution(self, digits, ticks, expected):
        frame = Dialogue().send(Sender.CLIENT, b"x").packets[0]
        out = section() + interface(link=101, options=option(9, bytes([digits]))) + enhanced(ticks, frame)
        assert read(out)[0].time == expected

    @pytest.mark.parametrize(
        ("tail", "reason"),
        [
            (block(6, bytes(20))[:-4] + b"\0\0\0\x99", "ends with the length"),
            (block(6, bytes(16)), "expected 32 at least"),
            (enhanced(0, b"", index=7), "interface 7, but the section has 1"),
            (block(6, struct.pack("<IIIII", 0, 0, 0, 999, 999)), "999 octets in a block of 32"),
            (struct.pack("<III", 6, 13, 0), "13 octets"),
            (struct.pack("<III", 99, 8, 0), "8 octets"),
            (struct.pack("<III", 6, 0xFFFFFFF0, 0), "damaged"),
            (struct.pack("<III", 77, 400, 0), "388 octets missing"),
            (struct.pack("<II", 6, 400), "cut off"),
            (struct.pack("<III", 0x0A0D0D0A, 28, 0x11111111), "byte-order magic"),
            (block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 2, 0, -1)), "pcapng version 2.0"),
        ],
    )
    def test_damage(self, tail, reason):
        octets = section() + interface() + b"".join(enhanced(time // 1000, frame) for time, frame in FRAMES) + tail
        events = []
        with pytest.raises(CaptureError, match=reason) as caught:
            collect(octets, events)
        assert streams(events) == EXPECTED
        assert "\n" not in str(caught.value)

    def test_packet_before_any_interface(self):
        for packet in (enhanced(0, b""), block(3, struct.pack("<I", 0))):
            with pytest.raises(CaptureError, match="interface 0, but the section has 0"):
                read(section() + packet)


FILES = {
    "pcap": pcap(FRAMES),
    "pcapng": section() + interface() + b"".join(enhanced(time // 1000, frame) for time, frame in FRAMES),
}


class TestSource:
    @pytest.mark.parametrize("name", FILES)
    @pytest.mark.parametrize("size", [1, 7, 100_000])
    def test_pipe(self, name, size):
        for octets in (FILES[name], gzip.compress(FILES[name])):
            events = list(read_streams(Pipe(octets, size)))
            assert streams(events) == EXPECTED

    @pytest.mark.parametrize("name", FILES)
    def test_gzip_members(self, name):
        octets = FILES[name]
        check(gzip.compress(octets[:50]) + gzip.compress(octets[50:]))

    @pytest.mark.parametrize("name", FILES)
    def test_standard_input(self, name):
        program = (
            "from l7codecs.capture import read_streams, Segment\n"
            "print([e.data for e in read_streams('-') if isinstance(e, Segment)])"
        )
        for octets in (FILES[name], gzip.compress(FILES[name])):
            done = subprocess.run([sys.executable, "-c", program], input=octets, capture_output=True, check=True)
            assert done.stdout.decode().strip() == repr([REQUEST, ANSWER])

    def test_live_pipe_is_not_held_back(self):
        """What is in the pipe is delivered before its writer goes on."""
        readable, writable = os.pipe()
        with open(readable, "rb") as inner, open(writable, "wb", buffering=0) as outer:
            octets = pcap(FRAMES)
            cut = len(pcap(FRAMES[:4]))
            outer.write(octets[:cut])
            events = iter(read_streams(inner))
            assert [type(next(events)).__name__ for _ in range(2)] == ["Opened", "Segment"]
            outer.write(octets[cut:])
            outer.close()
            assert names(events) == KINDS[2:]

    def test_gzip_cut(self):
        octets = gzip.compress(pcap(FRAMES))
        with pytest.raises(CaptureError, match="gzip data ends early"):
            read(octets[:-20])

    def test_gzip_damaged(self):
        octets = bytearray(gzip.compress(pcap(FRAMES)))
        octets[60] ^= 0xFF
        with pytest.raises(CaptureError, match="gzip"):
            read(bytes(octets))

    @pytest.mark.parametrize(
        ("octets", "reason"),
        [
            (b"", "the file is empty"),
            (b"\xd4\xc3\xb2", "not a pcap or pcapng file"),
            (b"\xd4\xc3\xb2\xa1", "cut off"),
            (b"GIF89a", "not a pcap or pcapng file: it starts with 47494638"),
            (b"\x0a\x0d\x0d\x0a", "cut off"),
        ],
    )
    def test_not_a_capture(self, octets, reason):
        with pytest.raises(CaptureError, match=reason):
            read(octets)

    def test_paths(self, tmp_path):
        path = tmp_path / "x.pcap.gz"
        octets = gzip.compress(pcap(FRAMES))
        path.write_bytes(octets)
        with read_streams(path) as opened:
            assert opened.total_size == len(octets)
            assert streams(opened) == EXPECTED
            assert opened.octets_read == len(octets)
        with pytest.raises(CaptureError) as caught:
            read_streams(tmp_path / "absent")
        assert caught.value.path == str(tmp_path / "absent")
        assert str(caught.value) == f"{tmp_path / 'absent'}: No such file or directory"
        with pytest.raises(CaptureError, match="directory"):
            read_streams(str(tmp_path))

    def test_pipe_has_no_size(self):
        assert read_streams(Pipe(pcap([]))).total_size is None


def cooked(packet, version, tags=()):
    kind = 0x86DD if packet[0] >> 4 == 6 else 0x0800
    inner = b""
    for tag in reversed(tags):
        inner = struct.pack(">HH", 5, kind) + inner
        kind = tag
    if version == 1:
        return struct.pack(">HHH8sH", 0, 1, 6, b"\2\0\0\0\0\1\0\0", kind) + inner + packet
    return struct.pack(">HHIHBB8s", kind, 0, 1, 1, 0, 6, b"\2\0\0\0\0\1\0\0") + inner + packet


def family(packet, order, ipv6_family):
    return struct.pack(order + "I", ipv6_family if packet[0] >> 4 == 6 else 2) + packet


LINKS = {
    "ethernet": (1, ethernet),
    "vlan": (1, lambda packet: ethernet(packet, [0x8100])),
    "qinq": (1, lambda packet: ethernet(packet, [0x88A8, 0x8100])),
    "old qinq": (1, lambda packet: ethernet(packet, [0x9100, 0x9200, 0x8100])),
    "cooked": (113, lambda packet: cooked(packet, 1)),
    "cooked vlan": (113, lambda packet: cooked(packet, 1, [0x8100])),
    "cooked v2": (276, lambda packet: cooked(packet, 2)),
    "cooked v2 vlan": (276, lambda packet: cooked(packet, 2, [0x88A8, 0x8100])),
    "null little": (0, lambda packet: family(packet, "<", 24)),
    "null Linux": (0, lambda packet: family(packet, "<", 10)),
    "null big": (0, lambda packet: family(packet, ">", 30)),
    "loop": (108, lambda packet: family(packet, ">", 24)),
    "loop little": (108, lambda packet: family(packet, "<", 28)),
    "raw": (101, bytes),
    "raw BSD": (12, bytes),
    "raw OpenBSD": (14, bytes),
    "ppp": (9, lambda packet: b"\xff\x03" + (b"\0\x57" if packet[0] >> 4 == 6 else b"\0\x21") + packet),
    "snap": (
        1,
        lambda packet: (
            b"\x02\0\0\0\0\x02\x02\0\0\0\0\x01"
            + struct.pack(">H", len(packet) + 8)
            + b"\xaa\xaa\x03\0\0\0"
            + (b"\x86\xdd" if packet[0] >> 4 == 6 else b"\x08\x00")
            + packet
        ),
    ),
    "mpls": (1, lambda packet: b"\x02\0\0\0\0\x02\x02\0\0\0\0\x01\x88\x47\0\1\0\x40\0\2\1\x40" + packet),
    "pppoe": (
        1,
        lambda packet: (
            b"\x02\0\0\0\0\x02\x02\0\0\0\0\x01\x88\x64\x11\0\0\x01"
            + struct.pack(">H", len(packet) + 2)
            + (b"\0\x57" if packet[0] >> 4 == 6 else b"\0\x21")
            + packet
        ),
    ),
}


class TestLinks:
    @pytest.mark.parametrize("name", LINKS)
    def test_ipv4(self, name):
        link, wrap = LINKS[name]
        check(pcap(((time, wrap(packet)) for time, packet in timed(TALK)), link=link))

    @pytest.mark.parametrize("name", LINKS)
    def test_ipv6(self, name):
        link, wrap = LINKS[name]
        octets = pcap(((time, wrap(packet)) for time, packet in timed(TALK6)), link=link)
        check(octets, "[2001:db8::1]:40000>[2001:db8::2]:6379")

    def test_link_types_of_one_ip_version(self):
        check(pcap(timed(TALK), link=228))
        check(pcap(timed(TALK6), link=229), "[2001:db8::1]:40000>[2001:db8::2]:6379")

    @pytest.mark.parametrize("name", LINKS)
    def test_padding_is_not_data(self, name):
        link, wrap = LINKS[name]
        check(pcap(((time, wrap(packet) + b"PADDING") for time, packet in timed(TALK)), link=link))

    @pytest.mark.parametrize("name", LINKS)
    def test_every_snap_length(self, name):
        """What is cut off becomes a hole; where no header is left, the packet is counted."""
        link, wrap = LINKS[name]
        frame = wrap(Dialogue().send(Sender.CLIENT, b"0123456789").packets[0])
        for size in range(len(frame) + 1):
            opened = reader(pcap([(START, frame[:size], len(frame))], link=link))
            found = streams(opened)
            left = size - (len(frame) - 10)
            if left < 0:
                assert found == {}
                assert opened.statistics.malformed + opened.statistics.not_ip == 1
            elif left == 0:
                assert found == {(1, Sender.CLIENT): [10]}
            elif left < 10:
                assert found == {(1, Sender.CLIENT): [b"0123456789"[:left], 10 - left]}
            else:
                assert found == {(1, Sender.CLIENT): [b"0123456789"]}

    def test_other_traffic_is_counted(self):
        arp = b"\xff" * 6 + b"\x02\0\0\0\0\x01\x08\x06" + bytes(28)
        udp = ethernet(ipv4(CLIENT, SERVER, bytes(8), protocol=17))
        opened = reader(pcap([(START, arp), (START, udp), (START, b"short"), *FRAMES]))
        assert streams(opened) == EXPECTED
        assert (opened.statistics.not_ip, opened.statistics.not_tcp, opened.statistics.malformed) == (1, 1, 1)
        assert opened.statistics.packets == len(FRAMES) + 3
        opened = reader(pcap(FRAMES, link=147))
        assert list(opened) == []
        assert opened.statistics.unknown_links == {147: len(FRAMES)}


def fragments4(packet: bytes, size: int, source=CLIENT, destination=SERVER) -> list[bytes]:
    payload = packet[20:]
    out = []
    for at in range(0, len(payload), size):
        more = 0x2000 if at + size < len(payload) else 0
        out.append(ipv4(source, destination, payload[at : at + size], ident=99, fragment=more | at // 8))
    return out


def fragments6(packet: bytes, size: int) -> list[bytes]:
    payload = packet[40:]
    out = []
    for at in range(0, len(payload), size):
        more = int(at + size < len(payload))
        head = struct.pack(">BBHI", 6, 0, at | more, 99)
        out.append(ipv6(CLIENT6, SERVER6, head + payload[at : at + size], following=44))
    return out


class TestIp:
    def test_ipv4_options(self):
        segment = TALK[3][20:]
        packet = ipv4(CLIENT, SERVER, segment, options=b"\x94\x04\0\0" * 10)
        assert streams(read(pcap(timed([packet]), link=101))) == {(1, Sender.CLIENT): [REQUEST]}

    def test_tcp_options(self):
        packet = Dialogue().at(Sender.CLIENT, 0, b"x", options=b"\1" * 40)
        assert streams(read(pcap(timed([packet]), link=101))) == {(1, Sender.CLIENT): [b"x"]}

    def test_ipv6_extension_headers(self):
        segment = TALK6[3][40:]
        chain = struct.pack(">BB6x", 43, 0) + struct.pack(">BB14x", 60, 1) + struct.pack(">BB6x", 51, 0)
        chain += struct.pack(">BB22x", 6, 4)  # AH counts in 4 octets: (4 + 2) * 4
        packet = ipv6(CLIENT6, SERVER6, chain + segment, following=0)
        assert streams(read(pcap(timed([packet]), link=101))) == {(1, Sender.CLIENT): [REQUEST]}

    def test_length_zero_is_taken_from_the_frame(self):
        """As the kernel hands over what the network card is to cut up."""
        for packet in (ipv4(CLIENT, SERVER, TALK[3][20:], total=0), ipv6(CLIENT6, SERVER6, TALK6[3][40:], size=0)):
            assert streams(read(pcap(timed([packet]), link=101))) == {(1, Sender.CLIENT): [REQUEST]}

    @pytest.mark.parametrize("turn", [1, -1])
    def test_fragments(self, turn):
        for packets in (fragments4(TALK[3], 8), fragments6(TALK6[3], 8)):
            opened = reader(pcap(timed(packets[::turn]), link=101))
            assert streams(opened) == {(1, Sender.CLIENT): [REQUEST]}
            assert (opened.statistics.fragments, opened.statistics.fragments_skipped) == (len(packets), 0)

    @pytest.mark.parametrize("hole", [False, True])
    def test_time_of_fragments_is_linear(self, hole):
        """A datagram of the largest size in pieces of 8 octets; with a hole at its start it never becomes whole."""

        def seconds(count: int) -> float:
            fragments = Fragments(CaptureLimits(), CaptureStatistics())
            order = [count - 1, *range(hole, count - 1)]
            started = process_time()
            found = [fragments.add(b"key", 8 * at, at < count - 1, b"\x01" * 8, 0) for at in order]
            taken = process_time() - started
            assert (found[-1] is None) is hole
            return taken

        assert growth(seconds, 1000, 8000, 24) <= 24

    def test_overlapping_fragments(self):
        payload = TALK[3][20:]
        packets = [
            ipv4(CLIENT, SERVER, payload[:16], ident=9, fragment=0x2000),
            ipv4(CLIENT, SERVER, b"wrong!!!" + payload[16:], ident=9, fragment=1),
        ]
        assert streams(read(pcap(timed(packets), link=101))) == {(1, Sender.CLIENT): [REQUEST]}

    def test_missing_fragment_is_counted(self):
        packets = fragments4(TALK[3], 8)
        opened = reader(pcap(timed(packets[:1] + packets[2:]), link=101))
        assert list(opened) == []
        assert opened.statistics.fragments_skipped == len(packets) - 1

    def test_fragments_are_bounded(self):
        packets = [ipv4(CLIENT, SERVER, bytes(8), ident=n, fragment=0x2000) for n in range(100)]
        opened = reader(pcap(timed(packets), link=101), limits=CaptureLimits(datagram_count=10))
        assert list(opened) == []
        assert opened.statistics.fragments_skipped == 100

    def test_nonsense_is_counted(self):
        good = TALK[3]
        bad = [
            b"",
            b"\x45",
            b"\x95" + good[1:],  # version
            b"\x44" + good[1:],  # header of 16 octets
            good[:32] + b"\x40" + good[33:],  # TCP header of 16 octets
            good[:32] + b"\xf0" + good[33:],  # TCP header beyond the packet
            ipv4(CLIENT, SERVER, b"x" * 19),
            ipv6(CLIENT6, SERVER6, b"\x06", following=0),
            TALK6[3][:39],
        ]
        opened = reader(pcap(timed(bad), link=101))
        assert list(opened) == []
        assert opened.statistics.malformed == len(bad)

    def test_random_damage_raises_nothing(self):
        """Every octet of a frame in turn takes values that break it."""
        for name in LINKS:
            link, wrap = LINKS[name]
            for packet in (TALK[3], TALK6[3]):
                frame = wrap(packet)
                frames = []
                for at in range(len(frame)):
                    for value in (0, 1, 0x2C, 0x33, 0x45, 0x60, 0x7F, 0x81, 0xFF):
                        frames.append(frame[:at] + bytes([value]) + frame[at + 1 :])
                        frames.append(frames[-1][: at + 1])
                read(pcap(timed(frames), link=link))

    def test_port_hint(self):
        packet = tcp(("10.0.0.1", 50), ("10.0.0.2", 6379), 1, 1, ACK, b"x")
        octets = pcap(timed([ipv4(CLIENT, SERVER, packet)]), link=101)
        assert connections(read(octets))[0].server == ("10.0.0.1", 50)
        assert connections(read(octets, server_ports={6379}))[0].server == ("10.0.0.2", 6379)
        assert connections(read(octets, server_ports=[6379]))[0].midstream
        syn = ipv4(CLIENT, SERVER, tcp(("10.0.0.1", 50), ("10.0.0.2", 6379), 1, 0, SYN, b"x"))
        assert connections(read(pcap(timed([syn]), link=101)))[0].server == ("10.0.0.2", 6379)
