"""Which lines run: for keeping the inputs that matter, for guidance where atheris is not there, and for stating coverage.

Python 3.12 tells of each line once, at nearly no cost; before that every line is traced, which is slow. Of the pure build alone.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

__all__ = ["Lines", "executable_lines"]

Line = tuple[str, int]


class Lines:
    """The lines of `packages` that have run while it was on. ``fresh`` counts those since it was last set to 0."""

    def __init__(self, packages: Iterable[str]) -> None:
        self.folders = tuple(f"{folder}/" for folder in folders_of(packages))
        self.seen: set[Line] = set()
        self.fresh = 0
        self._known: dict[CodeType, bool] = {}
        self._done: object = None
        """What says that a line need not be told again."""

    def start(self) -> None:
        """Begin."""
        if sys.version_info >= (3, 12):
            monitoring = sys.monitoring
            self._done = monitoring.DISABLE
            monitoring.use_tool_id(monitoring.COVERAGE_ID, "l7codecs")
            monitoring.register_callback(monitoring.COVERAGE_ID, monitoring.events.LINE, self._line)
            monitoring.set_events(monitoring.COVERAGE_ID, monitoring.events.LINE)
        else:
            sys.settrace(self._call)

    def stop(self) -> None:
        """End."""
        if sys.version_info >= (3, 12):
            sys.monitoring.set_events(sys.monitoring.COVERAGE_ID, 0)
            sys.monitoring.free_tool_id(sys.monitoring.COVERAGE_ID)
        else:
            sys.settrace(None)

    def again(self) -> None:
        """Tell of lines that have been told already, as of others."""
        self.seen = set()
        if sys.version_info >= (3, 12):
            sys.monitoring.restart_events()

    def _ours(self, code: CodeType) -> bool:
        known = self._known.get(code)
        if known is None:
            known = code.co_filename.startswith(self.folders)
            self._known[code] = known
        return known

    def _line(self, code: CodeType, line: int) -> Any:
        if self._ours(code) and (code.co_filename, line) not in self.seen:
            self.seen.add((code.co_filename, line))
            self.fresh += 1
        return self._done

    def _call(self, frame: FrameType, event: str, argument: object) -> Any:
        return self._trace if self._ours(frame.f_code) else None

    def _trace(self, frame: FrameType, event: str, argument: object) -> Any:
        line = (frame.f_code.co_filename, frame.f_lineno)
        if line not in self.seen:
            self.seen.add(line)
            self.fresh += 1
        return self._trace

    def by_folder(self) -> Iterator[tuple[str, int, int]]:
        """Of each folder of the packages: its path, how many of its lines have run, and how many there are."""
        for folder in self.folders:
            lines = {line for path in Path(folder).rglob("*.py") for line in executable_lines(path)}
            yield folder, len(lines & self.seen), len(lines)


def folders_of(packages: Iterable[str]) -> list[str]:
    """Where the packages lie."""
    found = []
    for name in packages:
        file = getattr(sys.modules.get(name), "__file__", None)
        if isinstance(file, str):
            found.append(str(Path(file).resolve().parent))
    return found


def executable_lines(path: Path) -> set[Line]:
    """The lines of functions in a file: those that run when it is imported say nothing."""
    found: set[Line] = set()
    waiting = [compile(path.read_text("utf-8"), str(path), "exec")]
    top = True
    while waiting:
        code = waiting.pop()
        in_function = not top and code.co_flags & 0x0002  # CO_NEWLOCALS: a function, not a class body
        top = False
        if in_function:
            found.update((str(path), line) for _, _, line in code.co_lines() if line)
        waiting += [each for each in code.co_consts if isinstance(each, CodeType)]
    return found
