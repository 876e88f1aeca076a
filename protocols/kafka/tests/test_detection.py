"""Kafka is told from the client's first request, whichever it is, and nothing else is taken for it."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from l7codecs import Verdict, get_protocol, list_protocols
from l7codecs.testing import load_vectors
from l7codecs_kafka._schema.layouts import apis, layout

from . import recorded
from .wire import C, S, answer, frame, request

PROTOCOLS = Path(__file__).parents[2]


def verdict(client: bytes, server: bytes = b"") -> Verdict:
    return get_protocol("kafka").detect(client, server).verdict


def test_any_request_may_be_the_first() -> None:
    for each in apis():
        for version in range(each.lowest, each.highest + 1):
            if layout(each.key, version, False) is None or (each.name, version) == ("ControlledShutdown", 0):
                continue
            for client_id in (b"me", b"", None, "ä".encode()):
                octets = request(each.name, version, 0, client_id)
                assert verdict(octets) is Verdict.YES, (each.name, version, client_id)
                assert Verdict.NO not in {verdict(octets[:size]) for size in range(len(octets))}


def test_a_newer_client() -> None:
    octets = frame(b"\x00\x12\x00\x07\x00\x00\x00\x00\x00\x02me\x00" + b"\x02a\x02b\x00")
    assert verdict(octets) is Verdict.YES
    assert verdict(frame(b"\x00\x03\x00\x63\x00\x00\x00\x00\x00\x02me\x00")) is Verdict.NO


def test_the_server_alone_tells_nothing() -> None:
    assert verdict(b"", answer("ApiVersions", 0, 1)) is Verdict.MORE


@pytest.mark.parametrize(
    "octets",
    [
        bytes(10),  # a frame too short for a request
        b"\x00\x00\x00\x09",
        b"GET / HTTP/1.1\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"*1\r\n$4\r\nPING\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # TLS
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\x00\x00\x00\x08\x04\xd2\x16\x2f",  # PostgreSQL asks for TLS
        b"\x00\x00\x00\x2f\x00\x03\x00\x00user\x00me\x00database\x00d\x00"
        + bytes(20),  # PostgreSQL: 3.0 looks like Metadata v0
        b"\x00\x00\x00\x2c" + bytes(12) + b"\x00\x00\x75\x30" + bytes(8) + b"\x00\x00\x00\x10" + bytes(16),  # ZooKeeper
        b"\x00\x1d\x00\x01\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x03www\x07example\x00\x00\x01\x00\x01",  # DNS
        b"\x00\x00\x00\x11\x80\x01\x00\x01\x00\x00\x00\x04ping\x00\x00\x00\x00\x00",  # Thrift, framed
        b"\x00\x00\x00\x0d\x00\x00\x00\x04ping\x01\x00\x00\x00\x00",  # old Thrift: looks like Produce v4
        b"\x10\x17\x00\x04MQTT\x04\x02\x00\x3c\x00\x0b",
        b"AMQP\x00\x00\x09\x01",
        b"\xda\xbb\xc2\x00" + bytes(12),
        bytes(64),
        b"\x00\x00\x00\x0a" + bytes(60),
    ],
)
def test_others_are_not_kafka(octets: bytes) -> None:
    assert verdict(octets) is Verdict.NO
    assert Verdict.YES not in {verdict(octets[:size]) for size in range(len(octets))}


def test_no_vector_of_another_protocol_is_kafka() -> None:
    seen = 0
    for folder in PROTOCOLS.glob("*/vectors"):
        if folder.parent.name != "kafka":
            for vector in load_vectors(folder):
                seen += 1
                assert verdict(vector.octets(C), vector.octets(S)) is not Verdict.YES, vector.name
    assert seen > 20


def test_nobody_else_takes_kafka() -> None:
    for vector in load_vectors(PROTOCOLS / "kafka" / "vectors"):
        client, server = vector.octets(C), vector.octets(S)
        best = get_protocol("kafka").detect(client, server)
        assert best.verdict is Verdict.YES, vector.name
        for entry in list_protocols():
            if entry.name != "kafka":
                assert get_protocol(entry.name).detect(client, server).verdict is not Verdict.YES, (
                    vector.name,
                    entry.name,
                )


def test_noise_is_not_kafka() -> None:
    chance = random.Random(1)
    for _ in range(20_000):
        few = chance.choice((2, 4, 16, 256))
        octets = b"\0\0" + bytes(chance.randrange(few) for _ in range(chance.randrange(12, 80)))
        assert verdict(octets) is not Verdict.YES


@pytest.mark.skipif(not recorded.FOLDER, reason="L7CODECS_RECORDINGS is not set")
def test_recorded_connections_are_found() -> None:
    for recording in recorded.everything():
        client = recording.vector.octets(C)[:1024]
        if recording.name.startswith(("raw-apiversions", "raw-notleader")):
            continue  # versions that no client has, and bodies that no broker reads
        assert verdict(client, recording.vector.octets(S)[:1024]) is Verdict.YES, recording.name
