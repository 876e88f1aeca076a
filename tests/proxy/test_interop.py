"""Real clients and servers with the engine between them, of what PyPI does not have: JVM, Go, C and Envoy."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from l7codecs.testing import free_port, installed, load_tool, start_peers

from .running import TWO_OF_REDIS, running, wait_until

pytestmark = pytest.mark.interop

ROOMS = Path(__file__).resolve().parents[2] / "protocols"
SHOP = "l7codecs.peers.Shop"


def tool(room: str, name: str) -> Any:
    return load_tool(ROOMS / room / "tools", name)


def said_by(*command: str, given: bytes = b"") -> str:
    return subprocess.run(command, check=True, input=given, capture_output=True, timeout=60).stdout.decode()


@contextlib.contextmanager
def started(*command: str, port: int) -> Iterator[None]:
    """A process that listens on `port`."""
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            end = time.monotonic() + 30
            while process.poll() is None and time.monotonic() < end:
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                    yield
                    return
                time.sleep(0.05)
            raise TimeoutError(f"{command[0]} does not listen")
        finally:
            process.terminate()


BENCHMARK = (
    TWO_OF_REDIS
    + """
- match: {{ resources: {{ prefix: "key:00000000" }} }}
  cluster: a
- match: {{ resources: {{ prefix: "key:" }} }}
  cluster: b
- cluster: a
"""
)


@pytest.mark.parametrize("depth", [1, 16])
def test_redis_benchmark(servers: Any, depth: int) -> None:
    """Every command that it has, with keys for both servers."""
    names = "ping,set,get,incr,lpush,rpush,lpop,rpop,sadd,hset,spop,zadd,zpopmin,lrange_100,mset"
    with running(BENCHMARK.format(*servers.hosts)) as here:
        words = ["-p", str(here.port()), "-n", "500", "-c", "10", "-P", str(depth), "-r", "100000", "-d", "100"]
        found = said_by(installed("redis-benchmark"), *words, "--csv", "-t", names)
        assert len(found.splitlines()) >= 16 and "rror" not in found, found
        failed = [told for told in here.seen.told() if told[0] != "CONFIG GET" and told[2] not in ("OK", "CLIENT_GONE")]
        assert failed == []
        assert all(each.dbsize() > 100 for each in servers.direct)


def test_redis_cli_writes_ten_thousand_at_once(servers: Any) -> None:
    with running(BENCHMARK.format(*servers.hosts)) as here:
        asked = b"".join(b"SET key:%012d %d\r\n" % (number * 9, number) for number in range(10_000))
        found = said_by(installed("redis-cli"), "-p", str(here.port()), "--pipe", given=asked)
        assert "errors: 0, replies: 10000" in found
        assert sum(each.dbsize() for each in servers.direct) == 10_000
        found = said_by(installed("redis-cli"), "-3", "-p", str(here.port()), "get", "key:000000000009")
        assert found == "1\n"


CLIENTS = (
    TWO_OF_REDIS
    + """
- match: {{ resources: {{ prefix: "a:" }} }}
  cluster: a
