"""Real clients and servers, one set for all tests."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

TOOLS = Path(__file__).resolve().parent.parent / "tools"


def tool(name: str) -> Any:
    """A module of the room's tools, which import one another by their names; what another room's tests have loaded is none of it."""
    if str(TOOLS) in sys.path:
        sys.path.remove(str(TOOLS))
    sys.path.insert(0, str(TOOLS))  # rooms have tools of one name
    module = importlib.import_module(name)
    assert module.__file__ is not None and Path(module.__file__).parent == TOOLS, f"{name} is that of {module.__file__}"
    return module


def needs(start: Any, *arguments: Any, **options: Any) -> Any:
    """What `start` returns. Skips where real peers, which are downloaded, are not asked for; fails where a program is missing."""
    if os.environ.get("L7CODECS_INTEROP") != "1":
        pytest.skip("real peers of Thrift are asked for by L7CODECS_INTEROP=1")
    try:
        return start(*arguments, **options)
    except FileNotFoundError as error:
        pytest.fail(str(error))


@pytest.fixture(scope="session")
def thrift_stage() -> Iterator[Any]:
    """Clients and servers of every library."""
    opened = needs(tool("thrift_stage").Stage)
    yield opened
    opened.close()
