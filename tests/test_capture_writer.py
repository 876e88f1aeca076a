"""What the writer writes, the reader reads back."""

import io

import pytest

from capture_packets import connections, names, streams
from l7codecs.capture import CaptureWriter, Segment, read_streams
from l7codecs.message import Sender

C, S = Sender.CLIENT, Sender.SERVER
NOON = 1_700_000_000_000_000_789


@pytest.mark.parametrize(("client", "server"), [("10.0.0.1", "10.0.0.2"), ("::1", "2001:db8::5")])
@pytest.mark.parametrize("isn", [0, 0xFFFFFFFF, 0xFFFFF000])
def test_round_trip(client, server, isn):
    file = io.BytesIO()
    with CaptureWriter(file) as writer:
        connection = writer.open_connection(NOON, (client, 4000), (server, 6379), client_isn=isn, server_isn=isn)
        connection.send(NOON + 1_000_000, C, b"q" * 5000)
        connection.send(NOON + 2_000_000, S, b"a" * 3000)
        connection.send(NOON + 2_000_000, S, b"")
        connection.close(NOON + 3_000_000, first=S)
    file.seek(0)
    events = list(read_streams(file))
    assert streams(events) == {(1, C): [b"q" * 5000], (1, S): [b"a" * 3000]}
    assert names(events)[-3:] == ["Ended", "Ended", "Closed"]
    assert [event.time for event in events if isinstance(event, Segment)] == [NOON + 1_000_000] * 4 + [
        NOON + 2_000_000
    ] * 3
    (found,) = connections(events)
    assert (found.client, found.server, found.midstream) == ((client, 4000), (server, 6379), False)


def test_connections_interleave(tmp_path):
    path = tmp_path / "x.pcap"
    with CaptureWriter(path) as writer:
        made = [writer.open_connection(NOON, ("10.0.0.1", port), ("10.0.0.2", 6379)) for port in (1, 2)]
        for turn in range(3):
            for connection in made:
                connection.send(NOON + turn, C, b"%d" % turn)
    assert streams(read_streams(path)) == {(1, C): [b"012"], (2, C): [b"012"]}
