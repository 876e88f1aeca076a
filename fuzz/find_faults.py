"""Put each fault of ``fuzz/faults`` into a copy of the sources, and fuzz that until it is found.

    python fuzz/find_faults.py [NAME…]

Four were found by hand before there was a suite, and are put back; four are planted, and were not found by what there was. Prints how
long each took, of the clock and of the processor, and how many executions; exit status 1 where one is not found in ten minutes. Whatever
else is found on the way is another finding: it is told, and the search goes on.
"""

from __future__ import annotations

import importlib.util
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FAULTS = {
    "chained-pushes": ("http2", ("chain of requests",)),
    "cubic-proxy": ("redis", ("times as long", "of the processor")),
    "wrong-pairs-after-loss": ("redis", ("is told to answer",)),
    "late-answer-that-crosses": ("redis", ("a client hears",)),
    "one-of-several-does-not-end": ("thriftmux", ("last Data has come before", "frames of")),
    "pieces-joined-again-and-again": ("kafka", ("times as long",)),
    "requests-that-are-not-counted": ("dubbo", ("of memory are held",)),
    "skip-remembered-beyond-a-loss": ("redis", ("gets no answer",)),
}
"""The room in which each shows, and what is said of it."""
SECONDS = 600


def copy_with(name: str, copy: Path) -> None:
    """The sources with the fault in them."""
    for part in ("src", "protocols"):
        shutil.copytree(ROOT / part, copy / part, ignore=shutil.ignore_patterns("__pycache__", "*.so"))
    patch = ROOT / "fuzz" / "faults" / f"{name}.patch"
    subprocess.run(["git", "apply", "--unsafe-paths", f"--directory={copy}", patch], cwd=copy, check=True)


def fuzz(protocol: str, copy: Path, seed: int, seconds: float) -> tuple[str, int]:
    """What is found, in its author's words, and after how many executions; nothing where nothing is."""
    rooms = sorted(str(path.parent) for path in copy.glob("protocols/*/l7codecs_*"))
    work = copy / f"work-{seed}"
    guided = importlib.util.find_spec("atheris") is not None
    request = {
        "protocol": protocol, "vectors": [], "dictionary": "", "corpus": str(copy / "none"), "targets": [], "seed": seed,
        "seconds": seconds, "runs": 0, "folder": str(work), "grown": str(copy / "grown"), "shrink": "", "guided": guided,
        "blind": False, "keep_going": False,
    }  # fmt: skip
    subprocess.run(
        [
            sys.executable, "-m", "l7codecs_command.fuzzing", json.dumps(request),
            *(["l7codecs", f"l7codecs_{protocol}"] if guided else []),
        ],
        env={**os.environ, "L7CODECS_PURE": "1", "PYTHONPATH": os.pathsep.join([str(copy / "src"), *rooms])},
        cwd=ROOT, capture_output=True, check=False,
    )  # fmt: skip
    found = sorted(work.glob("*.fuzz"))
    figures = json.loads((work / "figures.json").read_text("utf-8"))["targets"].values()
    said = found[0].with_suffix(".txt").read_text("utf-8") if found else ""
    return said, sum(target["executions"] for target in figures)


def processor() -> float:
    """Seconds of the processor that all ended processes of this one have taken."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def find(name: str) -> bool:
    """Whether the fault is found."""
    protocol, words = FAULTS[name]
    began, used = time.monotonic(), processor()
    with tempfile.TemporaryDirectory(prefix="l7codecs-fault-") as folder:
        copy_with(name, Path(folder))
        seed = 1
        ran = 0
        while (took := time.monotonic() - began) < SECONDS:
            said, executions = fuzz(protocol, Path(folder), seed, SECONDS - took)
            ran += executions
            took = time.monotonic() - began
            line = next((line for line in said.splitlines() if any(each in line for each in words)), "")
            if line:
                print(
                    f"{name}, seed {seed}: found after {took:.0f} s, {processor() - used:.0f} s of the processor, "
                    f"{ran} executions: {line[:160]}",
                    flush=True,
                )
                return True
            if said:
                print(f"{name}: after {took:.0f} s something else: {said[:1200]}", flush=True)
            seed += 1
    print(f"{name}: NOT FOUND in {SECONDS} s, {ran} executions", flush=True)
    return False


def main(names: list[str]) -> int:
    found = [find(name) for name in names or FAULTS]
    return int(not all(found))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
