"""Flow control: what we allow and check, what we respect, and how one stream stops without the others."""

from __future__ import annotations

import h2.connection
import h2.events
import h2.settings
import pytest
from hyperframe.frame import DataFrame, HeadersFrame, SettingsFrame, WindowUpdateFrame

from l7codecs import DEFAULT_LIMITS, Data, Limits, Message, ProtocolError, Sender, Status

from .between import GET, POST, Between, Endpoint, frames_of, h2_client

WINDOW = DEFAULT_LIMITS.message
WINDOW_SETTING = (4, 1000)
CODES = h2.settings.SettingCodes


def answering(*bodies: bytes) -> Between:
    """A client that asks once for each body, of which the server has sent the beginning; what is left h2 keeps back."""
    room = Between()
    for number, _ in enumerate(bodies):
        room.client.send_headers(1 + 2 * number, GET, end_stream=True)
    room.run()
    for number, _ in enumerate(bodies):
        room.server.send_headers(1 + 2 * number, [(":status", "200")])
    room.run()
    return room


def push(peer: h2.connection.H2Connection, stream: int, body: bytes) -> bytes:
    """Send as much of `body` as h2 finds room for; the rest."""
    while body and (room := min(peer.local_flow_control_window(stream), peer.max_outbound_frame_size)) > 0:
        peer.send_data(stream, body[:room])
        body = body[room:]
    return body


def data(stream: int, size: int, pad: int = 0) -> bytes:
    return DataFrame(stream, b"x" * size, pad_length=pad, flags=["PADDED"] if pad else []).serialize()


def opened(limits: Limits = DEFAULT_LIMITS, streams: int = 1) -> Endpoint:
    """A server, and a client that has begun to post."""
    room = Endpoint(Sender.SERVER, h2_client(), limits)
    room.settle()
    for number in range(streams):
        room.peer.send_headers(1 + 2 * number, POST)
    room.settle()
    return room


# ----------------------------------------------------------------------------------------------- what the peer may send


@pytest.mark.parametrize("pad", [0, 9])
def test_beyond_a_stream_window(pad: int) -> None:
    room = opened(streams=2)
    held = [e for _ in range(64) for e in room.take(data(1, 16384 - pad - 1 if pad else 16384, pad))]
    for each in held:
        assert isinstance(each, Data)
        room.session.hold(each)
    # Padding and its length count: with them the window is used up to the octet.
    assert [type(e).__name__ for e in room.take(data(1, 0))] == ["Data"]
    [event] = room.take(data(1, 1))
    assert isinstance(event, Message)
    assert (event.error, event.operation) == ("FLOW_CONTROL_ERROR", "POST")
    room.write()
    assert [(e.stream_id, e.error_code) for e in room.got(h2.events.StreamReset)] == [(1, 3)]
    assert [type(e).__name__ for e in room.take(data(1, 5) + data(3, 5))] == ["FrameMessage", "Data"]


def test_beyond_the_connection_window() -> None:
    room = opened(streams=17)
    for stream in range(1, 33, 2):
        for _ in range(64):
            [event] = room.take(data(stream, 16384))
            assert isinstance(event, Data)
            room.session.hold(event)
    with pytest.raises(ProtocolError, match="the connection's window"):
        room.take(data(33, 1))
    [goaway] = frames_of(room.session.pending_output())
    assert (goaway.error_code, goaway.last_stream_id) == (3, 33)


