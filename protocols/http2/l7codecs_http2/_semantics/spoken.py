"""What a stream speaks: HTTP, gRPC, gRPC-Web, Triple or Connect, as the headers of its request tell.

All of them are HTTP/2 with more meaning. Triple (Dubbo 3) is two protocols in one (Triple Protocol Specification §3): gRPC with
``tri-`` headers, and for unary calls a plain POST, whose body is the argument alone and whose status is that of HTTP.
"""

from __future__ import annotations

from typing import Final

from librt.strings import read_i64_le
from mypy_extensions import i64, u8

from .._hpack.decoder import HeaderBlock
from .._hpack.static_table import TRIPLE as TRIPLE_NAME
from .meaning import find_octet
from .names import CONNECT_VERSION, CONTENT_TYPE, GO_VERSION, METHOD, PATH

__all__ = ["CONNECT", "CONNECT_STREAM", "GRPC", "GRPC_WEB", "HTTP", "TRIPLE", "TRIPLE_HTTP", "spoken"]

HTTP: Final[u8] = 0
GRPC: Final[u8] = 1
TRIPLE: Final[u8] = 2
TRIPLE_HTTP: Final[u8] = 3
GRPC_WEB: Final[u8] = 4
CONNECT_STREAM: Final[u8] = 5
CONNECT: Final[u8] = 6
"""What a stream speaks: GRPC and TRIPLE send length-prefixed messages, GRPC_WEB and CONNECT_STREAM such with an end among them,
HTTP, TRIPLE_HTTP and CONNECT (a unary call of it) bodies as they are."""

_CONNECT_QUERY: Final[i64] = 0x3D7463656E6E6F63
"""``connect=``, little-endian."""
_CONNECT_SIZE: Final[i64] = 10
"""Octets of ``connect=v1``."""


def spoken(block: HeaderBlock) -> u8:
    """What a stream speaks, from its request's headers.

    A call without ``tri-`` headers is gRPC: Triple is the same on the wire then, and some of its clients send none. In a plain request
    ``tri-protocol-version`` is what tells Triple from others (Triple Protocol Specification §3.1.1); not every client sends it, so any
    ``tri-`` header does. dubbo-go sends ``triple-protocol-version`` instead.
    """
    kind = block.get(CONTENT_TYPE)
    if kind is None or not kind.known:
        if _is_connect_get(block):
            return CONNECT
        if block.known or not _names_grpc(block):
            return HTTP
        return TRIPLE if block.seen & TRIPLE_NAME != 0 else GRPC
    value = kind.value
    if value == b"application/grpc":
        return TRIPLE if block.seen & TRIPLE_NAME != 0 else GRPC
    value = value.lower()
    if value.startswith(b"application/grpc") and value[16:17] in (b"", b"+", b";"):
        return TRIPLE if block.seen & TRIPLE_NAME != 0 else GRPC
    if not value.startswith(b"application/"):
        return CONNECT if _is_connect_get(block) else HTTP
    if value.startswith(b"application/grpc-web") and value[20:21] in (b"", b"+", b";", b"-"):
        return GRPC_WEB
    if value.startswith(b"application/connect+"):
        return CONNECT_STREAM
    if value.startswith(b"application/triple+"):
        return TRIPLE
    method = block.get(METHOD)
    if method is None or method.value != b"POST":
        return CONNECT if _is_connect_get(block) else HTTP
    if block.get(CONNECT_VERSION) is not None:
        return CONNECT
    return TRIPLE_HTTP if block.seen & TRIPLE_NAME != 0 or block.get(GO_VERSION) is not None else HTTP


def _is_connect_get(block: HeaderBlock) -> bool:
    """Whether a request is a call of Connect by GET: ``connect=v1`` stands in its query."""
    path = block.get(PATH)
    if path is None:
        return False
    octets = path.value
    at = find_octet(octets, 0x3F, 0)
    size: i64 = len(octets)
    while at + _CONNECT_SIZE < size:  # `at` is the "?" or "&" before a part of the query
        at += 1
        stop = at + _CONNECT_SIZE
        if read_i64_le(octets, at) == _CONNECT_QUERY and octets[stop - 2] == 0x76 and octets[stop - 1] == 0x31:
            if stop == size or octets[stop] == 0x26:
                method = block.get(METHOD)
                return method is not None and method.value == b"GET"
        at = find_octet(octets, 0x26, at)
    return False


def _names_grpc(block: HeaderBlock) -> bool:
    """Whether a block that is not wholly known has a header that only gRPC has (``grpc-status``, ``grpc-timeout``…)."""
    return any(field.title.octets.startswith(b"grpc-") for field in block.fields)
