"""Protocols by name, found through entry points: listed without importing, loaded on demand.

A plugin registers under the group ``l7codecs.protocols`` of its distribution; the entry point's name is the
protocol's. Two distributions that
claim one name are an error that names both, when that name is asked for; a plugin that cannot be loaded hurts only itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points

from l7codecs.errors import RegistryError
from l7codecs.protocol import Protocol

__all__ = ["GROUP", "ProtocolEntry", "get_protocol", "list_protocols", "load_protocols", "refresh"]

GROUP = "l7codecs.protocols"


@dataclass(frozen=True, slots=True)
class ProtocolEntry:
    """One registered protocol, not loaded: its name, where it is, and the distribution that brings it."""

    name: str
    value: str
    distribution: str
    version: str


_entries: dict[str, list[EntryPoint]] | None = None
_loaded: dict[str, Protocol] = {}


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
    protocol = _load(entries[0])
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


def _load(entry: EntryPoint) -> Protocol:
    owner = _owner(entry)[0]
    try:
        protocol = entry.load()
    except Exception as error:  # whatever a plugin's import raises is that plugin's fault
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
