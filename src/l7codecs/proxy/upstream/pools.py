"""Clusters and their hosts: which host gets a request, and which connections there are to it.

Pool      a cluster: weights, ring, hosts that fail
Host      one of its hosts: connections that clients share, by what they have to have in common, and those that clients have for themselves
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, final

from mypy_extensions import i64

from l7codecs.message import Message
from l7codecs.protocol import Protocol
from l7codecs.proxy.settings import Upstreams
from l7codecs.proxy.upstream.server import Server
from l7codecs.routing.ring import Ring
from l7codecs.routing.state import OutlierDetector
from l7codecs.sharing import Shared

__all__ = ["Host", "Pool"]

_AWAY: Final = 0.5
"""Seconds for which a host that refused a connection is passed over, where there is another."""
_SPARE: Final[i64] = 64
"""So many connections wait for a client that needs one for itself, of each kind."""
_MOST_TURNS: Final = 10_000
"""After about so many requests the order in which hosts get them begins again."""
_GONE: Final = 20.0
"""Seconds for which one is that has said that it goes."""

Connect = Callable[["Host", Server], None]
Open = Callable[["Host", Protocol], Server]


@final
class Host:
    """One host of a cluster."""

    def __init__(self, pool: Pool, address: str, open_server: Open) -> None:
        self.pool = pool
        self.address = address
        self.shared: Shared = Shared()
        """What the connections to it teach each other."""
        self.away_until: float = 0.0
        self.gone = False
        """It is not in the configuration any more."""
        self.own: i64 = 0
        """How many connections clients have for themselves."""
        self.servers: dict[Server, None] = {}
        """All connections, those that are being made included."""
        self._open = open_server
        self._sharing: dict[str, list[Server | None]] = {}
        """By what their users have in common: the connections that clients share."""
        self._spare: dict[str, list[Server]] = {}
        """By the same: those that clients had for themselves, and need no more."""

    def server(self, protocol: Protocol, key: str, number: i64, preparation: list[Message]) -> Server:
        """The connection that the client of `number` shares with others of `key`; a new one has to be given `preparation` first."""
        sharing = self._sharing.get(key)
        if sharing is None:
            sharing = self._sharing[key] = []
            for _ in range(self.pool.settings.connections):
                sharing.append(None)
        at = number % len(sharing)
        found = sharing[at]
        if found is None or not found.serves:
            found = self._new(protocol, preparation)
            found.key = key
            sharing[at] = found
        return found

    def own_server(self, protocol: Protocol, key: str, preparation: list[Message]) -> Server | None:
        """A connection for one client, of which nobody knows but what `key` says; None where there are too many."""
        spare = self._spare.get(key)
        while spare:
            server = spare.pop()
            if server.serves:
                return server
        if self.own >= self.pool.settings.own and not self._end_spare():
            return None
        server = self._new(protocol, preparation)
        server.own = True
        self.own += 1
        return server

    def give_back(self, server: Server, key: str) -> None:
        """`server`, which was one client's, is in the state that `key` says: the next who needs such has it."""
        spare = self._spare.get(key)
        if spare is None:
            spare = self._spare[key] = []
        if server.serves and len(spare) < _SPARE:
            spare.append(server)
        else:
            server.retire()

    def _end_spare(self) -> bool:
        """End one that nobody uses; whether there was one."""
        for spare in self._spare.values():
            if spare:
                spare.pop().retire()
                return True
        return False

    def _new(self, protocol: Protocol, preparation: list[Message]) -> Server:
        server = self._open(self, protocol)
        self.servers[server] = None
        for message in preparation:
            server.replay(message)
        return server

    def set_aside(self, server: Server) -> None:
        """`server` goes on for those who have asked there, and the next to come share another."""
        sharing = self._sharing.get(server.key)
        if sharing is not None and server in sharing:
            sharing[sharing.index(server)] = None
            server.aside = True

    def drop(self, server: Server) -> None:
        """`server` has ended."""
        if server not in self.servers:
            return
        del self.servers[server]
        if server.own:
            self.own -= 1
            for key, spare in list(self._spare.items()):
                if server in spare:
                    spare.remove(server)
                if not spare:
                    del self._spare[key]
        sharing = self._sharing.get(server.key)
        if sharing is not None and server in sharing:
            sharing[sharing.index(server)] = None
            if not any(sharing):
                del self._sharing[server.key]

    def resize(self) -> None:
        """Clients share as many connections as the settings say now."""
        count: i64 = self.pool.settings.connections
        for sharing in self._sharing.values():
            while len(sharing) < count:
                sharing.append(None)
            while len(sharing) > count:
                server = sharing.pop()
                if server is not None:
                    server.retire()

    def retire(self) -> None:
        """It gets no new requests; its connections end with what is under way."""
        self.gone = True
        self._sharing.clear()
        self._spare.clear()
        for server in list(self.servers):
            server.retire()


