"""What a plugin hands over: one `Protocol`, under an entry point of the group ``l7codecs.protocols``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from l7codecs.config import RouteFormat
from l7codecs.decoder import Decoder
from l7codecs.endpoint.changes import Changes
from l7codecs.headers import Headers
from l7codecs.kinds import Address, AttrValue, Sender
from l7codecs.limits import DEFAULT_LIMITS, Limits
from l7codecs.message import Flow, Message
from l7codecs.pairing.keyed import new_pairing
from l7codecs.pairing.numbering import StrictPairing
from l7codecs.pairing.tables import FifoPairing, Pairing, PairingTable
from l7codecs.session import Session
from l7codecs.sharing import Knowledge, Shared, Told
from l7codecs.ties import Ties

__all__ = ["COMMON_ATTRIBUTES", "Attribute", "Detection", "Direction", "Protocol", "Verdict", "pairings"]


class Direction(Enum):
    """On whose messages an attribute appears."""

    CLIENT = "client"
    SERVER = "server"
    BOTH = "both"


@dataclass(frozen=True, slots=True)
class Attribute:
    """The schema of one metadata key.

    ``type`` is ``str``, ``int``, ``bool`` or ``bytes``; ``many`` makes it a tuple of that. ``source`` says where the
    value stands on the wire.
    A ``sensitive`` value may hold what users stored or sent, or a credential; a ``changeable`` one can be set by `Changes`.
    """

    name: str
    type: type[str] | type[int] | type[bool] | type[bytes]
    direction: Direction
    source: str
    many: bool = False
    sensitive: bool = False
    changeable: bool = False

    def accepts(self, value: AttrValue) -> bool:
        """Whether `value` has the declared type."""
        if self.many:
            return isinstance(value, tuple) and all(type(item) is self.type for item in value)
        return type(value) is self.type

    @property
    def type_name(self) -> str:
        """``str``, ``int[]``…"""
        return self.type.__name__ + ("[]" if self.many else "")


COMMON_ATTRIBUTES = (
    Attribute("network.protocol.name", str, Direction.BOTH, "the protocol's registered name"),
    Attribute("network.transport", str, Direction.BOTH, "always tcp"),
    Attribute("network.peer.address", str, Direction.BOTH, "the client's address, where the caller gave it"),
    Attribute("network.peer.port", int, Direction.BOTH, "the client's port, where the caller gave it"),
    Attribute("server.address", str, Direction.BOTH, "the server's address, where the caller gave it"),
    Attribute("server.port", int, Direction.BOTH, "the server's port, where the caller gave it"),
)
"""The keys that every message of every protocol may carry."""


class Verdict(Enum):
    """A protocol's answer to the first octets of a connection. YES and NO are final."""

    YES = "yes"
    NO = "no"
    MORE = "more"


@dataclass(frozen=True, slots=True)
class Detection:
    """A verdict with its reason.

    ``score`` is 0 to 100: how sure a YES is, or how sure a MORE could become. By convention 100 is a magic number that nothing else
    uses, 80 a structure checked on both sides, 50 a structure checked on one side, 20 a mere resemblance.
    ``needs`` of a MORE is the side whose octets it waits for, whatever else the other may say: a protocol whose server speaks first waits
    for the server. None: those of either side may tell. What never comes is not waited for.
    """

    verdict: Verdict
    score: int = 0
    reason: str = ""
    needs: Sender | None = None


_PINNED: Final = Ties()
NOT_THIS = Detection(Verdict.NO)


def _never(client: bytes, server: bytes) -> Detection:
    return NOT_THIS


