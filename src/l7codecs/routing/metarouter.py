"""Aeraki's MetaRouter (metaprotocol.aeraki.io/v1alpha1) in our own form.

Which protocol it is for stands elsewhere, in a port's name: the caller says it. What its attributes are called is the protocol's to say
(`Protocol.route_names`). A destination is the cluster ``outbound|PORT|SUBSET|HOST``, as Istio calls it; without a port
the number is left out.

Local rate limits come before the routes there: so each route becomes one rule for each of their conditions, in their
order, and one for what none of them is
for; what has the same condition shares its tokens. Global rate limits ask another server, and cannot be expressed.
"""

from __future__ import annotations

import re

from l7codecs.config import Config, ConfigValue
from l7codecs.protocol import Protocol

__all__ = ["is_metarouter", "read_metarouter"]

_GROUP = "metaprotocol.aeraki.io/"
_VERSION = "v1alpha1"
_ELSEWHERE = {"gateways": "which proxies have these routes", "exportTo": "which namespaces have these routes"}
_DURATION = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)(h|ms|s|m)")


def is_metarouter(config: Config) -> bool:
    """Whether `config` says that it is one."""
    top = config.value
    if not isinstance(top, dict) or "apiVersion" not in top:
        return False
    return str(top["apiVersion"].value).startswith(_GROUP) or ("kind" in top and top["kind"].value == "MetaRouter")


def read_metarouter(config: Config, protocol: Protocol) -> tuple[tuple[str, ...], ConfigValue]:
    """The hosts that it is for, and its rules in our own form. Tells what is wrong, or cannot be expressed, with `Config.problem`."""
    top = config.fields(("apiVersion", "kind", "metadata", "spec", "status"))
    if "apiVersion" in top and top["apiVersion"].value != _GROUP + _VERSION:
        top["apiVersion"].problem(f"expected {_GROUP}{_VERSION}")
    if "kind" not in top or top["kind"].value != "MetaRouter":
        top.get("kind", config).problem("expected the kind MetaRouter")
        return (), []
    if "spec" not in top:
        config.problem("'spec' is missing")
        return (), []
    if not protocol.route_names:
        config.problem(f"{protocol.name} has no names for the attributes of a MetaRouter")
    refused = {key: f"{what} is not for a table of routes to say" for key, what in _ELSEWHERE.items()}
    refused["globalRateLimit"] = "another server would have to be asked for each message"
    spec = top["spec"].fields(("hosts", "routes", "localRateLimit"), refused)
    hosts = tuple(each.text() for each in spec["hosts"].items()) if "hosts" in spec else ()
    if len(hosts) != 1:
        spec.get("hosts", top["spec"]).problem(f"expected one host, found {len(hosts)}")
    limits: list[tuple[ConfigValue, ConfigValue]] = [(None, None)]
    if "localRateLimit" in spec:
        limits = _limits(spec["localRateLimit"], protocol)
    rules: list[ConfigValue] = []
    routes = spec["routes"].items() if "routes" in spec else []
    for number, each in enumerate(routes, 1):
        rules += _with_limits(_route(each, number, protocol), limits, each)
    if not routes and hosts:
        every: dict[str, ConfigValue] = {"name": "all", "cluster": f"outbound|||{hosts[0]}"}
        rules += _with_limits(every, limits, top["spec"])
    return hosts, rules


def _with_limits(
    rule: dict[str, ConfigValue], limits: list[tuple[ConfigValue, ConfigValue]], place: Config
) -> list[ConfigValue]:
    """`rule` for each condition of a limit, and for what is left."""
    found: list[ConfigValue] = []
    for number, (match, limit) in enumerate(limits, 1):
        one = dict(rule)
        if limit is not None:
            one["rate_limit"] = limit
        if match is not None:
            one["name"] = f"{rule['name']!s}, limit {number}"
            one["match"] = {"all": [rule["match"], match]} if "match" in rule else match
        found.append(place.make(one))
    return found


def _limits(node: Config, protocol: Protocol) -> list[tuple[ConfigValue, ConfigValue]]:
    """What each limit is for, and it; the last is for all others."""
    top = node.fields(("tokenBucket", "conditions"))
    if not top:
        node.problem("expected tokenBucket, conditions or both")
    found: list[tuple[ConfigValue, ConfigValue]] = []
    for number, each in enumerate(top["conditions"].items() if "conditions" in top else (), 1):
        of = each.fields(("match", "tokenBucket"))
        if "tokenBucket" not in of:
            each.problem("'tokenBucket' is missing")
            continue
        match = _match(of["match"], protocol) if "match" in of else each.make({})
        found.append((match, _bucket(of["tokenBucket"], f"condition {number}")))
    found.append((None, _bucket(top["tokenBucket"], "all others") if "tokenBucket" in top else None))
    return found


