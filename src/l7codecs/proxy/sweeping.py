"""What is looked at now and then: who says nothing, who reads nothing, what nobody uses, what will never be answered."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from l7codecs.message import Message
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
    if client.asks.first is not None:
        if client.doubts:
            _look_at_doubtful(client, now)
        return
    if client.is_tied:
        return
    if (
        quiet > settings.idle
        or (quiet > settings.opening and client.protocol is None)
        or (client.is_new and quiet > settings.opening)
    ):
        client.expire()


def _look_at_doubtful(client: Client, now: float) -> None:
    """Forget what nobody waits for.

    What is answered after later calls, of anybody who asks there, may be a one-way call; not if such have been answered before, and
    hardly as long as its own client has had no answer to a later one.
    """
    calls = client.site.one_way
    waiting: set[Message] | None = None
    for ask in client.asks.each():
        if now - ask.started <= _DOUBTFUL:
            return  # nor are those behind it older
        if waiting is None:
            waiting = set(client.session.unanswered())
        request = ask.request
        if calls.has(request) or (request not in waiting and not calls.is_answered(request)):
            client.end(ask)


def _look_at_server(server: Server, now: float, idle: float) -> None:
    quiet = now - server.heard
    if not server.connected:
        return
    if not server.serves:
        if server.protocol.doubts and quiet > _RETIRED and not server.is_awaited(True):
            server.abort()
        else:
            server.check_idle()
    elif quiet > idle and server.is_idle:
        server.retire()
