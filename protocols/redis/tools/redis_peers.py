"""Real clients of Redis in other languages, each a process that is told in lines of JSON what to do, and tells what came of it.

    with Peer("go-redis") as client:
        said = client.ask("pipeline", to=6379, resp=3, commands=[["SET", "a", "1"], ["GET", "a"]])
        assert said["results"] == ["OK", "1"]

They are the programs of the folder ``peers``: talk.go and cache.go (go-redis, rueidis), and talk.mjs (ioredis, node-redis). What they
do: ``each`` (commands one after another), ``pipeline`` (all at once), ``multi`` (in a transaction, with keys that are ``watched``),
``subscribe`` (to ``channels``, while ``sends`` are published), ``load`` (a worker for each of ``keys``, which reads what it has written),
``cache`` (each of ``keys``, read by a client that keeps what it reads: rueidis, node-redis). ``to`` is a port, ``resp`` the version of the
protocol, ``database`` one other than 0. Clients stay for what is done later.

What is downloaded and compiled goes into a cache (``L7CODECS_REDIS_CACHE``, else ``~/.cache/l7codecs/redis``), once for each change.
Needs Go, and node with npm.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from l7codecs.testing import JsonPeer, PeerCache, installed

LIBRARIES = {"go-redis": "go-redis 9.23.0, rueidis 1.0.79", "ioredis": "ioredis 6.0.0, node-redis 6.3.1"}
NAMES = tuple(LIBRARIES)
PEERS = Path(__file__).resolve().parent / "peers"
CACHE = PeerCache("redis")
PATIENCE_S = 60.0


def copied(name: str, sources: Sequence[str], make: Sequence[str]) -> Path:
    """The folder of the cache with these sources, and what the command `make` makes of them there."""

    def fill(target: Path) -> None:
        for each in sources:
            shutil.copy(PEERS / each, target)
        subprocess.run([installed(make[0]), *make[1:]], cwd=target, check=True, stdin=subprocess.DEVNULL)

    return CACHE.made(name, fill, [PEERS / each for each in sources])


def command_of(name: str) -> list[str]:
    """The command that starts one of `NAMES`; prepares what it needs. Raises `FileNotFoundError` where a tool is not installed."""
    if name == "go-redis":
        return [
            str(copied("go", ["talk.go", "cache.go", "go.mod", "go.sum"], ["go", "build", "-o", "talk", "."]) / "talk")
        ]
    npm = ["npm", "ci", "--silent", "--no-audit", "--no-fund"]
    folder = copied("node", ["talk.mjs", "package.json", "package-lock.json"], npm)
    return [installed("node"), str(folder / "talk.mjs")]


class Peer(JsonPeer):
    """One of `NAMES`. As a context manager it ends at the end."""

    def __init__(self, name: str) -> None:
        super().__init__(command_of(name), name=name, patience=PATIENCE_S)
