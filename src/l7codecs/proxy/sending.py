"""Where a client's request is sent: which connection to a host has it, and what is changed and copied on the way.

A client of a protocol that pins (`Message.pins`) has connections of its own where it needs such. Before it changes from one connection to
another at the same host, what it has asked is answered: so nothing overtakes. What opens (`Tie.OPENS`) is answered here, and sent where the
next goes.

    asked       GET a      SELECT 1       GET a                  MULTI      SET b         EXEC     GET a
    sent on     shared     wait, then     the one that is        wait       MULTI and     the      shared again, once
                           another        shared by who has 1               SET on its    same     EXEC is answered
                                                                            own at b
"""

from __future__ import annotations

from random import random
from typing import Final

from mypy_extensions import i64, mypyc_attr

from l7codecs.endpoint.changes import Changes
from l7codecs.errors import L7Error, LimitExceeded, Unsupported
from l7codecs.kinds import Kind, Status
from l7codecs.message import Message
from l7codecs.pairing.retention import let_go
from l7codecs.protocol import Protocol
from l7codecs.proxy.answering import Answering
from l7codecs.proxy.asks import Ask
from l7codecs.proxy.exchange import Exchange, Failure
from l7codecs.proxy.plans import Plan
from l7codecs.proxy.pools import Host, Pool
from l7codecs.proxy.site import Place, Site
from l7codecs.proxy.upstream import Server
from l7codecs.session import Session
from l7codecs.ties import Tie, Ties

__all__ = ["Sending"]

_REQUEST: Final = Kind.REQUEST
_ONEWAY: Final = Kind.ONEWAY
_TIES: Final = Ties()
_FREE: Final = Tie.NONE
_OPENS: Final = Tie.OPENS
_STAYS: Final = Tie.STAYS
_ELSEWHERE: Final = "what is under way is at another server"
_LATE: Final = frozenset({Failure.CONNECT, Failure.DEADLINE, Failure.RESET, Failure.PROTOCOL, Failure.CLIENT_GONE})
"""Failures of what was sent, as far as its connection got."""
_PREPARED: Final = 16
_PREPARED_SIZE: Final = 1 << 16
"""What sets a client's connections up: so many messages, of so many octets."""
_TRIES: Final[i64] = 3


