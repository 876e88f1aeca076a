"""h2spec (github.com/summerwind/h2spec), all of its sections, strict, against a server made of an endpoint session."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

from .conftest import program

pytestmark = pytest.mark.interop

CASES = 146


def h2spec() -> str:
    """Where `make interop` puts it, or wherever it is installed."""
    beside = Path(sys.executable).with_name("h2spec")
    return str(beside) if beside.exists() else program("h2spec")


@pytest.fixture
def port() -> Iterator[int]:
    command = [sys.executable, str(Path(__file__).with_name("h2_server.py"))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        assert server.stdout is not None
        yield int(server.stdout.readline())
        server.terminate()


def test_everything_passes(port: int, tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    subprocess.run(
        [h2spec(), "--strict", "-p", str(port), "-j", str(report)],
        capture_output=True,
        timeout=300,
        check=False,
    )
    cases = list(ElementTree.parse(report).iter("testcase"))
    failed = [
        f"{case.get('package')} {case.get('classname')}: {child.tag} {child.text}"
        for case in cases
        for child in case
        if child.tag in ("failure", "error", "skipped")
    ]
    assert failed == []
    assert len(cases) == CASES
