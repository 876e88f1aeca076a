"""Changes that HTTP/2 cannot say are refused and leave no trace; those that it can are read back by h2 (PyPI), which checks them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

import h2.config
import h2.connection
import h2.events
import h2.settings
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from l7codecs_http2 import Http2Message, Http2Session
from l7codecs_http2._hpack.block import block_of
from l7codecs_http2._hpack.decoder import HpackDecoder
from l7codecs_http2._hpack.encoder import HpackEncoder
from l7codecs_http2._hpack.static_table import HeaderField, header_field

from l7codecs import (
    Changes,
    Data,
    Event,
    Kind,
    Limits,
    Message,
    Sender,
    Status,
    Unsupported,
    get_protocol,
    open_session,
)

from .between import GET, POST, Endpoint, h2_client

C, S = Sender.CLIENT, Sender.SERVER
Fields = list[tuple[str, str]]

GRPC = [(":method", "POST"), (":scheme", "http"), (":path", "/pkg.S/M"), (":authority", "here")]
GRPC += [("content-type", "application/grpc"), ("te", "trailers")]
WEB = [*GRPC[:4], ("content-type", "application/grpc-web+proto")]
UNARY = [*GRPC[:4], ("content-type", "application/proto"), ("connect-protocol-version", "1")]
STREAMING = [*GRPC[:4], ("content-type", "application/connect+proto")]
CALL_BY_GET = [*GET[:2], (":path", "/pkg.S/M?connect=v1&encoding=json"), GET[3]]
TRIPLE = [*GRPC[:4], ("content-type", "application/grpc"), ("tri-service-version", "1")]
TRIPLE_POST = [*GRPC[:4], ("content-type", "application/json"), ("tri-service-version", "1")]
HEAD = [(":method", "HEAD"), *GET[1:]]
CONNECT = [(":method", "CONNECT"), (":authority", "here:1")]
STAR = [(":method", "OPTIONS"), (":scheme", "http"), (":path", "*"), (":authority", "here")]
RPCS = {"gRPC": GRPC, "web": WEB, "unary": UNARY, "streaming": STREAMING, "get": CALL_BY_GET, "triple": TRIPLE}
REQUESTS = {"get": GET, "post": POST, "head": HEAD, "connect": CONNECT, "star": STAR, "triple post": TRIPLE_POST}


def strict_server() -> h2.connection.H2Connection:
    return h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding=None))


def texts(event: Any) -> dict[str, str]:
    """The headers that h2 tells of."""
    return {name.decode(): value.decode() for name, value in event.headers}


def asked(fields: Fields, *, ends: bool = True) -> Http2Message:
    """The request of those fields, as an endpoint receives it."""
    down = Endpoint(S, h2_client())
    down.settle()
    down.peer.send_headers(1, fields, end_stream=ends)
    [message] = [event for event in down.read() if isinstance(event, Http2Message)]
    assert message.malformed is None
    return message


def attributes(**values: Any) -> Changes:
    return Changes({name.replace("_", "."): value for name, value in values.items()})


def headers(values: dict[Any, Any]) -> Changes:
    return Changes(set_headers=values)


REFUSED: list[tuple[Fields, Changes, str]] = [
    *[
        (GET, headers({"x-a": value}), "x-a")
        for value in ("a\r\nb", "a\nb", "a\rb", "a\0b", " a", "a ", "\ta", "a\t", "a\x7f", "a\x01", "\ud800", b"a\n")
    ],
    *[(GET, headers({"x-a": value}), "x-a") for value in (5, None, ["a"], True, 1.5)],
    *[
        (GET, headers({name: "a"}), "header")
        for name in ("", "a b", "a\r\nb", "a:b", "ä", "\u212a", "a\0", "a/b", "a(", "a\ud800", 5, None, b"a")
    ],
    *[
        (GET, headers({name: "close"}), name.lower())
        for name in ("connection", "Keep-Alive", "proxy-connection", "transfer-encoding", "upgrade")
    ],
    *[(GET, headers({"te": value}), "te") for value in ("gzip", "trailers, gzip", "")],
    *[(GET, headers({name: "/"}), name) for name in (":path", ":method", ":protocol", ":status", ":x")],
    (GET, Changes(remove_headers=(":path",)), ":path"),
    (GET, headers({"x-a": "1", "X-A": "2"}), "x-a"),
    *[
        (GET, Changes({"http.request.method": value}), "http.request.method")
        for value in (
            "",
            "GE T",
            "GET\r\n",
            "GET\0",
            "ä",
            "G/T",
            "\ud800",
            5,
            None,
            b"GET",
            ("GET",),
            "HEAD",
            "CONNECT",
        )
    ],
    (HEAD, Changes({"http.request.method": "GET"}), "http.request.method"),
    (GRPC, Changes({"http.request.method": "GET"}), "http.request.method"),
    *[
        (GET, Changes({"url.path": value}), "url.path")
        for value in (
            "",
            "a",
            "/a b",
            "/a\r\n",
            "/a\0",
            "/a\x7f",
            "/a?b",
            "/a#b",
            "/\ud800",
            "*",
            5,
            None,
            b"/a",
            ("/a",),
        )
    ],
    *[
        (GET, Changes({"url.query": value}), "url.query")
        for value in ("a b", "a\r\n", "a\0", "a#b", "\ud800", 5, None, b"a")
    ],
    *[
        (GET, Changes({"url.scheme": value}), "url.scheme")
        for value in ("", "ht tp", "http:", "http\r\n", "1", "HTTP", "ä", "\ud800", 5, None, b"http")
    ],
    *[
        (rpc, Changes({"rpc.method": value}), "rpc.method")
        for rpc in RPCS.values()
        for value in ("", "a", "/a/b", "a/", "/", "a b/c", "a/b?c", "a/b#c", "a/b\r\n", "a/\ud800", 5, None, b"a/b")
    ],
    (GET, Changes({"rpc.method": "a/b"}), "rpc.method"),
    (GRPC, Changes({"rpc.method": "a/b", "url.path": "/c/d"}), "rpc.method"),
    *[(CONNECT, Changes({name: "x"}), name) for name in ("url.path", "url.query", "url.scheme")],
    (GET, Changes({"db.namespace": "1"}), "db.namespace"),
    (GET, Changes({"server.address": "there"}), "server.address"),
    (GET, Changes({5: "there"}), "5"),
    (GET, Changes(remove_headers=(5,)), "int"),
    (GET, Changes({"url.path": 1.5}), "url.path"),
    *[(GET, headers({"host": value}), "host") for value in ("there", "a b", "", "a/b", "a@b", "here:80")],
    ([*GET[:3], ("host", "here")], Changes(remove_headers=("Host",)), "host"),
    *[
        (GET, headers({"content-length": value}), "content-length")
        for value in ("5", "-1", "+0", "a", "", "0, 0", "1" * 19)
    ],
    ([*POST, ("content-length", "5")], headers({"content-length": "6"}), "content-length"),
    (CONNECT, headers({"content-length": "0"}), "content-length"),
    *[
        (GRPC, headers({"grpc-timeout": value}), "grpc-timeout")
        for value in ("", "5", "5s", "123456789S", "-1S", "1 S", "1.5S")
    ],
    *[
        (rpc, headers({name: value}), name)
        for rpc in RPCS.values()
        for name, value in (("x-a-bin", "not base64!"), ("x-a-bin", b"\xff"), ("x-a", "ä"), ("x-a", b"\x80"))
    ],
    *[(rpc, headers({"x!": "a"}), "x!") for rpc in RPCS.values()],
    *[(UNARY, headers({"connect-timeout-ms": value}), "connect-timeout-ms") for value in ("", "5S", "12345678901")],
    *[(rpc, headers({"tri-service-timeout": "x"}), "tri-service-timeout") for rpc in (TRIPLE, TRIPLE_POST)],
]


@pytest.mark.parametrize(("fields", "changes", "name"), REFUSED, ids=lambda value: repr(value)[:80])
def test_what_cannot_be_said_is_refused(fields: Fields, changes: Changes, name: str) -> None:
    length = any(field == "content-length" for field, _ in fields)
    request = asked(fields, ends=fields is not CONNECT and not length)
    up = open_session("http2", endpoint=C)
    before = up.pending_output()
    with pytest.raises((ValueError, Unsupported)) as refused:
        up.send(request, changes)
    assert name in str(refused.value)
    assert not isinstance(refused.value, UnicodeError)
    assert before and up.pending_output() == b"" and up.queued == 0 and up.unanswered() == []
    assert isinstance(up, Http2Session) and up.pending == 0


_VALUES = {
    "http.request.method": "PUT",
    "url.path": "/a.B/c",
    "url.query": "x=1",
    "url.scheme": "https",
    "rpc.method": "a.B/c",
}


@pytest.mark.parametrize(
    ("protocol", "fields"),
    [
        ("http2", GET),
        ("grpc", GRPC),
        ("grpc_web", WEB),
        ("connect", UNARY),
        ("triple", TRIPLE),
        ("triple", TRIPLE_POST),
    ],
)
def test_the_schema_tells_what_can_change(protocol: str, fields: Fields) -> None:
    schema = get_protocol(protocol).schema
    assert asked(fields).protocol == protocol
    for name, attribute in schema.items():
        changes = Changes({name: _VALUES.get(name, "x")})
        if attribute.changeable:
            assert written(fields, changes) != [(key.encode(), value.encode()) for key, value in fields]
        else:
            with pytest.raises(Unsupported, match=re.escape(name)):
                open_session("http2", endpoint=C).send(asked(fields), changes)


@pytest.mark.parametrize("changes", [Changes({"http.response.status_code": 99}), Changes({"url.path": "/"})])
def test_a_status_cannot_change(changes: Changes) -> None:
    room = Room()
    room.start([GET])
    [answer] = room.answer([(":status", "200")], b"")
    with pytest.raises(Unsupported, match=next(iter(changes.attributes))):
        room.down.session.send(answer, changes)


@pytest.mark.parametrize(
    ("status", "changes"),
    [
        ("200", headers({"content-length": "7"})),
        ("200", headers({"connection": "close"})),
        ("200", headers({":status": "99"})),
        ("200", headers({"x": "a\r\nb"})),
        ("204", headers({"content-length": "0"})),
        ("103", headers({"content-length": "0"})),
        ("trailers", headers({"content-length": "0"})),
        ("trailers", headers({"transfer-encoding": "chunked"})),
        ("trailers", headers({"x": "\ud800"})),
        ("grpc", headers({"grpc-status": "-1"})),
        ("grpc", headers({"grpc-status": "zero"})),
        ("grpc", headers({"grpc-message": "ä"})),
        ("grpc", headers({"grpc-message": "100%"})),
        ("grpc", headers({"grpc-message": " a"})),
        ("grpc", headers({"grpc-status-details-bin": "{}"})),
    ],
)
def test_answers_and_trailers_are_checked_too(status: str, changes: Changes) -> None:
    room = Room()
    room.start([GRPC if status == "grpc" else GET])
    if status in ("trailers", "grpc"):
        answer = room.answer([(":status", "200")], b"x", [("grpc-status", "0")])[-1]
        assert isinstance(answer, Message) and answer.kind is Kind.TRAILERS
    else:
        answer = room.answer([(":status", status)], None)[0]
    with pytest.raises((ValueError, Unsupported)) as refused:
        room.down.session.send(answer, changes)
    assert next(iter(changes.set_headers)) in str(refused.value)


class Room:
    """A client, two sessions and a server; both peers check what they get. What the sessions write is kept."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.down = Endpoint(S, h2_client(), limits or Limits())
        self.up = Endpoint(C, strict_server(), limits or Limits())
        self.log: list[tuple[str, bytes]] = []

    def write(self) -> bool:
        moved = False
        for name, leg in (("up", self.up), ("down", self.down)):
            octets = leg.session.pending_output()
            self.log.append((name, octets))
            if octets:
                leg.heard += leg.peer.receive_data(octets)
            moved |= bool(octets)
        return moved

    def settle(self) -> tuple[list[Event], list[Event]]:
        """Until nothing moves: what the client has said, and what the server has."""
        said: tuple[list[Event], list[Event]] = ([], [])
        moved = True
        while moved:
            said[0].extend(self.down.read())
            said[1].extend(self.up.read())
            moved = self.write()
        return said

    def start(self, requests: list[Fields]) -> list[Event]:
        self.settle()
        for number, fields in enumerate(requests):
            self.down.peer.send_headers(2 * number + 1, fields, end_stream=True)
        events = self.settle()[0]
        for event in events:
            self.up.session.put(event)
        self.settle()
        return events

    def answer(self, fields: Fields, body: bytes | None, trailers: Fields | None = None) -> list[Event]:
        """The events of what the server answers; without a body the answer has not ended."""
        self.up.peer.send_headers(1, fields, end_stream=body == b"")
        if body:
            self.up.peer.send_data(1, body, end_stream=trailers is None)
        if trailers is not None:
            self.up.peer.send_headers(1, trailers, end_stream=True)
        return [event for event in self.settle()[1] if isinstance(event, Data | Http2Message)]


