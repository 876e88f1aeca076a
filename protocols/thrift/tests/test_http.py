"""HTTP/1.1 at its edges: codings, chunks, bodies up to the end of the connection, fields that change, answers without ids."""

from __future__ import annotations

import gzip
import random
import zlib
from http.client import HTTPResponse
from io import BytesIO
from struct import pack

import pytest

import l7codecs
from l7codecs import (
    Changes,
    Data,
    IncompleteMessage,
    Kind,
    LimitExceeded,
    Limits,
    Message,
    ProtocolError,
    Sender,
    Status,
    Unsupported,
)
from l7codecs.testing import Vector, check_cuts, replay
from l7codecs_thrift import ThriftMessage

from .test_endpoints import CALL, ONEWAY, REPLY, Proxy, number_of, octets

C, S = Sender.CLIENT, Sender.SERVER


def post(body: bytes, fields: str = "", chunks: int = 0) -> bytes:
    return b"POST /svc HTTP/1.1\r\nContent-Type: application/x-thrift\r\n" + told(body, fields, chunks)


def answer(body: bytes, fields: str = "", chunks: int = 0, status: str = "200 OK") -> bytes:
    return f"HTTP/1.1 {status}\r\n".encode() + told(body, fields, chunks)


def told(body: bytes, fields: str, chunks: int) -> bytes:
    if not chunks:
        return f"{fields}Content-Length: {len(body)}\r\n\r\n".encode() + body
    pieces = [body[at : at + chunks] for at in range(0, len(body), chunks)]
    said = b"".join(b"%x;a=b\r\n%s\r\n" % (len(each), each) for each in pieces)
    return f"{fields}Transfer-Encoding: chunked\r\n\r\n".encode() + said + b"0\r\nTrailer: x\r\n\r\n"


def message(size: int, name: str = "hello", seqid: int = 1) -> bytes:
    text = random.Random(size).randbytes(size)
    head = b"\x80\x01\0\1" + pack(">i", len(name)) + name.encode() + pack(">i", seqid)
    return head + b"\x0b\0\1" + pack(">i", size) + text + b"\0"


def one(said: bytes, sender: Sender = C) -> ThriftMessage:
    (found,) = l7codecs.open_session("thrift").receive(sender, said)
    assert isinstance(found, ThriftMessage)
    return found


class _Socket:
    def __init__(self, said: bytes) -> None:
        self._said = said

    def makefile(self, mode: str) -> BytesIO:
        return BytesIO(self._said)


def body_of(said: bytes) -> bytes:
    """The body as Python's own client reads it; of a request as well."""
    _line, _, rest = said.partition(b"\r\n")
    response = HTTPResponse(_Socket(b"HTTP/1.1 200 OK\r\n" + rest))  # type: ignore[arg-type]
    response.begin()
    body = response.read()
    coding = response.getheader("Content-Encoding")
    if coding in ("gzip", "x-gzip"):
        return gzip.decompress(body)
    if coding == "deflate":
        return zlib.decompressobj(15 if body[:1] == b"\x78" else -15).decompress(body)
    return body


@pytest.mark.parametrize("chunks", [1, 700, 1500, 100_000])
def test_a_large_body_in_chunks_streams(chunks: int) -> None:
    limits = Limits(message=1000, head=200)
    for size in (0, 900, 1000, 5000, 20_000):
        said = post(message(size), chunks=chunks) + post(message(3, seqid=2))
        vector = Vector("chunks", ((C, said),))
        if size < 6000:
            outcome = check_cuts(lambda: l7codecs.open_session("thrift", limits=limits), vector)
        else:
            outcome = replay(l7codecs.open_session("thrift", limits=limits), vector)
        assert not outcome.errors and outcome.raw(C) == said
        first, *rest = outcome.events
        assert isinstance(first, ThriftMessage) and first.operation == "hello"
        last = rest.pop()
        assert isinstance(last, ThriftMessage) and last.number == 2
        assert first.more == bool(rest) and (first.more or len(first.raw) <= 1500)
        payload = first.payload + b"".join(each.payload for each in rest if isinstance(each, Data))
        assert payload == message(size)


