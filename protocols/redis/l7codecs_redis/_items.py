"""Reading what stands inside a reply that a decoder has checked."""

from __future__ import annotations

from typing import Final

from mypy_extensions import i64

from l7codecs import Status

__all__ = ["error_status", "error_word", "first_items", "second_items"]

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
    b"INPROG": Status.FAILED_PRECONDITION,
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
    b"NOQUORUM": Status.UNAVAILABLE,
    b"NOSUCHFIELDSET": Status.NOT_FOUND,
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
    (b"Unknown subcommand", Status.UNIMPLEMENTED),  # 6.2: "… or wrong number of arguments for"
    (b"This instance has cluster support disabled", Status.UNIMPLEMENTED),
    (b"wrong number of arguments", Status.INVALID_ARGUMENT),
    (b"syntax error", Status.INVALID_ARGUMENT),
    (b"value is out of range", Status.OUT_OF_RANGE),
    (b"value is not", Status.INVALID_ARGUMENT),
    (b"hash value is not", Status.FAILED_PRECONDITION),
    (b"invalid password", Status.UNAUTHENTICATED),
    (b"invalid username-password", Status.UNAUTHENTICATED),
    (b"operation not permitted", Status.UNAUTHENTICATED),  # before 2.8, for NOAUTH
    (b"AUTH <password> called without", Status.FAILED_PRECONDITION),
    (b"Client sent AUTH, but no password is set", Status.FAILED_PRECONDITION),
    (b"invalid", Status.INVALID_ARGUMENT),
    (b"Invalid", Status.INVALID_ARGUMENT),
    (b"index out of range", Status.OUT_OF_RANGE),
    (b"offset is out of range", Status.OUT_OF_RANGE),
    (b"DB index is out of range", Status.OUT_OF_RANGE),
    (b"increment or decrement would overflow", Status.OUT_OF_RANGE),
    (b"decrement would overflow", Status.OUT_OF_RANGE),
    (b"increment would produce NaN", Status.OUT_OF_RANGE),
    (b"resulting score is not a number", Status.OUT_OF_RANGE),
    (b"string exceeds maximum allowed size", Status.OUT_OF_RANGE),
    (b"EXEC without MULTI", Status.FAILED_PRECONDITION),
    (b"DISCARD without MULTI", Status.FAILED_PRECONDITION),
    (b"MULTI calls can not be nested", Status.FAILED_PRECONDITION),
    (b"WATCH inside MULTI", Status.FAILED_PRECONDITION),
    (b"Can't execute '", Status.FAILED_PRECONDITION),  # only (P|S)SUBSCRIBE … are allowed in this context
    (b"only (P)SUBSCRIBE", Status.FAILED_PRECONDITION),  # before 6.0
    (b"Command not allowed inside a transaction", Status.FAILED_PRECONDITION),
    (b"This Redis command is not allowed from script", Status.FAILED_PRECONDITION),
    (b"CLIENT CACHING can be called only", Status.FAILED_PRECONDITION),
    (b"An LFU maxmemory policy is", Status.FAILED_PRECONDITION),
    (b"This Redis instance is not configured", Status.FAILED_PRECONDITION),
    (b"The ID specified in XADD is equal or smaller", Status.FAILED_PRECONDITION),
    (b"The ID specified in XSETID is smaller", Status.FAILED_PRECONDITION),
    (b"FAILOVER requires", Status.FAILED_PRECONDITION),
    (b"No failover in progress", Status.FAILED_PRECONDITION),
    (b"No shutdown in progress", Status.FAILED_PRECONDITION),
    (b"WAITAOF cannot be used", Status.FAILED_PRECONDITION),
    (b"DEBUG command not allowed", Status.PERMISSION_DENIED),
    (b"MODULE command not allowed", Status.PERMISSION_DENIED),
    (b"no such", Status.NOT_FOUND),
    (b"No such", Status.NOT_FOUND),
    (b"The XGROUP subcommand requires the key", Status.NOT_FOUND),
    (b"Function not found", Status.NOT_FOUND),
    (b"Library not found", Status.NOT_FOUND),
    (b"Background ", Status.UNAVAILABLE),  # "… save already in progress", and the like
    (b"Another child process is active", Status.UNAVAILABLE),
    (b"max number of clients reached", Status.RESOURCE_EXHAUSTED),
    (b"Protocol error", Status.INVALID_ARGUMENT),
    (b"Protocol version is not", Status.INVALID_ARGUMENT),
    (b"The ID specified", Status.INVALID_ARGUMENT),
    (b"source and destination objects", Status.INVALID_ARGUMENT),
    (b"timeout is ", Status.INVALID_ARGUMENT),
    (b"bit is not", Status.INVALID_ARGUMENT),
    (b"bit offset is not", Status.INVALID_ARGUMENT),
    (b"min or max", Status.INVALID_ARGUMENT),
    (b"XX and NX options", Status.INVALID_ARGUMENT),
    (b"numkeys ", Status.INVALID_ARGUMENT),
    (b"Number of keys", Status.INVALID_ARGUMENT),
    (b"at least 1 input key", Status.INVALID_ARGUMENT),
    (b"count should be", Status.INVALID_ARGUMENT),
    (b"RANK can't be zero", Status.INVALID_ARGUMENT),
    (b"unsupported unit", Status.INVALID_ARGUMENT),
    (b"Unsupported CONFIG parameter", Status.INVALID_ARGUMENT),
    (b"Unknown option", Status.INVALID_ARGUMENT),
    (b"Unknown category", Status.INVALID_ARGUMENT),
    (b"Unrecognized", Status.INVALID_ARGUMENT),
    (b"CONFIG SET failed", Status.INVALID_ARGUMENT),
    (b"Client names cannot", Status.INVALID_ARGUMENT),
    (b"Error in ACL SETUSER", Status.INVALID_ARGUMENT),
    (b"Error compiling script", Status.INVALID_ARGUMENT),
    (b"Missing library metadata", Status.INVALID_ARGUMENT),
    (b"DUMP payload", Status.INVALID_ARGUMENT),
    (b"BITOP ", Status.INVALID_ARGUMENT),
    (b"OPTIN and OPTOUT", Status.INVALID_ARGUMENT),
)
"""``ERR`` says little; the server's own text after it says more. The first that fits counts.

Most were provoked from redis-server 6.2.14, 7.0.15 and 8.10.2. Those of servers before 6.0 and of sentinels are not checked against one.
"""

