"""What an author may compile with mypyc, in a group of their own: built here in a temporary directory, and run in another process."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import types
from pathlib import Path

import pytest

import l7codecs

pytest.importorskip("mypyc", reason="mypyc is not installed")
pytestmark = pytest.mark.skipif(
    shutil.which((os.environ.get("CC") or "cc").split()[0]) is None, reason="there is no C compiler"
)

PLUGIN = """
from __future__ import annotations

from mypy_extensions import mypyc_attr

from l7codecs.decoder import FramedDecoder
from l7codecs.message import Flow, Kind, Message, Sender


def kind_of(octet: int) -> Kind:
    return Kind.RESPONSE if octet & 0x80 else Kind.REQUEST


class Body:
    def __init__(self, octets: bytes) -> None:
        self.total = 0
        for octet in octets:
            self.total += octet


DECORATOR
class LineMessage(Message):
    def __init__(self, flow: Flow, sender: Sender, kind: Kind, offset: int, octets: bytes, start: int, stop: int) -> None:
        super().__init__(flow, sender, kind, offset, octets, start, stop)
        self.body = Body(octets[start + 2 : stop])

    @property
    def operation(self) -> str | None:
        return f"sum {self.body.total}"


DECORATOR
class LineDecoder(FramedDecoder):
    header_size = 2

    def frame_size(self, data: bytes, at: int) -> int:
        return 2 + data[at + 1]

    def message(self, octets: bytes, start: int, stop: int, offset: int, more: bool) -> LineMessage:
        return LineMessage(self.flow, self.sender, kind_of(octets[start]), offset, octets, start, stop)
"""

SETUP = """
import sys
import setuptools
from mypyc.build import mypycify

extensions = mypycify(["--config-file=", "--ignore-missing-imports", sys.argv.pop()], group_name="acme")
setuptools.setup(name="plugin", py_modules=[], ext_modules=extensions)
"""

USE = """
import gc, sys
import l7codecs
from l7codecs import Detection, Pairing, Protocol, Sender, Verdict
import MODULE

assert not MODULE.__file__.endswith(".py"), MODULE.__file__
protocol = Protocol(name="lines", title="Lines", decoder=MODULE.LineDecoder, detect=lambda client, server: Detection(Verdict.NO),
                    ports=(), pairing=Pairing.FIFO, specification="none", attributes=())
for _ in range(2_000):
    session = protocol.open()
    asked = list(session.receive(Sender.CLIENT, bytes([0, 3, 1, 2, 3, 0, 1, 9])))
    answered = list(session.receive(Sender.SERVER, bytes([0x80, 1, 5, 0x80, 0])))
gc.collect()
print([event.operation for event in asked + answered], [event.request is at for event, at in zip(answered, asked)])
"""


def build_and_run(folder: Path, name: str, decorator: str) -> subprocess.CompletedProcess[str]:
    (folder / f"{name}.py").write_text(PLUGIN.replace("DECORATOR", decorator))
    (folder / "setup.py").write_text(SETUP)
    command = [sys.executable, "setup.py", "-q", "build_ext", "--inplace", f"{name}.py"]
    built = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    (folder / "use.py").write_text(USE.replace("MODULE", name))
    return subprocess.run([sys.executable, "use.py"], cwd=folder, capture_output=True, text=True, check=False)


def test_functions_own_classes_and_ordinary_subclasses_can_be_compiled(tmp_path: Path) -> None:
    done = build_and_run(tmp_path, "ordinary", "@mypyc_attr(native_class=False)")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "['sum 6', 'sum 9', 'sum 5', 'sum 0'] [True, True]\n"


def test_a_native_subclass_of_a_compiled_class_is_refused_with_a_sentence(tmp_path: Path) -> None:
    done = build_and_run(tmp_path, "native", "")
    if not l7codecs.__compiled__:  # interpreted bases are what mypyc expects
        assert done.returncode == 0, done.stderr
        return
    assert done.returncode == 1, "it crashed, or passed"
    sentence = "native.LineMessage is compiled apart from l7codecs and cannot inherit from its compiled classes"
    assert "TypeError: " in done.stderr and sentence in done.stderr, done.stderr
    assert "native_class=False" in done.stderr


@pytest.mark.parametrize(
    ("module", "base"),
    [
        ("decoder", "Decoder"),
        ("decoder", "FramedDecoder"),
        ("message", "Event"),
        ("message", "Message"),
        ("pairing.lanes", "LanePairing"),
        ("pairing.tables", "PairingTable"),
        ("session", "Changes"),
        ("session", "Session"),
        ("text.lines", "LineDecoder"),
        ("text.verbs", "LineMessage"),
    ],
)
def test_every_base_looks_at_its_subclasses(monkeypatch: pytest.MonkeyPatch, module: str, base: str) -> None:
    """Without a compiler: a class that only says that it is compiled."""
    cls = getattr(sys.modules[f"l7codecs.{module}"], base)
    monkeypatch.setitem(sys.modules, "l7codecs__mypyc", types.ModuleType("l7codecs__mypyc"))
    with pytest.raises(TypeError, match="Foreign is compiled apart from l7codecs"):
        type("Foreign", (cls,), {"__mypyc_attrs__": ()})