@mypyc_attr(allow_interpreted_subclasses=True)
class Sending(Answering):
    """A client's connection, as far as its requests are sent on."""

    def __init__(self, site: Site, place: Place, session: Session, number: i64) -> None:
        super().__init__(site, place, session)
        self.number = number
        """By which clients are spread over the connections to a host."""
        self.protocol: Protocol | None = None
        """What it speaks; None until that is known."""
        self.shares = False
        self.pins = False
        """Whether messages of the protocol may pin."""
        self.speaks = False
        """Whether messages have a dialect."""
        self.broken = False
        """Nothing more is read."""
        self.host: Host | None = None
        self.server: Server | None = None
        """Those of the latest request."""
        self.key = ""
        """What those have in common who may share a connection with this client."""
        self.own: dict[Host, Server] = {}
        """The connections that it has for itself."""
        self.used: dict[Server, None] = {}
        """All connections that it has sent on, as long as they are there."""
        self.bound: Server | None = None
        """That of them which it is tied to."""
        self.how: Ties = _TIES
        """How messages tie."""
        self.ties: dict[str, None] = {}
        """Why it is: reasons of `Message.pins` that hold still."""
        self.loose = False
        """It is tied to nothing any more, or something went aside: once all is answered that is over."""
        self.aside = False
        """What it waits for came on a connection of its own which it is not tied to: nothing is sent before that is answered."""
        self.opened: Message | None = None
        """What it was answered here, and its server has not had."""
        self._spoiled: Message | None = None
        """What that server has to be sent right behind that, since something was refused."""
        self._dialect: str | None = None
        self._shared: dict[Host, Server] = {}
        """By host: what it shares with others who have the same key, and dialect."""
        self._preparation: list[Message] = []

    def chosen(self, plan: Plan, ask: Ask) -> Pool | None:
        """The cluster, where it is not plain; None where `ask` is answered here."""
        reply = plan.reply
        if reply is not None:
            self.fail(ask, Failure.REPLIED, reply.text, reply.status)
            return None
        if plan.bucket is not None and not plan.bucket.take(self.turn.now):
            self.fail(ask, Failure.RATE_LIMITED)
            return None
        pool = plan.draw()
        if pool is None:
            self.fail(ask, Failure.NO_ROUTE)
        return pool

    def send(self, ask: Ask, host: Host, plan: Plan) -> None:
        """Send `ask` to `host`, or answer it."""
        message = ask.request
        server = self._put(ask, host, plan)
        while server is not None and server.session.closing and ask.server is None:
            # That connection has just ended for new requests: there is another.
            server.leave()
            self.forget(server)
            server = self._put(ask, host, plan)
        if server is None or ask.server is None:
            return
        server.mark()
        if message.more:
            self.streams[message] = [server]
        elif message.kind is _ONEWAY:
            self.end(ask)
        if plan.mirrors and not ask.copied:
            ask.copied = True
            self._mirror(ask, plan)

    def _put(self, ask: Ask, host: Host, plan: Plan) -> Server | None:
        """Give `ask` to a connection, which is returned; without ``ask.server`` where it did not take it. None: it is answered here."""
        message = ask.request
        if self.speaks and message.dialect != self._dialect:
            self._shared.clear()
            self.host = None
        server = self.server if host is self.host else self._shared.get(host)
        if (
            server is None
            or not server.serves
            or (server.clogs and self._leaves(server))
            or (self.pins and (self.bound is not None or message.pins is not None or message.blocks))
        ):
            server = self._server_for(ask, host)
            if server is None:
                return None
            self._use(server)
            host = server.host
        else:
            self.host = host
            self.server = server
        ask.host = host.address
        ask.server = server
        ask.attempts += 1
        try:
            if plan.request is None and self.changes is None and not self.site.observers.wants_begun:
                server.session.put(message)
            else:
                self._put_changed(ask, plan, server)
        except LimitExceeded as error:
            self.fail(ask, Failure.OVERLOAD, str(error))
            return None
        except Unsupported as error:
            if server.session.closing and ask.attempts < _TRIES:
                ask.server = None
                return server
            self.fail(ask, Failure.UNSUPPORTED, str(error), Status.PERMISSION_DENIED if self.changes else None)
            return None
        except (L7Error, ValueError) as error:
            self.fail(ask, Failure.UNSUPPORTED, str(error))
            return None
        return server

    def _leaves(self, server: Server) -> bool:
        """Whether to ask elsewhere than at `server`, where others take too little: not before it has answered what this client asked."""
        for ask in self.asks.values():  # noqa: SIM110  # a generator is slow, compiled
            if ask.server is server:
                return False
        return True

    def _use(self, server: Server) -> None:
        if server not in self.used:
            self.used[server] = None
            server.users[self] = None

    def forget(self, server: Server) -> None:
        self.used.pop(server, None)
        if self._shared.get(server.host) is server:
            del self._shared[server.host]
        if self.server is server:
            self.server = None
            self.host = None

    def _put_changed(self, ask: Ask, plan: Plan, server: Server) -> None:
        message = ask.request
        changes = self.changes
        if plan.request is not None:
            edited = plan.request.changes(message)
            if changes is None:
                changes = edited
            elif edited:
                changes = changes.joined(edited)
        if self.site.observers.wants_begun and self.changes is None:
            headers = self.site.observers.begun(ask)
            if headers:
                with_headers = Changes(
                    None if changes is None else changes.attributes,
                    set_headers={**({} if changes is None else changes.set_headers), **headers},
                    remove_headers=() if changes is None else changes.remove_headers,
                )
                try:
                    server.session.put(message, with_headers)
                    return
                except Unsupported:
                    pass  # this protocol, or this message, has none
        server.session.put(message, changes if changes else None)

    def _server_for(self, ask: Ask, host: Host) -> Server | None:
        """The connection to `host` for `ask`; None where it is answered here."""
        message = ask.request
        protocol = self.protocol
        assert protocol is not None
        if self.shares and self.server is None and message.unshared:
            self.shares = False
        if not self.shares:
            return self._own_server(ask, host, protocol)
        if self.pins and (
            self.bound is not None or self.opened is not None or message.pins is not None or message.blocks
        ):
            tie = self.how.tie(message)
            bound = self.bound
            if bound is not None and (
                bound.host is host or ((tie is _STAYS or tie is _OPENS) and not message.resources)
            ):
                self._note_tie(message)
                if message.prepares and not self._prepare(ask):
                    return None
                ask.cluster = bound.host.pool.name
                return bound
            if tie is not _FREE or message.blocks:
                return self._tied_server(ask, host, protocol)
        key = self.key
        dialect = message.dialect
        if dialect is not None:
            self.speaks = True
            self._dialect = dialect
            key = f"{key} {dialect}"
        server = host.server(protocol, key, self.number, self._preparation)
        self.host = host
        self.server = server
        self._shared[host] = server
        return server

    def _tied_server(self, ask: Ask, host: Host, protocol: Protocol) -> Server | None:
        """The connection to `host` for `ask`, which ties its client, belongs to what does, or blocks; None where it is answered here."""
        message = ask.request
        if self.opened is not None:
            return self._open_at(ask, host, protocol)
        if message.prepares:
            if not self._prepare(ask):
                return None
            server = host.server(protocol, self.key, self.number, self._preparation[:-1])
            self._shared = {host: server}
            self.host = host
            self.server = server
            return server
        if self.how.tie(message) is _OPENS and self.bound is None and not message.resources:
            self.answer_opened(ask)
            return None
        if message.blocks and (self.bound is None or self.how.tie(message) is _FREE):
            own = self._own_server(ask, host, protocol)
            if own is not None:
                self.aside = True
                self.loose = True
            return own
        if self.bound is not None:
            whole = self.how.stand_in(message) is None
            if message.kind is not _REQUEST and whole:
                self._send_beside(ask, host, protocol)
                return None
            self.fail(ask, Failure.UNSUPPORTED, _ELSEWHERE, Status.FAILED_PRECONDITION)
            if message.kind is not _REQUEST:
                self.stop_asking()  # nobody was told
            return None
        self.bound = self._own_server(ask, host, protocol)
        if self.bound is not None:
            self._note_tie(message)
        return self.bound

    def _send_beside(self, ask: Ask, host: Host, protocol: Protocol) -> None:
        """Send `ask`, whose client wants no answers where it is tied, to `host`, which may give one: that is nobody's."""
        server = host.server(protocol, self.key, self.number, self._preparation)
        self._use(server)
        try:
            server.replay(ask.request)
        except L7Error as error:
            self.fail(ask, Failure.OVERLOAD, str(error))
            self.stop_asking()
            return
        ask.host = host.address
        self.end(ask)

    def _open_at(self, ask: Ask, host: Host, protocol: Protocol) -> Server | None:
        """The connection to `host`, which is first given what was answered here."""
        opened = self.opened
        server = self._own_server(ask, host, protocol)
        if server is None or opened is None:
            return None
        self.opened = None
        self.bound = server
        self._note_tie(opened)
        server.replay(opened)
        if self._spoiled is not None:
            server.replay(self._spoiled)
            self._spoiled = None
        self._note_tie(ask.request)
        return server

    def answer_opened(self, ask: Ask) -> None:
        """Answer `ask`, which opens, here; it is sent where the next goes."""
        message = ask.request
        try:
            self.write(self.how.reply_opened(self.session, message))
        except L7Error as error:
            self.fail(ask, Failure.UNSUPPORTED, str(error))
            return
        self.mark()
        let_go(message)
        self.opened = message
        ask.cluster = None
        ask.status = Status.OK
        self.end(ask)

    def _note_tie(self, message: Message) -> None:
        """Remember why the client is tied, where `message` says so, and what ties it no more."""
        why = message.pins
        if why is not None:
            self.ties[why] = None
        freed = self.how.frees(message)
        if freed:
            for reason in freed:
                self.ties.pop(reason, None)
            left = [each for each in self._preparation if each.pins not in freed]
            if len(left) < len(self._preparation):
                self._prepare_as(left)
        if not self.ties:
            self.loose = True

    def untie(self) -> None:
        """All is answered."""
        self.loose = False
        self.aside = False
        if not self.ties:
            self.bound = None
        if self.shares and not self.speaks:
            for host, server in list(self.own.items()):
                if server is not self.bound:
                    del self.own[host]
                    self.used.pop(server, None)
                    server.users.pop(self, None)
                    server.owner = None
                    host.give_back(server, self.key)

    def fail(self, ask: Ask, failure: Failure, text: str = "", status: Status | None = None) -> None:
        super().fail(ask, failure, text, status)
        if self.pins and failure not in _LATE and (self.bound is not None or self.opened is not None):
            self._spoil(ask.request)

    def _spoil(self, refused: Message) -> None:
        """`refused` belonged to what is under way at a server: that is told."""
        instead = self.how.stand_in(refused)
        if instead is None:
            return
        if self.bound is not None:
            self._note_tie(instead)
            try:
                self.bound.replay(instead)
            except L7Error:
                self.stop_asking()
        elif self.how.frees(instead):
            self.opened = None
            self._spoiled = None
        else:
            self._spoiled = instead

    def _prepare(self, ask: Ask) -> bool:
        """`ask` sets connections up: those who have had the same share them. Whether it can be; if not, it is answered."""
        message = ask.request
        before = [each for each in self._preparation if each.operation != message.operation]
        octets = message.raw
        if message.more or len(octets) > _PREPARED_SIZE or len(before) >= _PREPARED:
            self.fail(ask, Failure.OVERLOAD, "more than a connection is set up with")
            return False
        let_go(message)
        self._prepare_as([*before, message])
        return True

    def _prepare_as(self, messages: list[Message]) -> None:
        """Connections are set up by these from now on."""
        protocol = self.protocol
        assert protocol is not None
        self._preparation = messages
        self.key = protocol.name
        if messages:
            self.key += " " + b"".join([each.raw for each in messages]).hex()
        self._shared = {}
        self.host = None
        self.server = None
        for host, server in list(self.own.items()):
            if server is not self.bound:  # it was set up otherwise
                del self.own[host]
                server.owner = None
                server.serves = False
                server.close_now()

    def _own_server(self, ask: Ask, host: Host, protocol: Protocol) -> Server | None:
        """The connection that this client has at `host` for itself."""
        server = self.own.get(host)
        if server is not None and server.serves:
            return server
        server = host.own_server(protocol, self.key, self._preparation)
        if server is None:
            self.fail(ask, Failure.OVERLOAD, "too many connections that clients have for themselves")
            return None
        server.owner = self
        self.own[host] = server
        return server

    def _mirror(self, ask: Ask, plan: Plan) -> None:
        """Send copies."""
        message = ask.request
        protocol = self.protocol
        if protocol is None or not protocol.shares or (self.pins and (message.pins is not None or message.blocks)):
            return
        changes = None if plan.request is None else plan.request.changes(message)
        for pool, fraction in zip(plan.mirrors, plan.fractions, strict=True):
            if fraction < 1.0 and random() >= fraction:
                continue
            host = pool.pick(self.turn.now, None)
            if host is None:
                continue
            dialect = message.dialect
            key = f"copies {self.key} {dialect}"
            server = host.server(protocol, key, self.number, self._preparation)
            server.drops = True
            self._use(server)
            if server.session.full:
                continue  # a copy is not worth to wait for
            try:
                server.session.put(message, changes if changes else None)
            except (L7Error, ValueError):
                continue
            server.mark()
            if message.more:
                self.streams[message].append(server)

    def send_again(self, ask: Ask) -> bool:
        plan = ask.plan
        name = ask.host
        pool = None
        if plan is None or self.transport is None:
            return False
        for each in [plan.pool, *plan.pools]:
            if each is not None and each.name == ask.cluster:
                pool = each
        if pool is None:
            return False
        key = None if plan.hashed is None else plan.hashed.hash_key(ask.request)
        host = pool.pick(self.turn.now, key, None if name is None else pool.hosts.get(name))
        if host is None:
            return False
        self.send(ask, host, plan)
        return True

    def too_late(self, ask: Exchange) -> None:
        """The deadline of `ask` is over."""
        if not isinstance(ask, Ask) or self.asks.get(ask.request) is not ask:
            return
        server = ask.server
        self.fail(ask, Failure.DEADLINE)
        if server is not None:
            server.host.pool.failed(server.host, self.turn.now)
            if server.own:
                server.serves = False
                if not self.shares or (server is self.bound and self.ties):
                    self.stop_asking()
                server.close_now()
            else:
                server.cancel(ask.request, self.in_order)

    # Waiting.

    def hold_for(self, server: Server) -> None:
        """Too much waits at `server`."""
        server.stopped[self] = None
        if not self.is_streaming_to(server):
            self.read_on(False)

    def is_streaming_to(self, server: Server) -> bool:
        flow = self.session.flow
        for head in server.session.streaming():  # noqa: SIM110  # a generator is slow, compiled
            if head.connection is flow:
                return True
        return False

    def stop_asking(self) -> None:
        """The client is answered what it has asked, and nothing more."""
        self.broken = True
        self.ends = True
        self.read_on(False)
        self.mark()

    def has_own(self, server: Server) -> None:
        """The connection that this client had for itself has ended; what it was tied to is lost."""
        for host, each in list(self.own.items()):
            if each is server:
                del self.own[host]
        if self.bound is server and self.shares and not self.ties:
            self.bound = None
        elif self.bound is server or not self.shares:
            self.bound = None
            self.ends = True
            self.broken = True
            self.read_on(False)
            self.mark()
