"""Plugins as they are found: distributions on the path, good, broken and in conflict."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from l7codecs import (
    PluginWarning,
    RegistryError,
    Sender,
    detect,
    get_protocol,
    list_protocols,
    load_protocols,
    open_session,
)
from l7codecs.cli import main
from l7codecs.registry import refresh

PING = b"*1\r\n$4\r\nPING\r\n"
GOOD = """
from l7codecs import Flow, Pairing, Protocol
def session(flow, limits, endpoint): raise NotImplementedError
PROTOCOL = Protocol("{name}", "An example", (), Pairing.NONE, session=session)
"""


def install(folder: Path, distribution: str, name: str, module: str, text: str) -> None:
    """Put a distribution on the path, as an installer would leave it."""
    (folder / f"{module}.py").write_text(text)
    info = folder / f"{distribution.replace('-', '_')}-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text(f"[l7codecs.protocols]\n{name} = {module}:PROTOCOL\n")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    monkeypatch.undo()
    refresh()


def test_a_third_partys_protocol_is_found_without_being_imported(folder: Path) -> None:
    install(folder, "acme-l7", "acme", "acme_l7_found", GOOD.format(name="acme"))
    refresh()
    entry = next(entry for entry in list_protocols() if entry.name == "acme")
    assert (entry.distribution, entry.version, entry.value) == ("acme-l7", "1.2", "acme_l7_found:PROTOCOL")
    assert "acme_l7_found" not in sys.modules
    assert get_protocol("acme").title == "An example"
    assert get_protocol("acme") is get_protocol("acme")


def test_a_name_claimed_twice_names_both(folder: Path) -> None:
    install(folder, "acme-l7", "acme", "acme_l7_one", GOOD.format(name="acme"))
    install(folder, "other-l7", "acme", "acme_l7_two", GOOD.format(name="acme"))
    refresh()
    with pytest.raises(RegistryError, match=r"acme-l7.*other-l7|other-l7.*acme-l7"):
        get_protocol("acme")
    assert get_protocol("redis").name == "redis"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("import no_such_module_anywhere", "ModuleNotFoundError"),
        ("x = 1", "AttributeError"),
        ("PROTOCOL = 1", "is a int, not a Protocol"),
        (GOOD.format(name="else"), "calls itself 'else'"),
    ],
)
def test_a_broken_plugin_hurts_only_itself(folder: Path, text: str, problem: str) -> None:
    module = f"acme_l7_broken_{abs(hash(problem))}"
    install(folder, "acme-l7", "acme", module, text)
    refresh()
    with pytest.raises(RegistryError, match=f"acme-l7.*{problem}"):
        get_protocol("acme")
    loaded, errors = load_protocols()
    assert "redis" in [protocol.name for protocol in loaded]
    assert len(errors) == 1


def test_an_unknown_name_lists_those_that_are_known() -> None:
    with pytest.raises(RegistryError, match=r"unknown protocol 'nothing'; registered: .*redis"):
        get_protocol("nothing")


def test_importing_the_library_loads_no_protocol_and_no_extra() -> None:
    code = (
        "import l7codecs, sys, json; l7codecs.list_protocols();"
        "print(json.dumps([m for m in sys.modules if m.split('.')[0] in"
        " ('l7codecs_redis', 'dpkt', 'orjson', 'rich', 'hypothesis', 'pytest')]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []


RAISING = """
from l7codecs import Pairing, Protocol
def session(flow, limits, endpoint): raise NotImplementedError
def detect(client, server): raise KeyError("first octet\\x1b[31m")
PROTOCOL = Protocol("acme", "An example", (), Pairing.NONE, session=session, detect=detect)
"""


def _detected() -> str | None:
    session = open_session("auto")
    assert [event.raw for event in session.receive(Sender.CLIENT, PING)] == [PING]
    return session.protocol


@pytest.mark.parametrize("text", [RAISING, "raise SystemExit(9)"])
def test_a_broken_plugin_does_not_stop_detection(folder: Path, text: str) -> None:
    install(folder, "acme-l7", "acme", f"acme_l7_stops_{len(text)}", text)
    refresh()
    with pytest.warns(PluginWarning, match=r"protocol 'acme' of acme-l7 cannot be"):
        protocol = _detected()
    assert protocol == "redis"
    assert [item.protocol for item in detect(PING)] == ["redis"]


def test_a_broken_plugin_does_not_stop_the_command(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    install(folder, "acme-l7", "acme", "acme_l7_command", RAISING)
    refresh()
    capture = Path(__file__).resolve().parents[1] / "examples" / "captures" / "redis.pcap"
    for command in ("decode", "detect"):
        refresh()
        assert main([command, str(capture)]) == 2  # as for a file that cannot be read: the rest is done
        told = capsys.readouterr()
        assert "redis" in told.out
        assert told.err.count("\n") == 1, told.err
        assert told.err.startswith("l7codecs: protocol 'acme' of acme-l7 cannot be detected: KeyError")
        assert "\x1b" not in told.err
