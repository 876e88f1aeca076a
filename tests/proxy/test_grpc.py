"""Real gRPC clients and servers, and HTTP/2 ones, with the engine between them."""

import threading
import time
from collections.abc import Iterator
from concurrent import futures
from typing import Any

import grpc
import httpx
import pytest

from l7codecs.testing import free_port

from .running import Running, running

SPLIT = """
listeners:
  main: {{ address: "127.0.0.1:0", protocol: {protocol} }}
clusters:
  a: {{ hosts: ["127.0.0.1:{0}"] }}
  b: {{ hosts: ["127.0.0.1:{1}"] }}
  none: {{ hosts: ["127.0.0.1:{none}"] }}
rules:
- match: {{ service: shop.Refused }}
  reply: {{ status: PERMISSION_DENIED, text: not for you }}
- match: {{ service: shop.Lost }}
  cluster: none
- match: {{ operation: Slow }}
  cluster: a
  deadline: 300ms
- match: {{ service: shop.A }}
  cluster: a
- match: {{ service: {{ prefix: shop. }} }}
  cluster: b
"""


class Shop(grpc.GenericRpcHandler):
    """Answers with its name and what it was sent."""

    def __init__(self, name: bytes) -> None:
        self.name = name
        self.cancelled = threading.Event()
        self.seen: Any = None

    def service(self, call: Any) -> Any:
        method = call.method.rpartition("/")[2]
        if method == "Unary":
            return grpc.unary_unary_rpc_method_handler(self.unary)
        if method == "Watch":
            return grpc.unary_stream_rpc_method_handler(self.watch)
        if method == "Collect":
            return grpc.stream_unary_rpc_method_handler(lambda asked, _: self.name + b":" + b"".join(asked))
        if method == "Talk":
            return grpc.stream_stream_rpc_method_handler(self.talk)
        if method == "Slow":
            return grpc.unary_unary_rpc_method_handler(self.slow)
        if method == "Fail":
            return grpc.unary_unary_rpc_method_handler(self.fail)
        return None

    def unary(self, asked: bytes, _: Any) -> bytes:
        if self.seen is not None:
            self.seen(asked)
        return self.name + b":" + asked

    def watch(self, asked: bytes, _: Any) -> Iterator[bytes]:
        for number in range(int(asked)):
            yield self.name + b":%d" % number

    def talk(self, asked: Iterator[bytes], _: Any) -> Iterator[bytes]:
        for each in asked:
            yield self.name + b":" + each

    def slow(self, asked: bytes, context: Any) -> bytes:
        context.add_callback(self.cancelled.set)
        time.sleep(2)
        return b"late"

    def fail(self, asked: bytes, context: Any) -> bytes:
        context.abort(grpc.StatusCode.NOT_FOUND, "no such thing")
        raise AssertionError


def start(name: bytes) -> tuple[Any, int, Shop]:
    server = grpc.server(futures.ThreadPoolExecutor(8), options=[("grpc.so_reuseport", 0)])
    shop = Shop(name)
    server.add_generic_rpc_handlers((shop,))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    return server, port, shop


@pytest.fixture(scope="module")
def shops() -> Iterator[list[Any]]:
    found = [start(b"a"), start(b"b")]
    yield found
    for server, _, _ in found:
        server.stop(0)


@pytest.fixture(params=["http2", "grpc", "auto"])
def between(request: Any, shops: list[Any]) -> Iterator[Running]:
    text = SPLIT.format(shops[0][1], shops[1][1], none=free_port(), protocol=request.param)
    with running(text) as here:
        yield here


