"""Find the compiled modules of an editable installation of l7codecs, in `_l7codecs_compiled` beside this file.

The build hook installs this file as `_l7codecs_finder.py`, and a `.pth` file that imports it when Python starts.

All compiled modules come from there, or none. None where `L7CODECS_PURE=1`, and none where a source has changed since
it was compiled: an edit is never hidden, it only costs the speed until the next build (standard error says so).
"""

from __future__ import annotations

import os
import sys
from importlib.machinery import EXTENSION_SUFFIXES, ExtensionFileLoader

TYPE_CHECKING = False  # every Python of the environment starts with this file: it imports what it needs, when it does
if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

_HOME = os.path.join(os.path.dirname(os.path.abspath(__file__)), "_l7codecs_compiled")


class CompiledFinder:
    """A meta path finder for the modules of one manifest.

    A line of it is a module, the SHA-256 of its source, and the path of that; the last two are empty for the library
    that the others load.
    """

    def __init__(self, home: str) -> None:
        self._home = home
        self._checked = False
        with open(os.path.join(home, "manifest"), encoding="utf-8") as manifest:
            rows = [line.rstrip("\n").split("\t") for line in manifest]
        self._sources = {module: (digest, path) for module, digest, path in rows}

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the extension module `fullname`; None where it is not ours, or where its source has to be used."""
        if fullname not in self._sources:
            return None
        if not self._checked:
            self._checked = True
            if changed := [source for digest, source in self._sources.values() if _digest(source) != digest]:
                names = ", ".join(os.path.relpath(source) for source in changed)
                print(f"l7codecs: pure Python until the next build: changed since the last: {names}", file=sys.stderr)
                self._sources = {}
                return None
        from importlib.util import spec_from_file_location

        file = os.path.join(self._home, *fullname.split(".")) + EXTENSION_SUFFIXES[0]
        if not os.path.exists(file):  # another Python than the one that it was compiled for
            return None
        return spec_from_file_location(fullname, file, loader=ExtensionFileLoader(fullname, file))


def _digest(path: str) -> str:
    """Return the SHA-256 of a file; "" where there is none."""
    import hashlib

    try:
        with open(path, "rb") as file:
            return hashlib.sha256(file.read()).hexdigest()
    except OSError:
        return ""


if os.environ.get("L7CODECS_PURE", "0") in ("", "0"):
    sys.meta_path.insert(0, CompiledFinder(_HOME))
