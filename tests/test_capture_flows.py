"""TCP reassembly: order, repetition, overlap, holes, joins, reuse, bounds."""

import itertools
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capture_packets import (
    ACK,
    CLIENT,
    FIN,
    RST,
    SERVER,
    SYN,
    Dialogue,
    connections,
    ipv4,
    names,
    pcap,
    read_packets,
    reader,
    streams,
    tcp,
    timed,
)
from l7codecs.capture import CaptureLimits, Closed, Ended, Hole, Segment
from l7codecs.message import Sender

C, S = Sender.CLIENT, Sender.SERVER


def talk(**options) -> Dialogue:
    return Dialogue(**options).handshake()


def closed(events) -> list[str]:
    return [event.reason for event in events if isinstance(event, Closed)]


def sent(packets, sender=C, number=1, **options):
    return streams(read_packets(packets, **options)).get((number, sender), [])


class TestOrder:
    def test_directions_interleave_as_captured(self):
        packets = talk().send(C, b"1").send(S, b"a").send(C, b"2").send(C, b"3").send(S, b"b").close().packets
        events = read_packets(packets)
        assert [event.data for event in events if isinstance(event, Segment)] == [b"1", b"a", b"2", b"3", b"b"]
        assert names(events)[0] == "Opened"
        assert names(events)[-3:] == ["Ended", "Ended", "Closed"]
        assert closed(events) == ["fin"]

    def test_time_is_that_of_the_packet_that_carried_the_octets(self):
        talked = talk()
        packets = [*talked.packets, talked.at(C, 1, b"b"), talked.at(C, 0, b"a")]
        events = [event for event in read_packets(packets) if isinstance(event, Segment)]
        assert [event.data for event in events] == [b"a", b"b"]
        assert events[0].time - events[1].time == 1_000_000

    def test_reordered(self):
        talked = talk()
        pieces = [talked.at(C, pos, b"%d" % pos) for pos in range(10)]
        random.Random(1).shuffle(pieces)
        assert sent(talked.packets + pieces) == [b"0123456789"]

    def test_sequence_numbers_wrap(self):
        for isn in (0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFF0, 0x7FFFFFF8, 0x80000000):
            talked = talk(client_isn=isn, server_isn=isn)
            packets = talked.packets
            packets += [talked.at(C, 16, b"cc"), talked.at(C, 0, b"a" * 8), talked.at(C, 8, b"b" * 8)]
            packets += [talked.at(S, 0, b"z" * 20)]
            events = read_packets(packets)
            assert streams(events) == {(1, C): [b"aaaaaaaabbbbbbbbcc"], (1, S): [b"z" * 20]}

    def test_connections_interleave(self):
        one, two = talk(), talk(client=("10.0.0.1", 40001))
        packets = []
        one.send(C, b"one").send(S, b"eins")
        two.send(C, b"two").send(S, b"zwei")
        for pair in zip(one.packets, two.packets, strict=True):
            packets += pair
        events = read_packets(packets)
        assert streams(events) == {(1, C): [b"one"], (1, S): [b"eins"], (2, C): [b"two"], (2, S): [b"zwei"]}
        assert closed(events) == ["eof", "eof"]

    def test_connection_without_octets_is_not_announced(self):
        assert read_packets(talk().close().packets) == []


class TestRepetition:
    def test_retransmission(self):
        talked = talk().send(C, b"abc").send(S, b"x").send(C, b"def")
        assert sent([packet for packet in talked.packets for _ in range(3)]) == [b"abcdef"]

    @pytest.mark.parametrize(
        ("pieces", "expected"),
        [
            ([(0, b"abcd"), (2, b"XXef")], b"abcdef"),
            ([(0, b"abcd"), (0, b"XXXXef")], b"abcdef"),
            ([(2, b"cd"), (0, b"abXXef")], b"abcdef"),
            ([(4, b"ef"), (2, b"cdXX"), (0, b"abXX")], b"abcdef"),
            ([(1, b"b"), (3, b"d"), (5, b"f"), (0, b"aXcXeX")], b"abcdef"),
            ([(3, b"def"), (2, b"cX"), (1, b"bXX"), (0, b"aXXX")], b"abcdef"),
            ([(1, b"bcde"), (2, b"XX"), (1, b"XXXX"), (0, b"aX"), (5, b"f")], b"abcdef"),
        ],
    )
    def test_first_copy_wins(self, pieces, expected):
        talked = talk()
        assert sent(talked.packets + [talked.at(C, pos, data) for pos, data in pieces]) == [expected]

    @pytest.mark.parametrize("probe", [b"", b"\0"])
    def test_keep_alive(self, probe):
        talked = talk().send(C, b"abc")
        talked.packets += [talked.at(C, 2, probe), talked.at(S, 0)] * 3
        talked.send(C, b"def")
        assert sent(talked.packets) == [b"abcdef"]

    def test_keep_alive_before_anything_else(self):
        talked = Dialogue()
        packets = [talked.at(C, -1), talked.at(C, 0, b"abc")]
        assert sent(packets) == [b"abc"]

    def test_zero_window_probe(self):
        """The probe's octet is of the stream; the receiver may take or refuse it."""
        talked = talk().send(C, b"abc")
        talked.packets += [
            talked.at(C, 3, b"d"),
            talked.at(S, 0, ack=3),
            talked.at(C, 3, b"d"),
            talked.at(C, 3, b"def"),
        ]
        assert sent(talked.packets) == [b"abcdef"]


