"""tshark's reading of the same octets: type, id and method of every message in binary and compact, with a frame and without.

It reads neither headers nor zlib. An id of compact, which every library writes as it is, tshark 4.0 takes for one in zigzag.
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from l7codecs import Message, open_session
from l7codecs.capture import CaptureWriter
from l7codecs.testing import Vector, installed, load_vectors, replay

from .conftest import needs

pytestmark = pytest.mark.interop

UNENDING = "cpp-thriftpy2-unframed-compact"
"""tshark 4.0 finds no end of its struct with everything in it, and takes what follows for more of that; with a frame it does."""
VECTORS = [
    each
    for each in load_vectors(Path(__file__).parent.parent / "vectors")
    if each.name != UNENDING
    and any(f"-{how}framed-binary" in each.name or f"-{how}framed-compact" in each.name for how in ("", "un"))
]
PORT = 4711
TYPES = ("none", "call", "reply", "exception", "oneway")


def shown(element: ElementTree.Element, name: str) -> list[str]:
    """What tshark shows for the fields of that name."""
    return [field.get("show", "") for field in element.iter("field") if field.get("name") == name]


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
        f"tcp.port=={PORT},thrift",
        "-Y",
        "thrift",
        "-T",
        "pdml",
    ]
    read = ElementTree.fromstring(subprocess.run(words, capture_output=True, timeout=60, check=True).stdout)
    found: dict[str, list[ElementTree.Element]] = {vector.name: [] for vector in VECTORS}
    for packet in read.iter("packet"):
        (stream,) = shown(packet, "tcp.stream")
        found[VECTORS[int(stream)].name] += [each for each in packet.iter("proto") if each.get("name") == "thrift"]
    return found


def zigzag(number: int) -> int:
    """The number that stands on the wire where zigzag says `number`."""
    return number << 1 if number >= 0 else -number * 2 - 1


def messages(vector: Vector) -> list[Any]:
    return [each for each in replay(open_session("thrift"), vector).events if isinstance(each, Message)]


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector.name)
def test_messages(vector: Vector, told: dict[str, list[ElementTree.Element]]) -> None:
    seen = [(each.message_type, each.number, each.name) for each in messages(vector)]
    said = [
        (TYPES[int(kind, 16)], zigzag(int(number)) if "compact" in vector.name else int(number), method)
        for each in told[vector.name]
        for kind, number, method in zip(
            shown(each, "thrift.mtype"), shown(each, "thrift.seq_id"), shown(each, "thrift.method"), strict=True
        )
    ]
    assert said == seen and seen
    framed = [size for each in told[vector.name] for size in shown(each, "thrift.frame_len")]
    assert framed == ([str(each.size - 4) for each in messages(vector)] if "-framed-" in vector.name else [])
