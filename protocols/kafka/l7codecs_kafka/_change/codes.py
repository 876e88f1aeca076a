"""Which error code makes a client do what a status asks for: try again, look elsewhere, or give up.

Clients know for each API what they try again. A code that another API knows as passing may be fatal: Java's consumer fails at
COORDINATOR_LOAD_IN_PROGRESS in a Heartbeat, and at any code in a Fetch that it does not expect; librdkafka's does not go on after
COORDINATOR_NOT_AVAILABLE in an OffsetFetch. So a status becomes

                          leader        coordinator   transaction        controller    the rest
                          Produce,      JoinGroup,    InitProducerId,    CreateTopics, Metadata,
                          Fetch…        Heartbeat…    EndTxn…            configs…      SASL…
    UNAVAILABLE           6             15, 14        15, 14             41            5, 15, 13
    DEADLINE_EXCEEDED     7, 6          15, 14        15, 14             7             the same
    RESOURCE_EXHAUSTED    as UNAVAILABLE                                 89            the same
    ABORTED               as UNAVAILABLE, 27          51                 41            the same
    PERMISSION_DENIED     29            30            53                 31            29, 31, 58
    NOT_FOUND             3, 100        69            105                3, 91         3

5 LEADER_NOT_AVAILABLE, 6 NOT_LEADER_OR_FOLLOWER (asks for Metadata and tries again), 7 REQUEST_TIMED_OUT, 13 NETWORK_EXCEPTION,
14 COORDINATOR_LOAD_IN_PROGRESS (tries again), 15 COORDINATOR_NOT_AVAILABLE (looks for the coordinator), 27 REBALANCE_IN_PROGRESS (joins
again), 41 NOT_CONTROLLER, 51 CONCURRENT_TRANSACTIONS, 89 THROTTLING_QUOTA_EXCEEDED.
"""

from __future__ import annotations

from typing import Final

from l7codecs import Status

__all__ = ["UNSUPPORTED_VERSION", "error_code"]

UNSUPPORTED_VERSION: Final = 35

_LEADER: Final = 0
_COORDINATOR: Final = 1
_TRANSACTION: Final = 2
_CONTROLLER: Final = 3
_OTHER: Final = 4

_KEYS: Final[tuple[tuple[int, ...], ...]] = (
    (0, 1, 2, 4, 5, 6, 21, 23, 34, 35, 61, 78, 79, 83, 84, 85, 86, 87),
    (8, 9, 11, 12, 13, 14, 15, 16, 42, 47, 68, 69, 76, 77, 88, 89, 90, 91, 92, 93),
    (22, 24, 25, 26, 27, 28, 65, 66),
)
_CLASSES: Final[dict[int, int]] = {key: kind for kind, keys in enumerate(_KEYS) for key in keys}
_OTHERS: Final = (3, 10, 17, 18, 36, 58, 71, 72, 75)
"""What is neither asked of a leader or coordinator nor of the controller."""

_PRODUCE: Final = 0
_FETCH: Final = 1
_METADATA: Final = 3
_FIND_COORDINATOR: Final = 10
_JOIN_GROUP: Final = 11
_HEARTBEAT: Final = 12
_SYNC_GROUP: Final = 14
_OFFSET_COMMIT: Final = 8
_OFFSET_FETCH: Final = 9
_SASL: Final = (17, 36)
_CREATE_TOPICS: Final = 19
_INIT_PRODUCER_ID: Final = 22
_QUOTAS: Final = (19, 20, 37)
"""CreateTopics, DeleteTopics, CreatePartitions: where THROTTLING_QUOTA_EXCEEDED is known, and tried again."""
_TOPICS: Final = (3, 19, 20, 37, 43, 45, 46, 75)
"""Of topics, and not asked of their leaders."""
_CONFIGS: Final = (32, 33, 44, 74)

_PASSING: Final = (
    Status.UNAVAILABLE,
    Status.DEADLINE_EXCEEDED,
    Status.RESOURCE_EXHAUSTED,
    Status.ABORTED,
    Status.CANCELLED,
)


def error_code(key: int, version: int, status: Status, by_id: bool) -> int:
    """The error code that says `status` to who asked `key` in `version`; `by_id`: topics have ids there, and no names."""
    kind = _CLASSES.get(key, _OTHER if key in _OTHERS else _CONTROLLER)
    if status in _PASSING:
        return _passing(key, kind, status)
    if status is Status.PERMISSION_DENIED or status is Status.UNAUTHENTICATED:
        return _denied(key, kind)
    if status is Status.NOT_FOUND:
        return _missing(key, kind, by_id)
    if status is Status.ALREADY_EXISTS:
        return 36 if key == _CREATE_TOPICS else 42
    if status is Status.INVALID_ARGUMENT:
        return 42
    if status is Status.OUT_OF_RANGE:
        return 1 if key == _FETCH else 42
    if status is Status.FAILED_PRECONDITION:
        return 44
    if status is Status.UNIMPLEMENTED:
        return UNSUPPORTED_VERSION
    return -1  # UNKNOWN_SERVER_ERROR


def _passing(key: int, kind: int, status: Status) -> int:
    """What is tried again."""
    if kind == _LEADER:
        # A consumer fails at REQUEST_TIMED_OUT in a Fetch, which it does not expect there.
        return 7 if status is Status.DEADLINE_EXCEEDED and key != _FETCH else 6
    if key == _OFFSET_FETCH:
        return 14  # librdkafka does not ask again after COORDINATOR_NOT_AVAILABLE
    if kind == _COORDINATOR:
        return 27 if status is Status.ABORTED and key in (_JOIN_GROUP, _HEARTBEAT, _SYNC_GROUP, _OFFSET_COMMIT) else 15
    if kind == _TRANSACTION:
        if key == _INIT_PRODUCER_ID:
            return 14  # of an idempotent producer, which has no coordinator to look for
        return 51 if status is Status.ABORTED else 15
    if kind == _CONTROLLER:
        if status is Status.RESOURCE_EXHAUSTED and key in _QUOTAS:
            return 89
        return 7 if status is Status.DEADLINE_EXCEEDED else 41
    if key == _FIND_COORDINATOR:
        return 15
    return 5 if key in _TOPICS else 13


def _denied(key: int, kind: int) -> int:
    if key in _SASL:
        return 58  # SASL_AUTHENTICATION_FAILED
    if kind == _LEADER or key in _TOPICS:
        return 29  # TOPIC_AUTHORIZATION_FAILED
    if kind == _COORDINATOR or key == _FIND_COORDINATOR:
        return 30  # GROUP_AUTHORIZATION_FAILED
    if kind == _TRANSACTION:
        return 53  # TRANSACTIONAL_ID_AUTHORIZATION_FAILED
    return 31  # CLUSTER_AUTHORIZATION_FAILED


def _missing(key: int, kind: int, by_id: bool) -> int:
    if kind == _LEADER or key in _TOPICS:
        return 100 if by_id else 3  # UNKNOWN_TOPIC_ID, UNKNOWN_TOPIC_OR_PARTITION
    if kind == _COORDINATOR:
        return 69  # GROUP_ID_NOT_FOUND
    if kind == _TRANSACTION:
        return 105  # TRANSACTIONAL_ID_NOT_FOUND
    return 91 if key in _CONFIGS else 42  # RESOURCE_NOT_FOUND
