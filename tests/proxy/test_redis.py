"""A real Redis client through the engine, before two real servers."""

import socket
import time
from typing import Any

import psutil
import pytest
import redis

from l7codecs.testing import free_port

from .running import TWO_OF_REDIS, read, running, wait_until

SPLIT = (
    TWO_OF_REDIS
    + """
- match: {{ operation: {{ prefix: CONFIG }} }}
  reply: {{ status: PERMISSION_DENIED, text: not through this proxy }}
- match: {{ resources: {{ prefix: "a:" }} }}
  cluster: a
- cluster: b
"""
)
BOTH = pytest.mark.parametrize("protocol", [2, 3], ids=["resp2", "resp3"])


def connect(port: int, **given: Any) -> redis.Redis:
    return redis.Redis(port=port, socket_timeout=10, **given)


@BOTH
def test_each_command_goes_where_its_key_says(servers: Any, protocol: int) -> None:
    with running(SPLIT.format(*servers.hosts)) as here, connect(here.port(), protocol=protocol) as client:
        pipeline = client.pipeline(transaction=False)
        for number in range(500):
            pipeline.set(f"{'ab'[number % 2]}:{number}", number)
            pipeline.get(f"{'ab'[number % 2]}:{number}")
        found = pipeline.execute()
        assert found[1::2] == [str(number).encode() for number in range(500)]
        assert all(key.startswith(b"a:") for key in servers.direct[0].keys("*"))
        assert all(key.startswith(b"b:") for key in servers.direct[1].keys("*"))
        assert servers.direct[0].dbsize() == servers.direct[1].dbsize() == 250
        with pytest.raises(redis.ResponseError, match="not through this proxy"):
            client.config_get("maxmemory")
        assert ("CONFIG GET", None, "REPLIED") in here.seen.told()
        assert here.seen.told().count(("GET", "a", "OK")) == 250


@BOTH
def test_scripts_are_loaded_where_their_keys_are(servers: Any, protocol: int) -> None:
    """redis-py loads a script once a server has it not, and counts on it from then on; so do its locks."""
    rules = """
- match: {{ resources: {{ prefix: "a:" }} }}
  cluster: a
- match: {{ resources: {{ prefix: "b:" }} }}
  cluster: b
- match: {{ operation: [SCRIPT LOAD, SCRIPT FLUSH] }}
  cluster: a
  mirror: [{{ cluster: b }}]
- cluster: a
"""
    with (
        running((TWO_OF_REDIS + rules).format(*servers.hosts)) as here,
        connect(here.port(), protocol=protocol) as client,
    ):
        for _ in range(2):
            script = client.register_script("return {KEYS[1], ARGV[1], redis.call('INCR', KEYS[1])}")
            for name in ("b:n", "a:n"):
                servers.direct[name == "b:n"].delete(name)
                assert script(keys=[name], args=["x"]) == [name.encode(), b"x", 1]
                pipeline = client.pipeline()
                pipeline.incr(name)
                script(keys=[name], args=["y"], client=pipeline)
                assert pipeline.execute() == [2, [name.encode(), b"y", 3]]
                with client.lock(f"{name}:lock", timeout=5, blocking_timeout=5) as lock:
                    assert lock.reacquire()
            client.script_flush()
            client.get("b:n")  # behind it
        assert servers.direct[1].script_exists(script.sha) == [False]


def test_scripts_are_loaded_at_every_host_of_a_cluster(servers: Any) -> None:
    text = """
listeners: {{ main: {{ address: "127.0.0.1:0", protocol: redis }} }}
clusters: {{ all: {{ hosts: ["{0}", "{1}"] }} }}
rules: [{{ cluster: all, hash: {{ by: resource }} }}]
"""
    with running(text.format(*servers.hosts)) as here, connect(here.port()) as client:
        script = client.register_script("return KEYS[1]")
        names = [f"name{number}" for number in range(50)]
        assert [script(keys=[name]).decode() for name in names] == names
        assert all(each.script_exists(script.sha) == [True] for each in servers.direct)
        assert all(each.script_flush() for each in servers.direct)


