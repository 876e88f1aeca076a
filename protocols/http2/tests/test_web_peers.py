"""gRPC-Web and Connect: what recorded peers said beside what they were told to say (tools/record_web_vectors.py), and what no peer says."""

from __future__ import annotations

import base64
import gzip
import json
import zlib
from pathlib import Path

import h2.events
import pytest
from hpack import Encoder

from l7codecs import Data, Event, Kind, Limits, Message, Sender, Status, detect, open_session
from l7codecs.testing import Vector, check_cuts, load_vectors, replay
from l7codecs.testing.replay import Outcome

from .between import Between, Endpoint, h2_client

VECTORS = {
    vector.name: vector
    for vector in load_vectors(Path(__file__).parent.parent / "vectors")
    if vector.name.startswith(("connect-", "web-"))
}
C, S = Sender.CLIENT, Sender.SERVER
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
END = 1

UNARY: dict[str, tuple[str, str | None]] = {
    # name: status and error
    "connect-go-unary": ("OK", None),
    "connect-go-get": ("OK", None),
    "connect-go-error": ("FAILED_PRECONDITION", "failed_precondition"),
    "connect-go-none": ("UNIMPLEMENTED", "404"),
    "connect-es-unary": ("OK", None),
    "connect-es-get": ("OK", None),
    "connect-es-error": ("FAILED_PRECONDITION", "failed_precondition"),
    "connect-es-none": ("UNIMPLEMENTED", "unimplemented"),
}
STREAMS: dict[str, tuple[str, str | None, tuple[int, int, int]]] = {
    # name: status, error, the messages of either side, and how many of the server's are compressed
    "connect-go-stream": ("OK", None, (1, 3, 3)),
    "connect-go-stream-error": ("RESOURCE_EXHAUSTED", "resource_exhausted", (1, 3, 3)),
    "connect-es-stream": ("OK", None, (1, 3, 0)),
    "connect-es-stream-error": ("RESOURCE_EXHAUSTED", "resource_exhausted", (1, 3, 0)),
    "web-go-unary": ("OK", None, (1, 1, 1)),
    "web-go-error": ("FAILED_PRECONDITION", "FAILED_PRECONDITION", (1, 0, 0)),
    "web-go-stream": ("OK", None, (1, 3, 3)),
    "web-go-stream-error": ("RESOURCE_EXHAUSTED", "RESOURCE_EXHAUSTED", (1, 3, 3)),
    "web-go-none": ("UNIMPLEMENTED", "404", (1, 0, 0)),
    "web-es-unary": ("OK", None, (1, 1, 0)),
    "web-es-error": ("FAILED_PRECONDITION", "FAILED_PRECONDITION", (1, 0, 0)),
    "web-es-stream": ("OK", None, (1, 3, 0)),
    "web-es-stream-error": ("RESOURCE_EXHAUSTED", "RESOURCE_EXHAUSTED", (1, 3, 0)),
    "web-es-none": ("UNIMPLEMENTED", "UNIMPLEMENTED", (1, 0, 0)),
    "web-envoy-unary": ("OK", None, (1, 1, 0)),
    "web-envoy-error": ("NOT_FOUND", "NOT_FOUND", (1, 0, 0)),
    "web-envoy-text": ("OK", None, (1, 1, 0)),
    "web-envoy-text-stream": ("OK", None, (1, 3, 0)),
    "web-envoy-text-late-error": ("RESOURCE_EXHAUSTED", "RESOURCE_EXHAUSTED", (1, 1, 0)),
    "web-envoy-text-asked": ("OK", None, (1, 1, 0)),
}


def told(outcome: Outcome) -> tuple[Message, Message]:
    """The request of the only call, and its answer, which alone has an outcome."""
    assert outcome.errors == {}
    messages = [event for event in outcome.events if isinstance(event, Message) and event.protocol != "http2"]
    request, last = messages
    assert (request.kind, last.kind) == (Kind.REQUEST, Kind.RESPONSE)
    return request, last


