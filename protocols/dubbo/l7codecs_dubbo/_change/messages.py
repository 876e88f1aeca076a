"""Requests and answers with changes: the octets of a value change only where it does.

    id                in place
    dubbo.service     the second value of the body, and the attachments `interface` and `path`: providers of 3.x look for both
    service_version   the third value, and the attachment `version`, by which providers of 2.7 decide
    method            the fourth value; of a generic call the first argument
    group, path       attachments

An attachment of those that is not there is not added, but for group and path themselves: providers go by the body then. The version of the
protocol, first in the body, stays: it decides whether answers have attachments.
"""

from __future__ import annotations

from typing import Final

from mypy_extensions import i64

from l7codecs import Changes, HeaderValue, ProtocolError, Unsupported
from l7codecs.pairing.numbering import put_number

from .._body.interface import Attachments, Body
from .._wire.events import DubboEvent
from .._wire.header import HEADER, REQUEST_ID
from .._wire.messages import DubboMessage
from .._wire.requests import DubboRequest, new_request
from .._wire.responses import DubboResponse
from .._wire.statuses import OK
from .given import PATH, Given
from .spans import Spans

__all__ = ["changed", "remade"]

_GENERIC: Final = ("$invoke", "$invokeAsync")


def changed(message: DubboMessage, changes: Changes) -> bytes | None:
    """The octets of `message` with `changes`; None where they are of the body, and the rest of it is still to come.

    Raises:
        Unsupported: Dubbo cannot change that, or not in this message.
        ValueError: it cannot say such a value.
    """
    given = Given(changes)
    if not isinstance(message, (DubboRequest, DubboResponse)) and given.changes_body:
        raise Unsupported("what concerns the connection has no attachments, and calls nobody")
    if isinstance(message, DubboResponse):
        _check_answer(message, given)
    if not given.changes_body:
        return _header(message, given, message.raw)
    if not message.body().reads:
        raise Unsupported(f"a body of {message.serialization} cannot be changed: it is not read")
    if message.more:
        return None
    spans = Spans(message.octets, message.start, message.stop)
    try:
        if isinstance(message, DubboRequest):
            _change_request(message, given, spans)
        else:
            _change_attachments(message, message.start + HEADER, dict(given.set), given.removed, spans)
    except ProtocolError as error:
        raise Unsupported(f"a body that cannot be read cannot be changed: {error.seen}, not {error.expected}") from None
    return spans.made(_header(message, given, message.octets[message.start : message.start + HEADER]))


def _header(message: DubboMessage, given: Given, octets: bytes) -> bytes:
    """`octets`, which begin with the header, with another id."""
    return octets if given.request_id is None else put_number(octets, int(REQUEST_ID), 8, given.request_id)


def _check_answer(answer: DubboResponse, given: Given) -> None:
    if given.names_call:
        raise Unsupported("an answer does not say what was called")
    if given.set and answer.status_octet != OK:
        raise Unsupported(f"an answer of status {answer.status_code} has no attachments")


def _change_request(request: DubboRequest, given: Given, spans: Spans) -> None:
    body = request.body()
    head = request.head()
    places = head.places
    attached: dict[str, HeaderValue] = dict(given.set)
    removed = given.removed
    only_present: dict[str, HeaderValue] = {}
    if given.service is not None:
        spans.put(places[1], places[2], _string(body, given.service))
        only_present["interface"] = given.service
        if given.path is None and not _is_elsewhere(request):
            only_present["path"] = given.service
        elif given.path is None:
            raise Unsupported(f"providers find this request by its path {request.path}: change {PATH} too")
    if given.version is not None:
        spans.put(places[2], places[3], _string(body, given.version))
        only_present["version"] = given.version
    if given.method is not None:
        if head.method in _GENERIC:
            stop = _first_argument(request)
            spans.put(places[5], stop, _string(body, given.method))
        else:
            spans.put(places[3], places[4], _string(body, given.method))
    if given.path is not None:
        attached["path"] = given.path
    if given.group:
        attached["group"] = given.group
    elif given.group is not None:
        removed |= {"group"}
    if only_present:
        found = _reached(request)
        for name, value in only_present.items():
            if any(entry.key == name for entry in found.entries):
                attached[name] = value
    if attached or removed:
        _change_attachments(request, head.at, attached, removed, spans)


