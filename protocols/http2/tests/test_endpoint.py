"""Streams of an endpoint: how many, which are answered here, which are given up, and what may be sent at all. The peers are h2."""

from __future__ import annotations

import h2.events
import h2.settings
import pytest
from hyperframe.frame import DataFrame, GoAwayFrame, HeadersFrame, PushPromiseFrame, SettingsFrame, WindowUpdateFrame

from l7codecs import Changes, Data, Kind, Limits, Message, ProtocolError, Sender, Status, Unsupported, open_session

from .between import GET, POST, Between, Endpoint, frames_of, get, h2_client, h2_server

CODES = h2.settings.SettingCodes
OK = [(":status", "200")]
RPC = [
    (":method", "POST"),
    (":scheme", "http"),
    (":path", "/pack.S/Do"),
    (":authority", "x"),
    ("content-type", "application/grpc"),
    ("te", "trailers"),
]


def asked(room: Between) -> list[str]:
    """The paths that the server was asked for, in order."""
    return [dict(e.headers)[b":path"].decode() for e in room.up.got(h2.events.RequestReceived)]


# ------------------------------------------------------------------------------------ as many streams as the peer allows


def limited(count: int) -> Between:
    room = Between()
    room.server.update_settings({CODES.MAX_CONCURRENT_STREAMS: count})
    room.run()
    return room


def test_requests_wait_for_their_turn() -> None:
    room = limited(2)
    for number in range(5):
        room.client.send_headers(1 + 2 * number, [*get(f"/{number}")[:-1], (":authority", "x")])
        room.client.send_data(1 + 2 * number, b"%d" % number * 1000)
        room.client.send_headers(1 + 2 * number, [("x-end", str(number))], end_stream=True)
    room.run()
    assert asked(room) == ["/0", "/1"]
    assert len(room.up.session.unanswered()) == 5
    for number in range(5):
        stream = 1 + 2 * number
        room.server.send_headers(stream, OK)
        room.server.send_data(stream, b"%d" % number, end_stream=True)
        room.run()
        assert asked(room) == [f"/{n}" for n in range(min(number + 3, 5))]
    for number in range(5):
        assert room.up.body(1 + 2 * number) == b"%d" % number * 1000
        assert room.down.body(1 + 2 * number) == b"%d" % number
    assert len(room.up.got(h2.events.TrailersReceived)) == 5
    assert room.up.session.unanswered() == room.down.session.unanswered() == []


def test_a_waiting_request_is_cancelled() -> None:
    room = limited(1)
    for number in range(3):
        room.client.send_headers(1 + 2 * number, get(f"/{number}"))
        room.client.send_data(1 + 2 * number, b"x" * 100)
    room.run()
    room.client.reset_stream(3, 8)
    room.run()
    assert room.up.session.queued == 100
    room.server.send_headers(1, OK, end_stream=True)
    room.server.reset_stream(1, 0)
    room.run()
    assert asked(room) == ["/0", "/2"]
    assert [e.stream_id for e in room.up.got(h2.events.StreamReset)] == []


def test_no_more_than_100_before_the_peer_has_said_how_many() -> None:
    room = Between()
    room.server.update_settings({CODES.MAX_CONCURRENT_STREAMS: 200})
    settings = room.server.data_to_send()
    for number in range(150):
        room.client.send_headers(1 + 2 * number, GET, end_stream=True)
    room.run()
    assert len(asked(room)) == 100
    room.up.take(settings)
    room.run()
    assert len(asked(room)) == 150


def test_numbers_run_out() -> None:
    room = Between()
    room.run()
    room.up.session._writer._requests._next = 2**31 - 1  # type: ignore[union-attr]
    for stream in (1, 3, 5):
        room.client.send_headers(stream, GET, end_stream=True)
    room.run()
    assert [e.stream_id for e in room.up.got(h2.events.RequestReceived)] == [2**31 - 1]
    assert room.up.session.closing
    given_up = room.up.session.unprocessed()
    assert [m.stream_id for m in given_up] + [m.stream_id for m, _ in room.refused] == [3, 5]
    assert room.up.session.unprocessed() == []


