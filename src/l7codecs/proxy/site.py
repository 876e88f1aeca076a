"""What all connections of an engine share."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, final

from mypy_extensions import i64

from l7codecs.limits import Limits
from l7codecs.message import Flow, Message
from l7codecs.protocol import Protocol
from l7codecs.proxy.deadlines import Deadlines
from l7codecs.proxy.downstream.asks import Ask
from l7codecs.proxy.observing import Observers
from l7codecs.proxy.settings import Listener
from l7codecs.proxy.transport.turn import Turn
from l7codecs.proxy.upstream.asker import Asker

if TYPE_CHECKING:
    from l7codecs.proxy.plans import Plan, Router

__all__ = ["OneWayCalls", "Place", "Site"]

_NAMES = 10_000


@final
class OneWayCalls:
    """Which operations are one-way, of a protocol whose peers may write such as calls (`Protocol.doubts`).

    So it is of one that was never answered, where others write it as a one-way call, or where somebody who asks one call at a time has gone
    on without the answer.
    """

    def __init__(self) -> None:
        self.answered: dict[str, None] = {}
        self._one_way: dict[str, None] = {}

    def seen(self, message: Message) -> None:
        """`message` is written as a one-way call, or was taken for one by who sent it."""
        name = message.operation
        if name is not None:
            if len(self._one_way) >= _NAMES:
                self._one_way.clear()
            self._one_way[name] = None

    def was_answered(self, message: Message) -> None:
        """A server has answered `message`."""
        name = message.operation
        if name is not None and name not in self.answered:
            if len(self.answered) >= _NAMES:
                self.answered.clear()
            self.answered[name] = None

    def has(self, message: Message) -> bool:
        """Whether nobody waits for the answer to `message`."""
        name = message.operation
        return name in self._one_way and name not in self.answered

    def is_answered(self, message: Message) -> bool:
        """Whether servers answer such as `message`: who asks it waits."""
        name = message.operation
        return name is not None and name in self.answered


@final
class Site:
    """An engine, as its connections see it."""

    def __init__(
        self,
        turn: Turn,
        observers: Observers,
        limits: Limits,
        wake: Callable[[], None],
        choose: Callable[[bytes, Any, bool], Protocol | None],
    ) -> None:
        self.turn = turn
        self.observers = observers
        self.limits = limits
        self.clients: dict[Flow, Asker] = {}
        self.deadlines = Deadlines()
        self.one_way = OneWayCalls()
        self.draining = False
        self._wake = wake
        self.choose = choose
        """What a client speaks that begins so, over a transport; `l7codecs.proxy.downstream.detecting`."""

    def add_deadline(self, ask: Ask, seconds: float) -> None:
        """`ask` has to be answered within so many seconds of its start."""
        if self.deadlines.add(ask, seconds):
            self._wake()


@final
class Place:
    """One listener, as its connections see it; a reload changes it in place."""

    def __init__(self, settings: Listener, router: Router) -> None:
        self.settings = settings
        self.name = settings.name
        self.router = router
        self.otherwise: Plan | None = None
        """Where what no rule holds for goes."""
        self.count: i64 = 0
        """How many clients are connected."""