def test_data_on_a_stream_that_is_reset_counts_for_the_connection() -> None:
    room = opened(streams=1)
    request = room.session.unanswered()[0]
    room.session.reply_error(request, Status.UNAVAILABLE, "no")
    for _ in range(16 * 64 // 2 + 2):  # more than half of it is given back when it is used
        room.take(data(1, 16384))
    room.write()
    credit = [f.window_increment for f in room.written if isinstance(f, WindowUpdateFrame) and f.stream_id == 0]
    assert credit[-1] >= 8 * WINDOW


def test_a_full_frame_on_a_stream_that_is_reset() -> None:
    """Whatever `limits.message` is: every peer may send 16384 octets in a frame."""
    room = opened(Limits(message=1000))
    room.session.reply_error(room.session.unanswered()[0], Status.UNAVAILABLE, "no")
    [event] = room.take(data(1, 16384))
    assert isinstance(event, Message)
    assert event.error is None


def test_a_smaller_window_binds_from_its_ack_on() -> None:
    room = Endpoint(Sender.SERVER, h2_client(), Limits(message=1000))
    early = HeadersFrame(1, room.peer.encoder.encode(POST), flags=["END_HEADERS"]).serialize()
    room.take(room.peer.data_to_send())
    assert [type(e).__name__ for e in room.take(early + data(1, 900) + data(1, 10_000))] == [
        "Http2Message",
        "Data",
        "Data",
    ]
    assert WINDOW_SETTING in frames_of(room.session.pending_output())[0].settings.items()
    room.take(SettingsFrame(0, flags=["ACK"]).serialize())
    early = HeadersFrame(3, room.peer.encoder.encode(POST), flags=["END_HEADERS"]).serialize()
    assert [type(e).__name__ for e in room.take(early + data(3, 1000) + data(3, 1))] == [
        "Http2Message",
        "Data",
        "FrameMessage",
    ]


def test_an_empty_end_needs_no_window() -> None:
    """SETTINGS made the window negative that the client had gone by."""
    room = Endpoint(Sender.SERVER, h2_client(), Limits(message=1000))
    room.take(room.peer.data_to_send())
    early = HeadersFrame(1, room.peer.encoder.encode(POST), flags=["END_HEADERS"]).serialize() + data(1, 10_000)
    end = DataFrame(1, b"", flags=["END_STREAM"]).serialize()
    events = room.take(early + SettingsFrame(0, flags=["ACK"]).serialize() + end)
    assert [type(e).__name__ for e in events] == ["Http2Message", "Data", "FrameMessage", "Data"]
    assert isinstance(events[-1], Data)
    assert not events[-1].more


def test_credit_is_given_in_halves_and_never_stalls() -> None:
    room = opened()
    left = b"x" * (20 * WINDOW)
    reads = 0
    while left:
        before = len(left)
        left = push(room.peer, 1, left)
        assert len(left) < before, "stalled"
        room.settle()
        reads += 1
    given = [f.window_increment for f in room.written if isinstance(f, WindowUpdateFrame) and f.stream_id == 1]
    assert sum(given) >= 19 * WINDOW
    assert min(given) >= WINDOW // 2


# --------------------------------------------------------------------------------------------------- what the peer takes


def test_nothing_is_written_beyond_the_windows() -> None:
    # h2 raises where we write more than it allows; it gives credit in small steps here.
    room = answering(b"")
    body = bytes(range(256)) * 2000
    left = push(room.server, 1, body)
    room.run()
    while left or room.down.session.queued:
        room.client.increment_flow_control_window(3000, stream_id=1)
        room.client.increment_flow_control_window(3000)
        room.run()
        left = push(room.server, 1, left)
        room.run()
    room.server.end_stream(1)
    room.run()
    assert room.down.body(1) == body
    assert [e.stream_id for e in room.down.got(h2.events.StreamEnded)] == [1]


def test_a_window_may_become_negative() -> None:
    room = answering(b"")
    push(room.server, 1, b"x" * 60_000)
    room.run()
    assert len(room.down.body(1)) == 60_000
    room.client.update_settings({CODES.INITIAL_WINDOW_SIZE: 100})
    room.run()
    push(room.server, 1, b"y" * 300)
    room.run()
    assert room.down.session.queued == 300
    room.client.increment_flow_control_window(60_000 - 101, stream_id=1)  # still -1... 0
    room.run()
    assert room.down.session.queued == 300
    room.client.increment_flow_control_window(101, stream_id=1)
    room.run()
    assert len(room.down.body(1)) == 60_100
    room.client.update_settings({CODES.INITIAL_WINDOW_SIZE: 65_535})
    room.run()
    assert room.down.body(1) == b"x" * 60_000 + b"y" * 300


def test_an_update_before_the_answer_counts() -> None:
    room = Between()
    room.client.send_headers(1, GET, end_stream=True)
    room.client.increment_flow_control_window(100_000, stream_id=1)
    room.client.increment_flow_control_window(100_000)
    room.run()
    room.server.send_headers(1, [(":status", "200")])
    push(room.server, 1, b"x" * 160_000)
    room.run()
    assert len(room.down.body(1)) == 160_000


@pytest.mark.parametrize("stream", [0, 1])
def test_a_window_that_overflows(stream: int) -> None:
    room = opened()
    octets = WindowUpdateFrame(stream, 2**31 - 1).serialize()
    if stream == 0:
        with pytest.raises(ProtocolError, match="FLOW_CONTROL_ERROR"):
            room.take(octets)
        assert frames_of(room.session.pending_output())[-1].error_code == 3
        return
    [event] = room.take(octets)
    assert isinstance(event, Message)
    assert event.error == "FLOW_CONTROL_ERROR"
    room.write()
    assert [(e.stream_id, e.error_code) for e in room.got(h2.events.StreamReset)] == [(1, 3)]


def test_streams_take_turns() -> None:
    room = answering(b"", b"", b"")
    for stream in (1, 3, 5):
        push(room.server, stream, b"%d" % stream * 60_000)
    room.server.send_headers(1, [("x-end", "1")], end_stream=True)
    room.run()  # 65535 octets in all
    for _ in range(6):
        room.client.increment_flow_control_window(16_384)
        room.run()
    sizes = [len(room.down.body(stream)) for stream in (1, 3, 5)]
    assert sum(sizes) == 65_535 + 6 * 16_384
    assert max(sizes) - min(sizes) <= 2 * 16_384, sizes
    # What needs no window does not wait for those that do.
    room.client.send_headers(7, GET, end_stream=True)
    room.run()
    room.server.send_headers(7, [(":status", "204")], end_stream=True)
    room.run()
    assert 7 in [e.stream_id for e in room.down.got(h2.events.StreamEnded)]


# --------------------------------------------------------------------------------------------- one stream stops, others go on


def test_a_stream_that_cannot_go_on_is_not_credited_and_the_others_are() -> None:
    room = answering(b"", b"")
    room.client.increment_flow_control_window(2**31 - 1 - 65_535)
    room.client.increment_flow_control_window(2**24, stream_id=3)
    left = {1: b"1" * (3 * WINDOW), 3: b"3" * (3 * WINDOW)}
    for _ in range(400):
        for stream in left:
            left[stream] = push(room.server, stream, left[stream])
        room.run()
    assert not left[3]
    assert room.down.body(3) == b"3" * (3 * WINDOW)
    # The client took 65535 octets of the other; its server may send a window more, and stands there.
    written = 3 * WINDOW - len(left[1])
    assert written - 65_535 == room.down.session.queued
    assert WINDOW <= written <= WINDOW + 65_535
    room.client.increment_flow_control_window(2**24, stream_id=1)
    while left[1]:
        room.run()
        before = len(left[1])
        left[1] = push(room.server, 1, left[1])
        assert len(left[1]) < before, "stalled"
    room.run()
    assert room.down.body(1) == b"1" * (3 * WINDOW)
    assert room.down.session.queued == 0


def test_what_is_dropped_is_credited_to_the_connection() -> None:
    """Streams that are reset while much of them waits do not use up the connection's window for good."""
    room = Between()
    for number in range(40):
        stream = 1 + 2 * number
        room.client.send_headers(stream, GET, end_stream=True)
        room.run()
        room.server.send_headers(stream, [(":status", "200")])
        left = b"x" * WINDOW
        for _ in range(3):
            left = push(room.server, stream, left)
            room.run()
        assert not left, number
        room.client.reset_stream(stream)
        room.run()
        assert room.down.session.queued == 0
    assert len(room.up.got(h2.events.StreamReset)) == 40


def test_paused_until_the_transport_is_there() -> None:
    room = Between()
    room.up.session.paused = True
    room.client.send_headers(1, POST)
    room.client.send_headers(3, GET, end_stream=True)
    room.run()
    left = push(room.client, 1, b"x" * (2 * WINDOW))
    for _ in range(100):
        room.run()
        left = push(room.client, 1, left)
    assert room.up.written == []
    assert room.up.session.queued == WINDOW == 2 * WINDOW - len(left)
    room.up.session.paused = False
    for _ in range(400):
        room.run()
        for event in room.up.got(h2.events.DataReceived):
            room.server.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            event.flow_controlled_length = 0
        left = push(room.client, 1, left)
    assert not left
    assert room.up.body(1) == b"x" * (2 * WINDOW)
    assert [e.stream_id for e in room.up.got(h2.events.RequestReceived)] == [1, 3]


def test_hold_and_release() -> None:
    room = opened()
    left = push(room.peer, 1, b"x" * (2 * WINDOW))
    held = []
    for _ in range(100):
        for event in room.read():
            if isinstance(event, Data):
                room.session.hold(event)
                held.append(event)
        room.write()
        left = push(room.peer, 1, left)
    assert len(left) == WINDOW
    for each in held:
        room.session.release(each)
    room.settle()
    assert push(room.peer, 1, left) == b""
