"""Public captures, with what the projects that made them expect of them, and beside tshark's reading of the same files.

They are not part of this repository: L7CODECS_CAPTURES names their folder. Expectations are those of Suricata's ``test.yaml`` and of
DeepFlow's ``.result``, as far as they speak of messages and not of rules.
"""

from __future__ import annotations

import os
import subprocess
import zlib
from pathlib import Path
from xml.etree import ElementTree

import pytest

from l7codecs import Data, Kind, Message, Sender, load_protocols
from l7codecs.capture import read_streams
from l7codecs.capture.sessions import Decoded, decode_streams

from .conftest import program
from .wire import Block, blocks_of_messages, tshark_blocks

CAPTURES = os.environ.get("L7CODECS_CAPTURES", "")
pytestmark = pytest.mark.skipif(not CAPTURES, reason="L7CODECS_CAPTURES is not set")
SURICATA = Path(CAPTURES) / "OISF+suricata-verify" / "tests"
DEEPFLOW = Path(CAPTURES) / "deepflowio+deepflow" / "agent" / "resources" / "test" / "flow_generator" / "http"
FILES = sorted([*SURICATA.glob("*/*.pcap"), *DEEPFLOW.glob("grpc*.pcap")]) if CAPTURES else []

UPGRADED = {"http2-deflate", "http2-deflate-case", "http2-keywords2", "http2-range"}
"""Their connections begin with HTTP/1.1, which tshark must be told."""


def decoded(path: Path) -> list[Decoded]:
    with read_streams(path) as reader:
        return list(decode_streams(reader, load_protocols()[0]))


def messages(path: Path) -> list[Message]:
    """Every message that has fields of HTTP."""
    found = [item.event for item in decoded(path) if isinstance(item.event, Message)]
    return [message for message in found if "http2.frame_type" not in message.attributes]


def capture(name: str) -> Path:
    [path] = (SURICATA / name).glob("*.pcap")
    return path


def body_of(path: Path, kind: Kind) -> list[bytes]:
    """The body of each message of that kind that has one."""
    bodies: dict[Message, bytes] = {}
    for item in decoded(path):
        if isinstance(item.event, Data) and item.event.message.kind is kind:
            head = item.event.message
            bodies[head] = bodies.get(head, b"") + item.event.payload
    return list(bodies.values())


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.parent.name)
def test_every_capture_decodes(path: Path) -> None:
    items = decoded(path)
    assert not [item.error for item in items if item.error is not None]
    assert any(isinstance(item.event, Message) and item.event.kind is Kind.REQUEST for item in items)
    for message in messages(path):
        assert message.kind is Kind.REQUEST or message.request is not None or path.parent.name == "http2-keywords2"


@pytest.mark.interop
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.parent.name)
def test_tshark_reads_the_same(path: Path) -> None:
    """Every header block, with its stream, in its order; but for a request of HTTP/1.1, and what a proxy's CONNECT tunnels."""
    upgraded = path.parent.name in UPGRADED
    items = decoded(path)
    ports = {item.connection.server[1] for item in items}
    options = [word for port in ports for word in ("-d", f"tcp.port=={port},{'http' if upgraded else 'http2'}")]
    only = ["-Y", " or ".join(f"(http2 and tcp.port == {port})" for port in ports)]
    command = [program("tshark"), "-r", str(path), *options, *only, "-T", "pdml"]
    done = subprocess.run(command, capture_output=True, timeout=60, check=True)
    theirs: list[Block] = tshark_blocks(ElementTree.fromstring(done.stdout))
    ours = blocks_of_messages(message for message in messages(path) if message.offset > 0 or not upgraded)
    assert sorted(ours) == sorted(theirs)
    assert ours


def test_suricata_counts_of_dns_over_https() -> None:
    found = messages(capture("dns-over-http2-post"))
    assert [m.operation for m in found if m.kind is Kind.REQUEST] == ["POST"] * 34
    assert {m.path for m in found if m.kind is Kind.REQUEST} == {"/dns-query"}  # type: ignore[attr-defined]
    found = messages(capture("dns-over-http2"))
    assert [m.kind for m in found].count(Kind.REQUEST) == [m.kind for m in found].count(Kind.RESPONSE) == 4
    assert len(body_of(capture("dns-over-http2"), Kind.RESPONSE)) == 4  # two names, each asked for A and HTTPS


def test_suricata_fields_of_a_continuation() -> None:
    request = messages(capture("http2-continuation"))[0]
    assert request.fields[6][:2] == ("name" * 10, b"value" * 20)  # type: ignore[attr-defined]


def test_suricata_sizes_of_bodies() -> None:
    """What it counts is decompressed: 639 octets of the one file that gzip made, 20 octets deflated to 30; three ranges of a file."""
    assert len(zlib.decompress(body_of(capture("http2-bugfixes"), Kind.RESPONSE)[0], 31)) == 639
    for name in ("http2-deflate", "http2-deflate-case"):
        [body] = body_of(capture(name), Kind.RESPONSE)
        assert (len(body), len(zlib.decompressobj(-15).decompress(body))) == (30, 20)
    ranges = [m.headers.get("content-range") for m in messages(capture("http2-range")) if m.kind is Kind.RESPONSE]
    assert sorted(ranges) == [b"bytes 0-10/69", b"bytes 20-30/69", b"bytes 40-68/69"]


def test_suricata_finds_host_and_authority_that_differ() -> None:
    for name in ("http2-authority-mismatch", "http2-userinfo-authority"):
        request = messages(capture(name))[0]
        assert request.error == "PROTOCOL_ERROR"
        assert "host and :authority that differ" in str(request.attributes["http2.malformed"])


def test_suricata_error_code_of_goaway() -> None:
    found = [item.event for item in decoded(capture("http2-errorcode"))]
    errors = [m.error for m in found if isinstance(m, Message) and m.kind is Kind.GOAWAY and m.sender is Sender.CLIENT]
    assert "INTERNAL_ERROR" in errors


def test_deepflow_call_of_grpc() -> None:
    request, response = messages(DEEPFLOW / "grpc-unary.pcap")[:2]
    assert (request.protocol, request.service, request.operation) == ("grpc", "agent.Synchronizer", "Sync")
    assert (request.authority, request.stream_id) == ("10.1.23.21:30035", 1)  # type: ignore[attr-defined]
    assert (response.status_code, response.stream_id, response.request) == (200, 1, request)  # type: ignore[attr-defined]