def test_more_streams_than_we_allow_are_refused() -> None:
    room = Endpoint(Sender.SERVER, h2_client(), Limits(streams=2))
    encoder = room.peer.encoder
    room.take(room.peer.data_to_send())
    octets = [
        HeadersFrame(1 + 2 * n, encoder.encode(get(f"/{n}")), flags=["END_HEADERS"]).serialize() for n in range(4)
    ]
    events = room.take(b"".join(octets) + DataFrame(5, b"late").serialize())
    assert [e.kind for e in events if isinstance(e, Message)] == [Kind.REQUEST] * 2 + [Kind.CONTROL] * 3
    refused = [f for f in frames_of(room.session.pending_output()) if type(f).__name__ == "RstStreamFrame"]
    assert [(f.stream_id, f.error_code) for f in refused] == [(5, 7), (7, 7)]
    # The table of their fields was kept in step.
    room.take(DataFrame(1, b"", flags=["END_STREAM"]).serialize())
    room.session.reply_error(room.session.unanswered()[0], Status.NOT_FOUND, "")
    [event] = room.take(HeadersFrame(9, encoder.encode(get("/3")), flags=["END_HEADERS", "END_STREAM"]).serialize())
    assert isinstance(event, Message)
    assert event.resources == ("/3",)


# ----------------------------------------------------------------------------------------------------------- the end


def test_goaway_tells_what_was_not_processed() -> None:
    room = limited(3)
    for number in range(5):
        room.client.send_headers(1 + 2 * number, get(f"/{number}"), end_stream=True)
    room.run()
    room.up.take(GoAwayFrame(0, last_stream_id=3, error_code=0).serialize())
    assert room.up.session.closing
    requests = room.requests()
    assert room.up.session.unprocessed() == requests[2:]
    assert room.up.session.unprocessed() == []
    with pytest.raises(Unsupported, match="on another"):
        room.up.session.send(requests[2])
    # They can be sent on another connection, to the end.
    other = Endpoint(Sender.CLIENT, h2_server())
    other.settle()
    for request in requests[2:]:
        other.session.put(request)
    other.settle()
    assert [dict(e.headers)[b":path"] for e in other.got(h2.events.RequestReceived)] == [b"/2", b"/3", b"/4"]
    # Those below go on, until the connection ends.
    assert room.up.session.abandoned() == []
    assert room.up.session.unanswered() == requests[:2]
    room.server.send_headers(3, OK, end_stream=True)
    room.run()
    assert [e.stream_id for e in room.down.got(h2.events.ResponseReceived)] == [3]
    room.up.session.eof(Sender.SERVER)
    room.up.session.eof(Sender.SERVER)
    assert room.up.session.abandoned() == requests[:1]


def test_what_goaway_leaves_is_abandoned_at_once() -> None:
    room = limited(3)
    for number in range(3):
        room.client.send_headers(1 + 2 * number, get(f"/{number}"), end_stream=True)
    room.run()
    room.up.take(GoAwayFrame(0, last_stream_id=3, error_code=0).serialize())
    assert room.up.session.abandoned() == room.requests()[2:]
    assert room.up.session.unprocessed() == room.down.session.abandoned() == []


def test_graceful_close_of_a_server() -> None:
    room = Between()
    room.client.send_headers(1, GET, end_stream=True)
    room.run()
    [first] = frames_of(room.down.session.close())
    assert (first.last_stream_id, first.error_code) == (2**31 - 1, 0)
    late = HeadersFrame(3, room.client.encoder.encode(GET), flags=["END_HEADERS", "END_STREAM"]).serialize()
    [event] = room.down.take(late)
    assert isinstance(event, Message)
    assert event.kind is Kind.REQUEST
    [second] = frames_of(room.down.session.close())
    assert (second.last_stream_id, second.error_code) == (3, 0)
    late = HeadersFrame(5, room.client.encoder.encode(GET), flags=["END_HEADERS", "END_STREAM"]).serialize()
    [event] = room.down.take(late)
    assert isinstance(event, Message)
    assert event.kind is Kind.CONTROL
    [reset] = frames_of(room.down.session.pending_output())
    assert (reset.stream_id, reset.error_code) == (5, 7)
    # What is refused is never counted as served, whatever follows.
    [third] = frames_of(room.down.session.close())
    assert third.last_stream_id == 3
    room.server.send_headers(1, OK, end_stream=True)
    room.run()


