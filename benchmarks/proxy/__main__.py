"""Requests for each second of processor that a proxy uses: ours and its peers in turn, with the same client and servers.

    python -m benchmarks.proxy [--works redis-16,h2] [--peers ours,envoy] [--seconds 2] [--turns 5] [--json FILE]

Of each turn the ratio is ours to the peer's, and what is told is the median of the turns with their quartiles: the machine may be busy
with other things, which makes all of them dearer. Then, at half of the load that the slower of ours and Envoy carried, how much longer
than without a proxy the slowest answer in a hundred takes.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from l7codecs.testing import free_port

from .peers import PEERS, missing
from .processes import cpu_seconds, resident, running
from .works import WORKS, Work, build_load


@dataclass
class Side:
    """One proxy, and what it did in each turn. ``process`` is None where there is none: the client asks a server itself."""

    name: str
    port: int
    process: subprocess.Popen[bytes] | None
    efficiency: list[float] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)
    slow: list[float] = field(default_factory=list)
    bad: int = 0


def measure(work: Work, names: list[str], seconds: float, turns: int, folder: Path) -> dict[str, object]:
    """All of them in turn, the first turn not counted."""
    with contextlib.ExitStack() as stack:
        servers = [free_port(), free_port()]
        for port in servers:
            stack.enter_context(running(work.server(port, folder), port, folder / "servers.log"))
        sides = [Side("direct", servers[0], None)]
        for name in names:
            port = free_port()
            process = stack.enter_context(
                running(PEERS[name](work.protocol, port, servers, folder), port, folder / f"{name}.log")
            )
            sides.append(Side(name, port, process))
        for turn in range(-1, turns):
            for side in sides:
                before = cpu_seconds(side.process) if side.process else 0.0
                found = work.ask(side.port, folder, seconds / (1 if turn >= 0 else 4), 0)
                used = cpu_seconds(side.process) - before if side.process else 0.0
                side.bad += found.bad
                if turn >= 0:
                    side.rates.append(found.count / found.seconds)
                    side.efficiency.append(found.count / used if used else 0.0)
        half = min(statistics.median(side.rates) for side in sides if side.name in ("ours", "envoy", "direct")) / 2
        for _ in range(3):
            for side in sides:
                side.slow.append(work.ask(side.port, folder, seconds, half).slow)
        return {
            "title": work.title,
            "half_load": half,
            "sides": [
                {key: value for key, value in vars(side).items() if key not in ("process", "port")}
                | {"memory": resident(side.process) if side.process else 0}
                for side in sides
            ],
        }


def told(work: Work, found: dict[str, object]) -> list[str]:
    """Lines for people."""
    sides = {side["name"]: side for side in found["sides"]}  # type: ignore[attr-defined]
    lines = [str(found["title"])]
    direct = statistics.median(sides["direct"]["slow"])
    for name, side in sides.items():
        added = (statistics.median(side["slow"]) - direct) * 1e6
        lines.append(
            f"  {name:10} {statistics.median(side['efficiency']):>10,.0f} for each CPU-second, "
            f"{statistics.median(side['rates']):>9,.0f}/s, p99 at {found['half_load']:,.0f}/s +{added:,.0f} us, "
            f"{side['memory'] >> 20} MiB, {side['bad']} bad"
        )
    for name, reach in work.reach.items():
        if name in sides and "ours" in sides:
            pairs = zip(sides["ours"]["efficiency"], sides[name]["efficiency"], strict=True)
            ratios = sorted(one / other for one, other in pairs)
            middle = statistics.median(ratios)
            low, high = ratios[len(ratios) // 4], ratios[-1 - len(ratios) // 4]
            wanted = f", reach {reach:g}: {'yes' if middle >= reach else 'NO'}" if reach else ""
            lines.append(f"  ours to {name}: {middle:.2f} ({low:.2f} to {high:.2f}){wanted}")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--works", default=",".join(WORKS))
    parser.add_argument("--peers", default="", help="default: ours and those that a work has a figure for")
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    results = {}
    for name in given.works.split(","):
        work = WORKS[name]
        wanted = given.peers.split(",") if given.peers else ["ours", *work.reach]
        for each in wanted:
            if reason := missing(each):
                print(f"{each} is left out: {reason}", file=sys.stderr)
        with tempfile.TemporaryDirectory() as made:
            folder = Path(made)
            build_load(folder)
            names = [each for each in wanted if not missing(each)]
            results[name] = measure(work, names, given.seconds, given.turns, folder)
        print("\n".join(told(work, results[name])), flush=True)
        if given.json:
            given.json.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
