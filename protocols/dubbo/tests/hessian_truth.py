"""Hessian values told in a form of its own, to compare two of them: whatever holds itself, and with every type."""

from __future__ import annotations

import math
import random
import string
from datetime import UTC, datetime, timedelta

from l7codecs_dubbo._hessian.values import (
    ClassDefinition,
    HessianList,
    HessianMap,
    HessianObject,
    Long,
    Milliseconds,
    Reference,
    Value,
)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Token = tuple[object, ...]


def told(*values: Value) -> list[Token]:
    """The values in the order of their stream: what each is, containers by how many items follow, or by their number if they were told."""
    tokens: list[Token] = []
    numbers: dict[int, int] = {}
    waiting = list(reversed(values))
    while waiting:
        value = waiting.pop()
        if isinstance(value, (list, dict, HessianList, HessianMap, HessianObject)):
            if id(value) in numbers:
                tokens.append(("reference", numbers[id(value)]))
                continue
            numbers[id(value)] = len(numbers)
        items: list[Value] = []
        if isinstance(value, list):
            tokens.append(("list", None, len(value)))
            items = value
        elif isinstance(value, HessianList):
            tokens.append(("list", value.type_name, len(value.items)))
            items = value.items
        elif isinstance(value, dict):
            tokens.append(("map", None, len(value)))
            items = [part for pair in value.items() for part in pair]
        elif isinstance(value, HessianMap):
            tokens.append(("map", value.type_name, len(value.pairs)))
            items = [part for pair in value.pairs for part in pair]
        elif isinstance(value, HessianObject):
            tokens.append(("object", value.class_name, tuple(name for name, _ in value.fields)))
            items = value.values
        elif isinstance(value, float):
            tokens.append(("double", "nan" if math.isnan(value) else (value + 0.0).hex()))
        elif isinstance(value, datetime):
            tokens.append(("date", (value - EPOCH) // timedelta(milliseconds=1)))
        else:
            kind = type(value).__name__
            assert type(value) in (type(None), bool, int, Long, Milliseconds, str, bytes, Reference), kind
            tokens.append((kind, repr(value)))
        waiting.extend(reversed(items))
    return tokens


CLASSES = (
    ClassDefinition("a.Empty", ()),
    ClassDefinition("a.Point", ("x", "y")),
    ClassDefinition("b.Child", ("name", "x", "name")),
    *(ClassDefinition(f"c.C{number}", ("only",)) for number in range(20)),
)
TYPES = ("[int", "java.util.Arrays$ArrayList", "java.util.LinkedHashMap", "é")
ALPHABETS = (string.ascii_letters, "aé€😀", "😀𝄞", "\ud800a\udc00", "\0\x7f")


def random_values(chance: random.Random, size: int) -> list[Value]:
    """Values of a stream, of some `size` parts altogether. Some refer to others, and some to what they are part of."""
    made: list[list[Value] | dict[str, Value] | HessianList | HessianMap | HessianObject] = []
    values: list[Value] = []
    open_lists: list[list[Value]] = [values]
    for _ in range(size):
        into = chance.choice(open_lists[-4:])
        kind = chance.randrange(12)
        if kind == 0 and made:
            into.append(chance.choice(made))
        elif kind == 1:
            items: list[Value] = []
            chosen: Value = items if chance.random() < 0.6 else HessianList(chance.choice(TYPES), items)
            assert isinstance(chosen, (list, HessianList))
            made.append(chosen)
            into.append(chosen)
            open_lists.append(items)
        elif kind == 2:
            definition = chance.choice(CLASSES)
            found = HessianObject(definition, [random_scalar(chance) for _ in definition.fields])
            if definition.fields and made and chance.random() < 0.5:
                found.values[-1] = chance.choice(made)
            if definition.fields and chance.random() < 0.2:
                found.values[0] = found
            made.append(found)
            into.append(found)
        elif kind == 3:
            entries: dict[str, Value] = {random_text(chance): random_scalar(chance) for _ in range(chance.randrange(4))}
            made.append(entries)
            into.append(entries)
        elif kind == 4:
            pairs = [(random_scalar(chance), random_scalar(chance)) for _ in range(chance.randrange(1, 4))]
            pairs.append((1, None))  # so it is none of strings alone
            mapped = HessianMap(chance.choice([None, *TYPES]), pairs)
            if chance.random() < 0.3:
                mapped.pairs.append((mapped, mapped))
            made.append(mapped)
            into.append(mapped)
        else:
            into.append(random_scalar(chance))
    return values


def random_text(chance: random.Random) -> str:
    """Text of any length that has a form of its own."""
    size = (
        chance.choice((0, 1, 5, 8, 9, 31, 32, 33, 100))
        if chance.random() < 0.97
        else chance.choice((1023, 1024, 40000))
    )
    return proper("".join(chance.choices(chance.choice(ALPHABETS), k=size)))


def proper(text: str) -> str:
    """The same with two surrogates as one character."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


def random_scalar(chance: random.Random) -> Value:
    """A value that holds no other."""
    kind = chance.randrange(9)
    bits = chance.randrange(64)
    number = chance.choice((1, -1)) * (chance.getrandbits(bits + 1) - chance.randrange(2))
    if kind == 0:
        return chance.choice((None, True, False))
    if kind == 1:
        return max(-(2**31), min(2**31 - 1, number))
    if kind == 2:
        return Long(max(-(2**63), min(2**63 - 1, number)))
    if kind == 3:
        return chance.choice(
            (0.0, 1.0, -128.0, 32767.0, 12.25, 1e300, -0.001, float(number), chance.random(), math.nan, math.inf)
        )
    if kind == 4:
        return EPOCH + timedelta(milliseconds=chance.choice((0, 60_000 * chance.randrange(-9, 9), number % 10**14)))
    if kind == 5:
        size = chance.choice((0, 15, 16, 1023, 1024, 9000) if chance.random() < 0.1 else (0, 3))
        return chance.randbytes(size)
    return random_text(chance)


def random_plain(chance: random.Random, size: int, *, maps: bool = True, shared: bool = True) -> list[Value]:
    """As `random_values`, of lists, maps, and scalars that every library knows."""
    values: list[Value] = []
    lists: list[list[Value]] = [values]
    made: list[list[Value] | dict[str, Value]] = []
    for _ in range(size):
        into = chance.choice(lists[-4:])
        kind = chance.randrange(10)
        if kind == 0 and made and shared:
            into.append(chance.choice(made))
        elif kind < 3:
            items: list[Value] = []
            lists.append(items)
            made.append(items)
            into.append(items)
        elif kind == 3 and maps:
            entries: dict[str, Value] = {}
            for _ in range(chance.randrange(4)):
                entries[random_text(chance)] = (
                    chance.choice(made) if made and shared and chance.random() < 0.3 else random_scalar(chance)
                )
            made.append(entries)
            into.append(entries)
        else:
            into.append(random_scalar(chance))
    return values
