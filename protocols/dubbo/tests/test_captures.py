"""The command line shows a capture of Dubbo: detected, paired, with all that its messages say."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from l7codecs.capture import CaptureWriter
from l7codecs.testing import Vector, load_vectors

VECTORS = {vector.name: vector for vector in load_vectors(Path(__file__).parents[1] / "vectors")}


def write(path: Path, *vectors: Vector) -> Path:
    writer = CaptureWriter(path)
    time = 1_700_000_000_000_000_000
    for number, vector in enumerate(vectors):
        connection = writer.open_connection(time, ("192.0.2.7", 50_000 + number), ("192.0.2.1", 20880))
        for sender, octets in vector.pieces:
            time += 1_000_000
            connection.send(time, sender, octets)
        connection.close(time)
    writer.close()
    return path


def decode(path: Path, *options: str) -> list[dict[str, Any]]:
    command = [sys.executable, "-m", "l7codecs", "decode", "--format", "jsonl", *options, str(path)]
    done = subprocess.run(command, capture_output=True, timeout=60, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("options", [(), ("--protocol", "dubbo")])
def test_a_capture_of_consumers(tmp_path: Path, options: tuple[str, ...]) -> None:
    names = (
        "made-attachments",
        "made-calls",
        "3.3-3.3-attachments",
        "3.3-3.3-fastjson2-attachments",
        "2.7-2.7-declared",
    )
    found = decode(write(tmp_path / "dubbo.pcap", *(VECTORS[name] for name in names)), *options)
    assert {each["protocol"] for each in found} == {"dubbo"}
    assert not [each for each in found if each["kind"] in ("error", "gap", "opaque")]
    answers = [each for each in found if each["kind"] == "response"]
    assert answers and all(each["request_offset"] is not None and each["operation"] for each in answers)
    made = next(each for each in found if each["request_id"] == 2**64 - 1 and each["kind"] == "request")
    assert made["service"] == "com.acme.Orders" and made["attributes"]["dubbo.group"] == "blue"
    first = dict(found[0]["headers"])
    assert (first["number"], first["long"], first["yes"], first["half"], first["list"]) == (
        7,
        42,
        True,
        0.5,
        '["a","b"]',
    )
    thrown = [each for each in answers if each["attributes"].get("dubbo.response_kind") == "exception"]
    assert thrown and all(each["attributes"]["exception.type"] == each["error"] for each in thrown)


def test_the_table_shows_what_was_called(tmp_path: Path) -> None:
    path = write(tmp_path / "dubbo.pcap", VECTORS["made-exceptions"])
    command = [sys.executable, "-m", "l7codecs", "decode", str(path)]
    done = subprocess.run(command, capture_output=True, timeout=60, check=True, text=True)
    assert "com.acme.Orders" in done.stdout and "place" in done.stdout and "SoldOutException" in done.stdout
