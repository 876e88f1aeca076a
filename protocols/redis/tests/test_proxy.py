"""A proxy made of sessions, between redis-py and real servers: changes, answers of its own, and two servers behind one connection."""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
from collections.abc import Callable, Iterator

import pytest
import redis

from l7codecs import Changes, Event, Kind, Message, Sender, Session, Status, open_session
from l7codecs.testing import PATIENCE

from .conftest import Server, until
from .observing import RawClient, pack

Route = Callable[["Proxied", Message], None]


class Proxied:
    """One connection of a client, and those to the servers: one session for each."""

    def __init__(self, client: socket.socket, paths: list[str]) -> None:
        self.client = client
        self.downstream = open_session("redis", endpoint=Sender.SERVER)
        self.upstream: list[tuple[socket.socket, Session]] = []
        for path in paths:
            server = socket.socket(socket.AF_UNIX)
            server.connect(path)
            self.upstream.append((server, open_session("redis", endpoint=Sender.CLIENT)))
        self.target = 0

    def forward(self, event: Event, changes: Changes | None = None, to: int = 0) -> None:
        """Send what the client said on to a server."""
        self.target = to
        server, session = self.upstream[to]
        server.sendall(session.send(event, changes))

    def answer(self, octets: bytes) -> None:
        if octets:
            self.client.sendall(octets)

    def close(self) -> None:
        for each in (self.client, *(server for server, _ in self.upstream)):
            each.close()


class Proxy:
    """Listens on a free port; `route` decides on every command."""

    def __init__(self, servers: list[Server], route: Route) -> None:
        self._paths = [server.path for server in servers]
        self._route = route
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._wake, self._woken = socket.socketpair()
        self.errors: list[BaseException] = []
        self.connections: list[Proxied] = []
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def __enter__(self) -> Proxy:
        return self

    def __exit__(self, *_: object) -> None:
        self._wake.send(b"x")
        self._thread.join(PATIENCE)
        for each in self.connections:
            each.close()
        for each in (self._listener, self._wake, self._woken):
            each.close()
        if self.errors:
            raise self.errors[0]

    def _run(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._listener, selectors.EVENT_READ, self._accept)
            selector.register(self._woken, selectors.EVENT_READ, None)
            while True:
                for key, _ in selector.select():
                    if key.fileobj is self._woken:
                        return
                    elif key.data == self._accept:
                        self._accept(selector)
                    else:
                        try:
                            self._read(selector, key.fileobj, *key.data)
                        except BaseException as error:  # the test will raise it
                            self.errors.append(error)
                            key.data[0].close()
                            return

    def _accept(self, selector: selectors.BaseSelector) -> None:
        connection = Proxied(self._listener.accept()[0], self._paths)
        self.connections.append(connection)
        selector.register(connection.client, selectors.EVENT_READ, (connection, -1))
        for index, (server, _) in enumerate(connection.upstream):
            selector.register(server, selectors.EVENT_READ, (connection, index))

    def _read(self, selector: selectors.BaseSelector, source: socket.socket, connection: Proxied, index: int) -> None:
        octets = b""
        with contextlib.suppress(ConnectionResetError):
            octets = source.recv(65536)
        if not octets:
            for each in (connection.client, *(server for server, _ in connection.upstream)):
                with contextlib.suppress(KeyError, ValueError):
                    selector.unregister(each)
            connection.close()
        elif index < 0:
            for event in connection.downstream.receive(Sender.CLIENT, octets):
                if isinstance(event, Message):
                    self._route(connection, event)
                else:
                    connection.forward(event, None, connection.target)
        else:
            for event in connection.upstream[index][1].receive(Sender.SERVER, octets):
                connection.answer(connection.downstream.send(event))


def plain(connection: Proxied, message: Message) -> None:
    connection.forward(message)


@contextlib.contextmanager
def proxied(servers: list[Server], route: Route, protocol: int = 2) -> Iterator[redis.Redis]:
    with Proxy(servers, route) as proxy:
        client = redis.Redis(host="127.0.0.1", port=proxy.port, protocol=protocol, socket_timeout=PATIENCE)
        yield client
        client.connection_pool.disconnect()
        client.close()


@pytest.fixture
def flushed(server: Server) -> Server:
    server.flush()
    return server


