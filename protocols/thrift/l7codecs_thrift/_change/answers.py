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
_HEAD: Final = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-thrift\r\nContent-Length: %d\r\n\r\n"


def error_reply(request: ThriftMessage, status: Status, text: str, offset: int) -> ThriftMessage:
    """The exception that answers `request` with the type for `status`, and `text`.

    Raises:
        Unsupported: the request cannot be read, or came in a stream of zlib.
        ValueError: `status` is OK.
    """
    if status is Status.OK:
        raise ValueError("an error has another status than OK")
    if request.type_id == 0:
        raise Unsupported("a request that cannot be read cannot be answered")
    octets = _wrapped(request, _exception(request, status, text))
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
        return _HEAD % len(message) + message
    raise Unsupported(f"a request in the transport {request.transport} cannot be answered")


def _framed(octets: bytes) -> bytes:
    return len(octets).to_bytes(4, "big") + octets
