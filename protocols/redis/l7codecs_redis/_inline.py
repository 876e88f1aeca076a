"""Inline commands: the words of a line, quoted as a shell would (`sdssplitargs`, redis/src/sds.c)."""

from __future__ import annotations

from typing import Final

__all__ = ["split_arguments"]

_BLANKS: Final = b" \t\n\v\f\r"
"""What is passed over between words, and may stand behind a closing quote (`isspace`)."""
_ENDS: Final = b" \t\n\r"
"""What ends a word that is not quoted."""
_ESCAPES: Final = {0x6E: 0x0A, 0x72: 0x0D, 0x74: 0x09, 0x62: 0x08, 0x61: 0x07}
_HEX: Final = b"0123456789abcdefABCDEF"
_DOUBLE: Final = 0x22
_SINGLE: Final = 0x27
_BACKSLASH: Final = 0x5C


def split_arguments(line: bytes) -> list[bytes] | None:
    """The words of `line`; None where quotes are not balanced."""
    end = len(line)
    found: list[bytes] = []
    at = 0
    while True:
        while at < end and line[at] in _BLANKS:
            at += 1
        if at >= end:
            return found
        word = bytearray()
        while at < end and line[at] not in _ENDS:
            octet = line[at]
            if octet == _DOUBLE or octet == _SINGLE:
                at = _quoted(line, at, end, word)
                if at < 0:
                    return None
                break
            word.append(octet)
            at += 1
        found.append(bytes(word))


def _quoted(line: bytes, at: int, end: int, word: bytearray) -> int:
    """Append what stands between the quotes that open at `at`; returns the index after them, or -1 where they do not close."""
    quote = line[at]
    at += 1
    while at < end:
        octet = line[at]
        if octet == quote:
            at += 1
            return at if at == end or line[at] in _BLANKS else -1
        if octet == _BACKSLASH and at + 1 < end:
            following = line[at + 1]
            if quote == _SINGLE:
                if following == _SINGLE:
                    octet = _SINGLE
                    at += 1
            elif following == 0x78 and at + 3 < end and line[at + 2] in _HEX and line[at + 3] in _HEX:
                octet = int(line[at + 2 : at + 4], 16)
                at += 3
            else:
                octet = _ESCAPES.get(following, following)
                at += 1
        word.append(octet)
        at += 1
    return -1