@pytest.mark.parametrize("chunks", [0, 300, 100_000])
@pytest.mark.parametrize("coding", ["", "gzip", "deflate", "bare"])
def test_a_changed_body_is_read_by_others(chunks: int, coding: str) -> None:
    made = {
        "": lambda body: body,
        "gzip": lambda body: gzip.compress(body, mtime=0),
        "deflate": zlib.compress,
        "bare": lambda body: zlib.compress(body, wbits=-15),
    }[coding]
    fields = f"Content-Encoding: {coding.replace('bare', 'deflate')}\r\n" if coding else ""
    changes = Changes({"thrift.method": "another", "thrift.seqid": 77})
    for limits in (Limits(), Limits(message=1000, head=300)):
        for size in (0, 100, 900) if limits.message > 1000 or coding else (0, 100, 900, 5000):
            said = post(made(message(size)), fields, chunks)
            session = l7codecs.open_session("thrift", endpoint=C, limits=limits)
            written = b""
            for event in l7codecs.open_session("thrift", limits=limits).receive(C, said):
                written += session.send(event, changes if isinstance(event, ThriftMessage) else None)
            assert body_of(written) == message(size, "another", 77)
            assert len(session.unanswered()) == 1


def test_fields_change_and_the_body_stays() -> None:
    said = post(message(9), "X-A: 1\r\nx-b: 2\r\nX-A: 3\r\n", chunks=5)
    changes = Changes(set_headers={"x-a": "ü", "New": b"\xff"}, remove_headers=["X-B"])
    made = l7codecs.open_session("thrift").send(one(said), changes)
    assert made == said.replace(b"X-A: 1\r\nx-b: 2\r\nX-A: 3\r\n", "X-A: ü\r\n".encode()).replace(
        b"chunked\r\n\r\n", b"chunked\r\nNew: \xff\r\n\r\n"
    )
    assert one(made).headers["New"] == "\xff"


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        (Changes(set_headers={"Content-Length": "5"}), Unsupported),
        (Changes(remove_headers=["transfer-encoding"]), Unsupported),
        (Changes(set_headers={"a b": "5"}), ValueError),
        (Changes(set_headers={"": "5"}), ValueError),
        (Changes(set_headers={"a": "5\r\nb: 6"}), ValueError),
        (Changes(set_headers={"ä": "5"}), ValueError),
    ],
)
def test_fields_that_cannot_be_written(changes: Changes, error: type[Exception]) -> None:
    with pytest.raises(error):
        l7codecs.open_session("thrift", endpoint=C).send(one(post(message(3))), changes)


def test_a_body_ends_with_the_connection() -> None:
    said = b"HTTP/1.0 200 OK\r\n\r\n" + message(2000).replace(b"\x80\x01\0\1", b"\x80\x01\0\2")
    for limits in (Limits(), Limits(message=500, head=100)):
        for size in (1, 33, 1 << 20):
            session = l7codecs.open_session("thrift", limits=limits)
            (call,) = session.receive(C, post(message(3)))
            events = []
            for at in range(0, len(said), size):
                events += list(session.receive(S, said[at : at + size]))
            events += list(session.eof(S))
            reply, *rest = events
            assert isinstance(reply, ThriftMessage) and reply.request is call and reply.more == (limits.message == 500)
            assert b"".join(each.raw for each in events) == said
            assert reply.more is False or (isinstance(rest[-1], Data) and not rest[-1].more)
    for status in ("204 No Content", "304 Not Modified", "100 Continue"):
        assert len(list(l7codecs.open_session("thrift").receive(S, f"HTTP/1.1 {status}\r\n\r\n".encode()))) == 1


def test_what_is_cut_or_too_large_is_told() -> None:
    limits = Limits(message=500, head=100, payload=3000)
    for said in (post(message(5000), chunks=400), answer(b"", chunks=1)[:-30] + b"5000\r\n" + bytes(0x5000)):
        session = l7codecs.open_session("thrift", limits=limits)
        with pytest.raises(LimitExceeded):
            list(session.receive(C if said.startswith(b"POST") else S, said))
    session = l7codecs.open_session("thrift", limits=limits)
    assert list(session.receive(C, post(message(2000), chunks=400)[:1500]))
    with pytest.raises(IncompleteMessage):
        list(session.eof(C))


