"""The command line shows a capture of Kafka: detected, paired, and topics by the names that other connections have said."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from l7codecs.capture import CaptureWriter
from l7codecs.testing import Vector, load_vectors

from .wire import C, S, answer, request

VECTORS = {vector.name: vector for vector in load_vectors(Path(__file__).parents[1] / "vectors")}


def write(path: Path, *vectors: Vector) -> Path:
    writer = CaptureWriter(path)
    time = 1_700_000_000_000_000_000
    for number, vector in enumerate(vectors):
        connection = writer.open_connection(time, ("192.0.2.7", 50_000 + number), ("192.0.2.1", 9092))
        for sender, octets in vector.pieces:
            time += 1_000_000
            connection.send(time, sender, octets)
        connection.close(time)
    writer.close()
    return path


def decode(path: Path, *options: str) -> list[dict[str, object]]:
    command = [sys.executable, "-m", "l7codecs", "decode", "--format", "jsonl", *options, str(path)]
    done = subprocess.run(command, capture_output=True, timeout=60, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_capture_of_clients(tmp_path: Path) -> None:
    names = ("java-classic-group", "confluent-produce", "raw-sasl-bare", "kafka-go-acks-0")
    for options in ((), ("--protocol", "kafka")):
        found = decode(write(tmp_path / "kafka.pcap", *(VECTORS[name] for name in names)), *options)
        assert {each["protocol"] for each in found} == {"kafka"}
        assert not [each for each in found if each["kind"] in ("error", "gap", "opaque")]
        answers = [each for each in found if each["kind"] == "response"]
        assert answers and all(each["request_offset"] is not None for each in answers)
        assert [each["operation"] for each in found if each["kind"] == "oneway"] == ["Produce"]


def test_connections_of_one_server_name_each_others_topics(tmp_path: Path) -> None:
    topic = bytes(range(16))
    one = Vector(
        "one",
        ((C, request("Metadata", 13, 1)), (S, answer("Metadata", 13, 1, Topics=[{"Name": "t", "TopicId": topic}]))),
    )
    two = Vector("two", ((C, request("Produce", 13, 2, Acks=0, TopicData=[{"TopicId": topic}])),))
    found = decode(write(tmp_path / "kafka.pcap", one, two))
    assert [each["resources"] for each in found] == [[], ["t"], ["t"]]


def test_the_table_shows_what_was_asked(tmp_path: Path) -> None:
    path = write(tmp_path / "kafka.pcap", VECTORS["java-sasl-wrong"])
    done = subprocess.run(
        [sys.executable, "-m", "l7codecs", "decode", str(path)], capture_output=True, timeout=60, check=True
    )
    assert b"SaslAuthenticate" in done.stdout and b"SASL_AUTHENTICATION_FAILED" in done.stdout


def test_names_that_are_no_text(tmp_path: Path) -> None:
    """Octets that are no UTF-8 are escaped in both forms, as octets are, and nothing else of the line is."""
    topics = [{"Name": b"t\xff \xf0\x9f\x92\x80".decode("utf-8", "surrogateescape")}]
    pieces = ((C, request("Metadata", 9, 1, Topics=topics)), (S, answer("Metadata", 9, 1, Topics=topics)))
    path = write(tmp_path / "kafka.pcap", Vector("names", pieces))
    assert [each["resources"] for each in decode(path)] == [["t\\xff \U0001f480"]] * 2
    done = subprocess.run(
        [sys.executable, "-m", "l7codecs", "decode", str(path)], capture_output=True, timeout=60, check=True
    )
    assert b"Metadata" in done.stdout
