"""Answers that are made here: a TApplicationException, in the transport and the encoding of its request."""

from __future__ import annotations

from typing import Final

from l7codecs import Sender, Status, Unsupported
from l7codecs.pairing.tables import NO_PAIRING

from .._meaning.messages import ThriftMessage
from .._meaning.table import CODECS
from .._meaning.words import COMPACT, FINAGLE, FRAMED, HEADER, HTTP, OLD_BINARY, TTHEADER, UNFRAMED
from .._transport.decoders import ThriftDecoder
from .headers import head_of

__all__ = ["error_reply"]

_TYPES: Final = {Status.UNKNOWN: 0, Status.UNIMPLEMENTED: 1, Status.INVALID_ARGUMENT: 7}
"""The type of a TApplicationException for a canonical code; INTERNAL_ERROR for all others, as Envoy writes."""
_INTERNAL: Final = 6
_UNREAD: Final = b"HTTP/1.1 %d Error\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n"
_CODES: Final = {
    Status.UNIMPLEMENTED: 404,
    Status.UNAUTHENTICATED: 401,
    Status.PERMISSION_DENIED: 403,
    Status.RESOURCE_EXHAUSTED: 429,
    Status.UNAVAILABLE: 503,
    Status.DEADLINE_EXCEEDED: 504,
    Status.INVALID_ARGUMENT: 400,
}
"""Statuses of HTTP that answer what cannot be read; 500 for all others."""
_HEAD: Final = b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n"


def error_reply(request: ThriftMessage, status: Status, text: str, offset: int) -> ThriftMessage:
    """The exception that answers `request` with the type for `status`, and `text`.

    Raises:
        Unsupported: the request cannot be read.
        ValueError: `status` is OK.
    """
    if status is Status.OK:
        raise ValueError("an error has another status than OK")
    if request.type_id == 0 and request.transport_id != HTTP:
        raise Unsupported("a request that cannot be read cannot be answered")
    if request.type_id == 0:
        said = text.encode("utf-8", "replace")
        octets = _UNREAD % (_CODES.get(status, 500), len(said)) + said
    else:
        octets = _wrapped(request.inner or request, _exception(request, status, text))
    decoder = ThriftDecoder(
        request.flow, request.sender.other, request.limits, NO_PAIRING, NO_PAIRING, request.origin.writer
    )
    decoder.buffer.feed(octets)
    made = decoder.next_event()
    assert isinstance(made, ThriftMessage)
    made.offset = offset
    made.request = request
    return made


def _exception(request: ThriftMessage, status: Status, text: str) -> bytes:
    codec = CODECS[request.encoding_id]
    name = request.operation or ""
    strict = request.encoding_id != OLD_BINARY
    return codec.exception_message(name, request.number, _TYPES.get(status, _INTERNAL), text, strict)


def _wrapped(request: ThriftMessage, message: bytes) -> bytes:
    """`message` in the transport of `request`."""
    transport = request.transport_id
    if transport == UNFRAMED:
        return message
    if transport == FRAMED:
        return _framed(message)
    if transport == FINAGLE:
        return _framed(b"\0" + message)
    if transport == HEADER or transport == TTHEADER:
        protocol = 2 if request.encoding_id == COMPACT else 0
        return _framed(head_of(transport, int(request.number), protocol) + message)
    if transport == HTTP and request.sender is Sender.CLIENT:
        kind = request.headers.get("Content-Type")
        said = kind.encode("latin-1", "replace") if isinstance(kind, str) else b"application/x-thrift"
        return _HEAD % (said, len(message)) + message
    raise Unsupported(f"a request in the transport {request.transport} cannot be answered")


def _framed(octets: bytes) -> bytes:
    return len(octets).to_bytes(4, "big") + octets