Bad = Callable[[Http2Session, Event], None]
_BAD_CHANGES = [
    headers({"x-a": "a\r\nb"}),
    headers({"x-a": "a", "connection": "close"}),
    headers({"x-new-name": "a", "X-New-Name": "b"}),
    headers({"x-new-name": "\ud800"}),
    headers({"content-length": "12345"}),
    Changes(remove_headers=("x-b", ":path")),
    Changes({"url.path": "/a b"}),
    Changes({"http.request.method": "PUT", "url.scheme": ""}),
    Changes({"nothing": "x"}),
]


def be_bad(session: Http2Session, event: Event) -> None:
    """Whatever can be refused of one event, and of answers to it."""
    before = (
        session.queued,
        session.paused,
        session.closing,
        session.pending,
        session.unanswered(),
        session.unprocessed(),
    )
    for changes in _BAD_CHANGES:
        with pytest.raises((ValueError, Unsupported)):
            session.put(event, changes)
        with pytest.raises((ValueError, Unsupported)):
            session.send(event, changes)
    if isinstance(event, Message):
        request = event.request or event
        with pytest.raises((ValueError, Unsupported)):
            session.reply_error(request, Status.OK, "fine")
    after = (
        session.queued,
        session.paused,
        session.closing,
        session.pending,
        session.unanswered(),
        session.unprocessed(),
    )
    assert after == before


