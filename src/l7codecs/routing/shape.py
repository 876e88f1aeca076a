"""The published JSON schema, held against a configuration: what is wrong is told with its place, an unknown key with
the nearest that is known.

It knows the part of JSON Schema that our schema uses; anything else in a schema is an error of ours. ``octets``, which
only YAML has, are strings.
"""

from __future__ import annotations

import json
import re
from functools import cache
from importlib.resources import files
from typing import Any

from l7codecs.config import Config, nearest

__all__ = ["check_shape", "json_schema"]

_TYPES = {
    "mapping": "object",
    "list": "array",
    "string": "string",
    "integer": "integer",
    "number": "number",
    "boolean": "boolean",
    "octets": "string",
    "null": "null",
}
_NAMES = {"object": "a mapping", "array": "a list", "string": "a string", "integer": "an integer", "number": "a number"}
_KNOWN = {
    *(
        "$schema",
        "$defs",
        "$ref",
        "title",
        "description",
        "type",
        "enum",
        "properties",
        "required",
        "additionalProperties",
    ),
    *("items", "minItems", "maxItems", "minLength", "maxLength", "pattern", "minimum", "maximum", "exclusiveMinimum"),
}


@cache
def _schema() -> dict[str, Any]:
    text = (files("l7codecs.routing") / "schema.json").read_text("utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


@cache
def _pattern(text: str) -> re.Pattern[str]:
    """An expression as JSON Schema has it: ``$`` is the end, and not the place before a line's end there."""
    return re.compile(text[:-1] + r"\Z" if text.endswith("$") else text)


def json_schema() -> dict[str, Any]:
    """The JSON schema (draft 2020-12) of our own configurations, for editors and other checkers."""
    text = json.dumps(_schema())
    found: dict[str, Any] = json.loads(text)
    return found


def check_shape(config: Config, schema: dict[str, Any] | None = None) -> None:
    """Tell everything of `config` that `schema` does not allow (default: ours), with `Config.problem`, and take it out.

    So what is left is of the right shape, and can be looked at further. A mapping or list that something was taken from is ``lost``.
    """
    whole = _schema() if schema is None else schema
    seen: list[tuple[Config, Any]] = []
    bad: set[int] = set()
    stack: list[tuple[Config, Any]] = [(config, whole)]
    while stack:
        node, part = stack.pop()
        while "$ref" in part:
            part = whole["$defs"][part["$ref"].removeprefix("#/$defs/")]
        assert not part.keys() - _KNOWN, part
        seen.append((node, part))
        if not _check(node, part, stack, bad):
            bad.add(id(node))
    for node, part in reversed(seen):  # what is within before what it is in
        value = node.value
        if isinstance(value, dict):
            left = {key: each for key, each in value.items() if id(each) not in bad}
            if any(key not in left for key in part.get("required", ())):
                bad.add(id(node))
            node.lost = node.lost or len(left) < len(value)
            node.value = left
        elif isinstance(value, list):
            kept = [each for each in value if id(each) not in bad]
            if value and not kept:
                bad.add(id(node))
            node.lost = node.lost or len(kept) < len(value)
            node.value = kept


def _check(node: Config, schema: Any, stack: list[tuple[Config, Any]], bad: set[int]) -> bool:
    """Tell what is wrong with `node` itself; whether nothing is."""
    kind = _TYPES[node.type_name]
    allowed = schema.get("type", kind)
    allowed = [allowed] if isinstance(allowed, str) else allowed
    if kind not in allowed and not (kind == "integer" and "number" in allowed):
        words = " or ".join(_NAMES.get(each, "true or false") for each in allowed)
        node.problem(f"expected {words}, found {node.found}")
        return False
    value = node.value
    if "enum" in schema and value not in schema["enum"]:
        near = nearest(value, schema["enum"]) if isinstance(value, str) else ""
        what = f"unknown value {value!r}" if isinstance(value, str) else f"{node.found} is no such value"
        node.problem(what + (near or "; known are " + ", ".join(schema["enum"])))
        return False
    wrong = ""
    if isinstance(value, dict):
        _check_keys(node, value, schema, stack, bad)
    elif isinstance(value, list):
        stack.extend((each, schema["items"]) for each in value)
        if len(value) < schema.get("minItems", 0):
            wrong = "expected at least one"
        elif len(value) > schema.get("maxItems", len(value)):
            wrong = f"has {len(value)} of them; the limit is {schema['maxItems']}"
    elif isinstance(value, str):
        if len(value) < schema.get("minLength", 0):
            wrong = "is empty"
        elif len(value) > schema.get("maxLength", len(value)):
            wrong = f"has {len(value)} characters; the limit is {schema['maxLength']}"
        elif "pattern" in schema and not _pattern(schema["pattern"]).search(value):
            wrong = f"{value!r} is not as it has to be: {schema['description']}"
    elif isinstance(value, int | float) and not isinstance(value, bool):
        if value < schema.get("minimum", value) or value > schema.get("maximum", value):
            wrong = f"{value} is not in {schema.get('minimum', '')}…{schema.get('maximum', '')}"
        elif "exclusiveMinimum" in schema and not value > schema["exclusiveMinimum"]:
            wrong = f"{value} is not above {schema['exclusiveMinimum']}"
    if wrong:
        node.problem(wrong)
    return not wrong


def _check_keys(
    node: Config, value: dict[str, Config], schema: Any, stack: list[tuple[Config, Any]], bad: set[int]
) -> None:
    known = schema.get("properties", {})
    others = schema.get("additionalProperties", False)
    for key, each in value.items():
        if key in known:
            stack.append((each, known[key]))
        elif others is False:
            node.keys.get(key, each).problem(f"unknown key {key!r}{nearest(key, known)}")
            bad.add(id(each))
        else:
            stack.append((each, others))
    for key in schema.get("required", ()):
        if key not in value:
            node.problem(f"{key!r} is missing")