class TestHoles:
    def test_acknowledged_beyond(self):
        """As soon as the receiver has acknowledged what the capture lacks, what follows is delivered."""
        talked = talk()
        packets = [*talked.packets, talked.at(C, 3, b"def"), talked.at(S, 0, b"ok", ack=6)]
        events = read_packets(packets)
        assert names(events) == ["Opened", "Hole", "Segment", "Segment", "Closed"]
        assert streams(events)[1, C] == [3, b"def"]

    def test_acknowledged_before_what_follows_is_seen(self):
        talked = talk()
        packets = [*talked.packets, talked.at(S, 0, b"ok", ack=6), talked.at(C, 3, b"def")]
        assert streams(read_packets(packets))[1, C] == [3, b"def"]

    def test_not_acknowledged(self):
        """A hole that the receiver has too is filled later."""
        talked = talk()
        packets = [*talked.packets, talked.at(C, 3, b"def"), talked.at(S, 0, ack=0), talked.at(S, 0, b"x", ack=0)]
        events = read_packets([*packets, talked.at(C, 0, b"abc")])
        assert streams(events) == {(1, C): [b"abcdef"], (1, S): [b"x"]}
        assert streams(read_packets(packets))[1, C] == [3, b"def"]

    def test_partly_acknowledged(self):
        talked = talk()
        packets = [*talked.packets, talked.at(C, 4, b"ef"), talked.at(S, 0, ack=2), talked.at(C, 0, b"abcd")]
        assert sent(packets) == [b"abcdef"]

    def test_sender_has_passed_the_hole(self):
        """An empty packet of the same sender that stands beyond shows the hole without later octets."""
        talked = talk()
        packets = [
            *talked.packets,
            talked.at(S, 0, b"ok", ack=6),
            talked.at(C, 6, ack=2),
            talked.at(S, 2, b"more", ack=6),
        ]
        events = read_packets(packets)
        assert [type(event).__name__ for event in events] == ["Opened", "Segment", "Hole", "Segment", "Closed"]

    def test_several_holes(self):
        talked = talk()
        packets = talked.packets + [talked.at(C, pos, b"x") for pos in (2, 5, 9)] + [talked.at(S, 0, ack=10)]
        assert sent(packets) == [2, b"x", 2, b"x", 3, b"x"]

    def test_at_the_end_of_the_file(self):
        talked = talk()
        packets = talked.packets + [talked.at(C, pos, b"x") for pos in (2, 5)]
        assert sent(packets) == [2, b"x", 2, b"x"]
        assert sent([*talked.packets, talked.at(S, 0, ack=7)]) == [7]

    def test_a_lone_octet_acknowledged_at_the_end_is_the_fin(self):
        talked = talk().send(C, b"abc")
        assert sent([*talked.packets, talked.at(S, 0, ack=4), talked.at(C, 4)]) == [b"abc"]

    def test_before_the_fin(self):
        talked = talk().send(C, b"abc")
        packets = [*talked.packets, talked.at(C, 9, flags=FIN | ACK), talked.at(S, 0, b"bye", ack=10)]
        events = read_packets(packets)
        assert streams(events)[1, C] == [b"abc", 6]
        assert [event.sender for event in events if isinstance(event, Ended)] == [C]

    def test_first_server_octets(self):
        """The client's acknowledgment tells where the server started, though the SYN-ACK is missing."""
        talked = Dialogue()
        packets = [talked.at(C, -1, flags=SYN), talked.at(C, 0), talked.at(S, 4, b"late"), talked.at(C, 0, ack=8)]
        assert sent(packets, S) == [4, b"late"]


