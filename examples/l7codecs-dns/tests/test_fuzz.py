"""The fuzzing suite, for a moment: `l7codecs fuzz dns` goes on for longer."""

from pathlib import Path

import pytest

from l7codecs.cli import main

FOLDER = Path(__file__).parents[1]


def test_fuzzing_finds_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(FOLDER)
    assert main(["fuzz", "dns", "--seconds", "5", "--findings", str(tmp_path)]) == 0, capsys.readouterr().out