def traffic(bad: Bad) -> list[tuple[str, bytes]]:
    """Requests, bodies that wait for windows, interim answers, trailers, errors; before each event `bad` has its way. What was written."""
    room = Room(Limits(message=70_000, streams=4))
    room.up.peer.update_settings({h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: 2})

    def passed(events: list[Event], session: Http2Session, **changed: Changes) -> None:
        for event in events:
            bad(session, event)
            changes = changed.get(event.kind.value) if isinstance(event, Message) else None
            session.put(event, changes)

    def run() -> None:
        for _ in range(3):
            said = room.settle()
            passed(said[0], room.up.session, request=Changes(set_headers={"x-b": "1"}, remove_headers=("x-c",)))
            passed(said[1], room.down.session, response=Changes(set_headers={"x-b": "1"}))
            room.write()

    run()
    client = room.down.peer
    client.send_headers(1, [*POST, ("x-c", "1")])
    client.send_data(1, b"a" * 16_000)
    for number in (3, 5, 7):
        client.send_headers(number, GRPC if number == 5 else [*GET, ("x-d", str(number))], end_stream=True)
    run()
    room.up.session.paused = room.down.session.paused = True
    client.send_data(1, b"b" * 16_000)
    client.send_data(1, b"c" * 16_000, end_stream=True)
    run()
    room.up.session.paused = room.down.session.paused = False
    run()
    server = room.up.peer
    server.send_headers(1, [(":status", "103"), ("link", "x")])
    server.send_headers(1, [(":status", "200"), ("x-e", "1")])
    server.send_data(1, b"d" * 16_000)
    server.send_headers(1, [("x-end", "1")], end_stream=True)
    server.send_headers(3, [(":status", "404"), ("content-length", "0")], end_stream=True)
    run()
    [refused] = [each for each in room.down.session.unanswered() if each.protocol == "grpc"]
    bad(room.down.session, refused)
    room.log.append(("down", room.down.session.reply_error(refused, Status.UNAVAILABLE, "gone\r\n")))
    room.down.heard += room.down.peer.receive_data(room.log[-1][1])
    client.send_headers(9, GET, end_stream=True)
    client.reset_stream(7)
    run()
    server.close_connection()
    run()
    room.log.append(("up", room.up.session.close()))
    return room.log


