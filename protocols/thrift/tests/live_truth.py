"""What peers say of their calls, by Apache Thrift for Python's own classes, in the two forms in which a message tells it."""

from __future__ import annotations

from base64 import b64decode
from typing import Any

from .conftest import tool

OF_ARGUMENTS = {
    "hello": [("name", 1, "text")], "find": [("name", 1, "text")], "check": [("name", 1, "text")], "notThere": [("name", 1, "text")],
    "failing": [("why", 1, "text")], "fire": [("what", 1, "text")], "add": [("left", 1, "int"), ("right", 2, "int")],
    "echo": [("everything", 1, "Everything")], "grow": [("tree", 1, "Tree"), ("levels", 2, "int")], "swap": [("value", 1, "Value")],
    "count": [("many", 1, "ints")], "nothing": [], "missing": [],
}  # fmt: skip
"""Of each method: name, id and type of its arguments."""
OF_RESULTS = {"echo": "Everything", "grow": "Tree", "swap": "Value", "find": "Item", "missing": "Item"}


def is_struct(value: Any) -> bool:
    return hasattr(value, "thrift_spec")


def fields(value: Any) -> list[tuple[int, str, Any]]:
    """Id, name and value of each field that is set."""
    specs = [each for each in value.thrift_spec if each is not None]
    return [(each[0], each[2], getattr(value, each[2])) for each in specs if getattr(value, each[2]) is not None]


def named(value: Any) -> Any:
    """As `ThriftTypes` has it: fields and enums by their names. Sets stay sets."""
    if is_struct(value):
        return {name: _enums(name, named(held)) for _, name, held in fields(value)}
    return _container(value, named)


def _enums(name: str, value: Any) -> Any:
    """Numbers of Colour by their names, in the fields that have such."""
    names = tool("thrift_stage").types().Colour._VALUES_TO_NAMES
    if name == "colour":
        return names[value]
    return {names[key]: held for key, held in value.items()} if name == "names" else value


def structured(value: Any) -> Any:
    """As `ThriftMessage.structure` has it: fields by their ids. Sets stay sets, and octets octets."""
    if is_struct(value):
        return {number: structured(held) for number, _, held in fields(value)}
    return _container(value, structured)


def _container(value: Any, form: Any) -> Any:
    if isinstance(value, dict):
        return {form(key): form(held) for key, held in value.items()}
    return type(value)(map(form, value)) if isinstance(value, list | set) else value


def is_same(truth: Any, told: Any, *, base64: bool = False) -> bool:
    """Whether `told` is `truth`: what is a set there may have any order, what is octets may be text, of their `base64` in JSON."""
    if isinstance(truth, dict):
        return (
            isinstance(told, dict)
            and sorted(truth, key=repr) == sorted(told, key=repr)
            and all(is_same(held, told[key], base64=base64) for key, held in truth.items())
        )
    if isinstance(truth, list):
        return (
            isinstance(told, list)
            and len(truth) == len(told)
            and all(is_same(one, other, base64=base64) for one, other in zip(truth, told, strict=True))
        )
    if isinstance(truth, set):
        return isinstance(told, list) and len(truth) == len(told) and truth == set(told)
    if isinstance(truth, bytes) and isinstance(told, str):
        return truth == (b64decode(told + "=" * (-len(told) % 4)) if base64 else told.encode())
    return bool(truth == told)


def parsed(kind: str, text: str) -> Any:
    """An argument or result, as a peer told it."""
    if kind == "int":
        return int(text)
    if kind == "ints":
        return [int(each) for each in text.split(";")]
    if kind == "text":
        return bytes.fromhex(text).decode()
    stage = tool("thrift_stage")
    return stage.read(getattr(stage.types(), kind), text)


def arguments(call: str) -> list[tuple[str, int, Any]]:
    """Name, id and value of each argument of a call."""
    name, _, text = call.partition(":")
    given = text.split(",") if text else []
    told = OF_ARGUMENTS[name.partition(".")[2]]
    return [(word, number, parsed(kind, each)) for (word, number, kind), each in zip(told, given, strict=True)]


def result(call: str, said: str) -> Any:
    """The result that a client got: None where it is void or null."""
    kind, _, text = said.partition(":")
    if kind in ("void", "null"):
        return None
    return parsed(OF_RESULTS[call.partition(".")[2].partition(":")[0]] if kind == "struct" else kind, text)