def test_every_form_of_call_goes_where_its_service_says(between: Running) -> None:
    with grpc.insecure_channel(f"127.0.0.1:{between.port()}") as channel:
        for service, name in (("A", b"a"), ("B", b"b")):
            path = f"/shop.{service}/"
            assert channel.unary_unary(path + "Unary")(b"x" * 100_000, timeout=10) == name + b":" + b"x" * 100_000
            assert list(channel.unary_stream(path + "Watch")(b"5", timeout=10)) == [name + b":%d" % n for n in range(5)]
            parts = [b"%d" % n * 1000 for n in range(50)]
            assert channel.stream_unary(path + "Collect")(iter(parts), timeout=10) == name + b":" + b"".join(parts)
            assert list(channel.stream_stream(path + "Talk")(iter(parts), timeout=10)) == [
                name + b":" + p for p in parts
            ]
            with pytest.raises(grpc.RpcError) as caught:
                channel.unary_unary(path + "Fail")(b"", timeout=10)
            assert (caught.value.code(), caught.value.details()) == (grpc.StatusCode.NOT_FOUND, "no such thing")
    assert ("Unary", "a", "OK") in between.seen.told() and ("Fail", "b", "NOT_FOUND") in between.seen.told()
    assert between.seen.refusals == []


def test_each_failure_is_told_as_grpc_tells_it(between: Running, shops: list[Any]) -> None:
    expected = {
        "/shop.Refused/Unary": (grpc.StatusCode.PERMISSION_DENIED, "not for you"),
        "/shop.Lost/Unary": (grpc.StatusCode.UNAVAILABLE, "no connection for shop.Lost/Unary"),
        "/other.Service/Unary": (grpc.StatusCode.UNIMPLEMENTED, "no route for other.Service/Unary"),
        "/shop.A/Slow": (grpc.StatusCode.DEADLINE_EXCEEDED, "no answer in time to shop.A/Slow"),
    }
    with grpc.insecure_channel(f"127.0.0.1:{between.port()}") as channel:
        for path, (code, text) in expected.items():
            with pytest.raises(grpc.RpcError) as caught:
                channel.unary_unary(path)(b"", timeout=10)
            assert (caught.value.code(), caught.value.details()) == (code, text)
        assert shops[0][2].cancelled.wait(5), "the server is told that nobody waits"
        assert channel.unary_unary("/shop.A/Unary")(b"x", timeout=10) == b"a:x"


def test_many_clients_at_once_each_get_their_own(between: Running) -> None:
    def ask(number: int) -> bool:
        with grpc.insecure_channel(
            f"127.0.0.1:{between.port()}", options=[("grpc.use_local_subchannel_pool", 1)]
        ) as channel:
            calls = [
                channel.unary_unary(f"/shop.{'AB'[n % 2]}/Unary").future(b"%d.%d" % (number, n), timeout=20)
                for n in range(100)
            ]
            return [call.result() for call in calls] == [
                b"%s:%d.%d" % (b"ab"[n % 2 :][:1], number, n) for n in range(100)
            ]

    with futures.ThreadPoolExecutor(6) as pool:
        assert all(pool.map(ask, range(6)))


def test_a_client_that_gives_up_is_given_up(between: Running, shops: list[Any]) -> None:
    shops[1][2].cancelled.clear()
    with grpc.insecure_channel(f"127.0.0.1:{between.port()}") as channel:
        with pytest.raises(grpc.RpcError):
            channel.unary_unary("/shop.B/Watch2")(b"", timeout=10)
        call = channel.stream_stream("/shop.B/Talk")(iter([b"1"]), timeout=10)
        assert next(call) == b"b:1"
        call.cancel()
        assert channel.unary_unary("/shop.B/Unary")(b"x", timeout=10) == b"b:x"
    deadline = time.monotonic() + 5
    while between.engine.in_flight and time.monotonic() < deadline:
        time.sleep(0.01)
    assert between.engine.in_flight == 0


def test_what_is_no_grpc_goes_by_its_path() -> None:
    """httpx speaks HTTP/2 without TLS when it is told to."""
    text = """
listeners: { main: { address: "127.0.0.1:0", protocol: http2 } }
rules:
- match: { attributes: { url.path: { prefix: /a/ } } }
  reply: { status: NOT_FOUND, text: nothing here }
"""
    with running(text) as here, httpx.Client(http1=False, http2=True) as client:
        found = client.get(f"http://127.0.0.1:{here.port()}/a/x")
        assert (found.status_code, found.text) == (404, "nothing here")
        found = client.get(f"http://127.0.0.1:{here.port()}/b/x")
        assert found.status_code == 501 and found.text.startswith("no route for 127.0.0.1")


