"""What is to be done with what a rule matches, as data; an engine does it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from l7codecs.endpoint.changes import Changes
from l7codecs.kinds import AttrValue, Kind, Status
from l7codecs.message import Message

__all__ = [
    "Action",
    "Cluster",
    "Edit",
    "HashKey",
    "Host",
    "Mirror",
    "OutlierPolicy",
    "RateLimit",
    "Reply",
    "Retry",
    "WeightedCluster",
]

_REQUEST: Final = Kind.REQUEST


@dataclass(frozen=True, slots=True)
class WeightedCluster:
    """One of several clusters; of all weights of its rule, it has ``weight``."""

    name: str
    weight: int


@dataclass(frozen=True, slots=True)
class Mirror:
    """A cluster that gets a copy of ``fraction`` of the requests, 0 to 1; its answers are nobody's."""

    cluster: str
    fraction: float = 1.0


@dataclass(frozen=True, slots=True)
class RateLimit:
    """A token bucket: it begins with ``tokens``, which are the most, and gets ``fill`` every ``every`` seconds. See `TokenBucket`.

    Each rule has a bucket of its own, but those whose limits have the same ``name`` share one.
    """

    tokens: int
    fill: int
    every: float
    name: str = ""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer that is made here: what `Session.reply_error` takes."""

    status: Status
    text: str


@dataclass(frozen=True, slots=True)
class Retry:
    """When a request may be sent again: ``attempts`` are all of them, the first included; ``on`` are outcomes that earn one.

    Only what the protocol says reads (``l7.access``) is sent again, unless ``any_access``: whoever wrote the rule says then that what it
    matches may be done twice. A request that a server has certainly not seen (`Session.unprocessed`) may always be sent again.
    """

    attempts: int
    on: frozenset[Status]
    any_access: bool = False

    def allows(self, request: Message, outcome: Status, attempt: int, kept: bool = False) -> bool:
        """Whether `request`, whose attempt number `attempt` (1 is the first) came out as `outcome`, may be sent again.

        One with ``more`` has to be `kept`: what has come of it is at hand, and goes again behind its head.
        """
        if attempt >= self.attempts or outcome not in self.on or request.kind is not _REQUEST:
            return False
        if request.more and not kept:
            return False
        if request.pins is not None:
            return False  # what it belongs to is on the connection that it was sent on
        return self.any_access or request.access == "read"


@dataclass(frozen=True, slots=True)
class HashKey:
    """Where the key of a consistent hash is taken from.

    ``source`` is ``resource``, ``service``, ``operation``, ``peer``, ``header`` or ``attribute``, ``name`` the name of the last two. Of
    several values it is the first. With ``between``, two characters, only what stands between the first of the one and the next of the
    other is hashed, if it is not empty: ``{}`` is what Redis Cluster does.
    """

    source: str
    name: str = ""
    between: str = ""

    def of(self, message: Message) -> bytes | None:
        """The key; None where the message has none."""
        found: object = None
        if self.source == "resource":
            resources = message.resources
            found = resources[0] if resources else None
        elif self.source == "header":
            found = message.headers.get(self.name)
        elif self.source == "attribute":
            found = message.attributes.get(self.name)
        elif self.source == "peer":
            client = message.flow.client
            found = None if client is None else client[0]
        else:
            found = message.service if self.source == "service" else message.operation
        if isinstance(found, tuple):
            found = found[0] if found else None
        if found is None:
            return None
        key = found if isinstance(found, bytes) else str(found).encode("utf-8", "surrogatepass")
        if self.between:
            first, last = self.between.encode()
            start = key.find(bytes((first,)))
            end = key.find(bytes((last,)), start + 1)
            if 0 <= start < end - 1:
                key = key[start + 1 : end]
        return key


@dataclass(frozen=True, slots=True)
class Edit:
    """Changes to a message: attributes and headers to set or remove, and beginnings of attributes to replace.

    ``prefixes`` has by attribute what is taken from the front of its value, or of each of its values, and what is put there; a value
    that does not begin so stays as it is.
    """

    attributes: Mapping[str, AttrValue] = field(default_factory=dict)
    set_headers: Mapping[str, str] = field(default_factory=dict)
    remove_headers: tuple[str, ...] = ()
    prefixes: Mapping[str, tuple[str, str]] = field(default_factory=dict)

    def changes(self, message: Message) -> Changes:
        """For `Session.put` or `send` of `message`. It is false where nothing is to be changed."""
        attributes = dict(self.attributes)
        for name, (old, new) in self.prefixes.items():
            value = attributes.get(name, message.attributes.get(name))
            changed: AttrValue | None = None
            if isinstance(value, tuple):
                changed = tuple([_replaced(each, old, new) for each in value])  # type: ignore[assignment]  # each as it was
            elif isinstance(value, str | bytes):
                changed = _replaced(value, old, new)
            if changed is not None and changed != value:
                attributes[name] = changed
        return Changes(attributes, set_headers=self.set_headers, remove_headers=self.remove_headers)


def _replaced(value: str | bytes | int, old: str, new: str) -> str | bytes | int:
    if isinstance(value, str):
        return new + value[len(old) :] if value.startswith(old) else value
    if isinstance(value, bytes):
        octets = old.encode()
        return new.encode() + value[len(octets) :] if value.startswith(octets) else value
    return value


@dataclass(frozen=True, slots=True)
class Action:
    """What to do with a message: one of ``cluster``, ``clusters`` and ``reply``, and whatever else is not None or empty.

    ``deadline`` counts seconds. ``hash_keys`` are tried in their order: the first that a message has chooses the host in its cluster.
    ``rate_limit`` is looked at before anything is sent: what it does not allow is answered with RESOURCE_EXHAUSTED.
    """

    cluster: str | None = None
    clusters: tuple[WeightedCluster, ...] = ()
    reply: Reply | None = None
    hash_keys: tuple[HashKey, ...] = ()
    mirrors: tuple[Mirror, ...] = ()
    rate_limit: RateLimit | None = None
    request: Edit | None = None
    response: Edit | None = None
    deadline: float | None = None
    retry: Retry | None = None

    def cluster_for(self, draw: float) -> str | None:
        """The cluster; of several the one that `draw` falls on, a number from 0 up to but not 1. None where a reply is made here."""
        if not self.clusters:
            return self.cluster
        left = draw * sum(each.weight for each in self.clusters)
        for each in self.clusters:
            left -= each.weight
            if left < 0:
                return each.name
        return self.clusters[-1].name

    def hash_key(self, message: Message) -> bytes | None:
        """The octets that choose a host, for a `Ring`; None where the rule has no hash, or the message none of its keys."""
        for key in self.hash_keys:
            found = key.of(message)
            if found is not None:
                return found
        return None

    @property
    def names(self) -> tuple[str, ...]:
        """Every cluster that is named, mirrors included."""
        named = (self.cluster,) if self.cluster is not None else tuple(each.name for each in self.clusters)
        return (*named, *(each.cluster for each in self.mirrors))


@dataclass(frozen=True, slots=True)
class Host:
    """One server of a cluster: ``address`` is ``HOST:PORT`` or ``unix:PATH``."""

    address: str
    weight: int = 1


@dataclass(frozen=True, slots=True)
class OutlierPolicy:
    """When a host gets no more requests for a while; times in seconds. See `OutlierDetector`.

    ``failures`` in a row eject it for ``base`` times the number of its ejections, at most ``longest``. At most
    ``share`` of a cluster's hosts, 0 to 1, and
    at least one of them where the share is above 0, are ejected at once.
    """

    failures: int = 5
    base: float = 30.0
    longest: float = 300.0
    share: float = 0.1


@dataclass(frozen=True, slots=True)
class Cluster:
    """A name, and what is behind it where the file says so."""

    name: str
    hosts: tuple[Host, ...] = ()
    outliers: OutlierPolicy | None = None
