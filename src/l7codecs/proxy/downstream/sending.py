"""Where a client's request is sent: which connection to a host has it, and what is changed and copied on the way."""

from __future__ import annotations

from random import random
from typing import Final

from mypy_extensions import i64, mypyc_attr

from l7codecs.endpoint.changes import Changes
from l7codecs.errors import L7Error, LimitExceeded, Unsupported
from l7codecs.kinds import Kind, Status
from l7codecs.proxy.downstream.asks import Ask
from l7codecs.proxy.downstream.tying import Tying
from l7codecs.proxy.exchange import Exchange, Failure
from l7codecs.proxy.plans import Plan
from l7codecs.proxy.site import Place, Site
from l7codecs.proxy.upstream.pools import Host, Pool
from l7codecs.proxy.upstream.server import Server
from l7codecs.session import Session
from l7codecs.ties import Tie

__all__ = ["Sending"]

_ONEWAY: Final = Kind.ONEWAY
_REQUEST: Final = Kind.REQUEST
_FREE: Final = Tie.NONE
_OPENS: Final = Tie.OPENS
_STAYS: Final = Tie.STAYS
_LEADS: Final = Tie.LEADS
_HERE: Final = Tie.HERE
_TRIES: Final[i64] = 3


@mypyc_attr(allow_interpreted_subclasses=True)
class Sending(Tying):
    """A client's connection, as far as its requests are sent on."""

    def __init__(self, site: Site, place: Place, session: Session, number: i64) -> None:
        super().__init__(site, place, session, number)
        self._dialect: str | None = None

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
        while server is not None and ask.server is None and server.session.closing:
            # That connection has just ended for new requests: there is another.
            server.leave()
            self.forget(server)
            server = self._put(ask, host, plan)
        if server is None or ask.server is None:
            return
        server.mark()
        if message.more:
            self._begin_rest(ask, server)
        elif message.kind is _ONEWAY:
            self.end(ask)
        if (plan.mirrors or server.host.pool.only is None) and not ask.copied:
            if message.spreads:
                ask.copied = True
                self._spread(ask, server.host, plan)
            elif plan.mirrors:
                ask.copied = True
                self._mirror(ask, plan)

    def _begin_rest(self, ask: Ask, server: Server) -> None:
        """What follows the head of `ask` goes to `server`: first what has been kept of it, where it is sent again."""
        message = ask.request
        before = self.streams.get(message)
        self.streams[message] = [server] if before is None else [server, *before[1:]]
        kept = ask.kept
        if kept is None:
            if ask.attempts == 1 and message.kind is _REQUEST and not server.own:
                ask.kept = []
            return
        try:
            for data in kept:
                server.put_rest(data)
        except L7Error as error:
            self.fail(ask, Failure.OVERLOAD, str(error))
            server.cancel(message, self.in_order)
            return
        if kept and not kept[-1].more:
            del self.streams[message]

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
            or ask.tied
            or self.bound is not None
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
        ask = self.asks.first
        while ask is not None:
            if ask.server is server:
                return False
            ask = ask.following
        return True

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
        if self.shares and self.server is None and message.unshared and not message.prepares:
            self.shares = False
        if not self.shares:
            return self._own_server(ask, host, protocol)
        if self.pins and (
            self.bound is not None or self.opened is not None or message.pins is not None or message.blocks
        ):
            tie = self.how.tie(message)
            bound = self.bound
            if tie is _LEADS and self.alone:
                self._answer_leading(ask)
                return None
            if tie is _HERE:
                self.answer_here(ask)
                return None
            if bound is not None and (
                bound.host is host or ((tie is _STAYS or tie is _OPENS) and not message.resources)
            ):
                self._note_tie(message)
                if message.prepares and not self._prepare(ask):
                    return None
                ask.cluster = bound.host.pool.name
                self._lead(bound)
                return bound
            if (tie is not _FREE and tie is not _LEADS) or message.blocks:
                server = self._tied_server(ask, host, protocol)
                if server is not None:
                    self._lead(server)
                return server
        key = self.key
        dialect = message.dialect
        if dialect is not None:
            self.speaks = True
            self._dialect = dialect
            key = f"{key} {dialect}"
        if self.alone:
            own = self._own_server(ask, host, protocol)
            if own is None:
                return None
            server = own
            self._lead(server)
        else:
            server = host.server(protocol, key, self.number, self._preparation)
        self.host = host
        self.server = server
        self._shared[host] = server
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

    def _spread(self, ask: Ask, host: Host, plan: Plan) -> None:
        """Send it to the other hosts of its cluster, and to all of the mirrors', where what this client asks there next comes behind it."""
        message = ask.request
        protocol = self.protocol
        if protocol is None or not self.shares or message.more:
            return
        for pool in (host.pool, *plan.mirrors):
            for other in list(pool.hosts.values()):
                if other is host:
                    continue
                if self.alone:
                    server = self._own_server(ask, other, protocol)
                    if server is None:
                        return
                else:
                    server = other.server(protocol, self.key, self.number, self._preparation)
                self._use(server)
                try:
                    server.replay(message)
                except L7Error:
                    continue  # it takes nothing: nor what would count on it

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
        if not isinstance(ask, Ask) or self.asks.find(ask.request) is not ask:
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
