"""What messages that are remembered keep in memory, whatever the reads were that brought them.

A message is a pair of indexes into the read that it lies in, so one of ten octets keeps a read of 64 KiB for as long as somebody
remembers it. That is cheap while answers come; beyond a limit every message gets a copy of its own octets (`Message.detach`):

    octets that the reads have    ≤ limit                     > limit, once seen
    each message                  lies in its read            has its own octets, and lets the read go

What the reads have is summed as messages come, and counted anew when the sum passes twice the limit, since messages have left
meanwhile. That costs what it looks at, and comes again only when as much has been added as was left: O(1) amortised for each octet
that is received.
"""

from __future__ import annotations

from typing import Final, final

from mypy_extensions import i64

from l7codecs.message import Message

__all__ = ["SHORT", "Reads", "beside", "gather", "let_go"]

SHORT: Final[i64] = 1024
"""Octets that are left of a message for which there is no room."""
_SLACK: Final[i64] = 256
_NOTHING: Final = b""


def beside(message: Message) -> i64:
    """The octets of memory that `message` keeps beside those that it came in."""
    return message.kept - (message.stop - message.start)


def let_go(message: Message) -> None:
    """Detach `message`, if it lies in something much larger."""
    if len(message.octets) > 2 * (message.stop - message.start) + _SLACK:
        message.detach()


def _octets_of(messages: list[Message]) -> i64:
    """The octets that `messages` lie in; what several in a row lie in counts once."""
    size: i64 = 0
    last = _NOTHING
    for message in messages:
        if message.octets is not last:
            last = message.octets
            size += len(last)
    return size


def gather(messages: list[Message], room: i64) -> i64:
    """Detach every one of `messages`, in their order, if what they lie in is more than `room`; returns the octets of it then."""
    size = _octets_of(messages)
    if size <= room:
        return size
    for message in messages:
        let_go(message)
    return _octets_of(messages)


@final
class Reads:
    """The reads that remembered messages lie in. One after the other is counted; one that comes back is counted again."""

    def __init__(self, limit: i64) -> None:
        self._limit = limit
        self._room: i64 = 2 * limit
        self._size: i64 = 0
        self.latest = _NOTHING
        """Where the latest message lies: look at it before `add`."""

    def add(self, octets: bytes) -> bool:
        """A message that lies in `octets` is remembered from now on; returns whether it is time to `gather`."""
        self.latest = octets
        self._size += len(octets)
        return self._size > self._room

    def gather(self, messages: list[Message]) -> None:
        """`messages` are all that is remembered: let them go of their reads, if these are more than there is room for."""
        self._size = gather(messages, self._limit)
        self._room = 2 * max(self._limit, self._size)

    def clear(self) -> None:
        """Nothing is remembered any more."""
        self._size = 0
        self._room = 2 * self._limit
        self.latest = _NOTHING