class TestBounds:
    def test_octets_held_by_a_direction(self):
        talked = talk()
        packets = talked.packets + [talked.at(C, 10 + pos * 100, b"x" * 100) for pos in range(11)]
        opened = reader(pcap(timed(packets), link=101), limits=CaptureLimits(pending_size=1000))
        events = list(opened)
        assert streams(events)[1, C] == [10, b"x" * 1100]
        assert next(event for event in events if isinstance(event, Hole)).time == timed_at(len(packets) - 1)

    def test_pieces_held_by_a_direction(self):
        talked = talk()
        packets = talked.packets + [talked.at(C, 1 + pos * 2, b"x") for pos in range(11)]
        events = read_packets(packets, limits=CaptureLimits(pending_count=10))
        hole = next(event for event in events if isinstance(event, Hole))
        assert hole.time == timed_at(len(packets) - 1)

    def test_octets_held_by_all(self):
        packets = []
        for port in range(40):
            talked = talk(client=("10.0.0.1", 30000 + port))
            packets += [*talked.packets, talked.at(C, 5, b"x" * 100)]
        events = read_packets(packets, limits=CaptureLimits(total_pending_size=1000))
        holes = [event for event in events if isinstance(event, Hole)]
        assert len(holes) == 40
        assert sum(hole.time < timed_at(len(packets) - 1) for hole in holes) == 29

    def test_connections(self):
        packets = []
        for port in range(1000):
            packets += talk(client=("10.0.0.1", 10000 + port)).send(C, b"x").packets
        opened = reader(pcap(timed(packets), link=101), limits=CaptureLimits(flow_count=100))
        events = list(opened)
        assert len(streams(events)) == 1000
        assert opened.statistics.evicted >= 900
        assert closed(events).count("evicted") == opened.statistics.evicted
        assert len(opened._flows.halves) <= 200

    def test_the_idle_are_given_up_first(self):
        busy = talk(client=("10.0.0.9", 1))
        packets = busy.packets
        for port in range(500):
            packets += talk(client=("10.0.0.1", 10000 + port)).send(C, b"x").packets
            busy.send(C, b"y")
        events = read_packets(packets, limits=CaptureLimits(flow_count=20))
        assert streams(events)[1, C] == [b"y" * 500]
        assert not connections(events)[0].midstream


def timed_at(index: int) -> int:
    return [time for time, _ in timed(range(index + 1))][index]


class TestJoin:
    @pytest.mark.parametrize("sender", [C, S])
    def test_midstream(self, sender):
        talked = Dialogue().send(sender, b"first").send(sender.other, b"second").send(sender, b"third")
        events = read_packets(talked.packets)
        assert streams(events) == {(1, sender): [b"firstthird"], (1, sender.other): [b"second"]}
        (connection,) = connections(events)
        assert connection.midstream
        assert connection.flow == "10.0.0.1:40000>10.0.0.2:6379"

    def test_equal_ports(self):
        talked = Dialogue(("10.0.0.1", 7000), ("10.0.0.2", 7000)).send(S, b"x")
        assert connections(read_packets(talked.packets))[0].client == ("10.0.0.2", 7000)

    def test_at_the_syn_ack(self):
        talked = Dialogue(("10.0.0.1", 1), SERVER).handshake().send(C, b"x")
        events = read_packets(talked.packets[1:])
        assert connections(events)[0].client == ("10.0.0.1", 1)
        assert not connections(events)[0].midstream
        events = read_packets([talked.packets[1], talked.packets[0], *talked.packets[2:]])
        assert streams(events) == {(1, C): [b"x"]}

    def test_in_the_middle_of_a_retransmission(self):
        talked = Dialogue()
        packets = [talked.at(C, 10, b"abc"), talked.at(C, 5, b"vwxyzab"), talked.at(C, 10, b"abcdef")]
        assert sent(packets) == [b"abcdef"]

    def test_connected_to_itself(self):
        here = ("127.0.0.1", 5000)
        packets = [ipv4(here, here, tcp(here, here, 5, 0, SYN)), ipv4(here, here, tcp(here, here, 6, 6, ACK, b"hello"))]
        assert [event.data for event in read_packets(packets) if isinstance(event, Segment)] == [b"hello"]


