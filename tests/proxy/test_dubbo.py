"""Dubbo consumers before two providers: frames as another description of the protocol writes them."""

import contextlib
import socket
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from l7codecs.testing import load_tool

from .running import running, wait_until

frames: Any = load_tool(Path(__file__).resolve().parents[2] / "protocols" / "dubbo" / "tests", "frames")
SPLIT = """
listeners:
  main: {{ address: "127.0.0.1:0", protocol: dubbo }}
clusters:
  a: {{ hosts: ["127.0.0.1:{0}"] }}
  b: {{ hosts: ["127.0.0.1:{1}"] }}
rules:
- match: {{ operation: hello }}
  cluster: a
- match: {{ operation: bye }}
  cluster: b
"""


class Provider:
    """Answers each call, last first where it is told to wait for several."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.heard: list[Any] = []
        self.batch = 1
        self.connections: list[socket.socket] = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        waiting = []
        try:
            for each in read_frames(connection):
                self.heard.append(each)
                if not each.flags.two_way:
                    continue
                waiting.append(frames.answer(each.id, frames.string(self.name)))
                if len(waiting) >= self.batch:
                    connection.sendall(b"".join(reversed(waiting)))
                    waiting = []
        except OSError:
            pass

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for each in self.connections:
            each.close()


def read_frames(connection: socket.socket) -> Any:
    kept = b""
    while True:
        while len(kept) >= 16 and len(kept) >= 16 + int.from_bytes(kept[12:16], "big"):
            size = 16 + int.from_bytes(kept[12:16], "big")
            yield frames.FRAME.parse(kept[:size])
            kept = kept[size:]
        more = connection.recv(65536)
        if not more:
            return
        kept += more


@pytest.fixture
def providers() -> Any:
    found = [Provider("a"), Provider("b")]
    yield found
    for each in found:
        each.close()


def test_calls_go_by_method_whatever_ids_consumers_use(providers: list[Provider]) -> None:
    with running(SPLIT.format(*(each.port for each in providers))) as here:
        consumers = [socket.create_connection(("127.0.0.1", here.port())) for _ in range(3)]
        for consumer in consumers:
            consumer.settimeout(10)
            consumer.sendall(
                frames.call(7, method="hello")
                + frames.call(8, method="bye")
                + frames.call(9, method="hello", two_way=False)
            )
        for consumer in consumers:
            reader = read_frames(consumer)
            found = {each.id: each.body for each in (next(reader), next(reader))}
            assert found.keys() == {7, 8}
            assert found[7].startswith(b"\x94\x01a") and found[8].startswith(b"\x94\x01b")
        deadline = time.monotonic() + 5
        while len(providers[0].heard) < 6 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert [len(each.heard) for each in providers] == [6, 3]
        assert all(len(each.connections) == 1 for each in providers)
        for consumer in consumers:
            consumer.close()


def test_heartbeats_are_answered_here_and_failures_told(providers: list[Provider]) -> None:
    with running(SPLIT.format(*(each.port for each in providers))) as here:
        providers[1].close()
        with socket.create_connection(("127.0.0.1", here.port())) as consumer:
            consumer.settimeout(10)
            consumer.sendall(
                frames.heartbeat(1)
                + frames.call(2, method="bye")
                + frames.call(3, method="what")
                + frames.call(4, method="bye", two_way=False)
            )
            reader = read_frames(consumer)
            found = {each.id: each for each in (next(reader), next(reader), next(reader))}
            assert found.keys() == {1, 2, 3}
            assert found[1].flags.event and found[1].status == 20
            assert found[2].status != 20 and b"no connection for" in found[2].body
            assert found[3].status != 20 and b"no route for" in found[3].body
            consumer.sendall(frames.call(5, method="hello"))
            assert next(reader).id == 5, "and nothing for the one-way call"
        assert providers[1].heard == []


def test_a_provider_that_dies_with_calls_under_way(providers: list[Provider]) -> None:
    providers[0].batch = 100
    with (
        running(SPLIT.format(*(each.port for each in providers))) as here,
        socket.create_connection(("127.0.0.1", here.port())) as consumer,
    ):
        consumer.settimeout(10)
        consumer.sendall(frames.call(2, method="hello") + frames.call(3, method="hello", two_way=False))
        deadline = time.monotonic() + 5
        while len(providers[0].heard) < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
        providers[0].batch = 1
        for connection in providers[0].connections:
            connection.shutdown(socket.SHUT_RDWR)
        reader = read_frames(consumer)
        found = next(reader)
        assert found.id == 2 and found.status != 20 and b"the connection was lost with" in found.body
        consumer.sendall(frames.call(4, method="hello"))
        found = next(reader)
        assert found.id == 4 and found.status == 20, "the next call has another connection"


def test_the_last_provider_that_goes_is_told_to_consumers(providers: list[Provider]) -> None:
    """One of two is not: what it would get goes to the other."""
    text = f"""
listeners: {{ main: {{ address: "127.0.0.1:0", protocol: dubbo }} }}
clusters: {{ both: {{ hosts: ["127.0.0.1:{providers[0].port}", "127.0.0.1:{providers[1].port}"] }} }}
rules: [{{ cluster: both }}]
"""
    read_only = frames.frame(1, b"\x01R", request=True, event=True)
    with running(text) as here, socket.create_connection(("127.0.0.1", here.port())) as consumer:
        consumer.settimeout(10)
        reader = read_frames(consumer)
        consumer.sendall(frames.call(1, method="hello") + frames.call(2, method="hello"))
        assert {next(reader).id, next(reader).id} == {1, 2}
        providers[0].connections[0].sendall(read_only)
        hosts = here.engine.pools["both"].hosts.values()
        wait_until(lambda: [each.serves for host in hosts for each in host.servers].count(True) == 1)
        consumer.sendall(frames.call(3, method="hello") + frames.call(4, method="hello"))
        assert {next(reader).id, next(reader).id} == {3, 4}
        assert [len(each.heard) for each in providers] == [1, 3]
        providers[1].connections[0].sendall(read_only)
        told = next(reader)
        assert told.flags.event and told.flags.request and told.body.endswith(b"R")
        consumer.sendall(frames.call(5, method="hello"))
        assert next(reader).id == 5, "what is asked all the same is answered"
