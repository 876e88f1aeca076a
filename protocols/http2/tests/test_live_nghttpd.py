"""What httpx says of its requests and nghttpd of what it got and sent, seen from the wire between them."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import httpx
import pytest

from l7codecs import Sender, Status

from .conftest import Room
from .observing import Call, Conversation, headers_of
from .test_live_tools import nghttp_says
from .wire import fields_of

pytestmark = pytest.mark.interop

DATA = re.compile(r"(send|recv) DATA frame <length=(\d+), flags=0x\w+, stream_id=(\d+)>")
NOT_SENT = (b"host", b"connection", b"transfer-encoding")
"""Headers of httpx that are of HTTP/1.1."""
LARGE = bytes(range(256)) * 8_000
CHUNKS = [b"chunk", b"", b"s" * 70_000]
OPTIONS: dict[str, Any] = {"http1": False, "http2": True, "trust_env": False, "timeout": 60}


def check_call(call: Call, response: httpx.Response) -> None:
    """What the client sent and got."""
    request = response.request
    assert response.http_version == "HTTP/2"
    assert (call.method, call.path) == (request.method, request.url.raw_path.decode())
    assert headers_of(call.request) == [
        (name.decode().lower(), value) for name, value in request.headers.raw if name.lower() not in NOT_SENT
    ]
    assert call.request.service == request.url.netloc.decode()
    assert call.body(Sender.CLIENT) == request.content
    assert (call.code, call.body(Sender.SERVER)) == (response.status_code, response.content)
    assert headers_of(call.response) == [(name.decode(), value) for name, value in response.headers.raw]
    assert call.response is not None
    assert call.response.status is (Status.OK if response.status_code < 400 else Status.NOT_FOUND)


def check_server(heard: Conversation, printed: str) -> None:
    """What the server got and sent: every field of every stream, and the octets of all bodies."""
    sent, got = nghttp_says(printed)
    octets: dict[tuple[str, int], int] = {}
    for verb, size, stream in DATA.findall(printed):
        octets[verb, int(stream)] = octets.get((verb, int(stream)), 0) + int(size)
    assert {call.stream for call in heard.calls} == set(got) == set(sent)
    for call in heard.calls:
        assert call.response is not None
        asked, answered = fields_of(call.request), fields_of(call.response)
        for sender, fields in ((Sender.CLIENT, asked), (Sender.SERVER, answered)):
            if sender in call.trailers:
                fields += fields_of(call.trailers[sender])
        assert (got[call.stream], sent[call.stream]) == (asked, answered)
        assert octets.get(("recv", call.stream), 0) == len(call.body(Sender.CLIENT))
        assert octets.get(("send", call.stream), 0) == len(call.body(Sender.SERVER))


REQUESTS: list[tuple[str, str, dict[str, Any]]] = [
    ("GET", "/index.html", {}),
    ("GET", "/style.css?a=1&b=%20c", {"headers": [("x-repeat", "1"), ("x-repeat", "2"), ("X-Upper", "Case")]}),
    ("GET", "/missing", {"headers": {"authorization": "Bearer secret", "cookie": "a=b; c=d"}}),
    ("HEAD", "/large", {}),
    ("GET", "/large", {}),
    ("POST", "/index.html", {"content": b"body" * 10}),
    ("POST", "/echo", {"data": {"a": "b"}}),
    ("POST", "/echo", {"content": b""}),
    ("PUT", "/echo", {"json": {"key": "value"}}),
    ("POST", "/echo", {"content": LARGE}),
    ("POST", "/echo", {"content": CHUNKS}),
    ("DELETE", "/index.html", {}),
]


@pytest.mark.parametrize("nghttpd", [["-v"], ["-v", "--echo-upload"]], ids=["files", "echo"], indirect=True)
def test_requests(nghttpd: Room) -> None:
    with httpx.Client(base_url=nghttpd.url, **OPTIONS) as client:
        responses = []
        for method, path, options in REQUESTS:
            if options.get("content") is CHUNKS:
                responses.append(client.request(method, path, content=iter(CHUNKS)))
                responses[-1].request._content = b"".join(CHUNKS)  # a stream is not kept
            else:
                responses.append(client.request(method, path, **options))
    heard = nghttpd.hear()
    printed = nghttpd.finish()
    heard.check()
    for call, response in zip(heard.calls, responses, strict=True):
        check_call(call, response)
    check_server(heard, printed)


@pytest.mark.parametrize("nghttpd", [["-v", "--trailer", "x-sum: 42", "--trailer", "x-more: yes"]], indirect=True)
def test_trailers(nghttpd: Room) -> None:
    with httpx.Client(base_url=nghttpd.url, **OPTIONS) as client:
        responses = [
            client.get("/index.html"),
            client.head("/index.html"),
            client.get("/missing"),
            client.get("/large"),
        ]
    heard = nghttpd.hear()
    printed = nghttpd.finish()
    heard.check()
    for call, response in zip(heard.calls, responses, strict=True):
        check_call(call, response)
        if call.method == "HEAD":
            assert call.trailers == {}
        else:
            assert headers_of(call.trailers[Sender.SERVER]) == [("x-sum", b"42"), ("x-more", b"yes")]
    check_server(heard, printed)


@pytest.mark.parametrize("nghttpd", [["-v", "--echo-upload", "-m", "40", "-b", "30"]], ids=["padded"], indirect=True)
def test_many_at_once(nghttpd: Room) -> None:
    async def talk() -> list[httpx.Response]:
        async with httpx.AsyncClient(base_url=nghttpd.url, **OPTIONS) as client:
            await client.get("/first")
            return await asyncio.gather(
                *(client.post(f"/echo?{n}", headers={"x-n": str(n)}, content=b"n" * n) for n in range(300))
            )

    responses = asyncio.run(talk())
    heard = nghttpd.hear()
    heard.check()
    assert len(heard.calls) == 301
    by_path = {call.path: call for call in heard.calls}
    for n, response in enumerate(responses):
        assert response.content == b"n" * n
        check_call(by_path[f"/echo?{n}"], response)
    sent, got = nghttp_says(nghttpd.finish())
    for call in heard.calls:
        assert call.response is not None
        assert (got[call.stream], sent[call.stream]) == (fields_of(call.request), fields_of(call.response))
