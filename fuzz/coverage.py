"""State how many lines of a room's functions the fuzzing of each target reaches: by the inputs kept, and by a run.

    L7CODECS_PURE=1 python fuzz/coverage.py [SECONDS [PROTOCOL…]]

SECONDS of the processor are for each target, 10 where nothing is said; Python 3.12 or newer, in which a line costs nothing once it has
run. Of a room that two protocols share, lines are those of the files that this one reaches. Behind the table stands, for each room, what
no target reaches.
"""

from __future__ import annotations

import random
import sys
import time
from collections import Counter
from pathlib import Path

from l7codecs.testing.fuzzing import Fuzzer, Material, load_material
from l7codecs.testing.fuzzing.engine import inputs_of
from l7codecs.testing.fuzzing.material import packages_of
from l7codecs.testing.fuzzing.measuring import Lines, executable_lines, folders_of

ROOT = Path(__file__).resolve().parent.parent
PROTOCOLS = ("redis", "http2", "kafka", "dubbo", "thrift", "thriftmux")
TARGETS = ("direction", "conversation", "endpoints", "loss", "growth", "detection", "truth")
SHARED = ("thriftmux",)
Line = tuple[str, int]


def reached_by(material: Material, names: list[str], seconds: float) -> set[Line]:
    """The lines that run while `names` are fuzzed, guided by nothing but those lines; without `seconds` those of the inputs kept."""
    fuzzer = Fuzzer(material, names, 1)
    lines = Lines(packages_of(material.protocol))
    chance = random.Random(1)
    lines.start()
    lines.again()
    try:
        if not seconds:
            for _, data in inputs_of([material.corpus] if material.corpus is not None else []):
                fuzzer.run(data)
            return lines.seen
        pool = fuzzer.seeds()
        mutator = fuzzer.mutator(pool)
        until = time.process_time() + seconds
        number = 0
        (target,) = fuzzer.targets.values()
        while time.process_time() < until:
            program = target.fresh(chance) if number >= len(pool) and chance.random() < 0.5 else None
            data = program.encode() if program is not None else b""
            if not data:
                data = pool[number] if number < len(pool) else mutator.mutate(chance.choice(pool), 4096, chance)
            number += 1
            lines.fresh = 0
            fuzzer.run(data, examine=number % 8 == 0)
            if lines.fresh:
                pool.append(data)
    finally:
        lines.stop()
    return lines.seen


def main(seconds: float, protocols: list[str]) -> int:
    print(f"| room | lines | kept | {' | '.join(TARGETS)} | all |\n|{'---|' * (len(TARGETS) + 4)}")
    left: list[str] = []
    for name in protocols:
        material = load_material(name, folder=ROOT)
        columns = [reached_by(material, [], 0)]
        for target in TARGETS:
            columns.append(reached_by(material, [target], seconds))
        union = set[Line]().union(*columns)
        (folder,) = folders_of(packages_of(material.protocol))
        files = sorted(Path(folder).rglob("*.py"))
        if name in SHARED:
            files = [file for file in files if any(each == str(file) for each, _ in union)]
        lines = {line for file in files for line in executable_lines(file)}
        percent = [f"{100 * len(column & lines) // len(lines)} %" for column in (*columns, union)]
        print(f"| {name} | {len(lines)} | {' | '.join(percent)} |", flush=True)
        missing = Counter(str(Path(file).relative_to(folder)) for file, _ in lines - union)
        left.append(f"{name}: " + ", ".join(f"{file} {count}" for file, count in missing.most_common(24)))
    print("\nlines that no target reaches:\n" + "\n".join(left))
    return 0


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]) if len(sys.argv) > 1 else 10, sys.argv[2:] or [*PROTOCOLS]))