def test_a_connection_that_is_lost() -> None:
    room = limited(2)
    for number in range(3):
        room.client.send_headers(1 + 2 * number, get(f"/{number}"))
        room.client.send_data(1 + 2 * number, b"x" * 100)
    room.run()
    room.server.send_headers(3, OK)
    room.run()
    list(room.up.session.eof(Sender.SERVER))
    assert room.up.session.closing
    assert room.up.session.unanswered() == room.requests()
    abandoned = room.up.session.abandoned()
    assert abandoned == room.requests()
    assert room.up.session.abandoned() == room.up.session.unprocessed() == []
    for request in abandoned:
        room.down.reply_error(request, Status.UNAVAILABLE, "gone")
    room.down.settle()
    assert [dict(e.headers)[b":status"] for e in room.down.got(h2.events.ResponseReceived)] == [b"200", b"503", b"503"]
    resets = {e.stream_id: e.error_code for e in room.down.got(h2.events.StreamReset)}
    assert resets == {1: 0, 3: 2, 5: 0}


def test_resets_pass_in_both_directions() -> None:
    room = Between()
    for stream in (1, 3, 5):
        room.client.send_headers(stream, POST)
    room.run()
    room.client.reset_stream(1, 8)
    room.server.reset_stream(3, 0xFFFF0001)
    room.run()
    assert [(e.stream_id, e.error_code) for e in room.up.got(h2.events.StreamReset)] == [(1, 8)]
    assert [(e.stream_id, e.error_code) for e in room.down.got(h2.events.StreamReset)] == [(3, 0xFFFF0001)]


def test_a_reset_behind_a_complete_answer_cuts_nothing() -> None:
    """A server that does not want the rest of a request (RFC 9113 §8.1), while its answer waits for the client's window."""
    room = Between()
    room.client.send_headers(1, POST)
    room.run()
    room.server.send_headers(1, OK)
    for _ in range(6):
        room.server.send_data(1, b"x" * 16_000)
    room.server.end_stream(1)
    room.server.reset_stream(1, 0)
    room.run()
    assert len(room.down.body(1)) == 65_535
    room.client.increment_flow_control_window(100_000)
    room.client.increment_flow_control_window(100_000, stream_id=1)
    room.run()
    assert len(room.down.body(1)) == 96_000
    assert [e.error_code for e in room.down.got(h2.events.StreamReset)] == [0]
    assert len(room.down.got(h2.events.StreamEnded)) == 1


@pytest.mark.parametrize("code", [0, 8])
def test_a_reset_behind_an_answer_that_has_arrived(code: int) -> None:
    """The client may wait for it before it stops to send."""
    room = Between()
    room.client.send_headers(1, POST)
    room.run()
    room.server.send_headers(1, OK, end_stream=True)
    room.run()
    room.server.reset_stream(1, code)
    room.run()
    assert len(room.down.got(h2.events.StreamEnded)) == 1
    assert [e.error_code for e in room.down.got(h2.events.StreamReset)] == [code]
    assert room.down.session.pending == 0


def test_a_connection_that_is_lost_behind_an_answer() -> None:
    """Nobody reads what is left of the requests, which their clients are told; the answers are whole."""
    room = Between()
    for stream in (1, 3, 5):
        room.client.send_headers(stream, POST)
    room.run()
    for stream, size in ((1, 10), (3, 70_000), (5, 10)):
        room.server.send_headers(stream, OK)
        while size > 0:
            room.server.send_data(stream, b"x" * min(size, 16_000), end_stream=size <= 16_000)
            size -= 16_000
    room.run()
    room.client.end_stream(5)
    room.run()
    assert room.up.session.unanswered() == []
    list(room.up.session.eof(Sender.SERVER))
    abandoned = room.up.session.abandoned()
    assert abandoned == room.requests()[:2]
    for request in abandoned:
        room.down.reply_error(request, Status.UNAVAILABLE, "gone")
    room.client.increment_flow_control_window(100_000)
    room.client.increment_flow_control_window(100_000, stream_id=3)
    room.down.settle()
    assert [len(room.down.body(stream)) for stream in (1, 3, 5)] == [10, 70_000, 10]
    assert len(room.down.got(h2.events.StreamEnded)) == 3
    assert [(e.stream_id, e.error_code) for e in room.down.got(h2.events.StreamReset)] == [(1, 0), (3, 0)]
    assert room.down.session.pending == 0


