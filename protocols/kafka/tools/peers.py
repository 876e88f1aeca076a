"""Real clients of Kafka, each a process that is told in lines of JSON what to do, and tells what came of it.

    with Peer("java") as java:
        said = java.ask("produce", to=broker.address, topic="t", records=[{"partition": 0, "value": "v"}])
    assert said == {"sent": [[0, 0]]}

They are programs of the folder ``peers``: Talk.java (Apache Kafka's clients, Kafka Streams, kafka-producer-perf-test), talk.py
(confluent-kafka, aiokafka, kafka-python), talk.go (franz-go, kafka-go, sarama), talk.mjs (kafkajs, platformatic). What they are made of is
downloaded and compiled into the cache of `broker`, once for each change.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from broker import JVM, NEWEST, cache, install, tool

PEERS = Path(__file__).resolve().parent / "peers"
PATIENCE_S = 120.0
PYTHON = ("confluent", "aiokafka", "kafka_python")
GO = ("franz_go", "kafka_go", "sarama")
NODE = ("kafkajs", "platformatic")
NAMES = ("java", *PYTHON, *GO, *NODE)


def command_of(name: str) -> list[str]:
    """The command that starts one of `NAMES`; prepares what it needs. Raises `FileNotFoundError` where a tool is not installed."""
    if name == "java":
        jars = install(NEWEST)
        classes = made("java", ["Talk.java"], lambda work: compile_java(work, jars))
        return [tool("java"), *JVM, "-cp", f"{classes}{os.pathsep}{jars}", "Talk"]
    if name in GO:
        folder = made("go", ["talk.go", "franz.go", "segmentio.go", "sarama.go", "go.mod", "go.sum"], compile_go)
        return [str(folder / "talk"), name]
    if name in NODE:
        folder = made("node", ["talk.mjs", "platformatic.mjs", "package.json", "package-lock.json"], install_node)
        return [tool("node"), str(folder / "talk.mjs"), name]
    return [sys.executable, "-W", "ignore", str(PEERS / "talk.py"), name]


def made(name: str, sources: Sequence[str], make: Callable[[Path], None]) -> Path:
    """The folder of the cache with what `make` makes of these sources, which are copied there first."""
    octets = b"".join((PEERS / each).read_bytes() for each in sources)
    folder = cache() / f"{name}-{hashlib.sha256(octets).hexdigest()[:16]}"
    if not folder.exists():
        cache().mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache()) as work:
            target = Path(work) / name
            target.mkdir()
            for each in sources:
                shutil.copy(PEERS / each, target)
            make(target)
            with contextlib.suppress(OSError):  # another was faster
                target.rename(folder)
    return folder


def compile_java(folder: Path, jars: str) -> None:
    """Compile Talk.java."""
    subprocess.run(
        [tool("javac"), "-nowarn", "-XDignore.symbol.file", "-cp", jars, "Talk.java"], cwd=folder, check=True
    )


def compile_go(folder: Path) -> None:
    """Compile talk.go."""
    subprocess.run([tool("go"), "build", "-o", "talk", "."], cwd=folder, check=True)


def install_node(folder: Path) -> None:
    """Install what talk.mjs imports."""
    subprocess.run([tool("npm"), "ci", "--silent", "--no-audit", "--no-fund"], cwd=folder, check=True)


class Peer:
    """One client's process. As a context manager it ends at the end."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._printed = tempfile.TemporaryFile()  # noqa: SIM115  # it lives as long as the process
        self._process = subprocess.Popen(
            command_of(name), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._printed, bufsize=0
        )
        self._read = b""

    def __enter__(self) -> Peer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def ask(self, do: str, **what: Any) -> dict[str, Any]:
        """Let it do something, and return what it says of that. Raises `RuntimeError` where it ends, `TimeoutError` where it hangs."""
        self.begin(do, **what)
        return self.answer()

    def begin(self, do: str, **what: Any) -> None:
        """Let it do something, whose `answer` is to be read."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"do": do, **what}).encode() + b"\n")

    def answer(self) -> dict[str, Any]:
        """What it says of the first thing that has none yet."""
        output = self._process.stdout
        assert output is not None
        while b"\n" not in self._read:
            ready, _, _ = select.select([output], [], [], PATIENCE_S)
            octets = output.read(65536) if ready else b""
            if not octets:
                self._printed.seek(0)
                printed = self._printed.read().decode("utf-8", "replace")[-2000:]
                raise (RuntimeError if ready else TimeoutError)(f"{self.name} says nothing: {printed}")
            self._read += octets
        line, _, self._read = self._read.partition(b"\n")
        said: dict[str, Any] = json.loads(line)
        return said

    def close(self) -> None:
        """End it at once."""
        self._process.kill()
        self._process.communicate()
        self._printed.close()