@pytest.mark.parametrize("protocol", [2, 3], ids=["resp2", "resp3"])
def test_untouched(flushed: Server, protocol: int) -> None:
    """Pipelines, transactions, large values, errors, subscriptions: all as without a proxy."""
    with proxied([flushed], plain, protocol) as client:
        for transaction in (True, False):
            pipeline = client.pipeline(transaction=transaction)
            for number in range(300):
                pipeline.set(f"k{number}", number).get(f"k{number}")
            answers = pipeline.execute()
            assert answers[1::2] == [b"%d" % number for number in range(300)]
        with client.pipeline() as pipeline:
            pipeline.watch("k1")
            flushed.admin.set("k1", "changed")
            pipeline.multi()
            pipeline.set("k1", "lost")
            with pytest.raises(redis.WatchError):
                pipeline.execute()
        value = bytes(range(256)) * 12_000
        client.set("big", value)
        pipeline = client.pipeline(transaction=False)
        pipeline.get("k2").get("big").set("big2", value).get("big2").ping()
        assert pipeline.execute() == [b"2", value, True, value, True]
        with pytest.raises(redis.ResponseError):
            client.lpush("k1", "x")
        channels = client.pubsub()
        channels.subscribe("c")
        assert channels.parse_response()[0] == b"subscribe"
        flushed.admin.publish("c", "hello")
        assert channels.parse_response() == [b"message", b"c", b"hello"]
        channels.close()


def test_rename(flushed: Server) -> None:
    """Renamed keys land under their new names; the answers come as if nothing had happened."""

    def route(connection: Proxied, message: Message) -> None:
        keys = tuple(b"tenant:" + bytes(key) for key in message.resources)
        connection.forward(message, Changes({"redis.keys": keys}) if keys else None)

    with proxied([flushed], route) as client:
        client.set("a", "1")
        client.mset({"b": "2", "c": "3"})
        assert client.mget("a", "b", "c") == [b"1", b"2", b"3"]
        pipeline = client.pipeline()
        pipeline.incr("a").rename("b", "bb").zadd("z", {"m": 1}).zunionstore("zz", ["z", "a\r\nb"]).get("bb")
        assert pipeline.execute() == [2, True, 1, 1, b"2"]
        script = client.register_script("return redis.call('get', KEYS[1]) .. KEYS[2]")
        assert script(keys=["a", "x"]) == b"2tenant:x"
        client.xadd("s", {"f": "v"}, id="1-1")
        assert client.xread({"s": "0"})
    assert sorted(flushed.admin.keys("*")) == [b"tenant:" + key for key in (b"a", b"bb", b"c", b"s", b"z", b"zz")]


def test_other_command(flushed: Server) -> None:
    def route(connection: Proxied, message: Message) -> None:
        connection.forward(message, Changes({"db.operation.name": "UNLINK"}) if message.operation == "DEL" else None)

    flushed.admin.config_resetstat()
    with proxied([flushed], route) as client:
        client.set("a", "1")
        assert client.delete("a", "b") == 1
    statistics = flushed.admin.info("commandstats")
    assert statistics["cmdstat_unlink"]["calls"] == 1 and "cmdstat_del" not in statistics


@pytest.mark.parametrize("size", [10, 100_000], ids=["one read", "many reads"])
def test_refused(flushed: Server, size: int) -> None:
    """A command that the proxy refuses is answered in its place in the pipeline."""

    def route(connection: Proxied, message: Message) -> None:
        if message.attributes.get("l7.access") == "admin" or message.operation == "FLUSHALL":
            connection.answer(
                connection.downstream.reply_error(
                    message, Status.PERMISSION_DENIED, f"no {message.operation} here\r\nat all"
                )
            )
        else:
            connection.forward(message)

    value = b"v" * size
    with proxied([flushed], route) as client:
        pipeline = client.pipeline(transaction=False)
        pipeline.set("a", value).flushall().get("a").config_get("*").flushall().get("missing").flushall()
        answers = pipeline.execute(raise_on_error=False)
        assert [type(answer) for answer in answers] == [
            bool, redis.exceptions.NoPermissionError, bytes, redis.exceptions.NoPermissionError, redis.exceptions.NoPermissionError,
            type(None), redis.exceptions.NoPermissionError,
        ]  # fmt: skip
        assert answers[2] == value and "no FLUSHALL here at all" in str(answers[1])
        with pytest.raises(redis.exceptions.NoPermissionError):
            client.flushall()
        assert client.get("a") == value


