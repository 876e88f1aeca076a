"""The table: what each way to match means, and that the index decides as a walk through the rules does."""

from __future__ import annotations

import random
from typing import Any

import pytest

import l7codecs
from l7codecs import Headers, Kind, Message, ProtocolError, Sender, Status
from l7codecs.routing import Action, RouteTable, Rule, parse_routes
from l7codecs.routing.conditions import (
    ACCESS,
    OPERATION,
    PROTOCOL,
    SERVICE,
    AllOf,
    AnyOf,
    AttributeTest,
    Condition,
    FieldTest,
    HeaderTest,
    KindTest,
    Not,
    ResourceTest,
)
from l7codecs.routing.values import Exact, Prefix, Present, Suffix, ValueTest
from routing_toys import Said


def decides(match: str, says: dict[str, Any], **of: Any) -> bool:
    table = parse_routes(f"rules: [{{match: {match}, cluster: a}}]").table
    message = Said(says, **of)
    found = table.route(message)
    assert found is table.walk(message)
    return found is not None


@pytest.mark.parametrize(
    ("match", "says", "expected"),
    [
        ("{}", {}, True),
        ("{kind: request}", {}, True),
        ("{kind: [oneway, push]}", {}, False),
        ("{kind: [oneway, push]}", {"kind": Kind.PUSH}, True),
        ("{protocol: redis}", {}, True),
        ("{protocol: [http2, kafka]}", {}, False),
        ("{protocol: {exact: redis, invert: true}}", {}, False),
        ("{service: com.acme.Orders}", {"service": "com.acme.Orders"}, True),
        ("{service: com.acme.Orders}", {"service": "com.acme.orders"}, False),
        ("{service: {exact: com.acme.Orders, ignore_case: true}}", {"service": "com.acme.orders"}, True),
        ("{service: com.acme.Orders}", {}, False),
        ("{service: {present: true}}", {}, False),
        ("{service: {present: false}}", {}, True),
        ("{service: {exact: x, invert: true}}", {}, True),
        ("{operation: {prefix: get, ignore_case: true}}", {"operation": "GETEX"}, True),
        ("{operation: {prefix: get}}", {"operation": "GETEX"}, False),
        ("{operation: {suffix: EX}}", {"operation": "GETEX"}, True),
        ("{resources: {exact: 'Ä', ignore_case: true}}", {"resources": ("Ä".encode(), "ä", b"\xc3\xa4")}, True),
        ("{resources: {exact: !!binary w4Q=, ignore_case: true}}", {"resources": ("Ä".encode(), "ä")}, True),
        ("{resources: {prefix: 'Ä', ignore_case: true}}", {"resources": ("Äx".encode(), "äx".encode())}, True),
        ("{resources: {suffix: 'Ä', ignore_case: true}}", {"resources": ("xÄ".encode(), "xä")}, True),
        ("{resources: {prefix: 'a', ignore_case: true}}", {"resources": (b"A\xff", b"\xff")}, False),
        ("{operation: {regex: 'GET|SET'}}", {"operation": "SET"}, True),
        ("{operation: {regex: 'GET|SET'}}", {"operation": "SETEX"}, False),
        ("{operation: {one_of: [GET, SET], invert: true}}", {"operation": "SET"}, False),
        ("{resources: 'a'}", {"resources": (b"a",)}, True),
        ("{resources: 'a'}", {"resources": ("a",)}, True),
        ("{resources: 'ä'}", {"resources": ("ä".encode(),)}, True),
        ("{resources: !!binary /w==}", {"resources": (b"\xff",)}, True),
        ("{resources: {prefix: t}}", {"resources": (b"ta", b"tb")}, True),
        ("{resources: {prefix: t}}", {"resources": (b"ta", b"b")}, False),
        ("{resources: {prefix: t, values: any}}", {"resources": (b"ta", b"b")}, True),
        ("{resources: {prefix: t, values: any}}", {"resources": (b"b", b"ta")}, True),
        ("{resources: {prefix: t}}", {}, False),
        ("{resources: {prefix: t, invert: true}}", {"resources": (b"ta", b"b")}, True),
        ("{resources: {prefix: t, invert: true}}", {}, True),
        ("{resources: {regex: 't.*'}}", {"resources": (b"ta",)}, True),
        ("{resources: {regex: 't.*'}}", {"resources": (b"t\xff",)}, True),
        ("{resources: {regex: 't.*ä'}}", {"resources": (b"t\xff\xc3\xa4",)}, True),
        ("{resources: {regex: 't[a-z]*'}}", {"resources": (b"t\xff",)}, False),
        ("{operation: {regex: 't.ä'}}", {"operation": "t\ud800ä"}, True),
        ("{operation: {regex: 't[a-z]*'}}", {"operation": "t\udfff"}, False),
        ("{status: UNAVAILABLE}", {"status": Status.UNAVAILABLE}, True),
        ("{status: [OK]}", {"status": Status.OK}, True),
        ("{status: [OK, UNKNOWN]}", {}, False),
        ("{headers: {x: '1'}}", {"headers": [("x", "1")]}, True),
        ("{headers: {x: 1}}", {"headers": [("x", "1")]}, True),
        ("{headers: {x: 1}}", {"headers": [("x", 1)]}, True),
        ("{headers: {x: true}}", {"headers": [("x", 1)]}, False),
        ("{headers: {x: {range: {from: 1, to: 5}}}}", {"headers": [("x", b"5")]}, True),
        ("{headers: {x: {range: {from: 1, to: 5}}}}", {"headers": [("x", b"6")]}, False),
        ("{headers: {x: {range: {to: 5}}}}", {"headers": [("x", "-7")]}, True),
        ("{headers: {x: {range: {to: 5}}}}", {"headers": [("x", "٣")]}, False),
        ("{headers: {x: {exact: a}}}", {"headers": [("x", "a"), ("x", "b")]}, False),
        ("{headers: {x: {exact: a, values: any}}}", {"headers": [("x", "b"), ("x", "a")]}, True),
        ("{attributes: {l7.access: read}}", {"attributes": {"l7.access": "read"}}, True),
        ("{attributes: {l7.access: read}}", {}, False),
        ("{attributes: {server.port: {range: {from: 6000}}}}", {"attributes": {"server.port": 6379}}, True),
        ("{attributes: {l7.blocks: true}}", {"attributes": {"l7.blocks": True}}, True),
        ("{attributes: {redis.keys: {prefix: a}}}", {"attributes": {"redis.keys": (b"a", b"b")}}, False),
        ("{attributes: {redis.keys: {prefix: a, values: any}}}", {"attributes": {"redis.keys": (b"a", b"b")}}, True),
        ("{operation: GET, resources: a}", {"operation": "GET", "resources": (b"a",)}, True),
        ("{operation: GET, resources: a}", {"operation": "SET", "resources": (b"a",)}, False),
        ("{any: [{operation: GET}, {resources: a}]}", {"operation": "SET", "resources": (b"a",)}, True),
        ("{any: [{operation: GET}, {resources: a}]}", {"operation": "SET"}, False),
        ("{all: [{operation: GET}, {not: {resources: a}}]}", {"operation": "GET", "resources": (b"b",)}, True),
        ("{all: [{operation: GET}, {not: {resources: a}}]}", {"operation": "GET", "resources": (b"a",)}, False),
    ],
)  # fmt: skip
def test_what_matches(match: str, says: dict[str, Any], expected: bool) -> None:
    assert decides(match, says) is expected


