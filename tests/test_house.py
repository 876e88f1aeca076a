"""The rules of the house: who may import whom, what is public, what is compiled."""

import ast
import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

import l7codecs
import l7codecs.testing

ROOT = Path(__file__).resolve().parent.parent
FRAMEWORK = ROOT / "src" / "l7codecs"
ROOMS = sorted(path.name for path in (ROOT / "protocols").iterdir() if path.is_dir())
CONSUMERS = {"capture", "cli", "proxy", "routing", "testing"}


def imported(path: Path) -> set[str]:
    """The absolute names of all modules that a file imports."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module}
    return found


def strings(path: Path) -> set[str]:
    """Every string of a file but docstrings."""
    tree = ast.parse(path.read_text("utf-8"))
    alone = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    return {
        node.value.lower()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in alone
    }


def test_nothing_strays_at_the_top() -> None:
    """A peer that is started in the repository leaves its files there: a dump of Redis was kept for a time."""
    if not (ROOT / ".git").exists():
        return  # it came without its history
    kept = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False).stdout.split()
    assert not kept or {name.split("/")[0] for name in kept if not name.startswith(".")} == {
        "CONTRIBUTING.md", "LICENSE", "Makefile", "README.md", "SECURITY.md", "benchmarks", "build_hook", "conftest.py", "docs", "examples",
        "findings", "fuzz", "mkdocs.yml", "protocols", "pyproject.toml", "src", "tests", "tools",
    }  # fmt: skip


def test_files_that_are_marked_are_there(pytestconfig: pytest.Config) -> None:
    conftest = pytestconfig.pluginmanager.get_plugin(str(ROOT / "conftest.py"))
    assert conftest is not None
    assert not [file for file in conftest._ONCE | conftest._BUILDS if not (ROOT / file).is_file()]


def test_findings_stand_alone() -> None:
    """What is found in others is shown without this project: two of them had a broker of its tools."""
    found = sorted((ROOT / "findings").iterdir())
    assert found
    for path in found:
        text = path.read_text("utf-8")
        assert path.suffix == ".sh" and text.startswith("#!/usr/bin/env bash\n#"), path
        assert "l7codecs" not in text and "BASH_SOURCE" not in text and "mktemp -d" in text, path


def test_there_are_rooms() -> None:
    assert "redis" in ROOMS


@pytest.mark.parametrize("path", sorted(FRAMEWORK.rglob("*.py")), ids=lambda path: str(path.relative_to(FRAMEWORK)))
def test_the_framework_knows_no_protocol(path: Path) -> None:
    names, texts, source = imported(path), strings(path), path.read_text("utf-8")
    for room in ROOMS:
        assert not any(name.split(".")[0] == f"l7codecs_{room}" for name in names)
        assert not any(room in text for text in texts)
        assert f'"{room}"' not in source, "not even in an example"


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_the_framework_and_itself(room: str) -> None:
    for path in (ROOT / "protocols" / room / f"l7codecs_{room}").rglob("*.py"):
        for name in imported(path):
            package = name.split(".")[0]
            assert not package.startswith("l7codecs_") or package == f"l7codecs_{room}", path
            consumer = name.split(".")[1] if package == "l7codecs" and "." in name else ""
            assert consumer not in CONSUMERS, path


def test_nothing_below_imports_the_consumers() -> None:
    for path in FRAMEWORK.rglob("*.py"):
        if path.name == "__main__.py" or path.relative_to(FRAMEWORK).parts[0] in CONSUMERS:
            continue
        for name in imported(path):
            assert not any(name.startswith(f"l7codecs.{consumer}") for consumer in CONSUMERS), path


def test_the_floors_of_the_framework_stand_on_one_another() -> None:
    """What pairs knows neither what is written nor text; both of these pair."""
    above = {"pairing": ("endpoint", "text"), "endpoint": ("text",), "text": ("endpoint",)}
    for floor, others in above.items():
        found = list((FRAMEWORK / floor).glob("*.py"))
        assert len(found) > 2
        for path in found:
            for name in imported(path):
                assert not any(name.startswith(f"l7codecs.{other}") for other in others), (path, name)


def test_public_names_exist_and_are_sorted() -> None:
    assert sorted(l7codecs.__all__) == list(l7codecs.__all__)
    for name in l7codecs.__all__:
        assert hasattr(l7codecs, name)


def test_the_public_names_for_tests_exist() -> None:
    for name in l7codecs.testing.__all__:
        assert hasattr(l7codecs.testing, name)


def test_every_module_says_what_it_is() -> None:
    for path in [*FRAMEWORK.rglob("*.py"), *(ROOT / "protocols").glob("*/l7codecs_*/**/*.py")]:
        assert ast.get_docstring(ast.parse(path.read_text("utf-8"))), path


def module_imports(package: Path) -> dict[str, set[str]]:
    """By module, as a dotted name below `package`: the modules of the package that it imports."""
    modules = {
        path.relative_to(package).with_suffix("").as_posix().replace("/", "."): path for path in package.rglob("*.py")
    }
    found: dict[str, set[str]] = {}
    for name, path in modules.items():
        found[name] = set()
        floors = name.split(".")[:-1]
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.level:
                above = floors[: len(floors) - node.level + 1]
                targets = [".".join([*above, *(node.module or "").split(".")]).strip(".")]
                targets += [".".join(filter(None, [targets[0], alias.name])) for alias in node.names]
                found[name] |= {target for target in targets if target in modules}
    return found


def cycle(arrows: dict[str, set[str]]) -> list[str]:
    """Those that remain once everything that imports nothing which remains is taken away; empty where there is no cycle."""
    left = {name: set(targets) for name, targets in arrows.items()}
    while free := [name for name, targets in left.items() if not targets & left.keys() - {name}]:
        for name in free:
            del left[name]
    return sorted(left)


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_has_no_cycle_of_modules_or_floors(room: str) -> None:
    modules = module_imports(ROOT / "protocols" / room / f"l7codecs_{room}")
    assert cycle(modules) == []
    floors: dict[str, set[str]] = {}
    for name, targets in modules.items():
        if "." in name:
            floors.setdefault(name.split(".")[0], set()).update(t.split(".")[0] for t in targets if "." in t)
    assert cycle(floors) == []


def test_cycles_are_found() -> None:
    assert cycle({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": set()}) == ["a", "b", "c"]


NARROW = re.compile(r"[-+*] *read_[iu](?:16|32)_|read_[iu](?:16|32)_[bl]e\([^()]*(?:\([^()]*\)[^()]*)*\) *(?:[-+*]|<<)")
"""What is read of 16 or 32 bits is that wide, compiled, and so is a sum of it: it wraps. `i64` or `int` around it does not."""


@pytest.mark.parametrize(
    "path",
    [*(ROOT / "src").rglob("*.py"), *(ROOT / "protocols").glob("*/l7codecs_*/**/*.py")],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_no_sum_of_a_narrow_number_wraps(path: Path) -> None:
    assert NARROW.findall(path.read_text("utf-8")) == []


def test_narrow_sums_are_found() -> None:
    assert all(NARROW.search(text) for text in ("4 + read_i32_be(data, at)", "read_u16_le(data, at + int(SIZE)) << 8"))
    assert not NARROW.search("4 + int(read_i32_be(data, at))")


def left_to_subclasses(source: str) -> list[str]:
    """Native numbers that a class names and neither gives a value nor sets in ``__init__``."""
    found = []
    for each in ast.walk(ast.parse(source)):
        if isinstance(each, ast.ClassDef):
            made = [part for part in each.body if isinstance(part, ast.FunctionDef) and part.name == "__init__"]
            own = {node.attr for part in made for node in ast.walk(part) if isinstance(node, ast.Attribute)}
            for part in each.body:
                if isinstance(part, ast.AnnAssign) and part.value is None and isinstance(part.target, ast.Name):
                    if ast.unparse(part.annotation) in ("i64", "i32", "i16", "u8") and part.target.id not in own:
                        found.append(f"{each.name}.{part.target.id}")
    return found


@pytest.mark.parametrize(
    "room", [FRAMEWORK, *(ROOT / "protocols" / name for name in ROOMS)], ids=lambda path: path.name
)
def test_no_native_number_is_left_to_subclasses(room: Path) -> None:
    """Compiled, what a subclass sets to -113 (239 of an u8) reads as if nothing had been set. Offsets are never that."""
    paths = sorted(room.rglob("*.py") if room == FRAMEWORK else room.glob("l7codecs_*/**/*.py"))
    found = [name for path in paths for name in left_to_subclasses(path.read_text("utf-8"))]
    assert found == (["Event.offset"] if room == FRAMEWORK else [])


def test_numbers_that_are_left_to_subclasses_are_found() -> None:
    assert left_to_subclasses("class A:\n    a: i64\n    b: i64 = 0\n    c: int\n") == ["A.a"]
    assert left_to_subclasses("class A:\n    a: i64\n    def __init__(self):\n        self.a = 1\n") == []


PORTS = re.compile(r"def free_port|grpc\.server\((?!.*(?:so_reuseport|options=OPTIONS))")
"""A port that is found and let go, or shared with whoever asks for that, is sooner or later another test's."""


