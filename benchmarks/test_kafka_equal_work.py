"""The sides of each row of Kafka find the same in the same octets: a benchmark that compares unequal work is a defect."""

from __future__ import annotations

from uuid import UUID

import pytest

from .kafka_octets import AIOKAFKA, REQUESTS, Exchange, metadata_of_many, reads, round_of
from .kafka_sides import (
    AiokafkaCodes,
    AiokafkaTopics,
    KioCodes,
    KioHeaders,
    KioRenamed,
    KioTopics,
    OurCodes,
    OurHeaders,
    OurRenamed,
    OurTopics,
    PythonCodes,
    PythonHeaders,
    PythonTopics,
)

NAMES = {0: "Produce", 1: "Fetch", 3: "Metadata", 18: "ApiVersions"}


def test_every_side_finds_the_same_headers() -> None:
    frames, _ = round_of(REQUESTS)
    ours = OurHeaders()(reads(frames))
    assert len(ours) == len(frames) == len(set(ours))
    for side in (KioHeaders(), PythonHeaders()):
        assert [(NAMES[key], *rest) for key, *rest in side(frames)] == [tuple(each) for each in ours]  # type: ignore[index]  # a key


@pytest.mark.parametrize("exchanges", [REQUESTS, AIOKAFKA], ids=["new", "old"])
def test_every_side_finds_the_same_topics(exchanges: tuple[Exchange, ...]) -> None:
    frames, _ = round_of(exchanges)
    ours = OurTopics()(reads(frames))
    sides = [AiokafkaTopics()] if exchanges is AIOKAFKA else [KioTopics(), PythonTopics()]
    for side in sides:
        theirs = [
            (
                NAMES[key],
                *rest,
                tuple(dict.fromkeys(str(topic) if isinstance(topic, UUID) else topic for topic in topics)),
            )
            for key, *rest, topics in side(frames)  # type: ignore[misc]
        ]
        assert theirs == ours
    assert {each[0]: each[-1] for each in ours}["Metadata"] == ("orders", "payments")  # type: ignore[index]


@pytest.mark.parametrize("exchanges", [REQUESTS, AIOKAFKA], ids=["new", "old"])
def test_every_side_finds_the_same_codes(exchanges: tuple[Exchange, ...]) -> None:
    requests, answers = round_of(exchanges)
    ours = OurCodes()
    ours.ask(reads(requests))
    found = ours(reads(answers))
    assert len(found) == len(answers)
    sides = [AiokafkaCodes()] if exchanges is AIOKAFKA else [KioCodes(exchanges), PythonCodes(exchanges)]
    for side in sides:
        assert side(answers) == found


def test_both_sides_rename_the_same() -> None:
    exchange = metadata_of_many(1000)
    ours = OurRenamed(exchange)
    ours.ask()
    assert ours() == KioRenamed(exchange)()
