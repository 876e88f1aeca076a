"""What is in a body, found without the walk: from its values, by recursion over the layout."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator

from hypothesis import strategies as st

from l7codecs_kafka._schema.layouts import (
    BOOL,
    BYTES,
    FLOAT64,
    INT8,
    INT16,
    INT32,
    INT64,
    STRING,
    STRUCT,
    UINT16,
    UUID,
    Field,
    Layout,
    Value,
    apis,
    consumer_data,
    layout,
)
from l7codecs_kafka._schema.values import TAGS
from l7codecs_kafka._schema.walk import Found

FORMATS = {BOOL: ">?", INT8: ">b", INT16: ">h", UINT16: ">H", INT32: ">i", INT64: ">q", FLOAT64: ">d"}
DATA = {-1: "ConsumerProtocolSubscription", -2: "ConsumerProtocolAssignment"}
"""The keys that FillMessages gives to what is no API."""


def every_layout() -> list[Layout]:
    found = [
        layout(api.key, version, response)
        for api in apis()
        for version in range(api.lowest, api.highest + 1)
        for response in (False, True)
    ]
    found += [consumer_data(name, version) for name in DATA.values() for version in range(4)]
    return [each for each in found if each is not None]


def get_layout(key: int, version: int, response: bool) -> Layout | None:
    return consumer_data(DATA[key], version) if key < 0 else layout(key, version, response)


def as_octets(field: Field, value: Value) -> bytes | None:
    """A value on the wire, without its length."""
    if value is None:
        return None
    if isinstance(value, str):
        return value.encode("utf-8", "surrogateescape")
    if isinstance(value, bytes):
        return value
    return struct.pack(FORMATS[field.kind], value)


def leaves(fields: list[Field], value: dict[str, Value]) -> Iterator[tuple[dict[str, Value], Field, int, Value]]:
    """Every field that is no struct, in the order of the wire: where it stands, itself, its place in an array or -1, its value."""
    for field in fields:
        if field.name not in value:
            continue
        here = value[field.name]
        if isinstance(here, list):
            for number, item in enumerate(here):
                if isinstance(item, dict):
                    yield from leaves(field.fields, item)
                else:
                    yield value, field, number, item
        elif isinstance(here, dict):
            yield from leaves(field.fields, here)
        elif not field.array and field.kind != STRUCT:
            yield value, field, -1, here


def expected(of: Layout, value: dict[str, Value], wanted: int) -> list[tuple[str, bytes | None]]:
    """What `pick` ought to find."""
    return [
        (field.path, as_octets(field, here))
        for _, field, _, here in leaves(of.fields, value)
        if field.role & wanted
    ]  # fmt: skip


def entries(found: Found) -> list[tuple[str, bytes | None]]:
    """What it found."""
    return [(found.field(number).path, found.octets_of(number)) for number in range(len(found))]


def change(
    of: Layout, value: dict[str, Value], wanted: int, chance: random.Random, share: float
) -> list[tuple[int, bytes | None]]:
    """Give some of the wanted fields other values, in `value`; returns the changes for `splice`."""
    changes: list[tuple[int, bytes | None]] = []
    number = -1
    for around, field, place, _ in list(leaves(of.fields, value)):
        if not field.role & wanted:
            continue
        number += 1
        if chance.random() >= share:
            continue
        new = other_value(field, chance)
        if place < 0:
            around[field.name] = new
        else:
            items = around[field.name]
            assert isinstance(items, list)
            items[place] = new
        changes.append((number, as_octets(field, new)))
    return changes


def other_value(field: Field, chance: random.Random) -> Value:
    if field.kind == STRING:
        return "ü" * chance.choice((0, 1, 62, 63, 64, 200, 8192))
    if field.kind == BYTES:
        return None if chance.random() < 0.2 else chance.randbytes(chance.choice((0, 5, 126, 127, 16383)))
    if field.kind == UUID:
        return chance.randbytes(16)
    if field.kind == BOOL:
        return chance.random() < 0.5
    bits = {INT8: 7, INT16: 15, UINT16: 15, INT32: 31, INT64: 63}[field.kind]
    return chance.getrandbits(bits)


def random_body(of: Layout, chance: random.Random) -> dict[str, Value]:
    """Values for a whole body, most of them small."""
    return _random_struct(of.root, of.flexible, chance)


def _random_struct(struct: Field, flexible: bool, chance: random.Random) -> dict[str, Value]:
    made: dict[str, Value] = {}
    for field in struct.fields:
        if field.tag >= 0 and chance.random() < 0.4:
            continue
        if field.nullable and chance.random() < 0.25:
            made[field.name] = None
        elif field.array:
            made[field.name] = [_random_item(field, flexible, chance) for _ in range(chance.choice((0, 1, 1, 2)))]
        else:
            made[field.name] = _random_item(field, flexible, chance)
    if flexible and chance.random() < 0.1:
        made[TAGS] = {chance.choice((77, 128, 2**32 - 1)): chance.randbytes(chance.choice((0, 1, 200)))}  # type: ignore[dict-item]
    return made


def _random_item(field: Field, flexible: bool, chance: random.Random) -> Value:
    if field.kind == STRUCT:
        return _random_struct(field, flexible, chance)
    if field.kind == FLOAT64:
        return chance.random()
    if field.kind in (STRING, BYTES) and chance.random() < 0.9:
        return "t-one" if field.kind == STRING else b"octets"
    return other_value(field, chance)


# ------------------------------------------------------------------------------------------- values that hypothesis makes

_SCALARS: dict[int, st.SearchStrategy[Value]] = {
    BOOL: st.booleans(),
    INT8: st.integers(-0x80, 0x7F),
    INT16: st.integers(-0x8000, 0x7FFF),
    UINT16: st.integers(0, 0xFFFF),
    INT32: st.integers(-0x80000000, 0x7FFFFFFF),
    INT64: st.integers(-0x8000000000000000, 0x7FFFFFFFFFFFFFFF),
    FLOAT64: st.floats(allow_nan=False),
    UUID: st.binary(min_size=16, max_size=16),
    STRING: st.text(st.characters(codec="utf-8"), max_size=6) | st.just("x" * 130),
    BYTES: st.binary(max_size=6) | st.just(b"y" * 20000),
}


def values_of(of: Layout) -> st.SearchStrategy[dict[str, Value]]:
    return _struct(of.root, of.flexible)


def _struct(field: Field, flexible: bool) -> st.SearchStrategy[dict[str, Value]]:
    ordinary = {each.name: _value(each, flexible) for each in field.fields if each.tag < 0}
    tagged = {each.name: _value(each, flexible) for each in field.tagged}
    if flexible:
        tagged[TAGS] = st.dictionaries(st.integers(50, 2**32 - 1), st.binary(max_size=4), min_size=1, max_size=2)  # type: ignore[assignment]  # keys are tags
    return st.fixed_dictionaries(ordinary, optional=tagged)


def _value(field: Field, flexible: bool) -> st.SearchStrategy[Value]:
    made: st.SearchStrategy[Value]
    made = _struct(field, flexible) if field.kind == STRUCT else _SCALARS[field.kind]  # type: ignore[assignment]  # invariant
    if field.array:
        made = st.lists(made, max_size=3)  # type: ignore[assignment]  # invariant
    return st.none() | made if field.nullable else made
