"""An endpoint over HTTP/1.1 for whoever operates a proxy: metrics to scrape, whether it is ready, how it is.

    GET /metrics    for Prometheus; OpenMetrics where it is asked for
    GET /healthz    200 as long as the process works
    GET /ready      200 while requests are taken, else 503
    GET /config     the settings, secrets masked
    GET /clusters   hosts: connections, requests in flight, those that are ejected
    GET /stats      all of it as JSON, with quantiles

It has no secrets of its own and no authentication: it listens where nobody else can connect. GET and HEAD alone, no bodies, heads of a
few kilobytes, a few connections, a few seconds for each step. Long answers are made in pieces between which the loop does other things.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from http import HTTPStatus
from itertools import chain
from typing import Final

from l7codecs.kinds import Status
from l7codecs.proxy.telemetry.exposition import OPENMETRICS, PLAIN, lines
from l7codecs.proxy.telemetry.gathering import Source, State, in_flight
from l7codecs.proxy.telemetry.metrics import LABELS, Metrics
from l7codecs.proxy.telemetry.series import quantile

__all__ = ["Admin", "statistics"]

HEAD: Final = 8 << 10
"""Octets of a request's head."""
CONNECTIONS: Final = 64
STEP: Final = 10.0
"""Seconds for a request's head, and for each piece of an answer to be taken."""
PIECE: Final = 16 << 10
"""Characters of an answer that are made without a pause."""

_JSON = "application/json"
_TEXT = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class _Answer:
    """What a path gives."""

    status: HTTPStatus
    type: str
    pieces: Iterator[str]


