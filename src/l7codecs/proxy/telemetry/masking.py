"""What a log, a trace or a page of settings does not hold: what users stored or sent, and credentials.

An attribute is hidden where its protocol's schema calls it ``sensitive``, a header by its name. Where either is wanted it is asked for.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from l7codecs.config import Config
from l7codecs.headers import HeaderValue
from l7codecs.kinds import AttrValue
from l7codecs.records import Record
from l7codecs.registry import get_protocol

__all__ = ["HIDDEN", "SECRET_HEADERS", "Mask", "shown"]

HIDDEN: Final = "***"

SECRET_HEADERS: Final = (
    "authorization", "cookie", "proxy-authorization", "set-cookie", "token", "access-token", "x-access-token", "x-api-key", "api-key",
    "apikey", "x-auth-token", "auth-token", "x-amz-security-token", "x-csrf-token", "password", "secret",
)  # fmt: skip
"""Names of headers that carry credentials, in lower case."""


class Mask:
    """Hides values: those of `headers` by their names, and those of sensitive attributes unless `sensitive` asks for them."""

    def __init__(self, headers: Iterable[str] = SECRET_HEADERS, sensitive: bool = False) -> None:
        self._headers = frozenset(name.lower() for name in headers)
        self._sensitive = sensitive
        self._known: dict[str, frozenset[str]] = {}

    def names(self, protocol: str) -> frozenset[str]:
        """The attributes of `protocol` that are hidden."""
        found = self._known.get(protocol)
        if found is None:
            schema = {} if self._sensitive else get_protocol(protocol).schema
            found = self._known[protocol] = frozenset(name for name, each in schema.items() if each.sensitive)
        return found

    def header(self, name: str, value: HeaderValue) -> HeaderValue:
        """The value of a header, or what stands for it."""
        return HIDDEN if name.lower() in self._headers else value

    def hide(self, protocol: str, record: Record) -> None:
        """Hide what the record of a message of `protocol` is not to show."""
        attributes = record["attributes"]
        assert isinstance(attributes, dict)
        hidden = self.names(protocol)
        if not hidden.isdisjoint(attributes):
            known: dict[str, AttrValue] = attributes
            record["attributes"] = {name: HIDDEN if name in hidden else value for name, value in known.items()}
        headers = record["headers"]
        assert isinstance(headers, list)
        if headers:
            record["headers"] = [(name, self.header(name, value)) for name, value in headers]


_SECRET_KEYS = frozenset({"headers", "set_headers", "set"})
"""Keys of a configuration whose mappings hold values that may be credentials."""


def shown(config: Config) -> object:
    """A configuration as plain values, without what may be a credential: headers that are set, and who is named in an address."""
    top: list[object] = []
    left: list[tuple[Config, bool, list[object] | dict[str, object], str]] = [(config, False, top, "")]
    while left:
        node, secret, into, key = left.pop()
        value = node.value
        made: object
        if isinstance(value, dict):
            made = inner = dict.fromkeys(value)
            left.extend((each, secret or name in _SECRET_KEYS, inner, name) for name, each in value.items())
        elif isinstance(value, list):
            items: list[object] = []
            made = items
            left.extend((each, secret, items, "") for each in reversed(value))
        elif secret:
            made = HIDDEN
        elif isinstance(value, str) and "://" in value and "@" in value:
            scheme, _, rest = value.partition("://")
            made = f"{scheme}://{HIDDEN}@{rest.rpartition('@')[2]}"
        elif isinstance(value, bytes):
            made = HIDDEN
        else:
            made = value
        if isinstance(into, dict):
            into[key] = made
        else:
            into.append(made)
    return top[0]
