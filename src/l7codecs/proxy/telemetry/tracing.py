"""Traces through OpenTelemetry's SDK: a span of kind SERVER for each exchange that is sampled.

    traceparent: 00-<trace, 32 hex digits>-<parent, 16>-<flags, 2>      https://www.w3.org/TR/trace-context

A request may carry where it belongs in its headers, whatever its protocol calls these: its span is a child of that, and sampled as that is.
Others are sampled by `ratio`. A request that is sampled is sent on with the span's own ``traceparent``, where the protocol can change
headers; any other goes on as it came. A batch of several messages, each with a ``traceparent`` of its own, belongs to the first and is
linked to the others.

Attributes are those of the request and its answer, by the names of the semantic conventions, and what the engine did.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from random import random
from typing import Final

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, StatusCode, TraceFlags, TraceState

from l7codecs.headers import Headers
from l7codecs.kinds import AttrValue, Status
from l7codecs.message import Message
from l7codecs.proxy.exchange import Exchange
from l7codecs.proxy.observing import Observer
from l7codecs.proxy.telemetry.masking import Mask
from l7codecs.records import text_of
from l7codecs.registry import get_protocol

__all__ = ["Tracing", "parse_traceparent"]

PARENT: Final = "traceparent"
STATE: Final = "tracestate"
_LINKS: Final = 32
_NAME: Final = 120
"""Characters of a span's name."""
_VALUE: Final = 1000
"""Characters of an attribute."""
_ERRORS: Final = frozenset(
    {
        Status.UNKNOWN,
        Status.DEADLINE_EXCEEDED,
        Status.UNIMPLEMENTED,
        Status.INTERNAL,
        Status.UNAVAILABLE,
        Status.DATA_LOSS,
    }
)
"""Outcomes for which a server is to blame, and so its span fails."""

_Value = str | bool | int | float | Sequence[str] | Sequence[bool] | Sequence[int]


