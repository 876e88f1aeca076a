"""What an author gains who compiles a plugin with mypyc: the third party's plugin of examples/, interpreted and compiled."""

from __future__ import annotations

import importlib
import re
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

import l7codecs
from l7codecs import Message, Protocol, Sender

from .measure import Side, add_row, compare, time_sides
from .octets import reads

PLUGIN = Path(__file__).parents[1] / "examples" / "l7codecs-dns" / "l7codecs_dns"
COUNT = 20_000
SETUP = """
import sys
import setuptools
from mypyc.build import mypycify

files = sys.argv[5:]
del sys.argv[5:]
setuptools.setup(ext_modules=mypycify(["--config-file=", "--ignore-missing-imports", *files], group_name=sys.argv.pop()))
"""


def queries() -> bytes:
    """As a resolver asks."""
    found = bytearray()
    for number in range(COUNT):
        name = b"\x05host%d\x07example\x03com\x00" % (number % 10)
        message = (number % 65536).to_bytes(2) + b"\x01\x00\x00\x01" + bytes(6) + name + b"\x00\x1c\x00\x01"
        found += len(message).to_bytes(2) + message
    return bytes(found)


def from_modules(found: re.Match[str]) -> str:
    """Imports of names from the modules that define them."""
    names = re.findall(r"\w+", found[1])
    homes = {name: getattr(getattr(l7codecs, name), "__module__", "") for name in names}
    homes |= {
        name: "l7codecs.message" for name, home in homes.items() if not home.startswith("l7codecs.")
    }  # a name for a type
    return "\n".join(f"from {home} import {name}" for name, home in homes.items())


def plugin(folder: Path, name: str, compiled: tuple[str, ...]) -> Protocol:
    """A copy of the plugin under another name, of which these modules are compiled."""
    copy = folder / name
    shutil.copytree(PLUGIN, copy, ignore=shutil.ignore_patterns("__pycache__", "*.so"))
    for path in copy.glob("*.py"):
        text = path.read_text("utf-8")
        if path.stem in compiled:  # as the guide says
            text = re.sub(r"^class (\w+\()", r"@mypyc_attr(native_class=False)\nclass \1", text, flags=re.MULTILINE)
            text = re.sub(r"^from l7codecs import (\([^)]*\)|.*)$", from_modules, text, flags=re.MULTILINE)
            text = re.sub(r"^(from __future__ .*)$", r"\1\n\nfrom mypy_extensions import mypyc_attr", text, flags=re.M)
        path.write_text(text, "utf-8")
    if compiled:
        (folder / "setup.py").write_text(SETUP, "utf-8")
        files = [f"{name}/{module}.py" for module in compiled]
        command = [sys.executable, "setup.py", "-q", "build_ext", "--inplace", name, *files]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    sys.path.insert(0, str(folder))
    try:
        package = importlib.import_module(name)
    finally:
        sys.path.remove(str(folder))
    protocol = package.PROTOCOL
    assert isinstance(protocol, Protocol)
    return protocol


def look(protocol: Protocol, chunks: list[bytes]) -> int:
    """A user's loop: of each query what is asked, and of what."""
    session = protocol.open()
    seen = 0
    for chunk in chunks:
        for event in session.receive(Sender.CLIENT, chunk):
            if isinstance(event, Message) and event.operation and event.resources[0] and event.request_id is not None:
                seen += 1
    return seen


@pytest.mark.parametrize(
    ("order", "compiled", "what"),
    [(90, ("_wire",), "its functions compiled"), (91, ("_wire", "_message", "_session"), "all of it compiled")],
    ids=["functions", "all"],
)
def test_compiled_plugin(
    benchmark: BenchmarkFixture, tmp_path: Path, order: int, compiled: tuple[str, ...], what: str
) -> None:
    chunks = reads([queries()])
    interpreted = plugin(tmp_path, f"dns_interpreted_{order}", ())
    faster = plugin(tmp_path, f"dns_compiled_{order}", compiled)
    assert look(interpreted, chunks) == look(faster, chunks) == COUNT
    peers = {"interpreted": Side(partial(look, interpreted, chunks))}
    ours, theirs = time_sides(benchmark, Side(partial(look, faster, chunks)), peers, rounds=21)
    if ours:
        work = f"a plugin of DNS, {what}: type, name, id"
        add_row(benchmark, order, [compare(work, ours, "the same, interpreted", theirs["interpreted"], COUNT, None)])
