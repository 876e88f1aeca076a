"""The endpoint, as clients of HTTP and a reader of Prometheus see it, and as one sees it who means no good."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable

import httpx
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_plain

from l7codecs import Status
from l7codecs.proxy.telemetry import admin as module
from l7codecs.proxy.telemetry.admin import Admin
from l7codecs.proxy.telemetry.gathering import one_source
from l7codecs.proxy.telemetry.metrics import Metrics

STATE = {
    "listeners": {"front": {"connections": 2, "in_flight": 1}},
    "clusters": {"cache": {"127.0.0.1:6379": {"connections": 1, "in_flight": 1, "ejected": 0}}},
}


def counted(series: int = 1) -> Metrics:
    metrics = Metrics(values=10_000, series=10_000)
    for number in range(series):
        metrics.exchanges.find(("front", "redis", f"s{number}", "GET", "cache", Status.OK, None)).add(0.002, 7, 5, 1)
    return metrics


def serving(
    use: Callable[[Admin, str, int], Awaitable[None]], metrics: Metrics | None = None, ready: bool = True
) -> None:
    async def run() -> None:
        admin = Admin(one_source(metrics or counted(), lambda: STATE), lambda: ready, lambda: {"listen": "127.0.0.1:0"})
        host, port = await admin.listen("127.0.0.1", 0)
        try:
            await use(admin, host, port)
        finally:
            await admin.close()

    asyncio.run(run())


def test_every_path_answers_over_one_connection() -> None:
    async def use(admin: Admin, host: str, port: int) -> None:
        async with httpx.AsyncClient(base_url=f"http://{host}:{port}") as client:
            answers = {
                path: await client.get(path) for path in ("/healthz", "/ready", "/config", "/clusters", "/stats", "/no")
            }
            assert len(admin._connections) == 1
        assert [answer.status_code for answer in answers.values()] == [200] * 5 + [404]
        assert answers["/config"].json() == {"listen": "127.0.0.1:0"}
        assert answers["/clusters"].json() == STATE["clusters"]
        found = answers["/stats"].json()
        assert found["state"] == STATE
        (row,) = found["exchanges"]
        assert (row["service"], row["status"], row["requests"], row["answer_octets"]) == ("s0", "OK", 1, 5)
        assert row["seconds"]["mean"] == pytest.approx(0.002)
        assert 0.001 <= row["seconds"]["p99"] <= 0.0025

    serving(use)


def test_prometheus_scrapes_both_forms() -> None:
    """A large page as well, in pieces between which others are served."""

    async def use(admin: Admin, host: str, port: int) -> None:
        async with httpx.AsyncClient(base_url=f"http://{host}:{port}") as client:
            plain = await client.get("/metrics?x=1")
            open_ = await client.get(
                "/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0;q=0.8,*/*;q=0.1"}
            )
        assert plain.headers["content-type"].startswith("text/plain; version=0.0.4")
        assert open_.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
        assert open_.text.endswith("# EOF\n")
        for found in (list(read_plain(plain.text)), list(read_openmetrics(open_.text))):
            (requests,) = [each for each in found if each.name == "l7codecs_requests"]
            assert len(requests.samples) == 400
            (flying,) = [each for each in found if each.name == "l7codecs_requests_in_flight"]
            assert [(sample.labels, sample.value) for sample in flying.samples] == [({"listener": "front"}, 1.0)]

    serving(use, counted(400))


def test_a_draining_proxy_is_not_ready() -> None:
    async def use(admin: Admin, host: str, port: int) -> None:
        async with httpx.AsyncClient(base_url=f"http://{host}:{port}") as client:
            assert (await client.get("/ready")).status_code == 503
            assert (await client.get("/healthz")).status_code == 200

    serving(use, ready=False)


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"POST /metrics HTTP/1.1\r\nContent-Length: 0\r\n\r\n", b"405"),
        (b"GET /metrics HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello", b"400"),
        (b"GET /metrics HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"400"),
        (b"GET /metrics HTTP/2.0\r\n\r\n", b"400"),
        (b"nonsense\r\n\r\n", b"400"),
        (b"\x16\x03\x01\x02\x00\r\n\r\n", b"400"),
        (b"GET /healthz HTTP/1.1\r\nX: " + b"x" * 20_000 + b"\r\n\r\n", b"431"),
        (b"GET /../../etc/passwd HTTP/1.1\r\n\r\n", b"404"),
    ],
)
def test_what_is_refused(sent: bytes, status: bytes) -> None:
    async def use(admin: Admin, host: str, port: int) -> None:
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(sent)
        first = await asyncio.wait_for(reader.readline(), 10)
        assert first.split()[1] == status
        writer.close()

    serving(use)


def test_old_clients_and_heads() -> None:
    async def use(admin: Admin, host: str, port: int) -> None:
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(b"GET /healthz HTTP/1.0\r\n\r\n")
        answer = await asyncio.wait_for(reader.read(), 10)
        assert answer.endswith(b"\r\n\r\nOK\n")
        assert b"chunked" not in answer
        writer.close()
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(b"HEAD /metrics HTTP/1.1\r\n\r\nGET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n")  # pipelined
        answer = await asyncio.wait_for(reader.read(), 10)
        assert answer.count(b"HTTP/1.1 200 OK") == 2
        assert answer.endswith(b"3\r\nOK\n\r\n0\r\n\r\n")
        writer.close()

    serving(use)


def test_nobody_holds_it_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clients that say nothing, or read nothing, are let go; those beyond the limit at once."""
    monkeypatch.setattr(module, "STEP", 0.3)
    monkeypatch.setattr(module, "CONNECTIONS", 3)

    async def use(admin: Admin, host: str, port: int) -> None:
        silent = [await asyncio.open_connection(host, port) for _ in range(2)]
        deaf = socket.create_connection((host, port))
        deaf.sendall(b"GET /metrics HTTP/1.1\r\n\r\n" * 50)
        while len(admin._connections) < 3:
            await asyncio.sleep(0.01)
        reader, writer = await asyncio.open_connection(host, port)
        assert await asyncio.wait_for(reader.read(), 10) == b""  # one too many
        writer.close()
        for reader, writer in silent:
            assert await asyncio.wait_for(reader.read(), 10) == b""
            writer.close()
        async with asyncio.timeout(10):
            while admin._connections:
                await asyncio.sleep(0.01)
        deaf.close()

    serving(use, counted(3000))


def test_a_unix_socket(short_path) -> None:
    async def run() -> None:
        admin = Admin(one_source(counted(), dict), lambda: True, dict)
        await admin.listen_on_path(str(short_path / "admin"))
        transport = httpx.AsyncHTTPTransport(uds=str(short_path / "admin"))
        async with httpx.AsyncClient(transport=transport, base_url="http://admin") as client:
            assert json.loads((await client.get("/stats")).text)["overflowed"]["service"] == 0
        await admin.close()

    asyncio.run(run())
