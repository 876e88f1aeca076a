"""Public captures, with what the projects that made them expect of them.

They are not part of this repository: L7CODECS_CAPTURES names their folder.
"""

import os
from collections import Counter
from pathlib import Path

import pytest

from l7codecs import get_protocol, load_protocols
from l7codecs.capture import read_streams
from l7codecs.capture.records import Record, record_of
from l7codecs.capture.sessions import decode_streams

CAPTURES = os.environ.get("L7CODECS_CAPTURES", "")
pytestmark = pytest.mark.skipif(not CAPTURES, reason="L7CODECS_CAPTURES is not set")
FOLDER = Path(CAPTURES) / "zeek+zeek" / "testing" / "btest" / "Traces" / "redis"


def decoded(name: str) -> list[Record]:
    protocols = load_protocols()[0]
    with read_streams(FOLDER / name, server_ports=[6379]) as reader:
        found = [record_of(item) for item in decode_streams(reader, protocols)]
    return [record for record in found if record is not None]


def operations(records: list[Record], kind: str) -> list[object]:
    return [record["operation"] for record in records if record["kind"] == kind]


WITHOUT_ERRORS = sorted(
    path.name
    for path in (FOLDER.glob("*.pcap*") if CAPTURES else [])
    if path.name not in ("almost-resp.pcap", "attr.pcap", "pipeline-quotes.pcap")
)


@pytest.mark.parametrize("name", WITHOUT_ERRORS)
def test_every_capture_decodes(name: str) -> None:
    records = decoded(name)
    assert records
    assert not [record for record in records if record["kind"] in ("error", "gap")]


MIDWAY = {"auth.pcap", "django-cloud.pcapng", "pubsub.pcap", "set.pcap", "start-with-server.pcapng", "stream.pcap"}
"""Connections without their beginning; what is certain of their pairs says docs/topics/gaps.md."""


@pytest.mark.parametrize("name", sorted({*WITHOUT_ERRORS} & MIDWAY))
def test_midway_no_answer_is_paired_wrongly(name: str) -> None:
    """Their clients wait for each answer."""
    last: dict[object, object] = {}
    for record in decoded(name):
        if record["kind"] == "request":
            last[record["flow"]] = record["offset"]
        elif record["kind"] == "response":
            assert record["request_offset"] in (None, last.get(record["flow"]))


@pytest.mark.parametrize("name", sorted({*WITHOUT_ERRORS} - MIDWAY))
def test_every_answer_is_paired(name: str) -> None:
    records = decoded(name)
    answers = [record for record in records if record["kind"] == "response"]
    assert all(record["request_offset"] is not None for record in answers)
    asked = [r for r in records if r["kind"] in ("request", "heartbeat")]
    subscribed = [r for r in asked if str(r["operation"]).endswith("SUBSCRIBE")]
    if not subscribed:
        assert len(answers) <= len(asked)


def test_replies_that_are_off_and_skipped() -> None:
    """Zeek: "client-skip-while-off.pcap" has four replies: to PING, CLIENT REPLY ON, PING, PING."""
    records = decoded("client-skip-while-off.pcap")
    assert operations(records, "response") == ["PING", "CLIENT REPLY", "PING", "PING"]
    assert operations(records, "oneway") == ["CLIENT REPLY", "PING", "CLIENT REPLY"]


def test_attributes_before_a_reply() -> None:
    """Two replies with attributes, inside an array and before one; the LF behind each is none of RESP."""
    records = decoded("attr.pcap")
    assert [(r["kind"], r["offset"], r.get("size")) for r in records if r["sender"] == "server"] == [
        ("response", 0, 33),
        ("error", 33, None),
        ("response", 0, 81),
        ("error", 81, None),
    ]


def test_quotes() -> None:
    """The last two commands have unclosed quotes: the server refuses at the first of them."""
    records = decoded("pipeline-quotes.pcap")
    sets = [record for record in records if record["kind"] == "request"]
    assert [record["resources"] for record in sets] == [(b"key%b" % n,) for n in (b"", b"2", b"3", b"4", b"5", b"6")]
    (error,) = [record for record in records if record["kind"] == "error"]
    assert (error["sender"], error["seen"]) == ("client", "unbalanced quotes")


def test_almost_resp() -> None:
    records = decoded("almost-resp.pcap")
    assert operations(records, "response") == ["AUTH", "PING"]
    (error,) = [record for record in records if record["kind"] == "error"]
    assert (error["offset"], error["seen"]) == (10, "b'n'")


def test_a_server_that_is_heard_first() -> None:
    records = decoded("start-with-server.pcapng")
    # Before the client is heard nothing tells an answer from a part of one.
    assert [(r["kind"], r["operation"]) for r in records] == [("request", "SET"), ("response", None)]


def test_publish_and_subscribe() -> None:
    records = decoded("pubsub.pcap")
    kinds = Counter((record["kind"], record["operation"]) for record in records)
    assert kinds["request", "SUBSCRIBE"] == 1  # joined midway, so nothing is certain of its answer
    assert kinds["push", "MESSAGE"] + kinds["push", "PMESSAGE"] == 3


def test_the_registered_port_is_that_of_the_captures() -> None:
    assert get_protocol("redis").ports == (6379,)