def test_close_before_the_client_has_said_anything() -> None:
    room = Endpoint(Sender.SERVER, h2_client())
    assert room.session.close() == b""
    room.read()
    first, _, goaway = frames_of(room.session.pending_output())[:3]
    assert isinstance(first, SettingsFrame)
    assert (goaway.last_stream_id, goaway.error_code) == (2**31 - 1, 0)


# ----------------------------------------------------------------------------------------------------- answers made here


def request(fields: list[tuple[str, str]], ends: bool = True) -> tuple[Endpoint, Message]:
    room = Endpoint(Sender.SERVER, h2_client())
    room.settle()
    room.peer.send_headers(1, fields, end_stream=ends)
    [event] = [e for e in room.settle() if isinstance(e, Message) and e.kind is Kind.REQUEST]
    return room, event


@pytest.mark.parametrize("ends", [True, False])
def test_reply_error(ends: bool) -> None:
    room, event = request(GET, ends)
    room.reply_error(event, Status.PERMISSION_DENIED, "not höre")
    [head] = room.got(h2.events.ResponseReceived)
    assert dict(head.headers) == {
        b":status": b"403",
        b"content-type": b"text/plain; charset=utf-8",
        b"content-length": b"9",
    }
    assert room.body(1) == "not höre".encode()
    assert [e.error_code for e in room.got(h2.events.StreamReset)] == ([] if ends else [0])
    assert room.session.reply_error(event, Status.INTERNAL, "again") == b""
    assert room.session.pending == 0


def test_reply_error_to_head() -> None:
    room, event = request([(":method", "HEAD"), *GET[1:]])
    room.reply_error(event, Status.NOT_FOUND, "nothing")
    assert len(room.got(h2.events.StreamEnded)) == 1
    assert room.body(1) == b""


@pytest.mark.parametrize("more", [[], [("tri-service-version", "1")]], ids=["grpc", "triple"])
@pytest.mark.parametrize("ends", [True, False])
def test_reply_error_to_an_rpc(more: list[tuple[str, str]], ends: bool) -> None:
    room, event = request([*RPC, *more], ends)
    assert event.protocol == ("triple" if more else "grpc")
    room.reply_error(event, Status.UNAVAILABLE, "50% ü\n")
    [head] = room.got(h2.events.ResponseReceived)
    assert dict(head.headers) == {
        b":status": b"200", b"content-type": b"application/grpc", b"grpc-status": b"14", b"grpc-message": b"50%25 %C3%BC%0A",
    }  # fmt: skip
    assert len(room.got(h2.events.StreamEnded)) == 1
    assert [e.error_code for e in room.got(h2.events.StreamReset)] == ([] if ends else [0])


def test_reply_error_behind_the_beginning_of_an_answer() -> None:
    room = Between()
    for stream in (1, 3):
        room.client.send_headers(stream, GET, end_stream=True)
    room.run()
    room.server.send_headers(1, OK)
    room.server.send_data(1, b"begun")
    room.run()
    first, _ = room.requests()
    room.down.reply_error(first, Status.UNAVAILABLE, "gone")
    room.server.send_headers(3, OK, end_stream=True)
    room.server.send_data(1, b"more")
    room.run()
    assert [e.stream_id for e in room.down.got(h2.events.StreamEnded)] == [3]
    assert room.down.session.unanswered() == []


def refused_without_a_window() -> Endpoint:
    """A request that goes on and is answered here, while the client takes no octet of a body."""
    room = Endpoint(Sender.SERVER, h2_client())
    room.peer.update_settings({CODES.INITIAL_WINDOW_SIZE: 0})
    room.settle()
    room.peer.send_headers(1, POST)
    [event] = [e for e in room.settle() if isinstance(e, Message) and e.kind is Kind.REQUEST]
    room.reply_error(event, Status.NOT_FOUND, "nothing here")
    return room


