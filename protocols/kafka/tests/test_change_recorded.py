"""Changes to what real clients and brokers have said: there and back is the same to the octet, and batches are what others read in them.

The vectors always; with ``L7CODECS_RECORDINGS`` also what was recorded elsewhere.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

import l7codecs
from l7codecs.testing import Vector, load_vectors, replay
from l7codecs_kafka import KafkaChanges, KafkaMessage, KafkaRequest, KafkaResponse, Names, Nodes, Records
from l7codecs_kafka._change.bodies import NOTHING_ASKED, asked_of, changed_body
from l7codecs_kafka._schema.layouts import NODE_ID, RECORDS, TOPIC
from l7codecs_kafka._schema.walk import pick

from .kafka_python import MemoryRecords
from .recorded import everything

VECTORS = Path(__file__).parents[1] / "vectors"
METADATA_LOG = 55
"""DescribeQuorum: its topic keeps its name."""
RECORDED = bool(os.environ.get("L7CODECS_RECORDINGS"))


def vectors() -> list[Vector]:
    found = list(load_vectors(VECTORS))
    if RECORDED:
        found += [each.vector for each in everything()]
    return found


def add(name: str) -> str | None:
    return f"tenant-a.{name}"


def strip(name: str) -> str | None:
    return name.removeprefix("tenant-a.")


THERE = KafkaChanges(
    topics=Names(add, add),
    groups=Names(add, add),
    transactional_ids=Names(add, add),
    nodes=Nodes(lambda node: node + 100, lambda node: node + 100, lambda node, host, port: (f"{host}.proxy", port ^ 1)),
)
BACK = KafkaChanges(
    topics=Names(strip, strip),
    groups=Names(strip, strip),
    transactional_ids=Names(strip, strip),
    nodes=Nodes(
        lambda node: node - 100,
        lambda node: node - 100,
        lambda node, host, port: (host.removesuffix(".proxy"), port ^ 1),
    ),
)


def messages(vector: Vector) -> Iterator[KafkaMessage]:
    for event in replay(l7codecs.open_session("kafka"), vector).events:
        if isinstance(event, (KafkaRequest, KafkaResponse)) and event.layout is not None and not event.more:
            yield event


@pytest.mark.parametrize("vector", vectors(), ids=lambda each: each.name)
def test_there_and_back(vector: Vector) -> None:
    for message in messages(vector):
        known = message.layout
        assert known is not None
        if known.api.key in (29, 30, 31) or (known.api.key == 18 and known.response):
            continue  # ACLs and versions have no way back
        asked = NOTHING_ASKED
        request = message.request
        if isinstance(request, KafkaRequest) and request.layout is not None:
            asked = asked_of(request.layout, request.octets, request.body, request.stop)
        body = message.octets[message.body : message.stop]
        there = changed_body(known, body, 0, len(body), THERE, asked)
        named = pick(known, body, 0, len(body), TOPIC | NODE_ID)
        if known.api.key != METADATA_LOG and any(
            named.starts(at) >= 0 and (named.role(at) == TOPIC or named.number(at) > 0) for at in range(len(named))
        ):
            assert there is not None
        if there is not None:
            assert there != body
            assert changed_body(known, there, 0, len(there), BACK, asked) == body


@pytest.mark.parametrize("vector", vectors(), ids=lambda each: each.name)
def test_batches(vector: Vector) -> None:
    for message in messages(vector):
        known = message.layout
        assert known is not None
        found = pick(known, message.octets, message.body, message.stop, RECORDS)
        for at in range(len(found)):
            octets = found.octets_of(at)
            if not octets:
                continue
            start = found.starts(at)
            records = Records(message.octets, start, found.ends(at), message.offset + start - message.start)
            assert sum(batch.size for batch in records.batches) + records.cut == len(octets)
            theirs = MemoryRecords(octets)
            for batch in records.batches:
                assert batch.checksum_matches()
                truth = theirs.next_batch()
                told = [(record.offset, record.timestamp, record.key, record.value) for record in batch.records()]
                assert told == [(record.offset, record.timestamp, record.key, record.value) for record in truth]
                assert batch.count in (None, len(told))
                if batch.control:
                    assert batch.control_type in ("commit", "abort")
            assert not theirs.has_next()


def test_there_are_batches_of_all_kinds() -> None:
    """Else the test above shows nothing."""
    seen: set[str] = set()
    for vector in vectors():
        for message in messages(vector):
            known = message.layout
            assert known is not None
            found = pick(known, message.octets, message.body, message.stop, RECORDS)
            for at in range(len(found)):
                octets = found.octets_of(at) or b""
                for batch in Records(octets, 0, len(octets)).batches:
                    seen.add(batch.compression)
                    seen.add("control" if batch.control else "transactional" if batch.transactional else "plain")
    assert {"none", "snappy", "lz4", "zstd", "transactional", "plain"} <= seen
