"""A configuration as a tree in which each value knows where it stands: file, line and column.

It is read by `l7codecs.routing`; a protocol reads what is its own of it (`RouteFormat`). Everything that is wrong with a file is told at
once: what looks at a value says so with `Config.problem` and goes on, and `Config.check` raises all of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from l7codecs.errors import L7Error

__all__ = ["Config", "ConfigError", "ConfigProblem", "ConfigValue", "RouteFormat", "nearest"]

ConfigValue: TypeAlias = (
    "Config | str | int | float | bool | bytes | Sequence[ConfigValue] | Mapping[str, ConfigValue] | None"
)
"""What a tree is made of: plain values, and nodes of another tree that keep their place."""

_INTEGER = re.compile("-?[0-9]{1,19}")
_PROBLEMS = 100
"""That many are told; a file that has more is not what it is taken for."""


@dataclass(frozen=True, slots=True)
class ConfigProblem:
    """What is wrong with a configuration, and where: ``line`` and ``column`` count from 1, and are 0 where there is no such place."""

    file: str
    line: int
    column: int
    text: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        return f"{place}: {self.text}"


class ConfigError(L7Error, ValueError):
    """A configuration is wrong; ``problems`` are all of them, in the order of the file.

    ``files`` are those that were looked at, where it is made of several.
    """

    files: tuple[str, ...] = ()

    def __init__(self, problems: Iterable[ConfigProblem]) -> None:
        self.problems = tuple(sorted(problems, key=lambda each: (each.file, each.line, each.column)))
        super().__init__(self.problems)

    def __str__(self) -> str:
        return "\n".join(map(str, self.problems))


def nearest(word: str, known: Iterable[str]) -> str:
    """``; did you mean …?`` with that of `known` which is most like `word`; empty where none is."""
    from difflib import get_close_matches  # where it is needed: it takes a while to import

    by_fold = {each.casefold(): each for each in known}
    found = get_close_matches(word.casefold(), by_fold, 1, 0.6)
    return f"; did you mean {by_fold[found[0]]!r}?" if found else ""


class Config:
    """One value of a configuration and its place.

    ``value`` is a str, int, float, bool, bytes or None, a list of `Config`, or a dict of `Config` by key.
    """

    __slots__ = ("_problems", "column", "file", "keys", "line", "lost", "value")

    def __init__(
        self,
        value: str | int | float | bool | bytes | list[Config] | dict[str, Config] | None,
        file: str = "",
        line: int = 0,
        column: int = 0,
        problems: list[ConfigProblem] | None = None,
    ) -> None:
        self.value = value
        self.file = file
        self.line = line
        self.column = column
        self.keys: dict[str, Config] = {}
        """Of a mapping: its keys as they stand, by themselves."""
        self.lost = False
        """Something that was wrong was taken out of it, and is told."""
        self._problems: list[ConfigProblem] = [] if problems is None else problems

    def __repr__(self) -> str:
        return f"<Config {self.type_name} at {self.file}:{self.line}:{self.column}>"

    @property
    def type_name(self) -> str:
        """``mapping``, ``list``, ``string``, ``integer``, ``number``, ``boolean``, ``octets`` or ``null``."""
        value = self.value
        if value is None:
            return "null"
        names = {dict: "mapping", list: "list", str: "string", bool: "boolean", int: "integer", float: "number"}
        return names.get(type(value), "octets")

    @property
    def found(self) -> str:
        """``type_name`` with its article."""
        name = self.type_name
        return name if name in ("null", "octets") else f"{'an' if name[0] in 'aeiou' else 'a'} {name}"

    def problem(self, text: str) -> None:
        """Something is wrong here."""
        found = ConfigProblem(self.file, self.line, self.column, text)
        if len(self._problems) < _PROBLEMS and found not in self._problems:
            self._problems.append(found)

    @property
    def problems(self) -> list[ConfigProblem]:
        """Those of the whole file so far, for nodes that are made to belong to it."""
        return self._problems

    @property
    def problem_count(self) -> int:
        """How many problems the whole file has so far."""
        return len(self._problems)

    def check(self) -> None:
        """Raise a `ConfigError` with all problems of the file, where there are any."""
        if self._problems:
            raise ConfigError(self._problems)

    def make(self, value: ConfigValue) -> Config:
        """A tree of `value`, as if it stood in this place; nodes within keep their own."""
        if isinstance(value, Config):
            return value
        made = Config(None, self.file, self.line, self.column, self._problems)
        if isinstance(value, Mapping):
            made.value = {key: self.make(each) for key, each in value.items()}
            made.keys = dict.fromkeys(value, self)
        elif isinstance(value, Sequence) and not isinstance(value, str | bytes):
            made.value = [self.make(each) for each in value]
        else:
            made.value = value
        return made

    # Each of these tells what is wrong, and then returns something of its type.

    def mapping(self) -> dict[str, Config]:
        """The values by key; empty, and a problem, where it is none."""
        if isinstance(self.value, dict):
            return self.value
        self.problem(f"expected a mapping, found {self.found}")
        return {}

    def items(self) -> list[Config]:
        """The values of a list; empty, and a problem, where it is none."""
        if isinstance(self.value, list):
            return self.value
        self.problem(f"expected a list, found {self.found}")
        return []

    def text(self) -> str:
        """The string; empty, and a problem, where it is none."""
        if isinstance(self.value, str):
            return self.value
        self.problem(f"expected a string, found {self.found}")
        return ""

    def number(self) -> float:
        """The number; 0, and a problem, where it is none."""
        if isinstance(self.value, int | float) and not isinstance(self.value, bool):
            return self.value
        self.problem(f"expected a number, found {self.found}")
        return 0

    def integer(self) -> int:
        """The integer, also as a text, as protobuf's JSON has those of 64 bits; 0, and a problem, where it is none."""
        value = self.value
        if isinstance(value, str) and _INTEGER.fullmatch(value):
            return int(value)
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        self.problem(f"expected an integer, found {self.found}")
        return 0

    def flag(self) -> bool:
        """The boolean; False, and a problem, where it is none."""
        if isinstance(self.value, bool):
            return self.value
        self.problem(f"expected true or false, found {self.found}")
        return False

    def fields(self, known: Iterable[str], refused: Mapping[str, str] | None = None) -> dict[str, Config]:
        """The values of a mapping whose keys are `known`; nulls count as absent, as in protobuf's JSON.

        A key of `refused` is one that exists and cannot be expressed; its text says why. Any other names the nearest that is known.
        """
        known = tuple(known)
        found = {}
        for key, value in self.mapping().items():
            place = self.keys.get(key, value)
            if key in known:
                if value.value is not None:
                    found[key] = value
            elif refused and key in refused:
                place.problem(f"{key}: {refused[key]}")
            else:
                place.problem(f"unknown key {key!r}{nearest(key, known)}")
        return found


@dataclass(frozen=True, slots=True)
class RouteFormat:
    """How one protocol's routes are written elsewhere, for `l7codecs.routing` to read as they are.

    ``types`` are the names by which such a configuration is known: the message types in the ``@type`` of its JSON or
    YAML, without what stands
    before the last ``/``. ``read(config)`` returns the rules in the form of `l7codecs.routing`'s own files: a list of mappings.
    Nodes of `config` in it keep their places. What it cannot express it tells with `Config.problem`; it drops nothing.
    """

    types: tuple[str, ...]
    read: Callable[[Config], ConfigValue]