def test_reply_error_without_a_window() -> None:
    room = refused_without_a_window()
    room.settle()
    assert room.session.queued == len("nothing here")
    assert room.session.unanswered() == []
    room.peer.send_data(1, b"x" * 1000)  # what it still sends is not wanted, and harms nobody
    room.settle()
    room.peer.increment_flow_control_window(5, stream_id=1)
    room.settle()
    assert not room.got(h2.events.StreamReset)
    room.peer.increment_flow_control_window(100, stream_id=1)
    room.settle()
    assert len(room.got(h2.events.StreamEnded)) == 1
    assert [e.error_code for e in room.got(h2.events.StreamReset)] == [0]


def test_reply_error_and_what_is_on_its_way() -> None:
    """The rest of the request crosses the RST_STREAM that follows the answer: DATA and trailers."""
    room, event = request(POST, False)
    room.peer.send_data(1, b"x" * 100)
    room.peer.send_headers(1, [("x-end", "1")], end_stream=True)
    late = room.peer.data_to_send()
    octets = room.session.reply_error(event, Status.NOT_FOUND, "nothing here")
    assert [type(f).__name__ for f in frames_of(octets)] == ["HeadersFrame", "DataFrame", "RstStreamFrame"]
    assert [e.error for e in room.take(late) if isinstance(e, Message)] == [None, None]
    assert room.session.pending_output() == b""


def test_reply_error_without_a_window_and_a_reset() -> None:
    """The client does not wait for what is left of the answer."""
    room = refused_without_a_window()
    room.peer.reset_stream(1, 8)
    room.settle()
    assert room.session.queued == 0
    room.peer.update_settings({CODES.INITIAL_WINDOW_SIZE: 1000})
    room.settle()
    assert [f for f in room.written if isinstance(f, DataFrame)] == []


def test_reply_error_before_anything_can_be_written() -> None:
    room, event = request(GET)
    room.session.paused = True
    assert room.session.reply_error(event, Status.NOT_FOUND, "nothing") == b""
    assert room.session.pending_output() == b""
    room.session.paused = False
    room.settle()
    assert room.body(1) == b"nothing"
    assert len(room.got(h2.events.StreamEnded)) == 1


# --------------------------------------------------------------------------- what goes wrong on one stream of one connection


def test_a_request_that_goes_wrong_is_cancelled_on_the_other_side() -> None:
    room = Between()
    fields = [*POST, ("content-length", "5")]
    for stream in (1, 3, 5, 7):
        octets = HeadersFrame(stream, room.client.encoder.encode(fields), flags=["END_HEADERS"]).serialize()
        if stream == 1:
            room.run()
        room._pass(room.down.take(octets), room.up.session)
    room.up.write()
    wrong = [
        DataFrame(1, b"six six", flags=["END_STREAM"]),
        HeadersFrame(3, room.client.encoder.encode([("x", "1")]), flags=["END_HEADERS"]),  # trailers that do not end
        WindowUpdateFrame(5, 0),
    ]
    try:
        octets = b"".join(each.serialize() for each in wrong)
    except Exception:
        octets = b"".join(each.serialize() for each in wrong[:2]) + b"\0\0\4\x08\0\0\0\0\5\0\0\0\0"
    room._pass(room.down.take(octets), room.up.session)
    room.up.write()
    assert sorted((e.stream_id, e.error_code) for e in room.up.got(h2.events.StreamReset)) == [(1, 8), (3, 8), (5, 8)]
    resets = [f for f in frames_of(room.down.session.pending_output()) if type(f).__name__ == "RstStreamFrame"]
    assert [(f.stream_id, f.error_code) for f in resets] == [(1, 1), (3, 1), (5, 1)]
    assert room.up.session.unanswered() == room.requests()[3:]


def test_a_body_that_is_too_long_is_reset_once() -> None:
    room = Between()
    room.run()
    head = HeadersFrame(1, room.client.encoder.encode([*POST, ("content-length", "5")]), flags=["END_HEADERS"])
    octets = head.serialize() + DataFrame(1, b"x" * 100).serialize()
    for at in range(0, len(octets), 10):
        room._pass(room.down.take(octets[at : at + 10]), room.up.session)
    room._pass(room.down.take(DataFrame(1, b"y").serialize()), room.up.session)
    resets = [f for f in frames_of(room.down.session.pending_output()) if type(f).__name__ == "RstStreamFrame"]
    assert [(f.stream_id, f.error_code) for f in resets] == [(1, 1)]  # what was on its way is ignored
    room.up.write()
    assert [(e.stream_id, e.error_code) for e in room.up.got(h2.events.StreamReset)] == [(1, 8)]


