"""What a caller changes, checked: what Dubbo cannot change is `Unsupported`, what it cannot say a ValueError."""

from __future__ import annotations

from typing import Final, cast, final

from l7codecs import Changes, HeaderValue, Unsupported

__all__ = ["CHANGEABLE", "GROUP", "METHOD", "PATH", "REQUEST_ID", "SERVICE", "VERSION", "Given"]

REQUEST_ID: Final = "dubbo.request_id"
SERVICE: Final = "dubbo.service"
PATH: Final = "dubbo.path"
VERSION: Final = "dubbo.service_version"
GROUP: Final = "dubbo.group"
METHOD: Final = "dubbo.method"
CHANGEABLE: Final = (REQUEST_ID, SERVICE, PATH, VERSION, GROUP, METHOD)

_ROUTING: Final[dict[str, str]] = {"interface": SERVICE, "path": PATH, "version": VERSION, "group": GROUP}
"""Attachments by which providers are found, and the attributes that change them where they have to change with the body."""
_IDS: Final = 1 << 64


@final
class Given:
    """The changes to one message."""

    def __init__(self, changes: Changes) -> None:
        given = cast("dict[object, object]", changes.attributes)  # compiled, values of other types are a TypeError
        other = sorted([str(key) for key in given if key not in CHANGEABLE])
        if other:
            raise Unsupported(f"dubbo cannot change {', '.join(other)}")
        self.request_id = _number(given.get(REQUEST_ID)) if REQUEST_ID in given else None
        self.service = _text(given, SERVICE, False)
        self.path = _text(given, PATH, False)
        self.version = _text(given, VERSION, False)
        self.method = _text(given, METHOD, False)
        self.group = _text(given, GROUP, True)
        """Empty: no group."""
        self.removed = _names(changes.remove_headers)
        self.set: dict[str, HeaderValue] = _headers(cast("dict[object, object]", changes.set_headers))

    @property
    def names_call(self) -> bool:
        """Whether what is called changes."""
        called = (self.service, self.path, self.version, self.method, self.group)
        return any(each is not None for each in called)

    @property
    def changes_body(self) -> bool:
        """Whether anything but the header changes."""
        return self.names_call or bool(self.removed or self.set)


def _number(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise Unsupported(f"{REQUEST_ID} is a number, not {type(value).__name__}")
    if not 0 <= value < _IDS:
        raise ValueError(f"{REQUEST_ID} has 64 bits without sign: {value}")
    return value


def _text(given: dict[object, object], name: str, may_be_empty: bool) -> str | None:
    if name not in given:
        return None
    value = given[name]
    if not isinstance(value, str):
        raise Unsupported(f"{name} is a text, not {type(value).__name__}")
    if not value and not may_be_empty:
        raise ValueError(f"{name} is not empty")
    return _checked(value, name)


def _checked(text: str, name: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{name} has half a surrogate pair: {text!r}") from None
    return text


def _names(removed: tuple[object, ...]) -> frozenset[str]:
    names: set[str] = set()
    for key in removed:
        names.add(_named(key))
    return frozenset(names)


def _headers(given: dict[object, object]) -> dict[str, HeaderValue]:
    found: dict[str, HeaderValue] = {}
    for key, value in given.items():
        name = _key(key)
        if isinstance(value, str):
            _checked(value, f"the attachment {name}")
        elif isinstance(value, int) and not isinstance(value, bool) and not -(1 << 63) <= value < 1 << 63:
            raise ValueError(f"the attachment {name} has more than 64 bits: {value}")
        elif not isinstance(value, (bytes, bool, int, float)):
            raise Unsupported(f"the attachment {name} is {type(value).__name__}, not str, bytes, bool, int or float")
        found[name] = value
    return found


def _key(key: object) -> str:
    """The name of an attachment that is written."""
    return _checked(_named(key), "the name of an attachment")


def _named(key: object) -> str:
    """The name of an attachment: one that is there already may be no whole text."""
    if not isinstance(key, str):
        raise Unsupported(f"an attachment has a text for its name, not {type(key).__name__}")
    if key in _ROUTING:
        raise ValueError(f"the attachment {key} is changed by the attribute {_ROUTING[key]}, with the body")
    return key
