"""gRPC whose servers are cut off, say nothing or nonsense, and whose clients go away: a real client, and a real server."""

from __future__ import annotations

import contextlib
import queue
import socket
import threading
import time
from collections.abc import Iterator
from concurrent import futures
from typing import Any

import grpc
import pytest

from l7codecs import Status
from l7codecs.proxy.exchange import Failure

from .running import Running, running, wait_until
from .servers import reset

ONE = """
listeners:
  main: {{ address: "127.0.0.1:0", protocol: http2 }}
clusters:
  a: {{ hosts: ["127.0.0.1:{0}"] }}
rules:
- match: {{ operation: Hurried }}
  cluster: a
  deadline: 300ms
- cluster: a
"""
MANY = 30


class Shop(grpc.GenericRpcHandler):
    """Gives back what it got, when it is told to; of streams, until the client goes."""

    def __init__(self) -> None:
        self.go_on = threading.Event()
        self.begun = threading.Semaphore(0)
        self.gone = threading.Semaphore(0)

    def service(self, call: Any) -> Any:
        if call.method.endswith("/Watch"):
            return grpc.unary_stream_rpc_method_handler(self.watch)
        if call.method.endswith("/Collect"):
            return grpc.stream_unary_rpc_method_handler(self.collect)
        return grpc.unary_unary_rpc_method_handler(self.unary)

    def unary(self, asked: bytes, context: Any) -> bytes:
        context.add_callback(self.gone.release)
        self.begun.release()
        if asked.startswith(b"wait"):
            self.go_on.wait(10)
        return asked

    def collect(self, asked: Iterator[bytes], context: Any) -> bytes:
        context.add_callback(self.gone.release)
        next(asked)
        self.begun.release()
        return b"".join(asked)

    def watch(self, asked: bytes, context: Any) -> Iterator[bytes]:
        context.add_callback(self.gone.release)
        yield b"first"
        self.begun.release()
        while context.is_active() and not self.go_on.wait(0.01):
            yield b"x" * 1000


