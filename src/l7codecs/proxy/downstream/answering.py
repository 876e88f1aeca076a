"""What a client gets: answers of servers, and those that are made here where there is none."""

from __future__ import annotations

from typing import Final

from mypy_extensions import i64, mypyc_attr

from l7codecs.endpoint.changes import Changes
from l7codecs.errors import L7Error, LimitExceeded
from l7codecs.kinds import Kind, Sender, Status
from l7codecs.message import Data, Event, Message
from l7codecs.proxy.downstream.asks import Ask, Asks
from l7codecs.proxy.downstream.failures import status_of, text_of
from l7codecs.proxy.exchange import Failure
from l7codecs.proxy.observing import said
from l7codecs.proxy.site import Place, Site
from l7codecs.proxy.upstream.asker import Asker
from l7codecs.proxy.upstream.server import Server
from l7codecs.registry import BROKEN
from l7codecs.session import Session

__all__ = ["Answering"]

_RESPONSE: Final = Kind.RESPONSE
_REQUEST: Final = Kind.REQUEST
_TRAILERS: Final = Kind.TRAILERS
_RESET: Final = Kind.RESET
_UNAVAILABLE: Final = Status.UNAVAILABLE
_INTERNAL: Final = Status.INTERNAL
_CLIENT: Final = Sender.CLIENT
_NEVER: Final[i64] = 1 << 30
"""So many turns no client takes."""
_KEPT: Final[i64] = 1 << 20
"""So many octets of a client's requests, beside their heads, are kept in all."""
_SLACK: Final[i64] = 4096
_PIECE: Final[i64] = 128
"""What each piece of it takes by itself."""
_TRIES: Final[i64] = 3
"""So often a request is sent that no server has seen."""


