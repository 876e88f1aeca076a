"""The command line shows a capture of Thrift: detected in every transport and encoding, paired, with all that its messages say."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from l7codecs.capture import CaptureWriter
from l7codecs.testing import Vector, load_vectors

FOLDER = Path(__file__).parents[1] / "vectors"
VECTORS = {vector.name: vector for vector in load_vectors(FOLDER)}
MUX = {vector.name: vector for vector in load_vectors(FOLDER / "mux")}
SHOWN = {
    "apache-python-framed-binary": ("framed", "binary"),
    "apache-python-framed-compact": ("framed", "compact"),
    "apache-python-framed-json": ("framed", "json"),
    "apache-python-framed-old-binary": ("framed", "old-binary"),
    "apache-python-unframed-binary": ("unframed", "binary"),
    "apache-python-unframed-compact": ("unframed", "compact"),
    "apache-python-unframed-json": ("unframed", "json"),
    "apache-python-unframed-old-binary": ("unframed", "old-binary"),
    "apache-python-header-binary": ("header", "binary"),
    "apache-python-header-compact": ("header", "compact"),
    "apache-python-zlib-binary": ("zlib", "binary"),
    "apache-python-zlib-json": ("zlib", "json"),
    "made-thriftpy2-json": ("unframed", "thriftpy2-json"),
    "made-header-zlib": ("header", "binary"),
    "made-ttheader": ("ttheader", "binary"),
    "made-finagle": ("finagle", "binary"),
    "made-http": ("http", "json"),
}
"""By vector: the transport and the encoding of what it has in the end."""


def write(path: Path, *vectors: Vector) -> Path:
    writer = CaptureWriter(path)
    time = 1_700_000_000_000_000_000
    for number, vector in enumerate(vectors):
        connection = writer.open_connection(time, ("192.0.2.7", 50_000 + number), ("192.0.2.1", 4711))
        for sender, octets in vector.pieces:
            time += 1_000_000
            connection.send(time, sender, octets)
        connection.close(time)
    writer.close()
    return path


def decode(path: Path, *options: str) -> str:
    command = [sys.executable, "-m", "l7codecs", "decode", *options, str(path)]
    return subprocess.run(command, capture_output=True, timeout=60, check=True, text=True).stdout


def lines(path: Path, *options: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in decode(path, "--format", "jsonl", *options).splitlines()]


@pytest.mark.parametrize("options", [(), ("--protocol", "thrift")])
def test_every_transport_and_encoding(tmp_path: Path, options: tuple[str, ...]) -> None:
    found = lines(write(tmp_path / "thrift.pcap", *(VECTORS[name] for name in SHOWN)), *options)
    assert {each["protocol"] for each in found} == {"thrift"}
    assert not [each for each in found if each["kind"] in ("error", "gap", "opaque")]
    by_connection: dict[str, list[dict[str, Any]]] = {}
    for each in found:
        by_connection.setdefault(each["flow"], []).append(each)
    assert len(by_connection) == len(SHOWN)
    for (name, how), events in zip(SHOWN.items(), by_connection.values(), strict=True):
        calls = [each for each in events if each["kind"] in ("request", "oneway")]
        answers = [each for each in events if each["kind"] == "response"]
        assert calls and answers, name
        assert all(each["request_offset"] is not None and each["operation"] for each in answers), name
        last = events[-1]["attributes"]
        assert (last["thrift.transport"], last.get("thrift.protocol")) == how, name
        if name.startswith("apache-python"):
            assert [each["operation"] for each in calls] == [
                "hello", "nothing", "fire", "declared", "notThere", "failing", "hello",
            ]  # fmt: skip
            assert [each["kind"] for each in calls] == ["request"] * 2 + ["oneway"] + ["request"] * 4
            assert [each["status"] for each in answers] == [
                "OK", "OK", "UNKNOWN", "UNIMPLEMENTED", "INTERNAL", "OK",
            ]  # fmt: skip
            assert [each["attributes"].get("exception.message") for each in answers] == [
                None, None, None, "no notThere", "no failing", None,
            ]  # fmt: skip
            assert {each["service"] for each in calls} == ({"Shop"} if how[0] == "framed" else {None})


def test_infos_are_headers(tmp_path: Path) -> None:
    found = lines(write(tmp_path / "thrift.pcap", VECTORS["made-header"], VECTORS["made-ttheader"]))
    assert ["tenant", "blue"] in found[0]["headers"]
    other = next(each for each in found if each["attributes"]["thrift.transport"] == "ttheader")
    assert ["to-service", "svc"] in other["headers"]


def test_thriftmux(tmp_path: Path) -> None:
    found = lines(write(tmp_path / "mux.pcap", *MUX.values()))
    assert {each["protocol"] for each in found} == {"thriftmux"}
    assert not [each for each in found if each["kind"] in ("error", "gap", "opaque")]
    assert {"heartbeat", "goaway", "request", "response", "control"} <= {each["kind"] for each in found}
    dispatches = [each for each in found if each["attributes"].get("mux.type") == "Tdispatch"]
    assert {each["operation"] for each in dispatches} >= {"hello"}


def test_the_table_shows_what_was_called(tmp_path: Path) -> None:
    names = ("apache-python-framed-compact", "apache-python-header-binary", "apache-python-unframed-json")
    told = decode(write(tmp_path / "thrift.pcap", *(VECTORS[name] for name in names)))
    assert told.count("notThere") >= 3 and "Shop" in told and "UNKNOWN_METHOD" in told and "oneway" in told
