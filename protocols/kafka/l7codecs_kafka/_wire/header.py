"""The headers of requests and answers, beyond their fixed places.

    tagged fields   count, then of each: tag, size, octets; all three are varints (seven bits an octet, the lowest first)

KIP-482. Which header a message has: see `l7codecs_kafka._schema.layouts`.
"""

from __future__ import annotations

from typing import Final

from mypy_extensions import i64

from .._schema.walk import read_varint

__all__ = ["ANSWER", "CLIENT_ID", "CORRELATION", "KEY", "SHORTEST", "VERSION", "skip_tags"]

KEY: Final[i64] = 4
"""Where in a request they stand, counted from its size."""
VERSION: Final[i64] = 6
CORRELATION: Final[i64] = 8
CLIENT_ID: Final[i64] = 12
"""Of its size, 16 bits; -1 is null."""
SHORTEST: Final[i64] = 12
"""Octets of a request without a client id: ControlledShutdown v0."""
ANSWER: Final[i64] = 8
"""Octets of an answer's size and correlation id."""


def skip_tags(octets: bytes, at: i64, stop: i64) -> i64:
    """Behind the tagged fields at `at`; -1 where they do not end before `stop`."""
    if at < stop and octets[at] == 0:
        return at + 1
    read = read_varint(octets, at, stop)
    if read < 0:
        return -1
    count = read >> 3
    at += read & 7
    while count > 0:
        read = read_varint(octets, at, stop)
        if read < 0:
            return -1
        at += read & 7
        read = read_varint(octets, at, stop)
        if read < 0:
            return -1
        at += (read & 7) + (read >> 3)
        if at > stop:
            return -1
        count -= 1
    return at
