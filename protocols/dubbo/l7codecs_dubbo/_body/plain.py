"""Values of attachments as headers have them, whatever the serialization.

What a header cannot hold as it is becomes text:

    null                         null
    not a number, infinity       NaN, Infinity, -Infinity
    date                         2026-11-29T20:54:39.123Z
    list, map, object            JSON; an object is a map that has ``class`` first

Octets can refer to what was told before, be it a list or a long name. So a list, map or object that a message has told is "…" from
then on, and so is each that would begin behind the first `_MOST` characters of such texts: the texts of a message are never much longer
than that, or than its octets.
"""

from __future__ import annotations

import json
import math
from datetime import datetime
from typing import Final, final

from mypy_extensions import i64, mypyc_attr

from l7codecs import HeaderValue

from .._hessian.values import HessianList, HessianMap, HessianObject

__all__ = ["Fields", "Texts", "iso_date"]

_AGAIN: Final = '"…"'
_MOST: Final[i64] = 1 << 16


def iso_date(value: datetime) -> str:
    """A date in UTC as ISO 8601 writes it, with milliseconds where it has some."""
    text = value.replace(tzinfo=None).isoformat(timespec="milliseconds" if value.microsecond else "seconds")
    return text + "Z"


def _infinite(value: float) -> str:
    """As Java writes what is not finite."""
    if math.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"


@final
class Fields:
    """A map of any keys, or an object, which has a class."""

    def __init__(self, pairs: list[tuple[object, object]], class_name: str | None = None) -> None:
        self.pairs = pairs
        self.class_name = class_name


@final
class _Level:
    """A container that is being written."""

    def __init__(self, parts: list[tuple[str, object]], closes: str) -> None:
        self.parts = parts
        """What is written before each item, and the item."""
        self.at: i64 = 0
        self.closes = closes


@mypyc_attr(allow_interpreted_subclasses=True)
class Texts:
    """The headers of one message."""

    def __init__(self) -> None:
        self._seen: dict[int, object] = {}
        """The containers that were told, by their identity."""
        self._left = _MOST
        """Characters that may still be written before containers are not."""

    def form(self, value: object) -> object:
        """`value` as one of Hessian's or as `Fields`, for serializations that have others. What is none of them is "…"."""
        return value

    def header(self, value: object) -> HeaderValue:
        """What a header has of `value`."""
        value = self.form(value)
        if value is None:
            return "null"
        if isinstance(value, (str, bytes, bool)):
            return value
        if isinstance(value, float):
            return value if math.isfinite(value) else _infinite(value)
        if isinstance(value, int):
            return value + 0  # of a subclass the number alone; compiled, `int` would do nothing
        if isinstance(value, datetime):
            return iso_date(value)
        return self.json(value)

    def json(self, value: object) -> str:
        """`value` as JSON."""
        out: list[str] = []
        around: list[_Level] = []
        level = self._open(value, out)
        if level is not None:
            around.append(level)
        while around:
            inner = around[-1]
            if inner.at == len(inner.parts):
                out.append(inner.closes)
                around.pop()
                continue
            before, item = inner.parts[inner.at]
            out.append(before if inner.at == 0 else "," + before)
            self._left -= len(before) + 1
            inner.at += 1
            level = self._open(item, out)
            if level is not None:
                around.append(level)
        return "".join(out)

    def _open(self, value: object, out: list[str]) -> _Level | None:
        """Write a value, of a container only what opens it."""
        formed = self.form(value)
        if not isinstance(formed, (list, dict, HessianList, HessianMap, HessianObject, Fields)):
            text = _scalar(formed)
            out.append(text)
            self._left -= len(text)
            return None
        if id(value) in self._seen or self._left <= 0:
            out.append(_AGAIN)
            return None
        self._seen[id(value)] = value
        if isinstance(formed, list):
            out.append("[")
            return _Level([("", each) for each in formed], "]")
        if isinstance(formed, HessianList):
            out.append("[")
            return _Level([("", each) for each in formed.items], "]")
        out.append("{")
        if isinstance(formed, HessianObject):
            parts: list[tuple[str, object]] = [('"class":', formed.class_name)]
            parts += [(_name(name), item) for name, item in formed.fields]
            return _Level(parts, "}")
        if isinstance(formed, HessianMap):
            return _Level([(_name(self.form(key)), item) for key, item in formed.pairs], "}")
        if isinstance(formed, Fields):
            parts = [] if formed.class_name is None else [('"class":', formed.class_name)]
            parts += [(_name(self.form(key)), item) for key, item in formed.pairs]
            return _Level(parts, "}")
        return _Level([(_name(key), item) for key, item in formed.items()], "}")


def _name(key: object) -> str:
    if isinstance(key, str):
        return json.dumps(key, ensure_ascii=False) + ":"
    text = _scalar(key)
    return text + ":" if text.startswith('"') else json.dumps(text, ensure_ascii=False) + ":"


def _scalar(value: object) -> str:
    """A value that holds no others."""
    if isinstance(value, bytes):
        return json.dumps(value.decode("latin-1"), ensure_ascii=False)
    if isinstance(value, datetime):
        return json.dumps(iso_date(value))
    if isinstance(value, float) and not math.isfinite(value):
        return json.dumps(_infinite(value))
    if value is None or isinstance(value, (str, bool, int, float)):
        return json.dumps(value, ensure_ascii=False)
    return _AGAIN
