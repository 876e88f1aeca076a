"""Reading what stands inside a reply that a decoder has checked."""

from __future__ import annotations

from typing import Final

from mypy_extensions import i64

from l7codecs import Status

__all__ = ["error_status", "error_word", "first_items"]

_BULK_TYPES: Final = b"$!="
_LINE_TYPES: Final = b"+-:,(#_"

_STATUS: Final[dict[bytes, Status]] = {
    b"ASK": Status.FAILED_PRECONDITION,
    b"BUSY": Status.UNAVAILABLE,
    b"BUSYGROUP": Status.ALREADY_EXISTS,
    b"BUSYKEY": Status.ALREADY_EXISTS,
    b"CLUSTERDOWN": Status.UNAVAILABLE,
    b"CROSSSLOT": Status.INVALID_ARGUMENT,
    b"DENIED": Status.PERMISSION_DENIED,
    b"EXECABORT": Status.ABORTED,
    b"IOERR": Status.UNAVAILABLE,
    b"LOADING": Status.UNAVAILABLE,
    b"MASTERDOWN": Status.UNAVAILABLE,
    b"MISCONF": Status.FAILED_PRECONDITION,
    b"MOVED": Status.FAILED_PRECONDITION,
    b"NOAUTH": Status.UNAUTHENTICATED,
    b"NOGOODSLAVE": Status.UNAVAILABLE,
    b"NOGROUP": Status.NOT_FOUND,
    b"NOMASTERLINK": Status.UNAVAILABLE,
    b"NOPERM": Status.PERMISSION_DENIED,
    b"NOPROTO": Status.UNIMPLEMENTED,
    b"NOREPLICAS": Status.UNAVAILABLE,
    b"NOSCRIPT": Status.NOT_FOUND,
    b"NOTBUSY": Status.FAILED_PRECONDITION,
    b"NOTREADY": Status.UNAVAILABLE,
    b"OOM": Status.RESOURCE_EXHAUSTED,
    b"READONLY": Status.FAILED_PRECONDITION,
    b"TRYAGAIN": Status.UNAVAILABLE,
    b"UNBLOCKED": Status.CANCELLED,
    b"UNKILLABLE": Status.FAILED_PRECONDITION,
    b"WRONGPASS": Status.UNAUTHENTICATED,
    b"WRONGTYPE": Status.FAILED_PRECONDITION,
}
"""What the server's error words mean. The words are those of `createSharedObjects` (redis/src/server.c) and of its commands."""

_ERR_TEXTS: Final[tuple[tuple[bytes, Status], ...]] = (
    (b"unknown command", Status.UNIMPLEMENTED),
    (b"unknown subcommand", Status.UNIMPLEMENTED),
    (b"wrong number of arguments", Status.INVALID_ARGUMENT),
    (b"syntax error", Status.INVALID_ARGUMENT),
    (b"value is not", Status.INVALID_ARGUMENT),
    (b"invalid", Status.INVALID_ARGUMENT),
    (b"index out of range", Status.OUT_OF_RANGE),
    (b"DB index is out of range", Status.OUT_OF_RANGE),
    (b"no such key", Status.NOT_FOUND),
    (b"max number of clients reached", Status.RESOURCE_EXHAUSTED),
    (b"Protocol error", Status.INVALID_ARGUMENT),
)
"""``ERR`` says little; the server's own text after it says more."""

_UNKNOWN: Final = Status.UNKNOWN
_WORD_CAP: Final = 64


def _line_text(octets: bytes, at: i64, stop: i64) -> bytes:
    """The rest of the line that starts at `at`, without its end."""
    end: i64 = octets.find(b"\r\n", at, stop)
    return octets[at : end if end >= 0 else stop]


def error_word(octets: bytes, at: i64, stop: i64) -> str:
    """The first word of the error reply at `at`."""
    first = _error_start(octets, at, stop)
    return octets[first : _word_end(octets, first, stop)].decode("utf-8", "backslashreplace")


def error_status(octets: bytes, at: i64, stop: i64) -> Status:
    """What the error reply at `at` comes to."""
    first = _error_start(octets, at, stop)
    end = _word_end(octets, first, stop)
    word = octets[first:end]
    if word == b"ERR":
        rest = octets[end + 1 : min(stop, end + 33)]
        for start, status in _ERR_TEXTS:
            if rest.startswith(start):
                return status
        return _UNKNOWN
    return _STATUS.get(word, _UNKNOWN)


def _error_start(octets: bytes, at: i64, stop: i64) -> i64:
    return _after_line(octets, at, stop) if octets[at] == 0x21 else at + 1


def _word_end(octets: bytes, at: i64, stop: i64) -> i64:
    end = min(stop, at + _WORD_CAP)
    while at < end and octets[at] > 0x20:
        at += 1
    return at


def first_items(octets: bytes, at: i64, stop: i64, count: i64) -> list[bytes | None]:
    """The first `count` items of the aggregate at `at`, as octets; None for a null. Stops at an item that is an aggregate or is cut."""
    found: list[bytes | None] = []
    at = _after_line(octets, at, stop)
    while at < stop and len(found) < count:
        kind = octets[at]
        text = _line_text(octets, at + 1, stop)
        following = _after_line(octets, at, stop)
        if kind in _BULK_TYPES:
            if text == b"-1":
                found.append(None)
            elif not text.isdigit() or following + int(text) > stop:
                break
            else:
                size: i64 = int(text)
                found.append(octets[following : following + size])
                following += size + 2
        elif kind in _LINE_TYPES:
            found.append(None if kind == 0x5F else text)
        else:
            break
        at = following
    return found


def _after_line(octets: bytes, at: i64, stop: i64) -> i64:
    end: i64 = octets.find(b"\r\n", at, stop)
    return end + 2 if end >= 0 else stop
