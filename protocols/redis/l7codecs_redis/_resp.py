"""RESP, the tokens that both directions share.

    <type> <number> CR LF            a length, a count          *3\\r\\n  $5\\r\\n  $-1\\r\\n  $?\\r\\n

"RESP protocol specification", redis.io; the strictness of numbers is that of the server's `string2ll` (redis/src/util.c): no sign but
a minus, no leading zero, no space, nothing empty.
"""

from __future__ import annotations

from typing import Final, NoReturn

from mypy_extensions import i64

from l7codecs import LimitExceeded, ProtocolError
from l7codecs.buffer import Buffer

__all__ = [
    "CR",
    "DOLLAR",
    "LF",
    "MAX_NUMBER",
    "NEED_MORE",
    "SPEC",
    "STAR",
    "STREAMED",
    "bad_octet",
    "check_line_end",
    "pass_line_end",
    "read_length",
]

SPEC: Final = "RESP"
NEED_MORE: Final[i64] = -(1 << 62)
"""Returned by `read_length` when the token has not arrived whole."""
STREAMED: Final[i64] = NEED_MORE + 1
"""Returned by `read_length` for ``?``: an unknown number, the end will be marked."""
MAX_NUMBER: Final[i64] = 1 << 59
"""No number on the wire may be larger; leaves room to add to it."""

STAR: Final[i64] = 0x2A
DOLLAR: Final[i64] = 0x24
CR: Final[i64] = 0x0D
LF: Final[i64] = 0x0A
_MINUS: Final[i64] = 0x2D
_QUESTION: Final[i64] = 0x3F


def read_length(buffer: Buffer) -> i64:
    """The number of the token at ``buffer.pos``; moves past its line.

    Returns NEED_MORE, and moves nothing, while the line is not whole. Raises `ProtocolError` at the octet that makes it no number.
    """
    while True:
        data = buffer.data
        first: i64 = buffer.pos + 1
        end = buffer.end
        at = first
        value: i64 = 0
        while at < end:
            octet: i64 = data[at]
            if 0x30 <= octet <= 0x39:
                value = value * 10 + (octet - 0x30)
                if value > MAX_NUMBER:
                    _too_large(buffer)
                if at == first + 1 and data[first] == 0x30:
                    bad_octet(buffer, at, "CR after the digit 0")
                at += 1
            elif octet == CR and at > first:
                if at + 1 == end:
                    break
                if data[at + 1] != LF:
                    bad_octet(buffer, at + 1, "LF after CR")
                buffer.pos = at + 2
                return value
            else:
                value = _read_special(buffer, first)
                if value != NEED_MORE:
                    return value
                break
        if not buffer.need(end - buffer.pos + 1):
            return NEED_MORE


def _read_special(buffer: Buffer, first: i64) -> i64:
    """As `read_length`, for what does not begin with a digit: a negative number, ``?``, or garbage."""
    data = buffer.data
    end = buffer.end
    at = first
    lead: i64 = data[at]
    if lead == _QUESTION:
        if not check_line_end(buffer, at + 1):
            return NEED_MORE
        buffer.pos = at + 3
        return STREAMED
    if lead != _MINUS:
        while at < end and 0x30 <= data[at] <= 0x39:
            at += 1
        bad_octet(buffer, at, "a digit" if at == first else "a digit or CR")
    at += 1
    value: i64 = 0
    while at < end:
        octet: i64 = data[at]
        if octet == CR and at > first + 1:
            if not check_line_end(buffer, at):
                return NEED_MORE
            buffer.pos = at + 2
            return -value
        if octet < 0x30 or octet > 0x39 or (octet == 0x30 and at == first + 1):
            bad_octet(buffer, at, "a digit that is not a leading 0")
        value = value * 10 + (octet - 0x30)
        if value > MAX_NUMBER:
            _too_large(buffer)
        at += 1
    return NEED_MORE


def check_line_end(buffer: Buffer, at: i64) -> bool:
    """Whether CR LF stands at index `at`; False while it has not arrived. Raises `ProtocolError` at an octet that is neither."""
    data = buffer.data
    end = buffer.end
    if at < end and data[at] != CR:
        bad_octet(buffer, at, "CR LF")
    if at + 1 < end and data[at + 1] != LF:
        bad_octet(buffer, at + 1, "LF after CR")
    return at + 1 < end


def pass_line_end(buffer: Buffer) -> bool:
    """Move past CR LF; False while it is not whole. Raises `ProtocolError` at an octet that is neither."""
    if not buffer.need(2):
        if buffer.need(1):
            check_line_end(buffer, buffer.pos)
        return False
    check_line_end(buffer, buffer.pos)
    buffer.pos += 2
    return True


def bad_octet(buffer: Buffer, at: i64, expected: str) -> NoReturn:
    """Raise `ProtocolError` for the octet at index `at` of the window."""
    octet: i64 = buffer.data[at]
    raise ProtocolError(buffer.base + at, repr(bytes([int(octet)])), expected, SPEC)


def _too_large(buffer: Buffer) -> NoReturn:
    raise LimitExceeded(buffer.offset, "a number of more than 17 digits", f"at most {MAX_NUMBER}", SPEC)
