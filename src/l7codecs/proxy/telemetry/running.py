"""What the settings ask for, put together in the process of an engine (`Telemetry`) and in the parent of several (`Lead`)."""

from __future__ import annotations

import asyncio
import os
import socket
import stat
import threading
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from l7codecs.proxy.engine import Engine
from l7codecs.proxy.observing import Observer
from l7codecs.proxy.telemetry.admin import Admin
from l7codecs.proxy.telemetry.gathering import Gathering, Source, State, one_source, report_to
from l7codecs.proxy.telemetry.metrics import Metrics
from l7codecs.proxy.telemetry.settings import AccessLogSettings, Collector, MetricsSettings, TelemetrySettings

if TYPE_CHECKING:  # what they need is in extras
    from l7codecs.proxy.telemetry.access_log import AccessLog
    from l7codecs.proxy.telemetry.tracing import Tracing

__all__ = ["Lead", "Telemetry", "state_of"]

_CLOSING = 5.0
"""Seconds that what waits to be exported has at the end."""


def state_of(engine: Engine) -> State:
    """How `engine` is, in numbers."""
    now = asyncio.get_running_loop().time()
    listeners: State = {}
    flying = dict.fromkeys(engine.places, 0)
    for client in engine.clients:
        if client.place.name in flying:
            flying[client.place.name] += int(client.asks.count)
    for name, place in engine.places.items():
        listeners[name] = {"connections": place.count, "in_flight": flying[name]}
    clusters: State = {}
    for name, pool in engine.pools.items():
        hosts: State = {}
        for address, host in pool.hosts.items():
            ejected = pool.detector is not None and pool.detector.ejected(address, now)
            hosts[address] = {
                "connections": sum(server.connected for server in host.servers),
                "own": host.own,
                "ejected": int(ejected),
                "available": int(pool.is_there(host, now)),
            }
        clusters[name] = hosts
    return {"engines": 1, "listeners": listeners, "clusters": clusters}


def _metrics(settings: MetricsSettings) -> Metrics:
    return Metrics(settings.buckets, settings.values, settings.series)


class _Overview:
    """The endpoint and the pushing of one source, where the settings have such."""

    def __init__(self, settings: TelemetrySettings, source: Source) -> None:
        self._settings = settings
        self._source = source
        self._admin: Admin | None = None
        self._pushing: asyncio.Task[None] | None = None
        self.address: tuple[str, int] | str | None = None

    async def start(self, ready: Callable[[], bool], document: Callable[[], object]) -> None:
        """Raises OSError where the endpoint's address cannot be had."""
        at = self._settings.admin
        if at is not None:
            self._admin = Admin(self._source, ready, document)
            if at.startswith("unix:"):
                self.address = at.removeprefix("unix:")
                with suppress(FileNotFoundError):
                    if stat.S_ISSOCK(os.stat(self.address).st_mode):  # of a proxy before this one
                        os.unlink(self.address)
                await self._admin.listen_on_path(self.address)
            else:
                host, _, port = at.rpartition(":")
                self.address = await self._admin.listen(host.removeprefix("[").removesuffix("]"), int(port))
        metrics = self._settings.metrics
        if metrics is not None and metrics.push is not None:
            self._pushing = asyncio.ensure_future(_push(self._source, metrics.push, metrics.every))

    async def close(self) -> None:
        if self._admin is not None:
            await self._admin.close()
            if isinstance(self.address, str):
                with suppress(FileNotFoundError):
                    os.unlink(self.address)
        if self._pushing is not None:
            self._pushing.cancel()
            await asyncio.wait((self._pushing,), timeout=_CLOSING)


def _push(source: Source, collector: Collector, every: float) -> Coroutine[Any, Any, None]:
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter

    from l7codecs.proxy.telemetry.pushing import push

    exporter = OTLPMetricExporter(f"{collector.endpoint}/v1/metrics", headers=dict(collector.headers), timeout=_CLOSING)
    return push(source, exporter, every, {"service.name": collector.service}, lambda: source.metrics.dropped("push", 1))


