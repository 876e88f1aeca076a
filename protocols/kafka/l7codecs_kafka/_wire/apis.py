"""What the reader of headers has to know of each API key, in lists by key: looked up for every message.

key      name       lowest  highest  first flexible
───────  ─────────  ──────  ───────  ──────────────
0        Produce    0       13       9
17       SaslHandshake  0   1        never
"""

from __future__ import annotations

from typing import Final, final

from mypy_extensions import i64

from .._schema.layouts import Layout, apis, layout

__all__ = [
    "API_VERSIONS",
    "CONTROLLED_SHUTDOWN",
    "FETCH",
    "FIND_COORDINATOR",
    "JOIN_GROUP",
    "KEYS",
    "PRODUCE",
    "SASL_AUTHENTICATE",
    "SASL_HANDSHAKE",
    "SHARE_ACKNOWLEDGE",
    "SHARE_FETCH",
    "SYNC_GROUP",
    "Form",
    "api_name",
    "form_of",
    "is_flexible",
    "is_known",
]

PRODUCE: Final[i64] = 0
FETCH: Final[i64] = 1
CONTROLLED_SHUTDOWN: Final[i64] = 7
FIND_COORDINATOR: Final[i64] = 10
JOIN_GROUP: Final[i64] = 11
SYNC_GROUP: Final[i64] = 14
SASL_HANDSHAKE: Final[i64] = 17
API_VERSIONS: Final[i64] = 18
SASL_AUTHENTICATE: Final[i64] = 36
SHARE_FETCH: Final[i64] = 78
SHARE_ACKNOWLEDGE: Final[i64] = 79

_NEVER: Final = 1 << 30
_NAMES: Final[list[str | None]] = []
_LOWEST: Final[list[i64]] = []
_HIGHEST: Final[list[i64]] = []
_FLEXIBLE: Final[list[i64]] = []


def _fill() -> None:
    known = {each.key: each for each in apis()}
    for key in range(max(known) + 1):
        found = known.get(key)
        _NAMES.append(None if found is None else found.name)
        _LOWEST.append(0 if found is None else found.lowest)
        _HIGHEST.append(-1 if found is None else found.highest)
        first = _NEVER
        if found is not None:
            for parts in found.parts:
                for part in parts:
                    if part.flexible >= 0:
                        first = min(first, part.flexible)
        _FLEXIBLE.append(first)


_fill()
KEYS: Final[i64] = len(_NAMES)
"""No key that is known is as high."""


def api_name(key: i64) -> str | None:
    """``Produce``; None where the table does not have the key."""
    return _NAMES[key] if 0 <= key < KEYS else None


def is_known(key: i64, version: i64) -> bool:
    """Whether the table has the key in this version."""
    return 0 <= key < KEYS and _LOWEST[key] <= version <= _HIGHEST[key]


def is_flexible(key: i64, version: i64) -> bool:
    """Whether header and body of requests of this key and version have tagged fields; so do versions that the table does not have yet."""
    return 0 <= key < KEYS and version >= _FLEXIBLE[key]


@final
class Form:
    """What is known of the messages of one key and version: looked up once for each, and kept by it."""

    def __init__(self, key: i64, version: i64) -> None:
        self.key: i64 = key
        self.version: i64 = version
        self.name = api_name(key)
        self.known = is_known(key, version)
        """Whether the table has it."""
        self.flexible = is_flexible(key, version)
        self.request: Layout | None = layout(key, version, False)
        """The body of requests."""
        self.answer: Layout | None = layout(key, version, True)
        """The body of their answers."""


_VERSIONS: Final[i64] = 32
_forms: Final[list[Form | None]] = [None] * (int(KEYS) * 32)


def form_of(key: i64, version: i64) -> Form:
    """What is known of the messages of this key and version, which need not exist."""
    if 0 <= key < KEYS and 0 <= version < _VERSIONS:
        place = key * _VERSIONS + version
        found = _forms[place]
        if found is None:
            found = Form(key, version)
            _forms[place] = found
        return found
    return Form(key, version)
