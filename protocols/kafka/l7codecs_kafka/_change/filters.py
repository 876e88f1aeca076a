"""An answer without what is none of the client's: topics, groups and transactions of others.

What an array lists is left out of it. Where one stands alone it becomes null, or empty where it cannot be null.
"""

from __future__ import annotations

from typing import Final, final

from mypy_extensions import i64

from .._schema.layouts import (
    GROUP,
    KEY,
    RESOURCE_NAME,
    STRING,
    STRUCT,
    TOPIC,
    TOPIC_PATTERN,
    TRANSACTIONAL_ID,
    Field,
    Layout,
    Value,
)
from .._schema.values import decode, encode
from .changes import KafkaChanges
from .names import Names

__all__ = [
    "BROKER_CONFIG",
    "BROKER_LOGGER",
    "GROUP_CONFIG",
    "METRICS_CONFIG",
    "TOPIC_CONFIG",
    "left_out",
    "share_group",
]

# Types of a configuration's resource.
TOPIC_CONFIG: Final[i64] = 2
BROKER_CONFIG: Final[i64] = 4
BROKER_LOGGER: Final[i64] = 8
METRICS_CONFIG: Final[i64] = 16
GROUP_CONFIG: Final[i64] = 32
_OF_NO_CLIENT: Final = (None, 4, 8, 16)
"""What has a name of brokers or of client metrics."""

_NAMES: Final[i64] = TOPIC | TOPIC_PATTERN | GROUP | TRANSACTIONAL_ID | KEY | RESOURCE_NAME
_CURSOR: Final = "NextCursor"
_ASIDE: Final = ("SinkTopic", "SubscribedTopicRegex")
"""Names that a struct has beside its own."""


def left_out(layout: Layout, octets: bytes, start: i64, end: i64, changes: KafkaChanges, key_type: i64) -> bytes:
    """The body without what is none of the client's; what is left has the server's names still."""
    value, at = decode(layout, octets, start, end)
    _Own(changes, key_type).struct(layout.root, value)
    return encode(layout, value) + octets[at:end]


def share_group(key: bytes) -> bytes:
    """The group in the key of a share partition; all of it where it is none."""
    parts = key.rsplit(b":", 2)
    return parts[0] if len(parts) == 3 else key


@final
class _Own:
    """Tells the client's own from others'."""

    def __init__(self, changes: KafkaChanges, key_type: i64) -> None:
        self._changes = changes
        self._key_type = key_type

    def struct(self, field: Field, value: dict[str, Value]) -> None:
        """Leave out what the struct names of others'. How deep structs are, the table says."""
        for each in field.fields:
            if each.has & _NAMES == 0:
                continue
            found = value.get(each.name)
            if isinstance(found, list):
                value[each.name] = self._items(each, found)
            elif isinstance(found, dict):
                if each.nullable and self._foreign(each, found):
                    value[each.name] = None
                else:
                    self.struct(each, found)
            elif isinstance(found, str) and each.kind == STRING and not self._owns(each, found, value):
                value[each.name] = None if each.nullable else ""

    def _items(self, field: Field, items: list[Value]) -> list[Value]:
        if field.kind != STRUCT:
            return [item for item in items if not isinstance(item, str) or self._owns(field, item, {})]
        found: list[Value] = []
        for item in items:
            if isinstance(item, dict):
                if self._foreign(field, item):
                    continue
                self.struct(field, item)
            found.append(item)
        return found

    def _foreign(self, field: Field, value: dict[str, Value]) -> bool:
        """Whether the struct is of what is none of the client's."""
        for each in field.fields:
            if each.has & _NAMES != 0 and not each.array and each.kind == STRING and each.name not in _ASIDE:
                found = value.get(each.name)
                if isinstance(found, str) and not self._owns(each, found, value):
                    return True
        return False

    def _owns(self, field: Field, name: str, around: dict[str, Value]) -> bool:
        octets = name.encode("utf-8", "surrogateescape")
        changes = self._changes
        role = field.role
        if role == TOPIC_PATTERN:
            return changes.topics is None or changes.topics.client_pattern(octets) is not None
        if role == TOPIC and field.path.startswith(_CURSOR):
            return changes.topics is None or changes.topics.place(octets) is not None
        names: Names | None = None
        of_groups = role == GROUP
        if role == TOPIC:
            names = changes.topics
        elif role == GROUP:
            names = changes.groups
        elif role == TRANSACTIONAL_ID:
            names = changes.transactional_ids
        elif role == KEY:
            if self._key_type == 1:
                names = changes.transactional_ids
            else:
                names = changes.groups
                of_groups = True
                octets = share_group(octets) if self._key_type == 2 else octets
        elif role == RESOURCE_NAME:
            kind = around.get("ResourceType")
            if kind == TOPIC_CONFIG:
                names = changes.topics
            elif kind == GROUP_CONFIG:
                names = changes.groups
                of_groups = True
            elif kind not in _OF_NO_CLIENT:
                return changes.topics is None and changes.groups is None
        return names is None or names.client_name(octets, of_groups) is not None
