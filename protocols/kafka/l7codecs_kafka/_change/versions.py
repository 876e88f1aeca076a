"""What clients are told of APIs and their versions: no more than this codec reads, and an operator allows.

An API whose range would be empty is left out: a client takes one for a broker that lacks it. ApiVersions itself always stays, and so do
those that clients look for to find out what a broker is: none is left out that the table has and the operator did not say.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from mypy_extensions import i64

from .._schema.layouts import Layout, Value, api
from .._schema.values import decode, encode

__all__ = ["clamped"]

_API_VERSIONS: Final = 18


def clamped(
    layout: Layout, octets: bytes, start: i64, end: i64, versions: Mapping[int, tuple[int, int] | None] | None
) -> bytes | None:
    """The answer to ApiVersions with narrower ranges; None where it stays as it is."""
    value, at = decode(layout, octets, start, end)
    entries = value.get("ApiKeys")
    if not isinstance(entries, list):
        return None
    found: list[Value] = []
    changed = False
    for entry in entries:
        if not isinstance(entry, dict):
            continue
        key, low, high = entry.get("ApiKey"), entry.get("MinVersion"), entry.get("MaxVersion")
        assert isinstance(key, int) and isinstance(low, int) and isinstance(high, int)
        least, most = _allowed(key, versions)
        if max(low, least) > min(high, most):
            if key != _API_VERSIONS:
                changed = True
                continue
        elif low < least or high > most:
            entry["MinVersion"] = max(low, least)
            entry["MaxVersion"] = min(high, most)
            changed = True
        found.append(entry)
    if not changed:
        return None
    value["ApiKeys"] = found
    return encode(layout, value) + octets[at:end]


def _allowed(key: int, versions: Mapping[int, tuple[int, int] | None] | None) -> tuple[int, int]:
    """The lowest and the highest version of an API; the first is higher where it has none."""
    known = api(key)
    if known is None:
        return 1, 0
    least, most = known.lowest, known.highest
    if versions is not None and key in versions:
        said = versions[key]
        if said is None:
            return 1, 0
        least, most = max(least, said[0]), min(most, said[1])
    return least, most