def test_every_vector_is_in_a_table() -> None:
    assert set(VECTORS) == set(UNARY) | set(STREAMS)


@pytest.mark.parametrize("name", UNARY)
def test_unary_calls_of_connect(name: str) -> None:
    request, last = told(check_cuts(lambda: open_session("http2"), VECTORS[name]))
    status, error = UNARY[name]
    assert last.status is not None
    assert (last.status.name, last.error) == (status, error)
    assert last.attributes.get("error.type") == error
    assert request.attributes["connect.timeout_ms"] in (4999, 5000)
    method = "None" if "none" in name else "Greet"
    for message in (request, last):
        assert (message.protocol, message.service, message.operation) == ("connect", "pack.Greeter", method)
        assert message.attributes["rpc.system.name"] == "connectrpc"
        assert message.attributes["rpc.method"] == f"pack.Greeter/{method}"
        assert message.resources == ()


@pytest.mark.parametrize("name", STREAMS)
def test_streams_of_connect_and_calls_of_grpc_web(name: str) -> None:
    request, last = told(check_cuts(lambda: open_session("http2"), VECTORS[name]))
    status, error, counts = STREAMS[name]
    connect = name.startswith("connect")
    assert last.status is not None
    assert (last.status.name, last.error) == (status, error)
    said = last.attributes
    assert said.get("error.type") == error
    prefix = "connect" if connect else "grpc"
    keys = [
        f"{prefix}.{key}" for key in ("request.message_count", "response.message_count", "response.compressed_count")
    ]
    assert tuple(said.get(key) for key in keys) == counts
    for message in (request, last):
        assert (message.protocol, message.service) == ("connect" if connect else "grpc_web", "pack.Greeter")
        assert message.attributes["rpc.system.name"] == ("connectrpc" if connect else "grpc")


@pytest.mark.parametrize("name", VECTORS)
def test_detection(name: str) -> None:
    protocol = "connect" if name.startswith("connect") else "grpc_web"
    assert detect(VECTORS[name].octets(C))[0].protocol == protocol
    events = replay(open_session(protocol), VECTORS[name]).events
    assert protocol in {event.protocol for event in events if isinstance(event, Message)}


# What no peer here says.


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def envelope(flag: int, octets: bytes) -> bytes:
    return bytes([flag]) + len(octets).to_bytes(4, "big") + octets


TYPES = {
    "web": "application/grpc-web+proto",
    "text": "application/grpc-web-text",
    "stream": "application/connect+json",
    "unary": "application/json",
}


def talk(
    kind: str,
    body: list[bytes],
    *fields: tuple[str, str],
    code: str = "200",
    answer: str | None = None,
    padded: bool = False,
) -> Vector:
    """A call of that kind, and an answer whose body comes in these frames."""
    client, server = Encoder(), Encoder()
    said = [(":status", code), ("content-type", TYPES[kind] if answer is None else answer), *fields]
    frames = [frame(1, 4 if body else 5, 1, server.encode(said))]
    for number, octets in enumerate(body):
        last = END if number == len(body) - 1 else 0
        frames.append(frame(0, last | 8, 1, b"\x03" + octets + bytes(3)) if padded else frame(0, last, 1, octets))
    return Vector(
        "made",
        (
            (C, PREFACE + frame(4, 0, 0) + frame(1, 5, 1, client.encode(asked(kind)))),
            (S, frame(4, 0, 0) + b"".join(frames)),
        ),
    )