@BOTH
def test_what_pins_has_a_connection_of_its_own(servers: Any, protocol: int) -> None:
    with running(SPLIT.format(*servers.hosts)) as here, connect(here.port(), protocol=protocol) as client:
        with client.pipeline() as transaction:
            transaction.set("b:n", 1)
            transaction.incr("b:n")
            assert transaction.execute() == [True, 2]
        listener = client.pubsub()
        listener.subscribe("news")
        assert listener.get_message(timeout=5)["type"] == "subscribe"
        assert client.publish("news", "hello") == 1
        assert listener.get_message(timeout=5)["data"] == b"hello"
        listener.close()
        assert client.blpop(["b:none"], timeout=0.1) is None
        with connect(here.port(), protocol=protocol, db=3) as third:
            third.set("b:k", "three")
            assert (third.get("b:k"), client.get("b:k")) == (b"three", None)
            assert third.get("a:k") is None, "the other server has to be told of the database as well"
            third.set("a:k", "three")
        assert client.get("a:k") is None
    assert here.seen.refusals == []


def test_alike_clients_share_a_connection_and_others_do_not(servers: Any) -> None:
    with running(SPLIT.format(*servers.hosts)) as here:
        clients = [connect(here.port(), protocol=3, db=number % 2) for number in range(10)]
        for number, client in enumerate(clients):
            client.set("b:k", number % 2)
        for number, client in enumerate(clients):
            assert client.get("b:k") == str(number % 2).encode()
        count = len(here.engine.pools["b"].hosts[servers.hosts[1]].servers)
        assert count < 8, "one by HELLO, one by HELLO and SELECT, and those in between"
        for client in clients:
            client.close()


def test_a_transaction_stays_at_one_server(servers: Any) -> None:
    with running(SPLIT.format(*servers.hosts)) as here, connect(here.port(), protocol=2) as client:
        with client.pipeline() as transaction:
            transaction.set("a:k", 1)
            transaction.set("b:k", 1)
            with pytest.raises(redis.ResponseError, match="at another server"):
                transaction.execute()
        assert client.get("a:k") is client.get("b:k") is None
        with client.pipeline() as transaction:
            assert transaction.set("a:k", 1).get("a:k").execute() == [True, b"1"]
        assert {each.error for each in here.seen.exchanges if each.request.operation == "EXEC"} == {"EXECABORT", None}


def test_the_order_of_one_client_is_kept(servers: Any) -> None:
    """On whatever connections its commands go: what is pipelined behind SELECT and MULTI sees what was before."""
    with running(SPLIT.format(*servers.hosts)) as here, socket.create_connection(("127.0.0.1", here.port())) as raw:
        for _ in range(20):
            raw.sendall(
                b"SET b:n 1\r\nSELECT 1\r\nSET b:n 7\r\nGET b:n\r\nSELECT 0\r\nINCR b:n\r\nMULTI\r\nINCR b:n\r\nEXEC\r\nGET b:n\r\nPING\r\n"
            )
            expected = (
                b"+OK\r\n+OK\r\n+OK\r\n$1\r\n7\r\n+OK\r\n:2\r\n+OK\r\n+QUEUED\r\n*1\r\n:3\r\n$1\r\n3\r\n+PONG\r\n"
            )
            assert read(raw, len(expected)) == expected


def test_who_half_closes_gets_its_answers(servers: Any) -> None:
    with running(SPLIT.format(*servers.hosts)) as here, socket.create_connection(("127.0.0.1", here.port())) as raw:
        raw.sendall(b"SET a:k v\r\nGET a:k\r\nGET b:k\r\n")
        raw.shutdown(socket.SHUT_WR)
        assert read(raw, 1000) == b"+OK\r\n$1\r\nv\r\n$-1\r\n"


def test_what_was_asked_before_the_protocol_is_broken_is_answered(servers: Any) -> None:
    with running(SPLIT.format(*servers.hosts)) as here, socket.create_connection(("127.0.0.1", here.port())) as raw:
        raw.sendall(b"SET a:k v\r\nGET a:k\r\n*1\r\n:1\r\n")
        assert read(raw, 1000) == b"+OK\r\n$1\r\nv\r\n-ERR Protocol error: expected '$', got ':'\r\n"
        assert len(here.seen.refusals) == 1


