"""The stateful machines of all protocols, or of those named, for as long as is said, with examples at random.

    python fuzz/machines.py SECONDS [PROTOCOL…]     # a line for each machine; what is found, as a script
    python fuzz/machines.py --faults [NAME…]        # puts the faults of ``fuzz/faults`` back, and says which are found, and how soon

Exit status 1 where something is found, or with ``--faults`` where a fault is not.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from find_faults import FAULTS, ROOT, copy_with

PROTOCOLS = ("redis", "http2", "kafka", "dubbo", "thrift", "thriftmux")
_EXAMPLES = 100
"""In a row; then it is looked at the clock."""
_SECONDS = 600


def run(protocol: str, kind: str, seconds: float, seed: int) -> bool:
    """Whether something is found."""
    from hypothesis import Phase, settings
    from hypothesis import seed as seeded
    from hypothesis.stateful import run_state_machine_as_test

    from l7codecs.testing import proxy_machine, session_machine
    from l7codecs.testing.fuzzing import load_material
    from l7codecs.testing.machines import MACHINES

    machine = {"session": session_machine, "proxy": proxy_machine}[kind](load_material(protocol, folder=ROOT))
    figures: Counter[str] = Counter()
    count = machine.count

    def counted(self: object, name: str) -> None:
        figures["calls"] += 1
        count(self, name)

    machine.count = counted
    began, used = time.monotonic(), time.process_time()
    while time.monotonic() - began < seconds:
        phases = (Phase.generate, Phase.shrink)
        given = settings(MACHINES, max_examples=_EXAMPLES, stateful_step_count=60, database=None, phases=phases)
        try:
            run_state_machine_as_test(seeded(seed)(machine), settings=given)
        except BaseException as error:
            took = f"{time.monotonic() - began:.0f} s, {time.process_time() - used:.0f} s of the processor"
            print(f"{protocol} {kind}: found after {took}, shrunk", flush=True)
            for each in error.exceptions if isinstance(error, BaseExceptionGroup) else [error]:
                print(repr(each), *getattr(each, "__notes__", []), sep="\n", flush=True)
            return True
        figures["examples"] += _EXAMPLES
        seed += 1
    print(f"{protocol} {kind}: {figures['examples']} examples, {figures['calls']} calls, nothing", flush=True)
    return False


def find(name: str) -> bool:
    """Whether a fault that is put back is found by either machine of its room."""
    protocol, words = FAULTS[name]
    with tempfile.TemporaryDirectory(prefix="l7codecs-fault-") as folder:
        copy = Path(folder)
        copy_with(name, copy)
        path = [str(copy / "src"), *sorted(str(each.parent) for each in copy.glob("protocols/*/l7codecs_*"))]
        environment = {**os.environ, "L7CODECS_PURE": "1", "PYTHONPATH": os.pathsep.join(path)}
        for kind in ("proxy", "session"):
            command = [sys.executable, __file__, str(_SECONDS // 2), f"{protocol}:{kind}"]
            began = time.monotonic()
            said = subprocess.run(command, env=environment, capture_output=True, text=True, check=False).stdout
            line = next((each for each in said.splitlines()[1:] if any(word in each for word in words)), "")
            if line:
                print(f"{name}: found by the machine of a {kind} after {time.monotonic() - began:.0f} s: {line[:160]}")
                return True
            if "found" in said:
                print(f"{name}: the machine of a {kind} finds something else: {said[:1200]}")
    print(f"{name}: NOT FOUND in {_SECONDS} s", flush=True)
    return False


def main(arguments: list[str]) -> int:
    if arguments[0] == "--faults":
        return int(len([name for name in arguments[1:] or FAULTS if not find(name)]) > 0)
    found = False
    for each in arguments[1:] or PROTOCOLS:
        protocol, _, kind = each.partition(":")
        for chosen in [kind] if kind else ("session", "proxy"):
            found |= run(protocol, chosen, float(arguments[0]), time.time_ns() % 1_000_000)
    return int(found)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
