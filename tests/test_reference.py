"""The Python reference has every public name, once, and nothing else."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

PAGES = Path(__file__).parents[1] / "docs/reference/api"
WRITTEN = [
    line[4:]
    for page in sorted(PAGES.glob("*.md"))
    for line in page.read_text("utf-8").splitlines()
    if line.startswith("::: ")
]
PACKAGES = [
    "l7codecs",
    "l7codecs.capture",
    "l7codecs.routing",
    "l7codecs.testing",
    "l7codecs_dubbo",
    "l7codecs_http2",
    "l7codecs_kafka",
    "l7codecs_redis",
    "l7codecs_thrift",
]


@pytest.mark.parametrize("package", PACKAGES)
def test_every_public_name_is_in_the_reference(package: str) -> None:
    written = sorted(name.rpartition(".")[2] for name in WRITTEN if name.rpartition(".")[0] == package)
    assert written == sorted(importlib.import_module(package).__all__)


def test_nothing_else_is_in_the_reference() -> None:
    """But for the engine's parts, which are named by their modules: each is public there."""
    parts = [name for name in WRITTEN if name.startswith("l7codecs.proxy.")]
    assert {name.rpartition(".")[0] for name in WRITTEN if name not in parts} == set(PACKAGES)
    for name in parts:
        module, _, public = name.rpartition(".")
        assert public in importlib.import_module(module).__all__
