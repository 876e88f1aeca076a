"""Real clients of Kafka, each a process that is told in lines of JSON what to do, and tells what came of it.

    with Peer("java") as java:
        said = java.ask("produce", to=broker.address, topic="t", records=[{"partition": 0, "value": "v"}])
    assert said == {"sent": [[0, 0]]}

They are programs of the folder ``peers``: Talk.java (Apache Kafka's clients, Kafka Streams, kafka-producer-perf-test), talk.py
(confluent-kafka, aiokafka, kafka-python), talk.go (franz-go, kafka-go, sarama), talk.mjs (kafkajs, platformatic). What they are made of is
downloaded and compiled into the cache of `broker`, once for each change.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from broker import CACHE, JVM, NEWEST, install

from l7codecs.testing import JsonPeer, installed

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
        return [installed("java"), *JVM, "-cp", f"{classes}{os.pathsep}{jars}", "Talk"]
    if name in GO:
        folder = made("go", ["talk.go", "franz.go", "segmentio.go", "sarama.go", "go.mod", "go.sum"], compile_go)
        return [str(folder / "talk"), name]
    if name in NODE:
        folder = made("node", ["talk.mjs", "platformatic.mjs", "package.json", "package-lock.json"], install_node)
        return [installed("node"), str(folder / "talk.mjs"), name]
    return [sys.executable, "-W", "ignore", str(PEERS / "talk.py"), name]


def made(name: str, sources: Sequence[str], make: Callable[[Path], None]) -> Path:
    """The folder of the cache with what `make` makes of these sources, which are copied there first."""

    def fill(target: Path) -> None:
        for each in sources:
            shutil.copy(PEERS / each, target)
        make(target)

    return CACHE.made(name, fill, [PEERS / each for each in sources])


def compile_java(folder: Path, jars: str) -> None:
    """Compile Talk.java."""
    subprocess.run(
        [installed("javac"), "-nowarn", "-XDignore.symbol.file", "-cp", jars, "Talk.java"], cwd=folder, check=True
    )


def compile_go(folder: Path) -> None:
    """Compile talk.go."""
    subprocess.run([installed("go"), "build", "-o", "talk", "."], cwd=folder, check=True)


def install_node(folder: Path) -> None:
    """Install what talk.mjs imports."""
    subprocess.run([installed("npm"), "ci", "--silent", "--no-audit", "--no-fund"], cwd=folder, check=True)


class Peer(JsonPeer):
    """One client's process. As a context manager it ends at the end."""

    def __init__(self, name: str) -> None:
        super().__init__(command_of(name), name=name, patience=PATIENCE_S)