class Tracing(Observer):
    """Gives the spans of exchanges to `exporter`, from a thread of the SDK; what it does not take in time is dropped there."""

    def __init__(self, exporter: SpanExporter, ratio: float, mask: Mask, resource: Mapping[str, str]) -> None:
        self.wants_begun = True
        self._ratio = ratio
        self._mask = mask
        self._provider = TracerProvider(ALWAYS_ON, Resource.create(dict(resource)), shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("l7codecs")
        self._spans: dict[int, trace.Span | None] = {}
        """Of the exchanges that have begun, by their identity: each ends."""

    def begun(self, exchange: Exchange) -> Mapping[str, str] | None:
        known = id(exchange)
        if known in self._spans:
            span = self._spans[known]  # it is sent again
        else:
            span = self._spans[known] = self._start(exchange)
        if span is None:
            return None
        context = span.get_span_context()
        return {PARENT: f"00-{context.trace_id:032x}-{context.span_id:016x}-{int(context.trace_flags):02x}"}

    def ended(self, exchange: Exchange) -> None:
        known = id(exchange)
        span = self._spans.pop(known) if known in self._spans else self._start(exchange)
        if span is None:
            return
        _describe(span, exchange, self._mask)
        span.end(_wall(exchange.ended))

    def close(self) -> None:
        """Export what waits, and end."""
        self._provider.shutdown()

    def _start(self, exchange: Exchange) -> trace.Span | None:
        """The span of an exchange; None where it is not sampled."""
        parents = _parents(exchange.request)
        if parents:
            if not parents[0].trace_flags & TraceFlags.SAMPLED:
                return None
        elif self._ratio < 1.0 and random() >= self._ratio:
            return None
        return self._tracer.start_span(
            _name(exchange.request),
            trace.set_span_in_context(NonRecordingSpan(parents[0]), Context()) if parents else Context(),
            SpanKind.SERVER,
            links=[trace.Link(each) for each in parents[1:]],
            start_time=_wall(exchange.started),
        )


def _wall(moment: float) -> int:
    """The ns since 1970 of a moment of `time.monotonic`."""
    return time.time_ns() - int((time.monotonic() - moment) * 1e9)


def _parents(request: Message) -> list[SpanContext]:
    """What the headers name, each once; those of what it carries, where it has none itself."""
    headers: Iterable[Headers] = (request.headers,)
    if PARENT not in request.headers:
        carried = get_protocol(request.protocol).carried_headers
        if carried is None:
            return []
        headers = carried(request, _LINKS)
    found: list[SpanContext] = []
    for each in headers:
        values = each.get_all(PARENT)
        if not values:
            continue
        state = TraceState.from_header([text_of(value) for value in each.get_all(STATE)[:1]])
        for value in values:
            parent = parse_traceparent(text_of(value), state)
            if parent is not None and all(parent.span_id != known.span_id for known in found):
                found.append(parent)
            if len(found) > _LINKS:
                return found
    return found


def parse_traceparent(text: str, state: TraceState | None = None) -> SpanContext | None:
    """What a ``traceparent`` says; None where it is none (W3C Trace Context §3.2)."""
    parts = text.strip().split("-")
    if len(parts) < 4 or [len(part) for part in parts[:4]] != [2, 32, 16, 2] or not text.strip().isascii():
        return None
    version = parts[0]
    if version == "ff" or (version == "00" and len(parts) > 4):
        return None
    if any(character not in "0123456789abcdef" for part in parts[:4] for character in part):
        return None
    trace_id, span_id, flags = (int(part, 16) for part in parts[1:4])
    if not trace_id or not span_id:
        return None
    return SpanContext(trace_id, span_id, True, TraceFlags(flags & TraceFlags.SAMPLED), state)


def _said(value: str | bytes | None) -> str:
    """What a peer has said, as protobuf takes it: halves of characters, which peers of Java's write, are escaped as octets are."""
    text = "" if value is None else text_of(value)
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def _name(request: Message) -> str:
    """Of few different ones: what is asked for, and of which service or destination."""
    attributes = request.attributes
    method = attributes.get("rpc.method")
    if isinstance(method, str):
        return _said(method[:_NAME])
    name = request.operation or request.protocol
    target = attributes.get("messaging.destination.name")
    return _said((f"{name} {target}" if isinstance(target, str) else name)[:_NAME])


def _describe(span: trace.Span, exchange: Exchange, mask: Mask) -> None:
    request, answer, status, failure = exchange.request, exchange.answer, exchange.status, exchange.failure
    hidden = mask.names(request.protocol)
    attributes = {} if answer is None else _plain(answer.attributes, hidden)
    attributes |= _plain(request.attributes, hidden)
    attributes["l7codecs.listener"] = exchange.listener
    attributes["l7codecs.attempts"] = exchange.attempts
    attributes["l7codecs.request.octets"] = exchange.request_octets
    attributes["l7codecs.answer.octets"] = exchange.answer_octets
    for name, value in (
        ("l7codecs.rule", None if exchange.rule is None else exchange.rule.name),
        ("l7codecs.cluster", exchange.cluster),
        ("l7codecs.host", exchange.host),
        ("l7codecs.status", None if status is None else status.name),
        ("l7codecs.failure", None if failure is None else failure.value),
        ("l7codecs.reason", exchange.reason),
    ):
        if value is not None:
            attributes[name] = value
    if status is not None and status is not Status.OK:
        attributes.setdefault("error.type", _said(exchange.error) or status.name)
        if status in _ERRORS:
            span.set_status(StatusCode.ERROR, _said(exchange.error) or None)
    span.set_attributes(attributes)


def _plain(attributes: Mapping[str, AttrValue], hidden: frozenset[str]) -> dict[str, _Value]:
    """As the SDK takes them: octets are texts."""
    found: dict[str, _Value] = {}
    for name, value in attributes.items():
        if name in hidden:
            continue
        if isinstance(value, str | bytes):
            found[name] = _said(value[:_VALUE])
        elif isinstance(value, tuple):
            items = [_said(each[:_VALUE]) if isinstance(each, str | bytes) else each for each in value[:_LINKS]]
            found[name] = items  # type: ignore[assignment]  # of one type, as the schema says
        else:
            found[name] = value
    return found
