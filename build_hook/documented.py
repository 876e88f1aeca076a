r"""What mypyc 2.4 leaves out of compiled modules: docstrings, and the signatures whose defaults are no literals.

`with_docs_assigned` prepares a source before mypyc reads it, for what becomes an ordinary Python object: modules and enumerations.
`with_docs` writes the rest into the C that mypyc made, in the form that CPython's own C has: ``"name(parameters)\n--\n\ndocstring"``.
Nothing of it runs or is looked up when the code is used.

What C cannot say is missing: annotations, a default that is neither a literal nor the name of a number or text (``...`` stands
there), and docstrings of `__init__` and other methods that CPython fills a slot with.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

_ENUMS = {"Enum", "IntEnum", "StrEnum", "Flag", "IntFlag"}

# The names of C: `SHORT___CLASS`, where SHORT is the end of the module's name; the module itself is named next to its table of functions.
_MODULE = re.compile(
    r"static PyMethodDef (?P<short>\w+)module_methods\[\] = \{\n(?P<table>.*?)^[ \t]*\};.*?CPyExec_(?P<module>\w+)__impl\(",
    re.M | re.S,
)
_METHODS = re.compile(
    r"(?P<head>static PyMethodDef (?P<owner>\w+)_methods\[\] = \{\n)(?P<table>.*?)(?P<tail>^[ \t]*\};)", re.M | re.S
)
_GETSETS = re.compile(
    r"(?P<head>static PyGetSetDef (?P<owner>\w+)_getseters\[\] = \{\n)(?P<table>.*?)(?P<tail>^[ \t]*\};)", re.M | re.S
)
_TYPE = re.compile(
    r"(?P<head>static PyTypeObject CPyType_(?P<owner>\w+)_template_ = \{\n)(?P<table>.*?)(?P<tail>^[ \t]*\};)",
    re.M | re.S,
)

_FUNCTION = re.compile(r'(\{"(?P<name>\w+)",[^{}]*?PyDoc_STR\()(?:NULL|"(?:[^"\\]|\\.)*")(\))')
_PROPERTY = re.compile(r'(\{"(?P<name>\w+)",\s*\(getter\)\w+,\s*(?:\(setter\)\w+|NULL),\s*)NULL(, NULL\})')
_TYPE_DOC = re.compile(r'(\.tp_doc = PyDoc_STR\()(?P<old>NULL|"(?:[^"\\]|\\.)*")(\))')

_Function = ast.FunctionDef | ast.AsyncFunctionDef


class Documented:
    """The docstrings and signatures of one module."""

    def __init__(self, source: str) -> None:
        tree = ast.parse(source)
        self.functions = {node.name: node for node in tree.body if isinstance(node, _Function)}
        self.classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
        self.constants = set(_constants(tree))

    def function(self, name: str) -> str | None:
        """The text of a function of the module; None where it has no such function."""
        node = self.functions.get(name)
        return None if node is None else _joined(name, self._parameters(node, ""), _doc(node))

    def method(self, owner: str, name: str) -> str | None:
        """The text of a method that `owner` itself defines."""
        node = _member(self.classes[owner], name)
        if node is None:
            return None
        static = any(isinstance(each, ast.Name) and each.id == "staticmethod" for each in node.decorator_list)
        return _joined(name, self._parameters(node, "" if static else "$"), _doc(node))

    def attribute(self, owner: str, name: str) -> str | None:
        """The docstring of a property that `owner` itself defines."""
        node = _member(self.classes[owner], name)
        return None if node is None else _doc(node)

    def type(self, owner: str, old: str) -> str | None:
        """The text of a class; `old` is mypyc's."""
        node = self.classes[owner]
        doc = _doc(node)
        init = _member(node, "__init__")
        if init is not None:
            return _joined(owner, self._parameters(init, None), doc)
        # An inherited signature: mypyc knows it, or CPython finds it at the base. "NAME()" alone may hide a base's.
        own = old.encode().decode("unicode_escape").partition("\n--\n\n")[0].removeprefix(owner)
        if own in ("", "NULL", "()") and node.bases:
            return doc
        return _joined(owner, own if own not in ("", "NULL") else "()", doc)

    def _parameters(self, node: _Function, self_mark: str | None) -> str:
        """`node`'s parameters without annotations; `self_mark` stands before the first, which None leaves out."""
        given = node.args
        positional = [ast.arg(each.arg) for each in given.args]
        only = [ast.arg(each.arg) for each in given.posonlyargs]
        if self_mark is None:
            (only or positional).pop(0)
        shown = ast.arguments(
            posonlyargs=only,
            args=positional,
            vararg=given.vararg and ast.arg(given.vararg.arg),
            kwonlyargs=[ast.arg(each.arg) for each in given.kwonlyargs],
            kw_defaults=[None if each is None else self._default(each) for each in given.kw_defaults],
            kwarg=given.kwarg and ast.arg(given.kwarg.arg),
            defaults=[self._default(each) for each in given.defaults],
        )
        return f"({self_mark or ''}{ast.unparse(shown)})"

    def _default(self, node: ast.expr) -> ast.expr:
        if isinstance(node, ast.Name) and node.id in self.constants:
            return node
        try:
            ast.literal_eval(node)
        except ValueError:
            return ast.Constant(...)
        return node


