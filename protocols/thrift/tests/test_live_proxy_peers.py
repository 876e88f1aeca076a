"""examples/thrift_proxy.py between clients of every library and servers in Java and Go, of which one is killed under way."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from l7codecs import Sender
from l7codecs.testing import Relay, free_port

from .conftest import needs, tool
from .test_live_proxy import EXAMPLE, HOST, messages, started

pytestmark = pytest.mark.interop

HOW = ("framed", "binary")
TURNS = 100
CALLS = ["Shop.hello:78", "Shop.fire:79", "Shop.add:1,2", "Shop.check:6f6f7073"] * TURNS
ANSWERS = {"Shop.hello:78": "text:68656c6c6f2078", "Shop.fire:79": "oneway", "Shop.add:1,2": "int:3"}


class Setup:
    """Two servers, a relay before each, and a proxy: hello and fire go to the first, others to the second."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        peer = tool("thrift_peers").Peer
        self.servers = [self._stack.enter_context(peer(name)) for name in ("java", "go")]
        self.relays = [self._stack.enter_context(Relay((HOST, each.serve(*HOW)))) for each in self.servers]
        first, second = (each.port for each in self.relays)
        self.port = free_port()
        rules = [f"{name}@{first},{second}" for name in ("hello", "fire")] + [f"*@{second},{first}"]
        self._proxy = started(EXAMPLE, self.port, str(self.port), *rules)

    def close(self) -> str:
        self._proxy.kill()
        printed = self._proxy.communicate()[1].decode()
        self._stack.close()
        return printed


@pytest.fixture
def setup() -> Iterator[Setup]:
    opened = needs(Setup)
    try:
        yield opened
    finally:
        printed = opened.close()
    assert "closing" not in printed and "Traceback" not in printed, printed


@pytest.mark.parametrize("name", ["python", "java", "go", "node", "cpp", "thriftpy2"])
def test_a_server_is_killed_under_one_connection(setup: Setup, name: str) -> None:
    """One call at most fails, with an exception; the connection lives, and what comes next has the other server.

    Go's one-way calls, which it writes as calls and does not wait for, are answered by nobody.
    """
    with tool("thrift_peers").Peer(name) as client:
        said: list[Any] = []
        asking = threading.Thread(target=lambda: said.extend(client.call(setup.port, *HOW, CALLS)))
        asking.start()
        while not setup.relays[0].recordings:
            asking.join(0.01)
        first = setup.relays[0].recordings[0]
        while first.octets(Sender.CLIENT).count(b"hello") < TURNS // 4:
            asking.join(0.01)
        setup.servers[0].kill()
        asking.join(60)
    assert len(said) == len(CALLS)
    failed = [each for call, each in zip(CALLS, said, strict=True) if each != ANSWERS.get(call, each)]
    assert len(failed) <= 1 and all(each.startswith("application:6:") for each in failed), failed
    assert not [each for each in said if each.startswith("lost")]
    assert all(each.startswith("Oops:") for call, each in zip(CALLS, said, strict=True) if "check" in call)
    heard = [messages(each) for relay in setup.relays for each in relay.recordings if each.pieces]
    assert len(heard) == 2
    asked = [[each.operation for each in one if each.sender is Sender.CLIENT] for one in heard]
    assert {"hello", "fire"} == set(asked[0]) and set(asked[1]) == {"hello", "fire", "add", "check"}
    # Each once. What was under way when the server was killed may have reached nobody.
    assert TURNS - len(failed) <= sum(one.count("hello") for one in asked) <= TURNS
    assert asked[1].count("add") == asked[1].count("check") == TURNS
    kinds = {each.message_type for one in heard for each in one if each.operation == "fire"}
    assert kinds == {"call" if name == "go" else "oneway"}
