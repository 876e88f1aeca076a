"""The attributes that stand in a body, found by the roles of its fields."""

from __future__ import annotations

from typing import Final

from mypy_extensions import i64

from l7codecs.message import AttrValue

from .._schema.layouts import (
    ACKS,
    BASE_OFFSET,
    CLUSTER_ID,
    ERROR_MESSAGE,
    GENERATION,
    GROUP,
    HOST,
    INSTANCE_ID,
    ISOLATION_LEVEL,
    KEY,
    KEY_TYPE,
    LEADER_EPOCH,
    MAX_WAIT_MS,
    MECHANISM,
    MEMBER_ID,
    NODE_ID,
    OFFSET,
    PARTITION,
    PORT,
    PRODUCER_EPOCH,
    PRODUCER_ID,
    PROTOCOL_TYPE,
    SESSION_EPOCH,
    SESSION_ID,
    SOFTWARE_NAME,
    SOFTWARE_VERSION,
    SUBSCRIPTION,
    THROTTLE_MS,
    TIMEOUT_MS,
    TRANSACTIONAL_ID,
    Layout,
)
from .._schema.walk import Found, pick
from .members import MEMBERS, add_partitions, consumers_say

__all__ = ["collect_fields"]

_TEXTS: Final[dict[int, str]] = {
    TRANSACTIONAL_ID: "kafka.transactional_id",
    MEMBER_ID: "kafka.member_id",
    INSTANCE_ID: "kafka.group_instance_id",
    CLUSTER_ID: "kafka.cluster_id",
    SOFTWARE_NAME: "kafka.client_software_name",
    SOFTWARE_VERSION: "kafka.client_software_version",
    ERROR_MESSAGE: "kafka.error_message",
}
"""Of roles that are told where they have one value."""
_NUMBERS: Final[dict[int, str]] = {
    ACKS: "kafka.acks",
    TIMEOUT_MS: "kafka.timeout_ms",
    MAX_WAIT_MS: "kafka.max_wait_ms",
    THROTTLE_MS: "kafka.throttle_ms",
    SESSION_ID: "kafka.session_id",
    SESSION_EPOCH: "kafka.session_epoch",
    ISOLATION_LEVEL: "kafka.isolation_level",
    GENERATION: "kafka.generation_id",
    PRODUCER_ID: "kafka.producer_id",
    PRODUCER_EPOCH: "kafka.producer_epoch",
}
_WANTED: Final[i64] = (
    TRANSACTIONAL_ID
    | MEMBER_ID
    | INSTANCE_ID
    | CLUSTER_ID
    | SOFTWARE_NAME
    | SOFTWARE_VERSION
    | ERROR_MESSAGE
    | ACKS
    | TIMEOUT_MS
    | MAX_WAIT_MS
    | THROTTLE_MS
    | SESSION_ID
    | SESSION_EPOCH
    | ISOLATION_LEVEL
    | GENERATION
    | PRODUCER_ID
    | PRODUCER_EPOCH
    | GROUP
    | KEY
    | KEY_TYPE
    | PARTITION
    | NODE_ID
    | LEADER_EPOCH
    | HOST
    | PORT
    | OFFSET
    | BASE_OFFSET
    | MECHANISM
    | MEMBERS
)
_LISTED: Final[i64] = (
    GROUP | KEY | PARTITION | NODE_ID | LEADER_EPOCH | HOST | OFFSET | BASE_OFFSET | MECHANISM | MEMBERS | PROTOCOL_TYPE
)
_LEADERS: Final = frozenset(("LeaderId", "Leader", "LeaderIdOrMinusOne"))
_REPLICAS: Final = frozenset(
    (
        "ReplicaNodes",
        "IsrNodes",
        "OfflineReplicas",
        "EligibleLeaderReplicas",
        "LastKnownElr",
        "Replicas",
        "Isr",
        "AddingReplicas",
        "RemovingReplicas",
        "BrokerIds",
    )
)
_FOLLOWER: Final = "ReplicaId"
_OF_OTHERS: Final = frozenset(("AbortedTransactions", "ActiveProducers"))
"""Structs whose producers are not who asks."""
_GROUP_KEY: Final = 0
_TRANSACTION_KEY: Final = 1


