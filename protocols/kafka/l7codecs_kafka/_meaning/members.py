"""What members of classic groups tell each other, which the broker passes on: topics and partitions, where they are consumers.

    version(16)  ConsumerProtocolSubscription, or ConsumerProtocolAssignment

Newer versions only add: one that is not known is read as the newest that is, as Java's clients do. Some clients say a version and leave out
what it added (kafka-go 0.4.51: version 1 in the form of 0): what a lower version reads to its end is one of that. What is no such thing, as
the octets of other protocol types, names nothing.
"""

from __future__ import annotations

from typing import Final

from librt.strings import read_i16_be
from mypy_extensions import i64

from l7codecs import ProtocolError

from .._schema.layouts import (
    ASSIGNMENT,
    PARTITION,
    PROTOCOL_TYPE,
    SUBSCRIPTION,
    TOPIC,
    Layout,
    consumer_data,
)
from .._schema.walk import Found, pick

__all__ = [
    "CONSUMER",
    "MEMBERS",
    "VERSION_SIZE",
    "add_partitions",
    "add_topics",
    "are_consumers",
    "consumers_say",
    "read_member",
]

CONSUMER: Final = b"consumer"
"""The protocol type of groups whose members tell their topics."""
MEMBERS: Final[i64] = SUBSCRIPTION | ASSIGNMENT
"""The fields with what members tell."""
VERSION_SIZE: Final[i64] = 2
_NEWEST: Final[i64] = 3


def read_member(octets: bytes, subscribes: bool, wanted: i64) -> Found | None:
    """Where the fields with the roles `wanted` stand in a subscription or assignment; None where the octets are no such thing, wholly."""
    if len(octets) < VERSION_SIZE:
        return None
    claimed = i64(read_i16_be(octets, 0))
    name = "ConsumerProtocolSubscription" if subscribes else "ConsumerProtocolAssignment"
    version = min(claimed, _NEWEST)
    while version >= 0:
        layout = consumer_data(name, int(version))
        if layout is not None:
            found = _whole(layout, octets, wanted)
            if found is not None and (found.at == len(octets) or claimed > _NEWEST):
                return found
        version -= 1
    return None


def _whole(layout: Layout, octets: bytes, wanted: i64) -> Found | None:
    try:
        return pick(layout, octets, VERSION_SIZE, len(octets), wanted, True)
    except ProtocolError:
        return None


def consumers_say(found: Found, number: i64, before: bool) -> bool:
    """Whether members are consumers behind entry `number`, the protocol type; where it is null, they are what they were `before`."""
    kind = found.octets_of(number)
    return before if kind is None else kind == CONSUMER


def are_consumers(layout: Layout, octets: bytes, start: i64, end: i64, partial: bool) -> bool:
    """Whether the request ``octets[start:end]`` may be one of consumers: its protocol type, where it says one, is theirs."""
    if layout.has & PROTOCOL_TYPE == 0:
        return True
    try:
        found = pick(layout, octets, start, end, PROTOCOL_TYPE, partial=partial)
    except ProtocolError:
        return False
    return len(found) == 0 or consumers_say(found, 0, True)


def add_topics(topics: dict[str | bytes, None], octets: bytes | None, subscribes: bool) -> None:
    """Add the topics that a member tells."""
    found = None if octets is None else read_member(octets, subscribes, TOPIC)
    if found is None:
        return
    for number in range(len(found)):
        if 0 <= found.starts(number) < found.ends(number):
            topics[found.text(number)] = None


def add_partitions(partitions: list[int], octets: bytes | None, subscribes: bool) -> None:
    """Add the partitions that a member tells: what it owns, or is given."""
    found = None if octets is None else read_member(octets, subscribes, PARTITION)
    if found is not None:
        for number in range(len(found)):
            partitions.append(found.number(number))