- cluster: b
"""
)


@pytest.mark.parametrize("resp", [2, 3])
@pytest.mark.parametrize("name", ["go-redis", "ioredis"])
def test_redis_clients(servers: Any, name: str, resp: int) -> None:
    """Pipelines, transactions, publish/subscribe, blocking commands, databases, values of megabytes."""
    with (
        running(CLIENTS.format(*servers.hosts)) as here,
        start_peers(tool("redis", "redis_peers").Peer, name) as client,
    ):

        def ask(do: str, **what: Any) -> dict[str, Any]:
            said: dict[str, Any] = client.ask(do, to=here.port(), resp=resp, watched=[], **what)
            return said

        sets = [["SET", f"{'ab'[number % 2]}:{number}", f"{number}"] for number in range(1000)]
        gets = [["GET", key] for _, key, _ in sets]
        found = ask("pipeline", commands=sets + gets)["results"]
        assert found == ["OK"] * 1000 + [f"{number}" for number in range(1000)]
        assert [each.dbsize() for each in servers.direct] == [500, 500]
        found = ask("each", commands=[["HSET", "a:h", "f", "1"], ["HGETALL", "a:h"], ["LPUSH", "a:h", "1"]])["results"]
        as_map = resp == 3 and name == "go-redis"  # ioredis gives pairs
        assert found[:2] == [1, {"map": {"f": "1"}} if as_map else ["f", "1"]] and "WRONGTYPE" in found[2]["error"]
        for key in ("a:n", "b:n"):
            assert ask("multi", commands=[["SET", key, "1"], ["INCR", key]])["results"] == ["OK", 2]
        assert "EXECABORT" in json.dumps(ask("multi", commands=[["SET", "a:n", "8"], ["SET", "b:n", "8"]]))
        said = client.ask("multi", to=here.port(), resp=resp, watched=["a:n"], commands=[["INCR", "a:n"]])
        assert said["results"] == [3]
        sends = [[("news", "more")[number % 2], f"{number}"] for number in range(20)]
        came = ask("subscribe", channels=["news", "more"], sends=sends)["came"]
        assert sorted(came) == sorted(sends), "of two channels the order is nobody's"
        queue = [
            ["BLPOP", "a:none", "0.1"],
            ["BLPOP", "b:none", "0.1"],
            ["RPUSH", "b:queue", "x"],
            ["BLPOP", "b:queue", "5"],
        ]
        assert ask("each", commands=queue)["results"] == [None, None, 1, ["b:queue", "x"]]
        both = [["SET", "a:k", "third"], ["SET", "b:k", "third"]]
        assert ask("each", commands=both, database=3)["results"] == ["OK", "OK"]
        assert ask("each", commands=[["GET", "a:k"], ["GET", "b:k"]])["results"] == [None, None]
        keys = [f"{'ab'[number % 2]}:load:{number}" for number in range(20)]
        assert ask("load", keys=keys, turns=20, size=5_000) == {"right": 400, "wrong": [], "failed": []}
        assert ask("load", keys=keys[:2], turns=3, size=2_000_000) == {"right": 6, "wrong": [], "failed": []}
        assert here.seen.refusals == []


@pytest.mark.parametrize("name", ["go-redis", "ioredis"])
def test_redis_clients_that_cache(servers: Any, name: str) -> None:
    """rueidis, which says of each key that it keeps it, and node-redis: each is told by both servers what not to keep."""
    with (
        running(CLIENTS.format(*servers.hosts)) as here,
        start_peers(tool("redis", "redis_peers").Peer, name) as client,
    ):
        keys = ["a:kept", "b:kept", "a:too", "b:too"]
        results = client.ask("cache", to=here.port(), resp=3, watched=[], keys=keys)["results"]
        assert results == [[["before"] * 3, 2, "after"]] * 4
        assert {key: servers.direct[key > "b"].get(key) for key in keys} == dict.fromkeys(keys, b"after")
        assert here.seen.refusals == []


@pytest.mark.parametrize("name", ["go-redis", "ioredis"])
def test_redis_clients_come_back(servers: Any, name: str) -> None:
    """Their connections are reset again and again, and the settings are others each time: no value is lost or another's."""
    text = CLIENTS.format(*servers.hosts)
    with running(text) as here, start_peers(tool("redis", "redis_peers").Peer, name) as client:
        keys = [f"{'ab'[number % 2]}:{number}" for number in range(20)]
        client.begin("load", to=here.port(), resp=3, keys=keys, turns=300, size=100)
        for turn in range(5):
            time.sleep(0.1)
            for each in here.engine.clients:
                here.loop.call_soon_threadsafe(each.abort)
            here.apply(text if turn % 2 else text.replace("- cluster: b", "- cluster: b\n  deadline: 60s"))
        said = client.answer()
        assert said == {"right": 6000, "wrong": [], "failed": []}
        assert here.seen.refusals == []


HTTP = """
listeners:
  main: {{ address: "127.0.0.1:0", protocol: http2 }}
clusters:
  a: {{ hosts: ["127.0.0.1:{0}"] }}
  b: {{ hosts: ["127.0.0.1:{1}"] }}
rules:
- match: {{ attributes: {{ url.path: {{ prefix: "/a/" }} }} }}
  cluster: a
- match: {{ attributes: {{ url.path: {{ prefix: "/b/" }} }} }}
  cluster: b
"""


def test_h2load(tmp_path: Path) -> None:
    """Small answers, and those that are larger than a window, on streams beside each other."""
    ports = [free_port(), free_port()]
    for name in "ab":
        (tmp_path / name).mkdir()
        (tmp_path / name / "small").write_bytes(b"x" * 100)
        (tmp_path / name / "large").write_bytes(b"y" * 300_000)
    with contextlib.ExitStack() as stack:
        for port in ports:
            command = (installed("nghttpd"), "--no-tls", "-a", "127.0.0.1", "-d", str(tmp_path), str(port))
            stack.enter_context(started(*command, port=port))
        here = stack.enter_context(running(HTTP.format(*ports)))
        places = [f"http://127.0.0.1:{here.port()}/{name}/{size}" for name in "ab" for size in ("small", "large")]
        found = said_by(installed("h2load"), "-n", "2000", "-c", "10", "-m", "50", *places)
        assert "2000 succeeded, 0 failed, 0 errored" in found, found
        assert re.search(r"status codes: 2000 2xx", found), found
        assert {cluster for _, cluster, _ in here.seen.told()} == {"a", "b"}