class TestReuse:
    def test_syn_with_another_isn(self):
        packets = talk().send(C, b"old").packets + talk(client_isn=500_000).send(C, b"new").close().packets
        events = read_packets(packets)
        assert streams(events) == {(1, C): [b"old"], (2, C): [b"new"]}
        assert closed(events) == ["reused", "fin"]

    def test_client_and_server_change_places(self):
        packets = talk().send(C, b"old").packets + talk(client=SERVER, server=CLIENT).send(C, b"new").packets
        events = read_packets(packets)
        assert streams(events) == {(1, C): [b"old"], (2, C): [b"new"]}
        assert connections(events)[1].client == SERVER

    def test_after_the_end_the_isn_may_be_the_same(self):
        events = read_packets(talk().send(C, b"x").close().packets * 3)
        assert streams(events) == {(number, C): [b"x"] for number in (1, 2, 3)}
        assert closed(events) == ["fin"] * 3

    def test_syn_sent_again(self):
        talked = talk().send(C, b"x")
        packets = [talked.packets[0]] * 3 + [talked.packets[1]] * 3 + talked.packets[2:] + talked.packets[:2]
        assert streams(read_packets(packets)) == {(1, C): [b"x"]}

    def test_on_a_joined_connection(self):
        packets = Dialogue().send(C, b"old").packets + talk(client_isn=7).send(C, b"new").packets
        events = read_packets(packets)
        assert streams(events) == {(1, C): [b"old"], (2, C): [b"new"]}
        assert [connection.midstream for connection in connections(events)] == [True, False]

    def test_only_the_syn_ack_of_the_new_one_is_seen(self):
        packets = talk().send(C, b"old").packets + talk(client_isn=7, server_isn=8).send(S, b"new").packets[1:]
        assert streams(read_packets(packets)) == {(1, C): [b"old"], (2, S): [b"new"]}

    def test_without_a_syn(self):
        """Three segments far from what is known are a new connection; one is a stray."""
        old, new = talk().send(C, b"old"), Dialogue(client_isn=0x90000000, server_isn=0x90000000)
        new.send(C, b"1").send(C, b"2").send(C, b"3").send(C, b"4")
        events = read_packets(old.packets + new.packets)
        assert streams(events) == {(1, C): [b"old"], (2, C): [b"34"]}
        assert read_packets(old.packets + new.packets[:1] + old.send(C, b"!").packets[-1:])[2].data == b"!"

    def test_data_on_syn(self):
        talked = Dialogue()
        packets = [talked.at(C, -1, b"GET", flags=SYN), talked.at(S, -1, flags=SYN | ACK, ack=3)]
        packets += [talked.at(C, 3, b" k"), talked.at(S, 0, b"v", ack=5)]
        assert streams(read_packets(packets)) == {(1, C): [b"GET k"], (1, S): [b"v"]}

    def test_data_on_syn_refused(self):
        talked = Dialogue()
        packets = [talked.at(C, -1, b"GET", flags=SYN), talked.at(S, -1, flags=SYN | ACK, ack=0)]
        assert sent([*packets, talked.at(C, 0, b"GET k")]) == [b"GET k"]


class TestEnd:
    def test_half_close(self):
        talked = talk().send(C, b"ask")
        talked.packets.append(talked.at(C, 3, flags=FIN | ACK))
        talked.sent[C] += 1
        talked.send(S, b"answer")
        talked.packets.append(talked.at(S, 6, flags=FIN | ACK))
        events = read_packets(talked.packets)
        assert names(events) == ["Opened", "Segment", "Ended", "Segment", "Ended", "Closed"]

    def test_fin_before_its_data(self):
        talked = talk()
        packets = [*talked.packets, talked.at(C, 3, b"def", flags=FIN | ACK), talked.at(C, 0, b"abc")]
        events = read_packets(packets)
        assert names(events) == ["Opened", "Segment", "Segment", "Ended", "Closed"]
        assert sent(packets) == [b"abcdef"]

    def test_fin_sent_again(self):
        talked = talk().send(C, b"x").close()
        events = read_packets(talked.packets + talked.packets[-3:] * 2)
        assert closed(events) == ["fin"]
        assert names(events).count("Ended") == 2

    def test_reset(self):
        talked = talk().send(C, b"abc")
        packets = [*talked.packets, talked.at(C, 5, b"f"), talked.at(S, 0, flags=RST | ACK)]
        opened = reader(pcap(timed([*packets, talked.at(C, 6, b"late")]), link=101))
        events = list(opened)
        assert names(events) == ["Opened", "Segment", "Hole", "Segment", "Closed"]
        assert closed(events) == ["reset"]
        assert opened.statistics.late_octets == 4

    def test_stray_reset(self):
        talked = talk().send(C, b"abc")
        talked.packets.append(talked.at(C, 500_000_000, flags=RST))
        assert sent(talked.send(C, b"def").packets) == [b"abcdef"]

    def test_refused(self):
        talked = Dialogue()
        packets = [talked.at(C, -1, flags=SYN), ipv4(SERVER, CLIENT, tcp(SERVER, CLIENT, 0, 101, RST | ACK))]
        assert read_packets(packets) == []
        assert streams(read_packets(packets + talk().send(C, b"x").packets)) == {(2, C): [b"x"]}

    def test_lone_reset_closes_nothing(self):
        talked = Dialogue()
        packets = [talked.at(C, 0, flags=RST), *talked.send(C, b"x").packets]
        assert sent(packets) == [b"x"]


