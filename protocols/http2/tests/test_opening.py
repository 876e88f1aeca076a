"""The beginning of a connection: the preface, and the upgrade from HTTP/1.1 of RFC 7540 §3.2, taken and refused."""

from __future__ import annotations

import time
from base64 import urlsafe_b64encode
from collections.abc import Iterable

import h2.connection
import h2.events
import pytest
from l7codecs_http2 import Http2Session

import l7codecs
from l7codecs import (
    Data,
    Event,
    IncompleteMessage,
    Kind,
    LimitExceeded,
    Limits,
    Message,
    Opaque,
    ProtocolError,
    Sender,
    Status,
)
from l7codecs.testing import growth

from .between import frames_of, h2_client
from .conftest import Room

SETTINGS = b"AAMAAABkAAQAAP__"  # 100 streams, a window of 65535 octets
HEAD = (
    b"GET /a?b=c HTTP/1.1\r\nHost: here:80\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
    b"HTTP2-Settings: %s\r\nX-A: 1\r\n\r\n"
)
GET = HEAD % SETTINGS
SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0"
FRAMES = b"\0\0\0\4\0\0\0\0\0"


def post(*fields: bytes, body: bytes = b"") -> bytes:
    head = GET.replace(b"GET", b"POST").removesuffix(b"\r\n")
    return head + b"".join(field + b"\r\n" for field in fields) + b"\r\n" + body


def hear(*pieces: tuple[Sender, bytes], size: int = 1 << 20) -> list[Event]:
    """The events of an observer."""
    session = l7codecs.open_session("http2")
    events: list[Event] = []
    for sender, octets in pieces:
        for at in range(0, len(octets), size):
            events += session.receive(sender, octets[at : at + size])
    return events


def told(events: Iterable[Event]) -> list[tuple[object, ...]]:
    """Kind, operation, more, or payload; parts put together."""
    found: list[tuple[object, ...]] = []
    for event in events:
        if isinstance(event, Message):
            found.append((event.kind.value, event.operation, event.more))
        elif isinstance(event, Data):
            if found and found[-1][0] == "data" and found[-1][2]:
                found[-1] = ("data", found[-1][1] + event.payload, event.more)  # type: ignore[operator]
            else:
                found.append(("data", event.payload, event.more))
        else:
            raw = event.raw
            if found and found[-1][0] == "opaque":
                raw = found.pop()[1] + raw  # type: ignore[operator]
            found.append(("opaque", raw))
    return found