THRIFT = """
listeners:
  main: {{ address: "127.0.0.1:0", protocol: thrift }}
clusters:
  a: {{ hosts: ["127.0.0.1:{0}"] }}
  b: {{ hosts: ["127.0.0.1:{1}"] }}
rules:
- match: {{ operation: [hello, fire] }}
  cluster: a
- cluster: b
"""
CALLS = ["Shop.hello:78", "Shop.fire:79", "Shop.add:1,2", "Shop.check:6f6f7073"] * 25
ANSWERS = {"Shop.hello:78": "text:68656c6c6f2078", "Shop.fire:79": "oneway", "Shop.add:1,2": "int:3"}


@pytest.fixture(scope="module")
def shops() -> Iterator[list[Any]]:
    """Servers of Thrift in Java and in Go."""
    peer = tool("thrift", "thrift_peers").Peer
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(start_peers(peer, name)) for name in ("java", "go")]


@pytest.mark.parametrize("name", ["java", "go", "cpp", "node"])
def test_thrift(shops: list[Any], name: str) -> None:
    """Go writes its one-way calls as calls: nobody answers them, and nobody waits."""
    how = ("framed", "binary")
    ports = [each.serve(*how) for each in shops]
    with running(THRIFT.format(*ports)) as here, start_peers(tool("thrift", "thrift_peers").Peer, name) as client:
        said = client.call(here.port(), *how, CALLS)
        assert [each for call, each in zip(CALLS, said, strict=True) if each != ANSWERS.get(call, each)] == []
        assert all(each.startswith("Oops:") for call, each in zip(CALLS, said, strict=True) if "check" in call)
        assert here.seen.refusals == []


@pytest.mark.parametrize("name", ["cpp", "java", "go", "node"])
def test_thrift_over_http(shops: list[Any], name: str) -> None:
    """C++ leaves as soon as it has written a one-way call, and comes back for the next: each reaches its server."""
    how = ("http", "binary")
    ports = [each.serve(*how) for each in shops]
    shops[0].seen()
    with running(THRIFT.format(*ports)) as here, start_peers(tool("thrift", "thrift_peers").Peer, name) as client:
        said = client.call(here.port(), *how, CALLS)
        assert [each for call, each in zip(CALLS, said, strict=True) if each != ANSWERS.get(call, each)] == []
        seen: list[str] = []
        wait_until(lambda: seen.extend(shops[0].seen()) or len(seen) >= 50)
        assert sorted(seen) == ["Shop.fire:79"] * 25 + ["Shop.hello:78"] * 25
        assert here.seen.refusals == []


DUBBO = """
listeners:
  main: {{ address: "127.0.0.1:0", protocol: dubbo }}
clusters:
  a: {{ hosts: ["127.0.0.1:{0}"] }}
  b: {{ hosts: ["127.0.0.1:{1}"] }}
rules:
- match: {{ service: l7codecs.peers.Shop, operation: hello, headers: {{ tenant: b }} }}
  cluster: b
- match: {{ service: l7codecs.peers.Shop }}
  cluster: a
"""


@pytest.mark.parametrize("version", ["3.3.6", "2.7.23"])
def test_dubbo(version: str) -> None:
    """By interface, method and attachment; then a provider stops under load, and no call is lost."""
    peer = tool("dubbo", "dubbo_peers").Peer
    with contextlib.ExitStack() as stack:
        consumer = stack.enter_context(start_peers(peer, "consumer", version))
        providers = [stack.enter_context(start_peers(peer, "provider", version)) for _ in range(2)]
        ports = [each.export(name=name) for name, each in zip("ab", providers, strict=True)]
        here = stack.enter_context(running(DUBBO.format(*ports)))
        calls = [{"method": "hello", "arguments": ["text:1"]},
                 {"method": "hello", "arguments": ["text:2"], "attachments": {"tenant": "text:b"}},
                 {"method": "slow", "arguments": ["text:4", "int:50"]},
                 {"method": "binary", "arguments": ["bytes:300000"]},
                 {"method": "failing", "arguments": ["text:declared"]}]  # fmt: skip
        results = consumer.ask("call", to=here.port(), calls=calls)["results"]
        assert [each.get("value") for each in results[:3]] == ["a: hello, 1", "b: hello, 2", "a: 4"]
        assert results[3]["value"] == results[3]["arguments"][0]
        assert results[4]["failure"] == {"exception": "l7codecs.peers.ShopException", "message": "sold out"}
        here.apply(DUBBO.format(*reversed(ports)))
        said = consumer.ask("load", to=here.port(), octets=100, calls=3000, threads=20)
        assert said["failed"] == 0 and said["calls"] == 3000
        other = {
            **calls[0],
            "attachments": {"tenant": "text:c"},
        }  # 2.7 sends what it was given before with later calls, too
        assert consumer.ask("call", to=here.port(), calls=[other])["results"][0]["value"] == "b: hello, 1"


