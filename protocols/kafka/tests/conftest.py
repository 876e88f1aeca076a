"""A real broker with a relay in front of each of its listeners, and real clients; one set for all tests."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from l7codecs.testing import load_tool, start_peers

TOOLS = Path(__file__).resolve().parent.parent / "tools"

tool = partial(load_tool, TOOLS)
needs = start_peers


@pytest.fixture(scope="session")
def stage() -> Iterator[Any]:
    """A broker of the newest version, and every client."""
    opened = needs(tool("stage").Stage)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def older_stage() -> Iterator[Any]:
    """A broker of the version before, which knows less than the clients."""
    opened = needs(tool("stage").Stage, tool("broker").OLDER)
    yield opened
    opened.close()
