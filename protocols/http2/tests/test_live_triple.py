"""What the client and the server of apache-dubbo say of their calls, seen from the wire. (Dubbo for Java: see test_vectors.)"""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import grpc
import pytest

from l7codecs import Message, Sender, Status
from l7codecs.testing import free_port

from .conftest import EXAMPLE, TripleRoom, wait_for_port
from .observing import Call, headers_of

METADATA = {
    "version": "1.2.3",
    "group": "blue",
    "application": "shop",
    "timeout": "1500m",
    "attachments": {"x-key": "one", "tri-unit-info": "here", "tri-req-id": "7"},
}
ATTRIBUTES = {
    "dubbo.service_version": "1.2.3",
    "dubbo.group": "blue",
    "dubbo.application": "shop",
    "dubbo.unit_info": "here",
    "dubbo.request_id": "7",
    "grpc.timeout_ms": 1500,
}
CALLS: list[dict[str, Any]] = [
    {"kind": "unary", "method": "greet", "messages": ["world"]},
    {"kind": "unary", "method": "greet", "messages": ["\xff\x00\r\n" * 30_000]},
    {"kind": "server_stream", "method": "many", "messages": ["n"]},
    {"kind": "client_stream", "method": "join", "messages": ["a", "bc", "d" * 20_000]},
    {"kind": "bi_stream", "method": "both", "messages": ["a", "b", "c"]},
    {"kind": "unary", "method": "greet", "messages": ["nobody"]},
    {"kind": "unary", "method": "none", "messages": ["world"]},
]


def fields_of(message: Message) -> dict[str, str]:
    """Every field with the pseudo-headers, as apache-dubbo keeps them."""
    return {str(name): (value or b"").decode() for name, value, _ in message.fields}  # type: ignore[attr-defined]


def check_call(call: Call, asked: dict[str, Any], client: dict[str, Any]) -> None:
    """What the client sent, got, and was told at the end."""
    tri = "metadata" in asked
    request, last = call.request, call.last
    assert (request.service, request.operation) == ("pack.Greeter", asked["method"])
    for message in (request, call.response, last):
        assert message is not None
        assert message.protocol == ("triple" if tri else "grpc")
        assert message.attributes["rpc.system.name"] == ("dubbo" if tri else "grpc")
        assert message.attributes["rpc.method"] == f"pack.Greeter/{asked['method']}"
    told = {
        key: value for key, value in request.attributes.items() if key.startswith("dubbo.") or key == "grpc.timeout_ms"
    }
    assert told == (ATTRIBUTES if tri else {})
    # This client ends every stream with an empty message, which the server passes over.
    assert call.messages(Sender.CLIENT) == [each.encode("latin-1") for each in asked["messages"]] + [b""]
    assert call.messages(Sender.SERVER) == [each.encode("latin-1") for each in client["received"]]
    code, text, trailers = client["ended"][0]
    # The server may answer before that message has come, and refuse before any has.
    asked_count, answer_count = call.counts
    assert asked_count in range(len(asked["messages"]) if code == "OK" else 0, len(asked["messages"]) + 2)
    assert answer_count == len(client["received"])
    assert call.status is Status[code] and last.attributes["rpc.response.status_code"] == code
    assert last.error == (None if code == "OK" else code)
    assert fields_of(last) == trailers
    assert dict(headers_of(last)).get("grpc-message", b"").decode() == text


@pytest.mark.parametrize("metadata", [None, METADATA], ids=["plain", "metadata"])
def test_every_kind_of_call(triple_room: TripleRoom, metadata: dict[str, Any] | None) -> None:
    calls = CALLS if metadata is None else [{**call, "metadata": metadata} for call in CALLS]
    client = triple_room.talk(*calls)
    heard = triple_room.hear()
    server = triple_room.finish()
    heard.check()
    assert [each["ended"][0][0] for each in client] == ["OK"] * 5 + ["INTERNAL", "UNIMPLEMENTED"]
    for call, asked, said in zip(heard.calls, calls, client, strict=True):
        check_call(call, asked, said)
    # A method that is not there gets no further than the server's table.
    assert [fields_of(call.request) for call in heard.calls[:-1]] == [
        each["headers"] for each in server if "headers" in each
    ]
    assert [(each["method"], each["received"]) for each in server if "method" in each] == [
        (call["method"], call["messages"]) for call in CALLS[:-1]
    ]


def test_grpcio_asks_dubbo(triple_room: TripleRoom) -> None:
    """Triple is gRPC: a stream of grpcio is Triple where it carries Triple's headers."""
    with grpc.insecure_channel(triple_room.relay.address, [("grpc.enable_http_proxy", 0)]) as channel:
        greet = channel.unary_unary("/pack.Greeter/greet")
        assert greet(b"one") == b"hello one"
        assert greet(b"two", metadata=(("tri-service-group", "blue"), ("tri-service-timeout", "250"))) == b"hello two"
        with pytest.raises(grpc.RpcError) as failed:
            greet(b"nobody", metadata=(("tri-service-version", "2"),))
    heard = triple_room.hear()
    heard.check()
    one, two, three = heard.calls
    assert [call.request.protocol for call in heard.calls] == ["grpc", "triple", "triple"]
    assert [call.counts for call in heard.calls] == [(1, 1), (1, 1), (1, 0)]
    attributes = two.request.attributes
    assert (attributes["dubbo.group"], attributes["dubbo.timeout_ms"]) == ("blue", 250)
    assert "dubbo.group" not in one.request.attributes
    assert three.status == failed.value.code().value[0] == Status.INTERNAL
    assert three.request.attributes["dubbo.service_version"] == "2"


def test_through_the_relay_of_the_examples(triple_room: TripleRoom) -> None:
    """Two sessions that encode anew: neither side can tell."""
    port = free_port()
    command = [sys.executable, str(EXAMPLE), str(port), str(triple_room.port)]
    calls = [{**call, "metadata": METADATA} for call in CALLS]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            wait_for_port(port, process)
            direct, relayed = triple_room.talk(*calls), triple_room.talk(*calls, port=port)
        finally:
            process.terminate()
    assert relayed == direct
    server = triple_room.finish()
    first, second = server[: len(server) // 2], server[len(server) // 2 :]
    for one, other in zip(first, second, strict=True):
        if "headers" in one:
            assert one["headers"].pop(":authority") == triple_room.relay.address
            assert other["headers"].pop(":authority") == f"127.0.0.1:{port}"
        assert one == other
