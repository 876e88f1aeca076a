"""What was decoded -> plain records: one dictionary for each message, gap or error, ready for any JSON encoder.

Keys and their order are the same for every message. Octets become text; what is not UTF-8 is backslash-escaped.
"""

from __future__ import annotations

from typing import Final

from l7codecs.capture.sessions import Decoded
from l7codecs.message import AttrValue, Gap, Kind, Message, Sender, Status

__all__ = ["Record", "RecordValue", "record_of", "text_of"]

RecordValue = object
Record = dict[str, RecordValue]

_KINDS: Final[dict[Kind, str]] = {kind: kind.value for kind in Kind}
_SENDERS: Final[dict[Sender, str]] = {sender: sender.value for sender in Sender}
_STATUSES: Final[dict[Status, str]] = {status: status.name for status in Status}


def text_of(value: str | bytes) -> str:
    """Text as it is, octets as UTF-8 with backslash escapes for those that are not."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    return value


def record_of(decoded: Decoded) -> Record | None:
    """The record of one event or error; None for what is no message: `Data`, `Opaque`, and joining a connection midway."""
    error = decoded.error
    if error is not None:
        return {
            "time": decoded.time / 1e9,
            "flow": decoded.connection.flow,
            "protocol": decoded.protocol,
            "sender": _SENDERS[decoded.sender],
            "kind": "error",
            "offset": error.offset,
            "seen": error.seen,
            "expected": error.expected,
        }
    event = decoded.event
    if isinstance(event, Message):
        return _message(decoded, event)
    if isinstance(event, Gap) and event.size > 0:
        return _gap(decoded, event)
    return None


def _message(decoded: Decoded, message: Message) -> Record:
    request = message.request
    status = message.status
    attributes: dict[str, RecordValue] = {}
    for name, value in message.attributes.items():
        attributes[name] = _plain(value)
    return {
        "time": decoded.time / 1e9,
        "flow": decoded.connection.flow,
        "protocol": message.protocol,
        "sender": _SENDERS[message.sender],
        "kind": _KINDS[message.kind],
        "offset": message.offset,
        "size": message.size,
        "more": message.more,
        "request_id": message.request_id,
        "stream_id": message.stream_id,
        "request_offset": None if request is None else request.offset,
        "service": message.service,
        "operation": message.operation,
        "resources": [text_of(item) for item in message.resources],
        "status": None if status is None else _STATUSES[status],
        "error": message.error,
        "headers": [[name, text_of(value)] for name, value in message.headers],
        "attributes": attributes,
    }


def _gap(decoded: Decoded, gap: Gap) -> Record:
    return {
        "time": decoded.time / 1e9,
        "flow": decoded.connection.flow,
        "protocol": decoded.protocol,
        "sender": _SENDERS[gap.sender],
        "kind": "gap",
        "offset": gap.offset,
        "size": gap.size,
    }


def _plain(value: AttrValue) -> RecordValue:
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    if isinstance(value, tuple):
        return [item.decode("utf-8", "backslashreplace") if isinstance(item, bytes) else item for item in value]
    return value
