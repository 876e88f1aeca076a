"""Golden files: what is written beside vectors, what is compared, and what the messages say."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import toys
from l7codecs import Protocol
from l7codecs.testing import ProtocolConformance, load_vectors
from l7codecs.testing.golden import difference_from_golden, golden_lines, main
from l7codecs.testing.replay import replay

ROOT = Path(__file__).parents[1]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for vector in toys.framed_vectors():
        vector.save(tmp_path, "made here")
    return tmp_path


def kit(folder: Path, protocol: Protocol | None = None) -> ProtocolConformance:
    class Kit(ProtocolConformance):
        vectors = load_vectors(folder)

    Kit.protocol = protocol or toys.framed()
    return Kit()


def test_written_compared_and_changed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--check", "toys:FRAMED", str(folder)]) == 1
    assert not list(folder.glob("*.jsonl"))
    assert main(["toys:FRAMED", str(folder)]) == 0
    assert "in-turns: new\n" in capsys.readouterr().out
    assert main(["--check", "toys:FRAMED", str(folder)]) == 0
    assert capsys.readouterr().out == "0 of 3 golden files would change\n"
    for vector in kit(folder).vectors:
        kit(folder).test_it_says_what_the_golden_file_says(vector)
    kit(folder).test_no_golden_file_is_left_over()


def test_a_line_can_be_read(folder: Path) -> None:
    main(["toys:FRAMED", str(folder)])
    lines = (folder / "in-turns.golden.jsonl").read_text("utf-8").splitlines()
    assert lines[3] == (
        '{"event":3,"from":"server","kind":"response","answers":2,"operation":"GET","status":"NOT_FOUND","error":"NOT_FOUND","size":21,'
        '"attributes":{"error.type":"NOT_FOUND","toy.operation":"GET"}}'
    )
    assert json.loads(lines[0])["resources"] == ["b'user:1'"]


def test_what_is_long_and_streams_is_one_line_however_it_is_cut() -> None:
    vector = toys.framed_large(3_000_000)[1]
    protocol = toys.framed()
    whole = golden_lines(replay(protocol.open(), vector, eof=True), protocol)
    cut = golden_lines(replay(protocol.open(), vector.split(*range(0, vector.size, 999)), eof=True), protocol)
    assert whole == cut and len(whole) == 3
    assert whole[2] == '{"event":2,"from":"server","data_of":1,"size":2934469,"payload":2934469,"ends":true}'


def test_text_that_looks_like_octets_is_told_apart() -> None:
    protocol = toys.text()
    vector = toys.TEXT_VECTORS[0]
    lines = golden_lines(replay(protocol.open(), vector), protocol)
    assert "\"b'user:1'\"" in lines[0]
    outcome = replay(protocol.open(), toys.Vector("error", ((toys.C, b"get a\r\n"), (toys.S, b"error b'x'\r\n"))))
    assert json.loads(golden_lines(outcome, protocol)[1])["error"] == "=b'x'"


class LosesStatus(toys.ToyMessage):
    @property
    def status(self) -> toys.Status | None:
        return toys.Status.UNKNOWN if super().status is toys.Status.NOT_FOUND else super().status


def test_a_difference_names_the_event_and_the_field(folder: Path) -> None:
    main(["toys:FRAMED", str(folder)])
    decoder = type("Decoder", (toys.ToyDecoder,), {"messages": LosesStatus})
    changed = kit(folder, toys.framed(type("Session", (toys.ToySession,), {"decoders": decoder})))
    vector = next(vector for vector in changed.vectors if vector.name == "in-turns")
    with pytest.raises(AssertionError) as error:
        changed.test_it_says_what_the_golden_file_says(vector)
    assert str(error.value).startswith(
        'in-turns: event 3, server response GET: status is "UNKNOWN", and "NOT_FOUND" in the golden file (where the new is'
    )


def test_a_missing_file_and_one_that_is_left_over_are_told(folder: Path) -> None:
    main(["toys:FRAMED", str(folder)])
    (folder / "others.txt").rename(folder / "renamed.txt")
    checked = kit(folder)
    vector = next(vector for vector in checked.vectors if vector.name == "renamed")
    with pytest.raises(
        AssertionError, match=r"renamed has no golden file: write it with `python -m l7codecs\.testing golden "
    ):
        checked.test_it_says_what_the_golden_file_says(vector)
    with pytest.raises(AssertionError, match=r"others\.golden\.jsonl: no vector has this name; remove it"):
        checked.test_no_golden_file_is_left_over()
    main(["toys:FRAMED", str(folder)])
    kit(folder).test_no_golden_file_is_left_over()


def test_vectors_of_no_file_are_told() -> None:
    class Kit(ProtocolConformance):
        protocol = toys.framed()
        vectors = toys.framed_vectors()

    with pytest.raises(AssertionError, match="in-turns was loaded from no file"):
        Kit().test_it_says_what_the_golden_file_says(Kit.vectors[0])


@pytest.mark.parametrize(
    ("lines", "golden", "says"),
    [
        (['{"event":0}'], '{"event":0}\n', ""),
        ([], '{"event":0}\n', "event 0 of the golden file does not come"),
        (['{"event":0}', '{"event":1}'], '{"event":0}\n', "event 1 is not in the golden file"),
        (['{"event":0,"a":{"b":1}}'], '{"event":0,"a":{"b":2}}\n', "a b is 1, and 2 in the golden file"),
        (['{"event":0,"a":1}'], '{"event":0}\n', "a is 1, and nothing in the golden file"),
        (['{"event":0}'], "{\n", "line 1 of the golden file is no JSON"),
    ],
)
def test_differences(lines: list[str], golden: str, says: str) -> None:
    found = difference_from_golden(lines, golden)
    assert says in found and bool(says) == bool(found)


def test_the_command(folder: Path) -> None:
    command = [sys.executable, "-m", "l7codecs.testing"]
    path = {"cwd": Path(__file__).parent, "capture_output": True, "text": True, "timeout": 60}
    done = subprocess.run([*command, "golden", "toys:FRAMED", str(folder), "others"], **path)
    assert (done.returncode, done.stderr) == (0, "") and "others: new" in done.stdout
    assert [each.name for each in folder.glob("*.jsonl")] == ["others.golden.jsonl"]
    for words, says in (
        ([], "golden PROTOCOL FOLDER"),
        (["golden", "toys:framed", str(folder)], "toys:framed is no Protocol"),
        (["golden", "no-such-protocol", str(folder)], "no-such-protocol"),
        (["golden", "toys:FRAMED", str(folder / "none")], "no vectors"),
        (["golden", "toys:FRAMED", str(folder), "none"], "no vector is called none"),
    ):
        done = subprocess.run([*command, *words], **path)
        assert done.returncode != 0 and says in done.stderr and "Traceback" not in done.stderr
