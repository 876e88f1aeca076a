"""The same captures through tshark: our files are valid, and both reassemble the same octets."""

import gzip
import os
import random
import shutil
import subprocess
from pathlib import Path

import pytest

from capture_packets import ACK, FIN, Dialogue, enhanced, ethernet, interface, option, pcap, section, streams, timed
from l7codecs.capture import CaptureError, CaptureWriter, Hole, read_streams
from l7codecs.message import Sender
from test_capture_files import FRAMES, LINKS, TALK, TALK6

C, S = Sender.CLIENT, Sender.SERVER

TSHARK = shutil.which("tshark")
REQUIRED = os.environ.get("L7CODECS_INTEROP") == "1"
CAPTURES = os.environ.get("L7CODECS_CAPTURES")


@pytest.fixture
def tshark():
    if TSHARK is None:
        if REQUIRED:
            pytest.fail("tshark is not installed")
        pytest.skip("tshark is not installed")

    def run(path, *arguments: str) -> list[str]:
        done = subprocess.run([TSHARK, "-n", "-r", str(path), *arguments], capture_output=True, text=True, check=True)
        return done.stdout.splitlines()

    return run


def follow(tshark, path, index: int) -> tuple[tuple[str, bytes], tuple[str, bytes]]:
    """What tshark makes of connection `index`: each side's address and port, and the octets it sent."""
    lines = tshark(path, "-q", "-z", f"follow,tcp,raw,{index}")
    nodes = [line.split(": ", 1)[1] for line in lines if line.startswith("Node ")]
    sides = {False: "", True: ""}
    for line in lines[lines.index(f"Node 1: {nodes[1]}") + 1 : -1]:
        sides[line.startswith("\t")] += line.strip()
    return (nodes[0], bytes.fromhex(sides[False])), (nodes[1], bytes.fromhex(sides[True]))


def compare(tshark, path) -> int:
    """Compare each connection without holes octet by octet; return how many octets agreed."""
    events = []
    try:
        for event in read_streams(path):
            events.append(event)
    except CaptureError:
        pass
    holed = {event.connection.id for event in events if isinstance(event, Hole)}
    known = {event.connection.id: event.connection for event in events}
    ours = streams(events)
    count = 0
    for number, connection in known.items():
        if number in holed:
            continue
        theirs = dict(follow(tshark, path, number - 1))
        for sender, end in ((C, connection.client), (S, connection.server)):
            address = f"[{end[0]}]" if ":" in end[0] else end[0]
            stream = b"".join(ours.get((number, sender), []))
            assert theirs.get(f"{address}:{end[1]}", theirs.get(f"{end[0]}:{end[1]}")) == stream
            count += len(stream)
    return count


def payloads(tshark, path) -> list[str]:
    return [line for line in tshark(path, "-T", "fields", "-e", "tcp.payload", "-Y", "tcp.len > 0") if line]


EXPECTED = [b"GET key\r\n".hex(), b"$5\r\nvalue\r\n".hex()]


# What tshark 4.0 does not read: EtherType 9200, Linux's number of IPv6, LOOP in the wrong byte order.
LIBERTIES = {"old qinq", "null Linux", "loop little"}


@pytest.mark.interop
@pytest.mark.parametrize("name", [name for name in LINKS if name not in LIBERTIES])
def test_link_layers_are_valid(tshark, tmp_path, name):
    link, wrap = LINKS[name]
    for packets in (TALK, TALK6):
        path = tmp_path / "x.pcap"
        path.write_bytes(pcap(((time, wrap(packet)) for time, packet in timed(packets)), link=link))
        assert payloads(tshark, path) == EXPECTED
        assert compare(tshark, path) == 20


@pytest.mark.interop
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("magic", [0xA1B2C3D4, 0xA1B23C4D, 0xA1B2CD34])
def test_pcap_is_valid(tshark, tmp_path, order, magic):
    path = tmp_path / "x.pcap.gz"
    path.write_bytes(gzip.compress(pcap(FRAMES, order=order, magic=magic)))
    assert payloads(tshark, path) == EXPECTED
    times = tshark(path, "-T", "fields", "-e", "frame.time_epoch", "-Y", "tcp.len > 0")
    ours = [event.time for event in read_streams(path) if type(event).__name__ == "Segment"]
    assert [int(time.replace(".", "")) for time in times] == ours


