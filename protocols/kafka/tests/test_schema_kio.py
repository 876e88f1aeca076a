"""A second opinion on the table: the PyPI package kio, whose classes are generated from the same definitions by another generator.

It reads what we write, to the last octet, and writes what we read. It has no removed versions.
"""

from __future__ import annotations

import io
import random
from typing import Any

import pytest
from kio.index import UnknownAPIKey, UnknownEntity, load_request_schema, load_response_schema
from kio.serial import entity_reader, entity_writer

from l7codecs_kafka._schema.layouts import ERROR_CODE, FLOAT64, INT8, INT16, INT32, INT64, STRUCT, Field, Layout, Value
from l7codecs_kafka._schema.values import decode, encode

from .schema_truth import every_layout

SMALLEST = 500


def schema(of: Layout) -> Any:
    """kio's class; None where it has none."""
    try:
        load = load_response_schema if of.response else load_request_schema
        return load(of.api.key, int(of.version))
    except (UnknownAPIKey, UnknownEntity):
        return None


def tame(struct: Field, chance: random.Random) -> dict[str, Value]:
    """Values that kio's types take: codes that exist, times that fit a timedelta; nothing tagged that is its default."""
    made: dict[str, Value] = {}
    for field in struct.fields:
        if field.tag >= 0 and chance.random() < 0.5:
            continue
        if field.nullable and field.tag < 0 and chance.random() < 0.25:
            made[field.name] = None
        elif field.array:
            made[field.name] = [_item(field, chance) for _ in range(chance.choice((1, 1, 2)))]
        else:
            made[field.name] = _item(field, chance)
    return made


def _item(field: Field, chance: random.Random) -> Value:
    if field.kind == STRUCT:
        return tame(field, chance)
    if field.role == ERROR_CODE:
        return chance.choice((3, 35, 79))
    if field.kind == FLOAT64:
        return chance.random()
    if field.kind in (INT8, INT16, INT32, INT64):
        return chance.randint(1, 100)
    return {0: True, 3: 9092, 7: b"0123456789abcdef", 8: "topic-ü", 9: b"octets" * 40}[int(field.kind)]


KNOWN = [(each, known) for each in every_layout() if each.api.key >= 0 and (known := schema(each)) is not None]


def test_kio_knows_most() -> None:
    assert len(KNOWN) >= SMALLEST


@pytest.mark.parametrize("seed", range(3))
def test_kio_reads_and_writes_the_same(seed: int) -> None:
    chance = random.Random(seed)
    for of, known in KNOWN:
        value = tame(of.root, chance)
        body = encode(of, value)
        entity, size = entity_reader(known)(body, 0)
        assert size == len(body), of
        out = io.BytesIO()
        entity_writer(known)(out, entity)
        again = out.getvalue()
        assert decode(of, again, 0, len(again)) == (value, len(again)), of
        assert again == body, of
