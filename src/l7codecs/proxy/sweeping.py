"""What is looked at now and then: who says nothing, who reads nothing, what nobody uses, what will never be answered."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from l7codecs.message import Message
from l7codecs.proxy.downstream.client import Client
from l7codecs.proxy.site import Site
from l7codecs.proxy.transport.turn import Leg
from l7codecs.proxy.upstream.pools import Host
from l7codecs.proxy.upstream.server import Server
from l7codecs.registry import BROKEN

__all__ = ["SWEEP", "sweep"]

SWEEP: Final = 1.0
"""Seconds from one look to the next."""
_RETIRED: Final = 60.0
"""Seconds that a connection which gets no requests any more may stay for what may be one-way, when nothing comes of it."""
_TAKEN: Final = 10.0
"""Seconds that a host has for the last octets of a connection, requests for whose answers nobody waits."""
_DOUBTFUL: Final = 10.0
"""Seconds after which it is asked whether a request is waited for at all."""


def sweep(site: Site, clients: Iterable[Client], hosts: Iterable[Host], ending: dict[Leg, float]) -> None:
    """Look at all that there is. In `ending` is since when connections are closed whose last octets nobody has taken yet."""
    turn = site.turn
    turn.begin_read()
    now = turn.now
    before = ending.copy()
    ending.clear()
    for client in list(clients):
        try:
            if client.done:
                _look_at_end(client, before, ending, now, client.place.settings.stalled)
            else:
                _look_at_client(client, now)
        except BROKEN as error:
            client.at_fault(error)
    for host in hosts:
        for server in list(host.servers):
            try:
                if server.done:
                    _look_at_end(server, before, ending, now, _TAKEN)
                else:
                    _look_at_server(server, now, host.pool.settings.idle)
            except BROKEN as error:
                server.at_fault(error)
    turn.end_read()


def _look_at_end(leg: Leg, before: dict[Leg, float], ending: dict[Leg, float], now: float, most: float) -> None:
    """End at once what is closed, and whose peer does not take the rest: it may wait itself for us to read, which nobody does any more."""
    since = before.get(leg, now)
    if now - since > most:
        leg.abort()
    else:
        ending[leg] = since


def _look_at_client(client: Client, now: float) -> None:
    settings = client.place.settings
    quiet = now - client.heard
    if client.clogged and now - client.clogged_at > settings.stalled:
        client.abort()
        return
    if client.half_closed:
        client.probe()
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
