"""Fuzz the compiled build of one protocol, at random from vectors and what is kept: for a build with sanitizers, see `make fuzz-sanitized`.

    python fuzz/sanitized.py NAME SECONDS

Second implementations are left out: what a sanitizer finds in one of them, in the same process, is no fault of ours.

A finding is written to ``fuzz-findings/sanitized`` and ends the process with status 77; what a sanitizer finds, with the sanitizer's.
"""

from __future__ import annotations

import sys
from pathlib import Path

import l7codecs
from l7codecs.testing.fuzzing.engine import Fuzzer, inputs_of
from l7codecs.testing.fuzzing.material import load_material
from l7codecs.testing.fuzzing.targets import TARGETS


def main(name: str, seconds: str) -> int:
    if not l7codecs.__compiled__:
        print("the build that is installed is not compiled", file=sys.stderr)
        return 2
    material = load_material(name)
    fuzzer = Fuzzer(material, [each.name for each in TARGETS if each.name != "differential"], 1)
    kept = [data for _, data in inputs_of([material.corpus] if material.corpus and material.corpus.is_dir() else [])]
    folder = Path("fuzz-findings", "sanitized", name)
    fuzzer.loop(float(seconds), folder / "grown", folder, kept)
    print(f"{name}, compiled: {fuzzer.executions.total()} executions in {seconds} s, nothing found")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
