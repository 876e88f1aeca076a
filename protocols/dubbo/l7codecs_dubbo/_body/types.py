"""The JVM's descriptors of parameters, as Java writes the types.

Ljava/lang/String;[I[[Lx/Y;  ─▶  java.lang.String, int[], x.Y[][]
"""

from __future__ import annotations

from typing import Final

from mypy_extensions import i64

__all__ = ["parameter_count", "parameter_types"]

_PRIMITIVES: Final[dict[str, str]] = {
    "Z": "boolean",
    "B": "byte",
    "C": "char",
    "D": "double",
    "F": "float",
    "I": "int",
    "J": "long",
    "S": "short",
    "V": "void",
}


def parameter_types(descriptor: str) -> tuple[str, ...] | None:
    """The types in their order; None where `descriptor` is none."""
    if descriptor == "Ljava/lang/String;":
        return ("java.lang.String",)
    found: list[str] = []
    at: i64 = 0
    size: i64 = len(descriptor)
    while at < size:
        depth: i64 = 0
        while at < size and descriptor[at] == "[":
            depth += 1
            at += 1
        if at >= size:
            return None
        if descriptor[at] == "L":
            stop = i64(descriptor.find(";", at))
            if stop < 0:
                return None
            name = descriptor[at + 1 : stop].replace("/", ".")
            at = stop + 1
        else:
            known = _PRIMITIVES.get(descriptor[at])
            if known is None:
                return None
            name = known
            at += 1
        found.append(name + "[]" * depth if depth else name)
    return tuple(found)


def parameter_count(descriptor: str) -> int:
    """How many arguments there are; -1 where `descriptor` is none."""
    found = parameter_types(descriptor)
    return -1 if found is None else len(found)
