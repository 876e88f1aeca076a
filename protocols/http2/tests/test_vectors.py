"""What the recorded conversations say, call by call, beside what their peers were told to do (tools/record_vectors.py)."""

from __future__ import annotations

from pathlib import Path

import pytest
from l7codecs_http2 import GrpcPayloads

import l7codecs
from l7codecs import Kind, Message, Sender, detect
from l7codecs.testing import load_vectors

from .observing import Conversation, headers_of

VECTORS = {vector.name: vector for vector in load_vectors(Path(__file__).parent.parent / "vectors")}

INDEX = (13, "GET", "/index.html", 200, 0, 13)
ECHO = (13, "POST", "/echo", 200, 300, 300)
CALLS: dict[str, list[tuple[int, str, str, int | None, int, int]]] = {
    # name: for each call the stream, method, path, status, and octets of either body
    "get": [(13, "GET", "/index.html?a=1&b=2", 200, 0, 13)],
    "get-again": [(stream, "GET", "/index.html", 200, 0, 13) for stream in (1, 3, 5)],
    "post": [ECHO],
    "post-padded": [ECHO],
    "not-found": [(13, "GET", "/missing", 404, 0, 148)],
    "head": [(13, "HEAD", "/index.html", 200, 0, 0)],
    "many": [
        (13, "GET", "/index.html", 200, 0, 13), (15, "GET", "/style.css", 200, 0, 17), (17, "GET", "/missing", 404, 0, 148),
        (19, "GET", "/index.html?again", 200, 0, 13),
    ],
    "push": [INDEX, (2, "GET", "/style.css", 200, 0, 17), (4, "GET", "/missing", 404, 0, 148)],
    "push-refused": [INDEX],
    "prior-knowledge-curl": [(1, "POST", "/index.html", 200, 3, 13)],
    "trailers": [(13, "POST", "/index.html", 200, 300, 13)],
    "expect-continue": [ECHO],
    "table-none": [(13, "GET", "/index.html", 200, 0, 13), (15, "GET", "/index.html", 200, 0, 13)],
    "table-small": [(stream, "GET", "/index.html", 200, 0, 13) for stream in (13, 15, 17)],
    "table-large": [(stream, "GET", "/index.html", 200, 0, 13) for stream in (13, 15, 17)],
    "window-small": [ECHO],
    "no-rfc7540-priorities": [(13, "GET", "/index.html", 200, 0, 13)],
    "unindexed": [(stream, "GET", "/index.html", 200, 0, 13) for stream in (13, 15)],
    "upgrade-nghttp": [(1, "GET", "/index.html", 200, 0, 5), (13, "GET", "/style.css", 200, 0, 5)],
    "upgrade-table-nghttp": [(1, "GET", "/index.html", 200, 0, 5)],
    "upgrade-head-nghttp": [(1, "HEAD", "/index.html", 200, 0, 0)],
    "upgrade-curl": [(1, "GET", "/index.html?q", 200, 0, 5), (3, "GET", "/style.css", 200, 0, 5)],
    "upgrade-head-curl": [(1, "HEAD", "/index.html", 200, 0, 0)],
    "hypercorn-curl": [(1, "POST", "/missing?q", 404, 3, 5)],
    "grpc-unary": [(1, "POST", "/test.Echo/Unary", 200, 10, 10)],
    "grpc-server-streaming": [(1, "POST", "/test.Echo/Many", 200, 8, 55)],
    "grpc-client-streaming": [(1, "POST", "/test.Echo/Collect", 200, 18, 10)],
    "grpc-bidi": [(1, "POST", "/test.Echo/Both", 200, 116, 116)],
    "grpc-error": [(1, "POST", "/test.Echo/Fail", 200, 6, 0)],
    "grpc-late-error": [(1, "POST", "/test.Echo/LateFail", 200, 6, 6)],
    "grpc-unimplemented": [(1, "POST", "/test.Echo/None", 200, 6, 0)],
    "grpc-deadline": [(1, "POST", "/test.Echo/Sleep", 200, 6, 0)],
    "grpc-cancel": [(1, "POST", "/test.Echo/Forever", 200, 6, 6)],
    "grpc-at-once": [(stream, "POST", "/test.Echo/Unary", 200, 6, 6) for stream in (1, 3, 5, 7)],
    "triple-unary": [(1, "POST", "/pack.Greeter/greet", 200, 15, 16)],
    "triple-server-stream": [(1, "POST", "/pack.Greeter/many", 200, 11, 40)],
    "triple-client-stream": [(1, "POST", "/pack.Greeter/join", 200, 17, 8)],
    "triple-bidi": [(1, "POST", "/pack.Greeter/both", 200, 23, 36)],
    "triple-error": [(1, "POST", "/pack.Greeter/greet", 200, 16, 0)],
    "triple-no-headers": [(1, "POST", "/pack.Greeter/greet", 200, 15, 16)],
    "triple-java-unary": [(3, "POST", "/pack.Greeter/greet", 200, 49, 53)],
    "triple-java-exception": [(3, "POST", "/pack.Greeter/greet", 200, 44, 199)],
    "triple-java-many": [(3, "POST", "/pack.Greeter/many", 200, 84, 114)],
    "triple-java-both": [(3, "POST", "/pack.Greeter/both", 200, 74, 86)],
    "triple-java-http": [(1, "POST", "/pack.Greeter/greet", 200, 11, 19)],
    "triple-java-http-unknown": [(1, "POST", "/pack.Greeter/none", 404, 2, 46)],
    "triple-java-http-exception": [(1, "POST", "/pack.Greeter/greet", 500, 6, 35)],
    "h2-connect": [(1, "CONNECT", "/chat", 200, 11, 7), (3, "CONNECT", "None", 200, 6, 4)],
    "h2-continuation": [(1, "GET", "/cut", 200, 0, 0)],
    "h2-extensions": [(1, "POST", "/1", 204, 0, 0)],
    "h2-goaway": [(1, "GET", "/1", None, 0, 0)],
    "h2-interim": [(1, "POST", "/1", 201, 4, 4)],
    "h2-priorities": [(1, "GET", "/", 200, 0, 0)],
    "h2-resets": [(1, "POST", "/1", None, 5, 0), (3, "GET", "/3", None, 0, 0), (5, "POST", "/5", 413, 0, 0), (7, "GET", "/7", 200, 0, 0)],
    "h2-settings": [(1, "GET", "/1", 200, 0, 0), (3, "GET", "/3", 200, 0, 0), (5, "GET", "/5", 200, 0, 0)],
}  # fmt: skip
GRPC = {
    # name: the outcome, and how many messages either side sent, where the end tells
    "grpc-unary": ("OK", 1, 1),
    "grpc-server-streaming": ("OK", 1, 5),
    "grpc-client-streaming": ("OK", 3, 1),
    "grpc-bidi": ("OK", 3, 3),
    "grpc-error": ("NOT_FOUND", 1, 0),
    "grpc-late-error": ("RESOURCE_EXHAUSTED", 1, 1),
    "grpc-unimplemented": ("UNIMPLEMENTED", 1, 0),
    "grpc-deadline": ("DEADLINE_EXCEEDED", 1, 0),
    "grpc-compressed": ("OK", 1, 1),
}