@pytest.mark.parametrize(
    ("match", "client", "expected"),
    [
        ("10.0.0.0/8", ("10.1.2.3", 5), True),
        ("10.0.0.0/8", ("11.1.2.3", 5), False),
        ("10.0.0.0/8", ("::ffff:10.1.2.3", 5), True),
        ("10.0.0.0/8", ("example.test", 5), False),
        ("10.0.0.0/8", None, False),
        ("10.1.2.3", ("10.1.2.3", 5), True),
        ("[10.0.0.0/8, 'fd00::/8']", ("fd00::1", 5), True),
        ("{networks: [10.0.0.0/8], invert: true}", ("10.1.2.3", 5), False),
        ("{networks: [10.0.0.0/8], invert: true}", None, True),
        ("{ports: {from: 1000, to: 2000}}", ("10.1.2.3", 2000), True),
        ("{ports: {from: 1000, to: 2000}}", ("10.1.2.3", 2001), False),
    ],
)
def test_which_peers(match: str, client: tuple[str, int] | None, expected: bool) -> None:
    assert decides(f"{{peer: {match}}}", {}, client=client) is expected


WORDS = ["a", "b", "ab", "abc", "abcd", "", "ä", "äb", "x", "xy"]


def some_test(draw: random.Random) -> ValueTest:
    kind = draw.randrange(6)
    if kind < 2:
        fold = not draw.randrange(5)
        return Exact(draw.sample(WORDS, draw.randint(1, 3)), fold)
    if kind < 4:
        return Prefix(draw.choice(WORDS), not draw.randrange(5))
    return Suffix(draw.choice(WORDS)) if kind == 4 else Present()


