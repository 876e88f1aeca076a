"""Requests that are given up, and many clients on one connection: sessions alone, and examples/http2_shared_relay.py between h2 and h2."""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import ModuleType

import h2.config
import h2.connection
import h2.events
import pytest

from l7codecs import Kind, LimitExceeded, Limits, Message, ProtocolError, Sender, Status, Unsupported
from l7codecs.testing import PATIENCE

from .between import GET, POST, Between, Endpoint, frames_of, get, h2_client

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "http2_shared_relay.py"
OK = [(":status", "200")]


# ------------------------------------------------------------------------------------------------------------- given up


def test_what_is_given_up_is_cancelled_and_its_late_answer_is_nothing() -> None:
    room = Between()
    for number in (1, 3):
        room.client.send_headers(number, get(f"/{number}"), end_stream=True)
    room.run()
    one, other = room.requests()
    octets = room.up.session.cancel(one)
    room.up.heard += room.server.receive_data(octets)
    (reset,) = room.up.got(h2.events.StreamReset)
    assert (reset.stream_id, reset.error_code) == (1, 8)
    assert room.up.session.unanswered() == [other] and room.up.session.cancel(one) == b""
    room.run()
    room.server.send_headers(3, OK, end_stream=True)
    room.run()
    assert [e.stream_id for e in room.down.got(h2.events.ResponseReceived)] == [3]


def test_an_answer_that_was_under_way_yields_nothing() -> None:
    room = Between()
    room.client.send_headers(1, GET, end_stream=True)
    room.run()
    (request,) = room.requests()
    room.server.send_headers(1, OK)
    room.server.send_data(1, b"x" * 100, end_stream=True)
    late = room.server.data_to_send()
    assert room.up.session.cancel(request)
    events = room.up.take(late)
    assert not [event for event in events if getattr(event, "request", None) is request], events
    assert b"".join(room.down.session.send(event) for event in events) == b""
    list(room.up.session.eof(Sender.SERVER))
    assert room.up.session.abandoned() == []


def test_what_waits_for_a_stream_is_not_asked() -> None:
    room = Between()
    room.server.update_settings({h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: 1})
    room.run()
    for number in (1, 3, 5):
        room.client.send_headers(number, get(f"/{number}"), end_stream=True)
    room.run()
    first, second, third = room.requests()
    assert room.up.session.cancel(second) == b""
    assert room.up.session.unanswered() == [first, third]
    room.server.send_headers(1, OK, end_stream=True)
    room.run()
    paths = [dict(e.headers)[b":path"] for e in room.up.got(h2.events.RequestReceived)]
    assert paths == [b"/1", b"/5"]
    with pytest.raises(Unsupported, match="answer it"):
        room.down.session.cancel(third)


def test_it_is_full_where_no_more_can_wait() -> None:
    room = Between(Limits(pending=3))
    room.server.update_settings({h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: 1})
    room.run()
    full = []
    for number in (1, 3, 5, 7):
        room.client.send_headers(number, get(f"/{number}"), end_stream=True)
        room.run()
        full.append(room.up.session.full)
    assert full == [False, False, False, True]
    room.server.send_headers(1, OK, end_stream=True)
    room.run()
    assert not room.up.session.full and not room.refused


def test_past_full_a_request_is_refused_before_anything_changes() -> None:
    room = Between(Limits(pending=2, streams=100))
    room.server.update_settings({h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: 1})
    room.run()
    for number in range(1, 2 * 18, 2):
        room.client.send_headers(number, get(f"/{number}"), end_stream=True)
    events = room.down.read()
    requests = [event for event in events if isinstance(event, Message) and event.kind is Kind.REQUEST]
    for request in requests[:16]:
        room.up.session.put(request)
        assert room.up.session.full == (request in requests[2:])
    before = room.up.session.unanswered()
    with pytest.raises(LimitExceeded, match=r"8 times limits\.pending"):
        room.up.session.put(requests[16])
    assert room.up.session.unanswered() == before == requests[:16]
    for request in requests[2:16]:
        room.up.session.cancel(request)
    assert not room.up.session.full, "what was given up does not count"
    room.up.session.put(requests[17])


def test_what_streams_is_told_so_that_it_is_read_on() -> None:
    """Where all streams wait for the rest of their requests, nothing else ends what makes the session full."""
    room = Between(Limits(pending=1))
    room.server.update_settings({h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: 1})
    room.run()
    room.client.send_headers(1, POST)
    room.client.send_headers(3, get("/waits"), end_stream=True)
    room.run()
    first, _ = room.requests()
    assert room.up.session.full and room.up.session.streaming() == [first]
    room.up.session.paused = True
    assert room.up.session.streaming() == []
    room.up.session.paused = False
    room.client.send_data(1, b"x" * 100, end_stream=True)
    room.run()
    assert room.up.session.streaming() == []
    room.server.send_headers(1, OK)
    room.run()
    (answer,) = [event for event in room.events if isinstance(event, Message) and event.kind is Kind.RESPONSE]
    assert room.down.session.streaming() == [answer] and room.up.session.full
    room.server.send_data(1, b"y", end_stream=True)
    room.run()
    assert room.down.session.streaming() == [] and not room.up.session.full


