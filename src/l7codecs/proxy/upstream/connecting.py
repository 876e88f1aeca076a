"""Connections to hosts: a session and a transport for each, TLS where the cluster has it."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from ipaddress import ip_address
from typing import Any

from l7codecs.kinds import Address, Sender
from l7codecs.message import Flow
from l7codecs.pairing.tables import Pairing
from l7codecs.protocol import Protocol
from l7codecs.proxy.settings import TlsClient
from l7codecs.proxy.site import Site
from l7codecs.proxy.transport.tls import client_context
from l7codecs.proxy.transport.turn import Leg
from l7codecs.proxy.transport.wire import Handshake
from l7codecs.proxy.upstream.pools import Host
from l7codecs.proxy.upstream.server import Server

__all__ = ["Connector", "split_address"]


def split_address(address: str) -> Address | str:
    """Host and port of ``HOST:PORT``, or the path of ``unix:PATH``."""
    if address.startswith("unix:"):
        return address.removeprefix("unix:")
    host, _, port = address.rpartition(":")
    return host.removeprefix("[").removesuffix("]"), int(port)


class Connector:
    """Makes the connections of one engine."""

    def __init__(self, loop: asyncio.AbstractEventLoop, site: Site) -> None:
        self._loop = loop
        self._site = site
        self._contexts: dict[tuple[TlsClient, tuple[str, ...]], ssl.SSLContext] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def open(self, host: Host, protocol: Protocol) -> Server:
        """A new connection to `host`; it is there later, or `Server.lost` is called."""
        at = split_address(host.address)
        flow = Flow(protocol.name, None, at if isinstance(at, tuple) else None)
        session = protocol.open_on(flow, limits=self._site.limits, endpoint=Sender.CLIENT, shared=host.shared)
        server = Server(
            self._site.turn, session, host, protocol, self._site.clients, protocol.pairing is Pairing.STREAM
        )
        task = self._loop.create_task(self._connect(server, host, at, protocol))
        server.connecting = task
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return server

    async def _connect(self, server: Server, host: Host, at: Address | str, protocol: Protocol) -> None:
        observers = self._site.observers
        settings = host.pool.settings

        def made(transport: Any) -> tuple[Leg, Callable[[], None]]:
            observers.host_connected(host.pool.name, host.address)
            server.made(transport)
            return server, lambda: observers.host_disconnected(host.pool.name, host.address, False)

        def wire() -> Handshake:
            return Handshake(made)

        try:
            async with asyncio.timeout(settings.connect):
                given: dict[str, Any] = {}
                if settings.tls is not None:
                    given["ssl"] = self._context(settings.tls, protocol)
                    name = settings.tls.name or (at[0] if isinstance(at, tuple) else "localhost")
                    given["server_hostname"] = name
                    given["ssl_handshake_timeout"] = settings.connect
                if isinstance(at, str):
                    await self._loop.create_unix_connection(wire, at, **given)
                else:
                    await self._connect_to_one(wire, at, settings.connect, given)
        except (OSError, ValueError) as error:  # ValueError: a name that nobody can look up, or no certificate can have
            if not server.connected:
                observers.host_disconnected(host.pool.name, host.address, True)
                server.lost(str(error) or "no connection in time")

    async def _connect_to_one(
        self, wire: Callable[[], Handshake], at: Address, seconds: float, given: dict[str, Any]
    ) -> None:
        """Connect to the first of a name's addresses that answers: each has its share of what is left of the time."""
        loop = self._loop
        end = loop.time() + seconds
        addresses = await self._addresses(at)
        for left in range(len(addresses), 0, -1):
            host = addresses[-left]
            try:
                async with asyncio.timeout((end - loop.time()) / left):
                    await loop.create_connection(wire, host, at[1], **given)
            except OSError:
                if left == 1:
                    raise
            else:
                return

    async def _addresses(self, at: Address) -> list[str]:
        """Those of a name, in the order in which the system gives them."""
        host, port = at
        try:
            ip_address(host)
        except ValueError:
            found = await self._loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            numeric = socket.NI_NUMERICHOST | socket.NI_NUMERICSERV
            return list(dict.fromkeys(socket.getnameinfo(each[4], numeric)[0] for each in found)) or [host]
        return [host]

    def _context(self, tls: TlsClient, protocol: Protocol) -> ssl.SSLContext:
        key = tls, protocol.alpn
        found = self._contexts.get(key)
        if found is None:
            found = self._contexts[key] = client_context(tls, protocol.alpn)
        return found

    async def stop(self) -> None:
        """Give up what is being made."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def forget(self) -> None:
        """Files may have changed: read them again for new connections."""
        self._contexts.clear()
