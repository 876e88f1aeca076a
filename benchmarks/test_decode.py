"""``l7codecs decode --format jsonl`` of a 64 MiB capture, beside tshark: two programs, from their start to their end.

Both read the same file and write to a file. tshark resolves no names (``-n``), shows only packets with Redis in them, and prints of each
the time, addresses, ports and what RESP it found. It prints packets, ours prints messages, each with the request it answers, its keys,
status and attributes: the work of ours is the larger.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from functools import partial
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from .capture import make_capture
from .measure import Side, add_row, compare, time_sides

FIELDS = (
    "frame.time_epoch",
    "ip.src",
    "tcp.srcport",
    "ip.dst",
    "tcp.dstport",
    "resp.array.length",
    "resp.bulk_string.value",
    "resp.string",
    "resp.error",
    "resp.integer",
)


def tshark_command(capture: Path, occurrence: str) -> list[str]:
    """Print the fields of each packet with Redis in it; with "f" only the first occurrence of each field, which is less."""
    fields = [word for field in FIELDS for word in ("-e", field)]
    return ["tshark", "-n", "-r", str(capture), "-Y", "resp", "-T", "fields", "-E", f"occurrence={occurrence}", *fields]


def our_command(capture: Path) -> list[str]:
    return [sys.executable, "-m", "l7codecs", "decode", "--format", "jsonl", str(capture)]


def run(command: list[str], output: Path) -> None:
    """Run a program to its end, its output in a file."""
    with output.open("wb") as file:
        subprocess.run(command, stdout=file, stderr=subprocess.DEVNULL, check=True)


def requests_of_tshark(output: Path) -> Counter[tuple[str, str]]:
    """Name and first key of each command."""
    found: Counter[tuple[str, str]] = Counter()
    for line in output.read_text().splitlines():
        columns = line.split("\t")
        if columns[4] != "6379" or not columns[5]:
            continue
        values = columns[6].split(",")
        at = 0
        for size in map(int, columns[5].split(",")):
            if at + 1 < len(values):
                found[bytes.fromhex(values[at]).decode(), bytes.fromhex(values[at + 1]).decode()] += 1
            at += size
    return found


@pytest.fixture(scope="module")
def capture() -> tuple[Path, int]:
    return make_capture()


@pytest.fixture
def tshark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """tshark, without anyone's settings."""
    if shutil.which("tshark") is None:
        if os.environ.get("L7CODECS_INTEROP") == "1":
            pytest.fail("tshark is not installed")
        pytest.skip("tshark is not installed; `make interop` installs it")
    monkeypatch.setenv("WIRESHARK_CONFIG_DIR", str(tmp_path / "wireshark"))


def test_decode(benchmark: BenchmarkFixture, tshark: None, capture: tuple[Path, int], tmp_path: Path) -> None:
    path, count = capture
    outputs = {name: tmp_path / name for name in ("ours", "all", "first")}
    peers = {
        "all": Side(partial(run, tshark_command(path, "a"), outputs["all"])),
        "first": Side(partial(run, tshark_command(path, "f"), outputs["first"])),
    }
    ours, theirs = time_sides(
        benchmark, Side(partial(run, our_command(path), outputs["ours"])), peers, rounds=5, warmup_rounds=1
    )

    # Both found the same: every message once, and every command with its key.
    messages = [json.loads(line) for line in outputs["ours"].read_bytes().splitlines()]
    assert len(messages) == count
    assert {message["kind"] for message in messages} == {"request", "response"}
    assert all(message["request_offset"] is not None for message in messages if message["kind"] == "response")
    found = Counter((item["operation"], item["resources"][0]) for item in messages if item["kind"] == "request")
    seen = requests_of_tshark(outputs["all"])
    # tshark shows the beginning of a command that two packets share with either packet, and loses some keys there.
    assert (found - seen).total() <= count // 100
    assert (seen - found).total() <= count // 50

    if ours:
        size = path.stat().st_size / 1024 / 1024
        work = f"`decode --format jsonl` of a {size:.0f} MiB capture, {count // 1000} thousand messages"
        less = "the same, beside the first of each field of a packet only"
        add_row(
            benchmark,
            70,
            [
                compare(work, ours, "`tshark -T fields`", theirs["all"], count, 2.0),
                compare(less, ours, "`tshark -T fields -E occurrence=f`", theirs["first"], count, None),
            ],
        )
