"""What other people's Hessian 2 (`hessian_programs` of the room's tools) says that values are, and what ours are in the same words."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from .conftest import tool

Token = list[object]

_programs = tool("hessian_programs")
LIBRARIES = _programs.LIBRARIES
tokens_of = tool("hessian_tokens").tokens_of


def java(library: Any, *arguments: str, lines: Sequence[str] = ()) -> list[str]:
    """What the program of Java prints with this library."""
    return _said(lambda: _programs.java(library, *arguments, lines=lines))


def node(*arguments: str, lines: Sequence[str] = ()) -> list[str]:
    """What the program of Node prints."""
    return _said(lambda: _programs.node(*arguments, lines=lines))


def go(*arguments: str, lines: Sequence[str] = ()) -> list[str]:
    """What the program of Go prints."""
    return _said(lambda: _programs.go(*arguments, lines=lines))


def _said(ask: Callable[[], list[str]]) -> list[str]:
    """Skips a test that lacks a tool, except where all peers are to be there."""
    try:
        return ask()
    except FileNotFoundError as error:
        if os.environ.get("L7CODECS_INTEROP") == "1":
            pytest.fail(str(error))
        pytest.skip(str(error))


def streams(printed: Sequence[str]) -> list[tuple[bytes, list[Token]]]:
    """Of lines that a program wrote: octets, and what they are."""
    parts = [line.split("\t") for line in printed]
    return [(bytes.fromhex(octets), json.loads(tokens)) for octets, tokens in parts]
