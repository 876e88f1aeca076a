"""Envoy's dubbo_proxy between real peers: what it passes on, and what it says itself."""

from __future__ import annotations

import json
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from l7codecs import Kind, Status
from l7codecs.testing import Relay, Vector, free_port

from .conftest import needs, tool
from .heard import Heard, result_value

pytestmark = pytest.mark.interop

SHOP = "l7codecs.peers.Shop"


def cluster(name: str, port: int) -> dict[str, Any]:
    address = {"socket_address": {"address": "127.0.0.1", "port_value": port}}
    endpoints = [{"lb_endpoints": [{"endpoint": {"address": address}}]}]
    return {"name": name, "type": "STATIC", "load_assignment": {"cluster_name": name, "endpoints": endpoints}}


def configuration(port: int, first: int, second: int) -> dict[str, Any]:
    """Calls of the service with the attachment tenant=b go to the second, others to the first."""
    method = {"name": {"safe_regex": {"regex": ".*"}}}
    headers = [{"name": "tenant", "string_match": {"exact": "b"}}]
    routes = [
        {"match": {"method": method, "headers": headers}, "route": {"cluster": "second"}},
        {"match": {"method": method}, "route": {"cluster": "first"}},
    ]
    proxy = {
        "@type": "type.googleapis.com/envoy.extensions.filters.network.dubbo_proxy.v3.DubboProxy",
        "stat_prefix": "dubbo",
        "protocol_type": "Dubbo",
        "serialization_type": "Hessian2",
        "route_config": [{"name": "local", "interface": SHOP, "routes": routes}],
    }
    filters = [{"name": "envoy.filters.network.dubbo_proxy", "typed_config": proxy}]
    listener = {
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": port}},
        "filter_chains": [{"filters": filters}],
    }
    return {
        "static_resources": {"listeners": [listener], "clusters": [cluster("first", first), cluster("second", second)]}
    }


class Setup:
    """A consumer, a relay, Envoy, and a relay before each of two providers."""

    def __init__(self, stage: Any) -> None:
        module = tool("dubbo_peers")
        program = module.envoy()
        self.consumer = stage.peer("consumer")
        self.outer: list[Relay] = []
        self.providers = [Relay(("127.0.0.1", stage.port(version))) for version in ("3.3.6", "2.7.23")]
        self.port = free_port()
        self._folder = tempfile.TemporaryDirectory()
        path = Path(self._folder.name) / "envoy.json"
        path.write_text(json.dumps(configuration(self.port, *(each.port for each in self.providers))))
        command = [program, "-c", path, "--use-dynamic-base-id", "--concurrency", "1", "-l", "critical"]
        self._process = subprocess.Popen([*map(str, command)], stdin=subprocess.DEVNULL)
        end = time.monotonic() + 60
        while time.monotonic() < end and self._process.poll() is None:
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
                return
            time.sleep(0.1)
        raise TimeoutError("Envoy does not listen")

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        for each in self.providers:
            each.close()
        self._folder.cleanup()

    def play(self, *calls: dict[str, Any], **options: Any) -> tuple[list[dict[str, Any]], Heard, list[Heard]]:
        """What the consumer says of these calls; what passed on its side of Envoy, and on that of the providers."""
        before = {id(each): len(each.pieces) for relay in self.providers for each in relay.recordings}
        with Relay(("127.0.0.1", self.port)) as outer:
            results = self.consumer.ask("call", to=outer.port, calls=list(calls), **options)["results"]
            self.consumer.ask("release")
            recording = next(each for each in outer.recordings if each.pieces)
            recording.wait_closed()
        inner = []
        for each in [one for relay in self.providers for one in relay.recordings]:
            pieces = each.pieces[before.get(id(each), 0) :]  # Envoy goes on with a connection that it has
            if pieces:
                inner.append(Heard(Vector("inner", tuple((piece.sender, piece.octets) for piece in pieces))))
        return results, Heard(recording), inner


