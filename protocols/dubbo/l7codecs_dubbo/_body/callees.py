"""Who is called, by the octets that say so: interface, version and method of a request in Hessian 2.

Consumers call the same methods again and again, in the same octets: these are looked up, and only what is new is made into text.
"""

from __future__ import annotations

from typing import Final, final

from mypy_extensions import i64, mypyc_attr

from .._hessian.strings import string_between, string_end

__all__ = ["Callee", "find_callee"]

_DOLLAR: Final = 0x24
_LONGER: Final = 0x20
"""From here on a string says its size behind its first octet."""
_NO_VERSION: Final = "0.0.0"
"""What a consumer writes that asks for none."""
_LONGEST: Final = 256
"""Octets of one that is kept."""
_MOST: Final = 512
"""How many of them are kept; then all are forgotten."""


@final
@mypyc_attr(acyclic=True)
class Callee:
    """One method of one version of an interface."""

    def __init__(self, service: str | None, version: str | None, method: str | None, size: i64) -> None:
        self.service = service
        self.version = version
        """None where none is asked for."""
        self.method = method
        self.size = size
        """Octets of the interface."""


_CALLEES: Final[dict[bytes, Callee]] = {}


def find_callee(octets: bytes, at: i64, stop: i64) -> Callee | None:
    """What the three strings that begin at `at` say; None where they cannot be read, or the method begins with ``$``: a generic call's."""
    version = string_end(octets, at, stop)
    if version < 0:
        return None
    method = string_end(octets, version, stop)
    if method < 0:
        return None
    end = string_end(octets, method, stop)
    if end < 0:
        return None
    if octets[method] >= _LONGER:  # its first character stands anywhere
        name = string_between(octets, method, end)
        if name is not None and name.startswith("$"):
            return None
    elif end - method > 1 and octets[method + 1] == _DOLLAR:
        return None
    if end - at > _LONGEST:
        return _made(octets, at, version, method, end)
    key = octets[at:end]
    found = _CALLEES.get(key)
    if found is None:
        found = _made(octets, at, version, method, end)
        if len(_CALLEES) >= _MOST:
            _CALLEES.clear()
        _CALLEES[key] = found
    return found


def _made(octets: bytes, at: i64, version: i64, method: i64, end: i64) -> Callee:
    asked = string_between(octets, version, method)
    if not asked or asked == _NO_VERSION:
        asked = None
    return Callee(string_between(octets, at, version), asked, string_between(octets, method, end), version - at)