def _is_elsewhere(request: DubboRequest) -> bool:
    """Whether the attachment `path` is another than the interface."""
    path = _reached(request).get("path")
    return path is not None and path != request.service


def _first_argument(request: DubboRequest) -> i64:
    """Behind the first argument, the method that a generic call is for."""
    real = request.invocation()
    if real is None or real.method is None:
        raise Unsupported("which method this generic call is for cannot be read")
    return request.body().string_end(request.octets, request.head().at, request.stop)


def _reached(message: DubboMessage) -> Attachments:
    found = message.attachments()
    if found is None:
        raise Unsupported("the attachments of this message cannot be reached")
    return found


def _change_attachments(
    message: DubboMessage, start: i64, attached: dict[str, HeaderValue], removed: frozenset[str], spans: Spans
) -> None:
    """Set the attachments `attached`, and remove those that are `removed` and not set again."""
    if message.attachments() is None and isinstance(message, DubboResponse):
        if attached:
            raise Unsupported(
                "this answer has no attachments, since its request says a version of the protocol without them"
            )
        return
    found = _reached(message)
    if found.borrowed:
        raise Unsupported("attachments that are told by a reference, or an object, cannot be changed")
    body = message.body()
    keep: list[bool] = []
    new: list[bytes] = []
    written: set[str] = set()
    for entry in found.entries:
        key = entry.key
        value = attached.get(key)
        keep.append(key not in attached and key not in removed)
        if value is not None and key not in written:
            written.add(key)
            new.append(_attachment(body, key, value))
        else:
            new.append(b"")
    added = [_attachment(body, key, value) for key, value in attached.items() if key not in written]
    if not added and all(keep):
        return
    parts: list[bytes] = []
    pieces = body.kept_attachments(message.octets, start, found, keep, message.limits)
    for number, piece in enumerate(pieces):
        parts.append(piece)
        if number < len(new):
            parts.append(new[number])
    octets = body.rewrite_attachments(message.octets, found, parts + added)
    if octets is None:
        raise Unsupported(f"attachments of {message.serialization} are not written")
    spans.put(found.start, found.stop, octets)


def _attachment(body: Body, key: str, value: HeaderValue) -> bytes:
    octets = body.write_attachment(key, value)
    if octets is None:
        raise Unsupported(f"attachments of {body.name} are not written")
    return octets


def _string(body: Body, text: str) -> bytes:
    octets = body.write_string(text)
    if octets is None:
        raise Unsupported(f"texts of {body.name} are not written")
    return octets


def remade(message: DubboMessage, octets: bytes, more: bool) -> DubboMessage:
    """The message `octets` that is written in place of `message`; with `more` the head of one."""
    stop = len(octets)
    number = i64(int.from_bytes(octets[REQUEST_ID : REQUEST_ID + 8], "big", signed=True))
    made: DubboMessage
    if isinstance(message, DubboRequest):
        made = new_request(
            message.flow, message.sender, message.kind, message.offset, octets, 0, stop, more, message.flags,
            message.status_octet, number, message.limits,
        )  # fmt: skip
    elif isinstance(message, DubboResponse):
        made = DubboResponse(
            message.flow, message.sender, message.kind, message.offset, octets, 0, stop, more, message.flags,
            message.status_octet, number, message.limits,
        )  # fmt: skip
    else:
        made = DubboEvent(
            message.flow, message.sender, message.kind, message.offset, octets, 0, stop, more, message.flags,
            message.status_octet, number, message.limits,
        )  # fmt: skip
    if more:
        made.declared_size = message.declared_size
    request = message.request
    if request is not None and request.sender is not message.sender:
        made.request = request
    return made