_ERR_ENDINGS: Final[tuple[tuple[bytes, Status], ...]] = (
    (b" would overflow", Status.OUT_OF_RANGE),
    (b" out of range", Status.OUT_OF_RANGE),
    (b" are allowed in this context", Status.FAILED_PRECONDITION),
    (b" is not allowed in transactions", Status.FAILED_PRECONDITION),
    (b" disabled", Status.UNIMPLEMENTED),
    (b" not supported", Status.UNIMPLEMENTED),
    (b" not found", Status.NOT_FOUND),
    (b" does not exist", Status.NOT_FOUND),
    (b" already exists", Status.ALREADY_EXISTS),
)
"""What such a text may end with, where its beginning names something of the command's or a module's."""

_UNKNOWN: Final = Status.UNKNOWN
_WORD_CAP: Final = 64
_TEXT_CAP: Final = 256


def _line_text(octets: bytes, at: i64, stop: i64) -> bytes:
    """The rest of the line that starts at `at`, without its end."""
    end: i64 = octets.find(b"\r\n", at, stop)
    return octets[at : end if end >= 0 else stop]


def error_word(octets: bytes, at: i64, stop: i64) -> str:
    """The first word of the error reply at `at`; ERR where there is none, as the server's own count of errors has it."""
    first = _error_start(octets, at, stop)
    return octets[first : _word_end(octets, first, stop)].decode("utf-8", "backslashreplace") or "ERR"


def error_status(octets: bytes, at: i64, stop: i64) -> Status:
    """What the error reply at `at` comes to."""
    first = _error_start(octets, at, stop)
    end = _word_end(octets, first, stop)
    word = octets[first:end]
    if word == b"ERR":
        rest = _line_text(octets, end + 1, min(stop, end + 1 + _TEXT_CAP))
        for start, status in _ERR_TEXTS:
            if rest.startswith(start):
                return status
        rest = rest.rstrip(b".")
        for ending, status in _ERR_ENDINGS:
            if rest.endswith(ending):
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


def second_items(octets: bytes, at: i64, stop: i64) -> list[bytes]:
    """The strings of the array that is the second item of the push at `at`, whose first item is a bulk string; empty for a null."""
    head = first_items(octets, at, stop, 1)
    if not head or head[0] is None:
        return []
    following = _after_line(octets, at, stop)
    array = _after_line(octets, following, stop) + len(head[0]) + 2
    if array >= stop or octets[array] != 0x2A:
        return []
    size = _line_text(octets, array + 1, stop)
    if not size.isdigit():
        return []
    return [item for item in first_items(octets, array, stop, int(size)) if item is not None]


def _after_line(octets: bytes, at: i64, stop: i64) -> i64:
    end: i64 = octets.find(b"\r\n", at, stop)
    return end + 2 if end >= 0 else stop
