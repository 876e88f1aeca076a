"""The routes of Envoy's ``dubbo_proxy`` in the form of `l7codecs.routing`.

Its headers are attachments. Route configurations stand for interfaces, and are tried in their order.
"""

from __future__ import annotations

from l7codecs import Config, ConfigValue, RouteFormat
from l7codecs.xds import NO_METADATA, fields, header_matches, only_router, string_test, target

__all__ = ["ENVOY_ROUTES", "META_NAMES"]

META_NAMES = {"interface": "service", "method": "operation"}
"""What Aeraki's codec calls them; all else there is an attachment."""

_PACKAGE = "envoy.extensions.filters.network.dubbo_proxy.v3."
_ELSEWHERE = "the routes stand elsewhere"
_NO_VERSION = "0.0.0"
"""What consumers write who ask for no version."""
_ROUTER = "envoy.filters.dubbo.router"


def _read(config: Config) -> ConfigValue:
    name = config.mapping()["@type"].text().rpartition(".")[2]
    if name == "RouteConfiguration":
        return _configuration(config)
    if name == "MultipleRouteConfiguration":
        return _several(config)
    known = ("@type", "stat_prefix", "protocol_type", "serialization_type", "route_config", "dubbo_filters")
    top = fields(config, (*known, "multiple_route_config"), {"drds": _ELSEWHERE})
    if "dubbo_filters" in top:
        only_router(top["dubbo_filters"], _ROUTER)
    if "multiple_route_config" in top:
        return _several(top["multiple_route_config"])
    if "route_config" not in top:
        config.problem("'route_config' is missing")
        return []
    return [rule for each in top["route_config"].items() for rule in _configuration(each)]


def _several(node: Config) -> list[ConfigValue]:
    top = fields(node, ("@type", "name", "route_config"))
    return (
        [rule for each in top["route_config"].items() for rule in _configuration(each)] if "route_config" in top else []
    )


def _configuration(node: Config) -> list[ConfigValue]:
    top = fields(node, ("@type", "name", "interface", "group", "version", "routes"))
    match: dict[str, ConfigValue] = {}
    if "interface" not in top:
        node.problem("'interface' is missing")
    else:
        match.update(_interface(top["interface"]))
    attributes: dict[str, ConfigValue] = {}
    for key, ours in (("group", "dubbo.group"), ("version", "dubbo.service_version")):
        if key in top and top[key].text():
            none = key == "version" and top[key].value == _NO_VERSION
            attributes[ours] = top[key].make({"present": False}) if none else top[key]
    if attributes:
        match["attributes"] = attributes
    return [_rule(each, match) for each in top["routes"].items()] if "routes" in top else []


def _interface(node: Config) -> dict[str, ConfigValue]:
    """``*``, ``a.*`` and ``*.b`` stand for several: the star for one character or more."""
    text = node.text()
    if text == "*":
        return {}
    if text.startswith("*"):
        return {"service": {"suffix": node.make(text[1:])}, "not": {"service": node.make(text[1:])}}
    if text.endswith("*"):
        return {"service": {"prefix": node.make(text[:-1])}, "not": {"service": node.make(text[:-1])}}
    return {"service": node}


def _rule(node: Config, match: dict[str, ConfigValue]) -> Config:
    top = fields(node, ("match", "route"))
    if "match" not in top or "route" not in top:
        node.problem("expected match and route")
        return node.make({"cluster": "none"})
    of = fields(top["match"], ("method", "headers"))
    match = dict(match)
    if "method" in of:
        no_values = {"params_match": "values of parameters are not looked at"}
        method = fields(of["method"], ("name",), no_values)
        if "name" in method:
            match["operation"] = string_test(method["name"])
    if "headers" in of:
        match["all"] = header_matches(of["headers"])
    action = fields(top["route"], ("cluster", "weighted_clusters"), {"metadata_match": NO_METADATA})
    return node.make({"match": match, **target(action, top["route"])})


ENVOY_ROUTES = RouteFormat(
    tuple(_PACKAGE + name for name in ("DubboProxy", "RouteConfiguration", "MultipleRouteConfiguration")), _read
)
