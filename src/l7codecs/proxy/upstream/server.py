"""The connection to a host: what comes of it goes to whoever asked, what ends with it is told to them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final, final

from mypy_extensions import i64

from l7codecs.errors import L7Error
from l7codecs.kinds import Kind, Sender, Status
from l7codecs.message import Data, Event, Flow, Message
from l7codecs.pairing.retention import let_go
from l7codecs.protocol import Protocol
from l7codecs.proxy.exchange import Failure
from l7codecs.proxy.observing import said
from l7codecs.proxy.transport.ends import shut_down
from l7codecs.proxy.transport.turn import Leg, Turn
from l7codecs.proxy.upstream.asker import Asker
from l7codecs.registry import BROKEN
from l7codecs.session import Session

if TYPE_CHECKING:
    from l7codecs.proxy.upstream.pools import Host

__all__ = ["Server"]

_RESPONSE: Final = Kind.RESPONSE
_REQUEST: Final = Kind.REQUEST
_ONEWAY: Final = Kind.ONEWAY
_HEARTBEAT: Final = Kind.HEARTBEAT
_GOAWAY: Final = Kind.GOAWAY
_CLIENT: Final = Sender.CLIENT
_SERVER: Final = Sender.SERVER


@final
class Server(Leg):
    """One connection to a host."""

    def __init__(
        self, turn: Turn, session: Session, host: Host, protocol: Protocol, clients: dict[Flow, Asker], credits: bool
    ) -> None:
        super().__init__(turn, session, _SERVER)
        session.paused = True
        self.host = host
        self.protocol = protocol
        self.key = ""
        """What those that share it have in common."""
        self.own = False
        """It is of one client alone, `owner`."""
        self.owner: Asker | None = None
        self.half_closed = False
        """Its client says no more, and so it was told."""
        self.drops = False
        """It gets copies, whose answers are nobody's."""
        self.serves = True
        """Whether it gets new requests."""
        self.connected = False
        self.given_up = False
        """Nobody waits for the connection any more."""
        self.connecting: Any = None
        """The task that makes the connection."""
        self.credits = credits
        """Whether the protocol gives credit for what is read, so that what waits elsewhere holds its sender back."""
        self.users: dict[Asker, None] = {}
        """Who has sent here."""
        self._clients = clients
        self.reason = ""
        """Why it failed, or has ended."""
        self._replayed: dict[Message, None] = {}
        self.stopped: dict[Asker, None] = {}
        """Who is not read because too much waits here."""
        self.clogs: dict[Asker, None] = {}
        """Who takes too little: for them this is not read, unless others wait for answers here."""
        self.aside = False
        """The next to come share another, since somebody took too little."""
        self._backlog = False

    def replay(self, message: Message) -> None:
        """Send what sets the connection up; its answer is nobody's."""
        let_go(message)
        self._replayed[message] = None
        self.session.put(message)
        self.mark()

    # What comes.

    def received(self, octets: bytes) -> None:
        turn = self.turn
        turn.begin_read()
        self.heard = turn.now
        session = self.session
        try:
            self._take(session.receive(_SERVER, octets))
            self.mark()
            if session.closing:
                self.leave()
        except L7Error as error:
            self._broken(str(error))
        except BROKEN as error:
            self.at_fault(error)
        turn.end_read()

    def _take(self, events: Iterator[Event]) -> None:
        flow: Flow | None = None
        client: Asker | None = None
        clients = self._clients
        for event in events:
            answer: Message | None = None
            if isinstance(event, Message):
                request = event.request
                if event.kind is _RESPONSE:
                    answer = event
                elif not self._answers(event):
                    continue
            elif isinstance(event, Data):
                request = event.message.request
            else:
                request = None
            if request is None:
                owner = self.owner
                if owner is not None:
                    try:
                        owner.give(event, None)
                    except BROKEN as error:
                        owner.fails_at(None, error)
                    owner.mark()
                continue
            if self.drops or (self._replayed and self._is_replayed(request, event)):
                continue
            connection = request.connection
            if connection is not flow:
                flow = connection
                client = clients.get(connection)
                if client is not None:
                    client.mark()
            if client is None:
                continue
            try:
                if answer is not None:
                    client.answer(answer, request)
                else:
                    client.give(event, request)
            except BROKEN as error:
                client.fails_at(request, error)

    def _answers(self, message: Message) -> bool:
        """Whether `message`, which is no answer, is for a client; what concerns the connection alone is seen to."""
        kind = message.kind
        if kind is _HEARTBEAT:
            try:
                self.write(self.session.reply_heartbeat(message))
            except L7Error:
                pass
            return False
        if kind is _REQUEST:
            try:
                self.write(self.session.reply_error(message, Status.UNIMPLEMENTED, "nobody is asked by servers here"))
            except L7Error:
                pass
            return False
        if kind is _GOAWAY:
            self._goes()
            return self.own
        return kind is not _ONEWAY or self.own

    def _is_replayed(self, request: Message, event: Event) -> bool:
        if request not in self._replayed:
            return False
        more = event.more if isinstance(event, (Message, Data)) else False
        if not more:
            del self._replayed[request]
        return True

    def _broken(self, text: str) -> None:
        """It breaks the protocol."""
        self.serves = False
        self.reason = text
        try:
            self.write(self.session.pending_output())
        except BROKEN as error:
            self.turn.fault(self.protocol.name, error)
        self._give_back(Failure.PROTOCOL)
        self.abort()

    def at_fault(self, error: BaseException) -> None:
        """As of any connection; those who wait here are told."""
        if not isinstance(error, L7Error):
            self.turn.fault(self.protocol.name, error)
        if self.connected:
            self._broken(said(error))
        else:
            self.turn.later(self.close_now)

    def ended(self) -> bool:
        return False

    # Who asks.

    def put_rest(self, data: Data) -> None:
        """Send further octets of a message."""
        self.session.put(data)
        self.mark()

    @property
    def full(self) -> bool:
        """Whether more waits here than should."""
        return self.session.full

    def settle(self, wrote: bool) -> None:
        session = self.session
        if self.half_closed:
            self._pass_end()
        if self.stopped and not session.full:
            stopped = self.stopped
            self.stopped = {}
            for client in stopped:
                client.mark()
        elif self.stopped:
            for client in self.stopped:
                if client.is_streaming_to(self):
                    client.read_on(True)
        if self.credits:
            if self._backlog and wrote:
                for client in self.users:
                    client.mark()  # who gets credit for what is written
            self._backlog = session.queued > 0
        if self.clogs:
            self.hold_back()
        elif self.aside and self.serves and self.is_idle:
            self.retire()
        if not self.serves:
            self.check_idle()

    # Its end.

    def _goes(self) -> None:
        """It takes no new requests. Where there is credit that is the connection; elsewhere the host goes."""
        if not self.credits:
            pool = self.host.pool
            pool.goes(self.host, self.turn.now)
            if not pool.has_any(self.turn.now):
                for client in self.users:
                    client.told_to_go()
        self.leave()

    def leave(self) -> None:
        """It takes no new requests: what it has certainly not seen goes elsewhere."""
        self.retire()
        for request in self.session.unprocessed():
            self._give_one_back(request, Failure.RESET, False)
        self.check_idle()

    def retire(self) -> None:
        """It gets no new requests, and ends when those that it has are answered."""
        self.serves = False
        self.check_idle()

    def check_idle(self) -> None:
        """End what is not needed any more."""
        if self.serves or self.owner is not None:
            return
        if self.connecting is not None and not self.connected:
            return
        try:
            if self.session.queued == 0 and not self.session.unanswered() and not self.is_awaited(False):
                self.close()  # what was given up may be owed an answer, which nobody waits for
        except BROKEN as error:
            self.at_fault(error)

    def close_now(self) -> None:
        """Nobody needs it any more, whatever is under way."""
        if self.transport is not None:
            shut_down(self.transport)
            self.abort()
        elif self.connecting is not None and not self.given_up:
            self.given_up = True
            self.connecting.cancel()
            self.lost("given up")

    def end_with_owner(self) -> None:
        """Its client is gone. What that said without waiting for an answer is still written, also where there is no connection yet."""
        self.owner = None
        self.serves = False
        if self.session.queued == 0 and not self.connected:
            self.close_now()
            return
        try:
            for request in self.session.unanswered():
                if request.kind is not _ONEWAY and request not in self._replayed:
                    self.close_now()
                    return
        except BROKEN as error:
            self.at_fault(error)
        self.check_idle()

    def half_close(self) -> None:
        """Its client says no more. Told so, the host gives what it has for it, and does not wait for what others do.

        At once: what others put there is not to come to who has gone.
        """
        self.half_closed = True
        self.serves = False
        self.flush()

    def _pass_end(self) -> None:
        """All that was asked is written: say that there is no more."""
        transport = self.transport
        if self.session.queued == 0 and not self.done:
            self.done = True
            if not transport.can_write_eof():
                shut_down(transport)
                transport.abort()
                return
            if transport.get_write_buffer_size() == 0:
                shut_down(transport)
            else:
                transport.write_eof()

    @property
    def is_idle(self) -> bool:
        """Whether nobody waits for anything of it."""
        if self.owner is not None or self.session.queued > 0 or self.session.unanswered():
            return False
        return not self.is_awaited(False)

    def is_awaited(self, certainly: bool) -> bool:
        """Whether somebody waits for what is doubted here, since later calls were answered before: such may be one-way calls."""
        if not self.protocol.doubts:
            return False
        for client in self.users:  # noqa: SIM110  # a generator is slow, compiled
            if client.awaits(self, certainly):
                return True
        return False

    def made(self, transport: Any) -> None:
        """The connection is there."""
        if self.given_up:
            transport.abort()
            return
        self.transport = transport
        self.connected = True
        self.turn.begin_read()
        self.heard = self.turn.now
        try:
            self.session.paused = False
        except BROKEN as error:
            self.at_fault(error)
        self.mark()
        self.turn.end_read()

    def lost(self, text: str) -> None:
        self.serves = False
        self.reason = self.reason or text
        reached = self.connected
        self.transport = None
        self.turn.begin_read()
        try:
            self._take(self.session.eof(_SERVER))
        except L7Error:
            pass
        except BROKEN as error:
            self.turn.fault(self.protocol.name, error)
        if reached:
            self._give_back(Failure.RESET)
        else:
            if not self.given_up:
                self.host.pool.refused(self.host, self.turn.now)
            self._give_back(Failure.CONNECT)
        self.host.drop(self)
        owner = self.owner
        if owner is not None:
            self.owner = None
            try:
                owner.has_own(self)
            except BROKEN as error:
                owner.at_fault(error)
        for client in self.stopped:
            client.mark()
        for client in self.users:
            client.forget(self)
        self.stopped = {}
        self.clogs = {}
        self.users = {}
        self.turn.end_read()

    def _give_back(self, failure: Failure) -> None:
        """What will not be answered is told to who asked."""
        session = self.session
        unknown = self.protocol.doubts
        try:
            unseen = session.unprocessed() if self.connected else session.abandoned()
            for request in unseen:
                self._give_one_back(request, failure, False)
            for request in session.abandoned():
                self._give_one_back(request, failure, True)
        except BROKEN as error:
            self.turn.fault(self.protocol.name, error)
            unknown = True  # who waits here
        if unknown:
            for client in list(self.users):
                try:
                    client.left_by(self, failure)
                except BROKEN as error:
                    client.at_fault(error)

    def _give_one_back(self, request: Message, failure: Failure, seen: bool) -> None:
        client = self._clients.get(request.connection)
        if client is None or request in self._replayed:
            return
        try:
            if seen:
                client.unanswered(request, self, failure)
            else:
                client.unsent(request, self, failure)
        except BROKEN as error:
            client.fails_at(request, error)

    def cancel(self, request: Message, in_order: bool) -> None:
        """Nobody waits for the answer to `request` any more. Where answers come `in_order`, what is behind it waits for it all the same."""
        try:
            try:
                self.write(self.session.cancel(request))
            except L7Error:
                pass
            if in_order:
                self.retire()
            if self.session.closing and self.transport is not None:
                # It is written in part: nothing can come behind it.
                self.leave()
                self.abort()
        except BROKEN as error:
            self.at_fault(error)
        self.check_idle()

    def clog(self, client: Asker, clogged: bool) -> None:
        """`client` takes too little, or takes again. Whoever asks from now on is not to wait behind its answers."""
        if clogged:
            self.clogs[client] = None
            self.host.set_aside(self)
        elif client in self.clogs:
            del self.clogs[client]
        self.hold_back()

    def hold_back(self) -> None:
        """Read on as long as somebody waits who takes what comes; what comes first for those who do not is theirs to keep, or their end."""
        try:
            self.read_on(not self.clogs or self._serves_others())
        except BROKEN as error:
            self.at_fault(error)

    def _serves_others(self) -> bool:
        """Whether others wait for answers than those who take too little."""
        for request in self.session.unanswered():
            client = self._clients.get(request.connection)
            if client is not None and client not in self.clogs:
                return True
        return False

    @property
    def waiting(self) -> i64:
        """How many requests wait for answers of it."""
        return self.session.pending