@pytest.fixture(scope="module")
def envoy(dubbo_stage: Any) -> Iterator[Setup]:
    opened = needs(Setup, dubbo_stage)
    yield opened
    opened.close()


def call(method: str, *arguments: str, **more: Any) -> dict[str, Any]:
    return {"method": method, "arguments": list(arguments), **more}


def test_calls_pass(envoy: Setup) -> None:
    """Each side of Envoy is the same octet for octet, ids too; by an attachment calls go to the other provider."""
    tenant = {"tenant": "text:b", "want": "text:attachments"}
    results, outer, inner = envoy.play(
        call("hello", "text:1"), call("hello", "text:2", attachments=tenant), call("place", "order", "quantities"),
        call("failing", "text:declared"), call("binary", "bytes:100000"), call("bare", attachments=tenant),
    )  # fmt: skip
    outer.check()
    assert [result.get("value") for result in results[:2]] == ["shop: hello, 1", "shop: hello, 2"]
    assert results[3]["failure"]["exception"] == "l7codecs.peers.ShopException"
    passed = [each for side in inner for each in side.calls]
    for side in inner:
        side.check()
    by_id = {each.request.request_id: each for each in passed}
    assert len(by_id) == len(passed) == len(outer.calls) == 6
    for each in outer.calls:
        other = by_id[each.request.request_id]
        assert (other.request.raw, other.response.raw) == (each.request.raw, each.response.raw)
    tenants = [[each.request.attachment("tenant") for each in side.calls] for side in inner]
    assert sorted(tenants, key=str) == [["b", "b"], [None] * 4]


def test_no_route(envoy: Setup) -> None:
    """Envoy's own answer: status 60, and its text behind a number that no other status has."""
    results, outer, inner = envoy.play(call("hello", "text:x"), call("bare"), interface="l7codecs.peers.Stall")
    outer.check()
    assert inner == []
    for each, result in zip(outer.calls, results, strict=True):
        response = each.response
        assert response.status_code == 60 and response.status not in (None, Status.OK)
        assert response.payload[:1] == b"\x90" and b"no route for interface 'l7codecs.peers.Stall'" in response.payload
        assert "failure" in result


def test_heartbeats(envoy: Setup) -> None:
    """Envoy answers the consumer's itself."""
    results, outer, inner = envoy.play(call("bare"), parameters={"heartbeat": "1000"}, idle=2600)
    outer.check(Kind.HEARTBEAT)
    assert results[0]["value"] == 42
    beats = outer.of_kind(Kind.HEARTBEAT)
    answers = [each for each in outer.of_kind(Kind.RESPONSE) if each.request in beats]
    assert len(beats) >= 2 and [each.request for each in answers] == beats[: len(answers)] and answers
    assert {(each.status, each.raw[16:]) for each in answers} == {(Status.OK, b"N")}
    assert not [each for side in inner for each in side.of_kind(Kind.HEARTBEAT)]


def test_one_way(envoy: Setup) -> None:
    """A call that wants no answer passes, and has none; the next may go by another connection."""
    parameters = {"note.return": "false"}
    _, outer, inner = envoy.play(call("note", "text:a"), call("bare"), parameters=parameters)
    outer.check()
    assert [each.request.kind for each in outer.calls] == [Kind.ONEWAY, Kind.REQUEST]
    assert result_value(outer.calls[1].response) == 42
    assert sorted(each.request.raw for side in inner for each in side.calls) == sorted(
        each.request.raw for each in outer.calls
    )


def test_fastjson2_is_cut_off(envoy: Setup) -> None:
    """A serialization that Envoy does not read ends the connection without an answer."""
    parameters = {"serialization": "fastjson2", "prefer.serialization": "fastjson2"}
    results, outer, inner = envoy.play(call("hello", "text:x"), parameters=parameters, timeout=2000)
    (only,) = outer.calls
    assert (only.request.serialization, only.request.operation, only.response) == ("fastjson2", "hello", None)
    assert "failure" in results[0] and inner == []
