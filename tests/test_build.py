"""The build compiles what has changed, and nothing else."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="MSVC is given one unit")

BASE = '''\
class Counter:
    """Counts."""

    def __init__(self, start: int) -> None:
        self.value = start

    def add(self, size: int) -> str:
        self.value += size
        return f"{self.value} octets"


def tell(counter: Counter) -> str:
    return "told: " + counter.add(1)
'''
USER = """\
from base import Counter, tell

NAMES = {"one": 1, "two": 2}


class Twice(Counter):
    def add(self, size: int) -> str:
        return super().add(2 * size) + ", twice"


def run(name: str) -> str:
    return tell(Twice(NAMES[name])) + b" \\xff".decode("latin-1")
"""


POOL = """\
from typing import final

from mypy_extensions import i64, mypyc_attr


@final
@mypyc_attr(acyclic=True, free_list_len=1)
class Pair:
    def __init__(self, left: str, right: str, size: i64 = 7) -> None:
        self.left = left
        self.right = right
        self.size = size
        self.extra: str | None = None


def again(count: int) -> int:
    pairs = [Pair("a", "b") for _ in range(count)]
    places = {id(pair) for pair in pairs}
    pairs.clear()
    others = [bytes(size) for size in range(64) for _ in range(count)]
    pairs = [Pair("c", "d", 3) for _ in range(count)]
    right = [pair for pair in pairs if (pair.left, pair.right, pair.size, pair.extra) == ("c", "d", 3, None)]
    assert len(right) == len(pairs) and others
    return sum([id(pair) in places for pair in pairs])


def made(count: int, text: str) -> None:
    for _ in range(count):
        Pair(text, text, 5).extra = text


def cut(octets: bytes, first: i64, last: i64) -> bytes:
    return octets[first:last]
