"""Kafka's messages that are timed: what a broker of many clients sees."""

from __future__ import annotations

from dataclasses import dataclass
from struct import pack
from typing import Final

from l7codecs_kafka._schema.layouts import Value, layout
from l7codecs_kafka._schema.values import encode

__all__ = [
    "AIOKAFKA",
    "READ_SIZE",
    "REPEATS",
    "REQUESTS",
    "Exchange",
    "large_head",
    "metadata_of_many",
    "reads",
    "round_of",
]

READ_SIZE: Final = 65536
REPEATS: Final = 40
"""How often a round has each exchange."""
TOPIC_ID: Final = bytes(range(16))
BATCH: Final = bytes(1024)
CLIENT_ID: Final = b"producer-1"


@dataclass(frozen=True)
class Exchange:
    """A request and its answer, each a frame."""

    key: int
    version: int
    request: bytes
    answer: bytes
    topics: tuple[str, ...]
    """What the request names; ids are left out."""


def exchange(
    key: int, version: int, request: dict[str, Value], answer: dict[str, Value], *topics: str, number: int = 7
) -> Exchange:
    """One exchange, with correlation id `number`."""
    asked = layout(key, version, False)
    told = layout(key, version, True)
    assert asked is not None
    assert told is not None
    head = pack(">hhih", key, version, number, len(CLIENT_ID)) + CLIENT_ID + b"\0" * (asked.header_version == 2)
    octets = head + encode(asked, request)
    back = pack(">i", number) + b"\0" * told.header_version + encode(told, answer)
    return Exchange(key, version, pack(">i", len(octets)) + octets, pack(">i", len(back)) + back, topics)


def _produce(version: int) -> Exchange:
    named: dict[str, Value] = {"TopicId": TOPIC_ID} if version >= 13 else {"Name": "orders"}
    partition: dict[str, Value] = {"Index": 3, "Records": BATCH}
    result: dict[str, Value] = {"Index": 3, "BaseOffset": 1234567}
    return exchange(
        0,
        version,
        {"Acks": -1, "TimeoutMs": 30000, "TopicData": [{**named, "PartitionData": [partition]}]},
        {"Responses": [{**named, "PartitionResponses": [result]}]},
        *(() if version >= 13 else ("orders",)),
    )


def _fetch(version: int) -> Exchange:
    names = ("orders", "payments", "parcels")
    asked: list[Value] = []
    told: list[Value] = []
    for name in names:
        named: dict[str, Value] = {"TopicId": TOPIC_ID} if version >= 13 else {"Topic": name}
        partitions: list[Value] = [{"Partition": number, "FetchOffset": 1234567} for number in range(3)]
        results: list[Value] = [
            {
                "PartitionIndex": number,
                "HighWatermark": 1234567,
                "AbortedTransactions": None,
                "Records": BATCH,
                "ErrorCode": 6 * (number == 1),
            }
            for number in range(3)
        ]
        asked.append({**named, "Partitions": partitions})
        told.append({**named, "Partitions": results})
    return exchange(
        1,
        version,
        {"MaxWaitMs": 500, "SessionId": 77, "SessionEpoch": 5, "Topics": asked},
        {"SessionId": 77, "Responses": told},
        *(() if version >= 13 else names),
    )


def _brokers(version: int) -> dict[str, Value]:
    brokers: list[Value] = [
        {"NodeId": number, "Host": f"broker-{number}.example.net", "Port": 9092} for number in (1, 2, 3)
    ]
    return {"Brokers": brokers, "ControllerId": 1, **({"ClusterId": "5L6g3nShT-eMCtK--X86sw"} if version > 1 else {})}


def _metadata(version: int) -> Exchange:
    names = ("orders", "payments")
    partitions: list[Value] = [
        {"PartitionIndex": number, "LeaderId": 1, "ReplicaNodes": [1, 2, 3], "IsrNodes": [1, 2, 3]}
        for number in range(3)
    ]
    return exchange(
        3,
        version,
        {"Topics": [{"Name": name} for name in names]},
        {**_brokers(version), "Topics": [{"Name": name, "Partitions": partitions} for name in names]},
        *names,
    )


def _api_versions(version: int) -> Exchange:
    keys: list[Value] = [{"ApiKey": key, "MaxVersion": 9} for key in range(60)]
    said: dict[str, Value] = {"ClientSoftwareName": "apache-kafka-java", "ClientSoftwareVersion": "4.0.0"}
    return exchange(18, version, said if version >= 3 else {}, {"ApiKeys": keys})


REQUESTS: Final = (_produce(9), _produce(13), _fetch(12), _fetch(18), _metadata(12), _api_versions(3))
AIOKAFKA: Final = (_produce(8), _fetch(11), _metadata(5), _api_versions(0))
"""The same in the newest versions that aiokafka reads."""


def metadata_of_many(partitions: int) -> Exchange:
    """Metadata of one topic with so many partitions."""
    each: list[Value] = [
        {"PartitionIndex": number, "LeaderId": 1, "ReplicaNodes": [1, 2, 3], "IsrNodes": [1, 2, 3]}
        for number in range(partitions)
    ]
    told: dict[str, Value] = {**_brokers(12), "Topics": [{"Name": "orders", "TopicId": TOPIC_ID, "Partitions": each}]}
    return exchange(3, 12, {"Topics": [{"Name": "orders"}]}, told, "orders")


def large_head(size: int) -> bytes:
    """A Produce v9 up to its first records, which have `size` octets; three octets come behind them."""
    whole = _produce(9).request
    compact = _varint(len(BATCH) + 1)
    at = whole.index(compact + BATCH)
    head = whole[4:at] + _varint(size + 1)
    return pack(">i", len(head) + size + 3) + head


def _varint(value: int) -> bytes:
    octets = bytearray()
    while value >= 0x80:
        octets.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*octets, value))


def round_of(exchanges: tuple[Exchange, ...]) -> tuple[list[bytes], list[bytes]]:
    """`REPEATS` times all of them, with rising correlation ids: the requests, and the answers."""
    requests: list[bytes] = []
    answers: list[bytes] = []
    for each in exchanges * REPEATS:
        number = pack(">i", len(requests))
        requests.append(each.request[:8] + number + each.request[12:])
        answers.append(each.answer[:4] + number + each.answer[8:])
    return requests, answers


def reads(frames: list[bytes]) -> list[bytes]:
    """The frames as reads of a socket."""
    octets = b"".join(frames)
    return [octets[at : at + READ_SIZE] for at in range(0, len(octets), READ_SIZE)]
