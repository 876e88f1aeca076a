"""Which functions call themselves, directly or not, and what bounds how deep: compiled, nothing notices that the C stack ends."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = [ROOT / "src" / "l7codecs", *(ROOT / "protocols").glob("*/l7codecs_*")]

Function = tuple[str, str]
"""Class, or module of a function outside of classes, and name."""

KNOWN = {
    "Http2Decoder.start FrameReader._next_event FrameReader.next_event": "once: then the direction is no longer opening",
    "ReplyDecoder._next ReplyDecoder.next_event RequestDecoder._next RequestDecoder.next_event ResumingDecoder.next_wary": (
        "once each: what is wary is not while it asks, and what follows a hand-over is read by another decoder"
    ),
    "StreamTable._rehouse StreamTable.add": "once: the new table has room",
    "Config.make": "the depth of a configuration, which `parse_config` bounds",
    "matching.matching": "as above: `match` within `match`",
    "indexing._build indexing._switch": "what is switched by: each once, and eight below each other at most",
    "golden._plain": "the depth of a golden file's row: an attribute's value, or a header's",
    "golden._differences": "the depth of a golden file's row, of which dicts are two",
    "Joined.ask Joined.reply Joined.settle _Recorded.ask _Recorded.reply": "once: what settles does not ask for it again",
    "states._collect": "`_DEEP`, which it counts",
    "GrpcTypes._seal": "`_ANY_DEPTH`, which it counts",
    "_Maker._array _Maker._struct _Maker._value": "the structs of Kafka's table, seven deep: `test_elements_have_an_octet`",
    "_Reader._item _Reader._tags _Reader.struct _Reader.value": "as above: what the octets say adds nothing to it",
    "_Writer._item _Writer.struct _Writer.value": "as above: a value that is deeper than its layout is refused",
    "_Mirror._items _Mirror.struct": "the depth of an answer's structs, which the table says",
    "_Own._items _Own.struct": "the depth of a body's structs, which the table says",
    "_Namer._map _Namer.struct _Namer.value": "`_DEPTH`, which it counts",
    "Http2Session.put Http2Session.send_message Http2Session.send_rest Session._octets Session.put": (
        "once: `Session.put` is an observer's, the rest an endpoint's"
    ),
}
"""Functions that may reach each other, and how often at most."""


def graph() -> dict[Function, set[Function]]:
    """Who may call whom: functions by their names, methods of `self` with all that override them, those of `super()` above."""
    functions: dict[Function, ast.FunctionDef] = {}
    bases: dict[str, set[str]] = {}
    for path in (path for package in PACKAGES for path in package.rglob("*.py")):
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.FunctionDef):
                functions[path.stem, node.name] = node
            elif isinstance(node, ast.ClassDef):
                bases.setdefault(node.name, set()).update(ast.unparse(base) for base in node.bases)
                for part in node.body:
                    if isinstance(part, ast.FunctionDef):
                        functions[node.name, part.name] = part

    def above(name: str) -> set[str]:
        direct = bases.get(name, set())
        return direct.union(*map(above, direct)) if direct else direct

    def of_self(owner: str) -> set[str]:
        return {owner} | above(owner) | {name for name in bases if owner in above(name)}

    calls: dict[Function, set[Function]] = {}
    for function, node in functions.items():
        owner = function[0]
        found = calls[function] = set()
        for call in (part for part in ast.walk(node) if isinstance(part, ast.Call)):
            target = call.func
            if isinstance(target, ast.Name):
                found |= {each for each in functions if each[1] == target.id and each[0] not in bases}
                found |= {each for each in functions if each == (target.id, "__init__")}
            elif isinstance(target, ast.Attribute):
                receiver = ast.unparse(target.value)
                owners = of_self(owner) if receiver == "self" else above(owner) if receiver == "super()" else set()
                found |= {each for each in functions if each[1] == target.attr and each[0] in owners}
    return calls


def circles(calls: dict[Function, set[Function]]) -> set[str]:
    """The groups of functions that reach each other."""
    reached = {name: set(direct) for name, direct in calls.items()}
    grown = True
    while grown:
        grown = False
        for found in reached.values():
            further = found.union(*[reached[each] for each in found])
            grown |= len(further) > len(found)
            found |= further
    groups = {
        frozenset(each for each in reached[name] if name in reached[each]) for name in reached if name in reached[name]
    }
    return {" ".join(sorted(".".join(function) for function in group)) for group in groups}


def test_recursion_is_known_and_bounded() -> None:
    known = {" ".join(sorted(names.split())) for names in KNOWN}
    assert circles(graph()) == known


def test_recursion_is_found() -> None:
    calls: dict[Function, set[Function]] = {
        ("a", "x"): {("a", "y")},
        ("a", "y"): {("a", "z")},
        ("a", "z"): {("a", "y")},
        ("b", "w"): {("b", "w")},
    }
    assert circles(calls) == {"a.y a.z", "b.w"}
