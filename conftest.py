"""The Python code blocks of README.md, docs/ and the READMEs of protocols run as tests.

The blocks of one page share a namespace and run in order. A block of type ``text`` after one of type ``python`` is what the latter prints.
"""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Iterable

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
