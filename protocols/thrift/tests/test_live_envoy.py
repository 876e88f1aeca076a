"""Envoy's thrift_proxy between real clients and servers: what it passes on, what it writes anew, and what it says itself."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from thrift.Thrift import TApplicationException, TMessageType
from thrift.transport.TTransport import TTransportException

import l7codecs
from l7codecs import Kind, Sender, Status
from l7codecs.testing import Relay, Vector, check_cuts, free_port
from l7codecs_thrift import ThriftMessage

from .conftest import needs, tool

pytestmark = pytest.mark.interop

HOST = "127.0.0.1"
HOWS = [(transport, encoding) for transport in ("framed", "unframed", "header") for encoding in ("binary", "compact")]
TYPES = "type.googleapis.com/envoy.extensions.filters.network.thrift_proxy"


def cluster(name: str, port: int) -> dict[str, Any]:
    address = {"socket_address": {"address": HOST, "port_value": port}}
    endpoints = [{"lb_endpoints": [{"endpoint": {"address": address}}]}]
    return {"name": name, "type": "STATIC", "load_assignment": {"cluster_name": name, "endpoints": endpoints}}


def configuration(port: int, first: int, second: int) -> dict[str, Any]:
    """Calls of echo and of the service Other go to the second, others that there are to the first."""
    routes = [{"match": {"service_name": "Other"}, "route": {"cluster": "second", "strip_service_name": True}},
              {"match": {"method_name": "echo"}, "route": {"cluster": "second"}},
              *({"match": {"method_name": name}, "route": {"cluster": "first"}}
                for name in ("hello", "nothing", "fire", "failing", "unknown"))]  # fmt: skip
    proxy = {
        "@type": f"{TYPES}.v3.ThriftProxy",
        "stat_prefix": "thrift",
        "transport": "AUTO_TRANSPORT",
        "protocol": "AUTO_PROTOCOL",
        "route_config": {"name": "local", "routes": routes},
        "thrift_filters": [
            {"name": "envoy.filters.thrift.router", "typed_config": {"@type": f"{TYPES}.router.v3.Router"}}
        ],
    }
    listener = {
        "address": {"socket_address": {"address": HOST, "port_value": port}},
        "filter_chains": [{"filters": [{"name": "envoy.filters.network.thrift_proxy", "typed_config": proxy}]}],
    }
    return {
        "static_resources": {"listeners": [listener], "clusters": [cluster("first", first), cluster("second", second)]}
    }


def wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end and process.poll() is None:
        with suppress(OSError), socket.create_connection((HOST, port)):
            return
        time.sleep(0.05)
    raise TimeoutError(f"{process.args!r} does not listen")


def messages(vector: Vector) -> list[ThriftMessage]:
    """What a session tells of it, in whatever cuts."""
    outcome = check_cuts(lambda: l7codecs.open_session("thrift"), vector)
    assert not outcome.errors
    found = [each for each in outcome.events if isinstance(each, ThriftMessage)]
    assert len(found) == len(outcome.events)
    return found


class Setup:
    """Clients, a relay, Envoy, and a relay before each of two servers."""

    def __init__(self, program: Path, transport: str, encoding: str) -> None:
        self.how = transport, encoding
        self._running: list[subprocess.Popen[bytes]] = []
        self._folder = tempfile.TemporaryDirectory()
        self.inner: list[Relay] = []
        shop = tool("python_shop")
        for name in "ab":
            port = free_port()
            self._start([sys.executable, "-u", shop.__file__, "apache", str(port), transport, encoding, name], port)
            self.inner.append(Relay((HOST, port)))
        port = free_port()
        path = Path(self._folder.name) / "envoy.json"
        path.write_text(json.dumps(configuration(port, *(each.port for each in self.inner))))
        self._start(
            [str(program), "-c", str(path), "--use-dynamic-base-id", "--concurrency", "1", "-l", "critical"], port
        )
        self.outer = Relay((HOST, port))
        self._heard = {id(each): 0 for relay in self.inner for each in relay.recordings}

    def _start(self, command: list[str], port: int) -> None:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        self._running.append(process)
        wait_for(port, process)

    def close(self) -> None:
        for each in self._running:
            each.kill()
            each.wait()
        for relay in (*self.inner, self.outer):
            relay.close()
        self._folder.cleanup()

    def client(self, **options: Any) -> Any:
        return tool("python_shop").ApacheClient(self.outer.port, *self.how, **options)

    def heard(self) -> tuple[list[ThriftMessage], list[list[ThriftMessage]]]:
        """What passed on the latest connection of a client, and since it was asked last on those of each server."""
        recording = self.outer.recordings[-1]
        recording.wait_closed()
        inner: list[list[ThriftMessage]] = []
        for relay in self.inner:
            inner.append([])
            for each in relay.recordings:
                pieces = each.pieces[self._heard.get(id(each), 0) :]  # Envoy goes on with a connection that it has
                self._heard[id(each)] = len(each.pieces)
                if pieces:
                    vector = Vector("inner", tuple((piece.sender, piece.octets) for piece in pieces))
                    inner[-1] += messages(vector)
        return messages(recording.to_vector()), inner


@pytest.fixture(scope="module", params=HOWS, ids="-".join)
def envoy(request: pytest.FixtureRequest) -> Iterator[Setup]:
    opened = needs(lambda: Setup(tool("foreign_peers").envoy(), *request.param))
    yield opened
    opened.close()


def pairs(found: list[ThriftMessage]) -> list[tuple[ThriftMessage, ThriftMessage | None]]:
    """Each call with its answer."""
    answers: dict[Any, ThriftMessage] = {each.request: each for each in found if each.sender is Sender.SERVER}
    assert None not in answers
    return [(each, answers.get(each)) for each in found if each.sender is Sender.CLIENT]


def test_calls_pass(envoy: Setup) -> None:
    """Either side of Envoy says what the client asked and got, under sequence ids of their own."""
    client = envoy.client()
    long = "long " * 20_000
    said = [client.call("hello", "é", seqid=7), client.call("echo", long, seqid=-5), client.call("nothing", seqid=7)]
    said += [client.call("fire", "shot", seqid=8), client.call("hello", "again", seqid=9)]
    with pytest.raises(tool("python_shop").Gone) as gone:
        client.call("failing", "declared", seqid=10)
    with pytest.raises(TApplicationException, match="Internal error") as failed:
        client.call("failing", "undeclared", seqid=11)
    client.close()
    assert said == ["a: é", long, None, None, "a: again"] and gone.value.why == "sold" and failed.value.type == 6
    outer, inner = envoy.heard()
    asked = pairs(outer)
    assert [(call.number, call.operation) for call, _ in asked] == [
        (7, "hello"), (-5, "echo"), (7, "nothing"), (8, "fire"), (9, "hello"), (10, "failing"), (11, "failing"),
    ]  # fmt: skip
    assert [call.structure() for call, _ in asked[:2]] == [{1: "é"}, {1: long}]
    assert [answer and answer.structure() for _, answer in asked] == [
        {0: "a: é"}, {0: long}, {}, None, {0: "a: again"}, {1: {1: "sold"}}, {1: "Internal error", 2: 6},
    ]  # fmt: skip
    assert [answer and answer.status for _, answer in asked] == [
        Status.OK, Status.OK, Status.OK, None, Status.OK, Status.UNKNOWN, Status.INTERNAL,
    ]  # fmt: skip
    assert asked[3][0].kind is Kind.ONEWAY
    passed = pairs(inner[0]), pairs(inner[1])
    assert [len(each) for each in passed] == [6, 1]
    waits = list(passed[0])
    waits.insert(1, passed[1][0])
    for (call, answer), (other, its) in zip(asked, waits, strict=True):
        assert (call.operation, call.kind, call.structure()) == (other.operation, other.kind, other.structure())
        assert (answer and answer.structure()) == (its and its.structure())
        assert (call.transport, call.encoding) == (other.transport, other.encoding) == envoy.how
        assert its is None or its.number == other.number
    assert [call.number for call, _ in passed[0]] == list(range(passed[0][0][0].number, passed[0][0][0].number + 6))


def test_a_service_is_stripped(envoy: Setup) -> None:
    client = envoy.client(service="Other")
    assert client.call("hello", "x") == "b: x"
    client.close()
    outer, inner = envoy.heard()
    assert [(each.service, each.operation) for each in outer] == [("Other", "hello")] * 2
    assert [(each.service, each.operation) for each in inner[1]] == [(None, "hello")] * 2 and inner[0] == []


def test_no_route(envoy: Setup) -> None:
    """Envoy's own exception, behind which it closes; with a header it says so before."""
    client = envoy.client()
    with pytest.raises(TApplicationException, match="no route for method 'nope'"):
        client.call("nope", "x", seqid=3)
    with pytest.raises((TTransportException, OSError)):
        client.call("hello", "x", seqid=4)
    client.close()
    outer, inner = envoy.heard()
    call, answer = outer[:2]
    assert answer.request is call and inner == [[], []]
    assert (answer.number, answer.exception, answer.status) == (
        3, (1, "no route for method 'nope'"), Status.UNIMPLEMENTED,
    )  # fmt: skip
    assert (answer.transport, answer.encoding) == envoy.how
    assert list(answer.headers) == ([(":drain", "true")] if envoy.how[0] == "header" else [])


def test_the_servers_exception_passes(envoy: Setup) -> None:
    client = envoy.client()
    with pytest.raises(TApplicationException, match="Unknown function unknown"):
        client.call("unknown", "x")
    assert client.call("hello", "on") == "a: on"
    client.close()
    outer, inner = envoy.heard()
    for found in (outer, inner[0]):
        assert [answer and answer.status for _, answer in pairs(found)] == [Status.UNIMPLEMENTED, Status.OK]


def test_one_way_calls_that_are_written_as_calls(envoy: Setup) -> None:
    """As Go writes them: nobody answers, and what comes next is paired all the same."""
    client = envoy.client(one_way=TMessageType.CALL)
    for number in range(0, 6, 2):
        client.call("fire", "x", seqid=number)
        assert client.call("hello", "on", seqid=number + 1) == "a: on"
    client.close()
    outer, inner = envoy.heard()
    for found in (outer, inner[0]):
        seen = [(call.operation, answer and answer.structure()) for call, answer in pairs(found)]
        assert sorted(seen, key=str) == [("fire", None)] * 3 + [("hello", {0: "a: on"})] * 3
