"""What several fields of a head make in attributes, under OpenTelemetry's names."""

from __future__ import annotations

from typing import Final

from mypy_extensions import u8

from l7codecs.message import AttrValue

from .._hpack.decoder import HeaderBlock
from .._hpack.static_table import HeaderName, header_name, well_known
from .bodies import Calls
from .meaning import split_authority, text_of
from .names import GO_VERSION

__all__ = ["STATUS_CODE_KEY", "collect_calls", "collect_request", "collect_triple", "system_of"]

STATUS_CODE_KEY: Final = "rpc.response.status_code"
"""OpenTelemetry 1.44; the head after it says rpc.status_code."""

_SYSTEMS: Final = ["", "grpc", "dubbo", "dubbo", "grpc", "connectrpc", "connectrpc"]
"""By what a stream speaks; the values are OpenTelemetry's."""
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "QUERY"})
_TRIPLE_KEYS: Final[dict[HeaderName, str]] = {
    well_known("tri-service-version"): "dubbo.service_version",
    well_known("tri-service-group"): "dubbo.group",
    well_known("tri-unit-info"): "dubbo.unit_info",
    well_known("tri-consumer-appname"): "dubbo.application",
    well_known("tri-req-id"): "dubbo.request_id",
    GO_VERSION: "dubbo.protocol_version",
    header_name(b"tri-protocol-version"): "dubbo.protocol_version",
}


def system_of(speaks: u8) -> str:
    """``rpc.system.name`` of a stream that speaks so."""
    return _SYSTEMS[int(speaks)]


def collect_request(
    method: str | None, path: str | None, scheme: str | None, authority: str | None, attributes: dict[str, AttrValue]
) -> None:
    """What is asked, of whom."""
    if method is not None:
        attributes["http.request.method"] = method
        attributes["l7.access"] = "read" if method in _SAFE else "write"
    if path is not None:
        route, mark, query = path.partition("?")
        attributes["url.path"] = route
        if mark:
            attributes["url.query"] = query
    if scheme is not None:
        attributes["url.scheme"] = scheme
    if authority is not None:
        host, port = split_authority(authority)
        attributes["server.address"] = host
        if port is not None:
            attributes["server.port"] = port


def collect_triple(block: HeaderBlock, attributes: dict[str, AttrValue]) -> None:
    """The fields of Triple that are texts."""
    for title, key in _TRIPLE_KEYS.items():
        field = block.get(title)
        if field is not None and field.known:
            attributes[key] = text_of(field.value)


def collect_calls(family: str, calls: Calls, attributes: dict[str, AttrValue]) -> None:
    """How many messages a call had, and of what size."""
    streaming = calls.streaming
    if streaming is not None:
        attributes[f"{family}.streaming"] = streaming
    for side, body in (("request", calls.request), ("response", calls.response)):
        if body is None:
            continue
        attributes[f"{family}.{side}.message_count"] = int(body.messages)
        attributes[f"{family}.{side}.message_size"] = int(body.message_octets)
        attributes[f"{family}.{side}.compressed_count"] = int(body.compressed)
