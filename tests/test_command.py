"""The command among hostile names, broken plugins, closed descriptors and an impatient user; each time a process of its own."""

import json
import os
import pty
import signal
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from l7codecs import Sender
from test_cli import capture
from test_registry import GOOD, install

C, S = Sender.CLIENT, Sender.SERVER
SCRIPT = Path(sysconfig.get_path("scripts")) / "l7codecs"
FORMS = {"script": [str(SCRIPT)], "module": [sys.executable, "-m", "l7codecs"]}
HOSTILE = "a\x1b[31m\u202e\x9b\x7f\u2066"
"""A colour, text that runs backwards, a control of one octet in Latin-1, DEL, an isolate."""
ESCAPED = "a\\x1b[31m\\u202e\\x9b\\x7f\\u2066"
GET = b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n"


@pytest.fixture(autouse=True)
def interruptible() -> Iterator[None]:
    """A suite that runs in the background ignores interrupts, and what it starts would too."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def traffic(tmp_path: Path) -> Path:
    return capture(tmp_path / "traffic.pcap", (C, GET), (S, b"$1\r\nv\r\n"))


def environment(folder: Path | None = None, **more: str) -> dict[str, str]:
    found = {**os.environ, **more}
    if folder is not None:
        found["PYTHONPATH"] = os.pathsep.join(filter(None, [str(folder), found.get("PYTHONPATH", "")]))
    return found


def run(*arguments: object, folder: Path | None = None) -> tuple[int, str, str]:
    """Exit status, output and errors, of which neither may hold anything that is not for printing."""
    command = [*FORMS["module"], *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, timeout=60, check=False, env=environment(folder))
    texts = done.stdout.decode(), done.stderr.decode()
    for text in texts:
        assert "".join(text.split("\n")).isprintable(), text
    assert "Traceback" not in texts[1]
    return done.returncode, *texts


# What is shown.


@pytest.mark.parametrize("command", ["decode", "detect"])
def test_a_files_name_is_shown_with_escapes(tmp_path: Path, command: str) -> None:
    path = tmp_path / f"{HOSTILE}\udcff.pcap"
    status, _, errors = run(command, path)
    assert (status, errors.count("\n")) == (2, 1)
    assert f"{ESCAPED}\\udcff.pcap" in errors
    path.write_bytes(b"no capture at all, but long enough to look at")
    assert f"{ESCAPED}\\udcff.pcap" in run(command, path)[2]


@pytest.mark.parametrize(
    "option", [["--protocol", HOSTILE], ["--port", HOSTILE], ["--format", HOSTILE], [f"--{HOSTILE}"]]
)
def test_an_option_is_shown_with_escapes(option: list[str]) -> None:
    status, _, errors = run("decode", *option, "x")
    assert (status, errors.count("\n")) == (2, 1)


def test_what_stands_on_the_wire_is_shown_with_escapes(tmp_path: Path) -> None:
    astral = HOSTILE + "\U000e0041é"  # a tag, beyond 16 bits, and a letter that may stay
    key = astral.encode()
    path = capture(
        tmp_path / "a.pcap", (C, b"*2\r\n$3\r\nGET\r\n$%d\r\n%s\r\n" % (len(key), key)), (S, b"?\x7f\x9b\r\n")
    )
    _, output, _ = run("decode", "--format", "jsonl", path)
    request, error = (json.loads(line) for line in output.splitlines())
    assert request["resources"] == [astral]
    assert error["kind"] == "error"
    assert "\\u202e" in output
    assert "\\udb40\\udc41" in output
    assert "é" in output
    _, output, _ = run("decode", path)
    assert f"{ESCAPED}\\U000e0041é" in output
    assert len(output.splitlines()) == 3


PLUGIN = """
from l7codecs import Attribute, Detection, Direction, Pairing, Protocol, Verdict
def session(flow, limits, endpoint): raise KeyError({hostile!r})
def detect(client, server): return Detection(Verdict.YES, 100, {hostile!r})
ATTRIBUTES = (Attribute("acme.a", str, Direction.BOTH, {hostile!r}),)
PROTOCOL = Protocol("acme", {hostile!r}, ATTRIBUTES, Pairing.NONE, session=session, detect=detect)
"""


def test_what_a_plugin_says_is_shown_with_escapes(tmp_path: Path, traffic: Path) -> None:
    install(tmp_path, "acme-l7", "acme", "acme_l7_hostile", PLUGIN.format(hostile=HOSTILE))
    assert ESCAPED in run("protocols", folder=tmp_path)[1]
    described = json.loads(run("protocols", "--json", folder=tmp_path)[1])
    (acme,) = (item for item in described if item["name"] == "acme")
    assert acme["title"] == HOSTILE
    assert HOSTILE in [attribute["source"] for attribute in acme["attributes"]]
    assert ESCAPED in run("detect", traffic, folder=tmp_path)[1]
    detected = json.loads(run("detect", "--json", traffic, folder=tmp_path)[1])
    assert detected["candidates"][0]["reason"] == HOSTILE
    assert "KeyError" in run("decode", traffic, folder=tmp_path)[2]


def test_a_progress_bar_shows_a_name_with_escapes(tmp_path: Path) -> None:
    path = capture(
        tmp_path / f"[red]{HOSTILE}.pcap", *[(C, b"*2\r\n$3\r\nGET\r\n$1200\r\n%s\r\n" % bytes(1200))] * 3600
    )
    leader, follower = pty.openpty()
    command = [*FORMS["module"], "decode", str(path)]
    wide = environment(COLUMNS="400", TERM="xterm")
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=follower, env=wide) as process:
        os.close(follower)
        shown = b""
        try:
            while octets := os.read(leader, 65536):
                shown += octets
        except OSError:  # the other end is closed
            pass
    os.close(leader)
    assert process.returncode == 0
    text = shown.decode()
    assert "[red]a\\x1b[31m\\u202e" in text
    assert "\u202e" not in text


# Broken plugins.

EXIT = "raise SystemExit(0)"
BREAKS = """
from l7codecs import Decoder, Detection, Pairing, PairingTable, Protocol, Session, Verdict
class Breaking(Decoder):
    def unfinished(self): return False
    def next_event(self):
        if self.buffer.available: {decodes}
