"""Real clients and servers, one set for all tests."""

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
def thrift_stage() -> Iterator[Any]:
    """Clients and servers of every library."""
    opened = needs(tool("thrift_stage").Stage)
    yield opened
    opened.close()
