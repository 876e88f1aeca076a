"""What a stream speaks, told by its request; requests and answers are written by h2.

Sources: "gRPC over HTTP/2"; "Triple Protocol Specification" §3.1.1 and §3.2.2; the header names of dubbo-go 3 (protocol/triple).
"""

from __future__ import annotations

import h2.config
import h2.connection
import h2.events
import pytest
from hypothesis import given
from hypothesis import strategies as st
from l7codecs_http2._hpack.block import block_of
from l7codecs_http2._hpack.static_table import header_field
from l7codecs_http2._semantics import meaning
from l7codecs_http2._semantics.meaning import find_octet, rpc_name, word_of
from l7codecs_http2._semantics.spoken import CONNECT, HTTP, spoken

from l7codecs import Message, Sender, Status, open_session

VERSION = ("tri-protocol-version", "1.0.0")
SPOKEN = [
    # the content type and further fields, the method, the protocol, and whether bodies are length-prefixed messages
    ([("content-type", "application/grpc")], "POST", "grpc", True),
    ([("content-type", "application/grpc;charset=x")], "POST", "grpc", True),
    ([("content-type", "Application/gRPC+Proto")], "POST", "grpc", True),
    ([("content-type", "application/grpc-web")], "POST", "grpc_web", True),
    ([("content-type", "application/grpc+proto"), ("tri-consumer-appname", "shop")], "POST", "triple", True),
    ([("content-type", "application/grpc+json"), ("x-tri-group", "no")], "POST", "grpc", True),
    ([("content-type", "application/triple+wrapper")], "POST", "triple", True),
    ([("content-type", "application/json"), VERSION], "POST", "triple", False),
    ([("content-type", "application/proto"), VERSION], "POST", "triple", False),
    ([("content-type", "application/json"), ("tri-service-group", "blue")], "POST", "triple", False),
    ([("content-type", "application/json"), ("triple-protocol-version", "0.1.0")], "POST", "triple", False),
    ([("content-type", "application/json"), ("trip", "no")], "POST", "http2", False),
    ([("content-type", "application/json")], "POST", "http2", False),
    ([("content-type", "text/plain"), VERSION], "POST", "http2", False),
    ([("content-type", "application/json"), VERSION], "GET", "http2", False),
    ([VERSION], "POST", "http2", False),
]


class Peers:
    """h2 on both sides of an observer."""

    def __init__(self, method: str, *fields: tuple[str, str]) -> None:
        self.client = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
        self.server = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        self.session = open_session("http2")
        self.messages: list[Message] = []
        for side in (self.client, self.server):
            side.initiate_connection()
        own = [(":method", method), (":scheme", "http"), (":authority", "a.test"), (":path", "/pack.Greeter/greet")]
        self.client.send_headers(1, own + list(fields))
        self.client.send_data(1, b"\0\0\0\0\x01a\0\0\0\0\0", end_stream=True)
        self.settle()

    def settle(self) -> None:
        for sender, one, other in (
            (Sender.CLIENT, self.client, self.server),
            (Sender.SERVER, self.server, self.client),
        ):
            octets = one.data_to_send()
            other.receive_data(octets)
            heard = self.session.receive(sender, octets)
            self.messages += [event for event in heard if isinstance(event, Message) and event.stream_id == 1]

    def answer(self, status: int, *fields: tuple[str, str]) -> None:
        self.server.send_headers(1, [(":status", str(status)), *fields])
        self.server.send_data(1, b"{}", end_stream=True)
        self.settle()


@pytest.mark.parametrize(("fields", "method", "protocol", "framed"), SPOKEN)
def test_spoken(fields: list[tuple[str, str]], method: str, protocol: str, framed: bool) -> None:
    peers = Peers(method, *fields)
    peers.server.send_headers(1, [(":status", "200"), ("grpc-status", "5")], end_stream=True)
    peers.settle()
    request, response = peers.messages
    assert request.protocol == response.protocol == protocol
    rpc = protocol != "http2"
    assert (request.service, request.operation) == (("pack.Greeter", "greet") if rpc else ("a.test", method))
    # Only where messages are length-prefixed are they counted, and only there is grpc-status the outcome.
    assert response.attributes.get("grpc.request.message_count") == (2 if framed else None)
    assert response.status is (Status.NOT_FOUND if framed else Status.OK)
    assert response.attributes.get("rpc.response.status_code") == ("NOT_FOUND" if framed else None)