def test_a_refused_call_leaves_no_trace() -> None:
    """Octet by octet, sessions that were given every bad call at every moment write what those write that never were."""
    good = traffic(lambda session, event: None)
    assert sum(len(octets) for _, octets in good) > 60_000
    assert traffic(be_bad) == good


def test_another_value_of_one_header_makes_another_log() -> None:
    """The comparison above can fail."""

    def meddle(session: Http2Session, event: Event) -> None:
        if isinstance(event, Message) and event.kind is Kind.REQUEST and not event.more and event.protocol == "http2":
            session.put(event, headers({"x-z": "1"}))

    assert traffic(meddle) != traffic(lambda session, event: None)


def test_an_undetected_session_stays_so_when_a_call_is_refused() -> None:
    request = asked(GET)
    session = open_session("auto", endpoint=C)
    for call in (session.send, session.put):
        with pytest.raises(ValueError, match=r"url\.path"):
            call(request, Changes({"url.path": ""}))
    assert session.protocol is None and session.pending_output() == b""
    other = open_session("auto", endpoint=C)
    good = Changes({"url.path": "/x"})
    assert session.send(request, good) == other.send(request, good) != b""


def test_the_peers_limit_of_a_header_list() -> None:
    room = Room()
    room.settle()
    size = sum(len(name) + len(value) + 32 for name, value in GET)
    room.up.peer.update_settings({h2.settings.SettingCodes.MAX_HEADER_LIST_SIZE: size + 33 + 10})
    room.settle()
    room.down.peer.send_headers(1, GET, end_stream=True)
    [request] = room.settle()[0]
    with pytest.raises(ValueError, match=rf"^x would .* {size + 33 + 11} octets, and the peer takes {size + 33 + 10} "):
        room.up.session.put(request, headers({"x": "a" * 11}))
    room.up.session.put(request, headers({"x": "a" * 10}))
    room.settle()
    assert len(room.up.got(h2.events.RequestReceived)) == 1


