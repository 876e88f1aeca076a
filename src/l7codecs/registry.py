"""Protocols by name, found through entry points: listed without importing, loaded on demand.

A plugin registers under the group ``l7codecs.protocols`` of its distribution; the entry point's name is the
protocol's. Two distributions that
claim one name are an error that names both, when that name is asked for; a plugin that cannot be loaded, or that raises where it must not,
hurts only itself: what goes on without it says so in a `PluginWarning`, once for each fault.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points

from l7codecs.errors import PluginWarning, RegistryError
from l7codecs.protocol import Protocol

__all__ = [
    "BROKEN",
    "GROUP",
    "ProtocolEntry",
    "fault",
    "get_protocol",
    "list_protocols",
    "load_protocols",
    "refresh",
    "tell",
    "usable_protocols",
]

GROUP = "l7codecs.protocols"

BROKEN = (Exception, SystemExit)
"""What a plugin may raise by its own fault. SystemExit would end the caller's program."""


@dataclass(frozen=True, slots=True)
class ProtocolEntry:
    """One registered protocol, not loaded: its name, where it is, and the distribution that brings it."""

    name: str
    value: str
    distribution: str
    version: str


_entries: dict[str, list[EntryPoint]] | None = None
_loaded: dict[str, Protocol] = {}
_failed: dict[str, RegistryError] = {}
_told: set[str] = set()


def _by_name() -> dict[str, list[EntryPoint]]:
    global _entries
    if _entries is None:
        found: dict[str, list[EntryPoint]] = {}
        for entry in entry_points(group=GROUP):
            known = found.setdefault(entry.name, [])
            if not any(_owner(other) == _owner(entry) and other.value == entry.value for other in known):
                known.append(entry)
        _entries = found
    return _entries


def _owner(entry: EntryPoint) -> tuple[str, str]:
    return (entry.dist.name, entry.dist.version) if entry.dist is not None else ("an unnamed distribution", "")


def refresh() -> None:
    """Look for plugins anew: after one was installed while this process runs."""
    global _entries
    _entries = None
    _loaded.clear()
    _failed.clear()
    _told.clear()


def list_protocols() -> list[ProtocolEntry]:
    """Every registered protocol, by name, without importing any. A name that is claimed twice is listed twice."""
    return [
        ProtocolEntry(name, entry.value, *_owner(entry))
        for name, entries in sorted(_by_name().items())
        for entry in entries
    ]


def get_protocol(name: str) -> Protocol:
    """The protocol registered as `name`. Raises `RegistryError` if it is unknown, claimed twice, or broken."""
    if name in _loaded:
        return _loaded[name]
    entries = _by_name().get(name)
    if not entries:
        known = ", ".join(sorted(_by_name())) or "none"
        raise RegistryError(f"unknown protocol {name!r}; registered: {known}")
    if len(entries) > 1:
        owners = " and ".join(f"{_owner(entry)[0]} ({entry.value})" for entry in entries)
        raise RegistryError(f"protocol {name!r} is registered by {owners}; uninstall one of them")
    if name in _failed:
        raise RegistryError(*_failed[name].args) from _failed[name].__cause__
    try:
        protocol = _load(entries[0])
    except RegistryError as error:
        _failed[name] = error  # what has failed once is not imported for every connection
        raise
    _loaded[name] = protocol
    return protocol


def load_protocols() -> tuple[list[Protocol], list[RegistryError]]:
    """Every protocol that loads, by name, and an error for each that does not."""
    loaded: list[Protocol] = []
    errors: list[RegistryError] = []
    for name in sorted(_by_name()):
        try:
            loaded.append(get_protocol(name))
        except RegistryError as error:
            errors.append(error)
    return loaded, errors


def usable_protocols() -> list[Protocol]:
    """Every protocol that loads; a `PluginWarning` for each that does not."""
    loaded, errors = load_protocols()
    for error in errors:
        tell(error)
    return loaded


def fault(protocol: Protocol, problem: str) -> RegistryError:
    """The error of a plugin that breaks the interface; `problem` is what it does."""
    entries = _by_name().get(protocol.name, [])
    known = bool(entries) and _loaded.get(protocol.name) is protocol
    owner = f" of {_owner(entries[0])[0]}" if known else ""
    return RegistryError(f"protocol {protocol.name!r}{owner} {problem}")


def tell(error: RegistryError) -> None:
    """Warn of `error`, once."""
    text = str(error)
    if text not in _told:
        _told.add(text)
        warnings.warn(text, PluginWarning, stacklevel=3)


def _load(entry: EntryPoint) -> Protocol:
    owner = _owner(entry)[0]
    try:
        protocol = entry.load()
    except BROKEN as error:  # whatever a plugin's import raises is that plugin's fault
        raise RegistryError(
            f"protocol {entry.name!r} of {owner} cannot be loaded from {entry.value}: {type(error).__name__}: {error}"
        ) from error
    if not isinstance(protocol, Protocol):
        raise RegistryError(
            f"protocol {entry.name!r} of {owner}: {entry.value} is a {type(protocol).__name__}, not a Protocol"
        )
    if protocol.name != entry.name:
        raise RegistryError(
            f"protocol {entry.name!r} of {owner}: {entry.value} calls itself {protocol.name!r}; the names must agree"
        )
    return protocol
