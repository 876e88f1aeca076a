"""Changes to a message on its way, and answers made here: lists of fields."""

from __future__ import annotations

import json
from typing import Final
from urllib.parse import quote

from l7codecs import Changes, Status, Unsupported

from .._hpack.static_table import HeaderField, header_field
from .._semantics.messages import CONNECT, CONNECT_STREAM, CONTENT_TYPE, GRPC_WEB, HTTP, PROMISE, REQUEST, Http2Message

__all__ = ["CHANGEABLE", "changed_fields", "error_answer"]

CHANGEABLE: Final = frozenset({"http.request.method", "url.path", "url.query", "url.scheme", "rpc.method"})

_CODES: Final[dict[Status, int]] = {
    Status.CANCELLED: 499,
    Status.UNKNOWN: 500,
    Status.INVALID_ARGUMENT: 400,
    Status.DEADLINE_EXCEEDED: 504,
    Status.NOT_FOUND: 404,
    Status.ALREADY_EXISTS: 409,
    Status.PERMISSION_DENIED: 403,
    Status.RESOURCE_EXHAUSTED: 429,
    Status.FAILED_PRECONDITION: 400,
    Status.ABORTED: 409,
    Status.OUT_OF_RANGE: 400,
    Status.UNIMPLEMENTED: 501,
    Status.INTERNAL: 500,
    Status.UNAVAILABLE: 503,
    Status.DATA_LOSS: 500,
    Status.UNAUTHENTICATED: 401,
}
"""google.rpc.Code, "HTTP Mapping"."""


def error_answer(request: Http2Message, status: Status, text: str) -> tuple[list[HeaderField], bytes]:
    """Header block and body of an answer with an error, as the protocol of `request` has it.

    gRPC and gRPC-Web: headers alone (PROTOCOL-HTTP2.md, "Trailers-Only"). Connect: HTTP status and JSON; of a stream status 200 and the
    envelope that ends it. Anything else: HTTP status and `text`.
    """
    if status is Status.OK:
        raise ValueError("an error needs a status other than OK")
    speaks = request.speaks
    if request.framed or speaks == GRPC_WEB:
        message = quote(text, safe=" !\"#$&'()*+,-./:;<=>?@[\\]^_`{|}~")
        kind = request.value(CONTENT_TYPE) if speaks == GRPC_WEB else None
        return [
            header_field(":status", b"200"),
            header_field("content-type", (kind or "application/grpc").encode()),
            header_field("grpc-status", str(int(status)).encode()),
            header_field("grpc-message", message.encode()),
        ], b""
    if speaks == CONNECT or speaks == CONNECT_STREAM:
        code = "canceled" if status is Status.CANCELLED else status.name.lower()
        body = json.dumps({"code": code, "message": text}).encode()
        if speaks == CONNECT_STREAM:
            body = b'{"error":' + body + b"}"
            kind = request.value(CONTENT_TYPE) or "application/connect+proto"
            return [
                header_field(":status", b"200"),
                header_field("content-type", kind.encode()),
            ], b"\x02" + len(body).to_bytes(4, "big") + body
        sort = b"application/json"
    else:
        body = text.encode("utf-8", "replace")
        sort = b"text/plain; charset=utf-8"
    return [
        header_field(":status", str(_CODES[status]).encode()),
        header_field("content-type", sort),
        header_field("content-length", str(len(body)).encode()),
    ], body


def changed_fields(message: Http2Message, changes: Changes | None) -> list[HeaderField]:
    """The fields of `message` with `changes`; everything else in its order and as it is."""
    if not message.block.known:
        raise Unsupported("a message with fields that are not known cannot be sent on another connection")
    fields = message.block.fields
    if changes is None:
        return fields
    other = sorted(set(changes.attributes) - CHANGEABLE)
    if other or (changes.attributes and message.role != REQUEST and message.role != PROMISE):
        raise Unsupported(
            f"{message.protocol} cannot change {', '.join(other or sorted(changes.attributes))} of this message"
        )
    pseudo = _pseudo(message, changes)
    named = {name.lower(): value for name, value in changes.set_headers.items()}
    removed = {name.lower() for name in changes.remove_headers}
    if any(name.startswith(":") for name in [*named, *removed]):
        raise Unsupported("pseudo-headers are changed through attributes")
    found: list[HeaderField] = []
    for field in fields:
        name = field.name
        if name in pseudo:
            found.append(header_field(name, pseudo[name], field.sensitive))
        elif name in named:
            value = named.pop(name)
            removed.add(name)
            found.append(
                header_field(name, value if isinstance(value, bytes) else value.encode("utf-8"), field.sensitive)
            )
        elif name not in removed:
            found.append(field)
    for name, value in named.items():
        found.append(header_field(name, value if isinstance(value, bytes) else value.encode("utf-8")))
    return found


def _pseudo(message: Http2Message, changes: Changes) -> dict[str, bytes]:
    """The pseudo-headers that change."""
    found: dict[str, bytes] = {}
    path, mark, query = (message.path or "").partition("?")
    for key, value in changes.attributes.items():
        if not isinstance(value, str):
            raise Unsupported(f"{key} is str, not {type(value).__name__}")
        if key == "http.request.method":
            found[":method"] = value.encode()
        elif key == "url.scheme":
            found[":scheme"] = value.encode()
        elif key == "url.query":
            query, mark = value, "?" if value else ""
        elif key == "url.path":
            path = value
        elif message.speaks == HTTP:
            raise Unsupported("rpc.method is changed in an RPC only")
        else:
            path = f"/{value}"
    if {"url.path", "url.query", "rpc.method"} & set(changes.attributes):
        found[":path"] = f"{path}{mark}{query}".encode()
    return found
