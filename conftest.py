"""The Python code blocks of README.md, docs/ and the READMEs of protocols run as tests.

A run says at its end, in one line, what it left out.

The blocks of one page share a namespace and run in order. A block of type ``text`` after one of type ``python`` is what the latter prints.
"""

from __future__ import annotations

import collections
import contextlib
import gc
import io
import os
import re
import tempfile
from collections.abc import Generator, Iterable, Iterator
from itertools import count
from pathlib import Path

import pytest
from sybil import Document, Example, Region, Sybil
from sybil.evaluators.python import PythonEvaluator
from sybil.parsers.markdown import CodeBlockParser, PythonCodeBlockParser

_SHOWN = re.compile(r"^```python\n(?:(?!```).*\n)*```\n\n```text\n((?:(?!```).*\n)*)```$", re.MULTILINE)


class _Printing(PythonEvaluator):
    """Run a block, and keep what it prints for the next."""

    def __call__(self, example: Example) -> None:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            super().__call__(example)
        example.namespace["__printed__"] = printed.getvalue()


class _PythonParser(PythonCodeBlockParser):
    """Blocks of type ``python``."""

    def __init__(self) -> None:
        super().__init__()
        self.codeblock_parser = CodeBlockParser("python", _Printing())


def _parse_output(document: Document) -> Iterable[Region]:
    for found in _SHOWN.finditer(document.text):
        yield Region(found.start(1), found.end(1), found[1], _check_output)


def _check_output(example: Example) -> str | None:
    printed = example.namespace.get("__printed__", "")
    return None if printed == example.parsed else f"the block before it printed\n{printed}"


pytest_collect_file = Sybil(parsers=[_PythonParser(), _parse_output], patterns=["*.md"]).pytest()


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A folder for Unix sockets, whose paths have at most some hundred octets: `tmp_path` may be longer."""
    with tempfile.TemporaryDirectory(prefix="l7-", dir="/tmp" if os.path.isdir("/tmp") else None) as folder:
        yield Path(folder)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """The tests themselves are nothing that the garbage collector has to look at: at half a million objects, each time takes 0.3 s."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.collect()
        gc.freeze()


_finished = count(1)
_REPORTED = 500
"""Tests whose reports pile up, ten objects and more for each, before those are frozen as well."""


def pytest_runtest_logfinish() -> None:
    """Keep reports out of the garbage collector's sight too."""
    if next(_finished) % _REPORTED == 0:
        gc.collect()
        gc.freeze()


_ONCE = frozenset(
    f"tests/test_{name}.py"
    for name in (
        "cli", "command", "differential", "docs", "free_port", "fuzzing", "fuzzing_bursts", "golden", "house", "kit_catches", "kit_passes",
        "machines", "peer_processes", "recording_relay", "recursion", "reference", "registry", "states", "typed_use",
    )
)  # fmt: skip
"""Whose subject no build and no Python changes: the command, the kit and the fuzzing suite (never compiled, held to toys), and text."""
_BUILDS = frozenset(("tests/test_build.py", "tests/test_compiled_plugin.py"))
"""What compiles for itself."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what need not run in every build. The engine's tests come last: they leave threads and memory in the process."""
    for item in items:
        file = item.nodeid.partition("::")[0]
        if file in _ONCE:
            item.add_marker("once")
        elif file in _BUILDS:
            item.add_marker("builds")
        if "linear" in item.name.partition("[")[0]:
            item.add_marker("growth")
    items.sort(key=lambda item: item.nodeid.startswith("tests/proxy/"))


def pytest_unconfigure(config: pytest.Config) -> None:
    """Say what was left out."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None:
        return
    why: collections.Counter[str] = collections.Counter()
    for report in reporter.stats.get("skipped", []):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        why[reason.removeprefix("Skipped: ")] += 1
    if deselected := reporter.stats.get("deselected"):
        why["deselected"] = len(deselected)
    if why:
        parts = ", ".join(f"{reason} ({count})" for reason, count in why.most_common())
        reporter.write_line(f"left out: {why.total()} tests: {parts}; `make interop` installs the peers")
