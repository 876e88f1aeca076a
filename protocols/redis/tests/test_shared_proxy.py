"""examples/redis_shared_proxy.py: many clients on one connection, with a server of a few lines here, and with a real one."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import random
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest
import redis

from l7codecs.testing import PATIENCE, free_port

from .conftest import BOTH, REDIS, Server, find_program
from .conftest import until as wait_until

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "redis_shared_proxy.py"


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("redis_shared_proxy", EXAMPLE)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def command(*words: bytes) -> bytes:
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)


def commands(octets: bytearray) -> Iterator[list[bytes]]:
    """Those that are whole in `octets`, which are taken out: as the specification says, one size after the other."""
    while octets:
        at, words = octets.find(b"\r\n") + 2, []
        if at < 2:
            return
        assert octets[:1] == b"*", bytes(octets[:50])
        for _ in range(int(octets[1 : at - 2])):
            head = octets.find(b"\r\n", at)
            if head < 0:
                return
            assert octets[at : at + 1] == b"$", bytes(octets[at : at + 50])
            size = int(octets[at + 1 : head])
            words.append(bytes(octets[head + 2 : head + 2 + size]))
            at = head + 4 + size
            if at > len(octets):
                return
        del octets[:at]
        yield words


class FakeRedis:
    """Answers GET with its key, and SET with the size of the value. Keeps the reader and writer of every connection."""

    def __init__(self) -> None:
        self.connections: list[asyncio.StreamWriter] = []
        self.seen: list[list[bytes]] = []
        self.reads = 0
        self.answers = True
        self.ended = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections.append(writer)
        octets = bytearray()
        while read := await reader.read(1 << 16):
            self.reads += 1
            octets += read
            for words in commands(octets):
                self.seen.append(words)
                if self.answers:
                    answer = words[1] if words[0] == b"GET" else b"%d" % len(words[-1])
                    writer.write(b"$%d\r\n%s\r\n" % (len(answer), answer))
        self.ended += 1
        writer.close()


Work = Callable[["Room"], Awaitable[None]]


class Room:
    def __init__(self, port: int, servers: list[FakeRedis], proxy: object) -> None:
        self.port = port
        self.servers = servers
        self.proxy = proxy

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port)


async def until(condition: Callable[[], bool]) -> None:
    for _ in range(int(PATIENCE * 100)):
        if condition():
            return
        await asyncio.sleep(0.01)
    pytest.fail("it does not come")


def run(work: Work, servers: int = 1) -> None:
    async def main() -> None:
        example = load()
        fakes = [FakeRedis() for _ in range(servers)]
        listeners = [await asyncio.start_server(fake.serve, "127.0.0.1", 0) for fake in fakes]
        proxy = example.Proxy([listener.sockets[0].getsockname()[1] for listener in listeners])
        loop = asyncio.get_running_loop()
        front = await loop.create_server(lambda: example.Client(proxy, example.Sender.SERVER), "127.0.0.1", 0)
        try:
            await asyncio.wait_for(work(Room(front.sockets[0].getsockname()[1], fakes, proxy)), PATIENCE)
        finally:
            front.close()
            for listener in listeners:
                listener.close()
            for leg in (*proxy.clients.values(), *proxy.servers.values()):
                if leg.transport:
                    leg.transport.abort()
            await asyncio.sleep(0.05)

    asyncio.run(main())


async def talk(room: Room, number: int, rounds: int, seed: int) -> None:
    """One client: pipelines of commands of its own, cut anywhere; every answer is its own, in its order."""
    chance = random.Random(seed)
    reader, writer = await room.connect()
    for turn in range(rounds):
        said, expected = b"", b""
        for at in range(chance.randint(1, 20)):
            key = b"%d.%d.%d" % (number, turn, at)
            what = chance.random()
            if what < 0.7:
                said += command(b"GET", key)
                expected += b"$%d\r\n%s\r\n" % (len(key), key)
            elif what < 0.9:
                size = 1_500_000 if what > 0.89 else chance.randint(0, 3000)
                said += command(b"SET", key, b"v" * size)
                expected += b"$%d\r\n%d\r\n" % (len(b"%d" % size), size)
            elif what < 0.95:
                said += b"PING\r\n"
                expected += b"+PONG\r\n"
            else:
                said += command(b"BLPOP", key, b"0")
                expected += b"-NOPERM BLPOP: not on a connection that clients share\r\n"
        while said:
            size = chance.choice((1, 10, 100, 100_000, 1 << 20))
            writer.write(said[:size])
            said = said[size:]
            if chance.random() < 0.3:
                await asyncio.sleep(0)
        assert await reader.readexactly(len(expected)) == expected
    writer.close()


@pytest.mark.parametrize("servers", [1, 3])
def test_every_client_gets_its_own_answers_in_its_order(servers: int) -> None:
    async def work(room: Room) -> None:
        await asyncio.gather(*(talk(room, number, 15, number) for number in range(12)))
        assert [len(fake.connections) for fake in room.servers] == [1] * servers
        seen = [words[1] for fake in room.servers for words in fake.seen]
        assert len(set(seen)) == len(seen) > 1000
        for fake in room.servers:
            for number in range(12):
                own = [
                    [int(part) for part in key.split(b".")]
                    for _, key, *_ in fake.seen
                    if key.startswith(b"%d." % number)
                ]
                assert own == sorted(own), "a client's commands in another order"

    run(work, servers)


def test_a_turn_makes_one_write() -> None:
    async def work(room: Room) -> None:
        clients = [await room.connect() for _ in range(20)]
        for _ in range(20):
            for _, writer in clients:
                writer.write(command(b"GET", b"k") * 50)
            for reader, _ in clients:
                await reader.readexactly(len(b"$1\r\nk\r\n") * 50)
        fake = room.servers[0]
        assert len(fake.seen) == 20_000
        assert fake.reads < 20 * 20 * 2, "no more reads than there were of the clients, or near"
        for _, writer in clients:
            writer.close()

    run(work)


def test_a_client_that_leaves_takes_nobody_with_it() -> None:
    async def work(room: Room) -> None:
        fake = room.servers[0]
        fake.answers = False
        _, leaving = await room.connect()
        reader, writer = await room.connect()
        leaving.write(command(b"GET", b"mine") * 5)
        await until(lambda: len(fake.seen) == 5)
        writer.write(command(b"GET", b"yours"))
        await until(lambda: len(fake.seen) == 6)
        leaving.close()
        await until(lambda: len(room.proxy.clients) == 1)  # type: ignore[attr-defined]
        fake.connections[0].write(b"$4\r\nmine\r\n" * 5 + b"$5\r\nyours\r\n")
        assert await reader.readexactly(11) == b"$5\r\nyours\r\n"
        writer.close()

    run(work)


def test_a_client_that_leaves_inside_of_a_command() -> None:
    """Its server's connection is lost, and the others hear so: what waited behind can be asked again, and is, on a new one."""

    async def work(room: Room) -> None:
        fake = room.servers[0]
        _, leaving = await room.connect()
        reader, writer = await room.connect()
        leaving.write(command(b"SET", b"k", b"x" * 3_000_000)[:2_000_000])
        await until(lambda: fake.reads > 10)
        writer.write(command(b"GET", b"a"))
        await until(lambda: any(leg.session.unanswered() for leg in room.proxy.clients.values()))  # type: ignore[attr-defined]
        leaving.transport.abort()
        assert (await reader.readline()).startswith(b"-TRYAGAIN ")
        writer.write(command(b"GET", b"b"))
        assert await reader.readexactly(7) == b"$1\r\nb\r\n"
        assert len(fake.connections) == 2 and [words[1] for words in fake.seen] == [b"b"]
        writer.close()

    run(work)


