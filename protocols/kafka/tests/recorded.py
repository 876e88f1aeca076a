"""Recorded conversations with their truth: ``L7CODECS_RECORDINGS`` names a folder that has a folder ``kafka``."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from l7codecs import Sender
from l7codecs.testing import Vector

FOLDER = os.environ.get("L7CODECS_RECORDINGS", "")
C, S = Sender.CLIENT, Sender.SERVER


@dataclass(frozen=True)
class Recording:
    """One connection: what was said, and what each message is."""

    name: str
    vector: Vector
    messages: list[dict[str, Any]]
    first_close_by: str | None
    cut: bool

    @property
    def requests(self) -> list[dict[str, Any]]:
        """Requests alone: not what is no message of Kafka."""
        return [each for each in self.messages if "corr" in each]


def read(path: Path) -> Vector:
    """One file: lines of ``C hex`` and ``S hex``."""
    pieces = []
    for line in path.read_text().splitlines():
        who, _, octets = line.partition(" ")
        pieces.append((C if who == "C" else S, bytes.fromhex(octets)))
    return Vector(f"{path.parent.name}/{path.stem}", tuple(pieces))


def scenarios() -> list[Path]:
    """A folder for each."""
    return sorted(path for path in (Path(FOLDER) / "kafka").iterdir() if path.is_dir()) if FOLDER else []


def connections(folder: Path) -> list[Recording]:
    """Those of one scenario, in the order in which they were opened."""
    found = []
    for truth in sorted(folder.glob("truth*.json")):
        for name, said in json.loads(truth.read_text())["connections"].items():
            vector = read(folder / name)
            found.append(Recording(vector.name, vector, said["messages"], said["first_close_by"], said["cut"]))
    return sorted(found, key=lambda each: each.name)


def everything() -> list[Recording]:
    """Every connection of every scenario."""
    return [each for folder in scenarios() for each in connections(folder)]
