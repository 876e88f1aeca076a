"""What a caller changes, checked: what Thrift cannot change is `Unsupported`, what it cannot say a ValueError."""

from __future__ import annotations

from typing import Final, cast, final

from l7codecs import Changes, HeaderValue, Unsupported

__all__ = ["METHOD", "SEQID", "SERVICE", "Given"]

SEQID: Final = "thrift.seqid"
SERVICE: Final = "thrift.service"
METHOD: Final = "thrift.method"
_CHANGEABLE: Final = (SEQID, SERVICE, METHOD)
_HALF: Final = 1 << 31


@final
class Given:
    """The changes to one message."""

    def __init__(self, changes: Changes) -> None:
        given = cast("dict[object, object]", changes.attributes)  # compiled, values of other types are a TypeError
        other = sorted([str(key) for key in given if key not in _CHANGEABLE])
        if other:
            raise Unsupported(f"thrift cannot change {', '.join(other)}")
        self.seqid = _number(given.get(SEQID)) if SEQID in given else None
        self.service = _text(given, SERVICE, True)
        """Empty: no service."""
        self.method = _text(given, METHOD, False)
        self.removed = [_key(each) for each in cast("tuple[object, ...]", changes.remove_headers)]
        self.set = _headers(cast("dict[object, object]", changes.set_headers))

    @property
    def changes_headers(self) -> bool:
        """Whether headers change."""
        return bool(self.removed or self.set)


def _number(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise Unsupported(f"{SEQID} is a number, not {type(value).__name__}")
    if not -_HALF <= value < _HALF:
        raise ValueError(f"{SEQID} has 32 bits with sign: {value}")
    return value


def _text(given: dict[object, object], name: str, may_be_empty: bool) -> str | None:
    if name not in given:
        return None
    value = given[name]
    if not isinstance(value, str):
        raise Unsupported(f"{name} is a text, not {type(value).__name__}")
    if not value and not may_be_empty:
        raise ValueError(f"{name} is not empty")
    if name == METHOD and ":" in value:
        raise ValueError(f"a colon in {name} would end a service: {value!r}")
    _octets(value, name)
    return value


def _octets(text: str, name: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{name} has half a surrogate pair: {text!r}") from None


def _key(key: object) -> str:
    if not isinstance(key, str):
        raise Unsupported(f"a header has a text for its name, not {type(key).__name__}")
    _octets(key, "the name of a header")
    return key


def _headers(given: dict[object, object]) -> dict[str, bytes]:
    """Each value as it stands on the wire."""
    found: dict[str, bytes] = {}
    for key, value in given.items():
        name = _key(key)
        found[name] = _said(name, cast("HeaderValue", value))
    return found


def _said(name: str, value: object) -> bytes:
    if isinstance(value, str):
        return _octets(value, f"the header {name}")
    if isinstance(value, bytes):
        return value
    raise Unsupported(f"the header {name} is {type(value).__name__}, not str or bytes")