def test_an_error_text_beyond_the_peers_limit_is_refused() -> None:
    room = Room()
    room.settle()
    room.down.peer.update_settings({h2.settings.SettingCodes.MAX_HEADER_LIST_SIZE: 300})
    [request] = room.start([GRPC])
    with pytest.raises(ValueError, match=r"text makes a header list of \d+ octets, and the peer takes 300"):
        room.down.session.reply_error(request, Status.INTERNAL, "x" * 300)
    room.down.reply_error(request, Status.INTERNAL, "x" * 30)
    assert room.down.got(h2.events.ResponseReceived)


def test_a_client_that_takes_no_text_gets_none() -> None:
    room = Room()
    room.settle()
    room.down.peer.update_settings({h2.settings.SettingCodes.MAX_HEADER_LIST_SIZE: 1})
    [request] = room.start([GRPC])
    octets = room.down.session.reply_error(request, Status.INTERNAL, "x" * 30)
    fields = HpackDecoder(4096, 1 << 20).decode(octets[9:], 0, len(octets) - 9).pairs()
    assert [name for name, _ in fields] == [":status", "content-type", "grpc-status"]


def test_a_path_that_is_not_utf8_keeps_its_octets() -> None:
    fields = [*GET[:2], (":path", "/\xff?a"), GET[3]]
    octets = HpackEncoder().encode([header_field(name, value.encode("latin-1")) for name, value in fields])
    session = open_session("http2")
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes.fromhex("000000040000000000")
    frame = len(octets).to_bytes(3, "big") + b"\1\5\0\0\0\1" + octets
    request = list(session.receive(C, preface + frame))[-1]
    up = Endpoint(C, strict_server())
    up.settle()
    up.session.put(request, Changes({"url.query": "b"}))
    up.settle()
    [heard] = up.got(h2.events.RequestReceived)
    assert dict(heard.headers)[b":path"] == b"/\xff?b"


def test_names_are_written_in_lower_case() -> None:
    fields = written([*GET, ("x-old", "1"), ("x-old", "2")], headers({"X-Old": "3", "X-NEW": b"4"}))
    assert fields[-2:] == [(b"x-old", b"3"), (b"x-new", b"4")] and len(fields) == 6


def test_one_name_is_not_names() -> None:
    with pytest.raises(ValueError, match="remove_headers"):
        Changes(remove_headers="x-old")