def some_condition(draw: random.Random, depth: int = 0) -> Condition:
    kind = draw.randrange(14)
    inverted = not draw.randrange(6)
    if kind < 6:
        field = draw.choice((PROTOCOL, SERVICE, OPERATION, ACCESS))
        return FieldTest(field, some_test(draw), inverted)
    if kind < 9 or depth > 2:
        return ResourceTest(some_test(draw), draw.random() < 0.5, inverted)
    if kind == 9:
        return KindTest([draw.choice(list(Kind))], inverted)
    if kind > 11:
        of = (draw.choice("hi"), some_test(draw), draw.random() < 0.5, inverted)
        return HeaderTest(*of) if kind == 12 else AttributeTest(*of)
    parts = [some_condition(draw, depth + 1) for _ in range(draw.randint(0, 3))]
    if kind == 10:
        return Not(some_condition(draw, depth + 1)) if inverted else AnyOf(parts)
    return AllOf(parts)


def some_message(draw: random.Random) -> Message:
    def word() -> str | None:
        return None if not draw.randrange(6) else draw.choice(WORDS) + draw.choice(["", "", "c", "d"])

    found = [word() or "" for _ in range(draw.choice((0, 1, 1, 1, 2)))]
    resources = tuple(each if draw.random() < 0.5 else each.encode() for each in found)
    says = {"service": word(), "operation": word(), "resources": resources, "attributes": {"l7.access": word()}}
    if len(resources) == 1 and isinstance(resources[0], bytes) and draw.random() < 0.5:
        says |= {"octets": b"abc" + resources[0] + b"abcd", "at": 3}
    says["headers"] = [(draw.choice("hi"), some_value(draw)) for _ in range(draw.choice((0, 1, 1, 2)))]
    says["attributes"]["h"] = draw.choice((None, some_value(draw), (some_value(draw), some_value(draw))))
    return Said(says, protocol=draw.choice(WORDS))


def some_value(draw: random.Random) -> str | bytes | int:
    word = draw.choice(WORDS)
    return draw.choice((word, word, word.encode(), 7))


@pytest.mark.parametrize("seed", range(60))
def test_the_index_decides_as_the_walk(seed: int) -> None:
    draw = random.Random(seed)
    rules = []
    for number in range(draw.choice((1, 5, 30, 100))):
        when = AllOf([some_condition(draw) for _ in range(draw.randint(0 if draw.random() < 0.05 else 1, 3))])
        rules.append(Rule(str(number), when, Action(cluster="a")))
    table = RouteTable(rules)
    found = set()
    for _ in range(300):
        message = some_message(draw)
        rule = table.route(message)
        assert rule is table.walk(message), message.says
        found.add(rule)
    assert len(found) > 1 or len(rules) < 30


