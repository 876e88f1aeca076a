"""A message written anew with another head: every length around it is mended, and nothing else changes.

    framed      size │ message                          http        content-length │ message
    header      size, seqid of the header │ message     finagle     size, struct │ message

What is compressed is inflated, changed and compressed again, piece by piece where it is more than a message holds (`recoding`). Of a
stream of zlib it is what is inside.
"""

from __future__ import annotations

import zlib
from typing import final

from mypy_extensions import i64

from l7codecs import Changes, Kind, Message, ProtocolError, Unsupported
from l7codecs.pairing.numbering import put_number

from .._meaning.messages import ThriftMessage
from .._meaning.origin import Renumbering
from .._meaning.table import CODECS
from .._meaning.words import (
    BINARY,
    CALL,
    HEADER,
    HTTP,
    NO_ENCODING,
    ONEWAY,
    TTHEADER,
    UNFRAMED,
)
from .._transport.theader import parse_header, parse_ttheader
from .given import METHOD, Given
from .headers import changed_header
from .posting import posted
from .recoding import recoded

__all__ = ["Rewriter", "changed", "note_method", "with_method", "with_method_back"]


@final
class Rewriter(Renumbering):
    """Writes messages with another sequence id."""

    def renumbered(self, message: Message, number: int) -> bytes | None:
        return renumbered(message, number) if isinstance(message, ThriftMessage) else None


def renumbered(message: ThriftMessage, number: int) -> bytes | None:
    """`message` with another sequence id; None where that cannot be written."""
    seqid = number - (1 << 32) if number >= 1 << 31 else number
    message = message.inner or message
    if message.type_id == 0:
        return message.raw if message.transport_id == HTTP else None  # which pair by order
    if message.more and message.transforms:
        return None
    if message.encoding_id == BINARY and not message.transforms and message.transport_id <= UNFRAMED:
        return put_number(message.raw, int(message.body_start - 4 - message.start), 4, number)
    return _written(message, None, seqid, None)


def changed(message: ThriftMessage, given: Given) -> bytes | None:
    """The octets of `message` with what is `given`; None where the rest of it is needed for that, and still to come.

    Raises:
        Unsupported: it cannot be changed so.
        ValueError: it cannot say such a value.
    """
    message = message.inner or message
    name: str | None = None
    if given.service is not None or given.method is not None:
        if given.service is not None and message.type_id != CALL and message.type_id != ONEWAY:
            raise Unsupported("an answer does not say of which service it is")
        service = message.own_service if given.service is None else given.service
        method = message.operation or "" if given.method is None else given.method
        name = f"{service}:{method}" if service else method
    if message.type_id == 0 and (name is not None or given.seqid is not None):
        raise Unsupported("what has no message that is read has no name and no id")
    if given.changes_headers and message.transport_id not in (HEADER, TTHEADER, HTTP):
        raise Unsupported(f"a message in the transport {message.transport} has no headers that can be changed")
    if message.more and message.transforms and (name is not None or given.seqid is not None):
        return None
    return _written(message, name, given.seqid, given if given.changes_headers else None)


def note_method(message: Message, given: Given) -> None:
    """`message` is sent with what is `given`: where it is a call and gets another method, its answer has the name of that."""
    if given.method is not None and message.kind is Kind.REQUEST and isinstance(message, ThriftMessage):
        message.sent_method = given.method


def with_method_back(answer: ThriftMessage, changes: Changes | None) -> Changes | None:
    """`changes`, and the method that was called, where `answer` has the one that the call was sent with: clients do not take that."""
    request = answer.request
    if not isinstance(request, ThriftMessage) or request.sent_method is None or answer.type_id == 0:
        return changes
    method = request.operation
    if not method or answer.operation != request.sent_method:
        return changes
    return with_method(changes, method)


def with_method(changes: Changes | None, method: str) -> Changes:
    """`changes`, and that method, unless they have another."""
    if changes is None:
        return Changes({METHOD: method})
    attributes = {METHOD: method, **changes.attributes}
    return Changes(attributes, set_headers=changes.set_headers, remove_headers=changes.remove_headers)


def _written(message: ThriftMessage, name: str | None, seqid: int | None, given: Given | None) -> bytes:
    """`message` with that name and id, and with the headers that are given."""
    plain = message.plain
    start = message.head_start
    new = plain[start : message.body_start]
    if message.encoding_id != NO_ENCODING and (name is not None or seqid is not None):
        try:
            head = CODECS[message.encoding_id].head(plain, start, message.body_stop, message.limits.head)
        except ProtocolError:
            head = None
        if head is None:
            raise Unsupported("the head of the message cannot be read")
        new = CODECS[message.encoding_id].with_head(plain, head, name, seqid)
    grown = len(new) - int(message.body_start - start)
    transport = message.transport_id
    if transport == HEADER or transport == TTHEADER:
        return _headed(message, new, seqid, given)
    whole = new + plain[message.body_start : message.body_stop]
    if transport == HTTP:
        return posted(message, whole, grown, given)
    if transport == UNFRAMED:
        return whole
    before = message.octets[message.start + 4 : start]  # a struct of Finagle, or nothing
    return _size(message, grown) + before + whole


def _size(message: ThriftMessage, grown: int) -> bytes:
    """The size of a frame that is larger by `grown`."""
    size = int.from_bytes(message.octets[message.start : message.start + 4], "big") + grown
    if size >= 1 << 31:
        raise ValueError(f"a frame of {size} octets")
    return size.to_bytes(4, "big")


def _headed(message: ThriftMessage, new: bytes, seqid: int | None, given: Given | None) -> bytes:
    """As `_written`, in a frame with a header."""
    octets = message.octets
    at = message.start + 4
    apache = message.transport_id == HEADER
    header = parse_header(octets, at, message.stop) if apache else parse_ttheader(octets, at, message.stop)
    if header is None:
        raise Unsupported("the header of the message is not all there")
    said = octets[at : header.payload]
    if given is not None:
        said = changed_header(octets, at, header, message.transport_id, given.set, given.removed)
    if seqid is not None and message.type_id != 0 and message.number == _int32(octets, at + 4):
        said = put_number(said, 4, 4, seqid & 0xFFFFFFFF)
    payload = octets[header.payload : message.stop]
    if message.type_id != 0 and new != message.plain[message.head_start : message.body_start]:
        whole = new + message.plain[message.body_start : message.body_stop]
        before = message.plain[header.payload if message.plain is octets else 0 : message.head_start]
        if before:  # a frame in the frame
            inner = int.from_bytes(before, "big") + len(new) - int(message.body_start - message.head_start)
            whole = inner.to_bytes(4, "big") + whole
        if header.transforms and len(message.plain) >= max(message.limits.message, message.limits.head):
            new = whole[: len(whole) - int(message.body_stop - message.body_start)]
            times = len(header.transforms)
            payload = recoded(
                payload, zlib.MAX_WBITS, times, int(message.body_start), new, message.limits.payload
            )  # of which the message does not hold all
        else:
            for _each in header.transforms:
                whole = zlib.compress(whole)
            payload = whole
    grown = len(said) + len(payload) - int(message.stop - at)
    return _size(message, grown) + said + payload


def _int32(octets: bytes, at: i64) -> int:
    return int.from_bytes(octets[at : at + 4], "big", signed=True)
