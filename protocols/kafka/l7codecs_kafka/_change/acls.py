"""ACLs with other names: DescribeAcls, CreateAcls, DeleteAcls.

    pattern     name             at the server, of names with a prefix
    literal     orders           literal   tenant-a.orders
    prefixed    ord              prefixed  tenant-a.ord
    literal     *, which is all  prefixed  tenant-a.

And back; what is none of the client's is left out. A filter without a name finds those of others too, which are left out of what
DescribeAcls answers; DeleteAcls would delete them, and is `Unsupported`. So is what has no pattern where one would be needed, and a type of
resource that is not known, whose names may be others'.
"""

from __future__ import annotations

from typing import Final

from mypy_extensions import i64

from l7codecs import Unsupported

from .._schema.layouts import Layout, Value
from .._schema.values import decode, encode
from .changes import KafkaChanges
from .names import Names

__all__ = ["ACLS", "changed_acls"]

_DESCRIBE: Final = 29
_CREATE: Final = 30
_DELETE: Final = 31
ACLS: Final = frozenset((_DESCRIBE, _CREATE, _DELETE))

_ANY: Final = 1
_TOPIC: Final = 2
_GROUP: Final = 3
_CLUSTER: Final = 4
_TRANSACTION: Final = 5
_TOKEN: Final = 6
_USER: Final = 7
_OTHERS: Final = (_ANY, _CLUSTER, _TOKEN, _USER)
"""Types of resources that no client has names of its own for."""
_RENAMED: Final = (_TOPIC, _GROUP, _TRANSACTION)

_LITERAL: Final = 3
_PREFIXED: Final = 4
_ALL: Final = "*"


def changed_acls(layout: Layout, octets: bytes, start: i64, end: i64, changes: KafkaChanges) -> bytes | None:
    """The body with other names; None where it stays as it is. Raises `Unsupported` where a client would get at what is others'."""
    value, at = decode(layout, octets, start, end)
    before = encode(layout, value)
    if layout.response:
        for item in _structs(value, "FilterResults") or [value]:
            for key in ("Resources", "MatchingAcls"):
                if key in item:
                    item[key] = [each for each in _structs(item, key) if _told(each, changes)]
    elif layout.api.key == _CREATE:
        for item in _structs(value, "Creations"):
            _ask(item, "ResourceType", "ResourceName", "ResourcePatternType", layout, changes)
    else:
        for item in _structs(value, "Filters") if layout.api.key == _DELETE else [value]:
            _ask(item, "ResourceTypeFilter", "ResourceNameFilter", "PatternTypeFilter", layout, changes)
    after = encode(layout, value)
    return None if after == before else after + octets[at:end]


def _structs(value: dict[str, Value], key: str) -> list[dict[str, Value]]:
    found = value.get(key)
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def _names(kind: Value, changes: KafkaChanges) -> Names | None:
    if kind == _TOPIC:
        return changes.topics
    if kind == _GROUP:
        return changes.groups
    return changes.transactional_ids if kind == _TRANSACTION else None


def _renames(changes: KafkaChanges) -> bool:
    return changes.topics is not None or changes.groups is not None or changes.transactional_ids is not None


def _ask(
    item: dict[str, Value], type_key: str, name_key: str, pattern_key: str, layout: Layout, changes: KafkaChanges
) -> None:
    """Give the server's names to what a client asks for."""
    kind = item.get(type_key)
    name = item.get(name_key)
    names = _names(kind, changes)
    renames = _renames(changes)
    if not isinstance(name, str):
        all_kinds = kind == _ANY or (kind not in _RENAMED and kind not in _OTHERS)
        if layout.api.key == _DELETE and (names is not None or (all_kinds and renames)):
            raise Unsupported("a filter of DeleteAcls without a name would delete what is others'")
        return
    if kind == _ANY and renames:
        raise Unsupported("the name of a resource of any type cannot be changed")
    if names is None:
        if kind not in _RENAMED and kind not in _OTHERS and renames:
            raise Unsupported(f"an ACL for a resource of type {kind!r} is not known, and its name cannot be changed")
        return
    pattern = item.get(pattern_key)
    prefix = names.prefix
    if name == _ALL and (pattern is None or pattern == _LITERAL):
        if prefix is None or pattern is None:
            raise Unsupported("an ACL for all that a client has needs names with a prefix, and an ACL with a pattern")
        item[name_key] = prefix
        item[pattern_key] = _PREFIXED
        return
    if pattern == _PREFIXED and prefix is None:
        raise Unsupported("an ACL for all names with a prefix needs names with a prefix")
    what = {_TOPIC: "topic", _GROUP: "group"}.get(kind if isinstance(kind, int) else 0, "transactional id")
    octets = names.server_name(name.encode("utf-8", "surrogateescape"), what)
    item[name_key] = octets.decode("utf-8", "surrogateescape")


def _told(item: dict[str, Value], changes: KafkaChanges) -> bool:
    """Give a client's names to an ACL that the client is told of; False where it is none of the client's."""
    kind = item.get("ResourceType")
    names = _names(kind, changes)
    name = item.get("ResourceName")
    if names is None or not isinstance(name, str):
        return kind in _RENAMED or kind in _OTHERS or not _renames(changes)
    if item.get("PatternType") == _PREFIXED and name == names.prefix:
        item["ResourceName"] = _ALL
        item["PatternType"] = _LITERAL
        return True
    found = names.client_name(name.encode("utf-8", "surrogateescape"))
    if found is None:
        return False
    item["ResourceName"] = found.decode("utf-8", "surrogateescape")
    return True
