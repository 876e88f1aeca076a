"""What is generated in the documentation is current, and the example agrees with its guide."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
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
