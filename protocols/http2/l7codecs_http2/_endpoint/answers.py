"""Answers made here: the header block and the body of an error, as the protocol of its request has it."""

from __future__ import annotations

import json
from typing import Final
from urllib.parse import quote

from mypy_extensions import i64

from l7codecs import Status

from .._hpack.static_table import HeaderField, header_field
from .._semantics.messages import Http2Message
from .._semantics.names import CONTENT_TYPE
from .._semantics.spoken import CONNECT, CONNECT_STREAM, GRPC_WEB
from .checks import is_value

__all__ = ["error_answer"]

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


_PLAIN: Final = " !\"#$&'()*+,-./:;<=>?@[\\]^_`{|}~"
"""What grpc-message has as it is, beside letters and digits: printable ASCII but ``%`` (PROTOCOL-HTTP2.md, "Status-Message")."""


def error_answer(request: Http2Message, status: Status, text: str, limit: i64) -> tuple[list[HeaderField], bytes]:
    """Header block and body of an answer with an error, as the protocol of `request` has it; what has no octets in `text` becomes ``?``.

    gRPC and gRPC-Web: headers alone (PROTOCOL-HTTP2.md, "Trailers-Only"). Connect: HTTP status and JSON; of a stream status 200 and the
    envelope that ends it. Anything else: HTTP status and `text`. Raises ValueError for OK, and where `text` makes a header list of
    more octets than the peer takes, `limit`; -1 is no limit.
    """
    if status == Status.OK:
        raise ValueError("an error needs a status other than OK")
    octets = text.encode("utf-8", "replace")
    speaks = request.speaks
    if request.framed or speaks == GRPC_WEB:
        fields = [
            header_field(":status", b"200"),
            header_field(
                "content-type", _type(request, "application/grpc") if speaks == GRPC_WEB else b"application/grpc"
            ),
            header_field("grpc-status", str(int(status)).encode()),
        ]
        if octets:
            _add_message(fields, octets, limit)
        return fields, b""
    if speaks == CONNECT or speaks == CONNECT_STREAM:
        code = "canceled" if status is Status.CANCELLED else status.name.lower()
        body = json.dumps({"code": code, "message": octets.decode("utf-8")}).encode()
        if speaks == CONNECT_STREAM:
            body = b'{"error":' + body + b"}"
            return [
                header_field(":status", b"200"),
                header_field("content-type", _type(request, "application/connect+proto")),
            ], b"\x02" + len(body).to_bytes(4, "big") + body
        sort = b"application/json"
    else:
        body = octets
        sort = b"text/plain; charset=utf-8"
    return [
        header_field(":status", str(_CODES[status]).encode()),
        header_field("content-type", sort),
        header_field("content-length", str(len(body)).encode()),
    ], body


def _add_message(fields: list[HeaderField], octets: bytes, limit: i64) -> None:
    """Put grpc-message behind `fields`, unless the peer does not even take those. Raises ValueError where it takes only those."""
    value = quote(octets, safe=_PLAIN)
    inner = value.strip(" ")  # a value has no blanks at its ends (RFC 9110 §5.5)
    if inner != value:
        at = len(value) - len(value.lstrip(" "))
        value = "%20" * at + inner + "%20" * (len(value) - at - len(inner))
    field = header_field("grpc-message", value.encode("ascii"))
    size: i64 = sum([each.size for each in fields])
    if limit >= 0 and size + field.size > limit:
        if size > limit:
            return
        raise ValueError(
            f"text makes a header list of {size + field.size} octets, and the peer takes {limit} (SETTINGS_MAX_HEADER_LIST_SIZE)"
        )
    fields.append(field)


def _type(request: Http2Message, otherwise: str) -> bytes:
    """The content-type of `request`, which an answer repeats, where it is one that can be written."""
    kind = (request.value(CONTENT_TYPE) or otherwise).encode("utf-8")
    return kind if is_value(kind) else otherwise.encode("ascii")