@st.composite
def cut_streams(draw):
    """A stream, its pieces (position, size) in some order with repetitions, and an initial sequence number."""
    size = draw(st.integers(1, 300))
    data = draw(st.binary(min_size=size, max_size=size))
    cuts = sorted(draw(st.sets(st.integers(1, size), max_size=30)) | {0, size})
    pieces = [(start, end - start) for start, end in itertools.pairwise(cuts)]
    for start in draw(st.lists(st.integers(0, size - 1), max_size=10)):
        pieces.append((start, draw(st.integers(1, size - start))))
    window = draw(st.integers(0, 8))
    keyed = [(index + draw(st.integers(0, window)), index, piece) for index, piece in enumerate(pieces)]
    isn = draw(st.one_of(st.integers(0xFFFFFE00, 0xFFFFFFFF), st.integers(0, 0xFFFFFFFF), st.just(0x7FFFFF80)))
    return data, [piece for _, _, piece in sorted(keyed)], isn


@settings(max_examples=200, deadline=None)
@given(cut_streams(), st.booleans())
def test_any_cutting_yields_the_stream(stream, acknowledged):
    data, pieces, isn = stream
    talked = talk(client_isn=isn)
    for start, size in pieces:
        talked.packets.append(talked.at(C, start, data[start : start + size]))
    if acknowledged:
        talked.packets.append(talked.at(S, 0, ack=len(data)))
    events = read_packets(talked.packets)
    assert streams(events) == {(1, C): [data]}


@settings(max_examples=200, deadline=None)
@given(cut_streams(), st.data())
def test_lost_pieces_are_holes_of_their_size(stream, more):
    data, pieces, isn = stream
    kept = more.draw(st.lists(st.sampled_from(pieces), unique=True).map(lambda kept: [p for p in pieces if p in kept]))
    seen = bytearray(len(data) + 1)
    for start, size in kept:
        seen[start : start + size] = b"\1" * size
    expected: list = []
    at = 0
    while at < len(data):
        end = at + 1
        while end < len(data) and seen[end] == seen[at]:
            end += 1
        expected.append(data[at:end] if seen[at] else end - at)
        at = end
    talked = talk(client_isn=isn)
    for start, size in kept:
        talked.packets.append(talked.at(C, start, data[start : start + size]))
    talked.sent[C] = len(data)
    talked.packets.append(talked.at(C, len(data), flags=FIN | ACK))
    talked.packets.append(talked.at(S, 0, ack=len(data) + 1))
    events = read_packets(talked.packets)
    assert streams(events).get((1, C), []) == expected


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(), st.integers(), st.integers(0, 63), st.binary(max_size=9))))
def test_any_packets_deliver_no_more_than_they_carry(packets):
    """Random headers raise nothing, and every Opened has its Closed."""
    made = []
    for forth, seq, ack, flags, data in packets:
        source, destination = (CLIENT, SERVER) if forth else (SERVER, CLIENT)
        made.append(ipv4(source, destination, tcp(source, destination, seq, ack, flags, data)))
    for limits in (CaptureLimits(), CaptureLimits(pending_size=4, pending_count=2, total_pending_size=3, flow_count=1)):
        opened = reader(pcap(timed(made), link=101), limits=limits)
        events = list(opened)
        assert names(events).count("Opened") == names(events).count("Closed")
        total = sum(len(event.data) for event in events if isinstance(event, Segment))
        assert total <= sum(len(packet[4]) for packet in packets)
        assert opened._flows.total_pending == 0
