"""Large messages that can be changed as a whole only: what has come of them, until the last of it has.

    given     head (more)      Data, Data      Data (last)
    written   nothing          nothing         the whole message, changed

A message is gathered where its first octets say something of the last, such as a size, that the change may change.
"""

from __future__ import annotations

from typing import final

from mypy_extensions import i64

from l7codecs.endpoint.changes import Changes
from l7codecs.errors import LimitExceeded
from l7codecs.kinds import Kind
from l7codecs.limits import REFUSED_AT, Limits
from l7codecs.message import Data, Message
from l7codecs.pairing.retention import let_go

__all__ = ["Gathered", "Gathering"]


@final
class Gathered:
    """A message of which the head has come, and what of its rest; and what is to be changed in it."""

    def __init__(self, head: Message, changes: Changes) -> None:
        self.head = head
        self.changes = changes
        self.parts = [head.raw]
        self.size: i64 = head.kept

    @property
    def octets(self) -> bytes:
        """What has come."""
        return b"".join(self.parts)


@final
class Gathering:
    """The messages that one session gathers. Their octets are part of `Session.queued`, and bounded as what waits is."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._found: dict[Message, Gathered] = {}
        self.size: i64 = 0
        """Octets of all of them."""

    def begin(self, head: Message, changes: Changes) -> None:
        """Gather what follows `head`. Raises `LimitExceeded` where that is too much already."""
        self._check(head, head.kept)
        let_go(head)
        found = Gathered(head, changes)
        self._found[head] = found
        self.size += found.size

    def has(self, data: Data) -> bool:
        """Whether `data` is of what is gathered."""
        return data.message in self._found

    def add(self, data: Data) -> Gathered | None:
        """Take `data`, which is of what is gathered; returns that when it is whole. Raises `LimitExceeded` where it is too much."""
        found = self._found[data.message]
        octets = data.raw
        size: i64 = len(octets)
        self._check(data.message, size)
        found.parts.append(octets)
        found.size += size
        self.size += size
        if data.more:
            return None
        self.drop(data.message)
        return found

    def drop(self, head: Message) -> bool:
        """Forget the message that began with `head`; whether there was one."""
        found = self._found.pop(head, None)
        if found is None:
            return False
        self.size -= found.size
        return True

    def drop_answer(self, request: Message) -> None:
        """Forget what answers `request`."""
        for head in [each for each in self._found if each.request is request]:
            self.drop(head)

    def requests(self) -> list[Message]:
        """The requests among them."""
        return [head for head in self._found if head.kind is Kind.REQUEST]

    def clear(self) -> None:
        """Forget all."""
        self._found.clear()
        self.size = 0

    def _check(self, message: Message, more: i64) -> None:
        size = self.size + more
        if size > self._limits.queued * REFUSED_AT:
            raise LimitExceeded(
                message.offset,
                f"{size} octets of messages that can be changed as a whole only",
                f"at most {REFUSED_AT} times limits.queued = {self._limits.queued}",
            )
