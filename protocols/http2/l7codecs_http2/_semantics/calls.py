"""Calls of gRPC-Web and Connect: which bodies are followed, and what their ends say of the outcome."""

from __future__ import annotations

from typing import Final

from mypy_extensions import i64

from l7codecs import Sender, Status

from .._hpack.static_table import header_name
from .bodies import Body
from .envelopes import CONNECT_END, WEB_END, Envelopes, connect_code, connect_status, gunzip, web_status
from .meaning import GRPC_STATUS, grpc_status_of_http
from .messages import CONNECT, CONNECT_STREAM, GRPC_WEB, Http2Message

__all__ = ["end_body", "follow"]

_WEB: Final = b"application/grpc-web"
_WEB_TEXT: Final = b"application/grpc-web-text"
_CONTENT_ENCODING: Final = header_name(b"content-encoding")
_STATUSES: Final = tuple(Status)


def follow(head: Http2Message, body: Body, octets: bytes, at: i64, stop: i64, limit: i64) -> None:
    """``octets[at:stop]`` are the next of the body of `head`; at most `limit` of what ends it are kept."""
    found = body.envelopes
    if found is None:
        if head.speaks == CONNECT:
            if head.sender is Sender.CLIENT or head.status_code == 200:
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
    ending = None if body.envelopes is None else body.envelopes.ending
    if ending is not None and body.envelopes is not None:
        packed = body.envelopes.packed
        if head.speaks == CONNECT:
            coding = head.value(_CONTENT_ENCODING)
            packed = coding == "gzip"
            if coding is not None and coding not in ("gzip", "identity"):
                ending = None
        if ending is not None and packed:
            ending = gunzip(ending, limit)
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
            head.set_outcome(connect_status(code), code)
            return
    http = head.status_code
    outcome = grpc_status_of_http(http)
    head.set_outcome(outcome, str(http) if http is not None and http >= 400 else outcome.name)