def test_who_reads_nothing_holds_back_its_own_stream_alone() -> None:
    made = [0]

    def watch(asked: bytes, _: Any) -> Iterator[bytes]:
        for _number in range(100):
            made[0] += 1
            yield bytes(500_000)

    def collect(asked: Iterator[bytes], _: Any) -> bytes:
        return b"%d" % sum(map(len, asked))

    handlers = {
        "Watch": grpc.unary_stream_rpc_method_handler(watch),
        "Collect": grpc.stream_unary_rpc_method_handler(collect),
        "Unary": grpc.unary_unary_rpc_method_handler(lambda asked, _: asked),
    }
    server = grpc.server(futures.ThreadPoolExecutor(4), options=[("grpc.so_reuseport", 0)])
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("s", handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    text = f"""
listeners: {{ main: {{ address: "127.0.0.1:0", protocol: grpc, cluster: a }} }}
clusters: {{ a: {{ hosts: ["127.0.0.1:{port}"] }} }}
"""
    own = [("grpc.use_local_subchannel_pool", 1)]
    try:
        with (
            running(text) as here,
            grpc.insecure_channel(f"127.0.0.1:{here.port()}", options=own) as slow,
            grpc.insecure_channel(f"127.0.0.1:{here.port()}", options=own) as other,
        ):
            answers = slow.unary_stream("/s/Watch")(b"", timeout=30)
            assert len(next(answers)) == 500_000
            time.sleep(0.3)
            assert made[0] < 60, "30 MB are in nobody's buffers"
            assert other.unary_unary("/s/Unary")(b"x", timeout=5) == b"x"
            assert sum(1 for _ in answers) == 99
            assert other.stream_unary("/s/Collect")(iter([bytes(500_000)] * 100), timeout=30) == b"50000000"
    finally:
        server.stop(0)


def test_a_mirror_gets_bodies_as_well(shops: list[Any]) -> None:
    text = f"""
listeners: {{ main: {{ address: "127.0.0.1:0", protocol: grpc }} }}
clusters: {{ a: {{ hosts: ["127.0.0.1:{shops[0][1]}"] }}, b: {{ hosts: ["127.0.0.1:{shops[1][1]}"] }} }}
rules: [{{ cluster: a, mirror: [{{ cluster: b }}] }}]
"""
    asked: list[bytes] = []
    shops[1][2].seen = asked.append
    try:
        with running(text) as here, grpc.insecure_channel(f"127.0.0.1:{here.port()}") as channel:
            for number in range(20):
                body = b"%d" % number * 10_000
                assert channel.unary_unary("/shop.A/Unary")(body, timeout=10) == b"a:" + body
            end = time.monotonic() + 10
            while len(asked) < 20 and time.monotonic() < end:
                time.sleep(0.01)
        assert sorted(asked) == sorted(b"%d" % number * 10_000 for number in range(20))
    finally:
        shops[1][2].seen = None


def test_a_stream_on_which_nothing_comes_is_not_idle(shops: list[Any]) -> None:
    text = f"""
listeners: {{ main: {{ address: "127.0.0.1:0", protocol: grpc, cluster: a, idle: 300ms, opening: 300ms }} }}
clusters: {{ a: {{ hosts: ["127.0.0.1:{shops[0][1]}"], idle: 300ms }} }}
"""
    said = threading.Event()

    def asked() -> Iterator[bytes]:
        yield b"1"
        said.wait(20)
        yield b"2"

    with running(text) as here, grpc.insecure_channel(f"127.0.0.1:{here.port()}") as channel:
        answers = channel.stream_stream("/shop.A/Talk")(asked(), timeout=20)
        assert next(answers) == b"a:1"
        time.sleep(2.5)
        (host,) = here.engine.pools["a"].hosts.values()
        assert [server.serves for server in host.servers] == [True]
        said.set()
        assert next(answers) == b"a:2"