@pytest.mark.parametrize(
    ("fields", "status", "value", "fine"),
    [
        (HEAD, "200", "5", True),
        (GET, "304", "5", True),
        (GET, "200", "0", True),
        (GET, "200", "5", False),
        (HEAD, "204", "5", False),
    ],
)
def test_a_length_of_an_answer_without_a_body(fields: Fields, status: str, value: str, fine: bool) -> None:
    room = Room()
    room.start([fields])
    [answer] = room.answer([(":status", status)], b"")
    if fine:
        room.down.session.put(answer, headers({"content-length": value}))
        room.settle()
        [heard] = room.down.got(h2.events.ResponseReceived)
        assert texts(heard)["content-length"] == value
    else:
        with pytest.raises(ValueError, match="content-length"):
            room.down.session.put(answer, headers({"content-length": value}))


def written(fields: Fields, changes: Changes) -> list[tuple[bytes, bytes]]:
    """What a strict server reads of a request that is sent with `changes`, after which another one comes through as well."""
    up = Endpoint(C, strict_server())
    up.settle()
    up.session.put(asked(fields), changes)
    up.session.put(asked(GET))
    up.settle()
    heard = up.got(h2.events.RequestReceived)
    assert len(heard) == 2 and list(heard[1].headers) == [(n.encode(), v.encode()) for n, v in GET]
    return [(bytes(name), bytes(value)) for name, value in heard[0].headers]


# Everything, with what is wrong often enough.
_ODD = st.sampled_from(
    ["\r", "\n", "\0", " ", "\t", ":", "/", "?", "#", "%", "ä", "\ud800", "\x7f", "\x80", "A", "\u212a"]
)
_TEXT = st.text(st.one_of(st.characters(), st.sampled_from("abcxyz/-09"), _ODD), max_size=12)
_VALUE = st.one_of(_TEXT, st.binary(max_size=12), st.sampled_from(["trailers", "0", "1S", "here", "Zg==", "a b"]))
_KEY = st.one_of(
    _TEXT,
    st.sampled_from(
        [
            "te",
            "host",
            "connection",
            "content-length",
            "x-A",
            "x-bin",
            "grpc-timeout",
            "cookie",
            "upgrade",
            "content-type",
        ]
    ),
)
_CHANGES = st.builds(
    Changes,
    st.dictionaries(
        st.sampled_from(["http.request.method", "url.path", "url.query", "url.scheme", "rpc.method"]),
        st.one_of(_TEXT, _TEXT.map(lambda text: "/" + text), st.sampled_from(["a.B/c", "PUT", "https", "HEAD", "*"])),
        max_size=2,
    ),
    set_headers=st.dictionaries(_KEY, _VALUE, max_size=2),
    remove_headers=st.lists(_KEY, max_size=2),
)


