"""The body of an answer that says an error, in a request's own key and version.

An answer has its code at the top, or in every item, and the items are those of the request:

    Produce 9 ▶  TopicData: [a: PartitionData [0, 1], b: PartitionData [0]]
            ◀  Responses: [a: PartitionResponses [0 code, 1 code], b: PartitionResponses [0 code]]

Which array of the request an array of the answer mirrors, the roles of its fields say. That is as the Java broker does for itself
(`AbstractRequest.getErrorResponse`), but that texts are given wherever there is a place.

Not told: what an answer has no place for. Metadata before version 13, asked for all topics, then says that there are none, and no
brokers, which clients take for an answer to ask again for.
"""

from __future__ import annotations

from typing import Final

from .._schema.layouts import (
    BASE_OFFSET,
    ERROR_CODE,
    ERROR_MESSAGE,
    GROUP,
    HIGH_WATERMARK,
    INT8,
    INT16,
    INT32,
    INT64,
    KEY,
    KEY_TYPE,
    LEADER_EPOCH,
    MEMBER_ID,
    NODE_ID,
    OFFSET,
    PARTITION,
    PORT,
    PRODUCER_EPOCH,
    PRODUCER_ID,
    PROTOCOL_NAME,
    RECORDS,
    RESOURCE_NAME,
    RESOURCE_TYPE,
    SESSION_ID,
    STRING,
    STRUCT,
    TOPIC,
    TOPIC_ID,
    TRANSACTIONAL_ID,
    Field,
    Layout,
    Value,
)

__all__ = ["error_answer", "has_place_at_the_top"]

_FETCH: Final = 1
_METADATA: Final = 3
_DESCRIBE_LOG_DIRS: Final = 35
_ELECT_LEADERS: Final = 43
_ALTER_REASSIGNMENTS: Final = 45
_ALTER_SCRAM: Final = 51

_NAMES: Final = (
    TOPIC
    | TOPIC_ID
    | PARTITION
    | GROUP
    | KEY
    | RESOURCE_NAME
    | RESOURCE_TYPE
    | TRANSACTIONAL_ID
    | PRODUCER_ID
    | MEMBER_ID
)
"""What an item is known by."""

_NOTHING: Final = BASE_OFFSET | OFFSET | HIGH_WATERMARK | NODE_ID | PORT | LEADER_EPOCH | PRODUCER_ID | PRODUCER_EPOCH
"""Numbers that are -1 where there is none."""

_NO_NUMBERS: Final = (
    "LowWatermark",
    "IssueTimestampMs",
    "ExpiryTimestampMs",
    "MaxTimestampMs",
)
"""The same, of fields without a role."""


def has_place_at_the_top(layout: Layout) -> bool:
    """Whether the answer says an error without naming what was asked for."""
    if _mirrors_too(layout):
        return False
    return any(field.role == ERROR_CODE for field in layout.fields if field.tag < 0)


def error_answer(layout: Layout, asked: Layout, request: dict[str, Value], code: int, text: str) -> dict[str, Value]:
    """The answer of `layout` to `request`, which is of `asked`: the error `code` in every place that says it, with `text`."""
    if layout.api.key == _ALTER_SCRAM:
        return {"Results": _users(request, code, text)}
    if layout.api.key == _DESCRIBE_LOG_DIRS and not has_place_at_the_top(layout):
        return {"Results": [{"ErrorCode": code}]}
    return _Mirror(_mirrors_too(layout), code, text).struct(layout.root, asked.root, request)


def _mirrors_too(layout: Layout) -> bool:
    """Whether the code stands at the top and in the items."""
    key = layout.api.key
    return key in (_METADATA, _ELECT_LEADERS, _ALTER_REASSIGNMENTS) or (key == _FETCH and layout.version < 13)


def _users(request: dict[str, Value], code: int, text: str) -> list[Value]:
    """One item for each user of AlterUserScramCredentials."""
    names: dict[str, None] = {}
    for part in (request.get("Deletions"), request.get("Upsertions")):
        if isinstance(part, list):
            for item in part:
                name = item.get("Name") if isinstance(item, dict) else None
                if isinstance(name, str):
                    names[name] = None
    return [{"User": name, "ErrorCode": code, "ErrorMessage": text} for name in names]