def _bucket(node: Config, name: str) -> ConfigValue:
    top = node.fields(("maxTokens", "tokensPerFill", "fillInterval"))
    for key in ("maxTokens", "fillInterval"):
        if key not in top:
            node.problem(f"{key!r} is missing")
            return node.make({"tokens": 1, "every": 1})
    every = _interval(top["fillInterval"])
    return node.make({"name": name, "tokens": top["maxTokens"], "fill": top.get("tokensPerFill", 1), "every": every})


def _interval(node: Config) -> Config:
    """A Duration: seconds and nanos, or a text."""
    if isinstance(node.value, dict):
        top = node.fields(("seconds", "nanos"))
        seconds = sum(top[key].number() * unit for key, unit in (("seconds", 1.0), ("nanos", 1e-9)) if key in top)
        return node.make(seconds)
    text = node.text()
    parts = _DURATION.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        node.problem(f"{text!r} is no duration")
        return node.make(1)
    units = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
    return node.make(sum(float(number) * units[unit] for number, unit in parts))


def _route(node: Config, number: int, protocol: Protocol) -> dict[str, ConfigValue]:
    top = node.fields(("name", "match", "route", "mirror", "mirrorPercentage", "requestMutation", "responseMutation"))
    name = top["name"].text() if "name" in top else ""
    rule: dict[str, ConfigValue] = {"name": name or f"route {number}"}
    if "match" in top:
        rule["match"] = _match(top["match"], protocol)
    targets = [each.fields(("destination", "weight")) for each in top["route"].items()] if "route" in top else []
    if not targets:
        node.problem("'route' is missing or empty")
    for each, of in zip(top["route"].items() if "route" in top else (), targets, strict=True):
        if "destination" not in of:
            each.problem("'destination' is missing")
            return rule
    if len(targets) == 1:
        rule["cluster"] = _destination(targets[0]["destination"])
    elif targets:
        rule["clusters"] = [{"name": _destination(of["destination"]), "weight": of.get("weight", 0)} for of in targets]
    if "mirror" in top:
        mirror: dict[str, ConfigValue] = {"cluster": _destination(top["mirror"])}
        if "mirrorPercentage" in top:
            percent = top["mirrorPercentage"].fields(("value",))
            value = percent["value"].number() if "value" in percent else 0.0
            mirror["fraction"] = top["mirrorPercentage"].make(value / 100)
        rule["mirror"] = [mirror]
    elif "mirrorPercentage" in top:
        top["mirrorPercentage"].problem("there is no mirror")
    for key, ours in (("requestMutation", "request"), ("responseMutation", "response")):
        if key in top:
            rule[ours] = _mutation(top[key], protocol)
    return rule


def _destination(node: Config) -> Config:
    top = node.fields(("host", "subset", "port"))
    if "host" not in top:
        node.problem("'host' is missing")
        return node.make("")
    port = ""
    if "port" in top:
        number = top["port"].fields(("number",))
        port = str(number["number"].integer()) if "number" in number else ""
    subset = top["subset"].text() if "subset" in top else ""
    return node.make(f"outbound|{port}|{subset}|{top['host'].text()}")


def _match(node: Config, protocol: Protocol) -> Config:
    top = node.fields(("attributes",))
    match: dict[str, ConfigValue] = {}
    attributes: dict[str, ConfigValue] = {}
    headers: dict[str, ConfigValue] = {}
    for name, each in top["attributes"].mapping().items() if "attributes" in top else ():
        of = each.fields(("exact", "prefix", "regex")) if each.value is not None else {}
        if len(of) > 1:
            each.problem(f"expected one of exact, prefix and regex, found {' and '.join(of)}")
        test = each.make(of or {"present": True})
        ours = protocol.route_names.get(name)
        if ours in ("service", "operation"):
            match[ours] = test
        elif ours is not None:
            attributes[ours] = test
        else:
            headers[name] = test
    if attributes:
        match["attributes"] = attributes
    if headers:
        match["headers"] = headers
    return node.make(match)


def _mutation(node: Config, protocol: Protocol) -> ConfigValue:
    attributes: dict[str, ConfigValue] = {}
    headers: dict[str, ConfigValue] = {}
    for each in node.items():
        of = each.fields(("key", "value"))
        if "key" not in of or "value" not in of:
            each.problem("expected key and value")
            continue
        key = of["key"].text()
        ours = protocol.route_names.get(key)
        if ours is None:
            headers[key] = of["value"]
        elif ours in ("service", "operation"):
            of["key"].problem(f"{key} chooses the route, and cannot be changed by it")
        else:
            attributes[ours] = of["value"]
    found: dict[str, ConfigValue] = {}
    if attributes:
        found["set"] = attributes
    if headers:
        found["set_headers"] = headers
    return node.make(found)