class Cut:
    """A way to a server that may be cut at any time, by RST on both sides."""

    def __init__(self, to: int) -> None:
        self.to = to
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.pairs: list[tuple[socket.socket, socket.socket]] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self.listener.accept()
                far = socket.create_connection(("127.0.0.1", self.to))
                self.pairs.append((near, far))
                for one, other in ((near, far), (far, near)):
                    threading.Thread(target=self._copy, args=(one, other), daemon=True).start()

    def _copy(self, one: socket.socket, other: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while octets := one.recv(65536):
                other.sendall(octets)
            other.shutdown(socket.SHUT_WR)

    def cut(self) -> None:
        pairs, self.pairs = self.pairs, []
        for pair in pairs:
            for each in reversed(pair):  # the far one first: the server is not to say what it makes of it
                with contextlib.suppress(OSError):
                    each.shutdown(socket.SHUT_RD)  # whoever reads it stops
                reset(each)

    def leave(self) -> None:
        """Close each connection to the other side, with FIN, as the system does for a client that is killed."""
        pairs, self.pairs = self.pairs, []
        for near, far in pairs:
            far.shutdown(socket.SHUT_RDWR)
            far.close()
            near.close()

    def close(self) -> None:
        self.listener.close()
        self.cut()


@pytest.fixture
def between() -> Iterator[tuple[Running, Shop, Cut, grpc.Channel]]:
    shop = Shop()
    server = grpc.server(futures.ThreadPoolExecutor(MANY + 4), handlers=[shop])
    cut = Cut(server.add_insecure_port("127.0.0.1:0"))
    server.start()
    with running(ONE.format(cut.port)) as here, grpc.insecure_channel(f"127.0.0.1:{here.port()}") as channel:
        yield here, shop, cut, channel
    shop.go_on.set()
    cut.close()
    server.stop(None).wait()


def test_cut_in_mid_flight(between: Any) -> None:
    """All that wait are told so at once; the next call has a new connection."""
    _, shop, cut, channel = between
    call = channel.unary_unary("/shop.A/Unary")
    assert call(b"before", timeout=10) == b"before"
    waiting = [call.future(b"wait %d" % number, timeout=20) for number in range(MANY)]
    for _ in range(MANY + 1):
        assert shop.begun.acquire(timeout=10)
    began = time.monotonic()
    cut.cut()
    for each in waiting:
        assert each.exception(10).code() is grpc.StatusCode.UNAVAILABLE
    assert time.monotonic() - began < 5
    assert call(b"after", timeout=10) == b"after"


def test_a_stream_that_is_cut_ends_with_an_error(between: Any) -> None:
    _, shop, cut, channel = between
    answers = channel.unary_stream("/shop.A/Watch")(b"", timeout=20)
    assert next(answers) == b"first" and shop.begun.acquire(timeout=10)
    cut.cut()
    with pytest.raises(grpc.RpcError) as raised:
        for _ in answers:
            pass
    assert raised.value.code() is not grpc.StatusCode.OK
    assert channel.unary_unary("/shop.A/Unary")(b"after", timeout=10) == b"after"


def test_a_client_that_leaves_is_told_to_the_server(between: Any) -> None:
    here, shop, _, channel = between
    answers = channel.unary_stream("/shop.A/Watch")(b"", timeout=20)
    assert next(answers) == b"first"
    with grpc.insecure_channel(f"127.0.0.1:{here.port()}") as other:
        waiting = other.unary_unary("/shop.A/Unary").future(b"wait", timeout=20)
        assert shop.begun.acquire(timeout=10) and shop.begun.acquire(timeout=10)
    assert waiting.code() is not grpc.StatusCode.OK
    assert shop.gone.acquire(timeout=10), "the call of the channel that was closed"
    answers.cancel()
    assert shop.gone.acquire(timeout=10)
    end = time.monotonic() + 5
    while here.engine.in_flight and time.monotonic() < end:
        time.sleep(0.01)
    assert here.engine.in_flight == 0


@pytest.mark.parametrize("whole", [True, False], ids=["of what it asked", "in the middle"])
def test_a_client_that_is_killed_is_told_to_the_server(between: Any, whole: bool) -> None:
    """It waits, and nothing comes that could not be written to it."""
    here, shop, _, _ = between
    cut = Cut(here.port())
    with grpc.insecure_channel(f"127.0.0.1:{cut.port}") as channel:
        if whole:
            waiting = channel.unary_unary("/shop.A/Unary").future(b"wait", timeout=20)
        else:
            asked: queue.Queue[bytes] = queue.Queue()
            asked.put(b"first")
            waiting = channel.stream_unary("/shop.A/Collect").future(iter(asked.get, None), timeout=20)
        assert shop.begun.acquire(timeout=10)
        cut.leave()
        assert shop.gone.acquire(timeout=8), "before it had answered"
        wait_until(lambda: here.engine.in_flight == 0)
        (ended,) = here.seen.exchanges
        assert (ended.failure, ended.status) == (Failure.CLIENT_GONE, Status.CANCELLED)
        assert waiting.code() is not grpc.StatusCode.OK
        if not whole:
            asked.put(None)  # type: ignore[arg-type]  # the end
    cut.close()


def test_a_deadline_of_the_rule_cancels_at_the_server(between: Any) -> None:
    _, shop, _, channel = between
    began = time.monotonic()
    with pytest.raises(grpc.RpcError) as raised:
        channel.unary_unary("/shop.A/Hurried")(b"wait", timeout=20)
    assert raised.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert time.monotonic() - began < 3 and shop.gone.acquire(timeout=5)
    assert channel.unary_unary("/shop.A/Unary")(b"after", timeout=10) == b"after"


@pytest.mark.parametrize(
    "says", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\0\0\x04\x09\0\0\0\0\1oops"], ids=["nothing", "http", "frames"]
)
def test_a_server_that_speaks_no_http2(says: bytes) -> None:
    """It accepts, and says nothing or something else."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        held: list[socket.socket] = []

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    held.append(listener.accept()[0])
                    held[-1].sendall(says)

        threading.Thread(target=accept, daemon=True).start()
        text = ONE.format(listener.getsockname()[1])
        with running(text) as here, grpc.insecure_channel(f"127.0.0.1:{here.port()}") as channel:
            calls = [channel.unary_unary("/shop.A/Hurried").future(b"x", timeout=20) for _ in range(5)]
            wanted = (
                {grpc.StatusCode.INTERNAL, grpc.StatusCode.UNAVAILABLE} if says else {grpc.StatusCode.DEADLINE_EXCEEDED}
            )
            assert {each.exception(10).code() for each in calls} <= wanted
            assert here.engine.in_flight == 0
        listener.shutdown(socket.SHUT_RDWR)
        for each in held:
            each.close()
