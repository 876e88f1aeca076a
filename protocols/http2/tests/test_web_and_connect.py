"""gRPC-Web and Connect: where connect-es, connect-go, connect-python and Envoy put the outcome of a call, octet for octet."""

import base64
import gzip
import json
from pathlib import Path

import pytest
from hpack import Encoder
from l7codecs_http2._semantics.envelopes import connect_code

from l7codecs import Data, Event, Limits, Message, Sender, Status, detect, get_protocol, open_session
from l7codecs.testing import Vector, load_vectors

C, S = Sender.CLIENT, Sender.SERVER
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
Fields = list[tuple[str, str]]


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def envelope(flag: int, message: bytes) -> bytes:
    return bytes([flag]) + len(message).to_bytes(4, "big") + message


def call(kind: str | None, *more: tuple[str, str], path: str = "/p.S/M", method: str = "POST") -> Fields:
    fields = [(":method", method), (":scheme", "http"), (":path", path), (":authority", "a")]
    return fields + ([] if kind is None else [("content-type", kind)]) + list(more)


def answer(kind: str, *more: tuple[str, str], code: str = "200") -> Fields:
    return [(":status", code), ("content-type", kind), *more]


class Heard:
    """One call, heard in reads of `size` octets, its bodies in DATA of `cut` octets."""

    def __init__(
        self,
        asked: Fields,
        sent: bytes,
        said: Fields,
        body: bytes,
        *,
        size: int = 1 << 20,
        cut: int = 16_000,
        limits: Limits | None = None,
    ) -> None:
        session = get_protocol("http2").open(limits=limits) if limits else open_session("http2")
        conversation = []
        for sender, fields, octets, first in (
            (C, asked, sent, PREFACE + frame(4, 0, 0)),
            (S, said, body, frame(4, 0, 0)),
        ):
            frames = first + frame(1, 4 | (not octets), 1, Encoder().encode(fields))
            for at in range(0, len(octets), cut):
                frames += frame(0, at + cut >= len(octets), 1, octets[at : at + cut])
            conversation.append((sender, frames))
        self.events: list[Event] = []
        for sender, octets in conversation:
            for at in range(0, len(octets), size):
                self.events += session.receive(sender, octets[at : at + size])
        self.request, self.response = (
            event for event in self.events if isinstance(event, Message) and event.kind.value in ("request", "response")
        )
        assert b"".join(e.raw for e in self.events if e.sender is C) == conversation[0][1]
        told = [(each.status, each.error) for each in self.events if isinstance(each, Data) and each.status]
        late = self.response.more and self.response.protocol != "http2"
        assert told == ([(self.response.status, self.response.error)] if late and self.response.body_status else [])

    @property
    def outcome(self) -> tuple[str, str | None]:
        assert self.response.status is not None
        return self.response.status.name, self.response.error

    def counts(self, family: str) -> tuple[object, ...]:
        sides = ("request", "response")
        return tuple(
            self.response.attributes.get(f"{family}.{side}.{what}_count")
            for side in sides
            for what in ("message", "compressed")
        )


WEB = "application/grpc-web+proto"
TEXT = "application/grpc-web-text"
HI = envelope(0, b"hi")
GOOD = envelope(0x80, b"grpc-status: 0\r\n")
BAD = envelope(0x80, b"grpc-status:5\r\ngrpc-message:no%20such\r\n")  # Envoy writes no space
PACKED = envelope(
    0x81, gzip.compress(b"Grpc-Status: 7\r\nGrpc-Message: no\r\n")
)  # connect-go, also where there are 16 octets


def letters(*pieces: bytes) -> bytes:
    return b"".join(base64.b64encode(piece) for piece in pieces)


