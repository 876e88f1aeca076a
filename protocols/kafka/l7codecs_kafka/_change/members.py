"""The topics in what members of classic groups tell each other, which the broker passes on.

    version(16)  ConsumerProtocolSubscription, or ConsumerProtocolAssignment

Newer versions only add: one that is not known is read as the newest that is, and what it adds is kept. What is no such thing, as the
octets of other protocol types, is left alone.
"""

from __future__ import annotations

from typing import Final

from mypy_extensions import i64

from l7codecs import ProtocolError

from .._schema.layouts import TOPIC, Layout, consumer_data
from .._schema.splice import splice
from .._schema.values import decode, encode
from .._schema.walk import Found, pick
from .names import Names

__all__ = ["changed_member"]

_NEWEST: Final = 3
_VERSION_SIZE: Final[i64] = 2


def changed_member(octets: bytes, subscribes: bool, names: Names, answer: bool) -> bytes | None:
    """The subscription or assignment `octets` with other names; None where it stays as it is.

    Of an answer what is none of the client's is left out. Raises `Unsupported` where a client may not use a name.
    """
    if len(octets) < _VERSION_SIZE:
        return None
    version = int.from_bytes(octets[:2], "big", signed=True)
    if version < 0:
        return None
    name = "ConsumerProtocolSubscription" if subscribes else "ConsumerProtocolAssignment"
    layout = consumer_data(name, min(version, _NEWEST))
    if layout is None:
        return None
    try:
        found = pick(layout, octets, _VERSION_SIZE, len(octets), TOPIC, True)
    except ProtocolError:
        return None
    if version <= _NEWEST and found.at != len(octets):
        return None
    changed = _changes(found, names, answer)
    if changed is None:
        own = _own(octets, layout, names)
        found = pick(layout, own, _VERSION_SIZE, len(own), TOPIC)
        return own[:2] + splice(found, _changes(found, names, answer) or [])
    return octets[:2] + splice(found, changed) if changed else None


def _changes(found: Found, names: Names, answer: bool) -> list[tuple[int, bytes | None]] | None:
    """What changes in the names; None where one of an answer is none of the client's."""
    changed: list[tuple[int, bytes | None]] = []
    for number in range(len(found)):
        if found.starts(number) >= found.ends(number) or found.starts(number) < 0:
            continue
        old = found.octets[found.starts(number) : found.ends(number)]
        new = names.client_name(old) if answer else names.server_name(old, "topic")
        if new is None:
            return None
        if new != old:
            changed.append((number, new))
    return changed


def _own(octets: bytes, layout: Layout, names: Names) -> bytes:
    """`octets` without what is none of the client's."""
    value, at = decode(layout, octets, _VERSION_SIZE, len(octets))
    for key in ("Topics", "OwnedPartitions", "AssignedPartitions"):
        items = value.get(key)
        if isinstance(items, list):
            value[key] = [
                item for item in items if _is_own(item.get("Topic") if isinstance(item, dict) else item, names)
            ]
    return octets[:2] + encode(layout, value) + octets[at:]


def _is_own(name: object, names: Names) -> bool:
    return not isinstance(name, str) or names.client_name(name.encode("utf-8", "surrogateescape")) is not None