def test_what_the_peer_takes_nothing_of_is_not_read_on() -> None:
    room = Between()
    room.server.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: 10})
    room.run()
    room.client.send_headers(1, POST)
    room.run()
    assert len(room.up.session.streaming()) == 1
    room.client.send_data(1, b"x" * 100)
    room.run()
    assert room.up.session.queued == 90 and room.up.session.streaming() == []


def test_a_request_that_is_answered_before_its_end_is_listed_and_given_up() -> None:
    """Its client leaves: the server would wait for the rest of it for ever."""
    room = Between()
    room.client.send_headers(1, POST)
    room.run()
    room.server.send_headers(1, OK, end_stream=True)
    room.run()
    (request,) = room.requests()
    assert room.down.session.unanswered() == [request]
    octets = b"".join(room.up.session.cancel(each) for each in room.down.session.unanswered())
    room.up.heard += room.server.receive_data(octets)
    (reset,) = room.up.got(h2.events.StreamReset)
    assert (reset.stream_id, reset.error_code) == (1, 8)


def test_a_server_that_breaks_the_protocol_is_told_at_once() -> None:
    room = Between()
    for number in (1, 3, 5):
        room.client.send_headers(number, get(f"/{number}"), end_stream=True)
    room.run()
    requests = room.requests()
    room.up.session.cancel(requests[1])
    room.down.reply_error(requests[2], Status.DEADLINE_EXCEEDED, "too slow")
    with pytest.raises(ProtocolError):
        room.up.take(b"\0\0\1\x06\0\0\0\0\0.")  # a PING of one octet
    assert room.up.session.closing and room.up.session.unanswered() == [requests[0], requests[2]]
    with pytest.raises(Unsupported, match="another"):
        room.up.session.send(requests[0])
    assert room.up.session.abandoned() == [requests[0]], "what was given up or answered here is settled"
    (goaway,) = frames_of(room.up.session.pending_output())
    assert type(goaway).__name__ == "GoAwayFrame" and goaway.error_code == 6
    assert room.up.session.abandoned() == []


def test_a_client_that_breaks_the_protocol_is_told_at_once() -> None:
    room = Between()
    room.client.send_headers(1, GET, end_stream=True)
    room.run()
    with pytest.raises(ProtocolError):
        room.down.take(b"\0\0\1\x06\0\0\0\0\0.")
    assert room.down.session.closing


def test_after_goaway_what_was_given_up_is_not_abandoned() -> None:
    room = Between()
    for number in (1, 3, 5):
        room.client.send_headers(number, get(f"/{number}"), end_stream=True)
    room.run()
    first, second, third = room.requests()
    room.server.close_connection(last_stream_id=1)
    room.run()
    assert room.up.session.closing and room.up.session.cancel(third) == b""
    assert room.up.session.abandoned() == [second]
    list(room.up.session.eof(Sender.SERVER))
    room.up.session.cancel(first)
    assert room.up.session.abandoned() == []


def test_two_clients_on_one_connection() -> None:
    """Both use stream 1 for what they ask."""
    room = Between()
    other = Endpoint(Sender.SERVER, h2_client())
    room.run()
    other.settle()
    room.client.send_headers(1, get("/a"), end_stream=True)
    other.peer.send_headers(1, get("/b"), end_stream=True)
    for event in other.read():
        room.up.session.put(event)
    room.run()
    asked = room.up.got(h2.events.RequestReceived)
    assert sorted(e.stream_id for e in asked) == [1, 3]
    for event in asked:
        room.server.send_headers(
            event.stream_id, [*OK, ("x-path", dict(event.headers)[b":path"].decode())], end_stream=True
        )
    flows = {room.down.session.flow: room.down, other.session.flow: other}
    for event in room.up.read():
        if isinstance(event, Message) and event.request is not None:
            flows[event.request.connection].session.put(event)
    for leg, path in ((room.down, b"/a"), (other, b"/b")):
        leg.settle()
        (answer,) = leg.got(h2.events.ResponseReceived)
        assert answer.stream_id == 1 and dict(answer.headers)[b"x-path"] == path


# ---------------------------------------------------------------------------------------------------------- the example


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("http2_shared_relay", EXAMPLE)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Talker(asyncio.Protocol):
    """h2 on a connection."""

    def __init__(self, client: bool) -> None:
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=client, header_encoding="utf-8"))
        self.transport: asyncio.Transport | None = None
        self.bodies: dict[int, bytearray] = {}
        self.heads: dict[int, dict[str, str]] = {}
        self.ended: set[int] = set()
        self.resets: dict[int, int] = {}
        self.changed = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.h2.initiate_connection()
        self.flush()

    def flush(self) -> None:
        assert self.transport is not None
        self.transport.write(self.h2.data_to_send())

    def data_received(self, octets: bytes) -> None:
        for event in self.h2.receive_data(octets):
            if isinstance(event, h2.events.RequestReceived | h2.events.ResponseReceived):
                self.heads[event.stream_id] = dict(event.headers)
            elif isinstance(event, h2.events.DataReceived):
                self.bodies.setdefault(event.stream_id, bytearray()).extend(event.data)
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, h2.events.StreamEnded):
                self.ended.add(event.stream_id)
                self.has_ended(event.stream_id)
            elif isinstance(event, h2.events.StreamReset):
                self.resets[event.stream_id] = event.error_code
        self.flush()
        self.changed.set()

    def has_ended(self, stream: int) -> None:
        """For a server to answer."""

    async def until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            self.changed.clear()
            await asyncio.wait_for(self.changed.wait(), PATIENCE)


