"""The engine: listeners, what they share, what is looked at now and then, and how all of it changes and ends."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import ssl
import stat
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

from l7codecs.detect import AutoSession
from l7codecs.kinds import Address, Sender
from l7codecs.message import Flow
from l7codecs.protocol import Protocol
from l7codecs.proxy.downstream.client import Client
from l7codecs.proxy.downstream.detecting import choose
from l7codecs.proxy.observing import Observer, Observers, said
from l7codecs.proxy.plans import Router, plain_plan
from l7codecs.proxy.settings import Listener, Settings
from l7codecs.proxy.site import Place, Site
from l7codecs.proxy.sweeping import SWEEP, sweep
from l7codecs.proxy.transport.tls import server_context, tell_failures
from l7codecs.proxy.transport.turn import Leg, Turn
from l7codecs.proxy.transport.wire import Handshake
from l7codecs.proxy.upstream.connecting import Connector, split_address
from l7codecs.proxy.upstream.pools import Host, Pool
from l7codecs.registry import BROKEN, get_protocol, usable_protocols
from l7codecs.routing import TokenBuckets
from l7codecs.session import Session

__all__ = ["Engine"]

_BACKLOG = 1024


class Engine:
    """A proxy that runs in one event loop.

    engine = Engine(settings)
    await engine.start()
    ...
    await engine.drain()
    """

    def __init__(self, settings: Settings, observers: Sequence[Observer] = (), *, worker: int | None = None) -> None:
        """`worker` is the number of this one of several on the same ports."""
        self.settings = settings
        self.observers = Observers(observers)
        self.pools: dict[str, Pool] = {}
        self.places: dict[str, Place] = {}
        self._worker = worker
        self._servers: dict[str, list[asyncio.Server]] = {}
        self._buckets = TokenBuckets()
        self._number = 0
        self._tasks: list[asyncio.Task[None]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._hurries = False
        self._left: set[Host] = set()
        """Hosts that are in the configuration no more, and answer what they have."""
        self._ending: dict[Leg, float] = {}

    async def start(self) -> None:
        """Listen. Raises OSError where an address cannot be had, or a file of TLS is not what it should be."""
        loop = asyncio.get_running_loop()
        self._loop = loop
        self._turn = Turn(loop.call_soon, getattr(loop, "_ready", None))
        self._turn.fault = self.observers.fault
        self._site = Site(self._turn, self.observers, self.settings.limits, self._set_timer, _choose)
        self._connector = Connector(loop, self._site)
        try:
            await self.apply(self.settings)
        except BaseException:
            await self.stop()
            raise
        self._tasks.append(loop.create_task(self._sweep()))

    @property
    def addresses(self) -> dict[str, Address | str]:
        """Where each listener listens: host and port, or the path of a Unix socket."""
        found: dict[str, Address | str] = {}
        for name, servers in self._servers.items():
            at = servers[0].sockets[0].getsockname()
            found[name] = at if isinstance(at, str) else (at[0], at[1])
        return found

    @property
    def clients(self) -> list[Client]:
        """All clients that are connected."""
        return [each for each in self._site.clients.values() if isinstance(each, Client)]

    @property
    def connected(self) -> int:
        """How many clients are connected."""
        return len(self._site.clients)

    @property
    def ended(self) -> int:
        """How many clients were connected, and are not any more."""
        return self._number - len(self._site.clients)

    @property
    def draining(self) -> bool:
        """Whether it takes no more clients."""
        return self._site.draining

    @property
    def in_flight(self) -> int:
        """Requests that are not answered."""
        return sum(int(each.asks.count) for each in self.clients)

    # What it does.

    async def apply(self, settings: Settings) -> None:
        """Go on as `settings` say. Connections and requests that are there stay; raises as `start` does, and then all is as before."""
        contexts: dict[str, ssl.SSLContext] = {}
        for listener in settings.listeners:
            if listener.tls is not None:
                contexts[listener.name] = context = server_context(listener.tls, _alpn(listener))
                tell_failures(context, partial(self._refuse, listener.name))
        opened: dict[str, list[asyncio.Server]] = {}
        closed = dict(self._servers)
        listening = {
            self.places[name].settings.address: name
            for name in self._servers
            if not self.places[name].settings.address.endswith(":0")
        }
        pools = dict(self.pools)
        for name, upstreams in settings.clusters.items():
            if name not in pools:
                pools[name] = Pool(upstreams, self._connector.open)
        buckets = self._buckets.following(settings.table.rules)
        router = Router(settings.table, pools, buckets)
        places: dict[str, Place] = {}
        try:
            for listener in settings.listeners:
                if self._worker and listener.address.startswith("unix:"):
                    continue
                place = self.places.get(listener.name)
                before = None if place is None else place.settings
                if place is None:
                    place = Place(listener, router)
                places[listener.name] = place
                if before is not None and _opened_alike(before, listener) and listener.name in closed:
                    opened[listener.name] = closed.pop(listener.name)
                    continue
                at_once = before is not None and before.address == listener.address
                name_before = listener.name if at_once else listening.get(listener.address)
                kept = [] if name_before is None else _others_of(self._servers.get(name_before, ()))
                opened[listener.name] = await self._listen(place, listener, contexts.get(listener.name), kept)
        except OSError:
            for name, servers in opened.items():
                if self._servers.get(name) is not servers:
                    _close_all(servers)
            raise
        self.settings = settings
        self._buckets = buckets
        self._site.limits = settings.limits
        self._connector.forget()
        hosts = self._hosts()
        for name, upstreams in settings.clusters.items():
            pools[name].update(upstreams)
        for name in [each for each in pools if each not in settings.clusters]:
            pools.pop(name).retire()
        self.pools = pools
        self._left |= hosts - self._hosts()
        for listener in settings.listeners:
            if listener.name in places:
                places[listener.name].settings = listener
        by_address = {each.address: each for each in settings.listeners}
        staying = set(places.values())
        for place in staying.union(client.place for client in self.clients):
            if place not in staying:  # its listener has gone, or has another name
                place.settings = by_address.get(place.settings.address, place.settings)
            place.router = router
            pool = None if place.settings.cluster is None else pools.get(place.settings.cluster)
            place.otherwise = None if pool is None else plain_plan(pool)
        self.places = places
        self._servers = opened
        await self._close_after([each for servers in closed.values() for each in servers])

    async def _close_after(self, servers: list[asyncio.Server]) -> None:
        """Close what listens no more, once those are admitted that it has accepted: asyncio drops who comes between the two."""
        if isinstance(self._loop, asyncio.BaseEventLoop):
            for server in servers:
                for each in server.sockets:
                    self._loop.remove_reader(each.fileno())
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        _close_all(servers)

    async def _listen(
        self, place: Place, listener: Listener, context: ssl.SSLContext | None, kept: Sequence[socket.socket] = ()
    ) -> list[asyncio.Server]:
        at = split_address(listener.address)
        given: dict[str, Any] = {"backlog": _BACKLOG}
        if context is not None:
            given |= {"ssl": context, "ssl_handshake_timeout": listener.opening}
            # Who waits for nothing does not read, and so never says that it has seen the end.
            given["ssl_shutdown_timeout"] = listener.stalled

        def wire() -> Handshake:
            return Handshake(lambda transport: self._admit(place, transport))

        loop = self._loop
        if isinstance(at, str):
            if kept:
                return [await loop.create_unix_server(wire, sock=each, **given) for each in kept]
            _make_room(at)
            return [await loop.create_unix_server(wire, at, **given)]
        if kept:
            return [await loop.create_server(wire, sock=each, **given) for each in kept]
        return [await loop.create_server(wire, at[0], at[1], reuse_port=self._worker is not None or None, **given)]

    def _admit(self, place: Place, transport: Any) -> tuple[Leg, Callable[[], None]] | None:
        """A client has connected."""
        try:
            client = self.open_client(place, transport)
        except BROKEN as error:
            self.observers.fault(place.settings.protocol, error)
            self._refuse(place.name, said(error))
            transport.abort()
            return None
        place.count += 1
        peer = client.session.flow.client
        self.observers.connected(place.name, peer)

        def lost() -> None:
            place.count -= 1
            self.observers.disconnected(place.name, peer)

        if place.count > place.settings.connections:
            self.observers.refused(place.name, f"more than {place.settings.connections} clients", peer)
            client.abort()
        return client, lost

    def _refuse(self, name: str, text: str) -> None:
        """A client of the listener `name` was not let in; who that is nobody says so early."""
        self.observers.refused(name, text, None)

    def open_client(self, place: Place, transport: Any) -> Client:
        """A session for a client at the other end of `transport`."""
        peer = transport.get_extra_info("peername")
        at = transport.get_extra_info("sockname")
        client = (peer[0], peer[1]) if isinstance(peer, tuple) else None
        here = (at[0], at[1]) if isinstance(at, tuple) else None
        flow = Flow(place.settings.protocol, client, here)
        session: Session
        protocol: Protocol | None = None
        if place.settings.protocol == "auto":
            session = AutoSession(flow, usable_protocols(), self._site.limits, Sender.SERVER, None)
        else:
            protocol = get_protocol(place.settings.protocol)
            session = protocol.open_on(flow, limits=self._site.limits, endpoint=Sender.SERVER)
        self._number += 1
        made = Client(self._site, place, session, self._number)
        if protocol is not None:
            made.speak(protocol)
        made.transport = transport
        self._site.clients[session.flow] = made
        made.mark()
        self._turn.end_read()
        return made

    # Now and then.

    def _set_timer(self) -> None:
        due = self._site.deadlines.next()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if due != float("inf"):
            self._timer = self._loop.call_at(due, self._on_time)

    def _on_time(self) -> None:
        self._timer = None
        self._turn.begin_read()
        for exchange in self._site.deadlines.due(self._turn.now):
            client = self._site.clients.get(exchange.request.connection)
            if isinstance(client, Client):
                try:
                    client.too_late(exchange)
                except BROKEN as error:
                    client.at_fault(error)
        self._set_timer()
        self._turn.end_read()

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP)
            self._left = {host for host in self._left if host.servers}
            sweep(self._site, self.clients, self._hosts() | self._left, self._ending)

    def _hosts(self) -> set[Host]:
        """Those of all clusters."""
        return {host for pool in self.pools.values() for host in pool.hosts.values()}

    # The end.

    def close_listeners(self) -> None:
        """Take no new clients."""
        for servers in self._servers.values():
            _close_all(servers)
        self._servers = {}

    async def drain(self, seconds: float | None = None) -> None:
        """Take no new clients, answer what is under way, then end; after so many seconds (default: those of the settings) at once.

        At once as well when told to `hurry`.
        """
        self.close_listeners()
        self._site.draining = True
        end = self._loop.time() + (self.settings.drain if seconds is None else seconds)
        for client in self.clients:
            try:
                client.drain()
            except BROKEN as error:
                client.at_fault(error)
        self._turn.flush()
        while self._site.clients and self._loop.time() < end and not self._hurries:
            await asyncio.sleep(0.01)
        await self.stop()

    def hurry(self) -> None:
        """Wait for nobody where this drains."""
        self._hurries = True

    async def stop(self) -> None:
        """End at once."""
        self.close_listeners()
        for task in self._tasks:
            task.cancel()
        if self._timer is not None:
            self._timer.cancel()
        for client in self.clients:
            client.abort()
        for host in self._hosts() | self._left:
            for server in list(host.servers):
                server.close_now()
        await self._connector.stop()
        await asyncio.sleep(0)


def _opened_alike(one: Listener, other: Listener) -> bool:
    """Whether a socket that listens for `one` does for `other`. What is shown by TLS is read again each time."""
    return one.address == other.address and one.tls is None and other.tls is None and one.protocol == other.protocol


def _choose(first: bytes, transport: Any, final: bool) -> Protocol | None:
    secured = transport.get_extra_info("ssl_object")
    agreed = None if secured is None else secured.selected_alpn_protocol()
    return choose(first, usable_protocols(), () if agreed is None else (agreed,), final)


def _close_all(servers: Iterable[asyncio.Server]) -> None:
    for server in servers:
        server.close()


def _others_of(servers: Iterable[asyncio.Server]) -> list[socket.socket]:
    """The sockets of `servers` a second time, so that nobody who connects is lost between two."""
    return [socket.socket(fileno=os.dup(each.fileno())) for server in servers for each in server.sockets]


def _alpn(listener: Listener) -> list[str]:
    protocols = usable_protocols() if listener.protocol == "auto" else [get_protocol(listener.protocol)]
    return list(dict.fromkeys(name for each in protocols for name in each.alpn))


def _make_room(path: str) -> None:
    """Remove a Unix socket at which nobody listens any more. Raises OSError where somebody does, or something else is there."""
    try:
        if stat.S_ISSOCK(os.stat(path).st_mode):
            with socket.socket(socket.AF_UNIX) as probe:
                probe.connect(path)
        raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE), path)
    except ConnectionRefusedError:
        os.unlink(path)
    except FileNotFoundError:
        pass
