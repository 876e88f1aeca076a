"""Where a client's request is sent: which connection to a host has it, and what is changed and copied on the way.

A client of a protocol that pins (`Message.pins`) has connections of its own where it needs such. Before it changes from one connection to
another at the same host, what it has asked is answered: so nothing overtakes.

    asked       GET a      SELECT 1       GET a                  MULTI
    sent on     shared     wait, then     the one that is        wait, then
                           another        shared by who has 1    its own
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

__all__ = ["Sending"]

_REQUEST: Final = Kind.REQUEST
_ONEWAY: Final = Kind.ONEWAY
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
        if plan.mirrors:
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
            or (self.pins and (self.bound is not None or message.pins is not None or message.blocks))
        ):
            server = self._server_for(ask, host)
            if server is None:
                return None
            self._use(server)
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
        if self.pins:
            why = message.pins
            bound = self.bound
            if bound is not None and (bound.host is host or (why is not None and not message.resources)):
                return bound
            if why is not None or message.blocks:
                if message.prepares:
                    return self._prepared(ask, host, protocol)
                if bound is not None:
                    self.fail(
                        ask, Failure.UNSUPPORTED, "a client cannot be tied to two servers", Status.FAILED_PRECONDITION
                    )
                    self.stop_asking()
                    return None
                self.bound = self._own_server(ask, host, protocol)
                return self.bound
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

    def _prepared(self, ask: Ask, host: Host, protocol: Protocol) -> Server | None:
        """`ask` sets the connection up: it is sent on one that clients share who have had the same."""
        message = ask.request
        before = [each for each in self._preparation if each.operation != message.operation]
        octets = message.raw
        if message.more or len(octets) > _PREPARED_SIZE or len(before) >= _PREPARED:
            self.fail(ask, Failure.OVERLOAD, "more than a connection is set up with")
            return None
        let_go(message)
        after = [*before, message]
        self.key = protocol.name + " " + b"".join([each.raw for each in after]).hex()
        server = host.server(protocol, self.key, self.number, before)
        self._preparation = after
        self._shared = {host: server}
        self.host = host
        self.server = server
        return server

    def _own_server(self, ask: Ask, host: Host, protocol: Protocol) -> Server | None:
        """The connection that this client has at `host` for itself."""
        server = self.own.get(host)
        if server is not None and server.serves:
            return server
        server = host.own_server(protocol, self._preparation)
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
        if self.bound is server or not self.shares:
            self.bound = None
            self.ends = True
            self.broken = True
            self.read_on(False)
            self.mark()
