"""What the engine itself keeps of an exchange: where it is, and by which rule."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mypy_extensions import mypyc_attr

from l7codecs.message import Message
from l7codecs.proxy.exchange import Exchange

if TYPE_CHECKING:
    from l7codecs.proxy.plans import Plan
    from l7codecs.proxy.upstream import Server

__all__ = ["Ask"]


@mypyc_attr(acyclic=True)
class Ask(Exchange):
    """An exchange that is under way. Once it has ended it refers to no connection."""

    def __init__(self, listener: str, request: Message, started: float) -> None:
        super().__init__(listener, request, started)
        self.plan: Plan | None = None
        self.server: Server | None = None
        """The connection that it was sent on latest, as long as an answer may come there."""
        self.copied = False
        """Mirrors have had it: they get it once, however often it is sent."""