@settings(max_examples=400, deadline=None)
@given(st.sampled_from([*RPCS.values(), *REQUESTS.values()]), _CHANGES)
def test_what_is_accepted_is_read_back(fields: Fields, changes: Changes) -> None:
    request = asked(fields, ends=fields is not CONNECT)
    up = Endpoint(C, strict_server())
    up.settle()
    try:
        up.session.put(request, changes)
    except UnicodeError:
        raise
    except (ValueError, Unsupported):
        assert up.session.pending_output() == b"" and up.session.pending == 0
        return
    octets = up.session.pending_output()
    [heard] = up.peer.receive_data(octets)[:1]  # raises where it is refused
    assert isinstance(heard, h2.events.RequestReceived)
    found = [(bytes(name), bytes(value)) for name, value in heard.headers]
    named = {name.lower().encode(): value for name, value in changes.set_headers.items()}
    for name, value in named.items():
        expected = value if isinstance(value, bytes) else value.encode("utf-8")
        assert [each for key, each in found if key == name] == [expected]
    removed = {name.lower().encode() for name in changes.remove_headers} - named.keys()
    assert not removed & {name for name, _ in found}
    # Another endpoint of ours, which tells what is malformed.
    session = open_session("http2", endpoint=S)
    list(session.receive(C, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes.fromhex("000000040000000000")))
    [again] = [event for event in session.receive(C, octets) if isinstance(event, Http2Message)]
    assert again.malformed is None
    for key, value in changes.attributes.items():
        if key == "rpc.method":
            path = dict(found)[b":path"]
            assert path.partition(b"?")[0] == b"/" + str(value).encode()
        elif key == "url.query" and value == "":
            assert key not in again.attributes
        else:
            assert again.attributes[key] == value
    kept = [
        (n.encode(), v.encode())
        for n, v in fields
        if n.encode() not in named.keys() | removed and not n.startswith(":")
    ]
    assert [each for each in found if each[0] not in named and not each[0].startswith(b":")] == kept


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from([GET, HEAD, GRPC, UNARY]),
    st.sampled_from(["200", "204", "304", "404", "103"]),
    st.sampled_from([b"", b"body", None]),
    st.lists(st.dictionaries(_KEY, _VALUE, max_size=2), min_size=3, max_size=3),
)
def test_what_is_accepted_of_answers_is_read_back(
    fields: Fields, status: str, body: bytes | None, values: list[dict[str, str | bytes]]
) -> None:
    if fields is HEAD or status in ("204", "304"):
        body = b""
    room = Room()
    room.start([fields])
    if status == "103":
        events = room.answer([(":status", "103")], None)
        events += room.answer([(":status", "200")], body, [("x-end", "1")] if body is None else None)
    else:
        events = room.answer([(":status", status)], body, [("x-end", "1")] if body is None else None)
    for event in events:
        changes = headers(dict(values.pop())) if isinstance(event, Message) and values else None
        try:
            room.down.session.put(event, changes)
        except UnicodeError:
            raise
        except (ValueError, Unsupported):
            assert room.down.session.pending_output() == b""
            room.down.session.put(event)
            changes = None
        room.settle()  # raises where h2 refuses it
        if changes is not None and isinstance(event, Message):
            heard = [each for each in room.down.heard if hasattr(each, "headers")][-1]
            for name, value in changes.set_headers.items():
                expected = value if isinstance(value, bytes) else value.encode("utf-8")
                assert [each for key, each in heard.headers if key == name.lower().encode()] == [expected]
    assert room.down.got(h2.events.StreamEnded) and not room.down.got(h2.events.StreamReset)


_STATUS = st.sampled_from([status for status in Status if status is not Status.OK])


@settings(max_examples=300, deadline=None)
@given(st.sampled_from([*RPCS.values(), GET, HEAD, TRIPLE_POST]), _STATUS, _TEXT)
def test_every_text_of_an_error_arrives(fields: Fields, status: Status, text: str) -> None:
    down = Endpoint(S, h2_client())
    down.settle()
    down.peer.send_headers(1, fields, end_stream=True)
    [request] = [event for event in down.read() if isinstance(event, Http2Message)]
    down.reply_error(request, status, text)
    [response] = down.got(h2.events.ResponseReceived)
    found = texts(response)
    said = text.encode("utf-8", "replace").decode()
    body = down.body(1)
    if fields in (GRPC, TRIPLE, WEB):
        assert found["grpc-status"] == str(int(status))
        message = found.get("grpc-message", "")
        assert unquote(message, errors="strict") == said and message == message.strip()
        assert all(" " <= each <= "~" for each in message)
    elif fields in (UNARY, CALL_BY_GET):
        assert json.loads(body)["message"] == said
    elif fields == STREAMING:
        assert json.loads(body[5:])["error"]["message"] == said
    elif fields != HEAD:
        assert body.decode() == said


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.builds(
            header_field,
            st.sampled_from(
                [
                    ":method",
                    ":path",
                    ":scheme",
                    ":status",
                    ":x",
                    "te",
                    "host",
                    "x",
                    "A",
                    "tri-x",
                    "content-length",
                    "accept",
                    "connection",
                ]
            ),
            st.sampled_from([b"", b"a", b"a\n", b" "]),
        ),
        max_size=16,
    )
)
def test_a_block_of_fields_is_what_is_decoded_from_them(fields: list[HeaderField]) -> None:
    octets = HpackEncoder().encode(fields)
    decoded, made = HpackDecoder(4096, 1 << 20).decode(octets, 0, len(octets)), block_of(fields)
    assert (made.size, made.seen, made.places, made.pairs()) == (
        decoded.size,
        decoded.seen,
        decoded.places,
        decoded.pairs(),
    )