def outcome_of(vector: Vector, limits: Limits | None = None) -> Message:
    """The message with the outcome, whatever the cuts."""
    given = limits or Limits()
    outcome = check_cuts(lambda: open_session("http2", limits=given), vector)
    octets = vector.octets(S)
    assert outcome.raw(S) == octets
    for at in range(1, len(octets), max(1, len(octets) // 60)):
        cut = Vector("cut", (vector.pieces[0], (S, octets[:at]), (S, octets[at:])))
        assert replay(open_session("http2", limits=given), cut).difference(outcome) == ""
    found = [e for e in outcome.events if isinstance(e, Message) and e.sender is S and e.status is not None]
    return found[-1]


OK_LINES = b"grpc-status: 0\r\n"
BAD_LINES = b"grpc-status:5\r\ngrpc-message:no\r\nx-a:b\r\n"
GZIP = ("grpc-encoding", "gzip")
BROTLI = ("grpc-encoding", "br")
MESSAGE = envelope(0, b"hello")


def text(*pieces: bytes) -> bytes:
    return b"".join(base64.b64encode(piece) for piece in pieces)


ENDS: list[tuple[str, str, list[bytes], list[tuple[str, str]], str]] = [
    ("the end in a frame of its own", "web", [MESSAGE, envelope(0x80, BAD_LINES), b""], [], "NOT_FOUND"),
    ("all in one frame", "web", [MESSAGE + envelope(0x80, BAD_LINES)], [], "NOT_FOUND"),
    ("cut in its prefix", "web", [MESSAGE + envelope(0x80, BAD_LINES)[:3], envelope(0x80, BAD_LINES)[3:]], [], "NOT_FOUND"),
    ("an octet a frame", "web", [bytes([o]) for o in MESSAGE + envelope(0x80, BAD_LINES)], [], "NOT_FOUND"),
    ("names in capitals", "web", [envelope(0x80, b"Grpc-Status: 5\r\n")], [], "NOT_FOUND"),
    ("lines that end with LF", "web", [envelope(0x80, b"grpc-status: 5\n")], [], "NOT_FOUND"),
    ("gzip", "web", [envelope(0x81, gzip.compress(BAD_LINES))], [GZIP], "NOT_FOUND"),
    ("deflate", "web", [envelope(0x81, zlib.compress(BAD_LINES))], [("grpc-encoding", "deflate")], "NOT_FOUND"),
    ("gzip, of a success", "web", [envelope(0x81, gzip.compress(OK_LINES))], [GZIP], "OK"),
    ("another compression", "web", [envelope(0x81, gzip.compress(OK_LINES))], [BROTLI], "UNKNOWN"),
    ("gzip, which nothing names", "web", [envelope(0x81, gzip.compress(BAD_LINES))], [], "NOT_FOUND"),
    ("deflate, which nothing names", "web", [envelope(0x81, zlib.compress(BAD_LINES))], [], "UNKNOWN"),
    ("gzip that is cut", "web", [envelope(0x81, gzip.compress(OK_LINES)[:-4])], [GZIP], "UNKNOWN"),
    ("gzip that is none", "web", [envelope(0x81, OK_LINES)], [GZIP], "UNKNOWN"),
    ("a bomb", "web", [envelope(0x81, gzip.compress(OK_LINES + b"a:b\r\n" * 20_000))], [GZIP], "UNKNOWN"),
    ("an end without status", "web", [envelope(0x80, b"x: y\r\n")], [], "UNKNOWN"),
    ("a status that is no number", "web", [envelope(0x80, b"grpc-status: ok\r\n")], [], "UNKNOWN"),
    ("lines that are none", "web", [envelope(0x80, b"grpc-status 0\r\n")], [], "UNKNOWN"),
    ("no end", "web", [MESSAGE], [], "UNKNOWN"),
    ("an end that is cut", "web", [envelope(0x80, OK_LINES)[:-1]], [], "UNKNOWN"),
    ("something behind the end", "web", [envelope(0x80, OK_LINES) + MESSAGE], [], "UNKNOWN"),
    ("two ends", "web", [envelope(0x80, OK_LINES) * 2], [], "UNKNOWN"),
    ("nothing", "web", [b""], [], "UNKNOWN"),
    ("text in one piece", "text", [text(MESSAGE + envelope(0x80, BAD_LINES))], [], "NOT_FOUND"),
    ("text in padded pieces", "text", [text(MESSAGE, envelope(0x80, BAD_LINES))], [], "NOT_FOUND"),
    ("text, an octet a frame", "text", [bytes([o]) for o in text(MESSAGE, envelope(0x80, BAD_LINES))], [], "NOT_FOUND"),
    ("text, each octet padded", "text", [text(*(bytes([o]) for o in envelope(0x80, OK_LINES)))], [], "OK"),
    ("text that is none", "text", [b"*" * 8], [], "UNKNOWN"),
    ("text that is cut", "text", [text(envelope(0x80, b"grpc-status:0\r\n"))[:-1]], [], "UNKNOWN"),
    ("a stream's success", "stream", [MESSAGE, envelope(2, b"{}")], [], "OK"),
    ("error null", "stream", [envelope(2, b'{"error": null}')], [], "OK"),
    ("a stream's error", "stream", [envelope(2, b'{"error": {"code": "aborted"}}'), b""], [], "ABORTED"),
    ("a code that nobody knows", "stream", [envelope(2, b'{"error": {"code": "odd"}}')], [], "UNKNOWN"),
    ("the code of success", "stream", [envelope(2, b'{"error": {"code": "ok"}}')], [], "UNKNOWN"),
    ("no code", "stream", [envelope(2, b'{"error": {}}')], [], "UNKNOWN"),
    ("an error that is none", "stream", [envelope(2, b'{"error": "aborted"}')], [], "UNKNOWN"),
    ("JSON that is no object", "stream", [envelope(2, b"[]")], [], "UNKNOWN"),
    ("no JSON", "stream", [envelope(2, b"{")], [], "UNKNOWN"),
    ("JSON that nests", "stream", [envelope(2, b"[" * 16_000)], [], "UNKNOWN"),
    ("metadata that is none", "stream", [envelope(2, b'{"metadata": {"a": 1, "b": [2], "": ["x"]}}')], [], "OK"),
    ("half a pair", "stream", [envelope(2, b'{"error": {"code": "aborted", "message": "\\ud800"}}')], [], "ABORTED"),
    ("a stream's gzip", "stream", [envelope(3, gzip.compress(b"{}"))], [("connect-content-encoding", "gzip")], "OK"),
    ("a stream's br", "stream", [envelope(3, gzip.compress(b"{}"))], [("connect-content-encoding", "br")], "UNKNOWN"),
    ("a stream without end", "stream", [MESSAGE], [], "UNKNOWN"),
    ("the flag of gRPC-Web", "stream", [envelope(0x80, OK_LINES)], [], "UNKNOWN"),
]  # fmt: skip


@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize(
    ("kind", "body", "fields", "status"), [each[1:] for each in ENDS], ids=[each[0] for each in ENDS]
)
def test_ends(kind: str, body: list[bytes], fields: list[tuple[str, str]], status: str, padded: bool) -> None:
    last = outcome_of(talk(kind, body, *fields, padded=padded))
    assert last.status == Status[status]
    assert (last.error is None) == (status == "OK")


@pytest.mark.parametrize("name", sorted(name for name in TYPES if name != "unary"))
def test_an_answer_without_a_body_is_no_success(name: str) -> None:
    last = outcome_of(talk(name, []))
    assert (last.status, last.error) == (
        Status.UNKNOWN,
        "UNKNOWN",
    )


CODES = {
    400: "INTERNAL",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "UNIMPLEMENTED",
    418: "UNKNOWN",
    429: "UNAVAILABLE",
}
CODES |= {500: "UNKNOWN", 502: "UNAVAILABLE", 503: "UNAVAILABLE", 504: "UNAVAILABLE", 304: "UNKNOWN", 204: "UNKNOWN"}


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("kind", TYPES)
def test_an_answer_that_is_a_page(code: int, kind: str) -> None:
    for body in ([], [b"<p>"]):
        last = outcome_of(talk(kind, body, code=str(code), answer="text/html"))
        assert last.status == Status[CODES[code]]


@pytest.mark.parametrize("kind", ["web", "text", "stream"])
def test_a_page_with_status_200_is_no_success(kind: str) -> None:
    last = outcome_of(talk(kind, [b"<p>"], answer="text/html"))
    assert last.status == Status.UNKNOWN
    last = outcome_of(talk("unary", [b"<p>"], answer="text/html"))
    assert (last.status, last.error) == (Status.UNKNOWN, "UNKNOWN")


WORDS = [
    "canceled",
    "unknown",
    "invalid_argument",
    "deadline_exceeded",
    "not_found",
    "already_exists",
    "permission_denied",
    "resource_exhausted",
    "failed_precondition",
    "aborted",
    "out_of_range",
    "unimplemented",
    "internal",
    "unavailable",
    "data_loss",
    "unauthenticated",
]


@pytest.mark.parametrize(("number", "word"), list(enumerate(WORDS, 1)))
def test_every_code_of_connect(number: int, word: str) -> None:
    said = json.dumps({"code": word, "message": "why"}).encode()
    for code in ("400", "503"):
        last = outcome_of(talk("unary", [said[:9], said[9:]], code=code))
        assert (last.status, last.error) == (Status(number), word)
        assert last.attributes["rpc.response.status_code"] == word
        packed = outcome_of(talk("unary", [gzip.compress(said)], ("content-encoding", "gzip"), code=code))
        assert packed.status is Status(number)


@pytest.mark.parametrize(
    "said", [b"", b"{", b"[]", b'"x"', b"{}", b'{"code": "odd"}', b'{"code": 5}', b'{"code": "ok"}']
)
@pytest.mark.parametrize("code", [400, 404, 503])
def test_json_that_is_no_error_of_connect(said: bytes, code: int) -> None:
    last = outcome_of(talk("unary", [said], code=str(code)))
    word = {b'{"code": "odd"}': "odd", b'{"code": "ok"}': "ok"}.get(said, str(code))
    assert (last.status, last.error) == (Status[CODES[code]], word)


def test_the_end_is_bounded() -> None:
    """Neither a long end nor the JSON of a long error is kept."""
    limits = Limits(head=1024)
    for size, status in ((900, "NOT_FOUND"), (1100, "UNKNOWN"), (5000, "UNKNOWN")):
        lines = BAD_LINES + b"x: " + b"y" * (size - len(BAD_LINES) - 5) + b"\r\n"
        assert len(lines) == size
        for padded in (False, True):
            last = outcome_of(talk("web", [MESSAGE + envelope(0x80, lines)], padded=padded), limits)
            assert last.status == Status[status]
    message = envelope(0, bytes(5000))
    for padded in (False, True):
        last = outcome_of(talk("web", [message + envelope(0x80, BAD_LINES)], padded=padded), limits)
        assert (last.status, last.attributes["grpc.response.message_size"]) == (Status.NOT_FOUND, 5000)
    said = json.dumps({"code": "aborted", "message": "x" * 2000}).encode()
    assert outcome_of(talk("unary", [said], code="409"), limits).status is Status.UNKNOWN


def test_memory_of_a_stream_is_bounded() -> None:
    """Messages leave nothing behind, however many they are."""
    session = open_session("http2")
    vector = talk("web", [b"x"])
    list(session.receive(C, vector.octets(C)))
    list(session.receive(S, vector.octets(S)[: -len(frame(0, 1, 1, b"x"))]))
    for _ in range(100):
        list(session.receive(S, frame(0, 0, 1, envelope(0, bytes(16000)))))
    assert session.decoder(S).buffer.unfinished == 0
    (last,) = session.receive(S, frame(0, END, 1, envelope(0x80, OK_LINES)))
    assert isinstance(last, Data)
    assert last.message.status is Status.OK
    assert last.message.attributes["grpc.response.message_count"] == 100


def test_nothing_is_said_of_a_failure_before_it_is_known() -> None:
    """Neither of the outcome nor of an error, and what was asked before does not stay."""
    said = json.dumps({"code": "aborted"}).encode()
    vector = talk("unary", [said], code="409")
    session = open_session("http2")
    list(session.receive(C, vector.octets(C)))
    _, head = session.receive(S, vector.octets(S)[: -9 - len(said)])
    assert isinstance(head, Message)
    assert (head.status, head.error, head.attributes.get("error.type")) == (None, None, None)
    list(session.receive(S, vector.octets(S)[-9 - len(said) :]))
    assert (head.status, head.error, head.attributes["error.type"]) == (Status.ABORTED, "aborted", "aborted")


def test_trailers_of_http_behind_a_body() -> None:
    """Should a server send both, the header block is what ends the call, and the body tells the outcome."""
    server = Encoder()
    octets = talk("web", [b"x"]).pieces
    said = frame(1, 4, 1, server.encode([(":status", "200"), ("content-type", TYPES["web"])]))
    for lines, own, status in (
        (BAD_LINES, [("x-a", "b")], Status.NOT_FOUND),
        (b"x:y\r\n", [("x-a", "b")], Status.UNKNOWN),
        (OK_LINES, [("grpc-status", "7")], Status.PERMISSION_DENIED),
    ):
        trailers = Encoder().encode(own)
        answer = frame(4, 0, 0) + said + frame(0, 0, 1, envelope(0x80, lines)) + frame(1, 5, 1, trailers)
        last = outcome_of(Vector("both", (octets[0], (S, answer))))
        assert last.status == status


def test_a_hole_in_the_body() -> None:
    """Inside a message the end is still found; where a prefix or the end itself has a hole, nothing is a success."""
    for kind, body, start, status, count in (
        ("web", envelope(0, bytes(100)), 50, Status.OK, 1),
        ("web", MESSAGE * 10, 9, Status.UNKNOWN, None),
        ("text", text(MESSAGE * 10), 20, Status.UNKNOWN, None),
    ):
        end = envelope(0x80, OK_LINES)
        octets = talk(kind, [body, base64.b64encode(end) if kind == "text" else end]).octets(S)
        hole = octets.index(body) + start
        session = open_session("http2")
        list(session.receive(C, talk(kind, [b""]).octets(C)))
        events: list[Event] = list(session.receive(S, octets[:hole]))
        events += list(session.gap(S, 5))
        events += list(session.receive(S, octets[hole + 5 :]))
        (last,) = [e for e in events if isinstance(e, Message) and e.status is not None]
        assert last.status == status
        assert last.attributes.get("grpc.response.message_count") == count
    octets = talk("web", [MESSAGE, envelope(0x80, OK_LINES)]).octets(S)
    session = open_session("http2")
    list(session.receive(C, talk("web", [b""]).octets(C)))
    events = list(session.receive(S, octets[:-10]))
    events += list(session.gap(S, 5))
    events += list(session.receive(S, octets[-5:]))
    assert [e.status for e in events if isinstance(e, Message) and e.status is not None] == [Status.UNKNOWN]


# A proxy.


def asked(kind: str) -> list[tuple[str, str]]:
    """The fields of a call."""
    fields = [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", "/p.S/M"),
        (":authority", "a"),
        ("content-type", TYPES[kind]),
    ]
    return [*fields, ("connect-protocol-version", "1")] if kind == "unary" else fields


PROXIED = [
    ("web", [MESSAGE + envelope(0x80, BAD_LINES)]),
    ("web", [MESSAGE, envelope(0x80, OK_LINES), b""]),
    ("web", [envelope(0, bytes(60_000)) + envelope(0x80, OK_LINES)]),
    ("text", [text(MESSAGE), text(envelope(0x80, OK_LINES))]),
    ("stream", [MESSAGE + envelope(2, b"{}")]),
    ("unary", [b'{"code": "aborted"}']),
]


@pytest.mark.parametrize(("kind", "body"), PROXIED)
@pytest.mark.parametrize("head", [1024, 65536])
def test_through_a_proxy(kind: str, body: list[bytes], head: int) -> None:
    """The octets of a body reach the client, with its windows, and end the stream."""
    between = Between(Limits(head=head))
    between.run()
    taken = 0
    for number in range(40):
        stream = 2 * number + 1
        between.client.send_headers(stream, asked(kind), end_stream=True)
        between.run()
        between.server.send_headers(
            stream, [(":status", "400" if kind == "unary" else "200"), ("content-type", TYPES[kind])]
        )
        between.run()
        for index, octets in enumerate(body):
            for at in range(0, max(len(octets), 1), 16384):
                last = index == len(body) - 1 and at + 16384 >= len(octets)
                between.server.send_data(stream, octets[at : at + 16384], end_stream=last)
        between.run()
        while len(between.down.got(h2.events.DataReceived)) > taken:
            event = between.down.got(h2.events.DataReceived)[taken]
            between.client.acknowledge_received_data(event.flow_controlled_length, stream)
            taken += 1
            between.run()
        assert between.down.body(stream) == b"".join(body)
        assert stream in {event.stream_id for event in between.down.got(h2.events.StreamEnded)}
    assert between.down.got(h2.events.StreamReset) == []
    assert (between.down.session.pending, between.up.session.pending) == (0, 0)


@pytest.mark.parametrize("kind", TYPES)
def test_an_error_of_the_proxy_is_the_protocols_own(kind: str) -> None:
    """What the client gets is read by an observer of its own, and by h2 octet for octet."""
    server = Endpoint(S, h2_client())
    server.settle()
    server.peer.send_headers(1, asked(kind), end_stream=True)
    (request,) = [e for e in server.settle() if isinstance(e, Message) and e.kind is Kind.REQUEST]
    octets = server.reply_error(request, Status.UNAVAILABLE, "no server: é")
    headers = dict(server.got(h2.events.ResponseReceived)[0].headers)
    status, kept = headers[b":status"], headers[b"content-type"].decode()
    assert (status, kept) == (b"503" if kind == "unary" else b"200", TYPES[kind])
    body = server.body(1)
    if kind in ("web", "text"):
        assert (headers[b"grpc-status"], headers[b"grpc-message"], body) == (b"14", b"no server: %C3%A9", b"")
    else:
        said = json.loads(body if kind == "unary" else body[5:])
        error = said if kind == "unary" else said["error"]
        assert error == {"code": "unavailable", "message": "no server: é"}
        assert kind == "unary" or body[:5] == b"\x02" + (len(body) - 5).to_bytes(4, "big")
    observer = open_session("http2")
    list(observer.receive(C, talk(kind, [b""]).octets(C)))
    events = list(observer.receive(S, frame(4, 0, 0) + octets))
    (last,) = [e for e in events if isinstance(e, Message) and e.status is not None]
    assert last.status is Status.UNAVAILABLE
    assert len(server.got(h2.events.StreamEnded)) == 1


@pytest.mark.parametrize(
    ("path", "method", "protocol"),
    [
        ("/p.S/M?connect=v1&encoding=proto&message=", "GET", "connect"),
        ("/p.S/M?message=&encoding=json&base64=1&connect=v1", "GET", "connect"),
        ("/p.S/M?connect=v12&encoding=proto&message=", "GET", "http2"),
        ("/p.S/M?connect=v1&encoding=proto&message=", "HEAD", "http2"),
        ("/connect=v1&encoding=proto&message=", "GET", "http2"),
    ],
)
def test_the_form_of_get(path: str, method: str, protocol: str) -> None:
    fields = [(":method", method), (":scheme", "http"), (":path", path), (":authority", "a")]
    octets = PREFACE + frame(4, 0, 0) + frame(1, 5, 1, Encoder().encode(fields))
    (request,) = [e for e in open_session("http2").receive(C, octets) if isinstance(e, Message) and e.stream_id == 1]
    assert request.protocol == protocol
    if protocol == "connect":
        assert (request.service, request.operation, request.resources) == ("p.S", "M", ())
        assert (request.attributes["rpc.method"], request.attributes["url.path"]) == ("p.S/M", "/p.S/M")