class Telemetry:
    """Of a process with an engine. Raises OSError where the log cannot be opened."""

    def __init__(self, settings: TelemetrySettings) -> None:
        self._settings = settings
        self.metrics = None if settings.metrics is None else _metrics(settings.metrics)
        self._log = None if settings.access_log is None else self._opened(settings.access_log)
        self._tracing = self._traced()
        found: list[Observer | None] = [self.metrics, self._log, self._tracing]
        self.observers: Sequence[Observer] = [each for each in found if each is not None]
        self._overview: _Overview | None = None
        self._reporting: asyncio.Task[None] | None = None

    def _opened(self, settings: AccessLogSettings) -> AccessLog:
        from l7codecs.proxy.telemetry.access_log import AccessLog
        from l7codecs.proxy.telemetry.masking import SECRET_HEADERS, Mask

        headers = () if settings.sensitive else SECRET_HEADERS
        mask = Mask((*headers, *settings.hidden_headers), settings.sensitive)
        return AccessLog(
            settings.path, mask, settings.share, settings.backlog, self._counter("kept"), self._counter("dropped")
        )

    def _traced(self) -> Tracing | None:
        settings = self._settings.tracing
        if settings is None:
            return None
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        from l7codecs.proxy.telemetry.masking import Mask
        from l7codecs.proxy.telemetry.tracing import Tracing

        to = settings.collector
        exporter = OTLPSpanExporter(f"{to.endpoint}/v1/traces", headers=dict(to.headers), timeout=_CLOSING)
        resource = {"service.name": to.service, "process.pid": str(os.getpid())}
        return Tracing(exporter, settings.ratio, Mask((), settings.sensitive), resource)

    def _counter(self, name: str) -> Callable[[int], None] | None:
        metrics = self.metrics
        if metrics is None:
            return None
        return lambda count: (metrics.kept if name == "kept" else metrics.dropped)("access_log", count)

    async def start(self, engine: Engine, parent: socket.socket | None = None) -> None:
        """Tell of `engine`, which has started: to `parent`, or to whoever asks. Raises OSError where an address cannot be had."""
        if self._log is not None:
            self._log.tell_faults(engine.observers.failed.append)
        metrics = self.metrics
        if metrics is None:
            return
        if parent is not None:
            self._reporting = asyncio.ensure_future(report_to(parent, metrics, lambda: state_of(engine)))
            return
        self._overview = _Overview(self._settings, one_source(metrics, lambda: state_of(engine)))
        await self._overview.start(lambda: not engine.draining, lambda: engine.settings.document)

    @property
    def address(self) -> tuple[str, int] | str | None:
        """Where the endpoint is."""
        return None if self._overview is None else self._overview.address

    @property
    def orphaned(self) -> asyncio.Task[None] | None:
        """Done when the parent is gone; None where nothing is reported to one."""
        return self._reporting

    async def close(self) -> None:
        """Write, export and report what is left."""
        closing = [each.close for each in (self._log, self._tracing) if each is not None]
        threads = [threading.Thread(target=each, daemon=True) for each in closing]
        for thread in threads:
            thread.start()
        if self._overview is not None:
            await self._overview.close()
        end = asyncio.get_running_loop().time() + _CLOSING
        while any(thread.is_alive() for thread in threads) and asyncio.get_running_loop().time() < end:
            await asyncio.sleep(0.01)
        if self._reporting is not None:
            self._reporting.cancel()
            await asyncio.wait((self._reporting,), timeout=_CLOSING)


class Lead:
    """Of the parent of several workers."""

    def __init__(self, settings: TelemetrySettings) -> None:
        self._settings = settings
        self._gathering = None if settings.metrics is None else Gathering(_metrics(settings.metrics))
        self._overview: _Overview | None = None

    @property
    def admit(self) -> Callable[[socket.socket], Coroutine[Any, Any, None]] | None:
        """What takes the reports of a worker; None where none are made."""
        return None if self._gathering is None else self._gathering.admit

    @property
    def address(self) -> tuple[str, int] | str | None:
        """Where the endpoint is."""
        return None if self._overview is None else self._overview.address

    async def start(self, ready: Callable[[], bool], document: Callable[[], object]) -> None:
        """Raises OSError where the endpoint's address cannot be had."""
        gathering = self._gathering
        if gathering is not None:
            self._overview = _Overview(self._settings, gathering)
            await self._overview.start(lambda: ready() and gathering.worker_count > 0, document)

    async def close(self) -> None:
        """Push a last time, and take no more questions."""
        if self._overview is not None:
            await self._overview.close()