def test_an_answer_that_goes_wrong_becomes_an_error() -> None:
    room = Between()
    for stream in (1, 3):
        room.client.send_headers(stream, GET, end_stream=True)
    room.run()
    encoder = room.server.encoder
    octets = HeadersFrame(1, encoder.encode([(":status", "2x0")]), flags=["END_HEADERS"]).serialize()
    octets += HeadersFrame(3, encoder.encode([*OK, ("content-length", "9")]), flags=["END_HEADERS"]).serialize()
    room._pass(room.up.take(octets), room.down.session)
    room._pass(room.up.take(DataFrame(3, b"short", flags=["END_STREAM"]).serialize()), room.down.session)
    room.down.write()
    assert [dict(e.headers)[b":status"] for e in room.down.got(h2.events.ResponseReceived)] == [b"500", b"200"]
    assert b"wrong" in room.down.body(1)
    assert [(e.stream_id, e.error_code) for e in room.down.got(h2.events.StreamReset)] == [(3, 2)]


def test_interim_answers_and_trailers_pass() -> None:
    room = Between()
    room.client.send_headers(1, GET, end_stream=True)
    room.run()
    room.server.send_headers(1, [(":status", "100")])
    room.server.send_headers(1, [(":status", "103"), ("link", "</a>")])
    room.server.send_headers(1, OK)
    room.server.send_data(1, b"x" * 10)
    room.server.send_headers(1, [("x-end", "1")], end_stream=True)
    room.run()
    assert [dict(e.headers)[b":status"] for e in room.down.got(h2.events.InformationalResponseReceived)] == [
        b"100",
        b"103",
    ]
    assert [dict(e.headers) for e in room.down.got(h2.events.TrailersReceived)] == [{b"x-end": b"1"}]


def test_trailers_wait_behind_data() -> None:
    room = Between()
    room.client.update_settings({CODES.INITIAL_WINDOW_SIZE: 0})
    room.client.send_headers(1, GET, end_stream=True)
    room.run()
    room.server.send_headers(1, OK)
    room.server.send_data(1, b"x" * 10)
    room.server.send_headers(1, [("x-end", "1")], end_stream=True)
    room.run()
    assert not room.down.got(h2.events.TrailersReceived)
    room.client.increment_flow_control_window(10, stream_id=1)
    room.run()
    assert [type(e).__name__ for e in room.down.heard][-3:] == ["DataReceived", "TrailersReceived", "StreamEnded"]


# ------------------------------------------------------------------------------------------------------- what is not sent


def test_push_is_refused() -> None:
    room = Between()
    room.client.send_headers(1, GET, end_stream=True)
    room.run()
    promise = PushPromiseFrame(1, 2, room.server.encoder.encode(GET), flags=["END_HEADERS"]).serialize()
    with pytest.raises(ProtocolError, match="PUSH_PROMISE"):
        room.up.take(promise)
    assert frames_of(room.up.session.pending_output())[-1].error_code == 1


def test_a_promise_is_not_sent() -> None:
    room = Between()
    room.client.send_headers(1, GET, end_stream=True)
    room.run()
    watcher = open_session("http2")
    list(watcher.receive(Sender.SERVER, SettingsFrame(0).serialize()))
    client = h2_client()
    client.initiate_connection()
    client.send_headers(1, GET)
    list(watcher.receive(Sender.CLIENT, client.data_to_send()))
    encoder = h2_server().encoder
    promise = PushPromiseFrame(1, 2, encoder.encode(GET), flags=["END_HEADERS"]).serialize()
    [event] = watcher.receive(Sender.SERVER, promise)
    with pytest.raises(Unsupported, match="push"):
        room.down.session.send(event)