PYTHON = {"service_version": "1.2.3", "group": "blue", "application": "shop"}
JAVA = {"service_version": "1.2.3", "group": "blue", "application": "the-consumer"}
HTTP = {"service_version": "1.2.3", "group": "blue", "protocol_version": "1.0.0", "timeout_ms": 3000}
TRIPLE: dict[str, tuple[dict[str, object], str, tuple[object, object], str | None]] = {
    # name: what of Dubbo the request has, the outcome, the messages of either side, the error. apache-dubbo ends every
    # stream of requests with an empty message.
    "triple-unary": (PYTHON, "OK", (2, 1), None),
    "triple-server-stream": (PYTHON, "OK", (2, 5), None),
    "triple-client-stream": (PYTHON, "OK", (3, 1), None),
    "triple-bidi": (PYTHON, "OK", (4, 3), None),
    "triple-error": (PYTHON, "INTERNAL", (2, 0), "INTERNAL"),
    "triple-java-unary": (JAVA, "OK", (1, 1), None),
    "triple-java-exception": (JAVA, "UNKNOWN", (1, 1), "BIZ_EXCEPTION"),
    "triple-java-many": (JAVA, "OK", (1, 3), None),
    "triple-java-both": (JAVA, "OK", (2, 2), None),
    "triple-java-http": (HTTP, "OK", (None, None), None),
    "triple-java-http-unknown": (HTTP, "NOT_FOUND", (None, None), "404"),
    "triple-java-http-exception": (HTTP, "INTERNAL", (None, None), "500"),
}


@pytest.mark.parametrize("name", CALLS)
def test_calls(name: str) -> None:
    heard = Conversation(VECTORS[name])
    seen = [
        (c.stream, c.method, c.path, c.code, len(c.body(Sender.CLIENT)), len(c.body(Sender.SERVER)))
        for c in heard.calls + heard.pushes
    ]
    assert seen == CALLS[name]
    assert [m.attributes["http2.malformed"] for m in heard.messages if "http2.malformed" in m.attributes] == []


@pytest.mark.parametrize("name", GRPC)
def test_grpc(name: str) -> None:
    call = Conversation(VECTORS[name]).call
    assert (call.last.attributes["rpc.response.status_code"], *call.counts) == GRPC[name]
    assert call.request.protocol == call.last.protocol == "grpc"
    assert call.status is not None and call.status.name == GRPC[name][0]


