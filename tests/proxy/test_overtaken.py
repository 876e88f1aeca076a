"""Calls of Thrift that others overtake at a server that answers in another order: they wait all the same, unless they are one-way."""

import contextlib
import socket
import struct
import time
from collections.abc import Iterator

import pytest

from l7codecs.proxy.sweeping import sweep

from .running import TO_ONE, Running, running, wait_until
from .servers import Upstream, reset
from .tongues import THRIFT, read_answers

ANOTHER = 'listeners: {{main: {{address: "127.0.0.1:0", protocol: thrift, cluster: b}}}}\nclusters: {{b: {{hosts: ["127.0.0.1:{0}"]}}}}\n'


def ask(name: str, number: int, text: str) -> bytes:
    body = struct.pack(">Ii", 0x80010001, len(name)) + name.encode() + struct.pack(">ibhi", number, 11, 1, len(text))
    return struct.pack(">i", len(body) + len(text) + 1) + body + text.encode() + b"\0"


def slow_first(upstream: Upstream, connection: socket.socket, asked: Iterator[bytes]) -> None:
    """Answers all but what says so at once; those when told to, or never, if it is told to die."""
    kept = []
    for each in asked:
        if b"slow" not in each:
            connection.sendall(THRIFT.answer(each))
            continue
        kept.append(each)
        if len(kept) == 1:
            continue
        upstream.go_on.wait(10)
        if b"die" in kept[0]:
            reset(connection)
            return
        connection.sendall(b"".join(THRIFT.answer(one) for one in kept))


@contextlib.contextmanager
def overtaken(what: str, name: str = "echo") -> Iterator[tuple[Running, Upstream, socket.socket, socket.socket]]:
    """A client that waits for an answer to the first call, and one whose later call was answered before it; what it asks next lets go."""
    with Upstream(THRIFT, slow_first) as upstream, running(TO_ONE.format("thrift", upstream.port)) as here:
        at = "127.0.0.1", here.port()
        with socket.create_connection(at) as first, socket.create_connection(at) as second:
            first.sendall(ask(name, 7, what))
            wait_until(lambda: len(upstream.asked) == 1)
            second.sendall(ask("echo", 1, "quick"))
            assert [each.value for each in read_answers(second, THRIFT, 1)] == ["quick"]
            yield here, upstream, first, second


def dies(upstream: Upstream, second: socket.socket) -> None:
    second.sendall(ask("echo", 2, "slow as well"))
    upstream.go_on.set()
    assert [each.error for each in read_answers(second, THRIFT, 1)] == ["the connection was lost with echo"]


@pytest.mark.parametrize("name", ["echo", "else"])
def test_it_is_told_when_its_server_dies(name: str) -> None:
    with overtaken("slow, and die", name) as (here, upstream, first, second):
        dies(upstream, second)
        (answer,) = read_answers(first, THRIFT, 1)
        assert (answer.number, answer.error) == (7, f"the connection was lost with {name}")
        wait_until(lambda: here.engine.in_flight == 0)


def test_one_that_somebody_writes_one_way_is_not() -> None:
    with overtaken("slow, and die", "fire") as (here, upstream, first, second):
        second.sendall(ask("fire", 9, "quick").replace(b"\x80\1\0\1", b"\x80\1\0\4"))
        wait_until(lambda: len(upstream.asked) == 3)
        dies(upstream, second)
        wait_until(lambda: here.engine.in_flight == 0)
        first.settimeout(0.2)
        with pytest.raises(TimeoutError):
            first.recv(1)


def test_its_connection_stays_when_a_reload_takes_the_host_away() -> None:
    with overtaken("slow") as (here, upstream, first, _), Upstream(THRIFT) as other:
        here.apply(ANOTHER.format(other.port))
        time.sleep(0.05)
        assert here.engine.in_flight == 1
        upstream.connections[0].sendall(THRIFT.answer(ask("echo", number_of(upstream), "slow")))
        assert [(each.number, each.value) for each in read_answers(first, THRIFT, 1)] == [(7, "slow")]
        wait_until(lambda: upstream.connections[0].fileno() == -1)  # its end was seen


def number_of(upstream: Upstream) -> int:
    """That of the first call, as the server was asked."""
    return int(struct.unpack(">i", upstream.asked[0][16:20])[0])


def later(here: Running, seconds: float) -> None:
    """What is seen to after so many seconds."""

    async def look() -> None:
        engine = here.engine
        for client in engine.clients:
            for each in client.asks.each():
                each.started -= seconds
        for pool in engine.pools.values():
            for host in pool.hosts.values():
                for server in host.servers:
                    server.heard -= seconds
        sweep(engine._site, engine.clients, engine._hosts(), {})

    here.call(look())


def test_it_is_waited_for_as_long_as_it_takes() -> None:
    """Its own client has had an answer to a later call as well: what is answered elsewhere is no one-way call."""
    with overtaken("slow") as (here, upstream, first, _):
        first.sendall(ask("echo", 8, "quick"))
        assert [each.number for each in read_answers(first, THRIFT, 1)] == [8]
        later(here, 1000)
        assert here.engine.in_flight == 1
        upstream.connections[0].sendall(THRIFT.answer(ask("echo", number_of(upstream), "slow")))
        assert [(each.number, each.value) for each in read_answers(first, THRIFT, 1)] == [(7, "slow")]
