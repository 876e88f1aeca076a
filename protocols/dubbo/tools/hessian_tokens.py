"""What Hessian 2 values are, in the words of the programs of others (`hessian_programs`)."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from l7codecs_dubbo._hessian.values import HessianList, HessianMap, HessianObject, Long, Milliseconds, Value

__all__ = ["Token", "tokens_of"]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Token = list[object]


def tokens_of(values: Sequence[Value], *, typed: bool = True) -> list[Token]:
    """What values are, as the programs tell it. Without `typed` all lists are alike."""
    tokens: list[Token] = []
    numbers: dict[int, int] = {}
    waiting: list[Value | Token] = list(reversed(values))
    while waiting:
        value = waiting.pop()
        if isinstance(value, _Ready):
            tokens.append(value.token)
            continue
        simple = _simple(value)
        if simple is not None and simple[0] == "throwable":
            if id(value) in numbers:
                simple = ["reference", numbers[id(value)]]
            else:
                numbers[id(value)] = len(numbers)
        if simple is not None:
            tokens.append(simple)
            continue
        if id(value) in numbers:
            tokens.append(["reference", numbers[id(value)]])
            continue
        numbers[id(value)] = len(numbers)
        items: list[Value] = []
        if isinstance(value, (list, HessianList)):
            kind = value.type_name if isinstance(value, HessianList) and value.type_name[:1] == "[" and typed else ""
            items = value.items if isinstance(value, HessianList) else value
            tokens.append(["list", kind, len(items)])
        elif isinstance(value, (dict, HessianMap)):
            pairs: list[tuple[Value, Value]] = list(value.items()) if isinstance(value, dict) else value.pairs
            tokens.append(["map", len(pairs)])
            for _, key, item in sorted(((_order(key), key, item) for key, item in pairs), key=lambda each: each[0]):
                items += [key, item]
        elif isinstance(value, HessianObject):
            tokens.append(["object", value.class_name, len(value.fields)])
            for name, item in sorted(value.fields, key=lambda each: each[0]):
                items += [_Ready(["field", name]), item]  # type: ignore[list-item]  # it stands among them
        waiting.extend(reversed(items))
    return tokens


class _Ready:
    """A token among values."""

    def __init__(self, token: Token) -> None:
        self.token = token


def _simple(value: Value) -> Token | None:
    """The token of what has no number."""
    if value is None:
        return ["null"]
    if isinstance(value, bool):
        return ["bool", value]
    if isinstance(value, Milliseconds):
        return ["date", int(value)]
    if isinstance(value, Long):
        return ["long", int(value)]
    if isinstance(value, int):
        return ["int", value]
    if isinstance(value, float):
        return ["double", "7ff8000000000000" if math.isnan(value) else struct.pack(">d", value + 0.0).hex()]
    if isinstance(value, str):
        return ["str", value]
    if isinstance(value, bytes):
        return ["bytes", value.hex()]
    if isinstance(value, datetime):
        return ["date", (value - EPOCH) // timedelta(milliseconds=1)]
    if isinstance(value, HessianObject):
        if value.class_name == "java.math.BigDecimal":
            return ["decimal", value.get("value")]
        if value.definition.fields == ("name",):
            return ["enum", value.class_name, value.get("name")]
        if value.class_name == "HessianPeer$Wrong":
            return ["throwable", value.class_name, value.get("detailMessage"), value.get("code")]
    return None


def _order(key: Value) -> bytes:
    """Keys in the order of Java's strings."""
    token = _simple(key) or ["other"]
    return f"{token[0]} {'null' if key is None else token[-1]}".encode("utf-16-be", "surrogatepass")