def test_no_server_is_an_error_and_nothing_more(servers: Any) -> None:
    hosts = [servers.hosts[0], f"127.0.0.1:{free_port()}"]
    with running(SPLIT.format(*hosts)) as here, connect(here.port(), protocol=2, retry=None) as client:
        pipeline = client.pipeline(transaction=False)
        pipeline.set("a:k", 1).get("b:k").get("a:k").get("b:k")
        found = pipeline.execute(raise_on_error=False)
        assert found[0] is True and found[2] == b"1"
        for error in (found[1], found[3]):
            assert isinstance(error, redis.ResponseError) and "no connection for GET" in str(error)
        assert client.ping()
        assert ("GET", "b", "CONNECT") in here.seen.told()


def test_no_route_is_told(servers: Any) -> None:
    text = SPLIT.format(*servers.hosts).replace("- cluster: b\n", "")
    with running(text) as here, connect(here.port(), protocol=2) as client:
        with pytest.raises(redis.ResponseError, match="no route for GET"):
            client.get("b:k")
        assert client.get("a:k") is None


def test_a_deadline_is_told_and_nobody_else_waits(servers: Any) -> None:
    text = SPLIT.format(*servers.hosts).replace("  cluster: a", "  cluster: a\n  deadline: 200ms")
    with running(text) as here, connect(here.port(), protocol=2, retry=None) as client:
        assert client.set("a:k", "v")
        servers.direct[0].execute_command("CLIENT", "PAUSE", "1500")
        began = time.monotonic()
        with pytest.raises(redis.ResponseError, match="no answer in time to GET"):
            client.get("a:k")
        assert 0.15 < time.monotonic() - began < 1
        assert client.get("b:k") is None
        time.sleep(1.5)
        assert client.get("a:k") == b"v"


def test_large_values_pass_and_a_slow_reader_holds_only_itself_back(servers: Any) -> None:
    value = bytes(range(256)) * (1 << 14)  # 4 MiB
    with running(SPLIT.format(*servers.hosts)) as here, connect(here.port(), protocol=2) as client:
        assert client.set("a:large", value)
        assert client.get("a:large") == value
        with socket.create_connection(("127.0.0.1", here.port())) as slow:
            slow.sendall(b"GET a:large\r\n" * 8)
            time.sleep(0.2)
            head = b"$%d\r\n" % len(value)
            for _ in range(8):
                assert read(slow, len(head) + len(value) + 2) == head + value + b"\r\n"
        assert client.get("a:large") == value


def test_who_reads_nothing_is_let_go_and_the_others_go_on(servers: Any) -> None:
    value = bytes(1 << 22)
    text = SPLIT.format(*servers.hosts).replace("protocol: redis }", "protocol: redis, stalled: 500ms }")
    with running(text) as here, connect(here.port(), protocol=2, retry=None) as client:
        servers.direct[0].set("a:large", value)
        process = psutil.Process()
        before = process.memory_info().rss
        with socket.create_connection(("127.0.0.1", here.port())) as silent:
            silent.sendall(b"GET a:large\r\n" * 100)
            time.sleep(0.3)
            began = time.monotonic()
            assert client.get("a:other") is None
            assert time.monotonic() - began < 5
            assert process.memory_info().rss - before < 80 << 20, "of 400 MiB"
            end = time.monotonic() + 10
            while len(here.engine.clients) > 1 and time.monotonic() < end:
                time.sleep(0.01)
            assert len(here.engine.clients) == 1
        assert client.get("a:large") == value


@pytest.mark.parametrize(
    "said", [b"POST / HTTP/1.1\r\nHost: a\r\n\r\n", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"*1\r\n$4\r\npost\r\n"]
)
def test_what_looks_like_http_costs_nobody_else_an_answer(servers: Any, said: bytes) -> None:
    """The server closes the connection that it comes on."""
    with running(SPLIT.format(*servers.hosts)) as here:
        with (
            socket.create_connection(("127.0.0.1", here.port())) as waits,
            socket.create_connection(("127.0.0.1", here.port())) as browser,
        ):
            waits.sendall(b"DEBUG SLEEP 0.3\r\nSET b:k 1\r\nGET b:k\r\n")
            wait_until(lambda: here.engine.in_flight == 3)
            browser.sendall(said)
            assert read(waits, 17) == b"+OK\r\n+OK\r\n$1\r\n1\r\n"
            assert read(browser, 1000).endswith(b"\r\n")
        lost = {operation for operation, _, outcome in here.seen.told() if outcome == "RESET"}
        assert lost and lost <= {"POST", "HOST:"}
