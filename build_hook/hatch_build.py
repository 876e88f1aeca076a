"""The hatchling build hook that adds the mypyc extension to the wheel.

`pyproject.toml` lists the modules to compile, under `tool.hatch.build.targets.wheel.hooks.custom`. They make up one
mypyc group: one shared library, and one small extension module for each module that loads its part of the library.

- A wheel gets them beside the `.py` files, which Python then passes over.
- An editable installation gets them in its environment, never in the source tree, so that environments that are
  compiled, pure, or of another Python share one checkout. `editable.py` finds them there.

A module is a unit of C (`units.py`). Units are compiled side by side, and kept in `build/objects` or where `L7CODECS_OBJECTS` says,
so that a build compiles what has changed since the last one (`objects.py`).

Without a C compiler, or where the compilation fails, the build warns on standard error and goes on in pure Python.
`L7CODECS_PURE=1` asks for that; `L7CODECS_REQUIRE_COMPILED=1` makes it an error.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

_HERE = Path(__file__).resolve().parent
_EDITABLE_HOME = "_l7codecs_compiled"  # the directory in site-packages that holds the extensions
_PROGRESS_INTERVAL = 5.0  # seconds
_EDITABLE_FINDER = "_l7codecs_finder"  # the module in site-packages that finds them


class NotCompiledError(Exception):
    """The extension cannot be built here; the message says why."""


class CompileHook(BuildHookInterface):  # type: ignore[type-arg]  # its parameter, the builder's configuration, is unused
    """Compile the listed modules and hand the results to the wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile before the wheel is written; `version` is `standard` or `editable`."""
        pure, required = _is_set("L7CODECS_PURE"), _is_set("L7CODECS_REQUIRE_COMPILED")
        if pure and required:
            raise SystemExit("l7codecs: L7CODECS_PURE and L7CODECS_REQUIRE_COMPILED contradict each other")
        sources = self._listed_sources()
        if pure:
            return
        self._work = tempfile.TemporaryDirectory(prefix="l7codecs-")  # kept until the wheel is written
        try:
            extensions = self._compile(sources, Path(self._work.name))
        except NotCompiledError as error:
            if required:
                raise SystemExit(f"l7codecs: L7CODECS_REQUIRE_COMPILED is set, but {error}") from None
            print(f"l7codecs: WARNING: building pure Python, which is slower: {error}", file=sys.stderr)
            return
        build_data["pure_python"] = False
        if version == "editable":
            build_data["force_include_editable"] = self._editable_files(sources, extensions)
        else:
            build_data["infer_tag"] = True
            build_data["force_include"].update({str(path): name for name, path in extensions.items()})

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove the working directory."""
        if hasattr(self, "_work"):
            self._work.cleanup()

    def _listed_sources(self) -> dict[str, Path]:
        """Return the sources to compile: the path in the wheel ("l7codecs/buffer.py") and the file.

        Never `__init__.py` or `__main__.py`: importing a package is cheap, and its path stays the source tree.
        Raises SystemExit where an entry of the list matches no file.
        """
        root = Path(self.root)
        excluded = {root / path for path in self.config.get("exclude", {})}
        sources: dict[str, Path] = {}
        for package in self.build_config.packages:
            parent = (root / package).parent
            for pattern in self.config["modules"]:
                for path in sorted(root.glob(pattern)):
                    if path.is_relative_to(root / package) and path not in excluded and path.name[:2] != "__":
                        sources[path.relative_to(parent).as_posix()] = path
        for entry in [*self.config["modules"], *self.config.get("exclude", {})]:
            if not any(root.glob(entry)):
                raise SystemExit(f"l7codecs: pyproject.toml lists {entry!r} for the compilation, which matches no file")
        return sources

    def _light(self) -> set[Path]:
        """The modules that are compiled quickly rather than well. Raises SystemExit where an entry of the list matches no file."""
        found: set[Path] = set()
        for pattern in self.config.get("light", []):
            files = set(Path(self.root).glob(pattern))
            if not files:
                raise SystemExit(f"l7codecs: pyproject.toml lists {pattern!r} as light, which matches no file")
            found |= files
        return found

    def _compile(self, sources: dict[str, Path], work: Path) -> dict[str, Path]:
        """Return the extensions: the path in the wheel and the file, in `work`.

        The packages are staged as top-level ones first: module names, C symbols and the paths in tracebacks are then
        the same on every machine. Raises NotCompiledError.
        """
        if sys.implementation.name != "cpython" or sysconfig.get_config_var("Py_GIL_DISABLED"):
            raise NotCompiledError("the extension is for CPython with its global lock")
        stage, out = work / "stage", work / "out"
        for package in self.build_config.packages:
            source = Path(self.root, package)
            shutil.copytree(source, stage / source.name, ignore=shutil.ignore_patterns("__pycache__"))
        objects = os.path.abspath(os.environ.get("L7CODECS_OBJECTS") or Path(self.root, "build", "objects"))
        light = self._light()
        files = [f"{name}?" if path in light else name for name, path in sorted(sources.items())]
        arguments = [self.config["group"], str(out), objects, *files]
        command = [sys.executable, "-P", str(_HERE / "compile.py"), *arguments]
        environment = {key: value for key, value in os.environ.items() if key != "MYPYPATH"}
        # In a file, since a pipe would have to be read meanwhile.
        log = work / "log"
        with log.open("w") as output, _open_progress() as progress:
            running = subprocess.Popen(command, cwd=stage, env=environment, stdout=output, stderr=subprocess.STDOUT)
            began, shown = time.monotonic(), 0
            while running.poll() is None:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    running.wait(_PROGRESS_INTERVAL)
                steps = [line for line in log.read_text("utf-8", "replace").splitlines() if line.startswith("* ")]
                for step in steps[shown:] or steps[-1:]:
                    print(f"l7codecs: {step[2:]} ({time.monotonic() - began:.0f} s)", file=progress, flush=True)
                shown = len(steps)
        if running.returncode:
            raise NotCompiledError(f"the compilation failed:\n{_tail(log.read_text('utf-8', 'replace'))}")
        return {path.relative_to(out).as_posix(): path for path in sorted(out.rglob("*")) if path.is_file()}

    def _editable_files(self, sources: dict[str, Path], extensions: dict[str, Path]) -> dict[str, str]:
        """Return what an editable installation adds to site-packages: the file and its path there."""
        files = {str(path): f"{_EDITABLE_HOME}/{name}" for name, path in extensions.items()}
        files[str(_HERE / "editable.py")] = f"{_EDITABLE_FINDER}.py"
        work = Path(self._work.name)
        pth = work / "finder.pth"
        pth.write_text(f"import {_EDITABLE_FINDER}\n")
        files[str(pth)] = f"{_EDITABLE_FINDER}.pth"
        rows = [f"{self.config['group']}__mypyc\t\t"]
        for name, path in sources.items():
            module = name.removesuffix(".py").replace("/", ".")
            rows.append(f"{module}\t{hashlib.sha256(path.read_bytes()).hexdigest()}\t{path}")
        manifest = work / "manifest"
        manifest.write_text("\n".join(rows) + "\n", encoding="utf-8")
        files[str(manifest)] = f"{_EDITABLE_HOME}/manifest"
        return files


@contextlib.contextmanager
def _open_progress() -> Iterator[TextIO]:
    """Where to say how far the compilation is: the file that L7CODECS_PROGRESS names, the terminal, or standard error.

    A front end such as pip keeps standard error to itself (`pip -v` shows it), so the terminal is opened beside it.
    """
    for name in (os.environ.get("L7CODECS_PROGRESS"), "/dev/tty"):
        try:
            found = open(name, "a") if name else None  # noqa: SIM115
        except OSError:
            continue
        if found is not None:
            with found:
                yield found
            return
    yield sys.stderr


def _is_set(variable: str) -> bool:
    return os.environ.get(variable, "0") not in ("", "0")


def _tail(output: str, line_count: int = 30) -> str:
    return "\n".join(output.strip().splitlines()[-line_count:])