@mypyc_attr(allow_interpreted_subclasses=True)
class Answering(Asker):
    """A client's connection, as far as it is answered."""

    def __init__(self, site: Site, place: Place, session: Session) -> None:
        super().__init__(site.turn, session, _CLIENT)
        self.site = site
        self.place = place
        self.asks = Asks()
        """What is not answered."""
        self.streams: dict[Message, list[Server]] = {}
        """By head of what the client has not sent to its end: where the rest of it goes."""
        self.changes: Changes | None = None
        """What is changed in every message."""
        self.credits = False
        """Whether the protocol gives credit for what is read."""
        self.in_order = False
        """Whether an answer waits for those to what was asked before."""
        self.doubts = False
        self.latest: Message | None = None
        self.ends = False
        """The client says no more: the connection ends when all is answered."""
        self._backlog = False
        self.clogged: dict[Server, None] = {}
        """What is not read because this client takes too little."""
        self.clogged_at: float = 0.0
        self._kept: i64 = 0
        """The octets that are kept of requests, to be sent again."""
        self.turns: i64 = 0
        """How often in a row the client has asked nothing more before it was answered."""

    # Answers of servers.

    def answer(self, answer: Message, request: Message) -> None:
        ask = self.asks.find(request)
        plan = None if ask is None else ask.plan
        if ask is None or plan is None or not plan.plain_answer or self.changes is not None:
            self.give(answer, request)
            return
        if ask.answer is None:
            ask.answer = answer
            if ask.kept is not None:
                self.drop_kept(ask)
        ask.answer_octets += answer.stop - answer.start
        try:
            self.session.put(answer)
        except L7Error:
            self.abort()  # it takes too little: the others go on
            return
        if request.settled:
            self._refused(ask, answer.error)
        elif not answer.more and answer.last:
            self._answered(ask, answer.status, answer.error)

    def give(self, event: Event, request: Message | None) -> None:
        ask = None if request is None else self.asks.find(request)
        try:
            if ask is None:
                if isinstance(event, Message) and self.changes is not None:
                    self.session.put(event, self.changes)
                else:
                    self.session.put(event)
                return
            if isinstance(event, Message):
                ask.answer_octets += event.stop - event.start
                if event.kind is _RESPONSE:
                    self._answer(event, ask)
                    return
                changes = self.changes
                self.session.put(event, changes)
                if ask.request.settled:
                    self._refused(ask, event.error)
                elif event.kind is _TRAILERS or event.kind is _RESET:
                    if ask.answer is None:
                        ask.answer = event
                    self._answered(ask, event.status, event.error)
            elif isinstance(event, Data):
                ask.answer_octets += event.payload_size
                self.session.put(event)
                if ask.request.settled:
                    self._refused(ask, event.message.error)
                elif not event.more:
                    self._answered(ask, event.status, event.error)
            else:
                self.session.put(event)
        except LimitExceeded:
            self.abort()  # it takes too little: the others go on
        except (L7Error, ValueError) as error:
            if ask is None:
                self.abort()
            else:
                self.fail(ask, Failure.UNSUPPORTED, str(error))

    def _answer(self, answer: Message, ask: Ask) -> None:
        """The answer to `ask` begins, and may be all of it."""
        plan = ask.plan
        changes = self.changes
        if ask.answer is None:
            ask.answer = answer
        if plan is not None:
            if plan.retry is not None and not answer.more and self._sent_again(ask, answer):
                return
            if plan.response is not None:
                edited = plan.response.changes(answer)
                if edited:
                    changes = edited if changes is None else changes.joined(edited)
        if ask.kept is not None:
            self.drop_kept(ask)
        self.session.put(answer, changes)
        if ask.request.settled:
            self._refused(ask, answer.error)
        elif not answer.more and answer.last:
            self._answered(ask, answer.status, answer.error)

    def _refused(self, ask: Ask, error: str | None) -> None:
        """Its server broke the protocol in what it answers: both sessions have ended it, and the client has an error."""
        ask.failure = Failure.PROTOCOL
        ask.reason = error
        self._answered(ask, _INTERNAL, error)
        servers = self.streams.pop(ask.request, None)
        if servers is not None:
            for copy in servers[1:]:
                copy.cancel(ask.request, False)

    def _answered(self, ask: Ask, status: Status | None, error: str | None) -> None:
        """All of the answer has come."""
        server = ask.server
        answer = ask.answer
        if status is None and answer is not None:
            status = answer.status
            error = answer.error
        if server is not None:
            self._judge(server, status)
        if self.doubts:
            self.turns = self.turns + 1 if ask.request is self.latest else -_NEVER
            self.site.one_way.was_answered(ask.request)
        ask.status = status
        ask.error = error
        self.end(ask)

    def _judge(self, server: Server, status: Status | None) -> None:
        """The host of `server` has answered so."""
        detector = server.host.pool.detector
        if detector is not None:
            if status is _UNAVAILABLE or status is _INTERNAL:
                detector.failed(server.host.address, self.turn.now)
            else:
                detector.succeeded(server.host.address, self.turn.now)

    def _sent_again(self, ask: Ask, answer: Message) -> bool:
        """Whether `ask` is sent again rather than answered with `answer`."""
        plan = ask.plan
        status = answer.status
        server = ask.server
        if plan is None or plan.retry is None or status is None or server is None:
            return False
        request = ask.request
        if not plan.retry.allows(request, status, int(ask.attempts), ask.kept is not None):
            return False
        self._judge(server, status)
        if request in self.streams:
            server.cancel(request, self.in_order)  # it has answered before it had all
        ask.answer = None
        ask.answer_octets = 0
        return self.send_again(ask)

    def send_again(self, ask: Ask) -> bool:
        """Send `ask` to another host than the latest, where there is one; whether it was sent."""
        return False

    # What may have to be sent again.

    def keep(self, ask: Ask, data: Data) -> None:
        """Keep `data`, which belongs to `ask`; where that becomes too much, nothing of it: it is sent once then."""
        size: i64 = data.stop - data.start + _PIECE
        kept = ask.kept
        if kept is None or self._kept + size > _KEPT:
            self.drop_kept(ask)
            return
        if len(data.octets) > 2 * size + _SLACK:
            first = data.payload_offset - data.offset
            data = Data(data.message, data.offset, data.raw, data.more, 0, -1, first, first + data.payload_size)
        ask.kept_octets += size
        self._kept += size
        kept.append(data)

    def drop_kept(self, ask: Ask) -> None:
        """Nothing of `ask` is sent again."""
        self._kept -= ask.kept_octets
        ask.kept_octets = 0
        ask.kept = None

    # Where there is none.

    def unsent(self, request: Message, server: Server, failure: Failure) -> None:
        ask = self.asks.find(request)
        if ask is None:
            if request.kind is not _REQUEST:
                self._lost_one_way(request)
            return
        if ask.server is not server or self._given_up(ask, server):
            return
        ask.server = None
        ask.reason = server.reason or None
        whole = not request.more or ask.kept is not None
        if ask.attempts < _TRIES and whole and not server.own and self.send_again(ask):
            return
        self.fail(ask, failure)

    def unanswered(self, request: Message, server: Server, failure: Failure) -> None:
        ask = self.asks.find(request)
        if ask is None or ask.server is not server or self._given_up(ask, server):
            return
        ask.server = None
        ask.reason = server.reason or None
        server.host.pool.failed(server.host, self.turn.now)
        plan = ask.plan
        if (
            ask.answer is None
            and plan is not None
            and plan.retry is not None
            and not server.own
            and plan.retry.allows(request, _UNAVAILABLE, int(ask.attempts), ask.kept is not None)
            and self.send_again(ask)
        ):
            return
        self.fail(ask, failure)

    def _given_up(self, ask: Ask, server: Server) -> bool:
        """Whether the client said that it says no more, and `server` took that for its end: no fault of it."""
        if not server.half_closed:
            return False
        ask.failure = Failure.CLIENT_GONE
        ask.status = Status.CANCELLED
        self.end(ask)
        self.mark()
        return True

    def awaits(self, server: Server, certainly: bool) -> bool:
        calls = self.site.one_way
        for ask in self.asks.each():
            if ask.server is server:
                if calls.is_answered(ask.request) or not (certainly or calls.has(ask.request)):
                    return True
        return False

    def left_by(self, server: Server, failure: Failure) -> None:
        waiting: set[Message] | None = None
        for ask in self.asks.each():
            if ask.server is not server:
                continue
            request = ask.request
            if not self.site.one_way.is_answered(request):
                if waiting is None:
                    waiting = set(self.session.unanswered())
                if request not in waiting:
                    self.end(ask)  # its client has had answers to later calls
                    continue
            self.unanswered(request, server, failure)

    def drop_unfinished(self) -> None:
        """What the client has not asked to the end it never will: its servers are not to wait, and others behind it."""
        for head, servers in list(self.streams.items()):
            ask = self.asks.find(head)
            if ask is not None:
                ask.failure = Failure.CLIENT_GONE
                ask.status = Status.CANCELLED
                self.end(ask)
            for each in servers:
                each.cancel(head, self.in_order)
        self.streams = {}

    def _lost_one_way(self, request: Message) -> None:
        """A one-way request that was not sent: nobody is told."""
        self.streams.pop(request, None)

    def fail(self, ask: Ask, failure: Failure, text: str = "", status: Status | None = None) -> None:
        """Answer `ask` here."""
        request = ask.request
        ask.failure = failure
        ask.status = status_of(failure) if status is None else status
        ask.error = text or text_of(failure, request)
        servers = self.streams.pop(request, None)
        self.end(ask)
        if servers is not None:
            for copy in servers[1:]:
                copy.cancel(request, False)
        if request.kind is not _REQUEST or (self.doubts and self.site.one_way.has(request)):
            return
        try:
            self.write(self.session.reply_error(request, ask.status, ask.error))
        except (L7Error, ValueError):
            self.abort()  # it has a part of its answer, or nobody can write such
        self.mark()

    def fails_at(self, request: Message | None, error: BaseException) -> None:
        ask = None if request is None else self.asks.find(request)
        if ask is None:
            self.at_fault(error)
            return
        head = ask.request
        server = ask.server
        failure = Failure.PLUGIN
        text = f"the plugin of {head.protocol} failed"
        if isinstance(error, L7Error):
            failure = Failure.OVERLOAD if isinstance(error, LimitExceeded) else Failure.UNSUPPORTED
            text = str(error)
        else:
            self.turn.fault(head.protocol, error)
            ask.reason = said(error)
        try:
            self.fail(ask, failure, text)
        except BROKEN as other:
            self.at_fault(other)
        if server is not None and head.more:
            server.cancel(head, self.in_order)

    def end(self, ask: Ask) -> None:
        """`ask` is over."""
        asks = self.asks
        asks.remove(ask)
        if ask.ended > 0.0:
            return
        if ask.kept is not None:
            self.drop_kept(ask)
        ask.server = None
        ask.plan = None
        ask.ended = self.turn.now
        self.site.observers.ended(ask)
        if asks.count == 0:
            self.all_answered()

    def all_answered(self) -> None:
        """Nothing waits for an answer."""

    # A client that takes too little.

    def settle(self, wrote: bool) -> None:
        session = self.session
        if self.credits:
            if self._backlog and wrote:
                ask = self.asks.first
                while ask is not None:
                    if ask.server is not None:
                        ask.server.mark()  # which gets credit for what is written
                    ask = ask.following
            self._backlog = session.queued > 0
        if session.paused:
            if not self.credits and session.full:
                self._clog()
        elif self.clogged:
            self._unclog()

    def _clog(self) -> None:
        """Do not read from servers that answer this client, until it has taken what waits."""
        for ask in self.asks.each():
            server = ask.server
            if server is not None and server not in self.clogged:
                if not self.clogged:
                    self.clogged_at = self.turn.now
                self.clogged[server] = None
                server.clog(self, True)

    def _unclog(self) -> None:
        clogged = self.clogged
        self.clogged = {}
        for server in clogged:
            server.clog(self, False)