@pytest.mark.parametrize("seed", range(20))
def test_the_index_of_what_keys_start_with_decides_as_the_walk(seed: int) -> None:
    """Of every size, those beside each other that begin, or end, alike; read where they stand."""
    draw = random.Random(seed)

    def some() -> bytes:
        return bytes(draw.choice(b"ab") for _ in range(draw.choice((1, 2, 7, 8, 9, 15, 16, 17, 24, 40))))

    starts = [some() for _ in range(60)]
    starts += [start[:-1] + b"c" for start in starts[:20]] + [start[: len(start) // 2] for start in starts[:20]]
    starts.sort(key=lambda each: -len(each) if draw.randrange(10) else -40)  # else the short ones were all that hold
    rules = [
        Rule(str(number), ResourceTest(Prefix(each.decode()), inverted=number == 70 and seed < 5), Action(cluster="a"))
        for number, each in enumerate(starts)
    ]
    table = RouteTable(rules)
    found = set()
    for _ in range(300):
        key = draw.choice((some(), draw.choice(starts), draw.choice(starts) + some(), draw.choice(starts)[:-1]))
        message = Said({"resources": (key,), "octets": b"ab" + key + b"ba" * 20, "at": 2})
        rule = table.route(message)
        assert rule is table.walk(message) is table.route(Said({"resources": (key,)})), key
        found.add(rule)
    assert len(found) > 3


def named(pairs: list[tuple[str, str]]) -> RouteTable:
    """A rule for each value of a header, behind one that asks for no header."""
    first = Rule("first", FieldTest(OPERATION, Exact(["first"])), Action(cluster="a"))
    return RouteTable(
        [first, *(Rule(value, HeaderTest(name, Exact([value])), Action(cluster="a")) for name, value in pairs)]
    )


def test_headers_that_cannot_be_read_are_asked_for_where_a_rule_does() -> None:
    class Broken(Said):
        @property
        def headers(self) -> Headers:
            raise ProtocolError(0, "nonsense", "headers")

    table = named([("h", str(number)) for number in range(10)])
    assert table.route(Said({"headers": [("h", "7")]})).name == "7"
    assert table.route(Broken({"operation": "first"})).name == "first"
    with pytest.raises(ProtocolError):
        table.route(Broken({"operation": "second"}))
    table = RouteTable(table.rules[1:])  # now a header is what it begins with
    assert table.route(Said({"headers": [("h", "7")]})).name == "7"
    with pytest.raises(ProtocolError):
        table.route(Broken({"operation": "second"}))


def test_headers_of_many_names_are_bounded() -> None:
    """A switch below a switch for each of a thousand names would be too deep."""
    names = [(f"h{number // 2}", str(number)) for number in range(2_000)]
    table = RouteTable(named(names).rules[1:])
    assert table.route(Said({"headers": [("h999", "1999")]})).name == "1999"
    assert table.route(Said({"headers": [("h999", "5")]})) is None


def test_a_large_table_is_bounded() -> None:
    """Rules that every value of a switch may go to are not copied for each: that would be ten million here."""
    rules = [Rule(f"exact {n}", FieldTest(SERVICE, Exact([f"s{n}"])), Action(cluster="a")) for n in range(3_000)]
    rules += [Rule(f"any {n}", FieldTest(OPERATION, Suffix(f"{n}")), Action(cluster="a")) for n in range(3_000)]
    table = RouteTable(rules)
    found = table.route(Said({"service": "s2999", "operation": "x"}))
    assert found is rules[2_999]
    found = table.route(Said({"service": "other", "operation": "x2999"}))
    assert found is rules[3_009], "the first is that of 9"


def test_the_first_that_holds_decides() -> None:
    table = parse_routes(
        "rules: [{match: {operation: GET}, cluster: a}, {match: {operation: GET}, cluster: b}, {cluster: c}]"
    ).table
    assert [table.route(Said({"operation": each})).action.cluster for each in ("GET", "SET")] == ["a", "c"]
    assert parse_routes("rules: []").table.route(Said({})) is None


def test_real_messages() -> None:
    table = parse_routes(
        """
        rules:
        - {match: {attributes: {l7.access: admin}}, reply: {status: PERMISSION_DENIED}}
        - {match: {operation: [GET, MGET], resources: {prefix: "a:"}}, cluster: reads}
        - {match: {resources: {prefix: "a:"}}, cluster: a}
        - {match: {resources: {present: true}}, cluster: others}
        """
    ).table
    session = l7codecs.open_session("redis")
    octets = b"CONFIG GET x\r\nGET a:1\r\nMGET a:1 a:2\r\nMGET a:1 b:2\r\nSET a:1 v\r\nSET b v\r\nPING\r\n"
    rules = [table.route(event) for event in session.receive(Sender.CLIENT, octets)]
    found = [rule and (rule.action.cluster or rule.action.reply.status.name) for rule in rules]
    assert found == ["PERMISSION_DENIED", "reads", "reads", "others", "a", "others", None]


@pytest.mark.parametrize(
    "octets",
    [
        b"*2\r\n$3\r\nGET\r\n$3\r\na:1\r\n",
        b"MGET a b\r\n",
        b"PING\r\n",
        b"GET k\r\n",
        b"CONFIG GET x\r\n",
        b"\r\n",
        b"NONSENSE x\r\n",
    ],
)
def test_the_only_resource_is_that_of_all(octets: bytes) -> None:
    (event,) = l7codecs.open_session("redis").receive(Sender.CLIENT, octets)
    expected = event.resources[0] if len(event.resources) == 1 else None
    assert event.resource == expected
    assert event.access == event.attributes.get("l7.access")
    at = event.resource_at
    assert at < 0 or event.octets[at : at + event.resource_size] == expected
