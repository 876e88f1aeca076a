"""What is timed of Dubbo: each class is one side of a row, and a call returns what it found in all messages of a round.

The peers are given bodies, and know whether it is a call or an answer; ours finds both in the octets of the reads, in a session that is
opened for each round. Peers of Java, Node, and one of Python that cannot be installed beside another, are processes with loops of their
own, which say how long they took (`Loop`).
"""

from __future__ import annotations

import importlib
import io
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from struct import pack
from types import TracebackType
from typing import Any, Final

from pyhessian.parser import Parser

import l7codecs
from l7codecs import Sender, Session
from l7codecs_dubbo._hessian.scan import decode

ROOT = Path(__file__).resolve().parent.parent
PROGRAMS = Path(__file__).parent / "dubbo_peers"
sys.path.append(str(ROOT / "protocols" / "dubbo" / "tools"))

__all__ = [
    "Loop",
    "OurAttachments",
    "OurHeads",
    "OurThrown",
    "OurValues",
    "PythonHeads",
    "PythonThrown",
    "PythonWhole",
    "dubbo_python",
    "hessian_js",
    "hessian_lite",
]

CLIENT: Final = Sender.CLIENT
SERVER: Final = Sender.SERVER
Receive = Callable[[Sender, bytes], Iterator[Any]]


def _open() -> Session:
    return l7codecs.open_session("dubbo")


# ----------------------------------------------------------------------------------------------------------------- ours


class OurHeads:
    """l7codecs: interface, version and method of each call."""

    def __call__(self, chunks: Sequence[bytes]) -> list[object]:
        receive: Receive = _open().receive
        found: list[object] = []
        for chunk in chunks:
            for event in receive(CLIENT, chunk):
                found.append((event.service, event.service_version, event.operation))
        return found


class OurAttachments:
    """l7codecs: the same, and all attachments."""

    def __call__(self, chunks: Sequence[bytes]) -> list[object]:
        receive: Receive = _open().receive
        found: list[object] = []
        for chunk in chunks:
            for event in receive(CLIENT, chunk):
                found.append((event.service, event.service_version, event.operation, event.headers))
        return found


class OurThrown:
    """l7codecs: status, class and message of the exception in each answer."""

    def __init__(self) -> None:
        self._session = _open()

    def ask(self, chunks: Sequence[bytes]) -> None:
        """Send the calls, which is not timed."""
        self._session = _open()
        for chunk in chunks:
            for _ in self._session.receive(CLIENT, chunk):
                pass

    def __call__(self, chunks: Sequence[bytes]) -> list[object]:
        receive: Receive = self._session.receive
        found: list[object] = []
        for chunk in chunks:
            for event in receive(SERVER, chunk):
                found.append((event.status_code, *event.exception))
        return found


class OurValues:
    """l7codecs: whole bodies as values of Python."""

    def __call__(self, bodies: Sequence[bytes]) -> list[object]:
        return [decode(body, 0, len(body))[0] for body in bodies]


# ------------------------------------------------------------------------------------------------------- python-hessian


def _values(body: bytes, count: int) -> list[Any]:
    parser = Parser()
    parser._stream = io.BytesIO(body)
    parser.version = 2
    return [parser.read_object() for _ in range(count)]


class PythonHeads:
    """python-hessian: the first four strings of each call."""

    def __call__(self, bodies: Sequence[bytes]) -> list[object]:
        return [tuple(_values(body, 4)[1:]) for body in bodies]


class PythonWhole:
    """python-hessian: all values of each call."""

    def __call__(self, bodies: Sequence[bytes]) -> list[object]:
        return [_values(body, 8) for body in bodies]


class PythonThrown:
    """python-hessian: class and message of the exception in each answer."""

    def __call__(self, bodies: Sequence[bytes]) -> list[object]:
        found: list[object] = []
        for body in bodies:
            _, thrown, _ = _values(body, 3)
            found.append((thrown._hessian_factory_args[0], thrown.detailMessage))
        return found


# ------------------------------------------------------------------------------------------------- loops of their own


class Loop:
    """A peer in a process of its own, which reads bodies again and again, and says how long it took."""

    def __init__(
        self, command: Callable[[str], list[str]], bodies: Sequence[bytes], what: str, rounds: int = 1
    ) -> None:
        self._file = tempfile.NamedTemporaryFile()  # noqa: SIM115  # it lives as long as the process
        self._file.write(b"".join(pack(">i", len(body)) + body for body in bodies))
        self._file.flush()
        self._what = f"{what} {rounds}\n"
        self._rounds = rounds
        self._process = subprocess.Popen(
            command(self._file.name), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __enter__(self) -> Loop:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.communicate()
        self._file.close()

    def warm(self, times: int) -> None:
        """Let it be compiled by whatever runs it."""
        for _ in range(times):
            self()

    def __call__(self) -> float:
        """The seconds of one round of all bodies."""
        return self.ask()[0]

    def ask(self) -> tuple[float, str]:
        """The same, and what it found in the last body."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(self._what)
        self._process.stdin.flush()
        taken, _, found = self._process.stdout.readline().rstrip("\n").partition(" ")
        return int(taken) / 1e9 / self._rounds, found


def hessian_lite(path: str) -> list[str]:
    """The command of Dubbo's own library."""
    programs: Any = importlib.import_module("hessian_programs")
    jars = programs.jars(programs.LIBRARIES[0])
    classes = programs.classes(PROGRAMS / "HessianLoop.java", f"{jars}/*")
    return ["java", "-Xmx512m", "-XX:+UseSerialGC", "-cp", f"{classes}:{jars}/*", "HessianLoop", path]


def hessian_js(path: str) -> list[str]:
    """The command of hessian.js."""
    programs: Any = importlib.import_module("hessian_programs")
    return ["node", str(programs.node_program(PROGRAMS / "hessian_loop.js", PROGRAMS / "package.json")), path]


def dubbo_python(path: str) -> list[str]:
    """The command of dubbo-python, installed into a folder of its own."""
    programs: Any = importlib.import_module("hessian_programs")

    def install(folder: Path) -> None:
        programs.run(
            [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", "site", "dubbo-python==0.0.4"],
            folder,
        )

    site = programs.CACHE.made("dubbo-python", install, [b"0.0.4"]) / "site"
    return [sys.executable, str(PROGRAMS / "dubbo_python_loop.py"), path, str(site)]
