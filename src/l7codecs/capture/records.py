"""What was decoded -> plain records: one dictionary for each message, gap or error. See `l7codecs.records`."""

from __future__ import annotations

from l7codecs.capture.sessions import Decoded
from l7codecs.kinds import Kind, Status
from l7codecs.message import Data, Gap, Message
from l7codecs.records import Record, message_record

__all__ = ["record_of"]


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
    return message_record(message, decoded.time / 1e9, decoded.connection.flow)


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
