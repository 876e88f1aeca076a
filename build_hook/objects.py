"""Compile units of C side by side, and none twice: what setuptools would do one by one.

An object file is kept under the hash of everything that it is made of: the unit and the headers, the compiler and its options. Any
build may take it from there, of whatever environment; one that cannot be kept is compiled.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from setuptools import Distribution
from setuptools.command.build_ext import build_ext

_KEPT_SECONDS = 30 * 24 * 3600
_PROGRESS_INTERVAL = 2.0  # seconds
_LIGHT = {"-O3": "-O1"}  # takes 0.6 of the time
_VARIABLES = ("CPATH", "C_INCLUDE_PATH", "MACOSX_DEPLOYMENT_TARGET", "SDKROOT", "SOURCE_DATE_EPOCH")
"""What tells a compiler more than its options do."""


class BuildUnits(build_ext):
    """`build_ext`, whose extensions are linked of objects that were compiled before, where the compiler is a Unix one."""

    objects: Path
    """Where they are kept."""
    light: set[str]
    """The names of units that are compiled quickly rather than well."""

    def build_extensions(self) -> None:
        """Compile all sources of all extensions; then let setuptools link."""
        if self.compiler.compiler_type == "unix":
            # Nobody reads warnings about what mypyc writes, and looking for them takes a tenth of the time.
            self.compiler.compiler_so = [word for word in self.compiler.compiler_so if word not in ("-Wall", "-Wextra")]
            self._compile_units()
            print(f"* linking {len(self.extensions)} libraries", flush=True)
        super().build_extensions()

    def _compile_units(self) -> None:
        compiler = self.compiler
        plain = compiler._compile  # of one source; `compile` calls it for each
        store = _Store(self.objects, compiler.compiler_so)
        pending: dict[str, tuple[Any, ...]] = {}  # by the object

        def note(obj: str, *rest: Any) -> None:
            pending[obj] = rest

        compiler._compile = note
        try:
            for extension in self.extensions:
                compiler.compile(
                    extension.sources,
                    output_dir=self.build_temp,
                    include_dirs=extension.include_dirs,
                    extra_postargs=extension.extra_compile_args,
                    depends=extension.depends,
                )
        finally:
            compiler._compile = lambda *_: None  # of those that setuptools asks for again
        progress = _Progress(len(pending))

        def make(obj: str) -> None:
            source, suffix, options, more, defines = pending[obj]
            if os.path.basename(source) in self.light:
                more = [_LIGHT.get(option, option) for option in more]
            key = store.key(source, [*options, *more])
            if store.fetch(key, obj):
                progress.count(kept=True)
                return
            plain(obj, source, suffix, options, more, defines)
            store.keep(key, obj)
            progress.count()

        # The longest first, so that none is left alone at the end.
        order = sorted(pending, key=lambda obj: -os.path.getsize(pending[obj][0]))
        with ThreadPoolExecutor(self.parallel or 1) as pool:
            made = [pool.submit(make, obj) for obj in order]
            try:
                for each in made:
                    each.result()
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
        store.prune()


class _Progress:
    """Says how many units are done, not more often than one can read."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._done = 0
        self._kept = 0
        self._shown = time.monotonic()
        self._lock = threading.Lock()

    def count(self, kept: bool = False) -> None:
        with self._lock:
            self._done += 1
            self._kept += kept
            now = time.monotonic()
            if self._done == self._total or now - self._shown >= _PROGRESS_INTERVAL:
                self._shown = now
                before = f", {self._kept} of them by an earlier build" if self._kept else ""
                print(f"* compiled {self._done} of {self._total} units of C{before}", flush=True)


class _Store:
    """Object files by the hash of what they are made of."""

    def __init__(self, folder: Path, compiler: Sequence[str]) -> None:
        self._folder = folder
        self._headers: dict[str, bytes] = {}
        found = shutil.which(compiler[0]) or compiler[0]
        told = subprocess.run([found, "-v"], capture_output=True, check=False)
        settings = [f"{name}={os.environ.get(name)}" for name in _VARIABLES]
        self._compiler = _digest([os.fsencode(word) for word in [*compiler, *settings]] + [told.stderr, told.stdout])

    def key(self, source: str, options: Sequence[str]) -> str:
        """The name of what `source` becomes with `options`. Folders of headers count by what is in them, not by their names."""
        parts = [self._compiler, Path(source).read_bytes()]
        for option in options:
            parts.append(self._of_folder(option[2:]) if option.startswith("-I") else os.fsencode(option))
        return _digest(parts).hex()

    def _of_folder(self, folder: str) -> bytes:
        if folder not in self._headers:
            files = sorted(Path(folder).rglob("*.[ch]"))
            names = [os.fsencode(path.relative_to(folder)) for path in files]
            self._headers[folder] = _digest([*names, *(path.read_bytes() for path in files)])
        return self._headers[folder]

    def fetch(self, key: str, obj: str) -> bool:
        """Put the object `key` where it is wanted; False where there is none."""
        try:
            shutil.copyfile(self._folder / key, obj)
            os.utime(self._folder / key)
        except OSError:
            return False
        return True

    def keep(self, key: str, obj: str) -> None:
        """Keep an object, if it can be."""
        with contextlib.suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True)
            handle, unfinished = tempfile.mkstemp(dir=self._folder)
            os.close(handle)
            shutil.copyfile(obj, unfinished)
            os.replace(unfinished, self._folder / key)

    def prune(self) -> None:
        """Remove what no build has used for long."""
        for path in self._folder.glob("*"):
            with contextlib.suppress(OSError):
                if time.time() - path.stat().st_mtime > _KEPT_SECONDS:
                    path.unlink()


def _digest(parts: Iterable[bytes]) -> bytes:
    """A hash of `parts`, each with its length."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(b"%d:" % len(part))
        digest.update(part)
    return digest.digest()


def build(name: str, extensions: Sequence[object], out: str, objects: Path, light: set[str]) -> None:
    """Build `extensions` below `out`, with the object files kept in `objects`; the units `light` quickly."""
    command = BuildUnits(Distribution({"name": name, "ext_modules": extensions}))
    command.build_lib = out
    command.build_temp = "_o"
    command.parallel = os.cpu_count()
    command.objects = objects
    command.light = light
    command.ensure_finalized()
    command.run()
