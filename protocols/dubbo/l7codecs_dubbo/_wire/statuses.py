"""The status octet of answers: its words, and what it is among the canonical codes.

What a provider could not find it tells by BAD_REQUEST or SERVICE_ERROR (never by SERVICE_NOT_FOUND, as of 2.7 and 3.x); which of
both depends on its version and on whether the method has parameters. Where the text names the cause, the cause decides.
"""

from __future__ import annotations

from typing import Final

from mypy_extensions import i64

from l7codecs import Status

__all__ = ["NAMES", "OK", "failure_status", "status_name"]

OK: Final[i64] = 20

NAMES: Final[dict[int, str]] = {
    20: "OK",
    25: "SERIALIZATION_ERROR",
    30: "CLIENT_TIMEOUT",
    31: "SERVER_TIMEOUT",
    35: "CHANNEL_INACTIVE",
    40: "BAD_REQUEST",
    50: "BAD_RESPONSE",
    60: "SERVICE_NOT_FOUND",
    70: "SERVICE_ERROR",
    80: "SERVER_ERROR",
    90: "CLIENT_ERROR",
    100: "SERVER_THREADPOOL_EXHAUSTED_ERROR",
}
"""As the constants of `org.apache.dubbo.remoting.exchange.Response` have them."""

_STATUSES: Final[dict[int, Status]] = {
    20: Status.OK,
    25: Status.INTERNAL,
    30: Status.DEADLINE_EXCEEDED,
    31: Status.DEADLINE_EXCEEDED,
    35: Status.UNAVAILABLE,
    40: Status.INVALID_ARGUMENT,
    50: Status.INTERNAL,
    60: Status.UNIMPLEMENTED,
    70: Status.INTERNAL,
    80: Status.INTERNAL,
    90: Status.INTERNAL,
    100: Status.RESOURCE_EXHAUSTED,
}
_MISSING: Final = ("Not found exported service", "No such method", "Service not found", 'cause: Not found method "')
"""In the first line of BAD_REQUEST and SERVICE_ERROR: what was asked for is not there."""
_TOO_LARGE: Final = "Data length too large: "
"""The first words of SERIALIZATION_ERROR where an answer passes the provider's limit."""
_LOOK: Final = 4096
"""Characters of a line that are looked at."""


def status_name(number: i64) -> str:
    """``SERVICE_ERROR``; the number where it has no name."""
    return NAMES.get(number) or str(number)


def failure_status(number: i64, text: str | None) -> Status:
    """The canonical code of an answer with the status `number`, which is not 20, and this `text`."""
    if text is not None:
        if number == 40 or number == 70:
            line = text[:_LOOK].partition("\n")[0]
            for words in _MISSING:
                if words in line:
                    return Status.UNIMPLEMENTED
        elif number == 25 and text.startswith(_TOO_LARGE):
            return Status.RESOURCE_EXHAUSTED
    return _STATUSES.get(number) or Status.UNKNOWN
