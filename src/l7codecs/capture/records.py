"""What was decoded -> plain records: one dictionary for each message, gap or error, ready for a JSON encoder.

Keys and their order are the same for every message. Keys of a store, header values and some attributes are octets:
give the encoder `text_of`
as its default.
"""

from __future__ import annotations

from typing import Final

from l7codecs.capture.sessions import Decoded
from l7codecs.headers import EMPTY_HEADERS
from l7codecs.kinds import Kind, Status
from l7codecs.message import Data, Gap, Message

__all__ = ["Record", "RecordValue", "record_of", "text_of"]

RecordValue = object
Record = dict[str, RecordValue]

_MESSAGE: Final[Record] = dict.fromkeys(
    (
        "time", "flow", "protocol", "sender", "kind", "offset", "size", "more", "request_id", "stream_id", "request_offset", "service",
        "operation", "resources", "status", "error", "headers", "attributes",
    )
)  # fmt: skip
"""The keys of a message's record: a copy costs a third of a new dictionary of them."""

# Members of an enumeration are told by what they hold: as a key, or by their properties, each would cost a call of Python's.


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
            "sender": decoded.sender._value_,
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
            "sender": decoded.sender._value_,
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
    found = _MESSAGE.copy()
    found["time"] = decoded.time / 1e9
    found["flow"] = decoded.connection.flow
    found["protocol"] = message.protocol
    found["sender"] = message.sender._value_
    found["kind"] = message.kind._value_
    found["offset"] = message.offset
    found["size"] = message.size
    found["more"] = message.more
    found["request_id"] = message.request_id
    found["stream_id"] = message.stream_id
    found["request_offset"] = None if request is None else request.offset
    found["service"] = message.service
    found["operation"] = message.operation
    found["resources"] = message.resources
    found["status"] = None if status is None else status._name_
    found["error"] = message.error
    headers = message.headers
    found["headers"] = [] if headers is EMPTY_HEADERS else list(headers)
    found["attributes"] = message.attributes
    return found


def _outcome(decoded: Decoded, data: Data, status: Status) -> Record:
    found = _message(decoded, data.message)
    found["kind"] = Kind.TRAILERS._value_
    found["offset"] = data.offset
    found["size"] = len(data.raw)
    found["more"] = False
    found["status"] = status._name_
    found["headers"] = []
    return found


def _gap(decoded: Decoded, gap: Gap) -> Record:
    return {
        "time": decoded.time / 1e9,
        "flow": decoded.connection.flow,
        "protocol": decoded.protocol,
        "sender": gap.sender._value_,
        "kind": "gap",
        "offset": gap.offset,
        "size": gap.size,
    }
