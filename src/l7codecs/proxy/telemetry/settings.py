"""The sections ``metrics``, ``access_log``, ``tracing`` and ``admin`` of a configuration, as data. `schema.json` beside this is the form.

They are read when a proxy starts; a reload opens the log again, and changes nothing else of it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from importlib.util import find_spec
from typing import Any

from l7codecs.config import Config
from l7codecs.proxy.telemetry.series import BUCKETS
from l7codecs.routing.loading import check_unix_path, is_host, is_port

__all__ = [
    "AccessLogSettings",
    "Collector",
    "MetricsSettings",
    "TelemetrySettings",
    "TracingSettings",
    "read_telemetry",
    "sections",
]


@dataclass(frozen=True, slots=True)
class Collector:
    """Where OpenTelemetry's data goes: a URL without the part that says what it is."""

    endpoint: str
    service: str = "l7codecs"
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MetricsSettings:
    """How much is told apart, and whether it is pushed, every so many seconds."""

    buckets: tuple[float, ...] = BUCKETS
    values: int = 200
    series: int = 2000
    push: Collector | None = None
    every: float = 60.0


@dataclass(frozen=True, slots=True)
class AccessLogSettings:
    """``path`` is None of standard output."""

    path: str | None = None
    share: float = 1.0
    sensitive: bool = False
    hidden_headers: tuple[str, ...] = ()
    backlog: int = 8 << 20


@dataclass(frozen=True, slots=True)
class TracingSettings:
    """``ratio`` is that of requests which do not say whether they are traced."""

    collector: Collector
    ratio: float = 0.01
    sensitive: bool = False


@dataclass(frozen=True, slots=True)
class TelemetrySettings:
    """What is None is not done."""

    metrics: MetricsSettings | None = None
    access_log: AccessLogSettings | None = None
    tracing: TracingSettings | None = None
    admin: str | None = None


def sections() -> tuple[dict[str, Any], dict[str, Any]]:
    """Their JSON schema: the properties, and the definitions that these refer to beside those of the whole."""
    found: dict[str, Any] = json.loads((files("l7codecs.proxy.telemetry") / "schema.json").read_text("utf-8"))
    return found, found.pop("$defs")


def read_telemetry(top: Mapping[str, Config], seconds: Callable[[Config], float]) -> TelemetrySettings:
    """The settings; `top` is of the right shape. Tells what is wrong with `Config.problem`."""
    metrics = _metrics(top["metrics"], seconds) if "metrics" in top else None
    admin = None
    if "admin" in top:
        metrics = metrics or MetricsSettings()
        node = top["admin"].mapping()["address"]
        admin = node.text()
        host, _, port = admin.rpartition(":")
        if admin.startswith("unix:"):
            check_unix_path(node)
        elif not (is_host(host) and is_port(port)):
            node.problem(f"{admin!r} is not HOST:PORT, [IPV6]:PORT or unix:PATH")
    return TelemetrySettings(
        metrics,
        _access_log(top["access_log"]) if "access_log" in top else None,
        _tracing(top["tracing"]) if "tracing" in top else None,
        admin,
    )


def _metrics(node: Config, seconds: Callable[[Config], float]) -> MetricsSettings:
    top = node.mapping()
    given: dict[str, Any] = {key: int(top[key].number()) for key in ("values", "series") if key in top}
    if "buckets" in top:
        given["buckets"] = tuple(float(each.number()) for each in top["buckets"].items())
        if list(given["buckets"]) != sorted(set(given["buckets"])):
            top["buckets"].problem("the bounds do not ascend")
    if "push" in top:
        given["push"] = _collector(top["push"])
        if "every" in top["push"].mapping():
            given["every"] = seconds(top["push"].mapping()["every"])
    return MetricsSettings(**given)


def _access_log(node: Config) -> AccessLogSettings:
    top = node.mapping()
    given: dict[str, Any] = {}
    if "file" in top:
        given["path"] = os.path.join(os.path.dirname(node.file), top["file"].text())
        if not os.path.isdir(os.path.dirname(given["path"]) or "."):
            top["file"].problem(f"there is no folder {os.path.dirname(given['path'])}")
    if "share" in top:
        given["share"] = float(top["share"].number())
    if "sensitive" in top:
        given["sensitive"] = top["sensitive"].flag()
    if "hidden_headers" in top:
        given["hidden_headers"] = tuple(each.text() for each in top["hidden_headers"].items())
    if "backlog" in top:
        given["backlog"] = int(top["backlog"].number())
    return AccessLogSettings(**given)


def _tracing(node: Config) -> TracingSettings:
    top = node.mapping()
    given: dict[str, Any] = {}
    if "ratio" in top:
        given["ratio"] = float(top["ratio"].number())
    if "sensitive" in top:
        given["sensitive"] = top["sensitive"].flag()
    return TracingSettings(_collector(node), **given)


def _collector(node: Config) -> Collector:
    top = node.mapping()
    if find_spec("opentelemetry") is None or find_spec("opentelemetry.sdk") is None:
        node.problem("needs OpenTelemetry's SDK: pip install 'l7codecs[otel]'")
    given: dict[str, Any] = {}
    if "service" in top:
        given["service"] = top["service"].text()
    if "headers" in top:
        given["headers"] = {name: each.text() for name, each in top["headers"].mapping().items()}
    return Collector(top["endpoint"].text().rstrip("/"), **given)
