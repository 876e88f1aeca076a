"""The routes of Envoy's ``redis_proxy`` in the form of `l7codecs.routing`.

The longest prefix decides there, so the rules are in that order. A command with keys of several routes is cut into
several by Envoy, or goes by its first key alone; here it is refused, before a shorter prefix can take it.
Commands without keys are no matter of routes. Hosts are chosen by key.
"""

from __future__ import annotations

from l7codecs import Config, ConfigValue, RouteFormat
from l7codecs.xds import fields, fraction, seconds

__all__ = ["ENVOY_ROUTES"]

_STATISTICS = ("stat_prefix", "latency_in_micros")
_BUFFERS = ("enable_command_stats", "max_buffer_size_before_flush", "buffer_flush_timeout")
_AUTH = "who may ask is not for a table of routes to say"
_REFUSED = {
    "downstream_auth_password": _AUTH,
    "downstream_auth_passwords": _AUTH,
    "downstream_auth_username": _AUTH,
    "external_auth_provider": _AUTH,
    "faults": "faults are not injected",
    "custom_commands": "commands are those that the table of this protocol has",
}
_SETTINGS = {
    "enable_redirection": "MOVED and ASK would have to be followed",
    "dns_cache_config": "MOVED and ASK would have to be followed",
    "max_upstream_unknown_connections": "MOVED and ASK would have to be followed",
    "connection_rate_limit": "connections are the engine's",
}


def _read(config: Config) -> ConfigValue:
    top = fields(config, ("@type", *_STATISTICS, "settings", "prefix_routes"), _REFUSED)
    shared: dict[str, ConfigValue] = {"hash": {"by": "resource"}}
    if "settings" in top:
        shared = _shared(top["settings"])
    if "prefix_routes" not in top:
        config.problem("'prefix_routes' is missing")
        return []
    routes = fields(top["prefix_routes"], ("routes", "case_insensitive", "catch_all_route"))
    fold = "case_insensitive" in routes and routes["case_insensitive"].flag()
    by_prefix: dict[str, Config] = {}
    for each in routes["routes"].items() if "routes" in routes else ():
        prefix = fields(each, ("prefix", *_ROUTE), _ROUTE_REFUSED).get("prefix", each.make("")).text()
        if (prefix.lower() if fold else prefix) in by_prefix:
            each.problem(f"another route has the prefix {prefix!r}")
        by_prefix[prefix.lower() if fold else prefix] = each
    rules: list[ConfigValue] = []
    ordered = sorted(by_prefix.items(), key=lambda pair: -len(pair[0]))
    for prefix, each in ordered:
        test: dict[str, ConfigValue] = {"prefix": prefix}
        if fold:
            test["ignore_case"] = True
        rules += _rules(each, {"resources": test}, shared, fold)
        mixed: dict[str, ConfigValue] = {"prefix": prefix, "values": "any"}
        if fold:
            mixed["ignore_case"] = True
        refusal = {"status": "INVALID_ARGUMENT", "text": "keys of several routes"}
        rules.append(each.make({"match": {"resources": mixed}, "reply": refusal}))
    if "catch_all_route" in routes:
        rules += _rules(routes["catch_all_route"], {"resources": {"present": True}}, shared, fold)
    return rules


_ROUTE = ("remove_prefix", "cluster", "request_mirror_policy", "read_command_policy")
_ROUTE_REFUSED = {"key_formatter": "only beginnings of keys are changed"}


def _shared(node: Config) -> dict[str, ConfigValue]:
    """What the settings say of every rule."""
    top = fields(node, ("op_timeout", "enable_hashtagging", "read_policy", *_BUFFERS), _SETTINGS)
    by: dict[str, ConfigValue] = {"by": "resource"}
    if "enable_hashtagging" in top and top["enable_hashtagging"].flag():
        by["between"] = "{}"
    found: dict[str, ConfigValue] = {"hash": by}
    if "op_timeout" in top:
        found["deadline"] = top["op_timeout"].make(seconds(top["op_timeout"]))
    if "read_policy" in top and top["read_policy"].value not in ("MASTER", 0):
        top["read_policy"].problem("which of a cluster's servers are replicas is not known")
    return found


def _rules(
    node: Config, match: dict[str, ConfigValue], shared: dict[str, ConfigValue], fold: bool
) -> list[ConfigValue]:
    """Those of one route; two where reads are treated in another way."""
    top = fields(node, ("prefix", *_ROUTE), _ROUTE_REFUSED)
    rule: dict[str, ConfigValue] = {"match": match, "cluster": top.get("cluster", ""), **shared}
    if "prefix" in top and "remove_prefix" in top and top["remove_prefix"].flag():
        if fold:
            top["remove_prefix"].problem("a prefix whose case is ignored cannot be removed")
        rule["request"] = {"replace_prefix": {"redis.keys": {"from": top["prefix"], "to": ""}}}
    always: list[ConfigValue] = []
    writes: list[ConfigValue] = []
    for each in top["request_mirror_policy"].items() if "request_mirror_policy" in top else ():
        of = fields(each, ("cluster", "runtime_fraction", "exclude_read_commands"))
        mirror: dict[str, ConfigValue] = {"cluster": of.get("cluster", "")}
        if "runtime_fraction" in of:
            mirror["fraction"] = fraction(of["runtime_fraction"])
        is_partial = "exclude_read_commands" in of and of["exclude_read_commands"].flag()
        (writes if is_partial else always).append(each.make(mirror))
    reads = dict(rule)
    if always or writes:
        rule["mirror"] = [*always, *writes]
    if always:
        reads["mirror"] = always
    if "read_command_policy" in top:
        reads["cluster"] = fields(top["read_command_policy"], ("cluster",)).get("cluster", "")
    elif not writes:
        return [node.make(rule)]
    reads["match"] = {**match, "attributes": {"l7.access": "read"}}
    return [node.make(reads), node.make(rule)]


ENVOY_ROUTES = RouteFormat(("envoy.extensions.filters.network.redis_proxy.v3.RedisProxy",), _read)
