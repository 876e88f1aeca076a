"""The routes of Envoy's ``thrift_proxy`` in the form of `l7codecs.routing`.

A method there is the whole name of a call, ``Service:method`` where it has a service; a service is what such a name begins with.
"""

from __future__ import annotations

from l7codecs import Config, ConfigValue, RouteFormat
from l7codecs.xds import NO_METADATA, fields, header_matches, mirrors, only_router, target

__all__ = ["ENVOY_ROUTES", "META_NAMES"]

META_NAMES = {"method": "operation"}
"""What Aeraki's codec calls it; all else there is a header."""

_PACKAGE = "envoy.extensions.filters.network.thrift_proxy.v3."
_ROUTER = "envoy.filters.thrift.router"
_LISTENER = (
    "transport",
    "protocol",
    "stat_prefix",
    "access_log",
    "payload_passthrough",
    "header_keys_preserve_case",
)
"""What the listener speaks and how it tells, which no route says."""
_ACTION = ("cluster", "weighted_clusters", "strip_service_name", "request_mirror_policies")
_REFUSED = {
    "metadata_match": NO_METADATA,
    "rate_limits": "another server would have to be asked for each call",
    "cluster_header": "a header would name the cluster",
}


def _read(config: Config) -> ConfigValue:
    if config.mapping()["@type"].text().endswith(".RouteConfiguration"):
        return _configuration(config)
    top = fields(
        config,
        ("@type", *_LISTENER, "route_config", "thrift_filters"),
        {"trds": "the routes stand elsewhere", "max_requests_per_connection": "connections are the engine's"},
    )
    if "thrift_filters" in top:
        only_router(top["thrift_filters"], _ROUTER)
    if "header_keys_preserve_case" in top and top["header_keys_preserve_case"].flag():
        top["header_keys_preserve_case"].problem("names of headers compare without case")
    if "route_config" not in top:
        config.problem("'route_config' is missing")
        return []
    return _configuration(top["route_config"])


def _configuration(node: Config) -> list[ConfigValue]:
    top = fields(node, ("@type", "name", "routes", "validate_clusters"))
    return [rule for each in top["routes"].items() for rule in _rules(each)] if "routes" in top else []


def _rules(node: Config) -> list[ConfigValue]:
    top = fields(node, ("match", "route"))
    if "match" not in top or "route" not in top:
        node.problem("expected match and route")
        return []
    match = fields(top["match"], ("method_name", "service_name", "invert", "headers"))
    action = fields(top["route"], _ACTION, _REFUSED)
    rule: dict[str, ConfigValue] = {**target(action, top["route"])}
    if "request_mirror_policies" in action:
        rule["mirror"] = mirrors(action["request_mirror_policies"])
    headers: dict[str, ConfigValue] = {"all": header_matches(match["headers"])} if "headers" in match else {}
    names = _names(top["match"], match)
    if "invert" in match and match["invert"].flag():
        if names == [_ANY_NAME]:
            match["invert"].problem("every call has a method: none is left")
        names = [({"not": {"any": [each for each, _ in names]}}, None)]
    strips = "strip_service_name" in action and action["strip_service_name"].flag()
    found: list[ConfigValue] = []
    for name, stripped in names:
        when: dict[str, ConfigValue] = {**name, **headers}
        if not strips:
            found.append(node.make({"match": when, **rule}))
        elif stripped is not None:
            found.append(node.make({"match": when, **rule, "request": stripped}))
        else:
            one: dict[str, ConfigValue] = {"service": {"regex": ".*:.*", "invert": True}}
            found.append(node.make({"match": {**when, **one}, **rule, "request": {"set": {"thrift.service": ""}}}))
            found.append(node.make({"match": when, "reply": _NESTED}))
    return found


_Name = tuple[dict[str, ConfigValue], dict[str, ConfigValue] | None]
"""What a call's name has to be, and the change that strips it of what stands before its first colon; None where names differ."""
_ANY_NAME: _Name = ({}, None)
_NESTED: dict[str, ConfigValue] = {
    "status": "INVALID_ARGUMENT",
    "text": "a service within another, of which no rule says which to strip",
}


def _names(node: Config, match: dict[str, Config]) -> list[_Name]:
    """What the name has to be; one of several."""
    found = [key for key in ("method_name", "service_name") if key in match]
    if len(found) != 1:
        node.problem(f"expected one of method_name and service_name, found {' and '.join(found) if found else 'none'}")
        return [_ANY_NAME]
    of = match[found[0]]
    text = of.text()
    if not text:
        return [_ANY_NAME]
    if found == ["service_name"]:
        name = text.removesuffix(":")
        outer, _, inner = name.partition(":")
        prefix: dict[str, ConfigValue] = {"from": outer + ":", "to": ""}
        within: dict[str, ConfigValue] = {"service": {"prefix": of.make(name + ":")}}
        return [
            ({"service": of.make(name)}, {"set": {"thrift.service": inner}}),
            (within, {"replace_prefix": {"thrift.service": prefix}}),
        ]
    service, colon, method = text.rpartition(":")
    if colon and not (service and method):
        of.problem(f"{text!r} begins or ends with its only colon: such calls are not told from those without")
    named: dict[str, ConfigValue] = {"operation": of.make(method)}
    named["service"] = of.make(service) if colon else {"present": False}
    return [(named, {"set": {"thrift.service": service.partition(":")[2]}})]


ENVOY_ROUTES = RouteFormat((_PACKAGE + "ThriftProxy", _PACKAGE + "RouteConfiguration"), _read)