def test_a_server_that_goes_away_and_what_ties_a_client() -> None:
    async def work(room: Room) -> None:
        fake = room.servers[0]
        reader, writer = await room.connect()
        for words in ((b"MULTI",), (b"SELECT", b"1"), (b"SUBSCRIBE", b"x"), (b"HELLO", b"3"), (b"MONITOR",)):
            writer.write(command(*words))
            assert (await reader.readline()).startswith(b"-NOPERM "), words
        fake.answers = False
        writer.write(command(b"GET", b"a") + command(b"GET", b"b"))
        await until(lambda: len(fake.seen) == 2)
        fake.connections[0].close()
        for _ in range(2):
            assert (await reader.readline()).startswith(b"-TRYAGAIN ")
        fake.answers = True
        writer.write(command(b"GET", b"c"))
        assert await reader.readexactly(7) == b"$1\r\nc\r\n"
        writer.close()

    run(work)


def test_keys_of_several_servers_are_refused() -> None:
    async def work(room: Room) -> None:
        reader, writer = await room.connect()
        writer.write(command(b"MGET", *[b"key%d" % number for number in range(20)]) + command(b"GET", b"a"))
        assert (await reader.readline()).startswith(b"-ERR MGET: keys of several servers")
        assert await reader.readexactly(7) == b"$1\r\na\r\n"
        writer.close()

    run(work, 3)


