"""What the client and the server of connectrpc (PyPI) say of their calls, seen from the wire: Connect, gRPC-Web, gRPC."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from l7codecs import Status
from l7codecs.testing import Recording, Relay, free_port

from .conftest import EXAMPLE, wait_for_port
from .observing import Call, Conversation

PEER = Path(__file__).with_name("connect_peer.py")
NAMES = {"CONNECT": "connect", "GRPC_WEB": "grpc_web", "GRPC": "grpc"}
CALLS: list[dict[str, Any]] = [
    {"protocol": protocol, "method": method, "value": value, **more}
    for protocol in NAMES
    for method in ("Greet", "Many")
    for value in ("world", "x" * 40_000, "NOT_FOUND", "DEADLINE_EXCEEDED", "CANCELED")
    for more in ({}, {"compress": False}, {"get": True})
    if "get" not in more or (protocol == "CONNECT" and method == "Greet" and len(value) < 100)
]


@pytest.fixture(scope="module")
def server() -> Iterator[int]:
    port = free_port()
    command = [sys.executable, str(PEER), "server", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as peer:
        try:
            wait_for_port(port, peer)
            yield port
        finally:
            peer.terminate()


def ask(port: int) -> list[list[str]]:
    """What the client makes of every call."""
    words = [sys.executable, str(PEER), "client", str(port)]
    said = subprocess.run(words, input=json.dumps(CALLS), capture_output=True, text=True, timeout=60, check=True)
    found: list[list[str]] = json.loads(said.stdout)
    return found


def expected(call: dict[str, Any]) -> list[str]:
    """What the client is to make of one."""
    value = call["value"]
    if value.isupper():
        return [value, "as asked"]
    return [f"hello {value}"] if call["method"] == "Greet" else ["again"] * 3


def calls_of(recordings: list[Recording]) -> list[Call]:
    """All calls, in the order of their connections and streams."""
    found = []
    for recording in recordings:
        heard = Conversation.of(recording)
        heard.check()
        found += heard.calls
    return found


def test_every_call_is_told(server: int) -> None:
    with Relay(("127.0.0.1", server)) as relay:
        assert ask(relay.port) == [expected(call) for call in CALLS]
        seen = calls_of(relay.wait_closed())
    assert len(seen) == len(CALLS)
    for call, asked in zip(seen, CALLS, strict=True):
        name = NAMES[asked["protocol"]]
        status = (
            Status[{"CANCELED": "CANCELLED"}.get(asked["value"], asked["value"])]
            if asked["value"].isupper()
            else Status.OK
        )
        last = call.last
        assert (last.protocol, last.service, last.operation) == (name, "pack.Greeter", asked["method"])
        assert last.status is status
        word = None if status is Status.OK else status.name
        if name == "connect" and word is not None:
            word = asked["value"].lower()
        assert last.error == word
        if name == "connect" and asked.get("get"):
            assert call.method == "GET"
            continue
        prefix = "connect" if name == "connect" else "grpc"
        answers = len(expected(asked)) if status is Status.OK else 3 if asked["method"] == "Many" else 0
        said = last.attributes
        assert said[f"{prefix}.request.message_count"] == 1
        assert said[f"{prefix}.response.message_count"] == answers
        assert said[f"{prefix}.request.compressed_count"] == (1 if asked.get("compress", True) else 0)


def test_through_the_relay_of_the_examples(server: int) -> None:
    """A proxy of two endpoints changes nothing that the client sees."""
    port = free_port()
    command = [sys.executable, str(EXAMPLE), str(port), f"/={server}"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as proxy:
        try:
            wait_for_port(port, proxy)
            assert ask(port) == [expected(call) for call in CALLS]
        finally:
            proxy.terminate()
