"""Which host gets what, and how it is reached: turns, rings, names with several addresses, what counts as a failure."""

from __future__ import annotations

import socket
from collections import Counter
from typing import Any

import pytest

from l7codecs import Status
from l7codecs.proxy.exchange import Failure
from l7codecs.proxy.settings import Upstreams
from l7codecs.proxy.telemetry.access_log import exchange_record
from l7codecs.proxy.telemetry.masking import Mask
from l7codecs.proxy.upstream.pools import Pool
from l7codecs.routing import Cluster, Ring
from l7codecs.routing.actions import Host
from l7codecs.testing import free_port

from .running import read, running


def pool_of(weights: dict[str, int]) -> Pool:
    return Pool(upstreams(weights), lambda host, protocol: pytest.fail("nobody connects"))


def upstreams(weights: dict[str, int]) -> Upstreams:
    return Upstreams(Cluster("a", tuple(Host(name, weight) for name, weight in weights.items())))


def turns(pool: Pool, count: int) -> list[str]:
    found = []
    for _ in range(count):
        host = pool.pick(0.0, None)
        assert host is not None
        found.append(host.address)
    return found


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        ({"a": 1, "b": 1, "c": 1}, "abcabc"),
        ({"a": 2, "b": 4}, "babbab"),
        ({"a": 5, "b": 1}, "aaabaaaaabaa"),
        ({"a": 7, "b": 7}, "abab"),
    ],
)
def test_hosts_take_turns_spread_out_evenly(weights: dict[str, int], expected: str) -> None:
    assert "".join(turns(pool_of(weights), len(expected))) == expected


def test_every_host_has_its_turn_however_many_there_are() -> None:
    weights = {f"h{number}": 1 + number % 1000 for number in range(3000)}
    counts = Counter(turns(pool_of(weights), 12_000))
    assert len(counts) == 3000
    assert counts["h999"] > 3 * counts["h0"]


def test_a_reload_makes_no_ring_that_nobody_asks_for_and_keeps_one_that_is_the_same() -> None:
    """Each takes long where there are many hosts, and nobody is served meanwhile."""
    weights = {f"h{number}": 1 for number in range(10_000)}
    pool = pool_of(weights)
    assert len(turns(pool, 10_000)) == 10_000
    few = {"a": 1, "b": 2}
    pool.update(upstreams(few))
    hosts = {key: pool.pick(0.0, key) for key in (b"x", b"y", b"z")}
    pool.update(upstreams(few))
    assert {key: pool.pick(0.0, key) for key in hosts} == hosts
    pool.update(upstreams({"a": 1, "c": 1}))
    ring = Ring({"a": 1, "c": 1})
    for key in hosts:
        host = pool.pick(0.0, key)
        assert host is not None and host.address == ring.host(key)
    pool.retire()
    assert pool.pick(0.0, b"x") is None


def test_an_answer_that_earns_another_try_is_no_failure_of_the_host(servers: Any) -> None:
    """What a rule calls worth a second try is the rule's word; a host fails by what says so of it."""
    one, two = servers.hosts
    text = f"""
listeners: {{ main: {{ address: "127.0.0.1:0", protocol: redis }} }}
clusters:
  both: {{ hosts: ["{one}", "{two}"], outliers: {{ failures: 2, base: 1h, share: 0.5 }} }}
rules: [{{ cluster: both, retry: {{ attempts: 2, on: [FAILED_PRECONDITION] }} }}]
"""
    servers.direct[0].rpush("k", "v")
    servers.direct[1].set("k", "v")
    with running(text) as here, socket.create_connection(("127.0.0.1", here.port())) as raw:
        for _ in range(20):
            raw.sendall(b"GET k\r\n")
            assert read(raw, 7) == b"$1\r\nv\r\n"
        assert {each.status for each in here.seen.exchanges} == {Status.OK}
        detector = here.engine.pools["both"].detector
        assert detector is not None and not detector.ejected(one, here.loop.time())


def silent() -> tuple[socket.socket, list[socket.socket]]:
    """Where nobody is let in: a server that accepts nobody, with as many before it as may wait."""
    listener = socket.socket()
    listener.bind(("127.0.0.2", 0))
    listener.listen(0)
    waiting = []
    for _ in range(3):
        each = socket.socket()
        each.setblocking(False)
        each.connect_ex(listener.getsockname())
        waiting.append(each)
    return listener, waiting


def test_a_name_is_reached_at_whichever_of_its_addresses_answers(servers: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first one takes no connection and says nothing: that costs its share of the time, and not all."""
    listener, waiting = silent()
    port = listener.getsockname()[1]
    server = socket.create_server(("127.0.0.1", port))
    looked_up = socket.getaddrinfo

    def addresses(host: Any, *others: Any, **given: Any) -> Any:
        if host != "shop.example":
            return looked_up(host, *others, **given)
        kind = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
        return [(*kind, ("127.0.0.2", port)), (*kind, ("127.0.0.1", port))]

    monkeypatch.setattr(socket, "getaddrinfo", addresses)
    text = f"""
listeners: {{ main: {{ address: "127.0.0.1:0", protocol: redis, cluster: a }} }}
clusters: {{ a: {{ hosts: ["shop.example:{port}"], connect: 1s }} }}
"""
    with running(text) as here, socket.create_connection(("127.0.0.1", here.port())) as raw:
        raw.sendall(b"PING\r\nGET k\r\n")
        server.settimeout(10)
        with server.accept()[0] as accepted:
            assert read(accepted, len(b"GET k\r\n"))
            accepted.sendall(b"$1\r\nv\r\n")
            assert read(raw, 14) == b"+PONG\r\n$1\r\nv\r\n"
    for each in (listener, server, *waiting):
        each.close()


def test_operators_are_told_what_was_the_matter_with_a_host_and_clients_are_not() -> None:
    text = """
listeners: {{ main: {{ address: "127.0.0.1:0", protocol: redis, cluster: a }} }}
clusters: {{ a: {{ hosts: ["127.0.0.1:{0}"] }} }}
"""
    with (
        running(text.format(free_port())) as here,
        socket.create_connection(("127.0.0.1", here.port())) as raw,
    ):
        raw.sendall(b"GET k\r\n")
        assert raw.makefile("rb").readline() == b"-TRYAGAIN no connection for GET\r\n"
        (exchange,) = here.seen.exchanges
        assert exchange.failure is Failure.CONNECT and exchange.error == "no connection for GET"
        assert exchange_record(exchange, Mask())["reason"] == exchange.reason
        assert exchange.reason is not None and "Connect call failed" in exchange.reason
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        running(text.format(server.getsockname()[1])) as here,
        socket.create_connection(("127.0.0.1", here.port())) as raw,
    ):
        raw.sendall(b"GET k\r\n")
        with server.accept()[0] as accepted:
            accepted.sendall(b"what?\r\n")
            assert raw.makefile("rb").readline() == b"-ERR the server broke the protocol: GET\r\n"
        (exchange,) = here.seen.exchanges
        assert exchange.failure is Failure.PROTOCOL
        assert exchange.reason is not None and "b'w'" in exchange.reason
