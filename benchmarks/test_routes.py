"""The decision of a table of 100 rules beside decoding what it decides on. Each round decides on messages that nobody has asked yet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import cycle, islice

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

import l7codecs
from l7codecs import Message, Sender, Session
from l7codecs.routing import RouteTable, parse_routes

from .dubbo_octets import METHOD, SERVICE, calls
from .http2_octets import Conversation
from .http2_sides import open_session as open_http2
from .measure import Side, add_row, compare, time_sides
from .octets import encode

CLIENT = Sender.CLIENT
RULES = 100
READ_SIZE = 16_384
_AREAS = ("Orders", "Catalog", "Payments", "Shipping", "Accounts", "Pricing")
_VERBS = ("Get", "List", "Create", "StreamUpdates")


def table(matches: Sequence[str]) -> RouteTable:
    """A table of so many rules, in their order; each names its own cluster."""
    lines = [f"- {{match: {match}, cluster: c{number}}}" for number, match in enumerate(matches)]
    made = parse_routes("\n".join(["rules:", *lines])).table
    assert len(made) == RULES
    return made


def redis_messages() -> list[bytes]:
    """GET and SET of 100 octets, of fifty tenants."""
    value = b"x" * 100
    keys = [b"tenant-%02d:user:%d" % (number % 50, number) for number in range(500)]
    return [encode(b"SET", key, value) if number % 3 == 0 else encode(b"GET", key) for number, key in enumerate(keys)]


def redis_rules() -> list[str]:
    """By key prefix, reads apart: as `redis_proxy` with a cluster for the reads of each tenant."""
    prefixes = [f'"tenant-{number:02}:"' for number in range(RULES // 2)]
    return [
        match
        for prefix in prefixes
        for match in (
            f"{{operation: [GET, MGET], resources: {{prefix: {prefix}}}}}",
            f"{{resources: {{prefix: {prefix}}}}}",
        )
    ]


def http2_messages() -> list[bytes]:
    return Conversation(False).round(0).requests


def http2_rules() -> list[str]:
    """By service and method; the last ones are asked for."""
    named = [(f"shop.{area.lower()}.v1.{area}Service", verb) for area in _AREAS for verb in _VERBS]
    others = [(f"shop.other{number}.v1.Other{number}Service", "Get") for number in range(RULES - len(named))]
    return [f"{{service: {service}, operation: {method}}}" for service, method in [*others, *named]]


def thrift_messages() -> list[bytes]:
    """Calls of a hundred methods with a struct of 100 octets, strict binary in frames."""
    found = []
    for number, method in enumerate(islice(cycle(range(RULES)), 500)):
        name = b"method%02d" % method
        body = b"\x0b\0\1" + (100).to_bytes(4, "big") + b"x" * 100 + b"\0"
        octets = b"\x80\1\0\1" + len(name).to_bytes(4, "big") + name + number.to_bytes(4, "big") + body
        found.append(len(octets).to_bytes(4, "big") + octets)
    return found


def thrift_rules() -> list[str]:
    return [f"{{operation: method{number:02}}}" for number in range(RULES)]


def dubbo_rules() -> list[str]:
    """By interface and method; the last is asked for."""
    others = [f"{{service: com.acme.Service{number}, operation: call}}" for number in range(RULES - 1)]
    return [*others, f"{{service: {SERVICE}, operation: {METHOD}}}"]


def header_rules() -> list[str]:
    """By a header; the last eight are asked for."""
    tenants = [f"tenant-{number}" for number in (*range(8, RULES), *range(8))]
    return [f"{{headers: {{x-tenant: {tenant}}}}}" for tenant in tenants]


def attribute_rules() -> list[str]:
    """By an attribute, for which all of them are read."""
    names = ["DEL", *(f"NONE{number}" for number in range(RULES - 3)), "GET", "SET"]
    return [f"{{protocol: redis, attributes: {{db.operation.name: {name}}}}}" for name in names]


def reads(messages: Sequence[bytes]) -> list[bytes]:
    stream = b"".join(messages)
    return [stream[at : at + READ_SIZE] for at in range(0, len(stream), READ_SIZE)]


class Decoding:
    """Decode all of it, and ask nothing."""

    def __init__(self, opened: Callable[[], Session], chunks: Sequence[bytes]) -> None:
        self.opened = opened
        self.chunks = chunks
        self.session = opened()

    def prepare(self) -> None:
        self.session = self.opened()

    def __call__(self) -> int:
        count = 0
        receive = self.session.receive
        for chunk in self.chunks:
            for _ in receive(CLIENT, chunk):
                count += 1
        return count


class Deciding:
    """Decide on each message; they are decoded before."""

    def __init__(self, opened: Callable[[], Session], chunks: Sequence[bytes], table: RouteTable) -> None:
        self.opened = opened
        self.chunks = chunks
        self.table = table
        self.messages: list[Message] = []

    def prepare(self) -> None:
        session = self.opened()
        events = [event for chunk in self.chunks for event in session.receive(CLIENT, chunk)]
        self.messages = [event for event in events if isinstance(event, Message)]

    def __call__(self) -> object:
        rule = None
        route = self.table.route
        for message in self.messages:
            rule = route(message)
        return rule


CASES = {
    "redis": (210, "Redis GET and SET, by key prefix and command", redis_messages, redis_rules),
    "http2": (211, "HTTP/2 requests of gRPC, by service and method", http2_messages, http2_rules),
    "thrift": (212, "Thrift calls in frames, by method", thrift_messages, thrift_rules),
    "dubbo": (213, "Dubbo calls, by interface and method", calls, dubbo_rules),
    "headers": (214, "HTTP/2 requests of gRPC, by a header", http2_messages, header_rules),
    "attributes": (215, "Redis GET and SET, by an attribute", redis_messages, attribute_rules),
}
SPOKEN = {"headers": "http2", "attributes": "redis"}
"""The protocol, where it is not the case's name."""
READ = {"headers", "attributes"}
"""What has to be read first, which decoding leaves until somebody asks: shown beside the others, with nothing to reach."""


