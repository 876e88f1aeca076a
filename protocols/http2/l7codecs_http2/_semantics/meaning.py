"""What texts and numbers of HTTP, gRPC and Triple mean.

gRPC over HTTP/2 (grpc/grpc, doc/PROTOCOL-HTTP2.md): the path is ``/`` service ``/`` method; ``grpc-timeout`` is at
most eight digits and a unit.
"""

from __future__ import annotations

import base64
import binascii
from typing import Final, final

from librt.strings import read_i64_le
from mypy_extensions import i64, mypyc_attr

from l7codecs import Message, ProtocolError, Status

__all__ = [
    "EXCEPTIONS",
    "GRPC_STATUS",
    "HTTP_STATUS",
    "RpcName",
    "binary_metadata",
    "digits",
    "find_octet",
    "grpc_status_of_http",
    "grpc_timeout_ms",
    "rpc_name",
    "split_authority",
    "text_of",
    "word_of",
]

GRPC_STATUS: Final = tuple(status.name for status in Status)

HTTP_STATUS: Final[dict[int, Status]] = {
    401: Status.UNAUTHENTICATED,
    403: Status.PERMISSION_DENIED,
    404: Status.NOT_FOUND,
    408: Status.DEADLINE_EXCEEDED,
    409: Status.ABORTED,
    410: Status.NOT_FOUND,
    412: Status.FAILED_PRECONDITION,
    413: Status.RESOURCE_EXHAUSTED,
    416: Status.OUT_OF_RANGE,
    429: Status.RESOURCE_EXHAUSTED,
    499: Status.CANCELLED,
    501: Status.UNIMPLEMENTED,
    502: Status.UNAVAILABLE,
    503: Status.UNAVAILABLE,
    504: Status.DEADLINE_EXCEEDED,
}
"""Every other status: OK below 400, INVALID_ARGUMENT below 500, then INTERNAL."""

_GRPC_OF_HTTP: Final[dict[int, Status]] = {
    400: Status.INTERNAL,
    401: Status.UNAUTHENTICATED,
    403: Status.PERMISSION_DENIED,
    404: Status.UNIMPLEMENTED,
    429: Status.UNAVAILABLE,
    502: Status.UNAVAILABLE,
    503: Status.UNAVAILABLE,
    504: Status.UNAVAILABLE,
}

EXCEPTIONS: Final[dict[int, tuple[str, Status]]] = {
    0: ("UNKNOWN_EXCEPTION", Status.UNKNOWN),
    1: ("NETWORK_EXCEPTION", Status.UNAVAILABLE),
    2: ("TIMEOUT_EXCEPTION", Status.DEADLINE_EXCEEDED),
    3: ("BIZ_EXCEPTION", Status.UNKNOWN),
    4: ("FORBIDDEN_EXCEPTION", Status.PERMISSION_DENIED),
    5: ("SERIALIZATION_EXCEPTION", Status.INTERNAL),
    6: ("NO_INVOKER_AVAILABLE_AFTER_FILTER", Status.UNAVAILABLE),
    7: ("LIMIT_EXCEEDED_EXCEPTION", Status.RESOURCE_EXHAUSTED),
    8: ("TIMEOUT_TERMINATE", Status.DEADLINE_EXCEEDED),
    9: ("REGISTRY_EXCEPTION", Status.UNAVAILABLE),
    10: ("ROUTER_CACHE_NOT_BUILD", Status.UNAVAILABLE),
    11: ("METHOD_NOT_FOUND", Status.UNIMPLEMENTED),
    12: ("VALIDATION_EXCEPTION", Status.INVALID_ARGUMENT),
    13: ("AUTHORIZATION_EXCEPTION", Status.UNAUTHENTICATED),
}
"""``tri-exception-code`` (org.apache.dubbo.rpc.RpcException): what a method threw, in a call that ends with grpc-status 0."""

_UNITS_PER_MS: Final = {
    "H": (3_600_000, 1),
    "M": (60_000, 1),
    "S": (1_000, 1),
    "m": (1, 1),
    "u": (1, 1_000),
    "n": (1, 1_000_000),
}


def digits(octets: bytes) -> i64:
    """The number that 1 to 18 decimal digits are; -1 for anything else."""
    number: i64 = 0
    at: i64 = 0
    stop: i64 = len(octets)
    if stop == 0 or stop > 18:
        return -1
    while at < stop:
        octet: i64 = octets[at]
        if octet < 0x30 or octet > 0x39:
            return -1
        number = number * 10 + octet - 0x30
        at += 1
    return number


