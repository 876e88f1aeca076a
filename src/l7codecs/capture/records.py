"""What was decoded -> plain records: one dictionary for each message, gap or error, ready for a JSON encoder.

Keys and their order are the same for every message. Keys of a store, header values and some attributes are octets:
give the encoder `text_of`
as its default.
"""

from __future__ import annotations

from typing import Final

from l7codecs.capture.sessions import Decoded
from l7codecs.kinds import Kind, Sender, Status
from l7codecs.message import Data, Gap, Message

__all__ = ["Record", "RecordValue", "record_of", "text_of"]

RecordValue = object
Record = dict[str, RecordValue]

_KINDS: Final[dict[Kind, str]] = {kind: kind.value for kind in Kind}
_SENDERS: Final[dict[Sender, str]] = {sender: sender.value for sender in Sender}
_STATUSES: Final[dict[Status, str]] = {status: status.name for status in Status}


def text_of(value: object) -> str:
    """Octets as text: UTF-8, with backslash escapes for what is not. Raises `TypeError` for anything that is neither."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    if isinstance(value, str):
        return value
    raise TypeError(f"neither text nor octets: {type(value).__name__}")


def record_of(decoded: Decoded) -> Record | None:
    """The record of one event or error; None for what is no message: `Data`, `Opaque`, and joining a connection midway.

    The last `Data` of an answer that tells its outcome in its body makes one as well: of trailers, which other calls end with.
    """
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
    if event is None:
        return {
            "time": decoded.time / 1e9,
            "flow": decoded.connection.flow,
            "protocol": decoded.protocol,
            "sender": _SENDERS[decoded.sender],
            "kind": "encrypted",
        }
    if isinstance(event, Message):
        return _message(decoded, event)
    if isinstance(event, Data):
        return None if event.status is None else _outcome(decoded, event, event.status)
    if isinstance(event, Gap) and event.size > 0:
        return _gap(decoded, event)
    return None


def _message(decoded: Decoded, message: Message) -> Record:
    request = message.request
    status = message.status
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
        "resources": message.resources,
        "status": None if status is None else _STATUSES[status],
        "error": message.error,
        "headers": list(message.headers),
        "attributes": message.attributes,
    }


def _outcome(decoded: Decoded, data: Data, status: Status) -> Record:
    found = _message(decoded, data.message)
    found["kind"] = _KINDS[Kind.TRAILERS]
    found["offset"] = data.offset
    found["size"] = len(data.raw)
    found["more"] = False
    found["status"] = _STATUSES[status]
    found["headers"] = []
    return found


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
