"""Apache Thrift's own skip in Go, in a process of its own, which passes over messages again and again and says how long it took.

Needs Go; its module comes from the proxy of Go.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

__all__ = ["GoSkip"]

MODULE = "github.com/apache/thrift@v0.25.0"


class GoSkip:
    """Of these bare messages; `rounds` of all of them for each time that it is asked."""

    def __init__(self, messages: Sequence[bytes], rounds: int) -> None:
        self._rounds = rounds
        self._count = len(messages)
        self._folder = tempfile.TemporaryDirectory()
        folder = Path(self._folder.name)
        (folder / "messages").write_bytes(b"".join(messages))
        shutil.copy(Path(__file__).with_suffix(".go"), folder / "main.go")
        for arguments in (["mod", "init", "skip"], ["get", MODULE], ["build", "-o", "skip", "."]):
            subprocess.run(["go", *arguments], cwd=folder, check=True, capture_output=True, timeout=600)
        self._process = subprocess.Popen(
            [folder / "skip", folder / "messages"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __enter__(self) -> GoSkip:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.communicate()
        self._folder.cleanup()

    def __call__(self) -> float:
        """The seconds of one round of all messages."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(f"{self._rounds}\n")
        self._process.stdin.flush()
        count, nanoseconds = map(int, self._process.stdout.readline().split())
        assert count == self._count * self._rounds
        return nanoseconds * self._count / 1e9
