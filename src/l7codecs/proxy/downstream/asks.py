"""What the engine itself keeps of an exchange: where it is, and by which rule. And all of one client that are under way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

from mypy_extensions import i64, mypyc_attr

from l7codecs.message import Data, Message
from l7codecs.proxy.exchange import Exchange

if TYPE_CHECKING:
    from l7codecs.proxy.plans import Plan
    from l7codecs.proxy.upstream.server import Server

__all__ = ["Ask", "Asks"]

_NEAR: Final[i64] = 16
"""So many are looked at before there is an index."""


@final
@mypyc_attr(acyclic=True, free_list_len=1)
class Ask(Exchange):
    """An exchange that is under way. Once it has ended it refers to no connection, and to no other."""

    def __init__(self, listener: str, request: Message, started: float, tied: bool) -> None:
        # All of `Exchange` as well: calling that takes as long as this.
        self.listener = listener
        self.request = request
        self.started = started
        self.ended = 0.0
        self.rule = None
        self.cluster = None
        self.host = None
        self.attempts = 0
        self.request_octets = request.stop - request.start
        self.answer_octets = 0
        self.answer = None
        self.status = None
        self.error = None
        self.failure = None
        self.reason = None
        self.plan: Plan | None = None
        self.server: Server | None = None
        """The connection that it was sent on latest, as long as an answer may come there."""
        self.following: Ask | None = None
        self.before: Ask | None = None
        """What the client asked next, and before, of what is under way."""
        self.tied = tied
        """Whether it pins or blocks."""
        self.copied = False
        """Mirrors have had it: they get it once, however often it is sent."""
        self.kept: list[Data] | None = None
        """What has come behind its head, all of it, as long as it may have to be sent again."""
        self.kept_octets: i64 = 0


@final
class Asks:
    """All that one client has asked and that is under way, oldest first. Every call costs O(1) amortised.

    An answer is nearly always to the first, or to one soon behind the one that was answered before: servers answer in order, or nearly.
    Where that is not so there is an index, until nothing is under way.
    """

    def __init__(self) -> None:
        self.first: Ask | None = None
        self._last: Ask | None = None
        self.count: i64 = 0
        self._near: Ask | None = None
        """What was found latest, or what came behind it."""
        self._index: dict[Message, Ask] | None = None

    def add(self, ask: Ask) -> None:
        """`ask` is the latest."""
        last = self._last
        if last is None:
            self.first = ask
        else:
            last.following = ask
            ask.before = last
        self._last = ask
        self.count += 1
        if self._index is not None:
            self._index[ask.request] = ask

    def find(self, request: Message) -> Ask | None:
        """That of `request`; None where it is not under way."""
        if self._index is not None:
            return self._index.get(request)
        ask = self.first
        if ask is not None and ask.request is not request:
            ask = _sought(self._near, request)
            if ask is None and self.count <= _NEAR:
                ask = _sought(self.first, request)
            elif ask is None:
                self._index = {each.request: each for each in self.each()}
                return self._index.get(request)
        self._near = ask
        return ask

    def remove(self, ask: Ask) -> None:
        """`ask` is under way no longer. Nothing where it was not."""
        before = ask.before
        following = ask.following
        if before is None and self.first is not ask:
            return
        if self._near is ask:
            self._near = following
        if before is None:
            self.first = following
        else:
            before.following = following
            ask.before = None
        if following is None:
            self._last = before
        else:
            following.before = before
            ask.following = None
        self.count -= 1
        if self._index is not None:
            if self.count == 0:
                self._index = None
            else:
                del self._index[ask.request]

    def each(self) -> list[Ask]:
        """All of them, oldest first."""
        found: list[Ask] = []
        ask = self.first
        while ask is not None:
            found.append(ask)
            ask = ask.following
        return found


def _sought(ask: Ask | None, request: Message) -> Ask | None:
    """That of `request` among the `_NEAR` from `ask` on."""
    steps: i64 = 0
    while ask is not None and ask.request is not request:
        steps += 1
        if steps >= _NEAR:
            return None
        ask = ask.following
    return ask
