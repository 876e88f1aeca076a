"""Malformed requests and responses. RFC 9113 §8.1.1, §8.2, §8.3, §8.5; RFC 8441 §4."""

from __future__ import annotations

from typing import Final

from librt.strings import read_i64_le
from mypy_extensions import i64

from .._hpack.block import HeaderBlock
from .._hpack.static_table import (
    AGAIN,
    CONNECTION,
    LATE_PSEUDO,
    NAME_BAD,
    OTHER_PSEUDO,
    PSEUDO,
    REGULAR,
    REPEATED,
    UNKNOWN_NAME,
    UNKNOWN_VALUE,
    VALUE_BAD,
    HeaderField,
    static_field,
    well_known,
)
from .meaning import digits
from .messages import INTERIM, PROMISE, REQUEST, RESPONSE, TRAILERS, Http2Message
from .names import AUTHORITY, HOST, METHOD, PATH, SCHEME, STATUS

__all__ = ["find_fault", "has_protocol"]

_GET: Final = static_field(":method", b"GET")
_POST: Final = static_field(":method", b"POST")
_HTTP: Final = static_field(":scheme", b"http")
_HTTPS: Final = static_field(":scheme", b"https")
"""The one object of each that an index of the static table stands for."""
_PROTOCOL: Final = well_known(":protocol")
_PROTOCOL_MARK: Final[i64] = _PROTOCOL.flags & ~PSEUDO
_TE: Final = well_known("te")
_TE_MARK: Final[i64] = _TE.flags & ~REGULAR
_CONTENT_LENGTH: Final = well_known("content-length")
_TOKEN: Final = bytes((chr(octet).isalnum() and octet < 0x80) or octet in b"!#$%&'*+-.^_`|~" for octet in range(256))
"""For each octet, 1 where a token may have it (RFC 9110 §5.6.2)."""
_DEFAULT_PORTS: Final = {b"http": b":80", b"https": b":443"}
_BAD: Final[i64] = NAME_BAD | VALUE_BAD | CONNECTION | LATE_PSEUDO | REPEATED
_NOT_IN_REQUESTS: Final[i64] = OTHER_PSEUDO | (STATUS.flags & ~PSEUDO)
_NOT_IN_RESPONSES: Final[i64] = OTHER_PSEUDO | (
    (METHOD.flags | SCHEME.flags | AUTHORITY.flags | PATH.flags) & ~PSEUDO | _PROTOCOL_MARK
)


def find_fault(message: Http2Message, ends: bool) -> str | None:
    """Which rule `message` breaks, in a few words; None where it breaks none, or where fields are not known."""
    block = message.block
    if block.oversized:
        return f"a header list of {block.size} octets (§10.5.1)"
    seen = block.seen
    if seen & (UNKNOWN_NAME | UNKNOWN_VALUE) != 0:
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
    if seen & _TE_MARK != 0:
        te = block.get(_TE)
        if te is not None and te.value != b"trailers" and te.value.lower() != b"trailers":
            return "te other than trailers (§8.2.2)"
        if te is not None and seen & AGAIN != 0 and not block.agrees(te):
            return "te other than trailers (§8.2.2)"
    role = message.role
    if role == TRAILERS:
        if seen & PSEUDO != 0:
            return "a pseudo-header in trailers (§8.1)"
        return None if ends else "trailers that do not end the stream (§8.1)"
    length = block.get(_CONTENT_LENGTH)
    if length is not None:
        if digits(length.value) < 0:
            return "a content-length that is no number (§8.1.1)"
        if seen & AGAIN != 0 and not block.agrees(length):
            return "two values of content-length (§8.1.1)"
    if role == RESPONSE or role == INTERIM:
        code = message.code()
        if not 100 <= code <= 599 + 400:
            return "no :status of three digits (§8.3.2)"
        if code == 101:
            return "101, which HTTP/2 does not have (§8.6)"
        if role == INTERIM and ends:
            return "an interim response that ends the stream (§8.1)"
        return _misplaced(message, _NOT_IN_RESPONSES)
    return _request_fault(message)


