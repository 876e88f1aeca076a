"""Compile one mypyc group: `compile.py GROUP OUT OBJECTS FILE...`, started by the build hook in a process of its own.

FILE is relative to the current directory, which holds the packages ("l7codecs/buffer.py"); of one with a question mark behind it the C
compiler makes less. The extension modules are written below OUT under the names that a wheel gives them.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import sysconfig
from collections.abc import Sequence
from functools import partial
from pathlib import Path

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))  # -P leaves it out

import setuptools  # noqa: F401  # before mypyc, which asks whether it is there
from classes import (
    PRELUDE,
    with_checked_properties,
    with_direct_allocation,
    with_direct_making,
    with_direct_slices,
    with_members,
    with_plain_ends,
    with_pools,
)
from documented import with_docs, with_docs_assigned
from mypyc.build import mypycify
from objects import build
from units import NotUnderstoodError, make_units, side_by_side

_DEALLOC = re.compile(r"^([ \t]*)\w+_dealloc\(\w+ \*self\)\n\1\{\n.*?^\1\}\n", re.MULTILINE | re.DOTALL)
_TRASHCAN = re.compile(r"^[ \t]*CPy_TRASHCAN_(?:BEGIN|END)\(.*\n", re.MULTILINE)


def without_trashcan(source: str) -> str:
    """`source` in C, where classes that the garbage collector does not track are deallocated without CPython's trashcan.

    mypyc puts every native object that is deallocated inside fifty others (a list in a list in a list…) into it. The trashcan links its
    objects through the garbage collector's header, which an ``acyclic`` class does not have: the octets before the object are overwritten.
    """

    def spare(found: re.Match[str]) -> str:
        return found[0] if "PyObject_GC_UnTrack" in found[0] else _TRASHCAN.sub("", found[0])

    return _DEALLOC.sub(spare, source)


_LOADER = """#define NULL ((void *)0)
#define PyMODINIT_FUNC __attribute__((visibility("default"))) PyObject *
typedef struct _object PyObject;
extern PyObject *Py_BuildValue(const char *, ...);
extern PyObject *PyImport_ImportModuleLevel(const char *, PyObject *, PyObject *, PyObject *, int);
extern PyObject *PyObject_GetAttrString(PyObject *, const char *);
extern void *PyCapsule_GetPointer(PyObject *, const char *);
extern void PyErr_Clear(void);
extern void Py_DecRef(PyObject *);
"""


def loader(source: str) -> str:
    """`source` in C of the small library that loads a module's part of the group's, without CPython's headers.

    Each module has one, and reading the headers was nearly all of what it cost to compile. Everything that it calls is of the stable ABI.
    """
    include = "#include <Python.h>\n"
    if not source.startswith(include):
        raise NotUnderstoodError("a loader of mypyc's does not begin with CPython's headers")
    return _LOADER + source.removeprefix(include).replace("Py_DECREF(", "Py_DecRef(")


def with_prelude(source: str) -> str:
    """`source` in C with what the changed C calls, behind the headers that it begins with."""
    first = re.match(r"(?:#include [^\n]*\n)*", source)
    assert first is not None
    return source[: first.end()] + PRELUDE + source[first.end() :]


def improve(modules: dict[str, str], sources: Sequence[Path]) -> None:
    """Change the files of C `sources` that mypyc wrote, of modules whose text `modules` has by their names."""
    for source in sources:
        text = with_plain_ends(with_checked_properties(without_trashcan(source.read_text("utf-8"))))
        text = with_direct_slices(with_direct_making(with_pools(with_direct_allocation(text))))
        source.write_text(with_prelude(with_members(with_docs(text, modules))), "utf-8")


def main(group: str, out: str, objects: str, *given: str) -> None:
    """Compile the files `given` into `out`, with object files kept in `objects`; exit with a message on standard error where that fails."""
    files = [file.removesuffix("?") for file in given]
    light = {_unit(file.removesuffix("?")) for file in given if file.endswith("?")}
    compiler = (os.environ.get("CC") or sysconfig.get_config_var("CC") or "").split()
    if os.name == "posix" and not (compiler and shutil.which(compiler[0])):
        raise SystemExit(f"no C compiler: {compiler[0] if compiler else 'cc'} is not there")
    # mypy's own options. Errors count in the compiled modules only: the others are `make lint`'s business, and their
    # optional dependencies are not in the build environment.
    options = ["--config-file=", "--follow-imports=silent", "--ignore-missing-imports"]
    sources = {file: Path(file).read_text("utf-8") for file in files}
    for file, text in sources.items():
        Path(file).write_text(with_docs_assigned(text), "utf-8")
    print(f"* mypyc translates {len(files)} modules to C", flush=True)
    # One file for each module where a Unix compiler takes them side by side; elsewhere mypyc's own way, one for all.
    apart = os.name == "posix"
    extensions = mypycify(
        [*options, *files],
        opt_level="3",
        debug_level="0",
        multi_file=apart,
        include_runtime_files=True,
        group_name=group,
        target_dir="_c",
    )
    modules = {file.removesuffix(".py").replace("/", "."): text for file, text in sources.items()}
    side_by_side(
        partial(improve, modules), sorted(Path("_c").glob("__native_*.c"), key=lambda path: -path.stat().st_size)
    )
    if apart:
        library = extensions[0]  # the others only load it
        library.sources = [f"_c/{name}" for name in make_units(Path("_c"), group)]
        library.include_dirs.remove("_c")
        for path in {Path(source) for extension in extensions[1:] for source in extension.sources}:
            path.write_text(loader(path.read_text("utf-8")), "utf-8")
    for extension in extensions:
        # Lists of its own: mypyc gives all of them the same.
        extension.extra_compile_args = list(extension.extra_compile_args)
        extension.extra_link_args = list(extension.extra_link_args)
        if os.name == "posix":
            # mypyc makes warnings errors; a C compiler newer than mypyc may know more of them. A unit that lacks a declaration is wrong.
            extension.extra_compile_args += ["-Wno-error", "-Werror=implicit-function-declaration"]
            # Nothing outside calls these functions by name: calls among them are direct, and may be inlined.
            extension.extra_compile_args.append("-fvisibility=hidden")
        if sys.platform == "linux":
            extension.extra_link_args.append("-Wl,--strip-all")
    # The group's own unit runs once, when it is imported.
    build(group, extensions, out, Path(objects), {*light, f"__native_{group}.c"})


def _unit(file: str) -> str:
    """The name of a module's unit of C."""
    return f"__native_{file.removesuffix('.py').replace('/', '___')}.c"


if __name__ == "__main__":
    main(*sys.argv[1:])