@dataclass(frozen=True, slots=True)
class Protocol:
    """One protocol: how to open a session of it, how to detect it, and the schema of its metadata.

    ``decoder(flow, sender, limits, asks, answers)`` returns the `Decoder` of one direction (its class will do); a
    protocol whose two directions share more
    than the pairing gives ``session(flow, limits, endpoint)`` instead, which returns a new `Session`. ``detect(client,
    server)`` gets the first octets of both directions, as far
    as they are known, never raises, and is monotone: once YES or NO, more octets of either direction change nothing;
    so one direction decides
    (usually the client's), or both are needed. ``ports`` are TCP ports that it
    usually listens on. ``id_bits`` is the width of the number of `Pairing.ID` and `Pairing.STREAM`.
    ``memory(limits, told)`` makes what the connections of one service teach each other, a `Knowledge`. It is ``flow.memory``: that of
    the service where the caller shares (`Shared`), else of the connection alone.
    ``route_formats`` read how others write routes of this protocol. ``route_names`` are what a MetaRouter calls its fields: by such a name,
    ``service``, ``operation`` or the key of an attribute; any other name there is that of a header.

    What an engine asks: ``shares`` is whether several clients may share a connection to a server, as far as nothing pins (`Message.pins`,
    `Message.dialect`, `Message.prepares`); else each has its own. ``alpn`` are the names by which TLS agrees on it. ``doubts`` says that
    what is written as a request may be a one-way call all the same, which nobody ever answers. ``readdressed(nodes)`` are the changes that
    make answers name other addresses: `nodes` has by a node's number what clients know it as, and its host and port for them.
    ``changes_headers`` and ``changes_answers`` are whether any message's headers, and anything in any answer, can be changed: where they
    cannot, a rule that says so is refused when it is read.
    ``ties`` says how its messages tie their client.
    ``carried_headers(message, count)`` are the headers of the first `count` messages of others that a request carries; it never raises.
    """

    name: str
    title: str
    attributes: tuple[Attribute, ...]
    pairing: Pairing
    decoder: Callable[[Flow, Sender, Limits, PairingTable, PairingTable], Decoder] | None = None
    session: Callable[[Flow, Limits, Sender | None], Session] | None = None
    detect: Callable[[bytes, bytes], Detection] = _never
    ports: tuple[int, ...] = ()
    id_bits: int = 0
    specification: str = ""
    memory: Callable[[Limits, Told | None], Knowledge] | None = None
    route_formats: tuple[RouteFormat, ...] = ()
    route_names: Mapping[str, str] = field(default_factory=dict)
    shares: bool = True
    alpn: tuple[str, ...] = ()
    doubts: bool = False
    ties: Ties = _PINNED
    carried_headers: Callable[[Message, int], Iterable[Headers]] | None = None
    readdressed: Callable[[Mapping[int, tuple[int, str, int]]], Changes] | None = None
    changes_headers: bool = True
    changes_answers: bool = True
    schema: dict[str, Attribute] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if (self.decoder is None) is (self.session is None):
            raise ValueError(f"protocol {self.name!r} needs either a decoder or a session")
        known = {item.name: item for item in COMMON_ATTRIBUTES}
        known.update({item.name: item for item in self.attributes})
        object.__setattr__(self, "schema", known)

    def open(
        self,
        *,
        limits: Limits = DEFAULT_LIMITS,
        endpoint: Sender | None = None,
        client: Address | None = None,
        server: Address | None = None,
        shared: Shared | None = None,
    ) -> Session:
        """A new session; the addresses become attributes of its messages. Those with one `shared` teach each other."""
        return self.open_on(Flow(self.name, client, server), limits=limits, endpoint=endpoint, shared=shared)

    def open_on(
        self,
        flow: Flow,
        *,
        limits: Limits = DEFAULT_LIMITS,
        endpoint: Sender | None = None,
        shared: Shared | None = None,
    ) -> Session:
        """A new session of a connection that is known already, as one of this protocol."""
        if self.memory is not None:
            memory = None if shared is None else shared.memory(self)
            flow.remember_in(self.memory(limits, None) if memory is None else memory)
        if self.session is not None:
            return self.session(flow, limits, endpoint)
        assert self.decoder is not None
        asked, asked_by_server = pairings(self.pairing, self.id_bits, limits, endpoint)
        sent = self.decoder(flow, Sender.CLIENT, limits, asked, asked_by_server)
        return Session(flow, sent, self.decoder(flow, Sender.SERVER, limits, asked_by_server, asked), limits, endpoint)


def pairings(
    pairing: Pairing, id_bits: int, limits: Limits, endpoint: Sender | None
) -> tuple[PairingTable, PairingTable]:
    """Empty tables for the requests of the client, and for those of the server: for rooms that make their own session.

    Who plays a side forgets none of them, and gives those that it sends their numbers.
    """
    client, server = [_table(pairing, id_bits, limits, endpoint, asks) for asks in Sender]
    return client, server


def _table(pairing: Pairing, id_bits: int, limits: Limits, endpoint: Sender | None, asks: Sender) -> PairingTable:
    if pairing is Pairing.FIFO:
        table = FifoPairing(limits.pending, endpoint is not None, limits.waiting)
        table.observes = endpoint is None
        return table
    if endpoint is None or pairing is Pairing.NONE:
        return new_pairing(pairing, limits.pending, limits.waiting)
    return StrictPairing(limits, id_bits, pairing is Pairing.STREAM, asks is endpoint)