def with_docs_assigned(source: str) -> str:
    """`source`, where the docstrings of the module and of enumerations are assigned to ``__doc__``. No line moves."""
    lines = source.encode().splitlines(keepends=True)  # columns count octets
    tree = ast.parse(source)
    if ast.get_docstring(tree) is not None:
        text = tree.body[0]
        lines[text.lineno - 1] = b"__doc__ = " + lines[text.lineno - 1]
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and _is_enum(node):  # mypyc overwrites what the class's body assigns
            lines.append(f"setattr({node.name}, '__doc__', {_doc(node)!r})\n".encode())
    return b"".join(lines).decode()


def with_docs(c: str, modules: dict[str, str]) -> str:
    """`c`, the C of a group, with the docstrings of `modules`: their names and sources."""
    functions: dict[str, Documented] = {}  # by the short name
    owners: dict[str, tuple[Documented, str]] = {}  # by the C name of a class
    for found in _MODULE.finditer(c):
        module = Documented(modules[found["module"].replace("___", ".")])
        functions[found["short"]] = module
        owners.update({f"{found['short']}___{name}": (module, name) for name in module.classes})

    def fill_methods(found: re.Match[str]) -> str:
        owner = found["owner"]
        if owner in owners:
            module, name = owners[owner]
            table = _FUNCTION.sub(lambda entry: _filled(entry, module.method(name, entry["name"])), found["table"])
        elif owner.endswith("module") and owner.removesuffix("module") in functions:
            here = functions[owner.removesuffix("module")]
            table = _FUNCTION.sub(lambda entry: _filled(entry, here.function(entry["name"])), found["table"])
        else:
            return found[0]
        return found["head"] + table + found["tail"]

    def fill_properties(found: re.Match[str]) -> str:
        if found["owner"] not in owners:
            return found[0]
        module, name = owners[found["owner"]]
        table = _PROPERTY.sub(lambda entry: _filled(entry, module.attribute(name, entry["name"])), found["table"])
        return found["head"] + table + found["tail"]

    def fill_type(found: re.Match[str]) -> str:
        if found["owner"] not in owners:
            return found[0]
        module, name = owners[found["owner"]]

        def fill(entry: re.Match[str]) -> str:
            text = module.type(name, entry["old"].strip('"'))
            return f"{entry[1]}{'NULL' if text is None else _literal(text)}{entry[3]}"

        return found["head"] + _TYPE_DOC.sub(fill, found["table"]) + found["tail"]

    return _TYPE.sub(fill_type, _GETSETS.sub(fill_properties, _METHODS.sub(fill_methods, c)))


def _filled(entry: re.Match[str], text: str | None) -> str:
    return entry[0] if text is None else f"{entry[1]}{_literal(text)}{entry[3]}"


def _joined(name: str, parameters: str, doc: str | None) -> str:
    return f"{name}{parameters}\n--\n\n{doc or ''}"


def _literal(text: str) -> str:
    """`text` as a literal of C, in pieces that every compiler takes."""
    octets = text.encode()
    pieces = [octets[at : at + 1000] for at in range(0, len(octets), 1000)] or [b""]
    return " ".join('"' + "".join(map(_escaped, piece)) + '"' for piece in pieces)


def _escaped(octet: int) -> str:
    return chr(octet) if 0x20 <= octet < 0x7F and octet not in b'"\\?' else f"\\{octet:03o}"


def _doc(node: ast.ClassDef | _Function) -> str | None:
    """The docstring as this Python compiles it: 3.13 takes the indentation away."""
    if ast.get_docstring(node, clean=False) is None:
        return None
    bearer = ast.parse("def bearer(): pass")
    function = bearer.body[0]
    assert isinstance(function, ast.FunctionDef)
    function.body = [node.body[0]]
    names: dict[str, object] = {}
    exec(compile(bearer, "<docstring>", "exec", optimize=0), names)
    return names["bearer"].__doc__


def _member(owner: ast.ClassDef, name: str) -> _Function | None:
    """The method or property `name` of a class; of a property, its getter, which comes first."""
    for node in owner.body:
        if isinstance(node, _Function) and node.name == name:
            return node
    return None


def _is_enum(node: ast.ClassDef) -> bool:
    return any(isinstance(base, ast.Name) and base.id in _ENUMS for base in node.bases)


def _constants(tree: ast.Module) -> Iterator[str]:
    """The names of a module's numbers and texts."""
    for node in tree.body:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                pass
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                pass
            case _:
                continue
        parts = (ast.Constant, ast.BinOp, ast.UnaryOp, ast.operator, ast.unaryop)
        if all(isinstance(part, parts) for part in ast.walk(value)):
            yield name