CLIENT, SERVER = Sender.CLIENT, Sender.SERVER
CHUNKED = b"3\r\nabc\r\n0A;x=y\r\n0123456789\r\n0\r\nX-Sum: 1\r\n\r\n"
START = [("control", "PREFACE", False), ("control", "SETTINGS", False)]
CONVERSATIONS = {
    "taken": ([(CLIENT, GET), (SERVER, SWITCH + FRAMES), (CLIENT, PREFACE)], [
        ("request", "GET", False), ("control", "UPGRADE", False), ("control", "SETTINGS", False), *START,
    ]),
    "with a body": ([(CLIENT, post(b"Content-Length: 5", body=b"12345") + PREFACE), (SERVER, SWITCH + FRAMES)], [
        ("request", "POST", True), ("data", b"12345", False), *START, ("control", "UPGRADE", False), ("control", "SETTINGS", False),
    ]),
    "with a chunked body": ([(CLIENT, post(b"Transfer-Encoding: chunked", body=CHUNKED) + PREFACE), (SERVER, SWITCH + FRAMES)], [
        ("request", "POST", True), ("data", b"abc0123456789", False), *START, ("control", "UPGRADE", False),
        ("control", "SETTINGS", False),
    ]),
    "with an empty chunked body": ([(CLIENT, post(b"Transfer-Encoding: chunked", body=b"0\r\n\r\n") + PREFACE)], [
        ("request", "POST", True), ("data", b"", False), *START,
    ]),
    "after 100": ([
        (CLIENT, post(b"Content-Length: 2", b"Expect: 100-continue")), (SERVER, b"HTTP/1.1 100 Continue\r\n\r\n"), (CLIENT, b"ab"),
        (SERVER, SWITCH + FRAMES), (CLIENT, PREFACE),
    ], [
        ("request", "POST", True), ("control", "POST", False), ("data", b"ab", False), ("control", "UPGRADE", False),
        ("control", "SETTINGS", False), *START,
    ]),
    "refused": ([
        (CLIENT, GET), (SERVER, b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno"), (CLIENT, b"GET /b HTTP/1.1\r\n\r\n"),
        (SERVER, b"HTTP/1.1 200 OK\r\n\r\n"),
    ], [
        ("request", "GET", False), ("response", "GET", False), ("opaque", b"no"), ("opaque", b"GET /b HTTP/1.1\r\n\r\n"),
        ("opaque", b"HTTP/1.1 200 OK\r\n\r\n"),
    ]),
}  # fmt: skip


@pytest.mark.parametrize("name", CONVERSATIONS)
@pytest.mark.parametrize("size", [1, 2, 7, 1 << 20])
def test_conversations(name: str, size: int) -> None:
    pieces, expected = CONVERSATIONS[name]
    events = hear(*pieces, size=size)
    merged: list[tuple[object, ...]] = []
    for row in expected:  # neighbours that are opaque are one here
        if merged and row[0] == "opaque" == merged[-1][0]:
            merged[-1] = ("opaque", merged[-1][1] + row[1])  # type: ignore[operator]
        else:
            merged.append(row)
    assert told(events) == merged
    for sender in Sender:
        sent = b"".join(octets for who, octets in pieces if who is sender)
        assert b"".join(event.raw for event in events if event.sender is sender) == sent


def test_what_a_refusal_says() -> None:
    request, answer, *_ = hear(
        (CLIENT, GET), (SERVER, b"HTTP/1.1 503 No\r\nRetry-After: 1\r\nConnection: close\r\n\r\nx")
    )
    assert isinstance(answer, Message)
    assert (answer.request, answer.status, answer.error) == (request, Status.UNAVAILABLE, "503")
    assert list(answer.headers) == [("retry-after", b"1")]


def test_the_request_of_an_upgrade() -> None:
    extra = b"TE: gzip\r\nKeep-Alive: 5\r\nX-Hop: 1\r\nConnection: x-hop\r\nCookie: a=b\r\n\r\n"
    [request] = hear((CLIENT, GET.removesuffix(b"\r\n") + extra))
    assert isinstance(request, Message)
    assert request.resources == ("/a",)
    assert request.service == "here:80"
    assert request.error is None
    assert list(request.headers) == [("x-a", b"1"), ("cookie", b"a=b")]
    [request] = hear((CLIENT, GET.replace(b"/a?b=c", b"http://there/x?y")))
    assert isinstance(request, Message)
    assert (request.service, request.attributes["url.path"], request.attributes["url.query"]) == ("there", "/x", "y")


@pytest.mark.parametrize(
    "value",
    [b"AAMAAABk!", b"A", b"AAMA", b"AAIAAAAC", b"AAUAAAAB", b"AASAAAAA"],
    ids=["alphabet", "cut", "size", "push", "frame", "window"],
)
def test_settings_that_are_wrong(value: bytes) -> None:
    [request] = hear((CLIENT, HEAD % value))
    assert isinstance(request, Message)
    assert request.error == "PROTOCOL_ERROR"
    server = l7codecs.open_session("http2", endpoint=SERVER)
    with pytest.raises(ProtocolError):
        list(server.receive(CLIENT, HEAD % value))
    assert server.pending_output().startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "an upgrade to h2c"),
        (GET.replace(b"Upgrade: h2c", b"Upgrade: websocket"), "an upgrade to h2c"),
        (GET.replace(b"X-A: 1", b"HTTP2-Settings: AAMAAABk"), "an upgrade to h2c"),
        (GET.replace(b"X-A: 1\r\n", b"X-A: 1\n"), "CR LF"),
        (GET.replace(b"X-A: 1", b"X-A : 1"), "a field line"),
        (GET.replace(b"X-A: 1", b" folded"), "a field line"),
        (GET.replace(b"HTTP/1.1", b"HTTP/1.0"), "a request line of HTTP/1.1"),
        (post(b"Content-Length: 5", b"Content-Length: 6"), "content-length or chunked"),
        (post(b"Content-Length: 5", b"Transfer-Encoding: chunked"), "content-length or chunked"),
        (post(b"Content-Length: +5"), "content-length or chunked"),
        (post(b"Transfer-Encoding: gzip, chunked"), "content-length or chunked"),
        (post(b"Transfer-Encoding: chunked", body=b"-1\r\n"), "the size of a chunk"),
        (post(b"Transfer-Encoding: chunked", body=b"1\r\nabc\r\n"), "CR LF"),
        (post(b"Transfer-Encoding: chunked", body=b"f" * 16 + b"\r\n"), "the size of a chunk"),
    ],
)
@pytest.mark.parametrize("size", [1, 1 << 20])
def test_what_is_wrong_is_an_error(octets: bytes, expected: str, size: int) -> None:
    with pytest.raises(ProtocolError) as caught:
        hear((CLIENT, octets), size=size)
    assert expected in caught.value.expected


def test_a_body_that_is_cut() -> None:
    session = l7codecs.open_session("http2")
    list(session.receive(CLIENT, post(b"Content-Length: 5", body=b"123")))
    with pytest.raises(IncompleteMessage):
        list(session.eof(CLIENT))


@pytest.mark.parametrize(
    "begin", [b"GET /", GET[:-2] + b"X: ", GET[:-2] + b"X: 1\r\n" * 20_000], ids=["line", "field", "fields"]
)
def test_a_head_without_end(begin: bytes) -> None:
    with pytest.raises(LimitExceeded) as caught:
        hear((CLIENT, begin), *[(CLIENT, b"x" * 1000)] * 100)
    assert "limits.head" in caught.value.expected


