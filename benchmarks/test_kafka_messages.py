"""Kafka: the header of requests, their topics, the error codes of answers, and an answer with other topics."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from .kafka_octets import AIOKAFKA, REQUESTS, metadata_of_many, reads, round_of
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
from .measure import Side, add_row, compare, time_sides

ROUNDS = 31
MIX = "Produce 9 and 13, Fetch 12 and 18, Metadata 12, ApiVersions 3"
OLD_MIX = "Produce 8, Fetch 11, Metadata 5, ApiVersions 0"
PARTITIONS = 1000
Call = Callable[[list[bytes]], object]


def _side(call: Call, octets: list[bytes]) -> Side:
    return Side(lambda: call(octets))


def test_headers(benchmark: BenchmarkFixture) -> None:
    frames, _ = round_of(REQUESTS)
    peers = {"kio": _side(KioHeaders(), frames), "kafka-python": _side(PythonHeaders(), frames)}
    own, theirs = time_sides(benchmark, _side(OurHeaders(), reads(frames)), peers, rounds=ROUNDS)
    if own:
        work = f"Kafka requests ({MIX}): API, version, correlation id, client id"
        lines = [
            compare(work, own, "`kio`, the header alone", theirs["kio"], len(frames), 1.5),
            compare(work, own, "`kafka-python`, the header alone", theirs["kafka-python"], len(frames), 10.0),
        ]
        add_row(benchmark, 180, lines)


def test_topics(benchmark: BenchmarkFixture) -> None:
    frames, _ = round_of(REQUESTS)
    peers = {"kio": _side(KioTopics(), frames), "kafka-python": _side(PythonTopics(), frames)}
    own, theirs = time_sides(benchmark, _side(OurTopics(), reads(frames)), peers, rounds=ROUNDS)
    if own:
        work = "the same, and all topics"
        lines = [
            compare(work, own, "`kio`", theirs["kio"], len(frames), 4.0),
            compare(work, own, "`kafka-python`", theirs["kafka-python"], len(frames), 20.0),
        ]
        add_row(benchmark, 181, lines)


def test_topics_of_older_versions(benchmark: BenchmarkFixture) -> None:
    frames, _ = round_of(AIOKAFKA)
    peers = {"aiokafka": _side(AiokafkaTopics(), frames)}
    own, theirs = time_sides(benchmark, _side(OurTopics(), reads(frames)), peers, rounds=ROUNDS)
    if own:
        work = f"the same of the newest versions that the peer has ({OLD_MIX})"
        add_row(benchmark, 182, [compare(work, own, "`aiokafka`", theirs["aiokafka"], len(frames), 20.0)])


@pytest.mark.parametrize("old", [False, True], ids=["new", "old"])
def test_codes(benchmark: BenchmarkFixture, old: bool) -> None:
    exchanges = AIOKAFKA if old else REQUESTS
    requests, answers = round_of(exchanges)
    asked, told = reads(requests), reads(answers)
    ours = OurCodes()
    peers = (
        {"aiokafka": _side(AiokafkaCodes(), answers)}
        if old
        else {
            "kio": _side(KioCodes(exchanges), answers),
            "kafka-python": _side(PythonCodes(exchanges), answers),
        }
    )
    side = Side(lambda: ours(told), lambda: ours.ask(asked))
    own, theirs = time_sides(benchmark, side, peers, rounds=ROUNDS)
    if own:
        work = f"answers ({OLD_MIX if old else MIX}): every error code"
        reach = {"kio": 4.0}
        lines = [compare(work, own, f"`{name}`", theirs[name], len(answers), reach.get(name, 20.0)) for name in peers]
        add_row(benchmark, 184 if old else 183, lines)


def test_renamed(benchmark: BenchmarkFixture) -> None:
    exchange = metadata_of_many(PARTITIONS)
    ours = OurRenamed(exchange)
    peers = {"kio": Side(KioRenamed(exchange))}
    own, theirs = time_sides(benchmark, Side(ours, ours.ask), peers, rounds=ROUNDS)
    if own:
        work = f"Metadata of {PARTITIONS} partitions with its topic renamed"
        add_row(benchmark, 185, [compare(work, own, "`kio`, decode and encode", theirs["kio"], 1, 4.0)])