def session(flow, limits, endpoint):
    {opens}
    table = PairingTable()
    return Session(flow, *(Breaking(flow, side, limits, table, table) for side in {sides}), limits, endpoint)
def detect(client, server):
    {detects}
    return Detection(Verdict.YES if client.startswith(b"acme") else Verdict.NO, 100)
PROTOCOL = Protocol("acme", "An example", (), Pairing.NONE, ports=(7777,), session=session, detect=detect)
"""


def breaking(where: str, how: str) -> str:
    parts = dict.fromkeys(("detects", "opens", "decodes"), "pass")
    parts[where] = how
    return BREAKS.format(sides="__import__('l7codecs').Sender", **parts)


@pytest.mark.parametrize("how", ["raise SystemExit(0)", "raise SystemExit('bye')", "raise KeyError(1)"])
@pytest.mark.parametrize("where", ["imports", "detects", "opens", "decodes"])
def test_a_plugin_that_raises_hurts_only_itself_and_is_told(
    tmp_path: Path, traffic: Path, where: str, how: str
) -> None:
    install(tmp_path, "acme-l7", "acme", "acme_l7_raises", how if where == "imports" else breaking(where, how))
    theirs = capture(tmp_path / "theirs.pcap", (C, b"acme 1"), (S, b"acme 2"), port=7777)
    for command in (["decode", "--format", "jsonl"], ["detect"]):
        status, output, errors = run(*command, theirs, traffic, folder=tmp_path)
        assert output.count("redis") >= (2 if command[0] == "decode" else 1)
        if command == ["detect"] and where in ("opens", "decodes"):
            assert (status, errors) == (0, "")
            continue
        assert status == 2
        assert errors.startswith("l7codecs: protocol 'acme' of acme-l7 cannot ")
        assert errors.count("\n") == 1
        assert how.partition("(")[0].removeprefix("raise ") in errors


def test_a_name_claimed_twice_is_an_error_of_the_command(tmp_path: Path, traffic: Path) -> None:
    install(tmp_path, "other-l7", "redis", "other_l7_redis", GOOD.format(name="redis"))
    for command in ("decode", "detect", "protocols"):
        status, _, errors = run(command, *([] if command == "protocols" else [traffic]), folder=tmp_path)
        assert status == 2
        assert "protocol 'redis' is registered by" in errors
        assert "other-l7" in errors
    # Whoever names the protocol to decode as has no use for another.
    install(tmp_path, "acme-l7", "acme", "acme_l7_exits", EXIT)
    status, _, errors = run("decode", "--protocol", "http2", traffic, folder=tmp_path)
    assert (status, errors.count("\n")) == (0, 2)


# Closed descriptors.


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("tail", "expected", "text"),
    [
        ("decode - <&-", 2, "standard input: it is closed"),
        ("detect - <&-", 2, "standard input: it is closed"),
        ("decode {path} >&-", 2, "standard output is closed"),
        ("detect {path} >&-", 2, "standard output is closed"),
        ("protocols >&-", 2, "standard output is closed"),
        ("protocols --json >&-", 2, "standard output is closed"),
        ("decode - <&- >&-", 2, "standard output is closed"),
        ("decode {path} <&-", 0, None),
        ("decode /no/such/file 2>&-", 2, None),
        ("decode {path} 2>&-", 0, None),
        ("decode {path} <&- >&- 2>&-", 2, None),
        ("decode /no/such/file 2>/dev/full", 2, None),
        ("decode {path} >/dev/full", 2, "cannot write: No space left"),
        ("detect {path} >/dev/full", 2, "cannot write: No space left"),
        ("protocols >/dev/full", 2, "cannot write: No space left"),
        ("--help >/dev/full", 2, "cannot write: No space left"),
        ("protocols | :", 0, None),
        ("--help | :", 0, None),
    ],
)
def test_closed_descriptors_are_told_in_one_line(
    traffic: Path, form: str, tail: str, expected: int, text: str | None
) -> None:
    if "/dev/full" in tail and not os.path.exists("/dev/full"):
        pytest.skip("no /dev/full here")
    command = f"set -o pipefail; {' '.join(FORMS[form])} {tail.format(path=traffic)}"
    # Unbuffered, argparse passes over what it could not write.
    done = subprocess.run(
        ["bash", "-c", command], capture_output=True, timeout=60, env=environment(PYTHONUNBUFFERED="")
    )
    errors = done.stderr.decode()
    assert done.returncode == expected, errors
    assert errors.count("\n") == (text is not None)
    assert (text or "") in errors


# Interrupts.

INTERRUPTER = """
import os, signal, sys
class Interrupter:
    def find_spec(self, name, path=None, target=None):
        if name == {name!r}:
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Interrupter())
"""


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "name",
    ["l7codecs.buffer", "l7codecs.session", "l7codecs.cli", "argparse", "orjson", "dpkt", "l7codecs.capture.flows"],
)
def test_an_interrupt_while_importing_shows_no_traceback(tmp_path: Path, traffic: Path, form: str, name: str) -> None:
    (tmp_path / "sitecustomize.py").write_text(INTERRUPTER.format(name=name))
    command = [*FORMS[form], "decode", str(traffic)]
    done = subprocess.run(command, capture_output=True, timeout=60, check=False, env=environment(tmp_path))
    assert done.stderr == b""
    assert done.returncode in (-signal.SIGINT, 130)


@pytest.mark.parametrize("form", FORMS)
def test_an_ignored_interrupt_stays_ignored(tmp_path: Path, traffic: Path, form: str) -> None:
    """As a shell starts what shall run in the background."""
    (tmp_path / "sitecustomize.py").write_text(INTERRUPTER.format(name="l7codecs.cli"))
    done = subprocess.run(
        ["bash", "-c", f"trap '' INT; exec {' '.join(FORMS[form])} decode {traffic}"],
        capture_output=True, timeout=60, check=False, env=environment(tmp_path),
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.count(b"redis") == 2


@pytest.mark.parametrize("form", FORMS)
def test_an_interrupt_of_a_live_capture_ends_it(traffic: Path, form: str) -> None:
    command = [*FORMS[form], "decode", "--format", "jsonl", "-"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(traffic.read_bytes())
        process.stdin.flush()
        assert b"GET" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        until = time.monotonic() + 20
        while process.poll() is None and time.monotonic() < until:
            time.sleep(0.01)
        process.kill()
        assert process.returncode == 130
        assert process.stderr is not None
        assert process.stderr.read() == b""


def test_importing_the_library_leaves_interrupts_alone() -> None:
    code = "import signal; before = signal.getsignal(2); import l7codecs, l7codecs_command; assert signal.getsignal(2) is before"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
