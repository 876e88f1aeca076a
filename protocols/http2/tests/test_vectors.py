"""What the recorded conversations say, call by call, beside what their peers were told to do (tools/record_vectors.py)."""

from __future__ import annotations

from pathlib import Path

import pytest

from l7codecs import Kind, Sender
from l7codecs.testing import Vector, load_vectors

from .observing import Conversation, headers_of
from .relay import Recording

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


def observed(vector: Vector) -> Conversation:
    recording = Recording(("127.0.0.1", 1), ("127.0.0.1", 2))
    for sender, octets in vector.pieces:
        recording.add(sender, octets)
    return Conversation(recording)


@pytest.mark.parametrize("name", CALLS)
def test_calls(name: str) -> None:
    heard = observed(VECTORS[name])
    seen = [
        (c.stream, c.method, c.path, c.code, len(c.body(Sender.CLIENT)), len(c.body(Sender.SERVER)))
        for c in heard.calls + heard.pushes
    ]
    assert seen == CALLS[name]
    assert [m.attributes["http2.malformed"] for m in heard.messages if "http2.malformed" in m.attributes] == []


@pytest.mark.parametrize("name", GRPC)
def test_grpc(name: str) -> None:
    call = observed(VECTORS[name]).call
    assert (call.last.attributes["rpc.response.status_code"], *call.counts) == GRPC[name]
    assert call.request.protocol == call.last.protocol == "grpc"
    assert call.status is not None and call.status.name == GRPC[name][0]


def test_every_kind_is_in_a_vector() -> None:
    kinds = {message.kind for vector in VECTORS.values() for message in observed(vector).messages}
    assert kinds == set(Kind) - {Kind.ONEWAY}
    frames = {m.attributes.get("http2.frame_type") for vector in VECTORS.values() for m in observed(vector).messages}
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
    call = observed(VECTORS["h2-interim"]).call
    assert [each.attributes["http2.interim_status"] for each in call.interim] == [100, 103]
    call = observed(VECTORS["trailers"]).call
    assert headers_of(call.trailers[Sender.CLIENT]) == [("x-end", b"here")]
    assert headers_of(call.trailers[Sender.SERVER])[-2:] == [("x-sum", b"42"), ("x-more", b"yes")]
    assert [push.request.kind for push in observed(VECTORS["push"]).pushes] == [Kind.PUSH] * 2
