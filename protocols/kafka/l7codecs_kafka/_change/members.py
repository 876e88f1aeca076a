"""Other names of the topics in what members of classic groups tell each other: see `l7codecs_kafka._meaning.members`.

What a newer version adds is kept. What is no subscription or assignment of consumers is left alone.
"""

from __future__ import annotations

from .._meaning.members import VERSION_SIZE, read_member
from .._schema.layouts import TOPIC, Layout
from .._schema.splice import splice
from .._schema.values import decode, encode
from .._schema.walk import Found, pick
from .names import Names

__all__ = ["changed_member"]


def changed_member(octets: bytes, subscribes: bool, names: Names, answer: bool) -> bytes | None:
    """The subscription or assignment `octets` with other names; None where it stays as it is.

    Of an answer what is none of the client's is left out. Raises `Unsupported` where a client may not use a name.
    """
    found = read_member(octets, subscribes, TOPIC)
    if found is None:
        return None
    layout = found.layout
    changed = _changes(found, names, answer)
    if changed is None:
        own = _own(octets, layout, names)
        found = pick(layout, own, VERSION_SIZE, len(own), TOPIC)
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
    value, at = decode(layout, octets, VERSION_SIZE, len(octets))
    for key in ("Topics", "OwnedPartitions", "AssignedPartitions"):
        items = value.get(key)
        if isinstance(items, list):
            value[key] = [
                item for item in items if _is_own(item.get("Topic") if isinstance(item, dict) else item, names)
            ]
    return octets[:2] + encode(layout, value) + octets[at:]


def _is_own(name: object, names: Names) -> bool:
    return not isinstance(name, str) or names.client_name(name.encode("utf-8", "surrogateescape")) is not None
