"""Many messages through one engine, and what became of them: ``python -m benchmarks.proxy.soak [--messages 10000000] [--protocols …]``.

Each request carries its connection and its number, and its answer has to carry both again (load.c): what is lost, crossed or answered
with an error is counted, and after each part how much memory the engine holds. The first part is for what it fills once, such as caches:
memory is flat where the last parts hold no more than the first ones after it.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from l7codecs.testing import free_port

from .peers import PEERS
from .processes import cpu_seconds, resident, running
from .works import WORKS, build_load

_PART = 10.0
"""Seconds of one part."""


def soak(protocol: str, messages: int, depth: int, folder: Path) -> bool:
    """So many messages, requests and answers together; whether all are right."""
    work = next(each for each in WORKS.values() if each.protocol == protocol)
    with contextlib.ExitStack() as stack:
        servers = [free_port(), free_port()]
        for port in servers:
            stack.enter_context(running(work.server(port, folder), port, folder / "servers.log"))
        port = free_port()
        ours = stack.enter_context(running(PEERS["ours"](protocol, port, servers, folder), port, folder / "ours.log"))
        held: list[int] = []
        done = bad = 0
        began = time.monotonic()
        while done < messages:
            words = [str(folder / "load"), "ask", protocol, *map(str, (port, 50, depth, _PART, 0))]
            said = json.loads(subprocess.run(words, check=True, stdout=subprocess.PIPE).stdout)
            done += 2 * said["answers"]
            bad += said["crossed"] + said["failed"] + said["lost"] + said["closed"]
            held.append(resident(ours))
            print(f"{protocol}: {done:,} messages, {said}, {held[-1] / 1e6:.1f} MB", flush=True)
        took = time.monotonic() - began
        later = held[1:] or held
        print(
            f"{protocol}: {done:,} messages in {took:.0f} s, {bad} lost, crossed or failed; {cpu_seconds(ours):.0f} s of processor, "
            f"{later[0] / 1e6:.1f} MB after {2 if len(held) > 1 else 1} parts and {later[-1] / 1e6:.1f} MB at the end"
        )
        return bad == 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--messages", type=int, default=10_000_000)
    parser.add_argument("--protocols", default="redis,thrift,dubbo")
    parser.add_argument("--depth", type=int, default=16)
    given = parser.parse_args()
    good = True
    for protocol in given.protocols.split(","):
        with tempfile.TemporaryDirectory() as made:
            build_load(Path(made))
            good &= soak(protocol, given.messages, given.depth, Path(made))
    sys.exit(not good)


if __name__ == "__main__":
    main()
