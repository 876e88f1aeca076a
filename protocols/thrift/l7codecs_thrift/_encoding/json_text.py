"""JSON as Thrift's peers write it: passed over octet by octet, strings and numbers read.

Beyond RFC 8259: a key may be any value (a map's that is a struct), and numbers may be ``NaN``, ``nan``, ``Infinity``, ``inf`` (Node and
Python write them bare).
"""

from __future__ import annotations

import json
from typing import Final, final

from librt.vecs import append, vec
from mypy_extensions import i64

from l7codecs import LimitExceeded, ProtocolError

__all__ = ["SPACE", "JsonScan", "quoted", "string_end", "text_between"]

SPACE: Final = b" \t\r\n"
_QUOTE: Final[i64] = 0x22
_ESCAPE: Final[i64] = 0x5C

# What may come next.
_VALUE: Final[i64] = 0
_KEY: Final[i64] = 1  # or the end of an object that has nothing in it
_ELEMENT: Final[i64] = 2  # or the end of an array that has nothing in it
_COLON: Final[i64] = 3
_AFTER: Final[i64] = 4  # a comma, or an end
# Where it stands inside of something.
_STRING: Final[i64] = 5
_ESCAPED: Final[i64] = 6
_BARE: Final[i64] = 7
_DONE: Final[i64] = 8

# Containers: an object before a key's colon, behind it, an array.
_OBJECT_KEY: Final[i64] = 0
_OBJECT_VALUE: Final[i64] = 1
_ARRAY: Final[i64] = 2


def _bare() -> bytes:
    """1 for what numbers and words are made of."""
    marks = bytearray(256)
    for octet in b"0123456789+-.abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ":
        marks[octet] = 1
    return bytes(marks)


_IS_BARE: Final = _bare()


@final
class JsonScan:
    """Passes over one value of JSON as its octets come. It looks at none of them twice."""

    def __init__(self, nesting: i64) -> None:
        self.nesting: i64 = nesting
        self.state: i64 = _VALUE
        self._depth: i64 = 0
        self._open = vec[i64]()

    @property
    def done(self) -> bool:
        """Whether the value has ended. One that is no container has only when something else follows."""
        return self.state == _DONE

    def clear(self) -> None:
        """Begin anew."""
        self.state = _VALUE
        self._depth = 0

    def feed(self, octets: bytes, at: i64, stop: i64) -> i64:
        """Pass over ``octets[at:stop]``; return where it stands: `stop`, or the end of the value.

        Raises:
            ProtocolError: this is no JSON.
            LimitExceeded: it is deeper than `nesting`.
        """
        if at < 0 or stop > len(octets):
            raise ValueError(f"no octets from {at} to {stop}: {len(octets)}")
        state = self.state
        while at < stop and state != _DONE:
            octet = i64(octets[at])
            at += 1
            if state == _STRING:
                if octet == _QUOTE:
                    state = self._after_value()
                elif octet == _ESCAPE:
                    state = _ESCAPED
                continue
            if state == _ESCAPED:
                state = _STRING
                continue
            if state == _BARE:
                if i64(_IS_BARE[octet]) == 1:
                    continue
                state = self._after_value()
                at -= 1
                continue
            if octet == 0x20 or octet == 0x0A or octet == 0x0D or octet == 0x09:
                continue
            if state <= _ELEMENT:
                if octet == _QUOTE:
                    state = _STRING
                elif octet == 0x7B:
                    self._push(at - 1, _OBJECT_KEY)
                    state = _KEY
                elif octet == 0x5B:
                    self._push(at - 1, _ARRAY)
                    state = _ELEMENT
                elif i64(_IS_BARE[octet]) == 1:
                    state = _BARE
                elif (octet == 0x7D and state == _KEY) or (octet == 0x5D and state == _ELEMENT):
                    self._depth -= 1
                    state = self._after_value()
                else:
                    raise _unexpected(octet, at - 1, "a value of JSON")
            elif state == _COLON:
                if octet != 0x3A:
                    raise _unexpected(octet, at - 1, "a colon")
                self._open[self._depth - 1] = _OBJECT_VALUE
                state = _VALUE
            else:
                top = self._open[self._depth - 1]
                if octet == 0x2C:
                    if top == _OBJECT_VALUE:
                        self._open[self._depth - 1] = _OBJECT_KEY
                    state = _VALUE
                elif octet == (0x5D if top == _ARRAY else 0x7D):
                    self._depth -= 1
                    state = self._after_value()
                else:
                    raise _unexpected(octet, at - 1, "a comma or an end")
        self.state = state
        return at

    def _push(self, at: i64, kind: i64) -> None:
        depth = self._depth
        if depth >= self.nesting:
            raise LimitExceeded(at, "one more level of JSON", f"at most {self.nesting}")
        if depth < len(self._open):
            self._open[depth] = kind
        else:
            self._open = append(self._open, kind)
        self._depth = depth + 1

    def _after_value(self) -> i64:
        depth = self._depth
        if depth == 0:
            return _DONE
        return _COLON if self._open[depth - 1] == _OBJECT_KEY else _AFTER


def _unexpected(octet: i64, at: i64, expected: str) -> ProtocolError:
    return ProtocolError(at, f"octet {octet:02x}", expected)


def string_end(octets: bytes, at: i64, stop: i64) -> i64:
    """Where the string ends whose text begins at `at`: its closing quote; -1: not before `stop`."""
    while at < stop:
        octet = i64(octets[at])
        if octet == _QUOTE:
            return at
        at += 2 if octet == _ESCAPE else 1
    return -1


def text_between(octets: bytes, at: i64, end: i64) -> str | None:
    """The text between two quotes; None: it is none. Halves of surrogate pairs are U+FFFD."""
    inner = octets[at:end]
    try:
        if b"\\" not in inner:
            return inner.decode("utf-8")
        # Of octets `json` would guess the encoding.
        text = json.loads(f'"{inner.decode("utf-8")}"', strict=False)
    except ValueError:
        return None
    if not isinstance(text, str):
        return None
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def quoted(text: str) -> bytes:
    """A text as a string of JSON, with its quotes, in ASCII."""
    return json.dumps(text).encode("ascii")
