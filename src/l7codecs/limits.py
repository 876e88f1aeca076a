"""The limits of one session, and of what sessions share. Every field has a unit and a default; none is ever reserved up front."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["DEFAULT_LIMITS", "REFUSED_AT", "Limits"]

REFUSED_AT: Final = 8
"""How many times ``pending`` or ``queued`` an endpoint takes before it raises `LimitExceeded`."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one session may use. Past a limit a decoder raises `LimitExceeded`, unless the field says otherwise.

    head: octets of a message's head: a line, a header block, the fixed part of a frame.
    message: octets of one message that are buffered; a larger message is announced by its head and streams as `Data`.
    payload: octets that one length on the wire may declare; a larger one is taken for garbage.
    nesting: levels of containers inside a message.
    elements: items that one container may declare.
    pending: requests remembered until they are answered. Past it an observer forgets the oldest, whose answer comes with
        ``request=None``. An endpoint of a protocol that pairs by order never forgets: it is ``full``, and raises at 8 times as many.
    waiting: octets of the requests that are remembered, with what they inflate to (`Message.kept`). Past it an observer keeps of each
        further one at most its first 1024 octets, until half of it is free again: a copy with ``more``, which is then the ``request``
        of its answer. An endpoint of a protocol that pairs by order is ``full``, and raises at 8 times as many. As much again may be
        kept by the reads that they lie in.
    queued: octets of answers and pushes that wait for their turn in an endpoint, or while it is paused. From there on it is
        ``full``, and raises at 8 times as many. The reads that they lie in may keep 128 KiB beside that, and the latest of them.
    streams: concurrent streams of a multiplexed connection. Past it an observer, which may not have seen how they ended, forgets requests,
        whose answers come with ``request=None``.
    shared: octets of what the sessions of one service have learnt for each other. Past it what was used longest ago is forgotten.
    detection: octets of one direction that detection may wait for; past it the best candidate is taken.
    """

    head: int = 64 * 1024
    message: int = 1024 * 1024
    payload: int = 512 * 1024 * 1024
    nesting: int = 64
    elements: int = 1024 * 1024
    pending: int = 10_000
    waiting: int = 16 * 1024 * 1024
    queued: int = 8 * 1024 * 1024
    streams: int = 1_000
    shared: int = 1024 * 1024
    detection: int = 1024

    def __post_init__(self) -> None:
        for name in self.__slots__:
            value = getattr(self, name)
            if not isinstance(value, int) or value < 1 or value > 2**62:
                raise ValueError(f"limit {name} must be an integer from 1 to 2**62, not {value!r}")


DEFAULT_LIMITS = Limits()
