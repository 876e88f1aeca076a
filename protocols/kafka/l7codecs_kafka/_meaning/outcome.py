"""The outcome of an answer: every error code in it, whatever its place, and the results item by item.

A code of 0 at the top hides failed items (AlterPartitionReassignments, LeaveGroup, DeleteTopics), so all are looked at.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from mypy_extensions import i64

from .._schema.layouts import ERROR_CODE, TOPIC, TOPIC_ID, Field, Layout, Value
from .._schema.walk import pick
from .errors import error_name
from .topics import NO_TOPIC

__all__ = ["Result", "error_codes", "results_of"]


class Result(NamedTuple):
    """What became of one item of a request.

    ``topic`` is the name or, as text, the id, ``partition`` is -1 where the result is of something else; ``fields`` are all fields of
    the struct with the error code, by the names of the definitions, without arrays and structs inside.
    """

    topic: str | None
    partition: int
    error_code: int
    fields: dict[str, Value]

    @property
    def error(self) -> str | None:
        """The name of the error code; None where it is 0."""
        return error_name(self.error_code) if self.error_code != 0 else None


def error_codes(layout: Layout, octets: bytes, start: i64, end: i64, partial: bool) -> list[int]:
    """Every error code in the body, in the order of the wire; with `partial` those in a head.

    Raises:
        ProtocolError: the octets are no such body.
    """
    codes: list[int] = []
    if layout.has & ERROR_CODE == 0:
        return codes
    found = pick(layout, octets, start, end, ERROR_CODE, partial=partial)
    count: i64 = len(found)
    at: i64 = 0
    while at < count:
        codes.append(found.number(at))
        at += 1
    return codes


def results_of(layout: Layout, body: dict[str, Value]) -> Iterator[tuple[Value, int, int, dict[str, Value]]]:
    """Topic (name, or octets of the id), partition, error code and fields of every struct with an error code, in the order of the wire."""
    waiting: list[tuple[list[Field], dict[str, Value], Value]] = [(layout.fields, body, None)]
    while waiting:
        fields, struct, topic = waiting.pop()
        plain: dict[str, Value] = {}
        inner: list[tuple[list[Field], dict[str, Value], Value]] = []
        topic = _topic_of(fields, struct) or topic
        for field in fields:
            value = struct.get(field.name)
            if not field.fields:
                plain[field.name] = value
                continue
            for each in value if isinstance(value, list) else [value]:
                if isinstance(each, dict):
                    inner.append((field.fields, each, topic))
        codes = [field for field in fields if field.role == ERROR_CODE and not field.array]
        if codes:
            numbers = [plain[field.name] for field in fields if field.name in _PARTITIONS]
            partition = numbers[0] if numbers else -1
            wrong = [code for code in (plain[field.name] for field in codes) if isinstance(code, int)]
            code = next((each for each in wrong if each != 0), 0)
            yield topic, partition if isinstance(partition, int) else -1, code, plain
        waiting.extend(reversed(inner))


_PARTITIONS = frozenset(("PartitionIndex", "Index", "Partition", "PartitionId"))


def _topic_of(fields: list[Field], struct: dict[str, Value]) -> Value:
    """The topic that a struct itself names; None where it names none."""
    topic: Value = None
    for field in fields:
        if field.array:
            continue
        value = struct.get(field.name)
        if field.role == TOPIC and isinstance(value, str):
            return value
        if field.role == TOPIC_ID and isinstance(value, bytes) and value != NO_TOPIC:
            topic = value
    return topic