WEBS = [
    ("a good call", WEB, HI + GOOD, ("OK", None), 1),
    ("a stream that fails", WEB, HI * 3 + BAD, ("NOT_FOUND", "NOT_FOUND"), 3),
    ("nothing but the end", WEB, BAD, ("NOT_FOUND", "NOT_FOUND"), 0),
    ("gzip", WEB, envelope(1, gzip.compress(b"hi")) + PACKED, ("PERMISSION_DENIED", "PERMISSION_DENIED"), 1),
    ("text in one piece", TEXT, letters(HI + GOOD), ("OK", None), 1),
    ("text in padded pieces", TEXT + "+proto", letters(HI, HI, BAD), ("NOT_FOUND", "NOT_FOUND"), 2),
    ("no end", WEB, HI, ("UNKNOWN", "UNKNOWN"), 1),
    ("an end that is cut", WEB, HI + GOOD[:-3], ("UNKNOWN", "UNKNOWN"), 1),
    ("an end without a status", WEB, HI + envelope(0x80, b"x: y\r\n"), ("UNKNOWN", "UNKNOWN"), 1),
    ("an end that is no number", WEB, HI + envelope(0x80, b"grpc-status: zero\r\n"), ("UNKNOWN", "UNKNOWN"), 1),
    ("a status nobody knows", WEB, HI + envelope(0x80, b"grpc-status: 77\r\n"), ("UNKNOWN", "77"), 1),
    ("an end that is not gzip", WEB, HI + envelope(0x81, b"grpc-status: 0\r\n"), ("UNKNOWN", "UNKNOWN"), 1),
    ("no base64", TEXT, b"****" * 4, ("UNKNOWN", "UNKNOWN"), None),
]


@pytest.mark.parametrize("size", [1, 11, 1 << 20])
@pytest.mark.parametrize("cut", [1, 7, 16_000])
@pytest.mark.parametrize(("name", "kind", "body", "outcome", "count"), WEBS, ids=[each[0] for each in WEBS])
def test_grpc_web(
    name: str, kind: str, body: bytes, outcome: tuple[str, str | None], count: int | None, size: int, cut: int
) -> None:
    sent = letters(HI) if kind.startswith(TEXT) else HI
    heard = Heard(call(kind, ("x-grpc-web", "1"), ("grpc-timeout", "2S")), sent, answer(kind), body, size=size, cut=cut)
    assert (heard.request.protocol, heard.response.protocol) == ("grpc_web", "grpc_web")
    assert (heard.request.service, heard.request.operation, heard.request.resources) == ("p.S", "M", ())
    assert heard.request.attributes["grpc.timeout_ms"] == 2000
    assert heard.request.attributes["rpc.system.name"] == "grpc"
    assert heard.outcome == outcome
    assert heard.counts("grpc")[2] == count
    if count is not None:
        assert heard.counts("grpc")[:2] == (1, 0)
        assert heard.counts("grpc")[3] == (name == "gzip")
    assert heard.response.attributes.get("error.type") == outcome[1]


@pytest.mark.parametrize(
    ("said", "outcome"),
    [
        (answer(WEB, ("grpc-status", "5")), ("NOT_FOUND", "NOT_FOUND")),  # connect-go, Envoy before grpcio
        (answer(WEB, ("grpc-status", "0")), ("OK", None)),
        (answer(WEB), ("UNKNOWN", "UNKNOWN")),
        (answer("text/plain", code="404"), ("UNIMPLEMENTED", "404")),
        (answer(WEB, ("grpc-status", "14"), code="503"), ("UNAVAILABLE", "UNAVAILABLE")),  # an Envoy without upstream
    ],
)
def test_grpc_web_in_headers(said: Fields, outcome: tuple[str, str | None]) -> None:
    assert Heard(call(WEB), HI, said, b"").outcome == outcome


def test_a_page_instead_of_an_answer() -> None:
    assert Heard(call(WEB), HI, answer("text/html", code="502"), b"<html>").outcome == ("UNAVAILABLE", "502")
    assert Heard(call(WEB), HI, answer("text/html"), b"<html>").outcome == ("UNKNOWN", "UNKNOWN")


def failure(code: str) -> bytes:
    return json.dumps({"code": code, "message": "no"}).encode()


UNARY = [("connect-protocol-version", "1"), ("connect-timeout-ms", "1500")]
JSON = "application/json"
UNARIES = [
    (answer("application/proto"), b"hi", ("OK", None), 1),
    (answer("application/proto", ("content-encoding", "gzip")), gzip.compress(b"hi"), ("OK", None), 1),
    (answer(JSON, code="404"), failure("not_found"), ("NOT_FOUND", "not_found"), 0),
    (answer(JSON, code="499"), failure("canceled"), ("CANCELLED", "canceled"), 0),
    (
        answer(JSON, ("content-encoding", "gzip"), code="400"),
        gzip.compress(failure("out_of_range")),
        ("OUT_OF_RANGE", "out_of_range"),
        0,
    ),
    (answer(JSON, ("content-encoding", "br"), code="400"), b"\x0b\x02\x80", ("INTERNAL", "400"), 0),
    (answer("text/plain", code="404"), b"404 page not found", ("UNIMPLEMENTED", "404"), 0),
    (answer(JSON, code="503"), b"[" * 60_000, ("UNAVAILABLE", "503"), 0),
    (answer(JSON, code="503"), b"{}", ("UNAVAILABLE", "503"), 0),
    (answer(JSON, code="500"), failure("no_such_code"), ("UNKNOWN", "no_such_code"), 0),
]