def case(name: str) -> tuple[Deciding, Decoding, int]:
    _, _, messages, rules = CASES[name]
    made = messages()
    chunks = reads(made)
    spoken = SPOKEN.get(name, name)
    opened: Callable[[], Session] = open_http2 if spoken == "http2" else lambda: l7codecs.open_session(spoken)
    return Deciding(opened, chunks, table(rules())), Decoding(opened, chunks), len(made)


@pytest.mark.parametrize("name", CASES)
def test_decisions_are_right(name: str) -> None:
    """Every request has a rule, that of the walk, and they are of many."""
    deciding, decoding, count = case(name)
    deciding.prepare()
    found = [deciding.table.route(message) for message in deciding.messages]
    requests = [rule for message, rule in zip(deciding.messages, found, strict=True) if message.operation is not None]
    assert found == [deciding.table.walk(message) for message in deciding.messages]
    assert len(requests) >= count and None not in requests
    assert decoding() >= count
    assert (
        len(set(requests))
        >= {"redis": 100, "http2": 20, "thrift": 100, "dubbo": 1, "headers": 8, "attributes": 2}[name]
    )


@pytest.mark.parametrize("name", CASES)
def test_decisions(benchmark: BenchmarkFixture, name: str) -> None:
    order, work, _, _ = CASES[name]
    deciding, decoding, count = case(name)
    peers = {"decode": Side(decoding, decoding.prepare)}
    ours, theirs = time_sides(benchmark, Side(deciding, deciding.prepare), peers, rounds=41, runs=8)
    if ours:
        what = f"route by {RULES} rules: {work}"
        reach = None if name in READ else 1.0
        add_row(
            benchmark, order, [compare(what, ours, "decoding the same messages", theirs["decode"], count * 8, reach)]
        )
