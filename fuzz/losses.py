"""The oracle of loss in figures: ``python fuzz/losses.py [COUNT]`` prints a row of Markdown for each room.

COUNT (default 1500) conversations of each, damaged at random, seed 1: its vectors, and where L7CODECS_RECORDINGS names a folder, in rows of
their own, the recordings there (a line for each read: ``C`` or ``S``, a space, octets in hex).
"""

from __future__ import annotations

import os
import random
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

from l7codecs import Sender, get_protocol
from l7codecs.testing import Vector
from l7codecs.testing.fuzzing import Material, load_material
from l7codecs.testing.fuzzing.targets.losses import Losses

ROOT = Path(__file__).resolve().parent.parent
SENDERS = {"C": Sender.CLIENT, "S": Sender.SERVER}


def recorded(folder: Path) -> Iterator[Vector]:
    for path in sorted(folder.rglob("*.txt")):
        lines = [line.split() for line in path.read_text("utf-8").splitlines() if line[:2] in ("C ", "S ")]
        try:
            pieces = tuple((SENDERS[who], bytes.fromhex(octets)) for who, octets in lines)
        except ValueError:
            continue
        if pieces:
            yield Vector(str(path.relative_to(folder)), pieces)


def row(name: str, material: Material, count: int) -> str:
    target = Losses(material)
    if not target.usable():
        return ""
    chance = random.Random(1)
    wrong = 0
    for _ in range(count):
        try:
            target.run(target.damaged(chance))
        except AssertionError as error:
            if not ("is told to answer" in str(error) or "nobody sent" in str(error)):
                wrong += 1
                print(f"{name}: {error}", file=sys.stderr)
    said = target.figures
    words = ("answers sent", "answers", "paired", "wrong pairs", "invented")
    return f"| {name} | " + " | ".join(f"{said[word]:,}".replace(",", " ") for word in words) + f" | {wrong} |"


def main(count: int) -> None:
    os.chdir(ROOT)
    rooms = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["l7codecs"]["fuzz"]
    recordings = os.environ.get("L7CODECS_RECORDINGS")
    print("| | answers sent | answers told | paired | paired wrongly | messages that nobody sent | errors |")
    print("|---|---|---|---|---|---|---|")
    for name in rooms:
        print(row(name, load_material(name), count), flush=True)
        if recordings and (Path(recordings) / name).is_dir():
            vectors = list(recorded(Path(recordings) / name))
            print(row(f"{name}, {len(vectors)} recordings", Material(get_protocol(name), vectors), count), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1500)
