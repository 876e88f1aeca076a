"""Messages and captures as the tools of others print them."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from pathlib import Path
from xml.etree import ElementTree

from l7codecs import Message
from l7codecs.capture import CaptureWriter
from l7codecs.testing import Vector

from .conftest import program
from .observing import Conversation

__all__ = [
    "Block",
    "Fields",
    "blocks_of",
    "blocks_of_messages",
    "check_tshark",
    "fields_of",
    "shown",
    "tshark_blocks",
    "tshark_reads",
]

Fields = list[tuple[str, str]]
Block = tuple[int, list[tuple[str, bytes]]]
"""A stream, and the fields of one of its header blocks."""


def fields_of(message: Message) -> Fields:
    """Every field of a header block with its pseudo-headers."""
    found = message.fields  # type: ignore[attr-defined]  # of this room's messages
    return [(str(name), (value or b"").decode("utf-8", "backslashreplace")) for name, value, _ in found]


def blocks_of(heard: Conversation) -> list[Block]:
    """Every header block of both sides in order, with its stream."""
    return blocks_of_messages(m for m in heard.messages if "http2.frame_type" not in m.attributes)


def blocks_of_messages(messages: Iterable[Message]) -> list[Block]:
    """The header block of each message, with its stream; what is not known is empty."""
    return [
        (int(m.attributes["http2.stream_id"]), [(name or "", value or b"") for name, value, _ in m.fields])  # type: ignore[attr-defined, call-overload]
        for m in messages
    ]


def tshark_reads(vector: Vector, path: Path, protocol: str = "http2") -> ElementTree.Element:
    """What tshark makes of a capture of these octets, written to `path`; `protocol` is what it is told that they begin with."""
    port = 50080
    with CaptureWriter(path) as writer:
        connection = writer.open_connection(0, ("127.0.0.1", 50000), ("127.0.0.1", port))
        for number, (sender, said) in enumerate(vector.pieces, 1):
            connection.send(number * 1_000_000, sender, said)
        connection.close((len(vector.pieces) + 1) * 1_000_000)
    words = [
        program("tshark"),
        "-r",
        str(path),
        "-d",
        f"tcp.port=={port},{protocol}",
        "-Y",
        "http or http2",
        "-T",
        "pdml",
    ]
    return ElementTree.fromstring(subprocess.run(words, capture_output=True, timeout=60, check=True).stdout)


def tshark_blocks(read: ElementTree.Element) -> list[Block]:
    """Every header block, with its stream."""
    found: list[Block] = []
    for stream in read.iter("field"):
        if stream.get("name") != "http2.stream":
            continue
        fields = [
            (octets("http2.header.name", header).decode(), octets("http2.header.value", header))
            for header in stream.iter("field")
            if header.get("name") == "http2.header"
        ]
        if shown("http2.type", stream) == "9":
            found[-1][1].extend(fields)
        elif fields:
            promised = shown("http2.push_promise.promised_stream_id", stream)
            found.append((int(promised or shown("http2.streamid", stream), 0), fields))
    return found


def shown(name: str, field: ElementTree.Element) -> str:
    """What tshark shows for the first field of that name inside of `field`."""
    return next((inner.get("show", "") for inner in field.iter("field") if inner.get("name") == name), "")


def octets(name: str, field: ElementTree.Element) -> bytes:
    """The octets of the first field of that name inside of `field`."""
    return next(
        (bytes.fromhex(inner.get("value", "")) for inner in field.iter("field") if inner.get("name") == name), b""
    )


def check_tshark(heard: Conversation, folder: Path) -> int:
    """Compare every header block of an HTTP/2 connection, and tell how many there are."""
    seen = blocks_of(heard)
    assert tshark_blocks(tshark_reads(heard.vector, folder / "capture.pcap")) == seen
    return len(seen)
