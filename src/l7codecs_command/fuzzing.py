"""The first step of the process that fuzzes: what is imported after it is pure Python, and tells atheris what it covers.

Of this package, since importing anything of ``l7codecs`` imports most of it, too early.
"""

from __future__ import annotations

import contextlib
import importlib.machinery
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

__all__ = ["main"]


def _inside(path: Path) -> Sequence[str]:
    """The parts of `path` within what is imported from: a folder above may have any name, as that of a clone has."""
    above = [Path(entry) for entry in map(os.path.abspath, sys.path) if path.is_relative_to(entry)]
    if above:
        return path.relative_to(max(above, key=lambda entry: len(entry.parts))).parts
    top = path  # of an editable installation
    while (top.parent / "__init__.py").exists():
        top = top.parent
    return path.relative_to(top.parent).parts


def prefer_sources() -> None:
    """Import modules of ``l7codecs`` and its plugins from their ``.py`` files, though compiled ones may lie beside them."""
    hook = importlib.machinery.FileFinder.path_hook(
        (importlib.machinery.SourceFileLoader, importlib.machinery.SOURCE_SUFFIXES)
    )

    def ours(path: str) -> importlib.machinery.FileFinder:
        if not any(part.startswith("l7codecs") and "." not in part for part in _inside(Path(path))):
            raise ImportError
        return hook(path)  # type: ignore[return-value]  # it is one

    sys.path_hooks.insert(0, ours)
    sys.path_importer_cache.clear()


def main(arguments: list[str]) -> int:
    """``python -m l7codecs_command.fuzzing REQUEST [PACKAGE…]``: the packages are those whose coverage guides.

    A request that is ``blind`` gets what is installed, compiled or not.
    """
    request, *packages = arguments
    if not json.loads(request)["blind"]:
        prefer_sources()
    watched: contextlib.AbstractContextManager[object] = contextlib.nullcontext()
    if packages:
        import atheris

        watched = atheris.instrument_imports(include=packages)
    with watched:
        from l7codecs.registry import load_protocols
        from l7codecs.testing.fuzzing.worker import main as run

        load_protocols()
    return run(request)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
