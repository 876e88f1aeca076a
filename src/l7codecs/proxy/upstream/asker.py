"""Who asks a host: what a connection to one, or its end, calls."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mypy_extensions import mypyc_attr

from l7codecs.message import Event, Message
from l7codecs.proxy.exchange import Failure
from l7codecs.proxy.transport.turn import Leg

if TYPE_CHECKING:
    from l7codecs.proxy.upstream.server import Server

__all__ = ["Asker"]


@mypyc_attr(allow_interpreted_subclasses=True)
class Asker(Leg):
    """Who has asked: the connection to a client, as servers see it."""

    def answer(self, answer: Message, request: Message) -> None:
        """An answer to `request`, or its head."""

    def give(self, event: Event, request: Message | None) -> None:
        """`event` answers `request`; or concerns this client all the same, whose own connection it came on."""

    def unsent(self, request: Message, server: Server, failure: Failure) -> None:
        """`server` has certainly not seen `request`."""

    def unanswered(self, request: Message, server: Server, failure: Failure) -> None:
        """`request` will have no answer of `server`, or no more of one."""

    def has_own(self, server: Server) -> None:
        """The connection that this client had for itself has ended."""

    def awaits(self, server: Server, certainly: bool) -> bool:
        """Whether an answer of `server` is waited for, it may be; with `certainly`, whatever else there is evidence of."""
        return False

    def left_by(self, server: Server, failure: Failure) -> None:
        """Nothing more comes of `server`, whatever was doubted there."""

    def forget(self, server: Server) -> None:
        """`server` is gone."""

    def told_to_go(self) -> None:
        """All hosts of a cluster that this client has asked have said that they take no new requests."""

    def fails_at(self, request: Message | None, error: BaseException) -> None:
        """What concerns `request` alone has raised `error`: nobody else is harmed."""
        self.at_fault(error)

    def is_streaming_to(self, server: Server) -> bool:
        """Whether the rest of a message that is written to `server` comes from here."""
        return False
