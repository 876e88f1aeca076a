"""Metrics through OpenTelemetry: what was counted, pushed now and then to a collector.

The figures are those that Prometheus scrapes, cumulative since the process began, in the SDK's own data: no exchange is measured twice.
Where there are several workers their parent pushes, so the sums are of all.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence

from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    MetricExporter,
    MetricExportResult,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from l7codecs.kinds import Status
from l7codecs.proxy.telemetry.gathering import Source, in_flight
from l7codecs.proxy.telemetry.metrics import CLOSED, LABELS, OPENED, Metrics
from l7codecs.proxy.telemetry.series import Label

__all__ = ["metrics_data", "push"]

_SCOPE = InstrumentationScope("l7codecs")
_NAMES = {int(each): each.name for each in Status}


async def push(
    source: Source, exporter: MetricExporter, every: float, resource: Mapping[str, str], lost: Callable[[], None]
) -> None:
    """Push every so many seconds until the task is cancelled, then a last time. `lost` is called where that fails; the next has it all."""
    known = Resource.create(dict(resource))
    began = time.time_ns()
    while True:
        ending = False
        try:
            await asyncio.sleep(every)
        except asyncio.CancelledError:
            ending = True
        state = await source.fresh()
        data = metrics_data(source.metrics, in_flight(state), known, began)
        try:
            if await asyncio.to_thread(exporter.export, data) is not MetricExportResult.SUCCESS:
                lost()
        except Exception:  # whatever an exporter raises, counting goes on
            lost()
        if ending:
            exporter.shutdown()
            return


def metrics_data(metrics: Metrics, flying: Mapping[str, int], resource: Resource, began: int) -> MetricsData:
    """What was counted since `began`, ns since 1970, as the SDK has it."""
    now = time.time_ns()
    bounds = list(metrics.exchanges.bounds)
    durations: list[HistogramDataPoint] = []
    received: list[NumberDataPoint] = []
    sent: list[NumberDataPoint] = []
    retries: list[NumberDataPoint] = []
    for labels, series in metrics.exchanges.items():
        named = _named(LABELS, labels)
        durations.append(
            HistogramDataPoint(
                attributes=named,
                start_time_unix_nano=began,
                time_unix_nano=now,
                count=series.requests,
                sum=series.seconds,
                bucket_counts=list(series.buckets),
                explicit_bounds=bounds,
                min=float("inf"),
                max=float("-inf"),
            )
        )
        for points, value in ((received, series.received), (sent, series.sent), (retries, series.retries)):
            points.append(NumberDataPoint(named, began, now, int(value)))
    opened = [
        NumberDataPoint(_named(("listener",), labels), began, now, counts[OPENED] - counts[CLOSED])
        for labels, counts in metrics.clients.items()
    ]
    waiting = [NumberDataPoint({"listener": name}, began, now, count) for name, count in flying.items()]
    cumulative = AggregationTemporality.CUMULATIVE
    found = [
        Metric("l7codecs.request.duration", "From request to answer.", "s", Histogram(durations, cumulative)),
        *(
            Metric(name, text, unit, Sum(points, cumulative, True))
            for name, text, unit, points in (
                ("l7codecs.request.size", "Octets of requests.", "By", received),
                ("l7codecs.response.size", "Octets of answers.", "By", sent),
                ("l7codecs.retries", "How often requests were sent again.", "{request}", retries),
            )
        ),
        Metric("l7codecs.connections", "Clients that are connected.", "{connection}", Gauge(opened)),
        Metric("l7codecs.requests.in_flight", "Requests that wait for their answer.", "{request}", Gauge(waiting)),
    ]
    scope = ScopeMetrics(_SCOPE, [each for each in found if each.data.data_points], "")
    return MetricsData([ResourceMetrics(resource, [scope], "")])


def _named(names: Sequence[str], labels: tuple[Label, ...]) -> dict[str, str]:
    """Labels that have a value; that of a status is its name."""
    found = {}
    for name, value in zip(names, labels, strict=True):
        if value is not None:
            found[name] = _NAMES.get(value, str(value)) if isinstance(value, int) else value
    return found
