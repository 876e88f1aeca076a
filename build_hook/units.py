"""Units of C that do not change when another one does, from what mypyc wrote for a group: one file a module, and the group's own.

A file of mypyc's names every declaration of the group, by its header, and every literal by its place in one table of the group's.
So a literal or a function more in one module would change them all. A unit has the declarations that it uses, in the header's order,
and a table of its own, which the group fills as it starts: a literal is read as fast as before. A compiler that is given the same unit
again need not run (`objects.py`).

Calls between units stay direct: what they declare is hidden from other libraries. Short functions of other units and of mypyc's runtime
library stand in each unit that calls them, for inlining only. Those of other units only where they raise nothing and have no literals: the
number of a line and the place of a literal move with edits.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import TypeVar

from classes import PRELUDE
from mypyc.build import include_dir
from mypyc.common import RUNTIME_C_FILES

_T = TypeVar("_T")
_WORD = re.compile(r"[A-Za-z_]\w*")
_LITERAL = re.compile(r"\bCPyStatics\[(\d+)\]")
_INCLUDES = '#include "__native_{group}.h"\n#include "__native_internal_{group}.h"\n'
_GUARD = re.compile(r"(?:\s|#(?:ifndef|define) MYPYC_\w+|#endif)*")
_RUNTIME = re.compile(r"^#include <(.*)\.c>\n", re.MULTILINE)
_FILLED = "    is_initialized = 1;\n    return 0;\n}\n"
_BLOCK = re.compile(
    r"^#include [^\n]*\n"
    r"|^#ifndef (?P<guarded>MYPYC_DECLARED_\w+)\n.*?^#endif[ \t]*\n"
    r"|^typedef struct \{.*?^\} (?P<struct>\w+);\n"
    r"|^(?:extern|int) [^;{]*?(?P<extern>\w+)(?:\([^;{]*\)|\[\w*\])?;\n",
    re.MULTILINE | re.DOTALL,
)


_FUNCTION = re.compile(
    r"^[A-Za-z][\w *]*?\b(?P<name>CPy\w+)\([^;{}]*\) ?\{\n(?P<body>(?:(?:[ ].*|CPyL\w+: ;|)\n){1,60}?)\}\n",
    re.MULTILINE,
)
_OF_ITS_FILE = re.compile(r"^(?:static [^;{]*?\b(\w+)(?:\(|\[| =|;)|[ \t]*#[ \t]*define (\w+))", re.MULTILINE)
_SHORT_RUNTIME = ("bytes_ops.c", "int_ops.c", "list_ops.c", "str_ops.c")
_INLINE = "extern inline __attribute__((gnu_inline)) "  # makes no code by itself, with gcc and clang


class NotUnderstoodError(Exception):
    """mypyc writes otherwise than this file knows; the message says what is missing."""


@dataclass
class _Header:
    """What the headers of a group declare."""

    includes: list[str] = field(default_factory=list)
    declared: dict[str, str] = field(default_factory=dict)
    """The text of each declaration, by its name, in the order of the headers."""
    short: dict[str, str] = field(default_factory=dict)
    """The text of short functions, by their names."""

    def add(self, text: str) -> None:
        for found in _BLOCK.finditer(text):
            name = found["guarded"] or found["struct"] or found["extern"]
            if name is None:
                if "__native_" not in found[0] and found[0] not in self.includes:
                    self.includes.append(found[0])
            else:
                self.declared[name.removeprefix("MYPYC_DECLARED_")] = found[0]
        if not _GUARD.fullmatch(rest := _BLOCK.sub("", text)):
            raise NotUnderstoodError(f"a header of mypyc's declares something new: {rest.strip()[:200]!r}")

    def add_short(self, text: str, outside: set[str] | None = None) -> None:
        """Note the short functions of a unit; of the runtime library where `outside` tells what only its file knows."""
        for found in _FUNCTION.finditer(text):
            if outside is None:
                moves = re.search(r"CPy_AddTraceback|CPyStatics|_vtable;", found["body"]) is not None
                usable = found["name"].startswith("CPyDef_") and found["name"] in self.declared and not moves
            else:
                words = set(_WORD.findall(found["body"]))
                usable = not found[0].startswith("static") and "#" not in found[0] and words.isdisjoint(outside)
            if usable:
                self.short[found["name"]] = _INLINE + found[0]

    def used(self, text: str) -> Iterator[str]:
        """The declarations that `text` uses, those that they use, and the short functions that it calls."""
        own = {found["name"] for found in _FUNCTION.finditer(text)}
        known = self.declared.keys() | self.short.keys()
        wanted: set[str] = set()
        new = set(_WORD.findall(text)) & known
        while new:
            wanted |= new
            texts = [each[name] for name in new for each in (self.declared, self.short) if name in each]
            new = set(_WORD.findall(" ".join(texts))) & known - wanted
        yield from (declaration for name, declaration in self.declared.items() if name in wanted)
        yield from (function for name, function in self.short.items() if name in wanted and name not in own)


def make_units(folder: Path, group: str) -> list[str]:
    """Rewrite mypyc's files of C for `group` in `folder` into units, and return their names.

    The last one is mypyc's runtime library, which the group's own file includes. Raises NotUnderstoodError.
    """
    header = _Header()
    for name in (f"__native_{group}.h", f"__native_internal_{group}.h"):
        header.add((folder / name).read_text("utf-8"))
    main = folder / f"__native_{group}.c"
    units: dict[str, str] = {}
    definitions, filled = [], []
    for path in sorted(set(folder.glob("__native_*.c")) - {main}):
        own = f"CPyStatics_{path.stem.removeprefix('__native_')}"
        text, places = _with_own_literals(_without_headers(path.read_text("utf-8"), group), own)
        units[path.name] = text
        if places:
            size = len(places)
            header.declared[own] = f"extern PyObject *{own}[{size}];\n"
            definitions.append(f"PyObject *{own}[{size}];\n")
            definitions.append(f"static const int {own}_places[{size}] = {{{', '.join(map(str, places))}}};\n")
            filled.append(f"    for (int i = 0; i < {size}; i++) {own}[i] = CPyStatics[{own}_places[i]];\n")
    for text in units.values():
        header.add_short(text)
    for name in _SHORT_RUNTIME:
        text = Path(include_dir(), name).read_text("utf-8")
        header.add_short(text, {word for found in _OF_ITS_FILE.finditer(text) for word in found.groups() if word})
    text = main.read_text("utf-8")
    runtime = [found[1] for found in _RUNTIME.finditer(text)]
    header.includes += [f"#include <{name}.h>\n" for name in runtime if f"{name}.c" not in RUNTIME_C_FILES]
    header.includes.append(PRELUDE)
    text = _without_headers(_RUNTIME.sub("", text), group)
    if not runtime or text.count(_FILLED) != 1:
        raise NotUnderstoodError(f"{main.name} of mypyc's has no runtime library or no table of literals")
    units[main.name] = "".join(definitions) + text.replace(_FILLED, "".join(filled) + _FILLED)
    _write_unit(folder, header, header.declared.values(), main.name, units.pop(main.name))
    side_by_side(partial(_write_units, folder, header), sorted(units.items(), key=lambda unit: -len(unit[1])))
    units[main.name] = ""
    (folder / "runtime.c").write_text("".join(f"#include <{name}.c>\n" for name in runtime), "utf-8")
    return [*units, "runtime.c"]


def side_by_side(work: Callable[[list[_T]], None], items: Sequence[_T]) -> None:
    """Do `work` for all of `items`, in as many processes as there are processors; the largest ones come first."""
    count = os.cpu_count() or 1
    if count == 1 or os.name != "posix":
        work(list(items))
        return
    with ProcessPoolExecutor(count, get_context("fork")) as pool:
        for done in [pool.submit(work, list(items[start::count])) for start in range(count)]:
            done.result()


def _write_units(folder: Path, header: _Header, units: Sequence[tuple[str, str]]) -> None:
    for name, text in units:
        _write_unit(folder, header, header.used(text), name, text)


def _write_unit(folder: Path, header: _Header, used: Iterable[str], name: str, text: str) -> None:
    parts = [*header.includes, "#pragma GCC visibility push(hidden)\n", *used, text]
    (folder / name).write_text("".join(parts), "utf-8")


def _without_headers(text: str, group: str) -> str:
    includes = _INCLUDES.format(group=group)
    if not text.startswith(includes):
        raise NotUnderstoodError("a file of mypyc's does not begin with the headers of its group")
    return text.removeprefix(includes).removeprefix(PRELUDE)


def _with_own_literals(text: str, own: str) -> tuple[str, list[int]]:
    """`text` with its literals in the table `own`, in the order of their first use; and their places in the group's table."""
    places: dict[int, int] = {}
    text = _LITERAL.sub(lambda found: f"{own}[{places.setdefault(int(found[1]), len(places))}]", text)
    return text, list(places)
