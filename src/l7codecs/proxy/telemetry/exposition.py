"""Metrics as text that Prometheus reads: its own format 0.0.4, or OpenMetrics 1.0.

https://prometheus.io/docs/instrumenting/exposition_formats and https://prometheus.io/docs/specs/om/open_metrics_spec. What differs: the
names of counters in front of their samples, and the end, which OpenMetrics has. A label that has no value is left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate

from l7codecs.kinds import Status
from l7codecs.proxy.telemetry.metrics import CLOSED, DROPPED, FAILED, KEPT, LABELS, OPENED, Metrics
from l7codecs.proxy.telemetry.series import Label

__all__ = ["OPENMETRICS", "PLAIN", "lines"]

PLAIN = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"

_PREFIX = "l7codecs"
_CALL = len(LABELS) - 2
"""So many labels say what was asked for; the status and the failure say what came of it."""
_NAMES = {int(each): each.name for each in Status}

_Labels = tuple[Label, ...]
_Figures = dict[_Labels, list[float]]


def lines(metrics: Metrics, in_flight: Mapping[str, int], openmetrics: bool = False) -> Iterator[str]:
    """Line by line, each with its end. What is told is what stands when the first line is asked for."""
    bounds = metrics.exchanges.bounds
    calls: _Figures = {}
    outcomes: dict[_Labels, float] = {}
    errors: dict[_Labels, float] = {}
    for labels, series in metrics.exchanges.items():
        figures = series.figures
        what, status, failure = labels[:_CALL], labels[_CALL], labels[_CALL + 1]
        _add(calls.setdefault(what, [0.0] * len(figures)), figures)
        outcome = (*what, status)
        outcomes[outcome] = outcomes.get(outcome, 0) + figures[0]
        if failure is not None or status not in (None, Status.OK):
            error = (*what, failure)
            errors[error] = errors.get(error, 0) + figures[0]
    counted = zip(LABELS, metrics.exchanges.overflowed, strict=True)
    overflowed: dict[_Labels, float] = {(name,): float(count) for name, count in counted}
    clients, hosts, records = metrics.clients.items(), metrics.hosts.items(), metrics.records.items()
    page = _Page(openmetrics)

    call, listener, host = LABELS[:_CALL], ("listener",), ("cluster", "host")
    yield from page.counter("requests", "Requests that are over, by outcome.", (*call, "status"), outcomes)
    yield from page.counter(
        "errors", "Requests whose outcome is not OK; failure: why no server said so.", (*call, "failure"), errors
    )
    yield from page.histogram("request_duration_seconds", "From request to answer.", call, bounds, calls)
    for at, name, text in (
        (1, "request_bytes", "Octets of requests, as they came."),
        (2, "response_bytes", "Octets of answers, as they came."),
        (3, "retries", "How often requests were sent again."),
    ):
        yield from page.counter(name, text, call, {key: figures[at] for key, figures in calls.items()})
    flying: dict[_Labels, float] = {(key,): float(count) for key, count in in_flight.items()}
    yield from page.gauge("requests_in_flight", "Requests that wait for their answer.", listener, flying)
    yield from page.counter("connections_opened", "Clients that connected.", listener, _of(clients, OPENED))
    yield from page.gauge("connections", "Clients that are connected.", listener, _open(clients))
    yield from page.counter("connections_refused", "Clients that broke the protocol.", listener, _of(clients, FAILED))
    yield from page.counter("host_connections_opened", "Connections made to hosts.", host, _of(hosts, OPENED))
    yield from page.gauge("host_connections", "Connections to hosts.", host, _open(hosts))
    yield from page.counter("host_connections_failed", "Connections to hosts that failed.", host, _of(hosts, FAILED))
    yield from page.counter("records", "Lines and spans taken to be written.", ("output",), _of(records, KEPT))
    yield from page.counter(
        "records_dropped", "Lines and spans not taken, or not written.", ("output",), _of(records, DROPPED)
    )
    yield from page.counter(
        "labels_overflowed", 'Requests that count as "other": a label has too many values.', ("label",), overflowed
    )
    if openmetrics:
        yield "# EOF\n"


def _add(sums: list[float], figures: Sequence[float]) -> None:
    for at, figure in enumerate(figures):
        sums[at] += figure


def _of(counted: Sequence[tuple[_Labels, list[int]]], kind: int) -> dict[_Labels, float]:
    return {labels: float(counts[kind]) for labels, counts in counted}


def _open(counted: Sequence[tuple[_Labels, list[int]]]) -> dict[_Labels, float]:
    """How many are open of what was counted."""
    return {labels: float(counts[OPENED] - counts[CLOSED]) for labels, counts in counted}


class _Page:
    """One of both formats."""

    def __init__(self, openmetrics: bool) -> None:
        self._openmetrics = openmetrics

    def _head(self, name: str, kind: str, text: str) -> str:
        return f"# HELP {name} {_escaped(text) if self._openmetrics else text}\n# TYPE {name} {kind}\n"

    def counter(self, name: str, text: str, labels: Sequence[str], counts: Mapping[_Labels, float]) -> Iterator[str]:
        name = f"{_PREFIX}_{name}"
        yield self._head(name if self._openmetrics else f"{name}_total", "counter", text)
        for key, count in counts.items():
            yield f"{name}_total{_braced(_pairs(labels, key))} {_number(count)}\n"

    def gauge(self, name: str, text: str, labels: Sequence[str], counts: Mapping[_Labels, float]) -> Iterator[str]:
        name = f"{_PREFIX}_{name}"
        yield self._head(name, "gauge", text)
        for key, count in counts.items():
            yield f"{name}{_braced(_pairs(labels, key))} {_number(count)}\n"

    def histogram(
        self, name: str, text: str, labels: Sequence[str], bounds: Sequence[float], calls: _Figures
    ) -> Iterator[str]:
        name = f"{_PREFIX}_{name}"
        yield self._head(name, "histogram", text)
        ends = [*map(repr, bounds), "+Inf"]
        for key, figures in calls.items():
            pairs = _pairs(labels, key)
            comma = "," if pairs else ""
            counts = accumulate(figures[5:])
            yield "".join(
                f'{name}_bucket{{{pairs}{comma}le="{end}"}} {_number(count)}\n'
                for end, count in zip(ends, counts, strict=True)
            )
            yield f"{name}_sum{_braced(pairs)} {figures[4]!r}\n{name}_count{_braced(pairs)} {_number(figures[0])}\n"


def _number(count: float) -> str:
    return str(int(count))


def _pairs(names: Sequence[str], values: _Labels) -> str:
    return ",".join(
        [
            f'{name}="{_escaped(_text(name, value))}"'
            for name, value in zip(names, values, strict=True)
            if value is not None
        ]
    )


def _braced(pairs: str) -> str:
    return f"{{{pairs}}}" if pairs else ""


def _text(name: str, value: Label) -> str:
    return _NAMES.get(value, str(value)) if isinstance(value, int) else str(value)


def _escaped(text: str) -> str:
    """A label's value; what no UTF-8 can hold is told by its number."""
    text = text.encode("utf-8", "backslashreplace").decode()
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