def test_heartbeats(flushed: Server) -> None:
    """PING is answered by the proxy, in its place; the server never sees it."""
    beats: list[Message] = []

    def route(connection: Proxied, message: Message) -> None:
        if message.kind is Kind.HEARTBEAT:
            beats.append(message)
            connection.answer(connection.downstream.reply_heartbeat(message))
        else:
            connection.forward(message)

    flushed.admin.config_resetstat()
    with proxied([flushed], route) as client:
        assert client.ping()
        pipeline = client.pipeline(transaction=False)
        pipeline.ping().set("a", "1").ping().get("a").ping().get("b").ping()
        assert pipeline.execute() == [True, True, True, b"1", True, None, True]
        pipeline = client.pipeline(transaction=True)
        pipeline.ping().get("a")
        assert pipeline.execute() == [True, b"1"]
        channels = client.pubsub()
        channels.subscribe("c")
        channels.parse_response()
        channels.ping("alive")
        assert channels.parse_response() == [b"pong", b"alive"]
        channels.close()
    assert len(beats) == 6
    assert flushed.admin.info("commandstats")["cmdstat_ping"]["calls"] == 1  # the one in the transaction


@pytest.fixture
def second(server: Server) -> Iterator[Server]:
    started = Server(server.peer)
    yield started
    started.stop()


def by_prefix(connection: Proxied, message: Message) -> None:
    connection.forward(message, to=1 if message.resources and bytes(message.resources[0]).startswith(b"b") else 0)


def test_two_servers(flushed: Server, second: Server) -> None:
    """Each key goes to its server; the answers come back in the order of the commands, though the servers answer in another."""
    with proxied([flushed, second], by_prefix) as client:
        pipeline = client.pipeline(transaction=False)
        for number in range(500):
            pipeline.set(f"{'ab'[number % 3 == 0]}:{number}", number)
        for number in reversed(range(500)):
            pipeline.get(f"{'ab'[number % 3 == 0]}:{number}")
        answers = pipeline.execute()
        assert answers == [True] * 500 + [b"%d" % number for number in reversed(range(500))]
    assert second.admin.dbsize() == 167 and flushed.admin.dbsize() == 333


def test_two_servers_out_of_order(flushed: Server, second: Server) -> None:
    """The first server blocks; the second has long answered. Nothing overtakes."""
    with Proxy([flushed, second], by_prefix) as proxy:
        client = RawClient(proxy.port)
        big = b"x" * 2_000_000
        second.admin.set("b:big", big)
        words = [
            b"BLPOP a:queue 0",
            b"GET b:none",
            b"GET b:big",
            b"GET a:none",
            b"ECHO four",
            b"RPUSH b:list 1 2",
            b"LRANGE b:list 0 -1",
            b"PING",
        ]
        client.send(b"".join(pack(line.split(b" ")) for line in words))
        # The second server has answered all that it will be asked before the first one is let go.
        until(lambda: second.admin.llen("b:list") == 2)
        client.socket.settimeout(0.05)
        with pytest.raises(TimeoutError):
            client.socket.recv(1)
        client.socket.settimeout(PATIENCE)
        flushed.admin.rpush("a:queue", "job")
        assert client.replies(8) == [[b"a:queue", b"job"], None, big, None, b"four", 2, [b"1", b"2"], b"PONG"]
        client.close()


def test_own_answers_wait_for_a_blocked_command(flushed: Server) -> None:
    def route(connection: Proxied, message: Message) -> None:
        if message.kind is Kind.HEARTBEAT:
            connection.answer(connection.downstream.reply_heartbeat(message))
        elif message.operation == "KEYS":
            connection.answer(connection.downstream.reply_error(message, Status.PERMISSION_DENIED, "no"))
        else:
            connection.forward(message)

    with Proxy([flushed], route) as proxy:
        client = RawClient(proxy.port)
        client.send(
            pack([b"BLPOP", b"queue", b"0"])
            + pack([b"PING"])
            + pack([b"KEYS", b"*"])
            + pack([b"GET", b"a"])
            + pack([b"PING", b"x"])
        )
        until(lambda: flushed.admin.info("clients")["blocked_clients"] == 1)
        flushed.admin.rpush("queue", "job")
        assert client.replies(5) == [[b"queue", b"job"], b"PONG", "NOPERM no", None, b"x"]
        client.close()