def find_octet(octets: bytes, octet: i64, at: i64) -> i64:
    """Where from index `at` on the ASCII character `octet` stands first; the size of `octets` where it does not."""
    stop: i64 = len(octets)
    same: i64 = octet * 0x0001010101010101
    # Seven octets at a time: is one of them `octet`? What is left of it then is 0, and adding to that sets no high bit.
    while at + 8 <= stop:
        word = (read_i64_le(octets, at) & 0x00FFFFFFFFFFFFFF) ^ same
        if (((word & 0x007F7F7F7F7F7F7F) + 0x007F7F7F7F7F7F7F) | word) & 0x0080808080808080 != 0x0080808080808080:
            break
        at += 7
    while at < stop and octets[at] != octet:
        at += 1
    return at


def grpc_status_of_http(code: int | None) -> Status:
    """The outcome of a call of gRPC that ends with no ``grpc-status`` that can be read: never OK, whatever the HTTP status.

    Source: "HTTP to gRPC Status Code Mapping" (grpc/grpc, doc/http-grpc-status-mapping.md).
    """
    return Status.UNKNOWN if code is None else _GRPC_OF_HTTP.get(code, Status.UNKNOWN)


def text_of(octets: bytes) -> str:
    """A value as text; octets that are no UTF-8 as ``\\x…``."""
    try:
        return octets.decode("utf-8")  # compiled, it looks up no error handler
    except UnicodeDecodeError:
        return octets.decode("utf-8", "backslashreplace")


@final
@mypyc_attr(acyclic=True)
class RpcName:
    """Service and method of ``/package.Service/Method``; None for what is not there."""

    def __init__(self, path: str) -> None:
        self.service: str | None = None
        self.method: str | None = None
        if path.startswith("/"):
            service, slash, method = path[1:].rpartition("/")
            if slash:
                self.service = service or None
            self.method = method or None


_KEPT_SIZE: Final[i64] = 128
"""Octets that a path or a word may have to be kept."""
_KEPT: Final[i64] = 512
"""How many of them are kept at most; then all are forgotten."""
_RPC_NAMES: Final[dict[bytes, RpcName]] = {}
_WORDS: Final[dict[bytes, str]] = {}
"""What all connections share: a name that comes again is one object, and its octets, kept by the cache of literals, know their hash."""


def rpc_name(path: bytes) -> RpcName:
    """What the path of an RPC, without a query, names."""
    found = _RPC_NAMES.get(path)
    if found is not None:
        return found
    found = RpcName(text_of(path))
    if len(path) <= _KEPT_SIZE:
        if len(_RPC_NAMES) >= _KEPT:
            _RPC_NAMES.clear()
        _RPC_NAMES[path] = found
    return found


def word_of(octets: bytes) -> str:
    """As `text_of`, for what comes again and again: methods, authorities."""
    found = _WORDS.get(octets)
    if found is not None:
        return found
    found = text_of(octets)
    if len(octets) <= _KEPT_SIZE:
        if len(_WORDS) >= _KEPT:
            _WORDS.clear()
        _WORDS[octets] = found
    return found


def grpc_timeout_ms(text: str | None) -> int | None:
    """``grpc-timeout`` in ms, rounded up; None where it is absent or wrong."""
    if text is None or not 2 <= len(text) <= 9 or text[-1] not in _UNITS_PER_MS:
        return None
    digits = text[:-1]
    if not digits.isascii() or not digits.isdigit():
        return None
    times, by = _UNITS_PER_MS[text[-1]]
    return -(-int(digits) * times // by)


def split_authority(authority: str) -> tuple[str, int | None]:
    """Host and port of ``[userinfo@]host[:port]``; an IPv6 address without its brackets."""
    host = authority.rpartition("@")[2]
    if host.startswith("["):
        address, _, rest = host[1:].partition("]")
        return address, _port(rest[1:]) if rest.startswith(":") else None
    name, colon, port = host.rpartition(":")
    if not colon:
        return host, None
    return name, _port(port)


def _port(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 5 and int(text) < 65536 else None


def binary_metadata(message: Message, name: str) -> list[bytes]:
    """The values of a header of gRPC whose name ends in ``-bin``, in order. None of them where there is no such header.

    They are base64 on the wire, padded or not, and commas may join several. A value that begins with a zero octet stands
    behind it as it is ("true binary metadata"). Raises `ProtocolError`, at the message's offset, for what is neither. Source:
    "gRPC over HTTP/2", Binary-Header.
    """
    found = []
    for value in message.headers.get_all(name):
        octets = value if isinstance(value, bytes) else str(value).encode()
        if octets[:1] == b"\0":
            found.append(octets[1:])
            continue
        for word in octets.split(b","):
            digits = word.strip(b" \t").rstrip(b"=")
            try:
                found.append(base64.b64decode(digits + b"=" * (-len(digits) % 4), validate=True))
            except (binascii.Error, ValueError):
                raise ProtocolError(
                    int(message.offset), f"{name}: {word[:40]!r}", "base64", "gRPC over HTTP/2, Binary-Header"
                ) from None
    return found
