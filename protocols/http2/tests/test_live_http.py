"""What httpx and hypercorn say of their requests, seen from the wire."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import pytest

from l7codecs import Kind, Message, Sender, Status

from .conftest import Room
from .observing import Call, headers_of

NOT_SENT = (b"host", b"connection", b"transfer-encoding")
"""Headers of httpx that are of HTTP/1.1."""


def check_call(call: Call, response: httpx.Response) -> None:
    """What the client sent and got, and what the application saw, if its answer has a body."""
    request = response.request
    assert call.method == request.method and call.path == request.url.raw_path.decode()
    assert call.request.resources == (request.url.raw_path.decode().partition("?")[0],)
    own = [(name.decode().lower(), value) for name, value in request.headers.raw if name.lower() not in NOT_SENT]
    assert headers_of(call.request) == own
    assert call.request.service == request.url.netloc.decode()
    assert (call.request.attributes["server.address"], call.request.attributes["server.port"]) == (
        request.url.host,
        request.url.port,
    )
    assert call.body(Sender.CLIENT) == request.content
    assert call.code == response.status_code
    assert headers_of(call.response) == [(name.decode(), value) for name, value in response.headers.raw]
    assert call.body(Sender.SERVER) == response.content
    assert call.response is not None
    assert call.response.error == (str(response.status_code) if response.status_code >= 400 else None)
    if call.method == "HEAD" or response.status_code == 204:
        return
    seen: dict[str, Any] = json.loads(response.content)
    query = call.request.attributes.get("url.query", "")
    assert (call.method, call.request.attributes["url.path"], query) == (seen["method"], seen["path"], seen["query"])
    assert seen["version"] == call.request.attributes["network.protocol.version"] == "2"
    assert len(call.body(Sender.CLIENT)) == seen["body"]
    assert [[name, value.decode()] for name, value in headers_of(call.request)] == [
        pair for pair in seen["headers"] if pair[0] not in (":authority", "host")
    ]


REQUESTS: list[tuple[str, str, dict[str, Any]]] = [
    ("GET", "/", {}),
    ("GET", "/path?a=1&b=%20c", {"headers": [("x-repeat", "1"), ("x-repeat", "2"), ("X-Upper", "Case")]}),
    ("GET", "/%D0%BA?", {"headers": {"cookie": "a=b; c=d"}}),
    ("HEAD", "/head", {}),
    ("POST", "/post", {"content": b"body" * 10}),
    ("POST", "/form", {"data": {"a": "b"}}),
    ("PUT", "/put", {"json": {"key": "value"}}),
    ("DELETE", "/item/1", {"headers": {"authorization": "Bearer secret"}}),
    ("OPTIONS", "/", {}),
    ("PATCH", "/", {"content": b""}),
]


def test_requests(hypercorn: Room) -> None:
    with httpx.Client(http1=False, http2=True, trust_env=False, base_url=hypercorn.url) as client:
        responses = [client.request(method, path, **options) for method, path, options in REQUESTS]
    assert all(response.http_version == "HTTP/2" for response in responses)
    heard = hypercorn.hear()
    heard.check()
    for call, response in zip(heard.calls, responses, strict=True):
        check_call(call, response)


STATUSES = {
    200: Status.OK, 204: Status.OK, 301: Status.OK, 400: Status.INVALID_ARGUMENT, 401: Status.UNAUTHENTICATED,
    403: Status.PERMISSION_DENIED,
    404: Status.NOT_FOUND, 418: Status.INVALID_ARGUMENT, 429: Status.RESOURCE_EXHAUSTED, 500: Status.INTERNAL, 501: Status.UNIMPLEMENTED,
    503: Status.UNAVAILABLE, 504: Status.DEADLINE_EXCEEDED, 599: Status.INTERNAL,
}  # fmt: skip


def test_every_status(hypercorn: Room) -> None:
    with httpx.Client(http1=False, http2=True, trust_env=False, base_url=hypercorn.url) as client:
        responses = [client.get(f"/answer?{status}") for status in STATUSES]
    heard = hypercorn.hear()
    heard.check()
    for call, response in zip(heard.calls, responses, strict=True):
        check_call(call, response)
        assert call.status is STATUSES[response.status_code]
        last = call.last
        assert last.attributes.get("error.type") == (str(response.status_code) if response.status_code >= 500 else None)


def test_many_at_once(hypercorn: Room) -> None:
    async def talk() -> list[httpx.Response]:
        async with httpx.AsyncClient(http1=False, http2=True, trust_env=False, base_url=hypercorn.url) as client:
            await client.get("/first")
            return await asyncio.gather(
                *(client.post(f"/n?{n}", headers={"x-n": str(n)}, content=b"n" * n) for n in range(60))
            )

    responses = asyncio.run(talk())
    heard = hypercorn.hear()
    heard.check()
    assert len(heard.calls) == 61
    by_path = {call.path: call for call in heard.calls}
    for response in responses:
        check_call(by_path[response.request.url.raw_path.decode()], response)


@pytest.mark.parametrize("size", [16_384, 16_385, 3_000_000])
def test_large_bodies(hypercorn: Room, size: int) -> None:
    """Upload and download past both flow-control windows."""
    body = (bytes(range(256)) * (size // 256 + 1))[:size]
    with httpx.Client(http1=False, http2=True, trust_env=False, base_url=hypercorn.url, timeout=60) as client:
        response = client.post("/large", content=body)
    heard = hypercorn.hear()
    heard.check()
    assert heard.call.body(Sender.CLIENT) == body
    assert heard.call.body(Sender.SERVER) == response.content and response.content.endswith(body)
    assert heard.call.code == 200


def test_a_response_that_nobody_reads(hypercorn: Room) -> None:
    """The client resets the stream, and the connection goes on."""
    with httpx.Client(http1=False, http2=True, trust_env=False, base_url=hypercorn.url) as client:
        with client.stream("POST", "/large", content=b"x" * 500_000) as response:
            assert response.status_code == 200
        client.get("/after")
    for heard in hypercorn.hear_all():
        heard.check()
    calls = [call for heard in hypercorn.hear_all() for call in heard.calls]
    assert [call.path for call in calls] == ["/large", "/after"]
    assert calls[1].status is Status.OK
    resets = [reset for call in calls for reset in call.resets]
    assert all(isinstance(reset, Message) and reset.kind is Kind.RESET for reset in resets)
