"""What error codes mean: their names, and their place among the 17 outcomes that all protocols share.

Codes are part of ordinary traffic: every new member of a classic group is refused once with MEMBER_ID_REQUIRED (79), and a healthy broker
that has just started answers COORDINATOR_LOAD_IN_PROGRESS (14), COORDINATOR_NOT_AVAILABLE (15) and CONCURRENT_TRANSACTIONS (51). So:

    UNAVAILABLE          try the same again, there or at another broker: a leader that moves, a coordinator that loads
    ABORTED              try again from a step before: join the group, begin a session or a transaction anew
    RESOURCE_EXHAUSTED   later, or less of it
    any other            the same again has the same outcome
"""

from __future__ import annotations

from typing import Final

from mypy_extensions import i64

from l7codecs import Status

from .error_table import ERROR_NAMES

__all__ = ["NO_ERROR", "error_name", "error_status", "is_known_error", "worst_status"]

NO_ERROR: Final[i64] = 0
_UNKNOWN_SERVER_ERROR: Final = -1

_CODES: Final[dict[Status, tuple[int, ...]]] = {
    Status.UNKNOWN: (_UNKNOWN_SERVER_ERROR,),
    Status.INVALID_ARGUMENT: (
        4, 10, 12, 17, 18, 21, 24, 26, 28, 32, 37, 38, 39, 40, 42, 50, 67, 87, 93, 95, 112, 118, 119, 128, 130, 131,
    ),
    Status.DEADLINE_EXCEEDED: (7,),
    Status.NOT_FOUND: (3, 57, 62, 69, 85, 91, 98, 100, 102, 105, 116, 127, 136),
    Status.ALREADY_EXISTS: (36, 46, 92, 101, 126),
    Status.PERMISSION_DENIED: (29, 30, 31, 53, 63, 64, 65),
    Status.RESOURCE_EXHAUSTED: (81, 89, 133),
    Status.FAILED_PRECONDITION: (
        11, 23, 34, 43, 44, 45, 47, 48, 49, 54, 59, 60, 61, 68, 73, 77, 82, 84, 86, 90, 94, 96, 103, 104, 107, 111, 114, 115, 121, 125,
        132,
    ),
    Status.ABORTED: (22, 25, 27, 52, 55, 70, 71, 79, 106, 108, 110, 113, 117, 120, 122, 123, 124, 129),
    Status.OUT_OF_RANGE: (1, 99, 109),
    Status.UNIMPLEMENTED: (35, 76),
    Status.INTERNAL: (97, 134, 135),
    Status.UNAVAILABLE: (5, 6, 8, 9, 13, 14, 15, 16, 19, 20, 41, 51, 56, 72, 74, 75, 78, 80, 83, 88),
    Status.DATA_LOSS: (2,),
    Status.UNAUTHENTICATED: (33, 58, 66),
}  # fmt: skip
_STATUS: Final[dict[int, Status]] = {0: Status.OK} | {
    code: status for status, codes in _CODES.items() for code in codes
}
_MILD: Final = (Status.OK, Status.UNAVAILABLE, Status.ABORTED, Status.RESOURCE_EXHAUSTED)
"""From the mildest on; any other is worse: it does not pass when it is tried again."""
_RANK: Final[dict[Status, int]] = {status: rank for rank, status in enumerate(_MILD)}


def error_name(code: int) -> str:
    """The name of an error code, as `org.apache.kafka.common.protocol.Errors` has it; its number where the table does not have it."""
    return ERROR_NAMES.get(code) or str(code)


def is_known_error(code: int) -> bool:
    """Whether the table has the code."""
    return code in ERROR_NAMES


def error_status(code: int) -> Status:
    """The outcome that an error code stands for; UNKNOWN where the table does not have it."""
    return _STATUS.get(code, Status.UNKNOWN)


def worst_status(codes: list[int]) -> Status:
    """The worst of the outcomes of `codes`; of equally bad ones the first. OK where there is none."""
    worst = Status.OK
    rank = 0
    for code in codes:
        if code == 0:
            continue
        status = error_status(code)
        found = _RANK.get(status, len(_MILD))
        if found > rank:
            worst = status
            rank = found
    return worst