def test_octet_by_octet_is_linear() -> None:
    def seconds(count: int) -> float:
        octets = GET[:-2] + b"X-Long: 0123456789\r\n" * count + b"\r\n"
        session = l7codecs.open_session("http2")
        start = time.process_time()
        for at in range(len(octets)):
            for _ in session.receive(CLIENT, octets[at : at + 1]):
                pass
        return time.process_time() - start

    assert growth(seconds, 150, 2400, 16 * 3) <= 16 * 3


# ---------------------------------------------------------------------------------------------------- an endpoint upgrades


def server(limits: Limits | None = None) -> Http2Session:
    session = l7codecs.open_session("http2", endpoint=SERVER, limits=limits or Limits())
    assert isinstance(session, Http2Session)
    return session


def upgrade(settings: dict[int, int]) -> bytes:
    octets = b"".join(number.to_bytes(2, "big") + value.to_bytes(4, "big") for number, value in settings.items())
    return HEAD % urlsafe_b64encode(octets).rstrip(b"=")


def test_http2_settings_rule_what_is_written() -> None:
    session = server()
    [request] = session.receive(CLIENT, upgrade({1: 0, 4: 10}))
    assert isinstance(request, Message)
    octets = session.reply_error(request, Status.NOT_FOUND, "more than ten octets")
    assert octets.startswith(SWITCH)
    settings, update, head, data = frames_of(octets.removeprefix(SWITCH))
    assert [type(each).__name__ for each in (settings, update)] == ["SettingsFrame", "WindowUpdateFrame"]
    assert "ACK" not in settings.flags
    assert head.data[0] == 0x20  # no table: said at once, without a SETTINGS frame to acknowledge
    assert data.data == b"more than "


def test_h2_upgrades_to_us() -> None:
    client = h2_client()
    value = client.initiate_upgrade_connection()
    assert value is not None
    session = server()
    request, *_ = session.receive(CLIENT, HEAD % value)
    assert isinstance(request, Message)
    octets = session.pending_output()
    assert octets.startswith(SWITCH)
    events = client.receive_data(octets.removeprefix(SWITCH))
    list(session.receive(CLIENT, client.data_to_send()))
    events += client.receive_data(session.reply_error(request, Status.NOT_FOUND, "x" * 100_000))
    assert isinstance(client, h2.connection.H2Connection)
    assert sum(len(e.data) for e in events if isinstance(e, h2.events.DataReceived)) == 65_535


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_comes_before_101(chunked: bool) -> None:
    session = server()
    fields = [b"Transfer-Encoding: chunked"] if chunked else [b"Content-Length: 5"]
    request, *_ = session.receive(CLIENT, post(*fields, b"Expect: 100-continue"))
    assert session.pending_output() == b"HTTP/1.1 100 Continue\r\n\r\n"
    # It is met. A server behind that answered it once more would give the HttpClient of Java 17 a final response of status 100.
    assert isinstance(request, Message)
    assert "expect" not in request.headers
    list(session.receive(CLIENT, b"2\r\nab\r\n" if chunked else b"ab"))
    assert session.pending_output() == b""
    [*_, last] = session.receive(CLIENT, b"0\r\n\r\n" if chunked else b"cde")
    assert isinstance(last, Data)
    assert not last.more
    assert session.pending_output().startswith(SWITCH)


@pytest.mark.parametrize("fields", [[b"Content-Length: 2000"], [b"Transfer-Encoding: chunked"]])
def test_a_body_without_flow_control_is_bounded(fields: list[bytes]) -> None:
    session = server(Limits(message=1000))
    with pytest.raises(LimitExceeded, match=r"limits\.message"):
        list(session.receive(CLIENT, post(*fields, body=b"100\r\n" + b"x" * 256 + b"\r\n" + b"400\r\n")))


def test_http1_without_an_upgrade_is_told_so() -> None:
    session = server()
    with pytest.raises(ProtocolError):
        list(session.receive(CLIENT, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"))
    assert session.pending_output().startswith(b"HTTP/1.1 400 ")
    assert session.pending_output() == b""


# ------------------------------------------------------------------------------------------------------------- real peers


@pytest.mark.interop
def test_curl_posts_with_an_upgrade(hypercorn: Room) -> None:
    """hypercorn takes upgrades of requests without a body alone: this one is refused, and its answer comes in HTTP/1.1."""
    printed = hypercorn.run("curl", "-sS", "--http2", "-d", "abc", "-w", "%{http_version}", "HTTP/index.html")
    events = hypercorn.hear().events
    kinds = [event.kind for event in events if isinstance(event, Message)]
    if printed.endswith("2"):
        assert Kind.RESPONSE in kinds
        return
    assert kinds == [Kind.REQUEST, Kind.RESPONSE]
    assert b'"body": 3' in b"".join(e.raw for e in events if isinstance(e, Opaque))