def _only_binary(message: Http2Message) -> bool:
    """Whether every value with such octets is binary metadata of gRPC, which peers may agree to send as it is ("True Binary Metadata")."""
    request = message.request
    known = (
        message.role == REQUEST or message.role == PROMISE or (isinstance(request, Http2Message) and request.certain)
    )
    if known and not message.framed:
        return False
    return all(field.flags & VALUE_BAD == 0 or field.title.octets.endswith(b"-bin") for field in message.block.fields)


def _request_fault(message: Http2Message) -> str | None:
    block = message.block
    method = block.get(METHOD)
    if method is None or len(method.value) == 0:
        return "no :method (§8.3.1)"
    ordinary = method is _GET or method is _POST
    if not ordinary and not _is_token(method.value):
        return "a :method that is no token (§8.3.1)"
    path = block.get(PATH)
    scheme = block.get(SCHEME)
    protocol = block.seen & _PROTOCOL_MARK != 0
    if not ordinary and not protocol and method.value == b"CONNECT":
        authority = block.get(AUTHORITY)
        if path is not None or scheme is not None or authority is None or not authority.value:
            return "CONNECT takes :authority alone (§8.5)"
    else:
        if scheme is None:
            return "no :scheme (§8.3.1)"
        if path is None or len(path.value) == 0:
            return "no :path (§8.3.1)"
        if path.value[0] != 0x2F and scheme.value in _DEFAULT_PORTS:
            if path.value != b"*" or method.value != b"OPTIONS":
                return "a :path that does not begin with / (§8.3.1)"
        if _has_space(path.value) or (scheme is not _HTTPS and scheme is not _HTTP and _has_space(scheme.value)):
            return "a space in :path or :scheme (§8.3.1)"
        if protocol and method.value != b"CONNECT":
            return ":protocol without CONNECT (RFC 8441 §4)"
    if message.role == PROMISE and method.value not in (b"GET", b"HEAD"):
        return "a promised request that is not safe and cacheable (§8.4)"
    host = block.get(HOST)
    if host is not None and not _same_host(block, host, block.get(AUTHORITY), scheme):
        return "host and :authority that differ (§8.3.1)"
    return _misplaced(message, _NOT_IN_REQUESTS)


def has_protocol(block: HeaderBlock) -> bool:
    """Whether a request has ``:protocol`` (RFC 8441 §4), which a server has to allow."""
    return block.seen & _PROTOCOL_MARK != 0


def _is_token(octets: bytes) -> bool:
    """Whether RFC 9110 §5.6.2 calls `octets` a token."""
    allowed = _TOKEN
    at: i64 = 0
    stop: i64 = len(octets)
    while at < stop:
        octet: i64 = octets[at]
        if not allowed[octet]:
            return False
        at += 1
    return True


def _has_space(octets: bytes) -> bool:
    """Whether `octets` have a space or a control character: they would end a word of HTTP/1.1."""
    at: i64 = 0
    stop: i64 = len(octets)
    # Seven octets at a time, without a carry from one to the next: are all from 0x21 to 0x7E?
    while at + 8 <= stop:
        word = read_i64_le(octets, at) & 0x007F7F7F7F7F7F7F
        if (word + 0x005F5F5F5F5F5F5F) & 0x0080808080808080 != 0x0080808080808080:
            break
        if (word + 0x0001010101010101) & 0x0080808080808080 != 0:
            break
        at += 7
    while at < stop:
        octet: i64 = octets[at]
        if octet <= 0x20 or octet == 0x7F:
            return True
        at += 1
    return False


def _same_host(
    block: HeaderBlock, host: HeaderField, authority: HeaderField | None, scheme: HeaderField | None
) -> bool:
    """Whether all that a request says of its host is the same, a scheme's own port apart."""
    if not block.agrees(host):
        return False
    if authority is None:
        return True
    one, other = host.value.lower(), authority.value.lower()
    if one == other:
        return True
    port = b"" if scheme is None else _DEFAULT_PORTS.get(scheme.value, b"")
    return one.removesuffix(port) == other.removesuffix(port)


def _misplaced(message: Http2Message, others: i64) -> str | None:
    """A pseudo-header that this kind of message does not have: one of those whose bits are in `others`."""
    if message.block.seen & others == 0:
        return None
    found = next(field.title.text for field in message.block.fields if field.flags & others != 0)
    return f"{found} where it does not belong (§8.3)"