@final
class Pool:
    """One cluster."""

    def __init__(self, settings: Upstreams, open_server: Open) -> None:
        self.name = settings.cluster.name
        self.settings = settings
        self._open = open_server
        self.hosts: dict[str, Host] = {}
        self.only: Host | None = None
        """Where there is one only."""
        self.detector: OutlierDetector | None = None
        self._weights: dict[str, int] = {}
        self._ring: Ring | None = None
        """Made when a key asks for it: it takes a while where there are many hosts."""
        self._turns: list[Host] = []
        """In which order they get requests: each as often as its weight says."""
        self._next: i64 = 0
        self.update(settings)

    def update(self, settings: Upstreams) -> None:
        """The cluster is now as `settings` say. Hosts that stay keep their connections, unless these are made in another way."""
        same = settings.tls == self.settings.tls
        self.settings = settings
        before = self.hosts
        self.hosts = {}
        for each in settings.cluster.hosts:
            host = before.pop(each.address, None) if same else None
            self.hosts[each.address] = Host(self, each.address, self._open) if host is None else host
            if host is not None:
                host.resize()
        for host in before.values():
            host.retire()
        found = list(self.hosts.values())
        self.only = found[0] if len(found) == 1 else None
        weights = {each.address: each.weight for each in settings.cluster.hosts}
        if weights != self._weights:
            self._weights = weights
            self._ring = None
        self._turns = [self.hosts[name] for name in _turns(weights)]
        self._next = 0
        policy = settings.cluster.outliers
        if policy is None:
            self.detector = None
        elif self.detector is not None and self.detector.policy == policy:
            self.detector.set_hosts(weights)
        else:
            self.detector = OutlierDetector(policy, weights)

    def retire(self) -> None:
        """It is not in the configuration any more."""
        for host in self.hosts.values():
            host.retire()
        self.hosts = {}
        self.only = None
        self._weights = {}
        self._turns = []
        self._ring = None

    def pick(self, now: float, key: bytes | None, failed: Host | None = None) -> Host | None:
        """The host for a request: that of `key`, or whose turn it is; another than `failed`, where there is one."""
        if self.only is not None:
            return self.only
        count: i64 = len(self._turns)
        if count == 0:
            return None
        if key is not None:
            ring = self._ring
            if ring is None:
                ring = self._ring = Ring(self._weights)
            first: Host | None = None
            for name in ring.hosts(key) if self._some_away(now, failed) else [ring.host(key)]:
                host = None if name is None else self.hosts.get(name)
                if host is not None:
                    if first is None:
                        first = host
                    if host is not failed and self.is_there(host, now):
                        return host
            return first
        other: Host | None = None
        for _ in range(count):
            host = self._turns[self._next]
            self._next += 1
            if self._next >= count:
                self._next = 0
            if host is failed:
                continue
            if self.is_there(host, now):
                return host
            if other is None:
                other = host
        return self._turns[0] if other is None else other

    def _some_away(self, now: float, failed: Host | None) -> bool:
        if failed is not None:
            return True
        for host in self.hosts.values():  # noqa: SIM110  # a generator is slow, compiled
            if not self.is_there(host, now):
                return True
        return False

    def is_there(self, host: Host, now: float) -> bool:
        """Whether nothing speaks against `host`."""
        if host.away_until > now:
            return False
        return self.detector is None or not self.detector.ejected(host.address, now)

    def failed(self, host: Host, now: float) -> None:
        """`host` has failed at a request."""
        if self.detector is not None:
            self.detector.failed(host.address, now)

    def goes(self, host: Host, now: float) -> None:
        """`host` has said that it takes no new requests."""
        host.away_until = now + _GONE

    def has_any(self, now: float) -> bool:
        """Whether there is a host against which nothing speaks."""
        for host in self.hosts.values():  # noqa: SIM110  # a generator is slow, compiled
            if self.is_there(host, now):
                return True
        return False

    def refused(self, host: Host, now: float) -> None:
        """No connection to `host` could be made."""
        host.away_until = now + _AWAY
        self.failed(host, now)


def _turns(weights: dict[str, int]) -> list[str]:
    """Each name as often as its weight, divided by what all have in common, and spread out evenly; where that would be too often, in
    proportion, and each at least once.
    """
    from math import gcd

    common = float(gcd(*weights.values()))
    divisor = max(common, sum(weights.values()) / _MOST_TURNS)
    moments: list[tuple[float, int, str]] = []
    for place, (name, weight) in enumerate(weights.items()):
        count = max(1, round(weight / divisor))
        moments.extend([((turn + 0.5) / count, place, name) for turn in range(count)])
    return [name for _, _, name in sorted(moments)]
