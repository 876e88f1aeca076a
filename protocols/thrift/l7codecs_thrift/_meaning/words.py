"""The words of Thrift: types of messages, encodings, transports, and the types of a TApplicationException."""

from __future__ import annotations

from typing import Final

from mypy_extensions import i64

from l7codecs import Status

__all__ = [
    "BINARY",
    "CALL",
    "COMPACT",
    "DIALECTS",
    "ENCODINGS",
    "EXCEPTION",
    "FINAGLE",
    "FRAMED",
    "HEADER",
    "HTTP",
    "JSON",
    "METADATA_JSON",
    "NO_ENCODING",
    "OLD_BINARY",
    "ONEWAY",
    "REPLY",
    "TEXT_JSON",
    "TRANSPORTS",
    "TTHEADER",
    "TYPES",
    "UNFRAMED",
    "UPGRADE",
    "ZLIB",
    "exception_name",
    "exception_status",
]

CALL: Final[i64] = 1
REPLY: Final[i64] = 2
EXCEPTION: Final[i64] = 3
ONEWAY: Final[i64] = 4
TYPES: Final = ("none", "call", "reply", "exception", "oneway")

BINARY: Final[i64] = 0
OLD_BINARY: Final[i64] = 1
COMPACT: Final[i64] = 2
JSON: Final[i64] = 3
METADATA_JSON: Final[i64] = 4
NO_ENCODING: Final[i64] = 5
TEXT_JSON: Final[i64] = 6
"""Of HTTP alone."""
ENCODINGS: Final = ("binary", "old-binary", "compact", "json", "thriftpy2-json", "unread", "ttext")
"""The first two are TBinaryProtocol, strict and not; `thriftpy2-json` is what thriftpy2 calls TJSONProtocol."""

FRAMED: Final[i64] = 0
UNFRAMED: Final[i64] = 1
HEADER: Final[i64] = 2
TTHEADER: Final[i64] = 3
FINAGLE: Final[i64] = 4
ZLIB: Final[i64] = 5
HTTP: Final[i64] = 6
TRANSPORTS: Final = ("framed", "unframed", "header", "ttheader", "finagle", "zlib", "http")
DIALECTS: Final = tuple([f"{transport}/{encoding}" for transport in TRANSPORTS for encoding in ENCODINGS])
"""What a connection speaks, by transport and encoding."""
UPGRADE: Final = "__can__finagle__trace__v3__"
"""The call by which a client of Finagle asks for a struct before each message, for the whole connection."""

_EXCEPTIONS: Final = (
    "UNKNOWN",
    "UNKNOWN_METHOD",
    "INVALID_MESSAGE_TYPE",
    "WRONG_METHOD_NAME",
    "BAD_SEQUENCE_ID",
    "MISSING_RESULT",
    "INTERNAL_ERROR",
    "PROTOCOL_ERROR",
    "INVALID_TRANSFORM",
    "INVALID_PROTOCOL",
    "UNSUPPORTED_CLIENT_TYPE",
)
"""As TApplicationExceptionType of the libraries has them."""
_STATUSES: Final = (
    Status.UNKNOWN,
    Status.UNIMPLEMENTED,
    Status.INVALID_ARGUMENT,
    Status.INTERNAL,
    Status.INTERNAL,
    Status.INTERNAL,
    Status.INTERNAL,
    Status.INTERNAL,
    Status.INVALID_ARGUMENT,
    Status.INVALID_ARGUMENT,
    Status.UNIMPLEMENTED,
)
_MISSING: Final = ("Unknown function ", "Invalid method name: ", "unknown method: ", "no route for method ")
"""How servers begin the text that says that there is no such method: those of Node write no type with it."""


def exception_name(number: int | None) -> str:
    """``UNKNOWN_METHOD``; ``UNKNOWN`` where no type is written; the number where it has no name."""
    if number is None:
        return _EXCEPTIONS[0]
    return _EXCEPTIONS[number] if 0 <= number < len(_EXCEPTIONS) else str(number)


def exception_status(number: int | None, text: str | None) -> Status:
    """The canonical code of a TApplicationException of this type, if it has one, and this text."""
    if number is None or number == 0:
        return Status.UNIMPLEMENTED if text is not None and text.startswith(_MISSING) else Status.UNKNOWN
    return _STATUSES[number] if 0 < number < len(_STATUSES) else Status.UNKNOWN