def collect_fields(
    layout: Layout,
    octets: bytes,
    start: i64,
    end: i64,
    partial: bool,
    attributes: dict[str, AttrValue],
    key_type: int = _GROUP_KEY,
    leaders: bool = True,
    consumers: bool = True,
) -> None:
    """Add what the body says. Raises ProtocolError where it cannot be read; nothing is added then.

    `key_type` is that of the keys of an answer to FindCoordinator, which does not say it; `leaders`: those that an answer names are ones;
    `consumers`: members of a classic group, of which it does not say the protocol type, may be consumers.
    """
    wanted: i64 = layout.has & _WANTED
    if wanted & MEMBERS != 0:
        wanted |= PROTOCOL_TYPE & layout.has
    found = pick(layout, octets, start, end, wanted, check=not partial, partial=partial)
    texts: dict[int, set[str]] = {}
    numbers: dict[int, set[int]] = {}
    count: i64 = len(found)
    at: i64 = 0
    while at < count:
        role = found.role(at)
        if role & _LISTED == 0 and found.starts(at) >= 0:
            if role in _TEXTS:
                texts.setdefault(role, set()).add(found.text(at))
            elif role in _NUMBERS and not _is_of_others(found, at):
                numbers.setdefault(role, set()).add(found.number(at))
        at += 1
    for role, said in texts.items():
        said.discard("")
        if len(said) == 1:
            attributes[_TEXTS[role]] = said.pop()
    for role, values in numbers.items():
        if role == PRODUCER_ID or role == PRODUCER_EPOCH:
            values.discard(-1)  # none yet
        if len(values) == 1:
            attributes[_NUMBERS[role]] = values.pop()
    if wanted & _LISTED != 0:
        _collect_lists(found, attributes, key_type, leaders, consumers)


def _is_of_others(found: Found, at: i64) -> bool:
    path = found.field(at).path
    return "." in path and not _OF_OTHERS.isdisjoint(path.split("."))


def _collect_lists(
    found: Found, attributes: dict[str, AttrValue], key_type: int, has_leaders: bool, consumers: bool
) -> None:
    """What there may be many of."""
    groups: dict[str, None] = {}
    partitions: list[int] = []
    offsets: list[int] = []
    nodes: dict[int, None] = {}
    leaders: dict[int, None] = {}
    replicas: dict[int, None] = {}
    epochs: dict[int, None] = {}
    hosts: dict[str, None] = {}
    mechanisms: dict[str, None] = {}
    keys: dict[str, None] = {}
    count: i64 = len(found)
    at: i64 = 0
    while at < count:
        role = found.role(at)
        if found.starts(at) < 0:
            pass
        elif role == GROUP:
            groups[found.text(at)] = None
        elif role == PARTITION:
            partitions.append(found.number(at))
        elif role == OFFSET or role == BASE_OFFSET:
            offsets.append(found.number(at))
        elif role == NODE_ID:
            node = found.number(at)
            name = found.field(at).name
            if node >= 0 and (has_leaders or name not in _LEADERS):
                nodes[node] = None
                if name in _LEADERS:
                    leaders[node] = None
                elif name in _REPLICAS:
                    replicas[node] = None
                elif name == _FOLLOWER:
                    attributes["kafka.replica_id"] = node
        elif role == LEADER_EPOCH:
            epoch = found.number(at)
            if epoch >= 0 and has_leaders:
                epochs[epoch] = None
        elif role == HOST:
            host = found.text(at)
            if host:
                port = found.number(at + 1) if at + 1 < count and found.role(at + 1) == PORT else -1
                hosts[f"{host}:{port}" if port >= 0 else host] = None
        elif role == MECHANISM:
            mechanisms[found.text(at)] = None
        elif role == KEY_TYPE:
            key_type = found.number(at)
        elif role == KEY:
            keys[found.text(at)] = None
        elif role == PROTOCOL_TYPE:
            consumers = consumers_say(found, at, consumers)
        elif role & MEMBERS != 0 and consumers:
            add_partitions(partitions, found.octets_of(at), role == SUBSCRIPTION)
        at += 1
    if keys and key_type == _GROUP_KEY:
        groups.update(keys)
    elif len(keys) == 1 and key_type == _TRANSACTION_KEY:
        attributes["kafka.transactional_id"] = next(iter(keys))
    groups.pop("", None)
    if groups:
        attributes["kafka.groups"] = tuple(groups)
        if len(groups) == 1:
            attributes["messaging.consumer.group.name"] = next(iter(groups))
    if partitions:
        attributes["kafka.partitions"] = tuple(partitions)
        if len(partitions) == 1:
            attributes["messaging.destination.partition.id"] = str(partitions[0])
    if len(offsets) == 1 and offsets[0] >= 0:
        attributes["messaging.kafka.offset"] = offsets[0]
    for name, values in (
        ("kafka.node_ids", nodes),
        ("kafka.leader_ids", leaders),
        ("kafka.replica_ids", replicas),
        ("kafka.leader_epochs", epochs),
    ):
        if values:
            attributes[name] = tuple(values)
    if hosts:
        attributes["kafka.hosts"] = tuple(hosts)
    if mechanisms:
        attributes["kafka.sasl_mechanisms"] = tuple(mechanisms)
