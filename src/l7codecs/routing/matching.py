"""What stands below ``match`` to conditions, checked against the schemas of the protocols that it may be about."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import TypeVar

from l7codecs.config import Config, nearest
from l7codecs.kinds import Kind, Status
from l7codecs.protocol import Attribute, Protocol
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
    PeerTest,
    ResourceTest,
    StatusTest,
)
from l7codecs.routing.values import Exact, Pattern, Prefix, Present, Range, Suffix, ValueTest

__all__ = ["Scope", "matching"]

Word = TypeVar("Word", Kind, Status)

_WAYS = ("exact", "one_of", "prefix", "suffix", "regex", "range", "present")
_FIELDS = {"protocol": PROTOCOL, "service": SERVICE, "operation": OPERATION}
_ANY_TYPE = (str, int, bool, bytes)


class Scope:
    """The protocols that a rule may be about."""

    def __init__(self, protocols: Mapping[str, Protocol]) -> None:
        self.protocols = dict(protocols)

    def narrowed(self, match: Mapping[str, Config]) -> Scope:
        """Those that ``protocol`` of `match` leaves, where it names them."""
        node = match.get("protocol")
        names: list[Config] = []
        if node is not None:
            value = node.value
            if isinstance(value, dict):
                if "invert" in value or "ignore_case" in value:
                    return self
                value = value["one_of"].value if "one_of" in value else [value["exact"]] if "exact" in value else None
            names = value if isinstance(value, list) else [node] if isinstance(value, str) else []
        wanted = {each.value for each in names}
        found = {name: each for name, each in self.protocols.items() if name in wanted}
        return Scope(found) if found else self

    def attributes(self, name: str) -> list[Attribute]:
        """What the protocols say of an attribute."""
        return [each.schema[name] for each in self.protocols.values() if name in each.schema]

    def attribute(self, node: Config, name: str) -> list[Attribute]:
        """As `attributes`; where there is none it is a problem of `node`."""
        found = self.attributes(name)
        if not found:
            known = {key for each in self.protocols.values() for key in each.schema}
            of = f" of {next(iter(self.protocols))}" if len(self.protocols) == 1 else ""
            node.problem(f"unknown attribute {name!r}{of}{nearest(name, known)}")
        return found


def matching(config: Config, scope: Scope) -> tuple[Condition, Scope]:
    """The condition that `config` describes, whose shape is checked, and the protocols that it leaves.

    As deep as the file, which `parse_config` bounds.
    """
    parts: list[Condition] = []
    match = config.mapping()
    all_protocols = scope
    scope = scope.narrowed(match)
    for key, node in match.items():
        if key in _FIELDS:
            parts.append(_field(node, _FIELDS[key], all_protocols))
        elif key == "kind":
            parts.append(KindTest(_words(node, {each.value: each for each in Kind})))
        elif key == "status":
            parts.append(StatusTest(_words(node, dict(Status.__members__))))
        elif key == "resources":
            test, any_of, inverted = _test(node, (str, bytes), True)
            parts.append(ResourceTest(test, any_of, inverted))
        elif key == "headers":
            for name, each in node.mapping().items():
                test, any_of, inverted = _test(each, _ANY_TYPE, True)
                fold = isinstance(each.value, dict) and "fold_name" in each.value and each.value["fold_name"].flag()
                parts.append(HeaderTest(name, test, any_of, inverted, fold))
        elif key == "attributes":
            for name, each in node.mapping().items():
                parts.append(_attribute(name, each, node.keys.get(name, each), scope))
        elif key == "peer":
            parts.append(_peer(node))
        elif key == "all":
            parts.extend(matching(each, scope)[0] for each in node.items())
        elif key == "any":
            parts.append(AnyOf([matching(each, scope)[0] for each in node.items()]))
        elif key == "not":
            parts.append(Not(matching(node, scope)[0]))
    return (parts[0] if len(parts) == 1 else AllOf(parts)), scope


def _words(node: Config, known: Mapping[str, Word]) -> list[Word]:
    """Members by their names; the shape has told which are none."""
    nodes = node.value if isinstance(node.value, list) else [node]
    found = []
    for each in nodes:
        name = each.text()
        if name in known:
            found.append(known[name])
        else:
            each.problem(f"unknown value {name!r}{nearest(name, known)}")
    return found


def _field(node: Config, field: int, scope: Scope) -> Condition:
    test, _, inverted = _test(node, (str,), False)
    if field == PROTOCOL and isinstance(test, Exact):
        for name in test.values:
            if not test.fold and name not in scope.protocols:
                node.problem(f"unknown protocol {name!r}{nearest(str(name), scope.protocols)}")
    return FieldTest(field, test, inverted)


def _attribute(name: str, node: Config, key: Config, scope: Scope) -> Condition:
    found = scope.attribute(key, name)
    types: set[type] = set()
    for each in found:
        types |= {str, bytes} if each.type is bytes else {each.type}
    many = any(each.many for each in found) or not found
    test, any_of, inverted = _test(node, tuple(types) or _ANY_TYPE, many)
    if name == "l7.access":
        return FieldTest(ACCESS, test, inverted)  # found sooner than all attributes are
    return AttributeTest(name, test, any_of, inverted)


def _test(node: Config, types: tuple[type, ...], many: bool) -> tuple[ValueTest, bool, bool]:
    """The test that `node` describes of a value of one of `types`, whether any of several values will do, and whether it is inverted."""
    value = node.value
    if not isinstance(value, dict):
        return Exact(_literals(node.items() if isinstance(value, list) else [node], types)), False, False
    ways = [key for key in value if key in _WAYS]
    inverted = "invert" in value and value["invert"].flag()
    any_of = "values" in value and value["values"].value == "any"
    fold = "ignore_case" in value and value["ignore_case"].flag()
    if "fold_name" in value and types is not _ANY_TYPE:
        value["fold_name"].problem("this is no header")
    if "values" in value and not many:
        value["values"].problem("there is one value only")
    if len(ways) != 1 and node.lost:
        return Present(), any_of, inverted
    if len(ways) != 1:
        node.problem(f"expected one of {', '.join(_WAYS)}, found {' and '.join(ways) if ways else 'none of them'}")
        return Present(), any_of, inverted
    way = ways[0]
    of = value[way]
    if fold and way in ("regex", "range", "present"):
        value["ignore_case"].problem(f"{way} has no cases" if way != "regex" else "write (?i) in the expression")
    if way in ("prefix", "suffix", "regex") and not {str, bytes} & set(types):
        of.problem(f"{way} is of strings; this is of type {_named(types)}")
    if way == "present":
        return Present(), any_of, inverted is of.flag()
    if way == "prefix":
        return Prefix(of.text(), fold), any_of, inverted
    if way == "suffix":
        return Suffix(of.text(), fold), any_of, inverted
    if way == "regex":
        return _pattern(of), any_of, inverted
    if way == "range":
        if int not in types:
            of.problem(f"range is of integers; this is of type {_named(types)}")
        return _range(of), any_of, inverted
    literals = _literals(of.items() if way == "one_of" else [of], types)
    return Exact(literals, fold), any_of, inverted


def _named(types: Iterable[type]) -> str:
    return " or ".join(sorted(each.__name__ for each in types))


def _literals(nodes: list[Config], types: tuple[type, ...]) -> list[str | int | bool | bytes]:
    found: list[str | int | bool | bytes] = []
    for node in nodes:
        value = node.value
        if type(value) in types or (isinstance(value, bytes) and str in types):
            assert isinstance(value, str | int | bool | bytes)
            found.append(value)
        elif str in types and isinstance(value, int | float):
            node.problem(f"expected a string, found {node.found}: put it in quotes")
        else:
            node.problem(f"expected a value of type {_named(types)}, found {node.found}")
    return found


def _range(node: Config) -> Range:
    bounds: list[int | None] = []
    for key in ("from", "to"):
        each = node.mapping().get(key)
        bounds.append(int(each.number()) if each is not None else None)
    low, high = bounds
    if low is None and high is None and not node.lost:
        node.problem("expected from, to or both")
    elif low is not None and high is not None and low > high:
        node.problem(f"is empty: {low} is above {high}")
    return Range(low, high)


def _pattern(node: Config) -> ValueTest:
    try:
        import re2
    except ImportError:
        node.problem("regex needs the package google-re2, of the extra `routing`")
        return Present()
    options = re2.Options()
    options.log_errors = False
    try:
        return Pattern(re2.compile(node.text(), options))
    except re2.error as error:
        text = error.args[0] if error.args else error
        node.problem(f"is no expression of RE2: {text.decode('utf-8', 'replace') if isinstance(text, bytes) else text}")
        return Present()


def _peer(node: Config) -> Condition:
    value = node.value
    low, high, inverted = 0, 65535, False
    nodes: list[Config]
    if isinstance(value, dict):
        nodes = value["networks"].items() if "networks" in value else []
        if "ports" in value:
            ports = _range(value["ports"])
            low, high = (0 if ports.low is None else ports.low), (65535 if ports.high is None else ports.high)
            if not (0 <= low <= 65535 and 0 <= high <= 65535):
                value["ports"].problem("a port is 0 to 65535")
                low, high = 0, 65535
        if not value.keys() & {"networks", "ports"} and not node.lost:
            node.problem("expected networks, ports or both")
        elif "networks" in value and not nodes:
            value["networks"].problem("expected at least one")
        inverted = "invert" in value and value["invert"].flag()
    else:
        nodes = node.items() if isinstance(value, list) else [node]
        if not nodes and not node.lost:
            node.problem("expected at least one")
    networks: list[IPv4Network | IPv6Network] = []
    for each in nodes:
        try:
            networks.append(ip_network(each.text()))
        except ValueError as error:
            each.problem(f"is no network: {error}")
    return PeerTest(networks, low, high, inverted)
