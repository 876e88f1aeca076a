"""Requests that an endpoint has given up: their answers, which are still to come, are swallowed.

An answer keeps its place: where answers come in order it is counted, where they have numbers its number stays used. It is decoded like any
other, and then it is nothing, with its `Data`.
"""

from __future__ import annotations

from typing import Final, final

from mypy_extensions import i64

from l7codecs.message import Data, Event, Message
from l7codecs.pairing.tables import PairingTable

__all__ = ["GivenUp"]

_ENOUGH: Final[i64] = 64
"""So many may be given up before those are looked for whose answer will not come."""


@final
class GivenUp:
    """The requests of one direction that were given up, until the last of their answers has come."""

    def __init__(self, table: PairingTable) -> None:
        self._table = table
        self._requests: dict[Message, Message] = {}
        """By request: what was sent for it."""
        self._room: i64 = _ENOUGH
        self._heads: set[Message] = set()
        """Answers whose `Data` are still to come."""

    def add(self, request: Message, sent: Message) -> None:
        """`request`, for which `sent` waits in the table, is given up."""
        self._requests[request] = sent
        for forgotten in self._table.give_up(sent):
            self._requests.pop(forgotten, None)
        if len(self._requests) > self._room:
            # Some may have stayed silent, or were forgotten.
            self._requests = {each: waits for each, waits in self._requests.items() if self._table.owes(waits)}
            self._room = max(_ENOUGH, 2 * len(self._requests))

    def add_head(self, answer: Message) -> None:
        """An answer that has begun is given up."""
        self._heads.add(answer)

    def has(self, request: Message) -> bool:
        """Whether `request` was given up and is not answered."""
        return request in self._requests

    @property
    def count(self) -> int:
        """How many answers are still to come, or to end."""
        return len(self._requests) + len(self._heads)

    def clear(self) -> None:
        """No answer will come."""
        self._requests.clear()
        self._heads.clear()

    def swallows(self, event: Event) -> bool:
        """Whether `event` is nothing."""
        if isinstance(event, Data):
            head = event.message
            if head not in self._heads:
                return False
            if not event.more:
                self._heads.discard(head)
            return True
        if not isinstance(event, Message):
            return False
        request = event.request
        if request is None or event.sender is request.sender:
            return False
        sent = self._requests.get(request)
        if sent is None:
            return False
        if event.more:
            self._heads.add(event)
        if not self._table.owes(sent):
            del self._requests[request]
        return True
