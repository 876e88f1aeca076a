"""Fuzz each protocol for long, in the build that is installed and in pure Python, and print what was done as a table.

    nice python fuzz/long.py SECONDS [PROTOCOL…]        # SECONDS for each protocol, half of them guided by lines

A finding does not end a run, so one fault does not hide the others: findings are kept in ``fuzz-findings/PROTOCOL``, and counted by what
they say. What each run printed goes to standard error. Exit status 1 where anything was found.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROTOCOLS = tuple(tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["l7codecs"]["fuzz"])


def fuzz(protocol: str, seconds: float, *options: str) -> tuple[int, dict[str, int]]:
    """How many inputs and neighbours of them there were, and what was found, how often."""
    done = subprocess.run(
        [
            str(Path(sys.executable).parent / "l7codecs"), "fuzz", protocol, "--seconds", f"{seconds:.0f}", "--keep-going",
            "--findings", f"fuzz-findings/{protocol}", *options,
        ],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    count = re.search(r"^(\d+) executions and (\d+)", done.stdout, re.MULTILINE)
    found = {what: int(number) for number, what in re.findall(r"^found (\d+) times: (.*)", done.stdout, re.MULTILINE)}
    print(done.stdout, done.stderr, file=sys.stderr, flush=True)
    return int(count[1]) + int(count[2]) if count else 0, found


def main(arguments: list[str]) -> int:
    seconds = float(arguments[0])
    every: dict[str, int] = {}
    print("| room | blind | a second | guided | a second | findings |\n|---|---|---|---|---|---|", flush=True)
    for protocol in arguments[1:] or PROTOCOLS:
        row: list[str] = []
        said: dict[str, int] = {}
        for options in (("--blind",), ("--grow", "--engine", "own")):
            executions, found = fuzz(protocol, seconds / 2, *options)
            said |= found
            row += [f"{executions:,}".replace(",", " "), f"{executions / seconds * 2:.0f}"]
        every |= said
        print(f"| {protocol} | {' | '.join(row)} | {len(said)} |", flush=True)
    return int(bool(every))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
