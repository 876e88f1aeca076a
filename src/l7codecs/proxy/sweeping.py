"""What is looked at now and then: who says nothing, who reads nothing, what nobody uses, what will never be answered."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from l7codecs.proxy.downstream import Client
from l7codecs.proxy.pools import Pool
from l7codecs.proxy.site import Site
from l7codecs.proxy.upstream import Server

__all__ = ["SWEEP", "sweep"]

SWEEP: Final = 1.0
"""Seconds from one look to the next."""
_RETIRED: Final = 60.0
"""Seconds that a connection which gets no requests any more may stay for what may be one-way, when nothing comes of it."""
_DOUBTFUL: Final = 10.0
"""Seconds after which it is asked whether a request is waited for at all."""


def sweep(site: Site, clients: Iterable[Client], pools: Iterable[Pool]) -> None:
    """Look at all that there is."""
    turn = site.turn
    turn.begin_read()
    now = turn.now
    for client in list(clients):
        _look_at_client(client, now)
    for pool in pools:
        for host in pool.hosts.values():
            for server in list(host.servers):
                _look_at_server(server, now, pool.settings.idle)
    turn.end_read()


def _look_at_client(client: Client, now: float) -> None:
    settings = client.place.settings
    quiet = now - client.heard
    if client.clogged and now - client.clogged_at > settings.stalled:
        client.abort()
        return
    if client.asks:
        if client.doubts and now - next(iter(client.asks.values())).started > _DOUBTFUL:
            client.forget_one_way()
        return
    if client.is_tied:
        return
    if (
        quiet > settings.idle
        or (quiet > settings.opening and client.protocol is None)
        or (client.is_new and quiet > settings.opening)
    ):
        client.expire()


def _look_at_server(server: Server, now: float, idle: float) -> None:
    quiet = now - server.heard
    if not server.connected:
        return
    if not server.serves:
        if server.protocol.doubts and quiet > _RETIRED:
            server.abort()
        else:
            server.check_idle()
    elif quiet > idle and server.is_idle:
        server.retire()