KAFKA = """
listeners:
  main: {{ address: "127.0.0.1:{0}", protocol: kafka, cluster: a, nodes: [{{ id: 1, as: 101, address: "127.0.0.1:{0}" }}] }}
clusters:
  a: {{ hosts: ["127.0.0.1:{1}"] }}
"""


def test_kafka() -> None:
    """A transactional producer, one that copies with its offsets, a share consumer: of 4.4, before a broker of 4.4."""
    port = free_port()
    with (
        start_peers(tool("kafka", "broker").Broker) as broker,
        start_peers(tool("kafka", "peers").Peer, "java") as java,
        running(KAFKA.format(port, broker.ports["CLIENTS"])) as here,
    ):
        to = f"127.0.0.1:{port}"
        steps = [["create", "orders:2:1"], ["create", "copies:2:1"], ["cluster"]]
        created = java.ask("admin", to=to, steps=steps)["steps"]
        assert "101" in json.dumps(created[2]) and str(port) in json.dumps(created[2]), created
        records = [{"partition": number % 2, "value": f"{number}"} for number in range(20)]
        rounds = [{"records": records, "commit": True}, {"records": records, "commit": False}]
        said = java.ask("transact", to=to, topic="orders", id="t1", rounds=rounds)
        assert [len(each) for each in said["rounds"]] == [20, 20], said
        said = java.ask("process", to=to, topic="orders", target="copies", group="copiers", id="t2", count=20)
        assert said["done"] == 20 and "aborted-by" not in said, said
        said = java.ask("share", to=to, topic="copies", group="sharers", count=20)
        assert len(said["records"]) == 20 and set(said["committed"].values()) <= {"NONE"}, said
        seen = {operation for operation, _, _ in here.seen.told()}
        assert {"ShareFetch", "EndTxn", "TxnOffsetCommit", "InitProducerId"} <= seen, seen
        assert here.seen.refusals == []


def test_envoy_in_front(servers: Any, tmp_path: Path) -> None:
    """Envoy's redis_proxy sends its clients' commands on, pipelined on its own connections."""
    port = free_port()
    with running(BENCHMARK.format(*servers.hosts)) as here:
        address = {"address": "127.0.0.1", "port_value": here.port()}
        endpoint = {"endpoint": {"address": {"socket_address": address}}}
        proxy = {
            "@type": "type.googleapis.com/envoy.extensions.filters.network.redis_proxy.v3.RedisProxy",
            "stat_prefix": "r",
            "settings": {"op_timeout": "5s"},
            "prefix_routes": {"catch_all_route": {"cluster": "c"}},
        }
        listener = {
            "address": {"socket_address": {"address": "127.0.0.1", "port_value": port}},
            "filter_chains": [{"filters": [{"name": "envoy.filters.network.redis_proxy", "typed_config": proxy}]}],
        }
        cluster = {
            "name": "c",
            "type": "STATIC",
            "load_assignment": {"cluster_name": "c", "endpoints": [{"lb_endpoints": [endpoint]}]},
        }
        path = tmp_path / "envoy.json"
        path.write_text(json.dumps({"static_resources": {"listeners": [listener], "clusters": [cluster]}}))
        envoy = str(start_peers(tool("dubbo", "dubbo_peers").envoy))
        with started(envoy, "-c", str(path), "--concurrency", "1", "--use-dynamic-base-id", port=port):
            words = ["-p", str(port), "-n", "2000", "-c", "10", "-P", "16", "-r", "100000", "-t", "set,get", "--csv"]
            found = said_by(installed("redis-benchmark"), *words)
            assert len(found.splitlines()) == 3, found
            assert all(each.dbsize() > 100 for each in servers.direct)
            assert {told[2] for told in here.seen.told()} <= {"OK"}
