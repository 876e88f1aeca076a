"""One-way calls over HTTP that an endpoint has sent: most servers answer them, by a status and nothing else.

    POST fire   POST hello              200, nothing   200, hello            answers come in the order of what they answer (RFC 9112 §9.3.2)

node and C++ write no answer to them at all: what was sent before a call that is answered is answered no more.
"""

from __future__ import annotations

from collections import deque
from typing import Final, final

from mypy_extensions import i64

from l7codecs import Kind, Message
from l7codecs.pairing.retention import SHORT

from .messages import ThriftMessage

__all__ = ["Posts"]

_ONEWAY: Final = Kind.ONEWAY


@final
class Posts:
    """The order of what is sent over HTTP on one connection, and the one-way calls of it that may be answered."""

    def __init__(self, limit: int) -> None:
        self._limit: i64 = limit
        self._sent: i64 = 0
        self._one_ways: deque[ThriftMessage] = deque()

    def sent(self, message: ThriftMessage) -> None:
        """`message`, a call or a one-way call, is sent."""
        self._sent += 1
        message.post = self._sent
        if message.kind is not _ONEWAY:
            return
        if message.more or message.kept > SHORT:
            short = message.shortened(int(SHORT))
            if isinstance(short, ThriftMessage):
                message = short
        message.detach()
        self._one_ways.append(message)
        if len(self._one_ways) > self._limit:
            self._one_ways.popleft()

    def answered(self, request: Message) -> None:
        """`request` is answered: what was sent before it is answered no more."""
        if isinstance(request, ThriftMessage):
            while self._one_ways and self._one_ways[0].post < request.post:
                self._one_ways.popleft()

    def take_before(self, first: Message | None) -> ThriftMessage | None:
        """The one-way call that is answered next, where it was sent before `first`, the call that has waited longest."""
        if not self._one_ways or (isinstance(first, ThriftMessage) and first.post < self._one_ways[0].post):
            return None
        return self._one_ways.popleft()
