"""Recorded conversations with their truth: ``L7CODECS_RECORDINGS`` names a folder that has a folder ``thrift``."""

from __future__ import annotations

import gzip
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from l7codecs import Sender
from l7codecs.testing import Vector

FOLDER = os.environ.get("L7CODECS_RECORDINGS", "")
C, S = Sender.CLIENT, Sender.SERVER
MUX = ("finagle-mux",)
"""Of ThriftMux, which is another protocol."""


@dataclass(frozen=True)
class Run:
    """One run of a client: what it has called, and its connections with what a reference has read of them."""

    name: str
    calls: list[dict[str, Any]]
    connections: list[tuple[Vector, dict[str, Any]]]


def read(path: Path) -> Vector:
    """One file: lines of ``C hex`` and ``S hex``."""
    text = gzip.decompress(path.read_bytes()).decode() if path.suffix == ".gz" else path.read_text()
    pieces = []
    for line in text.splitlines():
        who, _, octets = line.partition(" ")
        if who in ("C", "S"):
            pieces.append((C if who == "C" else S, bytes.fromhex(octets)))
    return Vector(path.name.partition(".")[0], tuple(pieces))


def folder() -> Path:
    return Path(FOLDER) / "thrift"


def runs() -> list[Run]:
    if not FOLDER:
        return []
    found = []
    for truth in sorted(folder().glob("truth*.json")):
        for name, said in json.loads(truth.read_text()).items():
            if not isinstance(said, dict) or "files" not in said:
                continue  # an index
            # The first connection has no number.
            files = sorted(said["files"].items(), key=lambda each: (len(each[0]), each[0]))
            paths = [(folder() / file, heard) for file, heard in files]
            connections = [(read(path), heard) for path, heard in paths if path.exists()]
            if connections:
                found.append(Run(name, said.get("calls", []), connections))
    return found


def vectors() -> list[Vector]:
    """Every connection of the protocol, with a truth or without."""
    if not FOLDER:
        return []
    found = [read(path) for path in sorted(folder().glob("*.txt"))]
    return [each for each in found if not each.name.startswith(MUX)]
