"""The interface of an endpoint is one for all protocols, and typed: `typed_use.py` runs, and mypy accepts it where it is installed."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from l7codecs import AutoSession, Opaque, Sender, open_session
from typed_use import relay, remember

ROOT = Path(__file__).resolve().parents[1]
PING = b"*1\r\n$4\r\nPING\r\n"
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes.fromhex("000000040000000000")
GET = bytes.fromhex("000003010500000001828684")


@pytest.mark.parametrize(
    ("name", "octets", "words"),
    [
        ("redis", PING + b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n", ["PING", "GET"]),
        ("auto", PING, ["PING"]),
        ("http2", PREFACE + GET, None),
        ("auto", PREFACE + GET, None),
    ],
)
def test_a_relay_is_written_in_one_way_for_every_protocol(name: str, octets: bytes, words: list[str] | None) -> None:
    written, found = relay(name, octets)
    if words is not None:
        assert (written, found) == (octets, words)
    else:
        assert written.startswith(b"PRI * HTTP/2.0")


def test_auto_is_used_as_any_session() -> None:
    session = open_session("auto", endpoint=Sender.SERVER)
    assert isinstance(session, AutoSession)
    assert remember(session, Opaque(Sender.SERVER, 0, b"x")) == b"x"


@pytest.mark.skipif(importlib.util.find_spec("mypy") is None, reason="mypy is of the group lint")
def test_mypy_accepts_the_documented_interface(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mypy", f"--cache-dir={tmp_path}", "--follow-imports=silent", "tests/typed_use.py"],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stdout + done.stderr
