"""The connection to a client: what comes of it, and how it ends. Each of its messages goes where the rules say."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, final

from mypy_extensions import i64

from l7codecs.errors import L7Error, LimitExceeded, ProtocolError
from l7codecs.kinds import Kind, Sender, Status
from l7codecs.message import Data, Event, Message
from l7codecs.pairing.tables import Pairing
from l7codecs.protocol import Protocol
from l7codecs.proxy.downstream.asks import Ask
from l7codecs.proxy.downstream.sending import Sending
from l7codecs.proxy.exchange import Failure
from l7codecs.proxy.observing import said
from l7codecs.proxy.plans import Plan, plain_plan
from l7codecs.proxy.site import Place, Site
from l7codecs.proxy.upstream.pools import Host
from l7codecs.proxy.upstream.server import Server
from l7codecs.registry import BROKEN
from l7codecs.session import Session
from l7codecs.ties import Tie

__all__ = ["Client"]

_REQUEST: Final = Kind.REQUEST
_ONEWAY: Final = Kind.ONEWAY
_HEARTBEAT: Final = Kind.HEARTBEAT
_TRAILERS: Final = Kind.TRAILERS
_RESET: Final = Kind.RESET
_CLIENT: Final = Sender.CLIENT
_BINDS: Final = Tie.BINDS
_OPENS: Final = Tie.OPENS
_LEADS: Final = Tie.LEADS
_SEEN: Final[i64] = 20
"""Octets that are shown of what is no message."""
_AHEAD: Final[i64] = 1 << 16
"""Octets that are taken of a client behind what waits."""
_TURNS: Final[i64] = 2
"""From which on a client is taken for one that asks one call at a time."""


@final
class Client(Sending):
    """One client."""

    def __init__(self, site: Site, place: Place, session: Session, number: i64) -> None:
        super().__init__(site, place, session, number)
        self.seen = False
        """Whether anything has come."""
        self.half_closed = False
        """It says no more."""
        self.draining = False
        """It was told to ask elsewhere."""
        self._first = b""
        """What has come while nobody knows what it speaks."""
        self._held: Event | None = None
        """What waits until all before it is answered."""
        self._ahead: i64 = 0
        """Octets that came behind that."""

    def speak(self, protocol: Protocol) -> None:
        """What the connection speaks is known."""
        self.protocol = protocol
        self.shares = protocol.shares
        self.pins = "l7.pins" in protocol.schema and protocol.shares
        self.doubts = protocol.doubts
        self.how = protocol.ties
        self.credits = protocol.pairing is Pairing.STREAM
        self.in_order = protocol.pairing is Pairing.FIFO
        self.key = protocol.name
        nodes = self.place.settings.nodes
        if nodes and protocol.readdressed is not None:
            self.changes = protocol.readdressed({each.number: (each.known_as, each.host, each.port) for each in nodes})

    def _detect(self, octets: bytes, final: bool) -> bytes:
        """What has come, once it is known what the client speaks; nothing until then."""
        self._first += octets
        limits = self.site.limits
        final = final or len(self._first) >= limits.detection
        found = self.site.choose(self._first[: limits.detection], self.transport, final)
        if found is None:
            if final:
                seen = f"{self._first[:_SEEN]!r}"
                self._breaks(str(ProtocolError(0, seen, "the beginning of a protocol that is registered")))
            return b""
        flow = self.session.flow
        flow.name(found.name)
        session = found.open_on(flow, limits=limits, endpoint=Sender.SERVER)
        session.paused = self.session.paused
        self.session = session
        self.speak(found)
        first = self._first
        self._first = b""
        return first

    # What comes.

    def received(self, octets: bytes) -> None:
        turn = self.turn
        turn.begin_read()
        self.heard = turn.now
        self.seen = True
        try:
            self._take(octets)
        except BROKEN as error:
            self.at_fault(error)
        turn.end_read()

    def _take(self, octets: bytes) -> None:
        if self.protocol is None:
            octets = self._detect(octets, False)
            if not octets:
                return
        session = self.session
        events = session.receive(_CLIENT, octets)
        if self._held is not None:  # what has come is read when its turn has
            self._ahead += len(octets)
            if self._ahead > _AHEAD:
                self.read_on(False)
            return
        try:
            self._take_all(events)
        except L7Error as error:
            self._breaks(str(error))
        self.mark()
        if session.full:
            self.read_on(False)
        for server in self.used:
            if server.marked and not server.drops and server.session.full:
                self.hold_for(server)

    def _take_all(self, events: Iterator[Event]) -> None:
        for event in events:
            if isinstance(event, Message):
                kind = event.kind
                if kind is _REQUEST or kind is _ONEWAY:
                    if not self._ask(event):
                        self._held = event  # read on: it may be gone before that has its turn
                        self._ahead = 0
                        return
                    if self.broken:
                        return
                else:
                    self._take_other(event)
            elif isinstance(event, Data):
                self._take_rest(event)
            else:
                self._take_opaque(event)

    def _take_rest(self, data: Data) -> None:
        servers = self.streams.get(data.message)
        if servers is None:
            return  # of what was refused, or given up
        ask = self.asks.find(data.message)
        if ask is not None:
            ask.request_octets += data.payload_size
            if ask.kept is not None:
                self.keep(ask, data)
        server = servers[0]
        try:
            server.put_rest(data)
        except L7Error as error:
            if ask is not None:
                self.fail(
                    ask, Failure.OVERLOAD if isinstance(error, LimitExceeded) else Failure.UNSUPPORTED, str(error)
                )
            server.cancel(data.message, self.in_order)
            return
        if len(servers) > 1:
            for copy in servers[1:]:
                try:
                    copy.put_rest(data)
                except L7Error:
                    servers.remove(copy)
                    copy.cancel(data.message, False)  # what comes behind a gap is not of this message
        if data.message.error is not None:
            self._withdrawn(data.message)
        elif not data.more:
            self._sent(data.message)

    def _sent(self, head: Message) -> None:
        """All of a message that streamed is sent on."""
        self.streams.pop(head, None)
        if head.kind is _ONEWAY:
            ask = self.asks.find(head)
            if ask is not None:
                self.end(ask)

    def _take_other(self, message: Message) -> None:
        """What is no request: heartbeats, and what belongs to a request."""
        if message.kind is _HEARTBEAT:
            try:
                self.write(self.session.reply_heartbeat(message))
            except L7Error:
                self.abort()
            return
        request = message.request
        if request is None:
            server = self._only()
            if server is not None:
                server.session.put(message)
                server.mark()
            return
        ask = self.asks.find(request)
        servers = self.streams.get(request)
        if servers is None and ask is not None and ask.server is not None:
            servers = [ask.server]
        for server in servers or ():
            try:
                server.session.put(message)
            except L7Error:
                pass
            server.mark()
        if ask is not None and ask.kept is not None:
            self.drop_kept(ask)  # this is not kept, and what has come is not all then
        if message.kind is _RESET or message.error is not None:
            self._withdrawn(request)
        elif message.kind is _TRAILERS:
            self._sent(request)

    def _withdrawn(self, request: Message) -> None:
        """The client has ended it early, or broke the protocol in it, so that its session did."""
        self.streams.pop(request, None)
        ask = self.asks.find(request)
        if ask is not None:
            ask.failure = Failure.CLIENT_GONE
            ask.status = Status.CANCELLED
            self.end(ask)

    def _only(self) -> Server | None:
        """The connection that gets what belongs to no request; None where clients share it."""
        if self.bound is not None or self.shares:
            return self.bound
        for server in self.own.values():
            return server
        return None

    def _take_opaque(self, event: Event) -> None:
        server = self._only()
        if server is None:
            seen = f"{event.raw[:_SEEN]!r}, which is no message"
            self._breaks(str(ProtocolError(int(event.offset), seen, "what can be routed")))
            return
        server.session.put(event)
        server.mark()

    # Where it goes.

    def _ask(self, message: Message) -> bool:
        """Send a request where it goes, or answer it; False where it has to wait until all before it is answered."""
        try:
            if message.error is not None:
                return True  # it is malformed, and its session has answered
            tied = self.pins and (message.pins is not None or message.blocks)
            if self.pins and self._held is None and self.asks.count > 0 and self._waits(message, tied):
                return False
            ask = Ask(self.place.name, message, self.turn.now, tied)
            self.asks.add(ask)
            self._route(ask)
        except BROKEN as error:
            if self.asks.find(message) is None:
                self.asks.add(Ask(self.place.name, message, self.turn.now, False))
            self.fails_at(message, error)
        return True

    def _route(self, ask: Ask) -> None:
        """Send `ask` where it goes, or answer it."""
        message = ask.request
        if self.doubts:
            self._note(message)
        try:
            plan = self.place.router.plan(message)
        except ProtocolError as error:
            self.fail(ask, Failure.UNSUPPORTED, str(error))
            return
        if plan is None:
            plan = self.place.otherwise
            if plan is None:
                plan = self._plan_without(ask)
                if plan is None:
                    return
        ask.plan = plan
        ask.rule = plan.rule
        pool = plan.pool if plan.plain else self.chosen(plan, ask)
        if pool is None:
            return
        if pool.only is not None and plan.hashed is None:
            host: Host | None = pool.only
        else:
            host = pool.pick(self.turn.now, None if plan.hashed is None else plan.hashed.hash_key(message))
        ask.cluster = pool.name
        if host is None:
            self.fail(ask, Failure.NO_HOST)
            return
        if plan.deadline > 0.0 and message.kind is _REQUEST:
            self.site.add_deadline(ask, plan.deadline)
        self.send(ask, host, plan)

    def _waits(self, message: Message, tied: bool) -> bool:
        """Whether what was asked before has to be answered first, since `message` goes on another connection."""
        if self.aside:
            return True
        if self.bound is not None and self.ties:
            return message.blocks or message.prepares
        return tied and not (self.alone and self.how.tie(message) is _LEADS)

    def _plan_without(self, ask: Ask) -> Plan | None:
        """What is done with `ask`, which no rule holds for; None where it is answered here."""
        message = ask.request
        if self.pins and message.pins is not None and not message.resources:
            if self.bound is not None and self.how.tie(message) is not _BINDS:
                return plain_plan(self.bound.host.pool)
            if self.bound is None and self.how.tie(message) is _OPENS:
                self.answer_opened(ask)
                return None
        self.fail(ask, Failure.NO_ROUTE)
        return None

    def _note(self, message: Message) -> None:
        """See who asks one call at a time, and what is one-way."""
        before = self.latest
        if message.kind is _ONEWAY:
            self.site.one_way.seen(message)
        if before is not None and self.turns >= _TURNS and self.asks.find(before) is not None:
            self.site.one_way.seen(before)  # its client has gone on without
        self.latest = message

    @property
    def is_tied(self) -> bool:
        """Whether it may wait for what nobody has asked for."""
        return self.alone or (self.bound is not None and bool(self.ties))

    @property
    def is_new(self) -> bool:
        """Whether nothing has come of it yet."""
        return not self.seen

    # Waiting.

    def settle(self, wrote: bool) -> None:
        super().settle(wrote)
        session = self.session
        if not self.reading and self._held is None and not self.broken and not session.full:
            for servers in self.streams.values():
                for server in servers:
                    if self in server.stopped:
                        return
            if self.server is not None and self in self.server.stopped:
                return
            self.read_on(True)
        if self.ends and self.asks.count == 0:
            self._finish()

    def all_answered(self) -> None:
        if self.loose:
            self.untie()
        if self._held is not None:
            self.turn.later(self._go_on)

    def _go_on(self) -> None:
        """What has waited goes on."""
        held = self._held
        if held is None or self.asks.count > 0 or self.transport is None:
            return
        if self.bound is not None and self.bound.half_closed:
            self._held = None  # what it is tied to ends with what has waited there
            self.mark()
            self.turn.flush()
            return
        try:
            if isinstance(held, Message):
                self._ask(held)
            self._held = None
            session = self.session
            ended = session.decoder(_CLIENT).ended
            self._take_all(session.eof(_CLIENT) if ended else session.receive(_CLIENT, b""))
            if ended:
                self._wait_no_more()
        except L7Error as error:
            self._held = None
            self._breaks(str(error))
        except BROKEN as error:
            self._held = None
            self.at_fault(error)
        self.mark()
        self.turn.flush()

    def at_fault(self, error: BaseException) -> None:
        if not isinstance(error, L7Error):
            self.turn.fault(self.session.flow.protocol, error)
        if not self.broken:
            try:
                self._breaks(said(error))
                return
            except BROKEN:
                pass
        self.abort()

    # The end.

    def _breaks(self, text: str) -> None:
        """The client breaks the protocol, as `text` says. What it has asked before is answered."""
        self._tell(text)
        self.broken = True
        self.read_on(False)
        self.drop_unfinished()
        try:
            self.write(self.session.pending_output())
        except L7Error:
            pass
        if self.asks.count > 0 and not self.credits:
            self.ends = True
        else:
            self.close()

    def _tell(self, text: str) -> None:
        """Tell observers what is wrong with what it has said."""
        self.site.observers.refused(self.place.name, text, self.session.flow.client)

    def expire(self) -> None:
        """It has said nothing for long: what it has begun to say is never taken for nothing."""
        begun = self._first
        if begun:
            self._tell(
                str(
                    ProtocolError(
                        0, f"{begun[:_SEEN]!r} and then nothing", "the beginning of a protocol that is registered"
                    )
                )
            )
        elif self.session.decoder(_CLIENT).unfinished():
            self._tell("saw a part of a message and then nothing, expected the rest of it")
        self.close()

    def ended(self) -> bool:
        """The client half-closes: it gets its answers, but those that wait for others."""
        turn = self.turn
        turn.begin_read()
        stays = False
        try:
            try:
                self._take_last()
            except L7Error as error:
                self._tell(str(error))
            self.ends = True
            self.half_closed = True
            self._wait_no_more()
            stays = self.asks.count > 0 or self._held is not None or self.session.queued > 0
        except BROKEN as error:
            self.at_fault(error)
        self.mark()
        turn.end_read()
        return stays

    def _wait_no_more(self) -> None:
        """What waits for others is not waited for: its client may be gone, and what it took were lost. Nor is what it did not finish."""
        self.drop_unfinished()
        if not self.pins:
            return
        for ask in self.asks.each():
            server = ask.server
            if server is not None and server.own and ask.request.blocks and not server.half_closed:
                server.half_close()

    def probe(self) -> None:
        """It has half-closed, and waits: see whether it is there."""
        if self.asks.count > 0:
            self.write(self.session.probe())
            self.mark()

    def _take_last(self) -> None:
        """What is left when the client says no more."""
        if self.protocol is None and not self._first:
            return  # it has said nothing at all, as who looks whether anybody listens
        first = b"" if self.protocol is not None or self.broken else self._detect(b"", True)
        if first:
            self._take(first)
        if self._is_broken():
            return
        events = self.session.eof(_CLIENT)
        if self._held is None:
            self._take_all(events)

    def _is_broken(self) -> bool:
        return self.broken

    def told_to_go(self) -> None:
        if not self.draining:
            self.draining = True
            try:
                self.write(self.session.close())
            except L7Error:
                pass

    def drain(self) -> None:
        """The engine ends: the client is told, and gets the answers to what it has asked."""
        self.told_to_go()
        self.ends = True
        self.mark()

    def _finish(self) -> None:
        """Close, when all is written."""
        if (self._held is None and self.session.queued == 0 and not self.bound) or (
            self.bound is not None and not self.session.paused
        ):
            self.close()

    def lost(self, text: str) -> None:
        self.transport = None
        self.turn.begin_read()
        self.site.clients.pop(self.session.flow, None)
        self._held = None
        own = self.own
        self.own = {}  # nobody else gets those, where something is under way
        for ask in self.asks.each():
            server = ask.server
            ask.failure = Failure.CLIENT_GONE
            ask.status = Status.CANCELLED
            request = ask.request
            self.streams.pop(request, None)
            self.end(ask)
            if server is not None and not server.own:
                server.cancel(request, False)
        for head, servers in self.streams.items():
            for each in servers:
                each.cancel(head, False)
        self.streams = {}
        self._unclog()
        for server in self.used:
            server.users.pop(self, None)
            server.stopped.pop(self, None)
        self.used = {}
        self._shared = {}
        self.bound = None
        self.server = None
        self.host = None
        for server in own.values():
            server.end_with_owner()
        self.turn.end_read()
