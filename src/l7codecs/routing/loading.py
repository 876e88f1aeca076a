"""A configuration to rules and clusters: our own form, and others' that a protocol or `metarouter` turns into it.

See docs/howto/route-messages.md for the form, and `schema.json` beside this module.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from os import PathLike, fspath

from l7codecs.config import Config, ConfigValue, nearest
from l7codecs.kinds import AttrValue, Status
from l7codecs.protocol import Protocol
from l7codecs.registry import get_protocol, usable_protocols
from l7codecs.routing.actions import (
    Action,
    Cluster,
    Edit,
    HashKey,
    Host,
    Mirror,
    OutlierPolicy,
    RateLimit,
    Reply,
    Retry,
    WeightedCluster,
)
from l7codecs.routing.conditions import AllOf, Condition
from l7codecs.routing.matching import Scope, matching
from l7codecs.routing.metarouter import is_metarouter, read_metarouter
from l7codecs.routing.reading import parse_config
from l7codecs.routing.shape import check_shape
from l7codecs.routing.table import RouteTable, Rule

__all__ = [
    "Routes",
    "check_unix_path",
    "is_host",
    "is_port",
    "load_routes",
    "parse_routes",
    "read_routes",
    "read_seconds",
]

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_SHORTEST, _LONGEST = 1e-6, 86400.0
_PATH = 107 if sys.platform == "linux" else 103
"""Octets of the path of a Unix socket: what ``sun_path`` has room for, but the zero behind it (unix(7))."""
_PORT = 5
"""Digits of a port."""
_DURATION = re.compile(r"([0-9]{1,8}(?:\.[0-9]{1,9})?)(ms|s|m|h)")
_TARGETS = ("cluster", "clusters", "reply")
_SENDING = ("hash", "mirror", "rate_limit", "request", "response", "deadline", "retry")
_RETRY_ON = frozenset({Status.UNAVAILABLE})


@dataclass(frozen=True, slots=True)
class Routes:
    """What a configuration says: the table, and the clusters by name, where it describes them.

    ``hosts`` are the services that a MetaRouter is for; empty of any other form.
    """

    table: RouteTable
    clusters: Mapping[str, Cluster]
    hosts: tuple[str, ...] = ()


def load_routes(path: str | PathLike[str], *, protocol: str | None = None) -> Routes:
    """Read a file; see `parse_routes`. Raises OSError as well."""
    with open(path, "rb") as file:
        return parse_routes(file.read(), fspath(path), protocol=protocol)


_OTHERS = {
    "kind": "of Kubernetes' resources only Aeraki's MetaRouter has routes for a table",
    "static_resources": "this is all of Envoy's configuration: expected the typed_config of one filter",
}
"""What others write that is no route configuration, by a key at its top."""


def parse_routes(text: str | bytes, file: str = "<text>", *, protocol: str | None = None) -> Routes:
    """Read a configuration of routes, YAML or JSON.

    It is in our own form (``rules``); or a route configuration that a protocol can read, by the ``@type`` of its top,
    or of ``typed_config``
    there (`Protocol.route_formats`); or a MetaRouter, for which `protocol` says which one its routes are of. `file` is for messages.

    Raises:
        ConfigError: with everything that is wrong, each with its place. What cannot be expressed is wrong as well.
        RegistryError: `protocol` is unknown or broken.
    """
    config = parse_config(text, file)
    protocols = {each.name: each for each in usable_protocols()}
    hosts: tuple[str, ...] = ()
    only: str | None = None
    if is_metarouter(config):
        if protocol is None:
            config.problem("a MetaRouter does not say of which protocol its routes are: give protocol=")
            config.check()
            raise AssertionError
        hosts, plain = read_metarouter(config, get_protocol(protocol))
        only = protocol
        config.check()
        config = config.make({"rules": plain})
    else:
        found = _foreign(config, protocols)
        if found is not None:
            only, plain = found
            config.check()
            config = config.make({"rules": plain})
    check_shape(config)
    known = protocols if only is None else {only: get_protocol(only)}
    routes = _routes(config, Scope(known), hosts, only is None)
    config.check()
    return routes


def read_routes(config: Config) -> Routes:
    """What is in `config` in our own form, which is of the right shape: ``clusters`` and ``rules``. Problems are told, not raised."""
    return _routes(config, Scope({each.name: each for each in usable_protocols()}), (), True)


def _foreign(config: Config, protocols: Mapping[str, Protocol]) -> tuple[str, ConfigValue] | None:
    """The name of the protocol that `config` is of, and its rules; None where it is in our own form."""
    top = config.value
    if not isinstance(top, dict):
        return None
    node = config
    if "typed_config" in top:
        config.fields(("name", "typed_config"))
        node = top["typed_config"]
    mapping = node.mapping()
    if "@type" not in mapping:
        for key, what in _OTHERS.items():
            if key in mapping and "rules" not in mapping:
                mapping[key].problem(what)
                return "", []
        return None
    name = mapping["@type"].text().rpartition("/")[2]
    types = {}
    for each in protocols.values():
        for form in each.route_formats:
            types.update(dict.fromkeys(form.types, (each, form)))
    if name not in types:
        mapping["@type"].problem(f"no protocol reads {name!r}{nearest(name, types)}")
        return "", []
    protocol, form = types[name]
    return protocol.name, form.read(node)


def _routes(config: Config, scope: Scope, hosts: tuple[str, ...], own: bool) -> Routes:
    top = config.mapping()
    clusters = (
        {name: _cluster(name, node) for name, node in top["clusters"].mapping().items()} if "clusters" in top else {}
    )
    rules = []
    names: set[str] = set()
    limits: dict[str, RateLimit] = {}
    for number, node in enumerate(top["rules"].items() if "rules" in top else (), 1):
        rule = _rule(node, number, scope)
        given = node.mapping().get("name")
        if given is not None and rule.name in names and own:
            given.problem(f"another rule is called {rule.name!r}")
        names.add(rule.name)
        limit = rule.action.rate_limit
        if limit is not None and limit.name and limits.setdefault(limit.name, limit) != limit:
            node.mapping()["rate_limit"].problem(f"another limit is called {limit.name!r}, and allows something else")
        if "clusters" in top:
            for each in _named_clusters(node):
                if each.value not in clusters:
                    each.problem(f"unknown cluster {each.value!r}{nearest(str(each.value), clusters)}")
        rules.append(rule)
    if config.problem_count:
        return Routes(RouteTable(()), clusters, hosts)
    return Routes(RouteTable(rules), clusters, hosts)


def _named_clusters(rule: Config) -> list[Config]:
    """Where `rule` names clusters."""
    top = rule.mapping()
    found = [top["cluster"]] if "cluster" in top else []
    found += [each.mapping()["name"] for each in top["clusters"].items()] if "clusters" in top else []
    return found + ([each.mapping()["cluster"] for each in top["mirror"].items()] if "mirror" in top else [])


def _rule(node: Config, number: int, scope: Scope) -> Rule:
    top = node.mapping()
    when: Condition = AllOf(())
    if "match" in top:
        when, scope = matching(top["match"], scope)
    targets = [key for key in top if key in _TARGETS]
    if len(targets) != 1 and not (node.lost and not targets):
        node.problem(
            f"expected one of {', '.join(_TARGETS)}, found {' and '.join(targets) if targets else 'none of them'}"
        )
    if targets == ["reply"]:
        for key in _SENDING:
            if key in top:
                top[key].problem(f"a reply is made here and nothing is sent on: {key} has no meaning")
    action = Action(
        cluster=top["cluster"].text() if "cluster" in top else None,
        clusters=_weighted(top["clusters"]) if "clusters" in top else (),
        reply=_reply(top["reply"]) if "reply" in top else None,
        hash_keys=_hash_keys(top["hash"], scope) if "hash" in top else (),
        mirrors=tuple(_mirror(each) for each in top["mirror"].items()) if "mirror" in top else (),
        rate_limit=_rate_limit(top["rate_limit"]) if "rate_limit" in top else None,
        request=_edit(top["request"], scope) if "request" in top else None,
        response=_edit(top["response"], scope, True) if "response" in top else None,
        deadline=read_seconds(top["deadline"]) if "deadline" in top else None,
        retry=_retry(top["retry"]) if "retry" in top else None,
    )
    name = top["name"].text() if "name" in top else f"rule {number}"
    return Rule(name, when, action, f"{node.file}:{node.line}:{node.column}")


def read_seconds(node: Config) -> float:
    """Seconds, of a number or a text with its unit."""
    value = node.value
    if isinstance(value, int | float):
        return float(value)
    found = _DURATION.fullmatch(node.text())
    if found is None:
        node.problem(f"{value!r} is no number of seconds, or one with ms, s, m or h")
        return 1.0
    seconds = float(found[1]) * _UNITS[found[2]]
    if not _SHORTEST <= seconds <= _LONGEST:
        node.problem(f"{value!r} is not at least 1 µs and at most {_LONGEST:.0f} seconds")
    return seconds


def check_unix_path(node: Config) -> None:
    """The path of ``unix:PATH`` has to fit what the system has room for."""
    size = len(os.fsencode(node.text())) - len("unix:")
    if size == 0:
        node.problem("the path of a Unix socket is missing")
    if size > _PATH:
        node.problem(f"the path of a Unix socket has at most {_PATH} octets, this has {size}")


def is_host(text: str) -> bool:
    """Whether `text` may be looked up: a name, an address of IPv4, or one of IPv6 in brackets."""
    if text[:1] == "[" and text[-1:] == "]":
        try:
            ip_address(text[1:-1])
        except ValueError:
            return False
        return ":" in text
    try:
        text.encode("idna")
    except UnicodeError:
        return False  # a label is empty or too long
    return bool(text) and not any(each in text for each in "[]:/\0 ")


def is_port(text: str, least: int = 0) -> bool:
    """Whether `text` is the number of a port, `least` or above."""
    return text.isascii() and text.isdigit() and len(text) <= _PORT and least <= int(text) < 65536


def _cluster(name: str, node: Config) -> Cluster:
    top = node.mapping()
    hosts: dict[str, Host] = {}
    for each in top["hosts"].items() if "hosts" in top else ():
        at, weight = each, 1
        if isinstance(each.value, dict):
            at = each.value["address"]
            weight = int(each.value["weight"].number()) if "weight" in each.value else 1
        address = at.text()
        host, _, port = address.rpartition(":")
        if address.startswith("unix:"):
            check_unix_path(at)
        elif not (is_host(host) and is_port(port, 1)):
            at.problem(f"{address!r} is not HOST:PORT, [IPV6]:PORT or unix:PATH")
        if address in hosts:
            at.problem(f"{address!r} stands here twice")
        hosts[address] = Host(address, weight)
    outliers = None
    if "outliers" in top:
        given = top["outliers"].mapping()
        usual = OutlierPolicy()
        outliers = OutlierPolicy(
            int(given["failures"].number()) if "failures" in given else usual.failures,
            read_seconds(given["base"]) if "base" in given else usual.base,
            read_seconds(given["longest"]) if "longest" in given else usual.longest,
            given["share"].number() if "share" in given else usual.share,
        )
    return Cluster(name, tuple(hosts.values()), outliers)


def _weighted(node: Config) -> tuple[WeightedCluster, ...]:
    found = []
    for each in node.items():
        top = each.mapping()
        found.append(WeightedCluster(top["name"].text(), int(top["weight"].number())))
    if not sum(each.weight for each in found):
        node.problem("all weights are 0")
    return tuple(found)


def _reply(node: Config) -> Reply:
    top = node.mapping()
    status = Status[top["status"].text()]
    if status is Status.OK:
        top["status"].problem("an answer that is made here is an error, not OK")
    return Reply(status, top["text"].text() if "text" in top else "")


def _hash_keys(node: Config, scope: Scope) -> tuple[HashKey, ...]:
    found = []
    for each in node.items() if isinstance(node.value, list) else [node]:
        top = each.mapping()
        source = top["by"].text()
        named = source in ("header", "attribute")
        if named is not ("name" in top):
            each.problem(f"by {source} {'needs a name' if named else 'has no name'}")
        name = top["name"].text() if "name" in top else ""
        if source == "attribute" and name:
            scope.attribute(top["name"], name)
        found.append(HashKey(source, name, top["between"].text() if "between" in top else ""))
    return tuple(found)


def _mirror(node: Config) -> Mirror:
    top = node.mapping()
    return Mirror(top["cluster"].text(), top["fraction"].number() if "fraction" in top else 1.0)


def _rate_limit(node: Config) -> RateLimit:
    top = node.mapping()
    tokens = int(top["tokens"].number())
    fill = int(top["fill"].number()) if "fill" in top else tokens
    return RateLimit(tokens, fill, read_seconds(top["every"]), top["name"].text() if "name" in top else "")


def _retry(node: Config) -> Retry:
    top = node.mapping()
    outcomes = frozenset(Status[each.text()] for each in top["on"].items()) if "on" in top else _RETRY_ON
    if Status.OK in outcomes:
        top["on"].problem("what came out OK is not sent again")
    return Retry(int(top["attempts"].number()), outcomes, "any_access" in top and top["any_access"].flag())


def _edit(node: Config, scope: Scope, of_answers: bool = False) -> Edit:
    top = node.mapping()
    protocols = scope.protocols.values()
    names = ", ".join(scope.protocols)
    if of_answers and not any(each.changes_answers for each in protocols):
        node.problem(f"answers of {names} cannot be changed")
    elif not any(each.changes_headers for each in protocols):
        for given in ("set_headers", "remove_headers"):
            if given in top:
                top[given].problem(f"{names} has no headers that can be changed")
    attributes: dict[str, AttrValue] = {}
    for name, each in top["set"].mapping().items() if "set" in top else ():
        value = _attribute_value(name, each, top["set"].keys.get(name, each), scope)
        if value is not None:
            attributes[name] = value
    prefixes = {}
    for name, each in top["replace_prefix"].mapping().items() if "replace_prefix" in top else ():
        key = top["replace_prefix"].keys.get(name, each)
        found = [known for known in scope.attribute(key, name) if _changeable(known, key, scope)]
        if found and not any(known.type in (str, bytes) for known in found):
            key.problem(f"{name} is of type {found[0].type_name}: only strings have beginnings")
        prefixes[name] = each.mapping()["from"].text(), each.mapping()["to"].text()
    headers = {name: each.text() for name, each in top["set_headers"].mapping().items()} if "set_headers" in top else {}
    removed = tuple(each.text() for each in top["remove_headers"].items()) if "remove_headers" in top else ()
    return Edit(attributes, headers, removed, prefixes)


def _changeable(known: object, key: Config, scope: Scope) -> bool:
    name = getattr(known, "name", "")
    if any(each.changeable for each in scope.attributes(name)):
        return True
    others = sorted({key for each in scope.protocols.values() for key, of in each.schema.items() if of.changeable})
    key.problem(f"{name} cannot be changed; these can: {', '.join(others) if others else 'none'}")
    return False


def _attribute_value(name: str, node: Config, key: Config, scope: Scope) -> AttrValue | None:
    found = [each for each in scope.attribute(key, name) if _changeable(each, key, scope)]
    value = node.value
    for each in found:
        items = [item.value for item in value] if isinstance(value, list) else [value]
        if isinstance(value, list) is not each.many:
            continue
        made = [item.encode() if each.type is bytes and isinstance(item, str) else item for item in items]
        if all(type(item) is each.type for item in made):
            result: AttrValue = tuple(made) if each.many else made[0]  # type: ignore[assignment]  # of its type, as seen
            return result
    if found:
        node.problem(f"{name} is of type {found[0].type_name}, not {node.found}")
    return None
