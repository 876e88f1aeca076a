"""Bodies of fastjson and gson: JSON, a line for each value.

    "2.0.2"⏎ "com.acme.Orders"⏎ "1.0.0"⏎ "place"⏎ "Ljava/lang/String;"⏎ "argument"⏎ {"path":"com.acme.Orders"}⏎
    4⏎ "result"⏎ {"dubbo":"2.0.2"}⏎

Both escape the ends of lines in texts, so a line is a value. An exception of fastjson is an object with ``@type`` and ``message``; what
gson writes of one does not say its class. No consumer reads either as an exception, so none is written.

Source: `FastJsonObjectOutput`, `GsonJsonObjectOutput` of Dubbo 2.7.23.
"""

from __future__ import annotations

import json
from typing import Final, final

from mypy_extensions import i64, mypyc_attr

from l7codecs import HeaderValue, Limits, ProtocolError

from .apart import BodyOfValues
from .interface import (
    Attachment,
    Attachments,
)

__all__ = ["JsonLines"]

_LINE: Final = b"\n"
_RETURN: Final = b"\r"
_NULL: Final = b"null"
_QUOTE: Final[i64] = 0x22
_BACKSLASH: Final[i64] = 0x5C
_COMMA: Final[i64] = 0x2C
_COLON: Final[i64] = 0x3A
_OPENED: Final[i64] = 0x7B
_CLOSED: Final[i64] = 0x7D
_BEYOND: Final[i64] = -1
_MESSAGES: Final = ("message", "detailMessage")


def _end(octets: bytes, at: i64, stop: i64, more: bool) -> i64:
    """Behind the line at `at`; `_BEYOND` where that is behind `stop`, and the body has `more`. The last line may have no end.

    A carriage return ends a line for Java, too, by itself or before a line feed: else a provider would read other lines than are told.
    """
    begin = at
    size: i64 = 256
    while begin < stop:  # piece by piece: what stands far behind is not looked at for each line
        end = min(begin + size, stop)
        found = i64(octets.find(_LINE, begin, end))
        returned = i64(octets.find(_RETURN, begin, found if found >= 0 else end))
        if returned >= 0 and returned + 1 != found:
            if returned + 1 < stop:
                return returned + 2 if octets[returned + 1] == _LINE[0] else returned + 1
        elif found >= 0:
            return found + 1
        begin = end
        size *= 2
    if more:
        return _BEYOND
    if at >= stop:
        raise ProtocolError(at, "the end of the body", "a line of JSON")
    return stop


def _string(octets: bytes, at: i64, end: i64) -> str | None:
    """The text, or null, of a line."""
    line = octets[at:end].strip()
    if line == _NULL:
        return None
    found: object = None
    if line[:1] == b'"':
        try:
            found = json.loads(line.decode())  # of octets it would guess the encoding
        except ValueError:
            pass
    if not isinstance(found, str):
        raise ProtocolError(at, repr(line[:32]), "a text in JSON, or null")
    return found


def _written(value: HeaderValue | None) -> bytes:
    """`value` as JSON in which no line ends. Raises ValueError where JSON has no such value."""
    if isinstance(value, bytes):
        raise ValueError("JSON has no octets")
    return json.dumps(value, ensure_ascii=False, allow_nan=False).encode()


def _blank(octets: bytes, at: i64, stop: i64) -> i64:
    """Behind the blanks at `at`."""
    while at < stop:
        octet: i64 = octets[at]
        if octet != 0x20 and octet != 0x09 and octet != 0x0D and octet != 0x0A:
            break
        at += 1
    return at


def _text_end(octets: bytes, at: i64, stop: i64) -> i64:
    """Behind the text whose quote stands at `at`."""
    start = at
    at += 1
    while at < stop:
        octet: i64 = octets[at]
        if octet == _QUOTE:
            return at + 1
        at += 2 if octet == _BACKSLASH else 1
    raise ProtocolError(start, "a text without an end", "a quote")


def _value_end(octets: bytes, at: i64, stop: i64) -> i64:
    """Behind the value at `at`: up to a comma, or the end of what is around it."""
    depth: i64 = 0
    start = at
    while at < stop:
        octet: i64 = octets[at]
        if octet == _QUOTE:
            at = _text_end(octets, at, stop)
            continue
        if octet == _OPENED or octet == 0x5B:
            depth += 1
        elif octet == _CLOSED or octet == 0x5D:
            if depth == 0:
                return at
            depth -= 1
        elif octet == _COMMA and depth == 0:
            return at
        at += 1
    raise ProtocolError(start, "a value without an end", "JSON")


@final
class _Entry:
    """An entry of an object: its key, and where it begins, where its value does, and where it ends."""

    def __init__(self, key: str, start: i64, middle: i64, stop: i64) -> None:
        self.key = key
        self.start = start
        self.middle = middle
        self.stop = stop


