"""Real peers of a protocol: what is downloaded and compiled for them, once, and processes that are told in lines what to do.

    cache = PeerCache("acme")

    def build(folder: Path) -> None:
        subprocess.run([installed("go"), "build", "-o", folder / "peer", "."], cwd=SOURCES, check=True)

    with PeerProcess([cache.made("go", build, SOURCES.iterdir()) / "peer"]) as peer:
        said = peer.exchange("call 4711 hello")

Such processes serve tests of several protocols: what each is told, and what it says, is its own.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest

__all__ = ["JsonPeer", "PeerCache", "PeerProcess", "installed", "load_tool", "start_peers"]

_READ_SIZE = 64 * 1024
_PRINTED_SIZE = 3000
"""Octets of what a process has printed that an error shows."""


def installed(program: str) -> str:
    """The path of a program. Raises `FileNotFoundError` with its name where it is not installed."""
    found = shutil.which(program)
    if found is None:
        raise FileNotFoundError(f"{program} is not installed")
    return found


def load_tool(folder: Path, name: str) -> Any:
    """The module `name` of `folder`, whose modules import one another by their names.

    Several folders may have a module of one name: where another's is loaded already, that fails rather than gives it.
    """
    if str(folder) in sys.path:
        sys.path.remove(str(folder))
    sys.path.insert(0, str(folder))
    module = importlib.import_module(name)
    assert module.__file__ is not None and Path(module.__file__).parent == folder, (
        f"{name} is that of {module.__file__}"
    )
    return module


def start_peers(start: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """What `start` returns, in a test or a fixture.

    Skips where real peers, which are downloaded, are not asked for (``L7CODECS_INTEROP=1``); fails where a program is not installed.
    """
    if os.environ.get("L7CODECS_INTEROP") != "1":
        pytest.skip("real peers are asked for by L7CODECS_INTEROP=1")
    try:
        return start(*arguments, **options)
    except FileNotFoundError as error:
        pytest.fail(str(error))


class PeerCache:
    """A folder for what the tests of one protocol download and compile: ``~/.cache/l7codecs/NAME``.

    The environment may name another, for the name ``acme`` by ``L7CODECS_ACME_CACHE``.
    """

    def __init__(self, name: str) -> None:
        self._name = name

    @property
    def folder(self) -> Path:
        """Where it is; it need not exist."""
        named = os.environ.get(f"L7CODECS_{self._name.upper()}_CACHE")
        return Path(named) if named else Path.home() / ".cache" / "l7codecs" / self._name

    def made(self, name: str, make: Callable[[Path], object], sources: Iterable[Path | bytes] | None = None) -> Path:
        """The folder in it that `make` fills where it is not there: another for each state of `sources`, which are files or octets.

        `make` is given an empty folder, which gets its name once all is done: what fails leaves nothing, and where two processes make
        the same, one is kept. So what is in it must not name its own place.
        """
        folder = self.folder / (name if sources is None else f"{name}-{_digest(sources)}")
        if not folder.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=self.folder) as work:
                target = Path(work) / "made"
                target.mkdir()
                make(target)
                with contextlib.suppress(OSError):  # another was faster
                    target.rename(folder)
        return folder


def _digest(sources: Iterable[Path | bytes]) -> str:
    """What names a state of these."""
    octets = b"".join(each if isinstance(each, bytes) else each.name.encode() + each.read_bytes() for each in sources)
    return hashlib.sha256(octets).hexdigest()[:16]


class PeerProcess:
    """A program that reads a line of what to do, and writes a line of what came of it. As a context manager it is killed at the end."""

    def __init__(self, command: Sequence[str | Path], *, name: str = "peer", patience: float = 120.0) -> None:
        """Start it.

        Args:
            command: the program and its arguments.
            name: what errors call it.
            patience: seconds that an answer is waited for.

        Raises:
            OSError: it cannot be started.
        """
        self.name = name
        self._patience = patience
        self._printed = tempfile.TemporaryFile()  # noqa: SIM115  # it lives as long as the process
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._printed, bufsize=0
        )
        self._read = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def tell(self, line: str) -> None:
        """Let it do something; `hear` what it says of that."""
        assert self._process.stdin is not None
        self._process.stdin.write(line.encode() + b"\n")

    def hear(self) -> str:
        """The line that it says of the first thing that has none yet.

        Raises:
            RuntimeError: it has ended without it.
            TimeoutError: it does not come in time.
        """
        output = self._process.stdout
        assert output is not None
        while b"\n" not in self._read:
            ready, _, _ = select.select([output], [], [], self._patience)
            octets = output.read(_READ_SIZE) if ready else b""
            if not octets:
                raise (RuntimeError if ready else TimeoutError)(f"the {self.name} says nothing: {self.printed()}")
            self._read += octets
        line, _, self._read = self._read.partition(b"\n")
        return line.decode()

    def exchange(self, line: str) -> str:
        """Let it do something, and return what it says of that. Raises as `hear` does."""
        self.tell(line)
        return self.hear()

    def printed(self) -> str:
        """The last of what it has written as errors."""
        self._printed.seek(0)
        return self._printed.read().decode("utf-8", "replace")[-_PRINTED_SIZE:]

    def terminate(self) -> None:
        """Let it end in order."""
        self._process.terminate()

    def wait(self) -> None:
        """Wait until it has ended. Raises `subprocess.TimeoutExpired` where it does not in time."""
        self._process.wait(self._patience)

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()
        self._process.wait()

    def close(self) -> None:
        """End it at once, and forget what it has printed."""
        self._process.kill()
        self._process.communicate()
        self._printed.close()


class JsonPeer(PeerProcess):
    """One that reads and writes objects of JSON, of which ``do`` says what to do."""

    def ask(self, do: str, **what: Any) -> dict[str, Any]:
        """Let it do something, and return what it says of that. Raises as `hear` does."""
        self.begin(do, **what)
        return self.answer()

    def begin(self, do: str, **what: Any) -> None:
        """Let it do something, whose `answer` is to be read."""
        self.tell(json.dumps({"do": do, **what}))

    def answer(self) -> dict[str, Any]:
        """What it says of the first thing that has no answer yet. Raises as `hear` does."""
        said: dict[str, Any] = json.loads(self.hear())
        return said