def test_a_bomb_in_a_coding_inflates_to_no_more_than_the_limit() -> None:
    body = message(3)[:-1] + b"\x0b\0\2" + pack(">i", 50_000_000) + bytes(50_000_000) + b"\0"
    found = one(post(gzip.compress(body), "Content-Encoding: gzip\r\n"))
    assert found.operation == "hello" and len(found.plain) <= Limits().message
    made = l7codecs.open_session("thrift").send(found, Changes({"thrift.method": "x"}))
    text = gzip.decompress(made.partition(b"\r\n\r\n")[2])
    assert (
        len(text) == len(body) - 4 and text[:20] == body[:4] + b"\0\0\0\1x" + body[13:24] and text[-99:] == body[-99:]
    )
    few = l7codecs.open_session("thrift", limits=Limits(payload=10_000_000))
    (found,) = few.receive(C, post(gzip.compress(body), "Content-Encoding: gzip\r\n"))
    with pytest.raises(Unsupported, match="payload"):
        few.send(found, Changes({"thrift.method": "x"}))


def test_bodies_that_cannot_be_read_pair_in_order_at_endpoints() -> None:
    proxy = Proxy()
    unread = b"\x8b\1\x80abc\3"
    for number in (0, 1, 0):
        (asked,) = proxy.ask(number, post(unread, "Content-Encoding: br\r\n"))
        assert asked.raw == post(unread, "Content-Encoding: br\r\n") and asked.kind is Kind.REQUEST
    proxy.answer(answer(b"one") + answer(b"two", status="500 Oops"))
    proxy.answer(answer(b"three"))
    assert proxy.to_client == [answer(b"one") + answer(b"three"), answer(b"two", status="500 Oops")]
    assert proxy.upstream.pending == 0


def test_clients_of_http_share_a_server() -> None:
    proxy = Proxy()
    for turn in range(4):
        (asked,) = proxy.ask(turn % 2, post(octets("a", CALL, 7, "unframed")))
        assert isinstance(asked, ThriftMessage)
        proxy.answer(answer(octets("a", REPLY, asked.number, "unframed")))
        assert proxy.to_client[turn % 2].endswith(answer(octets("a", REPLY, 7, "unframed")))


def test_what_cannot_be_read_is_answered_by_a_status() -> None:
    session = l7codecs.open_session("thrift", endpoint=S)
    (asked,) = session.receive(C, post(b"\x8b\1\x80abc\3", "Content-Encoding: br\r\n"))
    assert isinstance(asked, Message)
    written = session.reply_error(asked, Status.UNAVAILABLE, "gone")
    assert written == b"HTTP/1.1 503 Error\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n\r\ngone"
    observer = l7codecs.open_session("thrift")
    list(observer.receive(C, post(b"\x8b\1\x80abc\3", "Content-Encoding: br\r\n")))
    (told,) = observer.receive(S, written)
    assert isinstance(told, ThriftMessage) and (told.status, told.error) == (Status.UNAVAILABLE, "503")


def test_an_error_has_the_type_of_content_that_was_asked_with() -> None:
    body = b'{"method" : "hello", "type" : "CALL", "seqid" : 5, "args" : {}}'
    said = b"POST / HTTP/1.1\r\nContent-Type: application/x-thrift; protocol=TTEXT\r\nContent-Length: %d\r\n\r\n" % len(
        body
    )
    session = l7codecs.open_session("thrift", endpoint=S)
    (asked,) = session.receive(C, said + body)
    assert isinstance(asked, Message)
    written = session.reply_error(asked, Status.UNIMPLEMENTED, 'no "hello"')
    assert b"application/x-thrift; protocol=TTEXT" in written
    observer = l7codecs.open_session("thrift")
    list(observer.receive(C, said + body))
    (told,) = observer.receive(S, written)
    assert isinstance(told, ThriftMessage) and told.exception == (1, 'no "hello"') and told.encoding == "ttext"


def test_a_size_that_is_told_twice_or_not_at_all_is_refused() -> None:
    """Who stands behind a proxy might read another one (RFC 9112, 6.3)."""
    body = message(9)
    size = f"Content-Length: {len(body)}\r\n"
    assert one(post(body, size)).operation == "hello"
    for fields in ("Content-Length: 5\r\n", "Transfer-Encoding: xchunked\r\n", "Transfer-Encoding: chunked, gzip\r\n"):
        with pytest.raises(ProtocolError, match="RFC 9112"):
            list(l7codecs.open_session("thrift").receive(C, post(body, fields)))
    assert one(post(body, "Transfer-Encoding: gzip\r\n", 4)).operation == "hello"


