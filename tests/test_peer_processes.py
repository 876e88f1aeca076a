"""What is made for real peers is made once, whole or not at all; what they are told and say goes line by line."""

import subprocess
import sys
from pathlib import Path

import pytest

from l7codecs.testing import JsonPeer, PeerCache, PeerProcess, installed

ECHO = "import sys\nprint('begins', file=sys.stderr, flush=True)\nfor line in sys.stdin: print('said', line, end='', flush=True)"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PeerCache:
    monkeypatch.setenv("L7CODECS_ACME_CACHE", str(tmp_path / "deep" / "acme"))
    return PeerCache("acme")


def test_a_folder_is_made_once_for_each_state_of_its_sources(cache: PeerCache, tmp_path: Path) -> None:
    source = tmp_path / "peer.c"
    source.write_text("one")
    made = []

    def make(folder: Path) -> None:
        made.append(source.read_text())
        (folder / "peer").write_text(source.read_text())

    first = cache.made("c", make, [source, b"-O2"])
    assert (cache.made("c", make, [source, b"-O2"]), made) == (first, ["one"])
    source.write_text("two")
    second = cache.made("c", make, [source, b"-O2"])
    assert ((first / "peer").read_text(), (second / "peer").read_text()) == ("one", "two")
    assert cache.made("c", make, [source, b"-O3"]) not in (first, second)
    assert cache.made("plain", make).name == "plain"


def test_what_fails_leaves_nothing(cache: PeerCache) -> None:
    def fail(folder: Path) -> None:
        (folder / "half").touch()
        raise subprocess.CalledProcessError(1, "cc")

    with pytest.raises(subprocess.CalledProcessError):
        cache.made("c", fail)
    assert list(cache.folder.iterdir()) == []


def test_of_two_that_make_the_same_one_is_kept(cache: PeerCache) -> None:
    def make(folder: Path) -> None:
        cache.made("c", lambda other: (other / "faster").touch())
        (folder / "slower").touch()

    assert [each.name for each in cache.made("c", make).iterdir()] == ["faster"]
    assert len(list(cache.folder.iterdir())) == 1


def test_lines_are_answered_in_order() -> None:
    with PeerProcess([sys.executable, "-c", ECHO]) as peer:
        peer.tell("a é")
        peer.tell("b")
        assert (peer.hear(), peer.hear(), peer.exchange("c")) == ("said a é", "said b", "said c")
        assert "begins" in peer.printed()
        peer.terminate()
        peer.wait()
        with pytest.raises(RuntimeError, match="the peer says nothing: begins"):
            peer.hear()


def test_objects_are_lines_of_json() -> None:
    code = "import sys, json\nfor line in sys.stdin: print(json.dumps({'got': json.loads(line)}), flush=True)"
    with JsonPeer([sys.executable, "-c", code]) as peer:
        assert peer.ask("call", to=7, words=["é", "a\nb"]) == {"got": {"do": "call", "to": 7, "words": ["é", "a\nb"]}}
        peer.begin("one")
        peer.begin("two")
        assert [peer.answer()["got"]["do"] for _ in range(2)] == ["one", "two"]


def test_one_that_hangs_is_not_waited_for_for_ever() -> None:
    with PeerProcess([sys.executable, "-c", "input(); input()"], name="clock", patience=0.2) as peer:
        peer.tell("the time")
        with pytest.raises(TimeoutError, match="the clock says nothing"):
            peer.hear()
        peer.kill()


def test_a_program_that_is_not_there_is_named() -> None:
    assert Path(installed(sys.executable)).exists()
    with pytest.raises(FileNotFoundError, match="no-such-program is not installed"):
        installed("no-such-program")
