"""Who takes part in `World`: clients and a server, each with the proxy's session to it, and what is known of what they asked.

What waits for an answer is counted here from what was told and sent, apart from the sessions, whose `unanswered` is held against it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from l7codecs.kinds import Kind, Sender
from l7codecs.message import Data, Event, Message
from l7codecs.session import Session
from l7codecs.testing.fuzzing.proxy.exchanges import Said

__all__ = ["Ask", "Books", "Client", "Server", "Wire", "answered_by"]


def answered_by(event: Event) -> Message | None:
    """The request whose answer comes to its end with `event`."""
    if isinstance(event, Data):
        return event.message.request if event.message.kind is Kind.RESPONSE and not event.more else None
    if not isinstance(event, Message):
        return None
    request = event.request
    if event.kind is Kind.TRAILERS and request is not None and request.kind is Kind.RESPONSE:
        return request.request  # they follow their answer
    if event.kind is Kind.RESET or (event.kind is Kind.RESPONSE and not event.more):
        return request
    return request if event.kind is Kind.TRAILERS and event.sender is Sender.SERVER else None


class Books:
    """The requests of one session, and whether anything was said to them: from what it told, and was given to send."""

    def __init__(self) -> None:
        self.said: dict[Message, bool] = {}
        """By request that is not answered: whether an answer has begun."""
        self.latest: Message | None = None
        """What was answered last."""

    def asked(self, request: Message) -> None:
        """`request` waits from now on."""
        self.said[request] = False

    def told(self, event: Event, done: bool = True) -> None:
        """`event` was told, or sent; without `done` what comes to its end with it may wait for its turn."""
        if isinstance(event, Message) and event.request in self.said and event.kind is not Kind.CONTROL:
            self.said[event.request] = True
        request = answered_by(event)
        if request in self.said:
            self.said[request] = True
            self.latest = request
            if done:
                del self.said[request]

    def given_up(self, request: Message) -> None:
        """Nobody waits for an answer to `request`."""
        self.said.pop(request, None)

    def uncertain(self) -> None:
        """Nobody knows which of them wait still."""
        self.said = dict.fromkeys(self.said, True)

    def check(self, session: Session, where: str, doubts: bool = False, again: bool = False) -> None:
        """`unanswered` has all to which nothing was said, and none that is answered or was never asked.

        With `doubts` any may have stayed silent, and be missing; with `again` what was answered last may get further answers.
        """
        waits = session.unanswered()
        known = set(waits)
        assert len(known) == len(waits), f"{where}: unanswered has a request twice: {waits!r}"
        # What has not come to its end may be of any kind.
        extra = [each for each in waits if each not in self.said and not (each is waits[-1] and each.more)]
        if again:
            extra = [each for each in extra if each is not self.latest]
        assert not extra, f"{where}: unanswered has {extra[0]!r}, which is answered, given up, or was never asked"
        missing = [] if doubts else [each for each, said in self.said.items() if not said and each not in known]
        assert not missing, f"{where}: unanswered has not {missing[0]!r}, to which nothing was said"


@dataclass
class Ask:
    """One request: what was asked, whether its true answer is not the only one that may come, and whether the client wants none."""

    request: Message
    said: Said
    spoilt: bool = False
    given_up: bool = False


@dataclass
class Wire:
    """Octets that are under way, of both directions."""

    up: bytearray = field(default_factory=bytearray)
    down: bytearray = field(default_factory=bytearray)


class Client:
    """A client, and the proxy's session to it."""

    def __init__(self, opened: Callable[[Sender], Session], strange: bool) -> None:
        self.agent = opened(Sender.CLIENT)
        self.down = opened(Sender.SERVER)
        self.wire = Wire()
        self.asks: dict[Message, Ask] = {}
        self.spotless: dict[tuple[object, ...], list[Ask]] = {}
        """Those of `asks` that may get no error yet, by what they ask."""
        self.asked = Books()
        """Of its own session; `heard` are those of the proxy's."""
        self.heard = Books()
        self.events: list[Event] = []
        self.strange = strange
        """It sends what no client sends, so nothing is held against what it hears."""
        self.closing = False
        """The proxy has said that it takes no more: what comes later may be refused, and the client is told."""
        self.gone = False


class Server:
    """A server, and the proxy's session to it."""

    def __init__(self, opened: Callable[[Sender], Session]) -> None:
        self.up = opened(Sender.CLIENT)
        self.origin = opened(Sender.SERVER)
        self.wire = Wire()
        self.asked: list[Message] = []
        self.books = Books()
        """Of the proxy's session."""
        self.gone = False