class Echo(Talker):
    """Answers with the path and the body, but what is to wait."""

    def __init__(self) -> None:
        super().__init__(False)

    def has_ended(self, stream: int) -> None:
        path = self.heads[stream][":path"]
        if not path.startswith("/wait"):
            self.h2.send_headers(stream, [*OK, ("x-path", path)])
            self.h2.send_data(stream, bytes(self.bodies.get(stream, b"")), end_stream=True)


class Room:
    def __init__(self) -> None:
        self.servers: list[Echo] = []
        self.port = 0

    def serve(self) -> Echo:
        self.servers.append(Echo())
        return self.servers[-1]

    async def connect(self) -> Talker:
        _, client = await asyncio.get_running_loop().create_connection(lambda: Talker(True), "127.0.0.1", self.port)
        return client


def run(work: Callable[[Room], Awaitable[None]]) -> None:
    async def main() -> None:
        example, room = load(), Room()
        loop = asyncio.get_running_loop()
        back = await loop.create_server(room.serve, "127.0.0.1", 0)
        relay = example.Relay([("", back.sockets[0].getsockname()[1])])
        front = await loop.create_server(lambda: example.Client(relay, Sender.SERVER), "127.0.0.1", 0)
        room.port = front.sockets[0].getsockname()[1]
        try:
            await asyncio.wait_for(work(room), PATIENCE)
        finally:
            front.close()
            back.close()
            for leg in (*relay.clients.values(), *relay.servers, *room.servers):
                if leg.transport:
                    leg.transport.abort()
            await asyncio.sleep(0.05)

    asyncio.run(main())


def test_many_clients_on_one_connection() -> None:
    async def one(room: Room, name: int) -> None:
        client = await room.connect()
        for at in range(20):
            stream = 1 + 2 * at
            client.h2.send_headers(stream, [*POST[:2], (":path", f"/{name}/{at}"), POST[3]])
            client.h2.send_data(stream, b"%d" % name * (at * 50), end_stream=True)
            client.flush()
            if at % 3 == 0:
                await asyncio.sleep(0)
        await client.until(lambda: len(client.ended) == 20)
        for at in range(20):
            stream = 1 + 2 * at
            assert client.heads[stream]["x-path"] == f"/{name}/{at}"
            assert bytes(client.bodies.get(stream, b"")) == b"%d" % name * (at * 50)
        assert client.transport is not None
        client.transport.close()

    async def work(room: Room) -> None:
        await asyncio.gather(*(one(room, name) for name in range(12)))
        (server,) = room.servers
        assert len(server.heads) == 240

    run(work)


def test_a_client_that_goes_away_has_its_requests_cancelled() -> None:
    async def work(room: Room) -> None:
        leaving, staying = await room.connect(), await room.connect()
        for at in range(3):
            leaving.h2.send_headers(1 + 2 * at, get(f"/wait/{at}"), end_stream=True)
        leaving.flush()
        staying.h2.send_headers(1, get("/stays"), end_stream=True)
        staying.flush()
        await staying.until(lambda: 1 in staying.ended)
        (server,) = room.servers
        await server.until(lambda: len(server.heads) == 4)
        assert leaving.transport is not None and staying.transport is not None
        leaving.transport.abort()
        await server.until(lambda: len(server.resets) == 3)
        assert set(server.resets.values()) == {8}
        staying.h2.send_headers(3, get("/again"), end_stream=True)
        staying.flush()
        await staying.until(lambda: 3 in staying.ended)
        staying.transport.close()

    run(work)


def test_a_server_that_goes_away_is_told_to_whoever_waits() -> None:
    async def work(room: Room) -> None:
        clients = [await room.connect() for _ in range(3)]
        for client in clients:
            client.h2.send_headers(1, get("/wait"), end_stream=True)
            client.flush()
        while not room.servers or len(room.servers[0].heads) < 3:
            await asyncio.sleep(0.01)
        gone = room.servers[0].transport
        assert gone is not None
        gone.abort()
        for client in clients:
            await client.until(lambda client=client: 1 in client.ended)  # type: ignore[misc]
            assert client.heads[1][":status"] == "503"
            client.h2.send_headers(3, get("/again"), end_stream=True)
            client.flush()
            await client.until(lambda client=client: 3 in client.ended)  # type: ignore[misc]
            assert client.transport is not None
            client.transport.close()
        assert len(room.servers) == 2

    run(work)