@pytest.mark.parametrize("name", TRIPLE)
def test_triple(name: str) -> None:
    said, status, counts, error = TRIPLE[name]
    call = Conversation(VECTORS[name]).call
    assert {key[6:]: value for key, value in call.request.attributes.items() if key.startswith("dubbo.")} == said
    assert call.status is not None and (call.status.name, call.counts, call.last.error) == (status, counts, error)
    assert call.last.attributes.get("error.type") == error
    for message in (call.request, call.response, call.last):
        assert message is not None
        assert (message.protocol, message.service) == ("triple", "pack.Greeter")
        assert message.attributes["rpc.system.name"] == "dubbo"
        assert message.attributes["rpc.method"] == f"pack.Greeter/{message.operation}"
        assert message.resources == ()


def test_messages_of_triple() -> None:
    """Length-prefixed messages come out of calls that are gRPC; a plain POST has none."""
    found = {}
    for name in TRIPLE:
        payloads = GrpcPayloads()
        heard = Conversation(VECTORS[name])
        found[name] = [payload.octets for event in heard.events for payload in payloads.receive(event)]
    counts = {name: len(octets) for name, octets in found.items()}
    assert counts == {name: sum(count for count in each[2] if isinstance(count, int)) for name, each in TRIPLE.items()}
    assert found["triple-unary"] == [b"world", b"", b"hello world"]


def test_triple_without_its_headers_is_grpc() -> None:
    call = Conversation(VECTORS["triple-no-headers"]).call
    assert call.request.protocol == call.last.protocol == "grpc"
    assert (call.request.service, call.request.operation) == ("pack.Greeter", "greet")


def test_times_and_exceptions_of_dubbo() -> None:
    """Times in ms; an exception that Java's method throws is told by the response, beside grpc-status 0."""
    assert Conversation(VECTORS["triple-unary"]).call.request.attributes["grpc.timeout_ms"] == 1500
    assert Conversation(VECTORS["triple-java-unary"]).call.request.attributes["grpc.timeout_ms"] == 3000
    codes = {
        name: response.attributes.get("dubbo.exception_code")
        for name in TRIPLE
        if (response := Conversation(VECTORS[name]).call.response) is not None
    }
    assert {name: code for name, code in codes.items() if code is not None} == {"triple-java-exception": 3}


def test_streams_of_dubbo() -> None:
    """Which side streams; apache-dubbo's own empty message counts, so there a unary call looks like a stream of requests."""
    streaming = {name: Conversation(VECTORS[name]).call.last.attributes.get("grpc.streaming") for name in TRIPLE}
    assert {name: kind for name, kind in streaming.items() if name.startswith("triple-java")} == {
        "triple-java-unary": "none",
        "triple-java-exception": "none",
        "triple-java-many": "server",
        "triple-java-both": "both",
        "triple-java-http": None,
        "triple-java-http-unknown": None,
        "triple-java-http-exception": None,
    }
    assert (streaming["triple-unary"], streaming["triple-bidi"]) == ("client", "both")


@pytest.mark.parametrize("name", ["triple-unary", "triple-java-both", "triple-java-http", "triple-no-headers"])
def test_detection(name: str) -> None:
    found = detect(VECTORS[name].octets(Sender.CLIENT))
    assert found[0].protocol == ("grpc" if name == "triple-no-headers" else "triple")


def test_every_kind_is_in_a_vector() -> None:
    kinds = {message.kind for vector in VECTORS.values() for message in Conversation(vector).messages}
    assert kinds == set(Kind) - {Kind.ONEWAY, Kind.DATA, Kind.GAP, Kind.OPAQUE}
    frames = {
        m.attributes.get("http2.frame_type") for vector in VECTORS.values() for m in Conversation(vector).messages
    }
    assert {
        "PRIORITY_UPDATE",
        "PRIORITY",
        "WINDOW_UPDATE",
        "PING",
        "GOAWAY",
        "RST_STREAM",
        "UPGRADE",
        "PREFACE",
    } <= frames


def test_interim_trailers_and_pushes() -> None:
    call = Conversation(VECTORS["h2-interim"]).call
    assert [each.attributes["http2.interim_status"] for each in call.interim] == [100, 103]
    call = Conversation(VECTORS["trailers"]).call
    assert headers_of(call.trailers[Sender.CLIENT]) == [("x-end", b"here")]
    assert headers_of(call.trailers[Sender.SERVER])[-2:] == [("x-sum", b"42"), ("x-more", b"yes")]
    assert [push.request.kind for push in Conversation(VECTORS["push"]).pushes] == [Kind.PUSH] * 2


def test_an_attribute_alone_is_what_it_is_among_all() -> None:
    seen = set()
    for vector in VECTORS.values():
        session = l7codecs.open_session("http2")
        for sender, octets in vector.pieces:
            for event in session.receive(sender, octets):
                if not isinstance(event, Message):
                    continue
                names = ("url.path", "http.request.method", "user_agent.original", "url.scheme", "l7.access", "none")
                alone = {name: event.attribute(name) for name in names}
                assert alone == {name: event.attributes.get(name) for name in names}
                assert alone == {name: event.attribute(name) for name in names}
                seen |= {name for name in names if alone[name] is not None}
    assert seen >= {"url.path", "http.request.method", "user_agent.original"}
