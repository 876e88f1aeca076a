"""`help()` of compiled code reads as that of its sources: docstrings and signatures, held against what Python's own parser finds there."""

from __future__ import annotations

import ast
import enum
import importlib
import inspect
import sys
import types
from collections.abc import Iterator
from types import ModuleType

import pytest

import l7codecs

PACKAGES = ["l7codecs", "l7codecs.capture", "l7codecs.routing", "l7codecs_http2", "l7codecs_redis"]
MODULES = sorted(
    {
        getattr(package, name).__module__
        for package in map(importlib.import_module, PACKAGES)
        for name in package.__all__
        if inspect.isclass(getattr(package, name)) or inspect.isroutine(getattr(package, name))
    }
)
Function = ast.FunctionDef | ast.AsyncFunctionDef
SLOTS = {name for name in dir(type) + dir(int) + ["__iter__", "__next__", "__len__"] if name.startswith("__")}
"""Methods whose docstrings are those of the language, compiled."""
GENERATED = (enum.Enum,)
"""What writes a signature of its own."""


def docstring(node: ast.AST) -> str | None:
    return ast.get_docstring(node, clean=True)


def clean(text: str | None) -> str | None:
    return inspect.cleandoc(text) if text else None


def tree(module: ModuleType) -> ast.Module:
    path = module.__name__.replace(".", "/")
    package = importlib.import_module(module.__name__.partition(".")[0])
    assert package.__file__ is not None
    root = package.__file__.removesuffix("/__init__.py").removesuffix(package.__name__)
    for name in (f"{root}{path}.py", f"{root}{path}/__init__.py"):
        try:
            with open(name, encoding="utf-8") as source:
                return ast.parse(source.read())
        except OSError:
            continue
    raise FileNotFoundError(path)


def members(node: ast.ClassDef) -> Iterator[Function]:
    seen = set()
    for each in node.body:
        if isinstance(each, Function) and each.name not in seen and each.name not in SLOTS:
            seen.add(each.name)
            yield each


def shape(node: Function, bound: bool) -> list[tuple[str, bool, bool]]:
    """The parameters: name, whether only by keyword, whether there is a default."""
    given = node.args
    positional = [*given.posonlyargs, *given.args]
    optional = len(positional) - len(given.defaults)
    found = [(each.arg, False, at >= optional) for at, each in enumerate(positional)][int(bound) :]
    found += [(given.vararg.arg, False, False)] if given.vararg else []
    found += [
        (each.arg, True, default is not None) for each, default in zip(given.kwonlyargs, given.kw_defaults, strict=True)
    ]
    return found + ([(given.kwarg.arg, False, False)] if given.kwarg else [])


def defaults(node: Function) -> dict[str, object]:
    """The defaults that are literals."""
    positional = [*node.args.posonlyargs, *node.args.args]
    pairs = [*zip(positional[len(positional) - len(node.args.defaults) :], node.args.defaults, strict=True)]
    pairs += [pair for pair in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True) if pair[1] is not None]
    found = {}
    for each, default in pairs:
        try:
            found[each.arg] = ast.literal_eval(default)
        except ValueError:
            continue
    return found


def check_signature(thing: object, node: Function, bound: bool) -> None:
    signature = inspect.signature(thing)
    found = [
        (each.name, each.kind is each.KEYWORD_ONLY, each.default is not each.empty)
        for each in signature.parameters.values()
    ]
    assert found == shape(node, bound)
    for name, value in defaults(node).items():
        assert signature.parameters[name].default == value


@pytest.mark.parametrize("name", MODULES)
def test_docstrings_and_signatures_are_those_of_the_source(name: str) -> None:
    module = importlib.import_module(name)
    parsed = tree(module)
    assert clean(module.__doc__) == docstring(parsed)
    for node in parsed.body:
        if isinstance(node, Function) and not node.name.startswith("_"):
            function = getattr(module, node.name)
            assert clean(function.__doc__) == docstring(node), node.name
            check_signature(function, node, False)
        if not isinstance(node, ast.ClassDef) or node.name.startswith("_"):
            continue
        cls = getattr(module, node.name)
        if docstring(node) is not None:
            assert clean(cls.__doc__) == docstring(node), node.name
        init = [each for each in node.body if isinstance(each, Function) and each.name == "__init__"]
        if init:
            check_signature(cls, init[0], True)
        for each in members(node):
            thing = inspect.getattr_static(cls, each.name)
            if isinstance(thing, types.WrapperDescriptorType):
                continue  # a slot: its docstring is the language's
            kinds = {decorator.id for decorator in each.decorator_list if isinstance(decorator, ast.Name)}
            if issubclass(cls, GENERATED) and l7codecs.__compiled__:
                continue  # a property of an enumeration is an object of mypyc's own
            assert clean(getattr(thing, "__doc__", None)) == docstring(each), f"{node.name}.{each.name}"
            if "property" not in kinds and "setter" not in kinds:
                check_signature(getattr(cls, each.name), each, "classmethod" in kinds)


def test_the_compiled_classes_are_those_that_are_looked_at() -> None:
    assert "l7codecs.session" in MODULES and "l7codecs.message" in MODULES
    if l7codecs.__compiled__:
        assert not str(sys.modules["l7codecs.session"].__file__).endswith(".py")


def test_what_help_reads() -> None:
    text = inspect.getdoc(l7codecs.Session)
    assert text is not None and text.startswith("One connection of one protocol.")
    assert list(inspect.signature(l7codecs.Session).parameters) == ["flow", "client", "server", "limits", "endpoint"]
    assert inspect.getdoc(l7codecs.Message.operation) == docstring_of_operation()


def docstring_of_operation() -> str | None:
    parsed = tree(importlib.import_module("l7codecs.message"))
    (message,) = [node for node in parsed.body if isinstance(node, ast.ClassDef) and node.name == "Message"]
    (operation,) = [node for node in message.body if isinstance(node, Function) and node.name == "operation"]
    return docstring(operation)
