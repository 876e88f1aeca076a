"""What is generated in the documentation is current, and the example agrees with its guide."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def test_metadata_reference_is_current() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "tools" / "generate_metadata.py", "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_every_page_is_in_the_navigation() -> None:
    nav = (ROOT / "mkdocs.yml").read_text("utf-8")
    pages = {str(path.relative_to(ROOT / "docs")) for path in (ROOT / "docs").rglob("*.md")}
    assert pages == set(re.findall(r"[\w/-]+\.md", nav))


def test_the_example_registers_what_the_guide_says() -> None:
    line = 'dns = "l7codecs_dns:PROTOCOL"'
    assert line in (ROOT / "docs" / "howto" / "write-a-protocol.md").read_text("utf-8")
    assert line in (ROOT / "examples" / "l7codecs-dns" / "pyproject.toml").read_text("utf-8")
