"""What the client and the server call the same thing: a topic, a group, a transactional id.

client           orders ──▶ requests ──▶ tenant-a.orders           server
                 orders ◀── answers  ◀── tenant-a.orders
                        ✗   answers  ◀── tenant-b.orders            not the client's: left out
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Final, TypeAlias, final

from l7codecs import Unsupported

__all__ = ["Names", "fitting"]

Renamed: TypeAlias = Callable[[str], "str | None"]

_LONGEST: Final = 0x7FFF
_QUOTED: Final = re.compile(r"[^0-9A-Za-z_-]")
_STARTS: Final = ("^", "\\A")


@final
class Names:
    """How names change between a client and the server.

    ``to_server`` turns a client's name into the server's, ``to_client`` the other way round; None from the first means that the client
    may not use the name (`Unsupported`), from the second that the name is none of the client's, which is then left out of what it is
    told. Names that are empty or null say nothing and are left alone on their way to the client.
    """

    def __init__(self, to_server: Renamed, to_client: Renamed) -> None:
        self._to_server = to_server
        self._to_client = to_client
        self._prefix = ""
        self._octets = b""
        self._shared: frozenset[bytes] = frozenset()

    @staticmethod
    def prefixed(prefix: str, shared: Iterable[str] = ()) -> Names:
        """The server's name is `prefix` and the client's. Those `shared` are called the same by all clients.

        Whatever else the server has is none of the client's, its internal topics included.
        """
        if not prefix:
            raise ValueError("a prefix is not empty")
        made = Names(_nothing, _nothing)
        made._prefix = prefix
        made._octets = prefix.encode("utf-8", "surrogateescape")
        made._shared = frozenset(name.encode("utf-8", "surrogateescape") for name in shared)
        if len(made._octets) > _LONGEST:
            raise ValueError(f"a prefix of {len(made._octets)} octets; a name has {_LONGEST} at most")
        if any(name.startswith(made._octets) for name in made._shared):
            raise ValueError(f"a shared name that begins with {prefix!r} would be one of this client's")
        return made

    @staticmethod
    def mapped(names: Mapping[str, str]) -> Names:
        """The client's names and the server's for them, one for one. All others stay as they are, but that nobody gets at these by them."""
        servers = {theirs: name for name, theirs in names.items()}
        if len(servers) != len(names):
            raise ValueError("two names of clients stand for one of the server's")
        known = dict(names)

        def to_server(name: str) -> str | None:
            found = known.get(name)
            return found if found is not None or name in servers else name

        def to_client(name: str) -> str | None:
            found = servers.get(name)
            return found if found is not None or name in known else name

        return Names(to_server, to_client)

    @property
    def prefix(self) -> str | None:
        """Of names that are `prefixed`."""
        return self._prefix or None

    def server_name(self, name: bytes, what: str) -> bytes:
        """What the server calls it. Raises `Unsupported` where the client may not use the name."""
        prefix = self._octets
        if prefix:
            return name if name in self._shared else fitting(prefix + name, what)
        text = name.decode("utf-8", "surrogateescape")
        found = self._to_server(text)
        if found is None:
            raise Unsupported(f"the {what} {text!r} has no name at the server")
        return fitting(found.encode("utf-8", "surrogateescape"), what)

    def client_name(self, name: bytes, may_be_empty: bool = False) -> bytes | None:
        """What the client calls it; None where it is none of the client's: a name that would be empty is one of groups alone."""
        if not name:
            return name
        prefix = self._octets
        if prefix:
            if not name.startswith(prefix):
                return name if name in self._shared else None
            own = name[len(prefix) :]
            if own in self._shared:
                return None  # the client's name for another
        else:
            found = self._to_client(name.decode("utf-8", "surrogateescape"))
            if found is None:
                return None
            own = found.encode("utf-8", "surrogateescape")
        return own if own or may_be_empty else None

    def place(self, name: bytes) -> bytes | None:
        """Where in the client's names, sorted, the server goes on at `name`; None behind the last. For answers that come in parts."""
        found = self.client_name(name)
        if found is not None or not self._octets:
            return found
        return b"" if name <= self._octets else None

    def server_pattern(self, pattern: bytes, what: str) -> bytes:
        """The expression that matches the server's names where `pattern` matches the client's; the whole name has to match.

        Raises `Unsupported` where that cannot be said.
        """
        if not pattern:
            return pattern
        if not self._prefix:
            raise Unsupported(f"a pattern of a {what} cannot be changed where names have no prefix")
        text = pattern.decode("utf-8", "surrogateescape")
        for start in _STARTS:
            if text.startswith(start) and "|" not in text:
                text = text[len(start) :]
                break
        else:
            if "^" in text.replace("[^", "").replace("\\^", "") or "\\A" in text:
                raise Unsupported(
                    f"a pattern of a {what} with the start of a name inside cannot be changed: {text[:60]!r}"
                )
        return fitting(f"{_quote(self._prefix)}(?:{text})".encode("utf-8", "surrogateescape"), f"pattern of a {what}")

    def client_pattern(self, pattern: bytes) -> bytes | None:
        """The client's own expression; None where it is another's."""
        if not pattern or not self._prefix:
            return pattern
        around = f"{_quote(self._prefix)}(?:".encode("utf-8", "surrogateescape")
        if pattern.startswith(around) and pattern.endswith(b")"):
            return pattern[len(around) : -1]
        return None

    def __repr__(self) -> str:
        return f"<Names {self._prefix!r}>" if self._prefix else "<Names>"


def fitting(name: bytes, what: str) -> bytes:
    """`name` itself. Raises `Unsupported` where it is longer than names can be."""
    if len(name) > _LONGEST:
        raise Unsupported(f"the {what} has {len(name)} octets at the server, more than the {_LONGEST} that it can have")
    return name


def _nothing(name: str) -> str | None:
    return None


def _quote(prefix: str) -> str:
    """`prefix` as RE2 matches it literally; its own characters are quoted by a backslash."""
    return _QUOTED.sub(lambda found: "\\" + found[0], prefix)