class _Mirror:
    """Makes the structs of an answer from those of its request."""

    def __init__(self, mirrors_too: bool, code: int, text: str) -> None:
        self._mirrors_too = mirrors_too
        self._code = code
        self._text = text

    def struct(self, field: Field, asked: Field, source: Value) -> dict[str, Value]:
        """The struct `field` of the answer; `source` is what it mirrors: the struct `asked` of the request, or an element of that array."""
        made: dict[str, Value] = {}
        coded = any(each.role == ERROR_CODE and each.tag < 0 for each in field.fields)
        for each in field.fields:
            if each.tag >= 0:
                continue
            name = each.name
            if each.role == ERROR_CODE:
                made[name] = self._code
            elif each.role == ERROR_MESSAGE and not each.array:
                made[name] = self._text
            elif each.array and each.kind == STRUCT:
                if each.has & ERROR_CODE != 0 and (not coded or (self._mirrors_too and field.path == "")):
                    made[name] = self._items(each, asked, source)
                else:
                    made[name] = _same(each, asked, source)
            elif not each.array and each.kind != STRUCT:
                made[name] = _plain(each, asked, source)
        return made

    def _items(self, field: Field, asked: Field, source: Value) -> list[Value]:
        """The items of the array `field`: one for each of the request's array that it mirrors."""
        made: list[Value] = []
        for item_field, item in _mirrored(field, asked, source):
            made.append(self.struct(field, item_field, item))
        return made


def _mirrored(field: Field, asked: Field, source: Value) -> list[tuple[Field, Value]]:
    """The elements in the request that the array `field` has an item for each of, in any depth, with the array that they are of."""
    names = 0
    for each in field.fields:
        names |= each.role & _NAMES
    found: list[tuple[Field, Value]] = []
    rest: list[tuple[Field, Value]] = [(asked, source)]
    at = 0
    while at < len(rest):
        around, value = rest[at]
        at += 1
        if not isinstance(value, dict):
            continue
        part = _matching(around, names)
        if part is None:
            continue
        items = value.get(part.name)
        for item in items if isinstance(items, list) else ():
            if names == 0 or part.kind != STRUCT or _own_roles(part) & names != 0:
                found.append((part, item))
            else:
                rest.append((part, item))
    return found


def _matching(around: Field, names: int) -> Field | None:
    """The array in the struct `around` that has `names` in its elements; where there are none, the first of structs."""
    for each in around.fields:
        if each.array and each.tag < 0 and ((names == 0 and each.kind == STRUCT) or each.has & names != 0):
            return each
    return None


def _own_roles(field: Field) -> int:
    """The roles of a struct's own fields."""
    found = 0
    for each in field.fields:
        if not each.array:
            found |= each.role
    return found


def _same(field: Field, asked: Field, source: Value) -> Value:
    """An array that the request has under the same name, as AlterClientQuotas has its entities; else nothing."""
    if isinstance(source, dict) and field.name in source and field.path.count(".") > 0:
        for each in asked.fields:
            if each.name == field.name and each.array and each.kind == STRUCT and _alike(each, field):
                items = source[field.name]
                return [_known(each, item) for item in items] if isinstance(items, list) else items
    return None if field.nullable and field.default is None else []


def _known(field: Field, item: Value) -> Value:
    """A struct's own fields, without the tagged ones that a client may have added."""
    if not isinstance(item, dict):
        return item
    return {each.name: item[each.name] for each in field.fields if each.name in item}


def _alike(one: Field, other: Field) -> bool:
    return [each.name for each in one.fields] == [each.name for each in other.fields]


def _plain(field: Field, asked: Field, source: Value) -> Value:
    """A value: what the request names the item by, or nothing."""
    role = field.role
    if role & (_NAMES | KEY_TYPE | SESSION_ID) != 0:
        if asked.array and asked.kind != STRUCT:
            if asked.role == role and not isinstance(source, dict):
                return source
        elif isinstance(source, dict) and (field.path.count(".") > 0 or role == SESSION_ID):
            for each in asked.fields:
                if each.role == role and not each.array and each.name in source:
                    return source[each.name]
    if role == RECORDS:
        return b""
    if role == PROTOCOL_NAME and field.nullable:
        return None
    if (role & _NOTHING != 0 or field.name in _NO_NUMBERS) and field.kind in (INT8, INT16, INT32, INT64):
        return -1
    if field.kind == STRING and field.default is None and not field.nullable:
        return ""
    return field.default
