"""What a rule asks of a message: tests of its fields, and how they are put together."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Final, final

from mypy_extensions import i64, mypyc_attr

from l7codecs.headers import Headers, HeaderValue
from l7codecs.kinds import Kind, Status
from l7codecs.message import Message
from l7codecs.routing.values import ValueTest

__all__ = [
    "ACCESS",
    "OPERATION",
    "PROTOCOL",
    "SERVICE",
    "AllOf",
    "AnyOf",
    "AttributeTest",
    "Condition",
    "FieldTest",
    "HeaderTest",
    "KindTest",
    "Not",
    "PeerTest",
    "ResourceTest",
    "StatusTest",
]

PROTOCOL: Final = 0
SERVICE: Final = 1
OPERATION: Final = 2
ACCESS: Final = 3

_PEERS: Final = 10_000
"""Addresses that a test of them remembers; past that it forgets all."""


@mypyc_attr(allow_interpreted_subclasses=True)
class Condition:
    """Whether a message is one of those that are meant."""

    def holds(self, message: Message) -> bool:
        """Whether it is; octets of a message that cannot be read raise what reading them does: `ProtocolError`."""
        raise NotImplementedError


@final
class AllOf(Condition):
    """All of them hold; of none, always."""

    def __init__(self, parts: Iterable[Condition]) -> None:
        self.parts: list[Condition] = list(parts)

    def holds(self, message: Message) -> bool:
        for part in self.parts:  # noqa: SIM110 (a generator is slower)
            if not part.holds(message):
                return False
        return True


@final
class AnyOf(Condition):
    """One of them holds; of none, never."""

    def __init__(self, parts: Iterable[Condition]) -> None:
        self.parts: list[Condition] = list(parts)

    def holds(self, message: Message) -> bool:
        for part in self.parts:  # noqa: SIM110
            if part.holds(message):
                return True
        return False


@final
class Not(Condition):
    """It does not hold."""

    def __init__(self, part: Condition) -> None:
        self.part = part

    def holds(self, message: Message) -> bool:
        return not self.part.holds(message)


@final
class KindTest(Condition):
    """The message is of one of these kinds."""

    def __init__(self, kinds: Iterable[Kind], inverted: bool = False) -> None:
        self.kinds = list(kinds)
        self.inverted = inverted

    def holds(self, message: Message) -> bool:
        kind = message.kind
        for each in self.kinds:
            if kind is each:
                return not self.inverted
        return self.inverted


def field_value(message: Message, field: i64) -> str | None:
    """The protocol, service, operation or access of `message`."""
    if field == OPERATION:
        return message.operation
    if field == SERVICE:
        return message.service
    if field == ACCESS:
        return message.access
    return message.protocol


@final
class FieldTest(Condition):
    """Of ``field``, which is PROTOCOL, SERVICE, OPERATION or ACCESS. Where there is none, only an inverted test holds."""

    def __init__(self, field: i64, test: ValueTest, inverted: bool = False) -> None:
        self.field = field
        self.test = test
        self.inverted = inverted

    def holds(self, message: Message) -> bool:
        value = field_value(message, self.field)
        return (value is not None and self.test.accepts(value)) is not self.inverted


@final
class ResourceTest(Condition):
    """Of every resource, or with ``any_of`` of one of them. Where there is none, only an inverted test holds."""

    def __init__(self, test: ValueTest, any_of: bool = False, inverted: bool = False) -> None:
        self.test = test
        self.any_of = any_of
        self.inverted = inverted

    def holds(self, message: Message) -> bool:
        found = False
        for value in message.resources:
            found = self.test.accepts(value)
            if found is self.any_of:
                break
        return found is not self.inverted


@final
class HeaderTest(Condition):
    """As `ResourceTest`, of the values of one header. With `fold` its name compares without case, whatever the protocol says."""

    def __init__(
        self, name: str, test: ValueTest, any_of: bool = False, inverted: bool = False, fold: bool = False
    ) -> None:
        self.name = name.lower() if fold else name
        self.test = test
        self.any_of = any_of
        self.inverted = inverted
        self.fold = fold

    def holds(self, message: Message) -> bool:
        found = False
        headers = message.headers
        values = self._folded(headers) if self.fold else headers.get_all(self.name)
        for value in values:
            found = self.test.accepts(value)
            if found is self.any_of:
                break
        return found is not self.inverted

    def _folded(self, headers: Headers) -> list[HeaderValue]:
        return [value for name, value in headers if name.lower() == self.name]


@final
class AttributeTest(Condition):
    """As `ResourceTest`, of the value of one attribute, or of its values where it has many."""

    def __init__(self, name: str, test: ValueTest, any_of: bool = False, inverted: bool = False) -> None:
        self.name = name
        self.test = test
        self.any_of = any_of
        self.inverted = inverted

    def holds(self, message: Message) -> bool:
        value = message.attribute(self.name)
        found = False
        if isinstance(value, tuple):
            for each in value:
                found = self.test.accepts(each)
                if found is self.any_of:
                    break
        elif value is not None:
            found = self.test.accepts(value)
        return found is not self.inverted


@final
class StatusTest(Condition):
    """The outcome is one of these; a message that has none has no outcome, and only an inverted test holds."""

    def __init__(self, statuses: Iterable[Status], inverted: bool = False) -> None:
        self.statuses = list(statuses)
        self.inverted = inverted

    def holds(self, message: Message) -> bool:
        status = message.status
        if status is not None:
            for each in self.statuses:
                if status is each:
                    return not self.inverted
        return self.inverted


@final
class PeerTest(Condition):
    """The client's address is in one of ``networks``, and its port in ``low`` to ``high``. What is not known is in none."""

    def __init__(
        self,
        networks: Iterable[IPv4Network | IPv6Network],
        low: i64 = 0,
        high: i64 = 65535,
        inverted: bool = False,
    ) -> None:
        """No network at all is every address."""
        self.networks = list(networks)
        self.low = low
        self.high = high
        self.inverted = inverted
        self._known: dict[str, bool] = {}

    def holds(self, message: Message) -> bool:
        client = message.flow.client
        if client is None:
            return self.inverted
        port = client[1]
        found = port >= self.low and port <= self.high and self._is_within(client[0])
        return found is not self.inverted

    def _is_within(self, host: str) -> bool:
        if not self.networks:
            return True
        known = self._known.get(host)
        if known is None:
            known = self._look(host)
            if len(self._known) >= _PEERS:
                self._known.clear()
            self._known[host] = known
        return known

    def _look(self, host: str) -> bool:
        try:
            address = ip_address(host)
        except ValueError:
            return False  # a name
        mapped = getattr(address, "ipv4_mapped", None)  # as dual-stack sockets tell clients of IPv4
        return any(address in network or (mapped is not None and mapped in network) for network in self.networks)
