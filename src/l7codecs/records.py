"""A message as a plain record: one dictionary, ready for a JSON encoder.

Keys and their order are the same for every message. Keys of a store, header values and some attributes are octets:
give the encoder `text_of` as its default.
"""

from __future__ import annotations

from typing import Final

from l7codecs.headers import EMPTY_HEADERS
from l7codecs.message import Message

__all__ = ["Record", "RecordValue", "json_safe", "message_record", "text_of"]

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


def message_record(message: Message, time: float, flow: str) -> Record:
    """The record of `message`, which came at `time`, in seconds since 1970, on the connection `flow`."""
    request = message.request
    status = message.status
    found = _MESSAGE.copy()
    found["time"] = time
    found["flow"] = flow
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


def json_safe(line: bytes) -> bytes:
    """JSON in UTF-8 with ``\\u`` escapes for what moves a terminal's cursor or turns the direction of its text.

    They read the same. Ends of lines, which no string has, stay.
    """
    if line.isascii() and line.find(0x7F) < 0:  # an encoder escapes the other controls itself
        return line
    text = line.decode()
    if text.rstrip("\n").isprintable():
        return line
    return "".join(c if c.isprintable() or c == "\n" else _json_escape(c) for c in text).encode()


def _json_escape(character: str) -> str:
    units = character.encode("utf-16-be")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))