def test_servers_of_tests_share_no_port() -> None:
    paths = [*ROOT.glob("tests/*.py"), *ROOT.glob("protocols/*/tests/*.py"), *ROOT.glob("benchmarks/*.py")]
    found = [
        f"{path.name}: {line}" for path in paths for line in path.read_text("utf-8").splitlines() if PORTS.search(line)
    ]
    assert found == [] or all("test_house.py" in line for line in found)


def test_growth_is_measured_by_the_processors_time() -> None:
    """Suites run side by side: what the clock says is the other one's time too."""
    for path in [*ROOT.glob("tests/**/test_*.py"), *ROOT.glob("protocols/*/tests/**/test_*.py")]:
        text = path.read_text("utf-8")
        if path != Path(__file__) and "growth(" in text:
            assert not re.search(r"time\.(perf_counter|monotonic)\(", text), path


def test_each_room_is_registered_and_packaged() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    entries = project["project"]["entry-points"]["l7codecs.protocols"]
    packages = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    for room in ROOMS:
        assert any(value.startswith(f"l7codecs_{room}:") for value in entries.values())
        assert f"protocols/{room}/l7codecs_{room}" in packages


def test_it_is_compiled_where_that_is_required() -> None:
    if os.environ.get("L7CODECS_REQUIRE_COMPILED", "0") in ("", "0"):
        return
    assert l7codecs.__compiled__


def test_pure_python_where_that_is_asked_for() -> None:
    if os.environ.get("L7CODECS_PURE", "0") not in ("", "0"):
        assert not l7codecs.__compiled__