@pytest.mark.parametrize("size", [1, 1 << 20])
@pytest.mark.parametrize(("said", "body", "outcome", "count"), UNARIES)
def test_connect_unary(said: Fields, body: bytes, outcome: tuple[str, str | None], count: int, size: int) -> None:
    size = size if len(body) < 1000 else 1 << 20
    heard = Heard(call("application/proto", *UNARY), b"hi", said, body, size=size)
    assert (heard.request.protocol, heard.response.protocol) == ("connect", "connect")
    assert (heard.request.service, heard.request.operation, heard.request.resources) == ("p.S", "M", ())
    assert heard.request.attributes["connect.timeout_ms"] == 1500
    assert heard.request.attributes["rpc.system.name"] == "connectrpc"
    assert heard.outcome == outcome
    assert heard.counts("connect")[2] == count
    assert heard.counts("connect")[0] == 1


def test_connect_by_get() -> None:
    path = "/p.S/M?connect=v1&base64=1&encoding=proto&message=CgA"
    heard = Heard(call(None, path=path, method="GET"), b"", answer("application/proto"), b"hi")
    assert (heard.request.protocol, heard.request.service, heard.request.operation) == ("connect", "p.S", "M")
    assert heard.request.attributes["rpc.method"] == "p.S/M"
    assert heard.outcome == ("OK", None)
    for other in ("/p.S/M?xconnect=v1", "/p.S/connect=v1", "/p.S/M?connect=v12"):
        assert Heard(call(None, path=other, method="GET"), b"", answer("text/plain"), b"hi").request.protocol == "http2"


WEB_VECTORS = [
    each for each in load_vectors(Path(__file__).parents[1] / "vectors") if each.name.startswith(("web-", "connect-"))
]


@pytest.mark.parametrize("size", [1, 100, 1 << 20])
@pytest.mark.parametrize("vector", WEB_VECTORS, ids=lambda vector: vector.name)
def test_the_outcome_comes_with_an_event(vector: Vector, size: int) -> None:
    """Who looks at events as they come sees how each call of the recorded peers ended, once."""
    session = open_session("http2")
    told: dict[int | None, list[str]] = {}
    for sender, octets in vector.pieces:
        for at in range(0, len(octets), size):
            for event in session.receive(sender, octets[at : at + size]):
                if event.sender is S and isinstance(event, (Message, Data)) and event.status is not None:
                    assert event.error is None if event.status is Status.OK else event.error is not None
                    told.setdefault(event.stream_id, []).append(event.status.name)
    assert told
    for outcomes in told.values():
        assert len(outcomes) == 1
        assert (outcomes == ["OK"]) is ("error" not in vector.name and "none" not in vector.name)


STREAM = "application/connect+proto"
STREAMS = [
    (HI * 2 + envelope(2, b"{}"), ("OK", None), 2),
    (HI + envelope(2, b'{"metadata":{"a":["b"]}}'), ("OK", None), 1),
    (HI + envelope(2, b'{"error":{"code":"resource_exhausted"}}'), ("RESOURCE_EXHAUSTED", "resource_exhausted"), 1),
    (envelope(3, gzip.compress(b'{"error":{"code":"aborted"}}')), ("ABORTED", "aborted"), 0),
    (HI, ("UNKNOWN", "UNKNOWN"), 1),
    (HI + envelope(2, b"{"), ("UNKNOWN", "UNKNOWN"), 1),
    (HI + envelope(2, b'{"error":7}'), ("UNKNOWN", "UNKNOWN"), 1),
    (HI + envelope(2, b"{}") + HI, ("UNKNOWN", "UNKNOWN"), None),
]


@pytest.mark.parametrize("size", [1, 1 << 20])
@pytest.mark.parametrize("cut", [1, 16_000])
@pytest.mark.parametrize(("body", "outcome", "count"), STREAMS)
def test_connect_streams(body: bytes, outcome: tuple[str, str | None], count: int | None, size: int, cut: int) -> None:
    heard = Heard(call(STREAM), HI * 2, answer(STREAM), body, size=size, cut=cut)
    assert heard.request.protocol == "connect"
    assert heard.outcome == outcome
    assert heard.counts("connect")[2] == count


