"""What is generated in the documentation is current, and the example agrees with its guide."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from html import unescape
from pathlib import Path

import pytest

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


def test_what_is_to_be_installed_can_be() -> None:
    """Nothing of ours is on the package index: it is installed from a checkout; extras of what is installed already are found."""
    for page in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("README.md")]:
        for command in re.findall(r"^\$ pip install (.*)$", page.read_text("utf-8"), re.MULTILINE):
            words = command.partition("#")[0].split()
            assert not [word for word in words if re.match(r"l7codecs(?!\[)", word.strip("'"))], (
                f"{page.name}: {command}"
            )


CODE_WIDTH = 100
"""Characters that fit the column of the site from 768 px on (docs/style.css)."""


def test_code_fits_its_column() -> None:
    wide = []
    for page in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]:
        for block in re.finditer(r"^ *```\w*\n(.*?)^ *```$", page.read_text("utf-8"), re.MULTILINE | re.DOTALL):
            wide += [(page.name, line) for line in block[1].splitlines() if len(line) > CODE_WIDTH]
    assert not wide


def test_the_drawings_show_what_the_table_has() -> None:
    text = (ROOT / "docs" / "reference" / "performance.md").read_text("utf-8")
    page = text.partition("<!-- figures: begin")[2].partition("<!-- figures: end -->")[0]
    rows = [row.strip("| ").split(" | ") for row in page.splitlines() if row.startswith("| ")][1:]
    assert len(rows) > 40
    drawn = {}
    for name in ("speed", "sizes"):
        text = (ROOT / "docs" / "reference" / "plots" / f"{name}.svg").read_text("utf-8")
        drawn[name] = [unescape(found) for found in re.findall(r"<g><title>(.*?)</title>", text)]
    figures = [(row[2], row[4].strip(), row[6].strip() if len(row) > 6 else "") for row in rows]
    assert drawn["speed"] == [figure for peer, figure, _ in figures if peer != "–" and figure.endswith("×")]
    assert drawn["sizes"] == [figure for peer, figure, reach in figures if peer == "–" and reach.startswith("≤")]


def test_nothing_of_the_site_is_fetched_from_elsewhere() -> None:
    """The search, the drawings and the style are files of the site."""
    config = (ROOT / "mkdocs.yml").read_text("utf-8")
    assert "\n  - search" in config and "\n  - offline" in config and "\n  font: false" in config
    for drawing in (ROOT / "docs").rglob("*.svg"):
        assert not re.search(r"(?:href|src|url)\W+https?:|@import|<script", drawing.read_text("utf-8")), drawing
    assert "http" not in (ROOT / "docs" / "style.css").read_text("utf-8")


@pytest.mark.parametrize(("guide", "plugin"), [("text-protocols", "memcached"), ("server-speaks-first", "nats")])
def test_the_code_of_the_guide_is_the_example(guide: str, plugin: str) -> None:
    """What both define they define alike, and the guide leaves out nothing but imports."""
    example: dict[str, str] = {}
    for path in sorted((ROOT / "examples" / f"l7codecs-{plugin}" / f"l7codecs_{plugin}").glob("*.py")):
        example |= definitions(path.read_text("utf-8"))
    blocks = re.findall(
        r"^```python\n(.*?)^```$", (ROOT / "docs" / "howto" / f"{guide}.md").read_text("utf-8"), re.M | re.S
    )
    shown = definitions("\n".join(blocks))
    assert example.keys() <= shown.keys()
    assert {name: shown[name] for name in example} == example


def definitions(source: str) -> dict[str, str]:
    """The classes, functions and constants of a module, by name."""
    found: dict[str, str] = {}
    for node in ast.parse(source).body:
        match node:
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name):
                pass
            case ast.Assign(targets=[ast.Name(id=name)]) if name != "__all__":
                pass
            case ast.AugAssign(target=ast.Name(id=name)):
                pass
            case _:
                continue
        if name not in ("session", "found"):
            found[name] = (
                found.get(name, "") + ast.unparse(node) if isinstance(node, ast.AugAssign) else ast.unparse(node)
            )
    return found