class Admin:
    """The endpoint. `source` is asked how the engine is, `ready` whether it takes requests, `config` for its settings."""

    def __init__(self, source: Source, ready: Callable[[], bool], config: Callable[[], object]) -> None:
        self._source = source
        self._ready = ready
        self._config = config
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    async def listen(self, host: str, port: int) -> tuple[str, int]:
        """Serve there; returns where that is. Raises OSError."""
        self._server = await asyncio.start_server(self._accepted, host, port, limit=HEAD)
        address = self._server.sockets[0].getsockname()
        return address[0], address[1]

    async def listen_on_path(self, path: str) -> None:
        """Serve on a Unix socket. Raises OSError."""
        self._server = await asyncio.start_unix_server(self._accepted, path, limit=HEAD)

    async def close(self) -> None:
        """Stop; answers that are being written are cut."""
        if self._server is not None:
            self._server.close()
        for task in list(self._connections):
            task.cancel()
        if self._connections:
            await asyncio.wait(self._connections)

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            if len(self._connections) <= CONNECTIONS:
                while await self._serve(reader, writer):
                    pass
        except (ConnectionError, TimeoutError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._connections.discard(task)
            writer.close()
            with contextlib.suppress(ConnectionError, asyncio.CancelledError):
                await writer.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; whether another may follow."""
        try:
            async with asyncio.timeout(STEP):
                head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.LimitOverrunError:
            await self._write(writer, _said(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE), False, "1.1", True)
            return False
        except asyncio.IncompleteReadError:
            return False
        first, *fields = head.decode("latin-1").split("\r\n")[:-2]
        words = first.split(" ")
        if len(words) != 3 or words[2] not in ("HTTP/1.1", "HTTP/1.0"):
            await self._write(writer, _said(HTTPStatus.BAD_REQUEST), False, "1.1", True)
            return False
        method, target, version = words[0], words[1], words[2][5:]
        headers = {name.strip().lower(): value.strip() for name, _, value in (field.partition(":") for field in fields)}
        body = headers.get("content-length", "0") != "0" or "transfer-encoding" in headers
        last = version == "1.0" or "close" in headers.get("connection", "").lower() or body
        if method not in ("GET", "HEAD"):
            answer = _said(HTTPStatus.METHOD_NOT_ALLOWED)
        elif body:
            answer = _said(HTTPStatus.BAD_REQUEST)
        else:
            answer = await self._answer(target.partition("?")[0], headers)
        await self._write(writer, answer, method == "HEAD", version, last)
        return not last

    async def _answer(self, path: str, headers: dict[str, str]) -> _Answer:
        match path:
            case "/metrics":
                state = await self._source.fresh()
                openmetrics = "application/openmetrics-text" in headers.get("accept", "")
                page = lines(self._source.metrics, in_flight(state), openmetrics)
                return _Answer(HTTPStatus.OK, OPENMETRICS if openmetrics else PLAIN, page)
            case "/healthz":
                return _said(HTTPStatus.OK)
            case "/ready":
                return _said(HTTPStatus.OK if self._ready() else HTTPStatus.SERVICE_UNAVAILABLE)
            case "/config":
                return _json(self._config())
            case "/clusters":
                return _json((await self._source.fresh()).get("clusters", {}))
            case "/stats":
                state = await self._source.fresh()
                return _json(statistics(self._source.metrics, state))
            case _:
                return _said(HTTPStatus.NOT_FOUND)

    async def _write(self, writer: asyncio.StreamWriter, answer: _Answer, bare: bool, version: str, last: bool) -> None:
        """Write `answer`, chunk by chunk, or as all that comes to the end for HTTP/1.0; `bare`: its head alone."""
        chunked = version == "1.1"
        status = answer.status
        head = f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: {answer.type}\r\nCache-Control: no-store\r\n"
        head += "Transfer-Encoding: chunked\r\n" if chunked else ""
        head += "Allow: GET, HEAD\r\n" if status is HTTPStatus.METHOD_NOT_ALLOWED else ""
        head += "Connection: close\r\n\r\n" if last else "\r\n"
        writer.write(head.encode())
        if not bare:
            async for piece in _pieces(answer.pieces):
                writer.write(b"%x\r\n%s\r\n" % (len(piece), piece) if chunked else piece)
                async with asyncio.timeout(STEP):
                    await writer.drain()
            if chunked:
                writer.write(b"0\r\n\r\n")
        async with asyncio.timeout(STEP):
            await writer.drain()


async def _pieces(parts: Iterator[str]) -> AsyncIterator[bytes]:
    gathered: list[str] = []
    size = 0
    for part in parts:
        gathered.append(part)
        size += len(part)
        if size >= PIECE:
            yield "".join(gathered).encode()
            gathered.clear()
            size = 0
            await asyncio.sleep(0)
    if gathered:
        yield "".join(gathered).encode()


def _said(status: HTTPStatus) -> _Answer:
    return _Answer(status, _TEXT, iter([f"{status.phrase}\n"]))


def _json(value: object) -> _Answer:
    return _Answer(HTTPStatus.OK, _JSON, chain(json.JSONEncoder(indent=2).iterencode(value), "\n"))


def statistics(metrics: Metrics, state: State) -> dict[str, object]:
    """Everything as plain values; durations in seconds."""
    bounds = metrics.exchanges.bounds
    exchanges = []
    for labels, series in metrics.exchanges.items():
        row: dict[str, object] = dict(zip(LABELS, labels, strict=True))
        status = row["status"]
        row["status"] = Status(status).name if isinstance(status, int) else status
        row.update(
            requests=series.requests,
            request_octets=series.received,
            answer_octets=series.sent,
            retries=series.retries,
            seconds={
                "mean": series.seconds / max(1, int(series.requests)),
                **{f"p{share}": quantile(share / 100, bounds, series.buckets) for share in (50, 90, 99)},
            },
        )
        exchanges.append(row)
    found: dict[str, object] = {"exchanges": exchanges, "state": state}
    for name, counters in (("clients", metrics.clients), ("hosts", metrics.hosts), ("records", metrics.records)):
        found[name] = [
            dict(zip(counters.names, labels, strict=True)) | dict(zip(counters.kinds, counts, strict=True))
            for labels, counts in counters.items()
        ]
    found["overflowed"] = dict(zip(LABELS, metrics.exchanges.overflowed, strict=True))
    return found
