"""What requests do, by their API: access, pins, what blocks, and what only brokers say to each other.

Access is what other clients see of it, not the server's ACL operation (which is READ for joining a group and for committing its offsets):

    read     tells data, offsets and where they are; opens the connection
    write    changes what others see: records, offsets, transactions, members of groups, what a share group has acquired
    admin    changes or shows the cluster: topics, configurations, ACLs, quotas, brokers, the groups and transactions of others
    unknown  a key that the table does not have
"""

from __future__ import annotations

from typing import Final

from mypy_extensions import i64

from .._schema.layouts import apis

__all__ = ["access_of", "is_internal", "operation_type"]

_READ: Final = frozenset(
    [
        "Fetch",
        "ListOffsets",
        "Metadata",
        "OffsetFetch",
        "FindCoordinator",
        "Heartbeat",
        "SaslHandshake",
        "ApiVersions",
        "OffsetForLeaderEpoch",
        "SaslAuthenticate",
        "GetTelemetrySubscriptions",
        "DescribeTopicPartitions",
        "ReadShareGroupState",
        "ReadShareGroupStateSummary",
    ]
)
_WRITE: Final = frozenset(
    [
        "Produce",
        "OffsetCommit",
        "JoinGroup",
        "LeaveGroup",
        "SyncGroup",
        "DeleteRecords",
        "InitProducerId",
        "AddPartitionsToTxn",
        "AddOffsetsToTxn",
        "EndTxn",
        "WriteTxnMarkers",
        "TxnOffsetCommit",
        "OffsetDelete",
        "ConsumerGroupHeartbeat",
        "PushTelemetry",
        "ShareGroupHeartbeat",
        "ShareFetch",
        "ShareAcknowledge",
        "InitializeShareGroupState",
        "WriteShareGroupState",
        "DeleteShareGroupState",
        "StreamsGroupHeartbeat",
        "AlterShareGroupOffsets",
        "DeleteShareGroupOffsets",
        "StreamsGroupTopologyDescriptionUpdate",
    ]
)
_INTERNAL: Final = frozenset(
    [
        "LeaderAndIsr",
        "StopReplica",
        "UpdateMetadata",
        "ControlledShutdown",
        "WriteTxnMarkers",
        "Vote",
        "BeginQuorumEpoch",
        "EndQuorumEpoch",
        "AlterPartition",
        "Envelope",
        "FetchSnapshot",
        "BrokerRegistration",
        "BrokerHeartbeat",
        "AllocateProducerIds",
        "ControllerRegistration",
        "AssignReplicasToDirs",
        "UpdateRaftVoter",
        "InitializeShareGroupState",
        "ReadShareGroupState",
        "WriteShareGroupState",
        "DeleteShareGroupState",
        "ReadShareGroupStateSummary",
    ]
)
"""What brokers and controllers alone say to each other, whatever the fields."""
_TYPES: Final[dict[str, str]] = {
    "Produce": "send",
    "Fetch": "receive",
    "ShareFetch": "receive",
    "ShareAcknowledge": "settle",
    "OffsetCommit": "settle",
    "TxnOffsetCommit": "settle",
}
"""``messaging.operation.type`` of those that have one."""

_access: Final[list[str]] = []
_internal: Final[list[bool]] = []
_types: Final[list[str | None]] = []


def _fill() -> None:
    for known in apis():
        while len(_access) <= known.key:
            _access.append("unknown")
            _internal.append(False)
            _types.append(None)
        name = known.name
        _access[known.key] = "read" if name in _READ else "write" if name in _WRITE else "admin"
        _internal[known.key] = name in _INTERNAL
        _types[known.key] = _TYPES.get(name)


_fill()


def access_of(key: i64) -> str:
    """``l7.access``"""
    return _access[key] if 0 <= key < len(_access) else "unknown"


def is_internal(key: i64) -> bool:
    """Whether brokers and controllers alone say it."""
    return 0 <= key < len(_internal) and _internal[key]


def operation_type(key: i64) -> str | None:
    """``messaging.operation.type``"""
    return _types[key] if 0 <= key < len(_types) else None