def _entries(octets: bytes, at: i64, stop: i64) -> tuple[i64, list[_Entry]]:
    """The entries of the object that begins at `at`, and where it closes."""
    found: list[_Entry] = []
    at = _blank(octets, at + 1, stop)
    while at < stop and octets[at] != _CLOSED:
        if octets[at] != _QUOTE:
            raise ProtocolError(at, repr(octets[at : min(at + 16, stop)]), "a key in quotes")
        end = _text_end(octets, at, stop)
        key = _string(octets, at, end)
        middle = _blank(octets, end, stop)
        if middle >= stop or octets[middle] != _COLON:
            raise ProtocolError(end, repr(octets[end : min(end + 16, stop)]), "a colon")
        middle = _blank(octets, middle + 1, stop)
        behind = _value_end(octets, middle, stop)
        last = behind
        while last > middle and octets[last - 1] <= 0x20:
            last -= 1
        found.append(_Entry(key or "", at, middle, last))
        at = behind
        if octets[at] == _COMMA:
            at = _blank(octets, at + 1, stop)
    if at >= stop:
        raise ProtocolError(at, "an object without an end", "a brace")
    return at, found


def _header(octets: bytes, at: i64, stop: i64) -> HeaderValue:
    """What a header has of a value: texts, numbers and booleans as they are, of anything else its JSON."""
    raw = octets[at:stop].strip()
    if raw[:1] in (b"{", b"["):
        return raw.decode("utf-8", "replace")
    try:
        value: object = json.loads(raw.decode())
    except ValueError:
        if raw.lstrip(b"-").isdigit():  # more digits than Python makes a number of
            return raw.decode()
        raise ProtocolError(at, repr(raw[:32]), "a value of JSON") from None
    if isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, float) and value - value == 0:
        return value
    return raw.decode("utf-8", "replace")


@final
@mypyc_attr(acyclic=True)
class JsonLines(BodyOfValues):
    """See the module."""

    def end_of(self, octets: bytes, at: i64, stop: i64, more: bool) -> i64:
        return _end(octets, at, stop, more)

    def text_of(self, octets: bytes, at: i64, end: i64) -> str | None:
        return _string(octets, at, end)

    def kind_of(self, octets: bytes, at: i64, end: i64) -> i64:
        return _kind(octets, at, end)

    def attached(self, octets: bytes, at: i64, end: i64, limits: Limits) -> Attachments:
        begin = _blank(octets, at, end)
        if octets[begin:end].strip() == _NULL:
            return Attachments(at, at, at, end, [])
        if begin == end or octets[begin] != _OPENED:
            raise ProtocolError(begin, repr(octets[begin : min(end, begin + 16)]), "an object of attachments, or null")
        last, found = _entries(octets, begin, end)
        entries = [Attachment(e.key, _header(octets, e.middle, e.stop), e.start, e.middle, e.stop) for e in found]
        return Attachments(at, begin + 1, last, end, entries)

    def list_of(self, octets: bytes, at: i64, end: i64, limits: Limits) -> list[object] | None:
        line = octets[at:end].strip()
        if line[:1] != b"[" or line.count(b"[") - line.count(b'"[') + line.count(b"{") > limits.nesting:
            return None
        try:
            value: object = json.loads(line.decode())
        except ValueError:
            return None
        return value if isinstance(value, list) else None

    def thrown(self, octets: bytes, at: i64, end: i64) -> tuple[str | None, str | None]:
        begin = _blank(octets, at, end)
        name: str | None = None
        message: str | None = None
        if begin < end and octets[begin] == _OPENED:
            for entry in _entries(octets, begin, end)[1]:
                if entry.key == "@type":
                    name = _string(octets, entry.middle, entry.stop)
                elif entry.key in _MESSAGES and octets[entry.middle] == _QUOTE:
                    message = _string(octets, entry.middle, entry.stop)
        return name, message

    def is_null(self, octets: bytes, start: i64, stop: i64) -> bool:
        return octets[start:stop].strip() == _NULL

    def plausible(self, octets: bytes, start: i64, stop: i64, more: bool, limits: Limits) -> bool:
        first = octets[start : start + 1]
        return first in (b'"', b"n") or first.isdigit()

    def write_text(self, text: str) -> bytes:
        return self.write_string(text)

    def string_end(self, octets: bytes, at: i64, stop: i64) -> i64:
        return _end(octets, at, stop, False)

    def write_string(self, text: str | None) -> bytes:
        return _written(text) + _LINE

    def write_null(self) -> bytes:
        return _NULL + _LINE

    def write_attachment(self, key: str, value: HeaderValue) -> bytes:
        return _written(key) + b":" + _written(value)

    def write_attachments(self, entries: bytes) -> bytes:
        return b"{" + entries + b"}" + _LINE

    def kept_attachments(
        self, octets: bytes, start: i64, found: Attachments, keep: list[bool], limits: Limits
    ) -> list[bytes]:
        parts = [octets[e.start : e.stop] if keep[n] else b"" for n, e in enumerate(found.entries)]
        parts.append(b"")
        return parts

    def rewrite_attachments(self, octets: bytes, found: Attachments, parts: list[bytes]) -> bytes:
        entries = b",".join([part for part in parts if part])
        if found.first == found.start:
            made = self.write_attachments(entries)
            return made if octets[found.start - 1 : found.start] in (_LINE, _RETURN) else _LINE + made
        return octets[found.start : found.first] + entries + octets[found.last : found.stop]


def _kind(octets: bytes, start: i64, end: i64) -> i64:
    line = octets[start:end].strip()
    if len(line) != 1 or not b"0" <= line <= b"5":
        raise ProtocolError(start, f"an answer of kind {line[:16]!r}", "0 to 5")
    return i64(line[0] - 0x30)
