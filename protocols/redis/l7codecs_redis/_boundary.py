"""Where decoding can go on after lost octets: the first place where a command or a reply plausibly begins."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["find_command_boundary", "find_reply_boundary"]

_PLUS: Final = 0x2B
_MINUS: Final = 0x2D
_COLON: Final = 0x3A
_PAREN: Final = 0x28
_COMMA: Final = 0x2C
_HASH: Final = 0x23
_UNDERSCORE: Final = 0x5F


def find_command_boundary(octets: bytes, fresh: bool, at: int = 0) -> int:
    """The index of the first ``*`` from `at` on that begins a plausible command, as `Decoder.boundary` returns it.

    Plausible is ``*`` 1 to 7 digits CR LF ``$`` 1 to 9 digits CR LF, after LF, or where `fresh`, directly behind the gap, at the start.
    """
    while True:
        at = octets.find(b"*", at)
        if at < 0:
            return _nothing(octets)
        if (at == 0 and fresh) or (at > 0 and octets[at - 1] == 0x0A):
            after = _plausible_length(octets, at, 7)
            if after > 0:
                if after == len(octets):
                    return -1 - max(at - 1, 0)
                if octets[after] == 0x24:
                    after = _plausible_length(octets, after, 9)
                    if after > 0:
                        return at
                    if after < 0:
                        return -1 - max(at - 1, 0)
            elif after < 0:
                return -1 - max(at - 1, 0)
        at += 1


def _plausible_length(octets: bytes, at: int, digits: int) -> int:
    """The index after ``<type> 1*digits CR LF`` at `at`; 0 if that is not what stands there, -1 if more octets are needed."""
    first = at + 1
    end = len(octets)
    at = first
    while at < end and 0x30 <= octets[at] <= 0x39:
        at += 1
    if at - first > digits:
        return 0
    if at == end:
        return -1
    if at == first or octets[at] != 0x0D:
        return 0
    if at + 1 == end:
        return -1
    return at + 2 if octets[at + 1] == 0x0A else 0


def find_reply_boundary(octets: bytes, fresh: bool, at: int = 0) -> int:
    """The index of the first plausible reply from `at` on, as `Decoder.boundary` returns it.

    Plausible, after LF, or where `fresh` at the start: a length or count of at most 9 digits, an integer, a big number, a double,
    a null, a boolean; a status in upper case (``+OK``), or of words that begin with a capital (``+Background saving started``);
    a line of MONITOR (``+1339518083.107412 [0 127.0.0.1:60866] "keys" "*"``); an error that begins with a word in upper case.
    """
    end = len(octets)
    while at < end:
        if (at == 0 and fresh) or (at > 0 and octets[at - 1] == 0x0A):
            verdict = _plausible(octets, at)
            if verdict > 0:
                return at
            if verdict < 0:
                return -1 - max(at - 1, 0)
        at = octets.find(b"\n", at) + 1
        if at == 0:
            break
    return _nothing(octets)


def _nothing(octets: bytes) -> int:
    """Nothing begins in `octets`; a LF at their end is kept, since a message may follow it."""
    return -1 - len(octets) + octets.endswith(b"\n")


_COUNTED: Final = b"$*%~>!=|"
_LONGEST_WORD: Final = 24
_LONGEST_NUMBER: Final = 512
_LONGEST_SENTENCE: Final = 128
_DOUBLE: Final = re.compile(rb"(?:[+-]?[0-9]{1,320}(?:\.[0-9]{0,340})?(?:[eE][+-]?[0-9]{1,4})?|[+-]?inf|-?nan)\r\n")
_MONITOR: Final = re.compile(rb'[0-9]{9,11}\.[0-9]{6} \[[0-9]{1,10} [^\]\r\n]{1,256}\] "')
_SENTENCE: Final = re.compile(rb"[A-Z][A-Za-z]+(?: [A-Za-z0-9()_.,:'-]+)+\r\n")
_LONGEST_DOUBLE: Final = 700
_MONITOR_HEAD: Final = 320


def _plausible(octets: bytes, at: int) -> int:
    """1 for a plausible reply at `at`, 0 for none, -1 where more octets are needed to tell."""
    kind = octets[at]
    first = at + 1
    at = first
    end = len(octets)
    if kind == _COMMA:
        return _plausible_double(octets, first)
    if kind == _PLUS and first < end and 0x30 <= octets[first] <= 0x39:
        return _plausible_monitor(octets, first)
    if kind in _COUNTED or kind == _COLON or kind == _PAREN:
        if at < end and octets[at] == 0x2D:
            at += 1
        digits = at
        while at < end and 0x30 <= octets[at] <= 0x39:
            at += 1
        if at - digits > (19 if kind == _COLON else _LONGEST_NUMBER if kind == _PAREN else 9) or (
            at < end and at == digits
        ):
            return 0
    elif kind == _PLUS or kind == _MINUS:
        while at < end and 0x41 <= octets[at] <= 0x5A:
            at += 1
        if kind == _PLUS and at - first < _LONGEST_WORD and at < end and octets[at] != 0x0D:
            return _plausible_sentence(octets, first)
        if at - first > _LONGEST_WORD or (at < end and at - first < 2):
            return 0
        if kind == _MINUS and at < end and octets[at] == 0x20:
            return 1
    elif kind == _HASH:
        if at < end and octets[at] != 0x74 and octets[at] != 0x66:
            return 0
        at += 1
    elif kind != _UNDERSCORE:
        return 0
    if octets[at : at + 2] == b"\r\n":
        return 1
    return -1 if b"\r\n".startswith(octets[at : at + 2]) else 0


def _plausible_double(octets: bytes, first: int) -> int:
    """As `_plausible`, for what stands behind ``,``."""
    if _DOUBLE.match(octets, first):
        return 1
    line = octets[first : first + _LONGEST_DOUBLE]
    return -1 if b"\n" not in line and len(line) < _LONGEST_DOUBLE and not line.strip(b"+-.0123456789eEinfa\r") else 0


def _plausible_monitor(octets: bytes, first: int) -> int:
    """As `_plausible`, for what stands behind ``+`` and begins with a digit."""
    if _MONITOR.match(octets, first):
        return 1
    line = octets[first : first + _MONITOR_HEAD]
    time, blank, _rest = line.partition(b" ")
    return -1 if b"\n" not in line and len(line) < _MONITOR_HEAD and (blank or not time.strip(b".0123456789")) else 0


def _plausible_sentence(octets: bytes, first: int) -> int:
    """As `_plausible`, for a status of several words."""
    if not 0x41 <= octets[first] <= 0x5A:
        return 0
    end = octets.find(b"\n", first, first + _LONGEST_SENTENCE)
    if end < 0:
        return -1 if len(octets) - first < _LONGEST_SENTENCE else 0
    return 1 if _SENTENCE.match(octets, first) else 0