@pytest.mark.parametrize("status", ["100 Continue", "204 No Content", "304 Not Modified"])
def test_what_has_no_body_has_none_whatever_size_it_says(status: str) -> None:
    session = l7codecs.open_session("thrift")
    list(session.receive(C, post(message(9))))
    for fields in ("Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n"):
        (event,) = session.receive(S, f"HTTP/1.1 {status}\r\n{fields}\r\n".encode())
        assert isinstance(event, ThriftMessage) and event.http_status == int(status[:3]) and event.is_empty


@pytest.mark.parametrize("kind", [ONEWAY, CALL])
@pytest.mark.parametrize(
    "status", ["200 OK", "202 Accepted", "204 No Content", "500 Internal Server Error", "503 Busy"]
)
def test_an_answer_to_a_one_way_call_is_none_to_the_next(status: str, kind: int) -> None:
    """RFC 9110 §15.3: 2xx says that all is well, with a message or without. Go writes its one-way calls as calls."""
    fields = "" if status.startswith("204") else "Content-Length: 0\r\n"
    session = l7codecs.open_session("thrift")
    endpoint = l7codecs.open_session("thrift", endpoint=C)
    for number in range(1, 5, 2):
        (fired,) = session.receive(C, post(octets("fire", kind, number, "unframed")))
        endpoint.send(fired)
        for each in (session, endpoint):
            (told,) = each.receive(S, f"HTTP/1.1 {status}\r\n{fields}\r\n".encode())
            assert isinstance(told, ThriftMessage) and told.http_status == int(status[:3])
            assert told.error == (None if status < "300" else status[:3])
            asked = kind == CALL and (each is endpoint or status > "300")
            assert told.kind is (Kind.RESPONSE if asked or status > "300" else Kind.CONTROL)
            assert told.request is (fired if asked or each is endpoint else None)
        (call,) = session.receive(C, post(octets("hello", CALL, number + 1, "unframed")))
        endpoint.send(call)
        for each in (session, endpoint):
            (reply,) = each.receive(S, answer(octets("hello", REPLY, number + 1, "unframed")))
            assert isinstance(reply, ThriftMessage) and reply.request is call and reply.status is Status.OK


def test_answers_to_one_way_calls_find_their_clients() -> None:
    """A client of Thrift over HTTP waits for an answer to each of its one-way calls, be it only a status."""
    for status, body in (("200 OK", b""), ("202 Accepted", b""), ("503 Busy", b"<p>no</p>")):
        for kind in (ONEWAY, CALL):
            proxy = Proxy()
            (first,) = proxy.ask(0, post(octets("hello", CALL, 1, "unframed")))
            proxy.ask(1, post(octets("fire", kind, 1, "unframed")))
            (last,) = proxy.ask(0, post(octets("hello", CALL, 2, "unframed")))
            said = answer(body, status=status)
            proxy.answer(answer(octets("hello", REPLY, number_of(first), "unframed")))
            proxy.answer(said)
            proxy.answer(answer(octets("hello", REPLY, number_of(last), "unframed")))
            assert proxy.to_client[1] == said and proxy.to_client[0].count(b"hello") == 2
            assert proxy.upstream.pending == 0


def test_servers_that_answer_no_one_way_call_are_followed() -> None:
    """node and C++ write nothing to one, not even an answer of HTTP."""
    proxy = Proxy()
    for number in range(1, 4):
        proxy.ask(1, post(octets("fire", ONEWAY, number, "unframed")))
        (call,) = proxy.ask(0, post(octets("hello", CALL, number, "unframed")))
        proxy.answer(answer(octets("hello", REPLY, number_of(call), "unframed")))
    proxy.ask(0, post(octets("hello", CALL, 9, "unframed")))
    proxy.answer(answer(b"", status="503 Busy"))
    assert proxy.to_client[1] == b"" and proxy.to_client[0].endswith(answer(b"", status="503 Busy"))
