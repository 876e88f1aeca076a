"""Recorded conversations with their truth: ``L7CODECS_RECORDINGS`` names a folder that has a folder ``dubbo``."""

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


@dataclass(frozen=True)
class Scenario:
    """One run of a consumer: what it and the provider say, and their connections."""

    name: str
    calls: list[dict[str, Any]]
    """What the consumer has called, and what came of it."""
    saw: list[dict[str, Any]]
    """What the provider's methods were called with."""
    vectors: list[Vector]


def read(path: Path) -> Vector:
    """One file: lines of ``C hex`` and ``S hex``."""
    text = gzip.decompress(path.read_bytes()).decode() if path.suffix == ".gz" else path.read_text()
    pieces = []
    for line in text.splitlines():
        who, _, octets = line.partition(" ")
        if who in ("C", "S"):
            pieces.append((C if who == "C" else S, bytes.fromhex(octets)))
    return Vector(f"{path.parent.name}/{path.name.partition('.')[0]}", tuple(pieces))


def scenarios() -> list[Scenario]:
    """Those of the protocol itself; Triple has others."""
    if not FOLDER:
        return []
    found = []
    for truth in sorted((Path(FOLDER) / "dubbo").glob("*/truth*.json")):
        if truth.parent.name.startswith("tri"):
            continue
        for name, said in json.loads(truth.read_text())["scenarios"].items():
            vectors = [read(truth.parent / each) for each in said["connections"]]
            found.append(Scenario(f"{truth.parent.name}/{name}", said["consumer"], said["provider_saw"], vectors))
    return found


def plain(value: Any) -> Any:
    """A value of the truth without its Java class: lists, maps and numbers are told with it."""
    if not isinstance(value, dict):
        return value
    if "items" in value:
        return [plain(each) for each in value["items"]]
    if "entries" in value:
        return {str(plain(key)): plain(each) for key, each in value["entries"]}
    if value.get("class") in ("java.lang.Long", "java.lang.Short", "java.lang.Byte"):
        return int(value["string"])
    return value