def test_the_outcome_is_not_known_before_the_end() -> None:
    for kind, body in ((WEB, HI + GOOD), (STREAM, HI + envelope(2, b"{}"))):
        session = open_session("http2")
        list(session.receive(C, PREFACE + frame(4, 0, 0) + frame(1, 5, 1, Encoder().encode(call(kind)))))
        list(session.receive(S, frame(4, 0, 0)))
        (head,) = session.receive(S, frame(1, 4, 1, Encoder().encode(answer(kind))))
        assert isinstance(head, Message)
        assert head.status is None and "grpc.response.message_count" not in head.attributes
        (data,) = session.receive(S, frame(0, 0, 1, body))
        assert isinstance(data, Data) and data.more and head.status is None
        (data,) = session.receive(S, frame(0, 1, 1))
        assert isinstance(data, Data) and not data.more
        assert data.message.status is Status.OK


def test_ends_are_bounded() -> None:
    """Neither what is declared nor what gzip makes of it is kept beyond limits.head."""
    limits = Limits(head=1000)
    for body in (
        envelope(0x80, b"x" * 2000 + b"\r\ngrpc-status: 0\r\n"),
        envelope(0x81, gzip.compress(b"x: y\r\n" * 9000 + b"grpc-status: 0\r\n")),
    ):
        assert Heard(call(WEB), HI, answer(WEB), HI + body, limits=limits).outcome == ("UNKNOWN", "UNKNOWN")
    assert Heard(call(WEB), HI, answer(WEB), b"\x80\xff\xff\xff\xff", limits=limits).outcome == ("UNKNOWN", "UNKNOWN")


@pytest.mark.parametrize(
    ("asked", "name"),
    [
        (call(WEB), "grpc_web"),
        (call(STREAM), "connect"),
        (call(JSON, *UNARY), "connect"),
        (call("application/grpc"), "grpc"),
        (call(JSON), "http2"),
    ],
)
def test_detection(asked: Fields, name: str) -> None:
    found = detect(client=PREFACE + frame(4, 0, 0) + frame(1, 5, 1, Encoder().encode(asked)))
    assert found[0].protocol == name


@pytest.mark.parametrize(
    ("asked", "body"),
    [(call(WEB), HI), (call(TEXT), letters(HI)), (call(STREAM), HI), (call("application/proto", *UNARY), b"hi")],
)
def test_an_answer_made_here_is_the_protocols_own(asked: Fields, body: bytes) -> None:
    """An observer of the same connection reads the status that was given."""
    session = open_session("http2", endpoint=S)
    said = PREFACE + frame(4, 0, 0) + frame(1, 4, 1, Encoder().encode(asked)) + frame(0, 1, 1, body)
    heard = list(session.receive(C, said))
    (request,) = [e for e in heard if isinstance(e, Message) and e.kind.value == "request"]
    answered = session.pending_output() + session.reply_error(request, Status.UNAVAILABLE, "no server")
    observer = open_session("http2")
    list(observer.receive(C, said))
    events = list(observer.receive(S, answered))
    (response,) = [e for e in events if isinstance(e, Message) and e.kind.value == "response"]
    assert response.status is Status.UNAVAILABLE
    assert str(response.error).upper() == "UNAVAILABLE"


def test_an_error_of_connect_is_utf_8_whatever_octets_it_begins_with() -> None:
    ending = '{"code":"not_found"}'
    assert connect_code(ending.encode(), False) == "not_found"
    assert connect_code(ending.encode("utf-16-le"), False) is None


def test_trailers_change_no_outcome_of_a_response_that_speaks_otherwise() -> None:
    """Of a call whose request was never seen: fields of a request of Connect among the trailers say nothing of what was told as HTTP."""
    encoder = Encoder()
    trailers = call("application/proto", ("connect-protocol-version", "1"))
    session = open_session("http2")
    events = list(
        session.receive(
            S,
            frame(4, 0, 0)
            + frame(1, 4, 1, encoder.encode([(":status", "200")]))
            + frame(1, 5, 1, encoder.encode(trailers)),
        )
    )
    _, response, _ = (event for event in events if isinstance(event, Message))
    assert (response.status, response.error) == (Status.OK, None)