@pytest.mark.interop
@pytest.mark.parametrize("order", ["<", ">"])
def test_pcapng_is_valid(tshark, tmp_path, order):
    nano = option(9, b"\x09", order) + option(14, (1000).to_bytes(8, "little" if order == "<" else "big"), order)
    out = (
        section(order) + interface(order=order) + interface(link=101, order=order, options=nano + option(0, b"", order))
    )
    for index, ((time, frame), packet) in enumerate(zip(FRAMES, TALK, strict=True)):
        if index % 2:
            out += enhanced(time // 1000, frame, order=order)
        else:
            out += enhanced(time - 1000 * 10**9, packet, index=1, order=order)
    path = tmp_path / "x.pcapng"
    path.write_bytes(out)
    assert payloads(tshark, path) == EXPECTED
    times = tshark(path, "-T", "fields", "-e", "frame.time_epoch", "-Y", "tcp.len > 0")
    ours = [event.time for event in read_streams(path) if type(event).__name__ == "Segment"]
    assert [int(time.replace(".", "").ljust(19, "0")) for time in times] == ours


@pytest.mark.interop
@pytest.mark.parametrize("seed", range(10))
def test_reassembly_agrees(tshark, tmp_path, seed):
    """Shuffled, repeated and overlapping segments of connections that interleave."""
    chance = random.Random(seed)
    queues = []
    expected = {}
    for number in range(4):
        talked = Dialogue(("10.0.0.1", 30000 + number), client_isn=2**32 - 500, server_isn=chance.randrange(2**32))
        talked.handshake()
        for sender in (C, S):
            data = chance.randbytes(2000)
            expected[number + 1, sender] = [data]
            pieces = []
            at = 0
            while at < len(data):
                size = chance.randrange(1, 200)
                pieces.append((at, data[at : at + size]))
                if chance.random() < 0.3:
                    back = max(at - chance.randrange(50), 0)
                    pieces.append((back, data[back : at + size]))
                at += size
            places = [(index + chance.randrange(4), index) for index in range(len(pieces))]
            for _, index in sorted(places):
                at, octets = pieces[index]
                talked.packets.append(talked.at(sender, at, octets, ack=0))
            talked.sent[sender] = len(data)
            talked.packets.append(talked.at(sender.other, 0, ack=len(data)))
        for sender in (C, S):
            talked.packets.append(talked.at(sender, 2000, flags=FIN | ACK))
        queues.append(talked.packets)
    packets = [queue.pop(0) for queue in queues]
    while any(queues):
        packets.append(chance.choice([queue for queue in queues if queue]).pop(0))
    path = tmp_path / "x.pcap"
    path.write_bytes(pcap(timed(map(ethernet, packets))))
    assert streams(read_streams(path)) == expected
    assert compare(tshark, path) == 16_000


@pytest.mark.interop
@pytest.mark.parametrize(("client", "server"), [("10.0.0.1", "10.0.0.2"), ("::1", "2001:db8::5")])
def test_writer_is_valid(tshark, tmp_path, client, server):
    path = tmp_path / "x.pcap"
    with CaptureWriter(path) as writer:
        connection = writer.open_connection(10**18, (client, 4000), (server, 6379))
        connection.send(10**18 + 10**6, C, b"q" * 5000)
        connection.send(10**18 + 2 * 10**6, S, b"a" * 3000)
        connection.close(10**18 + 3 * 10**6)
    assert compare(tshark, path) == 8000
    bad = ["-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE", "-Y", "_ws.expert.severity >= 0x600000"]
    assert tshark(path, *bad) == []


@pytest.mark.interop
@pytest.mark.skipif(CAPTURES is None, reason="L7CODECS_CAPTURES is not set")
def test_public_captures_agree(tshark):
    paths = sorted(path for path in Path(CAPTURES).rglob("*") if path.suffix in (".pcap", ".pcapng"))
    assert paths
    counts = {path: compare(tshark, path) for path in paths}
    assert sum(counts.values()) > 0


@pytest.mark.skipif(CAPTURES is None, reason="L7CODECS_CAPTURES is not set")
def test_public_captures_are_read():
    for path in Path(CAPTURES).rglob("*"):
        if path.suffix in (".pcap", ".pcapng"):
            opened = read_streams(path)
            assert any(type(event).__name__ == "Segment" for event in opened), path
            assert opened.statistics.malformed == 0
