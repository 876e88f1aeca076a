"""tshark's reading of the same octets: every request's header, and of versions that it knows what is answered, topics and errors."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from l7codecs import Message, Sender, open_session
from l7codecs.capture import CaptureWriter
from l7codecs.testing import Vector, installed, load_vectors, replay

from .conftest import needs

pytestmark = pytest.mark.interop

VECTORS = [each for each in load_vectors(Path(__file__).parent.parent / "vectors") if each.name != "raw-sasl-bare"]
"""tshark knows no bare tokens of SASL."""
PORT = 9092
AGAIN = ("java-sasl-again", "raw-waits-in-order")
"""tshark takes an answer for one of the first request with its number, and these numbers come again."""
KNOWN = {"Produce": 8, "Fetch": 11, "ListOffsets": 5, "Metadata": 8, "OffsetCommit": 7, "FindCoordinator": 2, "Heartbeat": 3,
         "SyncGroup": 2, "SaslHandshake": 1, "CreateTopics": 4, "DeleteTopics": 3, "AddPartitionsToTxn": 1, "EndTxn": 1}  # fmt: skip
"""The newest versions whose bodies tshark 4.0 reads in full. Of flexible ones it reads some only."""


def shown(message: ElementTree.Element, name: str) -> list[str]:
    """What tshark shows for the fields of that name."""
    return [field.get("show", "") for field in message.iter("field") if field.get("name") == name]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[ElementTree.Element]]:
    """What tshark makes of each message of each vector."""
    path = tmp_path_factory.mktemp("tshark") / "capture.pcap"
    with CaptureWriter(path) as writer:
        for port, vector in enumerate(VECTORS, 50_000):
            connection = writer.open_connection(port * 1_000_000_000, ("127.0.0.1", port), ("127.0.0.1", PORT))
            for number, (sender, said) in enumerate(vector.pieces, 1):
                connection.send(port * 1_000_000_000 + number * 1_000_000, sender, said)
            connection.close(port * 1_000_000_000 + (len(vector.pieces) + 1) * 1_000_000)
    words = [
        needs(installed, "tshark"),
        "-r",
        str(path),
        "-d",
        f"tcp.port=={PORT},kafka",
        "-Y",
        "kafka",
        "-T",
        "pdml",
    ]
    read = ElementTree.fromstring(subprocess.run(words, capture_output=True, timeout=60, check=True).stdout)
    found: dict[str, list[ElementTree.Element]] = {vector.name: [] for vector in VECTORS}
    for packet in read.iter("packet"):
        (stream,) = shown(packet, "tcp.stream")
        found[VECTORS[int(stream)].name] += [each for each in packet.iter("proto") if each.get("name") == "kafka"]
    return found


def messages(vector: Vector) -> Iterator[Any]:
    for event in replay(open_session("kafka"), vector).events:
        if isinstance(event, Message):
            yield event


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector.name)
def test_headers(vector: Vector, told: dict[str, list[ElementTree.Element]]) -> None:
    names = ("kafka.request_key", "kafka.request.version", "kafka.correlation_id", "kafka.client_id")
    said = [
        tuple(word for name in names for word in shown(each, name)[:1])
        for each in told[vector.name]
        if shown(each, "kafka.request_key")
    ]
    seen = [
        (
            str(each.api_key),
            str(each.version),
            str(each.request_id),
            "[ Null ]" if each.client_id is None else each.client_id,
        )
        for each in messages(vector)
        if each.sender is Sender.CLIENT
    ]
    assert said == seen and seen


def test_bodies(told: dict[str, list[ElementTree.Element]]) -> None:
    """Topics in requests and answers, and the errors, of whatever tshark reads in full."""
    compared = 0
    for vector in VECTORS:
        said, seen = told[vector.name], list(messages(vector))
        if vector.name in AGAIN or len(said) != len(seen):
            continue  # or it gave up
        for theirs, ours in zip(said, seen, strict=True):
            keys = shown(theirs, "kafka.request_key") or shown(theirs, "kafka.response_key")
            if not keys or ours.version > KNOWN.get(str(ours.operation), -1):
                continue
            assert int(keys[0]) == ours.api_key
            named = dict.fromkeys(shown(theirs, "kafka.topic_name"))
            # Of members' topics, which stand in octets of their clients' own, it shows none.
            if named or (ours.sender is Sender.CLIENT and ours.operation not in ("JoinGroup", "SyncGroup")):
                assert tuple(named) == ours.resources or ours.attributes["kafka.session_epoch"] > 0
            errors = shown(theirs, "kafka.error")
            if errors:
                assert tuple(sorted({int(code) for code in errors})) == ours.attributes["kafka.error_codes"]
            compared += 1
    assert compared > 100
