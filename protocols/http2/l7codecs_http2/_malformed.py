"""Malformed requests and responses. RFC 9113 §8.1.1, §8.2, §8.3, §8.5; RFC 8441 §4."""

from __future__ import annotations

from typing import Final

from mypy_extensions import i64

from ._messages import AUTHORITY, INTERIM, METHOD, PATH, RESPONSE, SCHEME, STATUS, TRAILERS, Http2Message
from ._static_table import (
    CONNECTION,
    LATE_PSEUDO,
    NAME_BAD,
    OTHER_PSEUDO,
    PSEUDO,
    REPEATED,
    UNKNOWN_NAME,
    UNKNOWN_VALUE,
    VALUE_BAD,
    well_known,
)

__all__ = ["find_fault"]

_PROTOCOL: Final = well_known(":protocol")
_TE: Final = well_known("te")
_BAD: Final[i64] = NAME_BAD | VALUE_BAD | CONNECTION | LATE_PSEUDO | REPEATED
_NOT_IN_REQUESTS: Final[i64] = OTHER_PSEUDO | (STATUS.flags & ~PSEUDO)
_NOT_IN_RESPONSES: Final[i64] = OTHER_PSEUDO | (
    (METHOD.flags | SCHEME.flags | AUTHORITY.flags | PATH.flags | _PROTOCOL.flags) & ~PSEUDO
)


def find_fault(message: Http2Message, ends: bool) -> str | None:
    """Which rule `message` breaks, in a few words; None where it breaks none, or where fields are not known."""
    block = message.block
    seen = block.seen
    if seen & (UNKNOWN_NAME | UNKNOWN_VALUE) != 0 or block.oversized:
        return None
    if seen & _BAD != 0:
        if seen & NAME_BAD != 0:
            return "a name with octets that are not allowed (§8.2.1)"
        if seen & VALUE_BAD != 0 and not _only_binary(message):
            return "a value with octets that are not allowed (§8.2.1)"
        if seen & LATE_PSEUDO != 0:
            return "a pseudo-header behind a field (§8.3)"
        if seen & REPEATED != 0:
            return "a pseudo-header twice (§8.3)"
        if seen & CONNECTION != 0:
            return "a field of an HTTP/1.1 connection (§8.2.2)"
    role = message.role
    if role == TRAILERS:
        if seen & PSEUDO != 0:
            return "a pseudo-header in trailers (§8.1)"
        return None if ends else "trailers that do not end the stream (§8.1)"
    te = block.get(_TE)
    if te is not None and te.value != b"trailers":
        return "te other than trailers (§8.2.2)"
    if role == RESPONSE or role == INTERIM:
        code = message.status_code
        if code is None or not 100 <= code <= 599 + 400:
            return "no :status of three digits (§8.3.2)"
        if role == INTERIM and ends:
            return "an interim response that ends the stream (§8.1)"
        return _misplaced(message, _NOT_IN_RESPONSES)
    return _request_fault(message)


def _only_binary(message: Http2Message) -> bool:
    """Whether every value with such octets is binary metadata of gRPC, which peers may agree to send as it is ("True Binary Metadata")."""
    if not message.framed:
        return False
    return all(field.flags & VALUE_BAD == 0 or field.title.octets.endswith(b"-bin") for field in message.block.fields)


def _request_fault(message: Http2Message) -> str | None:
    block = message.block
    method = block.get(METHOD)
    if method is None or not method.value:
        return "no :method (§8.3.1)"
    path = block.get(PATH)
    scheme = block.get(SCHEME)
    if method.value == b"CONNECT" and block.get(_PROTOCOL) is None:
        if path is not None or scheme is not None or block.get(AUTHORITY) is None:
            return "CONNECT takes :authority alone (§8.5)"
    else:
        if scheme is None:
            return "no :scheme (§8.3.1)"
        if path is None or not path.value:
            return "no :path (§8.3.1)"
        if block.get(_PROTOCOL) is not None and method.value != b"CONNECT":
            return ":protocol without CONNECT (RFC 8441 §4)"
    return _misplaced(message, _NOT_IN_REQUESTS)


def _misplaced(message: Http2Message, others: i64) -> str | None:
    """A pseudo-header that this kind of message does not have: one of those whose bits are in `others`."""
    if message.block.seen & others == 0:
        return None
    found = next(field.title.text for field in message.block.fields if field.flags & others != 0)
    return f"{found} where it does not belong (§8.3)"