def test_without_a_server_the_client_is_told() -> None:
    async def work(room: Room) -> None:
        room.proxy.ports[0] = 1  # type: ignore[attr-defined]  # where nothing listens
        reader, writer = await room.connect()
        writer.write(command(b"GET", b"a"))
        assert (await reader.readline()).startswith(b"-TRYAGAIN ")
        writer.close()

    run(work)


@pytest.fixture(scope="module", params=BOTH)
def proxied(request: pytest.FixtureRequest) -> Iterator[tuple[str, int, Server]]:
    """The port of a proxy that runs as its users run it, before a real server."""
    ports = free_port(), free_port()
    server = Server(request.param, "--bind", "127.0.0.1", "--port", str(ports[1]))
    with subprocess.Popen([sys.executable, str(EXAMPLE), *map(str, ports)]) as process:
        try:
            wait_until(lambda: answers(ports[0]))
            yield request.param, ports[0], server
        finally:
            process.terminate()
            server.stop()


def answers(port: int) -> bool:
    with contextlib.suppress(redis.ConnectionError), redis.Redis(port=port, protocol=2) as client:
        return bool(client.ping())
    return False


def test_many_clients_of_a_real_server(proxied: tuple[str, int, Server]) -> None:
    _, port, server = proxied
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            with redis.Redis(port=port, protocol=2) as client:
                for turn in range(10):
                    pipeline = client.pipeline(transaction=False)
                    value = b"%d" % number * (400_000 if turn == 5 else 50)
                    pipeline.set(f"{number}:value", value)
                    for _ in range(20):
                        pipeline.incr(f"{number}:count")
                    pipeline.hset(f"{number}:hash", mapping={str(turn): number})
                    pipeline.get(f"{number}:value")
                    found = pipeline.execute()
                    assert found[1:21] == list(range(20 * turn + 1, 20 * turn + 21)) and found[22] == value
                with pytest.raises(redis.ResponseError, match="clients share"):
                    client.execute_command("SELECT", "1")
                assert client.hgetall(f"{number}:hash") == {b"%d" % turn: b"%d" % number for turn in range(10)}
        except BaseException as error:
            failures.append(error)
            raise

    before = connections(server)
    threads = [threading.Thread(target=work, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert not failures and not any(thread.is_alive() for thread in threads)
    assert connections(server) - before <= 1, "all of them on one connection"


def connections(server: Server) -> int:
    found = server.admin.info("stats")
    assert isinstance(found, dict)
    return int(found["total_connections_received"])


@pytest.mark.interop
def test_the_benchmark_of_redis_runs_through_it(proxied: tuple[str, int, Server]) -> None:
    _, port, _ = proxied
    run = subprocess.run(
        [
            find_program(REDIS, "redis-benchmark"),
            "-p",
            str(port),
            "-P",
            "16",
            "-c",
            "50",
            "-n",
            "20000",
            "-q",
            "-t",
            "set,get,incr",
        ],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    assert run.stdout.count("requests per second") == 3 and "rror" not in run.stdout + run.stderr
