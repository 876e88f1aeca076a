"""What a configuration of the proxy says, as data. See `l7codecs.proxy.loading` for the form. Times are seconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from l7codecs.limits import DEFAULT_LIMITS, Limits
from l7codecs.proxy.telemetry.settings import TelemetrySettings
from l7codecs.routing import Cluster, RouteTable

__all__ = ["Listener", "Node", "Settings", "TlsClient", "TlsServer", "Upstreams"]


@dataclass(frozen=True, slots=True)
class TlsServer:
    """What a listener shows its clients: files. ``clients`` has the authorities of theirs, who need no certificate where it is None."""

    certificate: str
    key: str
    clients: str | None = None


@dataclass(frozen=True, slots=True)
class TlsClient:
    """How servers are known: by ``authorities``, a file, or those of the system; by ``name``, or that of the host."""

    authorities: str | None = None
    certificate: str | None = None
    key: str | None = None
    name: str | None = None
    verify: bool = True


@dataclass(frozen=True, slots=True)
class Node:
    """Clients know the node ``number`` as ``known_as``, at ``host`` and ``port``."""

    number: int
    known_as: int
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Listener:
    """Where clients connect. ``protocol`` is a registered one, or ``auto``; ``cluster`` is for what no rule holds for.

    ``idle`` closes a client that says nothing and waits for nothing, ``opening`` one that has said nothing yet, ``stalled`` one that reads
    nothing while more waits for it than should.
    """

    name: str
    address: str
    protocol: str = "auto"
    cluster: str | None = None
    tls: TlsServer | None = None
    connections: int = 20_000
    idle: float = 3600.0
    opening: float = 10.0
    stalled: float = 10.0
    nodes: tuple[Node, ...] = ()


@dataclass(frozen=True, slots=True)
class Upstreams:
    """How a cluster's hosts are reached: beside the `Cluster` of routing, which says what is behind a name.

    ``connections`` to each host are shared by clients; ``own`` is how many there may be that clients have for themselves.
    """

    cluster: Cluster
    connect: float = 5.0
    idle: float = 600.0
    connections: int = 1
    own: int = 1_000
    tls: TlsClient | None = None


@dataclass(frozen=True, slots=True)
class Settings:
    """A whole configuration. ``files`` are all that were read for it, itself the first; ``document`` is its text as plain values, without
    credentials.
    """

    listeners: tuple[Listener, ...]
    clusters: Mapping[str, Upstreams]
    table: RouteTable
    limits: Limits = DEFAULT_LIMITS
    workers: int = 1
    drain: float = 30.0
    watch: bool = False
    telemetry: TelemetrySettings = field(default_factory=TelemetrySettings)
    document: object = field(default=None, compare=False)
    files: tuple[str, ...] = field(default=(), compare=False)
