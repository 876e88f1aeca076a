"""Calls of gRPC-Web and Connect: which bodies are followed, and what their ends say of the outcome."""

from __future__ import annotations

from typing import Final

from mypy_extensions import i64

from l7codecs import Sender, Status

from .._hpack.static_table import header_name
from .bodies import Body
from .envelopes import CONNECT_END, WEB_END, Envelopes, connect_code, connect_status, inflate, web_status
from .meaning import GRPC_STATUS, grpc_status_of_http
from .messages import Http2Message
from .spoken import CONNECT, CONNECT_STREAM, GRPC_WEB

__all__ = ["end_body", "end_trailers", "follow"]

_CLIENT: Final = Sender.CLIENT
_WEB: Final = b"application/grpc-web"
_WEB_TEXT: Final = b"application/grpc-web-text"
_CONTENT_ENCODING: Final = header_name(b"content-encoding")
_GRPC_ENCODING: Final = header_name(b"grpc-encoding")
_CONNECT_ENCODING: Final = header_name(b"connect-content-encoding")
_STATUSES: Final = tuple(Status)


def follow(head: Http2Message, body: Body, octets: bytes, at: i64, stop: i64, limit: i64) -> None:
    """``octets[at:stop]`` are the next of the body of `head`; at most `limit` of what ends it are kept."""
    found = body.envelopes
    if found is None:
        if head.speaks == CONNECT:
            if head.sender is _CLIENT or head.status_code == 200:
                return
            found = Envelopes(0, False, limit)
        elif head.speaks == CONNECT_STREAM:
            if not head.type_is(b"application/connect+"):
                return
            found = Envelopes(CONNECT_END, False, limit)
        else:
            if not head.type_is(_WEB):
                return
            found = Envelopes(WEB_END, head.type_is(_WEB_TEXT), limit)
        body.envelopes = found
    found.feed(octets, at, stop)
    body.messages = found.messages
    body.message_octets = found.message_octets
    body.compressed = found.compressed
    body.certain = body.certain and not found.broken


def end_body(head: Http2Message, body: Body, limit: i64) -> None:
    """The body of `head` has ended: that of an answer tells the outcome."""
    if head.speaks == CONNECT and (head.sender is Sender.CLIENT or head.status_code == 200):
        body.messages = 1
        body.message_octets = body.octets
        body.compressed = 1 if head.value(_CONTENT_ENCODING) not in (None, "identity") else 0
        return
    if head.sender is Sender.CLIENT or (head.grpc_status is not None and head.speaks == GRPC_WEB):
        return
    ending = _ending(head, body, limit)
    if ending is not None and head.speaks == GRPC_WEB:
        number = web_status(ending)
        if number is not None:
            known = number < len(_STATUSES)
            word = GRPC_STATUS[number] if known else str(number)
            head.set_outcome(_STATUSES[number] if known else Status.UNKNOWN, None if number == 0 else word)
            return
    elif ending is not None:
        code = connect_code(ending, head.speaks == CONNECT_STREAM)
        if code == "":
            head.set_outcome(Status.OK, None)
            return
        if code is not None:
            status = connect_status(code)
            head.set_outcome(grpc_status_of_http(head.status_code) if status is None else status, code)
            return
    http = head.status_code
    outcome = grpc_status_of_http(http)
    head.set_outcome(outcome, str(http) if http is not None and http >= 400 else outcome.name)


def _ending(head: Http2Message, body: Body, limit: i64) -> bytes | None:
    """What ends the `body`, without its compression; None where it did not come, or cannot be read."""
    envelopes = body.envelopes
    ending = None if envelopes is None else envelopes.ending
    if envelopes is None or ending is None:
        return None
    if head.speaks == CONNECT:
        coding = head.value(_CONTENT_ENCODING)
        packed = coding is not None and coding.strip().lower() != "identity"
    else:
        coding = head.value(_GRPC_ENCODING if head.speaks == GRPC_WEB else _CONNECT_ENCODING)
        packed = envelopes.packed
    return inflate(ending, coding or "gzip", limit) if packed else ending  # what no header names can be seen to be gzip


def end_trailers(trailers: Http2Message, head: Http2Message, body: Body, limit: i64) -> None:
    """Trailers of HTTP end the answer `head`: a ``grpc-status`` of theirs is the outcome, else its body tells it."""
    if trailers.speaks == GRPC_WEB and trailers.grpc_status is not None:
        return
    end_body(head, body, limit)
    if head.status is not None:
        trailers.set_outcome(head.status, head.error)
