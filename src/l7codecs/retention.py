"""What messages that are remembered keep in memory, whatever the reads were that brought them.

A message is a pair of indexes into the read that it lies in, so one of ten octets keeps a read of 64 KiB for as long as somebody
remembers it. That is cheap while answers come; beyond a limit every message gets a copy of its own octets (`Message.detach`):

    octets that the reads have    ≤ limit                     > limit
    each message                  lies in its read            has its own octets, and lets the read go

Gathering costs what it looks at, and comes again only when as much has been added as was left: O(1) amortised for each octet
that is received.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, final

from mypy_extensions import i64

from l7codecs.message import Message

__all__ = ["SHORT", "Reads", "gather", "let_go"]

SHORT: Final[i64] = 1024
"""Octets that are left of a message for which there is no room."""
_SLACK: Final[i64] = 256
_NOTHING: Final = b""


def let_go(message: Message) -> None:
    """Detach `message`, if it lies in something much larger."""
    if len(message.octets) > 2 * (message.stop - message.start) + _SLACK:
        message.detach()


def gather(messages: Iterable[Message]) -> i64:
    """Detach every one of `messages`, in their order; returns the octets of what they lie in then."""
    size: i64 = 0
    last = _NOTHING
    for message in messages:
        let_go(message)
        if message.octets is not last:
            last = message.octets
            size += len(last)
    return size


@final
class Reads:
    """The reads that remembered messages lie in. One after the other is counted; one that comes back is counted again."""

    def __init__(self, limit: i64) -> None:
        self._limit = limit
        self._room: i64 = limit
        self._size: i64 = 0
        self.latest = _NOTHING
        """Where the latest message lies: look at it before `add`."""

    def add(self, octets: bytes) -> bool:
        """A message that lies in `octets` is remembered from now on; returns whether it is time to `gather`."""
        self.latest = octets
        self._size += len(octets)
        return self._size > self._room

    def gather(self, messages: Iterable[Message]) -> None:
        """`messages` are all that is remembered: let them go of their reads."""
        self._size = gather(messages)
        self._room = max(self._limit, 2 * self._size)

    def clear(self) -> None:
        """Nothing is remembered any more."""
        self._size = 0
        self._room = self._limit
        self.latest = _NOTHING
