"""Replies of one line: what may stand between the type and CR LF ("RESP protocol specification", redis.io).

+text  -text         anything
:  (                 an optional sign and digits
,                    digits with an optional sign, fraction and exponent, or inf, -inf, nan
#                    t or f
_                    nothing
"""

from __future__ import annotations

from typing import Final

from mypy_extensions import i64

from l7codecs.buffer import Buffer

from ._resp import CR, bad_octet

__all__ = ["check_scalar", "is_scalar"]

_PLUS: Final[i64] = 0x2B
_MINUS: Final[i64] = 0x2D
_COLON: Final[i64] = 0x3A
_PAREN: Final[i64] = 0x28
_COMMA: Final[i64] = 0x2C
_HASH: Final[i64] = 0x23
_UNDERSCORE: Final[i64] = 0x5F

_WORDS: Final = frozenset({b"inf", b"+inf", b"-inf", b"nan", b"-nan"})


def is_scalar(octet: i64) -> bool:
    """Whether a reply that begins with `octet` is one line."""
    return (
        octet == _PLUS
        or octet == _MINUS
        or octet == _COLON
        or octet == _UNDERSCORE
        or octet == _COMMA
        or octet == _HASH
        or octet == _PAREN
    )


def check_scalar(buffer: Buffer, octet: i64, size: i64) -> None:
    """Raise `ProtocolError` where the line of `size` octets at ``buffer.pos``, which ends with LF, is no reply of type `octet`."""
    data = buffer.data
    end = buffer.pos + size - 2
    if data[end] != CR or size < 3:
        bad_octet(buffer, end + 1, "CR before LF")
    if octet == _PLUS or octet == _MINUS:
        return
    at = buffer.pos + 1
    if octet == _COLON or octet == _PAREN:
        if data[at] == _PLUS or data[at] == _MINUS:
            at += 1
        at = _digits(buffer, at)
    elif octet == _COMMA:
        if data[at:end].lower() in _WORDS:
            return
        at = _double(buffer, at)
    elif octet == _HASH:
        if data[at] != 0x74 and data[at] != 0x66:
            bad_octet(buffer, at, "t or f")
        at += 1
    if at != end:
        bad_octet(buffer, at, "CR LF")


def _digits(buffer: Buffer, at: i64) -> i64:
    """The index after one or more digits at `at`; the line's CR ends them at the latest."""
    data = buffer.data
    first = at
    while 0x30 <= data[at] <= 0x39:
        at += 1
    if at == first:
        bad_octet(buffer, at, "a digit")
    return at


def _double(buffer: Buffer, at: i64) -> i64:
    data = buffer.data
    if data[at] == _PLUS or data[at] == _MINUS:
        at += 1
    at = _digits(buffer, at)
    if data[at] == 0x2E:
        at += 1
        while 0x30 <= data[at] <= 0x39:
            at += 1
    if data[at] == 0x65 or data[at] == 0x45:
        at += 1
        if data[at] == _PLUS or data[at] == _MINUS:
            at += 1
        at = _digits(buffer, at)
    return at