def test_a_plain_post_of_triple() -> None:
    """Its headers are those of dubbo-go; its outcome is the HTTP status."""
    peers = Peers(
        "POST",
        ("content-type", "application/json"),
        ("triple-protocol-version", "0.1.0"),
        ("triple-timeout-ms", "1500"),
        ("tri-exception-code", "3"),
    )
    peers.answer(504)
    request, response = peers.messages
    assert {key: value for key, value in request.attributes.items() if key.startswith("dubbo.")} == {
        "dubbo.protocol_version": "0.1.0",
        "dubbo.timeout_ms": 1500,
    }
    assert (response.status, response.error, response.attributes["error.type"]) == (
        Status.DEADLINE_EXCEEDED,
        "504",
        "504",
    )


@pytest.mark.parametrize("value", ["", "-1", "1.5", "1" * 19, "ten"])
def test_a_time_that_is_no_number(value: str) -> None:
    request = Peers("POST", ("content-type", "application/json"), VERSION, ("tri-service-timeout", value)).messages[0]
    assert request.protocol == "triple" and "dubbo.timeout_ms" not in request.attributes


def test_an_error_for_a_plain_post_is_an_http_status() -> None:
    client = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True, header_encoding="utf-8"))
    client.initiate_connection()
    own = [(":method", "POST"), (":scheme", "http"), (":authority", "a.test"), (":path", "/pack.Greeter/greet")]
    client.send_headers(1, [*own, ("content-type", "application/json"), VERSION], end_stream=True)
    session = open_session("http2", endpoint=Sender.SERVER)
    heard = list(session.receive(Sender.CLIENT, client.data_to_send()))
    (request,) = [event for event in heard if isinstance(event, Message) and event.protocol == "triple"]
    events = client.receive_data(session.reply_error(request, Status.UNAVAILABLE, "no server"))
    headers = next(dict(event.headers) for event in events if isinstance(event, h2.events.ResponseReceived))
    body = b"".join(event.data for event in events if isinstance(event, h2.events.DataReceived))
    assert (headers[":status"], body) == ("503", b"no server") and "grpc-status" not in headers


QUERIES = st.lists(
    st.sampled_from(
        ["connect=v1", "connect=v11", "xconnect=v1", "connect=v2", "connect", "a=b", "", "?", "message=%7B%7D"]
    ),
    max_size=6,
)


@given(QUERIES, st.sampled_from(["/a.S/M", "/", "/connect=v1", "/a&connect=v1", "/long/enough/to/take/several/words"]))
def test_a_get_of_connect_is_told_by_its_query(parts: list[str], path: str) -> None:
    path += "?" + "&".join(parts) if parts else ""
    block = block_of([header_field(":method", b"GET"), header_field(":path", path.encode())])
    expected = CONNECT if "connect=v1" in path.partition("?")[2].split("&") else HTTP
    assert spoken(block) == expected
    head = block_of([header_field(":method", b"HEAD"), header_field(":path", path.encode())])
    assert spoken(head) == HTTP


@given(st.binary(max_size=40), st.integers(0, 127), st.integers(0, 40))
def test_an_octet_is_found(octets: bytes, octet: int, at: int) -> None:
    at = min(at, len(octets))
    found = octets.find(octet, at)
    assert find_octet(octets, octet, at) == (found if found >= 0 else len(octets))


def test_names_are_shared_and_not_for_ever() -> None:
    assert word_of(b"GE" + b"T") is word_of(b"G" + b"ET")
    assert rpc_name(b"/a.S/" + b"M") is rpc_name(b"/a.S" + b"/M")
    for number in range(600):
        name = rpc_name(b"/a.S/M%d" % number)
        assert (name.service, name.method) == ("a.S", f"M{number}")
        assert word_of(b"w%d" % number) == f"w{number}"
    assert 0 < len(meaning._WORDS) <= 512 and 0 < len(meaning._RPC_NAMES) <= 512
    long = b"x" * 200
    assert word_of(long) == long.decode() and word_of(long) is not word_of(long)
