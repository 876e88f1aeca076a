"""Processes that are measured: what they have used of the processor, and when they listen."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

__all__ = ["cpu_seconds", "resident", "running", "wait_for"]

_PATIENCE = 30.0


def _family(pid: int) -> list[int]:
    """A process and all that it started."""
    found, at = [pid], 0
    while at < len(found):
        with contextlib.suppress(OSError):
            for task in Path(f"/proc/{found[at]}/task").iterdir():
                found += [int(child) for child in (task / "children").read_text().split()]
        at += 1
    return found


def cpu_seconds(process: subprocess.Popen[bytes]) -> float:
    """What it, its threads and its children have used so far, by the scheduler's count of nanoseconds."""
    total = 0
    for pid in _family(process.pid):
        with contextlib.suppress(OSError):
            for task in Path(f"/proc/{pid}/task").iterdir():
                total += int((task / "schedstat").read_text().split()[0])
    return total / 1e9


def resident(process: subprocess.Popen[bytes]) -> int:
    """Octets of memory that it and its children hold now."""
    pages = 0
    for pid in _family(process.pid):
        with contextlib.suppress(OSError):
            pages += int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * 4096


def wait_for(port: int, process: subprocess.Popen[bytes] | None = None) -> None:
    """Until somebody listens on `port`."""
    end = time.monotonic() + _PATIENCE
    while time.monotonic() < end:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        if process is not None and process.poll() is not None:
            raise SystemExit(f"{process.args!r} has ended with {process.returncode}")
        time.sleep(0.05)
    raise SystemExit(f"nobody listens on {port}")


@contextlib.contextmanager
def running(command: Sequence[str], port: int, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that listens on `port`, until the block ends; what it says is in `log`."""
    with log.open("ab") as out, subprocess.Popen(command, stdout=out, stderr=out, cwd=log.parent) as process:
        try:
            wait_for(port, process)
            yield process
        finally:
            process.terminate()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