def test_one_side_does_not_say_what_the_other_says() -> None:
    room, event = request(GET)
    with pytest.raises(Unsupported, match="plays the server"):
        room.session.send(event)


CHAT = [
    (":method", "CONNECT"),
    (":protocol", "websocket"),
    (":scheme", "http"),
    (":path", "/chat"),
    (":authority", "here"),
]


@pytest.mark.parametrize("told", [True, False])
def test_extended_connect_is_asked_for_where_it_is_allowed(told: bool) -> None:
    room = Between()
    room.down = Endpoint(Sender.SERVER, h2_client(), extended=True)
    room.client = room.down.peer
    if told:
        room.run()
    room.down.take(room.client.data_to_send())
    head = HeadersFrame(1, room.client.encoder.encode(CHAT), flags=["END_HEADERS"]).serialize()
    room._pass(room.down.take(head), room.up.session)
    room.run()
    # Known not to be allowed: an error at once. Not known: it waits, and is given back.
    refused = [m for m, _ in room.refused] if told else room.up.session.unprocessed()
    assert [m.operation for m in refused] == ["CONNECT"]
    assert asked(room) == []


def test_extended_connect_is_an_error_where_we_do_not_allow_it() -> None:
    room = Between()
    room.down.take(room.client.data_to_send())
    head = HeadersFrame(1, room.client.encoder.encode(CHAT), flags=["END_HEADERS"]).serialize()
    [event] = room.down.take(head)
    assert isinstance(event, Message)
    assert event.error == "PROTOCOL_ERROR"
    reset = frames_of(room.down.session.pending_output())[-1]
    assert (type(reset).__name__, reset.stream_id, reset.error_code) == ("RstStreamFrame", 1, 1)


@pytest.mark.parametrize("extended", [True, False])
def test_tunnels_carry_data_both_ways(extended: bool) -> None:
    room = Between()
    room.down = Endpoint(Sender.SERVER, h2_client(), extended=True)
    room.client = room.down.peer
    room.server.update_settings({CODES.ENABLE_CONNECT_PROTOCOL: 1})
    room.run()
    assert room.client.remote_settings[CODES.ENABLE_CONNECT_PROTOCOL] == 1
    assert room.up.session.extended_connect
    fields = CHAT if extended else [(":method", "CONNECT"), (":authority", "there:80")]
    head = HeadersFrame(1, room.client.encoder.encode(fields), flags=["END_HEADERS"]).serialize()
    room._pass(room.down.take(head), room.up.session)
    octets = HeadersFrame(1, room.server.encoder.encode(OK), flags=["END_HEADERS"]).serialize()
    said = frames_of(room.up.session.pending_output())
    assert [type(f).__name__ for f in said] == ["HeadersFrame"]
    for number in range(3):
        room._pass(room.down.take(DataFrame(1, b"up%d" % number).serialize()), room.up.session)
        octets += DataFrame(1, b"down%d" % number).serialize()
        room._pass(room.up.take(octets), room.down.session)
        octets = b""
    assert [f.data for f in frames_of(room.up.session.pending_output())] == [b"up0", b"up1", b"up2"]
    assert [getattr(f, "data", b"")[-5:] for f in frames_of(room.down.session.pending_output())][1:] == [
        b"down0",
        b"down1",
        b"down2",
    ]


def test_put_and_send_write_the_same() -> None:
    def octets(use_put: bool) -> bytes:
        room = Between()
        room.client.send_headers(1, GET, end_stream=True)
        events = room.down.read()
        room.up.session.pending_output()
        room.up.take(SettingsFrame(0).serialize())
        found = room.up.session.pending_output()
        for event in events:
            changes = (
                Changes({"url.path": "/other"}) if isinstance(event, Message) and event.kind is Kind.REQUEST else None
            )
            if use_put:
                room.up.session.put(event, changes)
            else:
                found += room.up.session.send(event, changes)
        return found + room.up.session.pending_output()

    assert octets(True) == octets(False)
    assert len(frames_of(octets(True))) == 2


def test_data_of_nothing_known_is_nothing() -> None:
    _, event = request(POST, ends=False)
    other = Endpoint(Sender.CLIENT, h2_server())
    other.settle()
    assert other.session.send(Data(event, 0, b"x", False)) == b""
