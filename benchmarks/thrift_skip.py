"""Bare messages of Thrift beside Apache Thrift's own skip in Go, in a process of its own: `python -m benchmarks.thrift_skip`.

Needs Go; its module comes from the proxy of Go. Both are asked in turns; what is printed is the median of the ratios.
"""

from __future__ import annotations

import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from .thrift_octets import COUNT, messages, reads
from .thrift_sides import OurHeads

TURNS = 41
ROUNDS = 5


def build(folder: Path) -> Path:
    """The program, made in `folder`."""
    shutil.copy(Path(__file__).with_suffix(".go"), folder / "main.go")
    for arguments in (
        ["mod", "init", "skip"],
        ["get", "github.com/apache/thrift@v0.25.0"],
        ["build", "-o", "skip", "."],
    ):
        subprocess.run(["go", *arguments], cwd=folder, check=True, capture_output=True, timeout=600)
    return folder / "skip"


def main() -> None:
    octets = messages(compact=False)
    chunks = reads(octets)
    ours = OurHeads()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "messages").write_bytes(b"".join(octets))
        with subprocess.Popen(
            [build(folder), folder / "messages"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        ) as peer:
            assert peer.stdin is not None
            assert peer.stdout is not None
            own: list[float] = []
            theirs: list[float] = []
            for _ in range(TURNS):
                peer.stdin.write(f"{ROUNDS}\n")
                count, nanoseconds = map(int, peer.stdout.readline().split())
                assert count == COUNT * ROUNDS
                theirs.append(nanoseconds)
                begun = time.perf_counter_ns()
                for _ in range(ROUNDS):
                    assert len(ours(chunks)) == COUNT
                own.append((time.perf_counter_ns() - begun) / (COUNT * ROUNDS))
            peer.stdin.close()
    ratio = statistics.median(one / other for one, other in zip(theirs, own, strict=True))
    print(f"l7codecs {min(own):.0f} ns, Go {min(theirs)} ns a message of {len(octets[0])} octets: {ratio:.2f} x")


if __name__ == "__main__":
    main()
