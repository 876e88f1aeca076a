"""What Hessian values are in Python.

    null, boolean        None, bool                  list without a type    list
    int, long            int, Long                   list of a type         HessianList
    double               float                       untyped map            dict, where its keys are different strings
    string               str                         any other map          HessianMap
    binary               bytes                       object                 HessianObject
    date                 datetime in UTC; `Milliseconds` where it has no such year

What is the same value twice, by a reference, is one object; a value may hold itself. Enums, exceptions, BigDecimal, java.time are objects
as their writers made them. What these forms do not say is which of several encodings of one value it was.
"""

from __future__ import annotations

from datetime import datetime
from typing import TypeAlias, final

from mypy_extensions import mypyc_attr

__all__ = [
    "ClassDefinition",
    "HessianList",
    "HessianMap",
    "HessianObject",
    "Long",
    "Milliseconds",
    "Reference",
    "Value",
]


@mypyc_attr(native_class=False)
class Long(int):
    """A Hessian long: 64 bits. An ``int`` is a Hessian int, of 32."""

    __slots__ = ()


@mypyc_attr(native_class=False)
class Milliseconds(int):
    """A date before the year 1 or after the year 9999: milliseconds since 1970-01-01 in UTC."""

    __slots__ = ()


@final
class Reference:
    """Stands for a list, map or object that was passed over: number `number` of its stream, from 0."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __repr__(self) -> str:
        return f"Reference({self.number})"


@final
class ClassDefinition:
    """A class as its writer defined it. Names of fields may come twice: a class and its parent have each one of that name."""

    def __init__(self, name: str, fields: tuple[str, ...]) -> None:
        self.name = name
        self.fields = fields

    def __repr__(self) -> str:
        return f"ClassDefinition({self.name!r}, {self.fields!r})"


@final
class HessianObject:
    """An object: its class, and a value for each of the class's fields."""

    def __init__(self, definition: ClassDefinition, values: list[Value]) -> None:
        self.definition = definition
        self.values = values

    @property
    def class_name(self) -> str:
        """The full name of the class."""
        return self.definition.name

    @property
    def fields(self) -> tuple[tuple[str, Value], ...]:
        """Names and values, in the order of the wire."""
        return tuple(zip(self.definition.fields, self.values, strict=False))

    def get(self, name: str) -> Value:
        """The value of the first field with this name; None where there is none."""
        names = self.definition.fields
        for index in range(min(len(names), len(self.values))):
            if names[index] == name:
                return self.values[index]
        return None

    def __repr__(self) -> str:
        return f"<HessianObject {self.definition.name}>"


@final
class HessianList:
    """A list that says of what type it is, ``[int`` or ``java.util.Arrays$ArrayList``."""

    def __init__(self, type_name: str, items: list[Value]) -> None:
        self.type_name = type_name
        self.items = items

    def __repr__(self) -> str:
        return f"<HessianList {self.type_name}: {len(self.items)} items>"


@final
class HessianMap:
    """A map with a type, or whose keys are no different strings, or that holds itself. `type_name` None: it has none."""

    def __init__(self, type_name: str | None, pairs: list[tuple[Value, Value]]) -> None:
        self.type_name = type_name
        self.pairs = pairs
        self.referred = False
        """Whether something inside of it is the map itself."""

    def get(self, key: Value) -> Value:
        """The value of the last pair with this key; None where there is none."""
        for index in range(len(self.pairs) - 1, -1, -1):
            if self.pairs[index][0] == key:
                return self.pairs[index][1]
        return None

    def __repr__(self) -> str:
        return f"<HessianMap {self.type_name}: {len(self.pairs)} entries>"


Value: TypeAlias = (
    "bool | int | float | str | bytes | datetime | list[Value] | dict[str, Value] | "
    "HessianObject | HessianList | HessianMap | Reference | None"
)