"""


class Build:
    """A folder with two modules, a place for objects beside it, and what the last build said."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.sources = {"base.py": BASE, "user.py": USER}

    def compile(self) -> tuple[int, int]:
        """How many units there were, and how many of them had been compiled before."""
        stage = self.folder / "stage"
        shutil.rmtree(stage, ignore_errors=True)
        stage.mkdir()
        for name, text in self.sources.items():
            (stage / name).write_text(text)
        command = [sys.executable, "-P", str(ROOT / "build_hook" / "compile.py"), "small"]
        command += [str(stage / "out"), str(self.folder / "objects"), *self.sources]
        done = subprocess.run(command, cwd=stage, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stdout + done.stderr
        said = re.findall(
            r"^\* compiled (\d+) of (\d+) units of C(?:, (\d+) of them by an earlier build)?$", done.stdout, re.M
        )
        last = said[-1]
        assert last[0] == last[1]
        return int(last[1]), int(last[2] or 0)

    def run(self, expression: str) -> str:
        code = f"import user, base; assert user.__file__.endswith(('.so', '.pyd')); print({expression})"
        out = self.folder / "stage" / "out"
        done = subprocess.run([sys.executable, "-c", code], cwd=out, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def units(self) -> dict[str, str]:
        return {path.name: path.read_text("utf-8") for path in (self.folder / "stage" / "_c").glob("__native_*.c")}


def test_an_edit_compiles_what_it_changes(tmp_path: Path) -> None:
    build = Build(tmp_path)
    total, kept = build.compile()
    assert kept == 0
    assert build.run("user.run('two')") == "told: 4 octets, twice ÿ"
    before = build.units()

    # Literals of each kind, and a function, before all that was there.
    added = "AT = (b'\\x00new', 10**30, 2.5, 'newer')\n\n\ndef new() -> str:\n    return 'new' + repr(AT)\n\n\n"
    build.sources["base.py"] = added + BASE
    again, kept = build.compile()
    # The module's unit and the group's own; not the other module, the runtime library, or what loads the modules.
    assert (again, again - kept) == (total, 2)
    changed = {name for name, text in build.units().items() if text != before[name]}
    assert changed == {"__native_small.c", "__native_base.c"}
    told = "told: 4 octets, twice ÿnew" + repr((b"\x00new", 10**30, 2.5, "newer"))
    assert build.run("user.run('two') + base.new()") == told

    # `Twice` is laid out as `Counter` is.
    longer = "        self.first = 'x'\n        self.value = start\n"
    build.sources["base.py"] = BASE.replace("        self.value = start\n", longer)
    again, kept = build.compile()
    assert (again, again - kept) == (total, 3)
    assert build.run("user.run('two') + user.Twice(1).first") == "told: 4 octets, twice ÿx"


def load(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(name, ROOT / "build_hook" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_an_object_is_known_by_all_that_it_is_made_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    objects = load("objects")

    def key(
        compiler: str = "cc", unit: str = "int x;", header: str = "", folder: str = "a", option: str = "-O3"
    ) -> str:
        (tmp_path / "unit.c").write_text(unit)
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / "unit.h").write_text(header)
        store = objects._Store(tmp_path / "objects", [compiler, "-fPIC"])
        found = store.key(str(tmp_path / "unit.c"), [f"-I{tmp_path / folder}", option])
        assert isinstance(found, str)
        return found

    assert key(folder="a") == key(folder="b")  # an environment of the build has another path each time
    keys = [key(), key(unit="int y;"), key(header="#define x y"), key(option="-O2"), key(compiler=sys.executable)]
    monkeypatch.setenv("CPATH", "elsewhere")
    keys.append(key())
    assert len(set(keys)) == len(keys)


def test_objects_are_kept_and_forgotten(tmp_path: Path) -> None:
    objects = load("objects")
    made, wanted = tmp_path / "made.o", tmp_path / "wanted.o"
    made.write_bytes(b"object")
    store = objects._Store(tmp_path / "objects", ["cc"])
    assert not store.fetch("name", str(wanted))
    store.keep("name", str(made))
    assert store.fetch("name", str(wanted)) and wanted.read_bytes() == b"object"
    store.prune()
    assert [path.name for path in (tmp_path / "objects").iterdir()] == ["name"]
    os.utime(tmp_path / "objects" / "name", (0, 0))
    store.prune()
    assert not list((tmp_path / "objects").iterdir())

    nowhere = objects._Store(made, ["cc"])  # no folder can be made there
    nowhere.keep("name", str(made))
    nowhere.prune()
    assert not nowhere.fetch("name", str(wanted))


def test_objects_of_a_class_with_a_free_list_are_used_again(tmp_path: Path) -> None:
    """As many as the build says, whatever else was made in between; what they held is let go, and they hold what is new."""
    build = Build(tmp_path)
    build.sources["base.py"] = BASE + POOL.replace("from typing", "\nfrom typing", 1)
    build.compile()
    unit = build.units()["__native_base.c"]
    constructor = unit.partition("\nPyObject *CPyDef_base___Pair(PyObject *cpy_r_left")[2].partition("\n}\n")[0]
    assert "free_instance" in unit and constructor
    assert build.run("[base.again(count) for count in (1, 10, 1000, 1024)]") == "[1, 10, 1000, 1024]"
    assert int(build.run("base.again(3000)")) >= 1024
    references = "(lambda text, count: (base.made(5000, text), count(text))[1] - count(text))('x' * 50, __import__('sys').getrefcount)"
    assert build.run(references) == "0"
    refused = "[type(each) for each in [base.Pair('a', 'b')] if not hasattr(each, 'none')] and base.again(100)"
    assert build.run(refused) == "100"


def test_a_slice_of_octets_is_that_of_python(tmp_path: Path) -> None:
    build = Build(tmp_path)
    build.sources["base.py"] = BASE + POOL.replace("from typing", "\nfrom typing", 1)
    build.compile()
    assert "CPyBytes_GetSlice" not in build.units()["__native_base.c"].replace("As CPyBytes_GetSlice", "")
    bounds = "[-9, -4, -3, -1, 0, 1, 3, 4, 9, 2**62, -2**62, 2**63 - 1]"
    same = f"[(a, b) for a in {bounds} for b in {bounds} if base.cut(b'abcd', a, b) != b'abcd'[a:b]]"
    assert build.run(same) == "[]"

    # What it does where that fails stands apart from what it does each time (as gcc names it).
    if "gcc" in subprocess.run(["cc", "-v"], capture_output=True, text=True).stderr:
        assert any(b"CPyDef_base___cut.cold" in path.read_bytes() for path in (tmp_path / "objects").iterdir())
