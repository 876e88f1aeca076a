"""Who is called, by the octets that say so: interface, version and method of a request in Hessian 2.

Consumers call the same methods again and again, in the same octets: these are looked up, and only what is new is made into text.
"""

from __future__ import annotations

from typing import Final, final

from librt.strings import read_i64_le
from mypy_extensions import i64, mypyc_attr

from .._hessian.strings import string_between, string_end
from .types import parameter_count

__all__ = ["NOT_FOUND", "Callee", "find_callee"]

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
        """Octets of the three strings."""
        self.types = b""
        """The octets of a descriptor that came with it, and how many arguments it has; nearly always it is the same one."""
        self.count: i64 = -1
        self.key = b""
        """The octets of the strings, where it is kept."""

    def arguments(self, octets: bytes, at: i64, end: i64) -> i64:
        """How many arguments the descriptor in ``octets[at:end]`` says, which can be read; -1 where it is none."""
        types = octets[at:end]
        if types == self.types:
            return self.count
        found: i64 = parameter_count(string_between(octets, at, end) or "")
        if len(types) <= _LONGEST:
            self.types = types
            self.count = found
        return found


NOT_FOUND: Final = Callee(None, None, None, 0)
"""Of a call that has another place for it."""


_CALLEES: Final[dict[bytes, Callee]] = {}
_SLOT: Final[i64] = 0xFF
_LATEST: Final[list[Callee]] = [NOT_FOUND] * 256
"""Those of them that came last, each in the place that a few of its octets say: a hash of all of them costs more than the comparison."""


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
    slot: i64 = 0
    if version >= 8:
        # Ends of interface and method, and the size, are nearly always enough to tell them apart.
        mixed = read_i64_le(octets, version - 8) ^ (read_i64_le(octets, end - 8) << 1) ^ (end - at)
        mixed ^= mixed >> 32
        mixed ^= mixed >> 16
        slot = (mixed ^ (mixed >> 8)) & _SLOT
    found = _LATEST[slot]
    if found.key == key:
        return found
    known = _CALLEES.get(key)
    if known is None:
        known = _made(octets, at, version, method, end)
        known.key = key
        if len(_CALLEES) >= _MOST:
            _CALLEES.clear()
            _LATEST[:] = [NOT_FOUND] * len(_LATEST)
        _CALLEES[key] = known
    _LATEST[slot] = known
    return known


def _made(octets: bytes, at: i64, version: i64, method: i64, end: i64) -> Callee:
    asked = string_between(octets, version, method)
    if not asked or asked == _NO_VERSION:
        asked = None
    return Callee(string_between(octets, at, version), asked, string_between(octets, method, end), end - at)
