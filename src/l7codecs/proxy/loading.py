"""A file to `Settings`: YAML, with the place of everything that is wrong. See docs/howto/run-the-proxy.md, and `schema.json` beside this.

``rules``, and of ``clusters`` what routing knows, are read as those of a file of routes.
"""

from __future__ import annotations

import json
import os
import ssl
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from importlib.resources import files
from typing import Any

from l7codecs.config import Config, ConfigError, nearest
from l7codecs.errors import RegistryError
from l7codecs.kinds import Kind
from l7codecs.limits import Limits
from l7codecs.proxy.settings import Listener, Node, Settings, TlsClient, TlsServer, Upstreams
from l7codecs.proxy.telemetry.masking import shown
from l7codecs.proxy.telemetry.settings import read_telemetry, sections
from l7codecs.proxy.transport.tls import client_context, server_context
from l7codecs.registry import get_protocol, list_protocols
from l7codecs.routing import Cluster, Routes, Rule, load_routes
from l7codecs.routing import json_schema as routes_schema
from l7codecs.routing.conditions import AllOf, KindTest, StatusTest
from l7codecs.routing.loading import check_unix_path, is_host, is_port, read_routes, read_seconds
from l7codecs.routing.reading import parse_config
from l7codecs.routing.shape import check_shape

__all__ = ["json_schema", "load_settings", "parse_settings"]

_OF_ROUTING = ("hosts", "outliers")
_TIMES_OF_LISTENERS = ("idle", "opening", "stalled")
_TIMES_OF_CLUSTERS = ("connect", "idle")


def json_schema() -> dict[str, Any]:
    """The JSON schema (draft 2020-12) of configurations of the proxy."""
    found: dict[str, Any] = json.loads((files("l7codecs.proxy") / "schema.json").read_text("utf-8"))
    properties, definitions = sections()
    found["properties"] |= properties
    found["$defs"] = routes_schema()["$defs"] | found["$defs"] | definitions
    return found


def load_settings(path: str | os.PathLike[str]) -> Settings:
    """Read a file; see `parse_settings`. Raises OSError as well."""
    with open(path, "rb") as file:
        return parse_settings(file.read(), os.fspath(path))


def parse_settings(text: str | bytes, file: str = "<text>") -> Settings:
    """Read a configuration, YAML or JSON. Other files that it names are beside `file`.

    Raises:
        ConfigError: with everything that is wrong, each with its place.
    """
    config = parse_config(text, file)
    check_shape(config, json_schema())
    top = config.mapping()
    read = [file]
    routes = _rules(config, read)
    described = top["clusters"].mapping() if "clusters" in top else {}
    clusters = {
        name: _upstreams(name, described.get(name) or config.make({}), routes, read)
        for name in {**described, **routes.clusters}
    }
    listeners = tuple(
        _listener(name, node, clusters, read)
        for name, node in (top["listeners"].mapping() if "listeners" in top else {}).items()
    )
    addresses: set[str] = set()
    for listener, node in zip(listeners, top["listeners"].mapping().values() if listeners else (), strict=True):
        if listener.address in addresses and not listener.address.endswith(":0"):  # any port that is free
            node.mapping()["address"].problem(f"another listener has {listener.address}")
        addresses.add(listener.address)
    telemetry = read_telemetry(top, read_seconds)
    if telemetry.admin is not None and telemetry.admin in addresses and not telemetry.admin.endswith(":0"):
        top["admin"].mapping()["address"].problem(f"a listener has {telemetry.admin}")
    if "listeners" in top and not listeners and not top["listeners"].lost:
        top["listeners"].problem("expected at least one")
    workers = int(top["workers"].number()) if "workers" in top else 1
    if workers > 1:
        for name, node in top["listeners"].mapping().items() if listeners else ():
            if node.mapping()["address"].text().endswith(":0"):
                node.mapping()["address"].problem(f"each worker would have another port: {name} needs a number")
    _check_asked(routes.table.rules, config)
    try:
        config.check()
    except ConfigError as error:
        error.files = tuple(dict.fromkeys(read))
        raise
    return Settings(
        listeners,
        clusters,
        routes.table,
        _limits(top["limits"]) if "limits" in top else Limits(),
        workers,
        read_seconds(top["drain"]) if "drain" in top else 30.0,
        "watch" in top and top["watch"].flag(),
        telemetry,
        shown(config),
        tuple(dict.fromkeys(read)),
    )


def _rules(config: Config, read: list[str]) -> Routes:
    top = config.mapping()
    clusters = {
        name: config.make({key: each for key, each in node.mapping().items() if key in _OF_ROUTING})
        for name, node in (top["clusters"].mapping() if "clusters" in top else {}).items()
    }
    rules = list(top["rules"].items()) if "rules" in top else []
    own = read_routes(config.make({"clusters": clusters, "rules": rules}))
    if "routes" not in top:
        return own
    given = top["routes"].mapping()
    if rules:
        top["routes"].problem("the rules are here already")
    path = _path(given["file"], read, False)
    try:
        found = load_routes(path, protocol=given["protocol"].text() if "protocol" in given else None)
    except OSError as error:
        given["file"].problem(f"cannot be read: {error.strerror or error}")
    except RegistryError as error:
        given["protocol"].problem(str(error))
    except ConfigError as error:
        for each in error.problems:
            Config(None, each.file, each.line, each.column, config.problems).problem(each.text)
    else:
        if "protocol" in given and not found.hosts:
            given["protocol"].problem("is for the file of a MetaRouter, and this is none")
        merged = _merged(own.clusters, found.clusters, given["file"])
        for rule in found.table.rules:
            for name in rule.action.names:
                if name not in merged:
                    given["file"].problem(f"{rule.place}: unknown cluster {name!r}{nearest(name, merged)}")
        return Routes(found.table, merged, found.hosts)
    return own


def _merged(own: Mapping[str, Cluster], others: Mapping[str, Cluster], node: Config) -> dict[str, Cluster]:
    """The clusters, those that the file of routes describes included: what is behind one stands in one of the two."""
    found = dict(own)
    for name, other in others.items():
        here = own.get(name) or other
        if here is not other and ((here.hosts and other.hosts) or (here.outliers and other.outliers)):
            node.problem(f"cluster {name!r} is described there and here")
        found[name] = Cluster(name, here.hosts or other.hosts, here.outliers or other.outliers)
    return found


def _check_asked(rules: Iterable[Rule], config: Config) -> None:
    """Tell of rules that hold for nothing that is asked: the engine routes requests, and their answers follow."""
    asked = {Kind.REQUEST, Kind.ONEWAY}
    for rule in rules:
        parts = [rule.when]
        while parts:
            each = parts.pop()
            if isinstance(each, AllOf):
                parts += each.parts
            elif isinstance(each, StatusTest) or (isinstance(each, KindTest) and not asked.intersection(each.kinds)):
                file, line, column = rule.place.rsplit(":", 2)
                what = "status" if isinstance(each, StatusTest) else "kind"
                Config(None, file, int(line), int(column), config.problems).problem(
                    f"{rule.name!r} would never hold: the proxy asks about requests alone, and none has this {what}"
                )


def _upstreams(name: str, node: Config, routes: Routes, read: list[str]) -> Upstreams:
    top = node.mapping()
    given: dict[str, Any] = {key: read_seconds(top[key]) for key in _TIMES_OF_CLUSTERS if key in top}
    given |= {key: int(top[key].number()) for key in ("connections", "own") if key in top}
    if "tls" in top:
        tls = top["tls"].mapping()
        if ("certificate" in tls) is not ("key" in tls):
            top["tls"].problem("a certificate and its key come together")
        paths = {key: _path(tls[key], read) for key in ("authorities", "certificate", "key") if key in tls}
        given["tls"] = TlsClient(
            paths.get("authorities"),
            paths.get("certificate"),
            paths.get("key"),
            tls["name"].text() if "name" in tls else None,
            tls["verify"].flag() if "verify" in tls else True,
        )
        _check_tls(top["tls"], lambda: client_context(given["tls"], ()))
    return Upstreams(routes.clusters.get(name) or Cluster(name), **given)


def _listener(name: str, node: Config, clusters: Mapping[str, Upstreams], read: list[str]) -> Listener:
    top = node.mapping()
    given: dict[str, Any] = {key: read_seconds(top[key]) for key in _TIMES_OF_LISTENERS if key in top}
    address = top["address"].text()
    if address.startswith("unix:"):
        check_unix_path(top["address"])
    else:
        _host_and_port(top["address"], 0)
    if "protocol" in top:
        given["protocol"] = _protocol_name(top["protocol"])
    if "cluster" in top:
        given["cluster"] = top["cluster"].text()
        if given["cluster"] not in clusters:
            top["cluster"].problem(f"unknown cluster {given['cluster']!r}{nearest(given['cluster'], clusters)}")
    if "connections" in top:
        given["connections"] = int(top["connections"].number())
    if "tls" in top:
        tls = top["tls"].mapping()
        paths = {key: _path(tls[key], read) for key in tls}
        given["tls"] = TlsServer(paths["certificate"], paths["key"], paths.get("clients"))
        _check_tls(top["tls"], lambda: server_context(given["tls"], ()))
    if "nodes" in top:
        given["nodes"] = _nodes(top["nodes"], given.get("protocol", "auto"))
    return Listener(name, address, **given)


def _check_tls(node: Config, make: Callable[[], object]) -> None:
    """Files that are there have to be what TLS needs, before anybody connects."""
    try:
        make()
    except ssl.SSLError as error:
        node.problem(f"is of no use to TLS: {error.reason or error}")
    except OSError:
        pass  # a file that cannot be read: that is told of it


def _protocol_name(node: Config) -> str:
    name = node.text()
    if name != "auto":
        known = {each.name for each in list_protocols()}
        try:
            get_protocol(name)
        except RegistryError as error:
            node.problem(f"{error}{nearest(name, known)}")
    return name


def _nodes(node: Config, protocol: str) -> tuple[Node, ...]:
    found = []
    numbers: set[int] = set()
    for each in node.items():
        top = each.mapping()
        number = int(top["id"].number())
        if number in numbers:
            top["id"].problem(f"node {number} stands here twice")
        numbers.add(number)
        host, port = _host_and_port(top["address"], 1)
        found.append(Node(number, int(top["as"].number()) if "as" in top else number, host, port))
    if protocol == "auto":
        node.problem("needs a protocol whose answers name nodes")
    elif protocol in {each.name for each in list_protocols()} and get_protocol(protocol).readdressed is None:
        node.problem(f"answers of {protocol} name no nodes that could be changed")
    return tuple(found)


def _host_and_port(node: Config, least: int) -> tuple[str, int]:
    host, _, port = node.text().rpartition(":")
    if is_host(host) and is_port(port, least):
        return host.removeprefix("[").removesuffix("]"), int(port)
    node.problem(f"{node.text()!r} is not HOST:PORT, or [IPV6]:PORT")
    return "", 1


def _path(node: Config, read: list[str], look: bool = True) -> str:
    """The path of a file that is named; with `look` one that can be read."""
    path = os.path.join(os.path.dirname(node.file), node.text())
    if look:
        try:
            with open(path, "rb"):
                pass
        except OSError as error:
            node.problem(f"cannot be read: {error.strerror or error}")
    read.append(path)
    return path


def _limits(node: Config) -> Limits:
    known = {each.name for each in fields(Limits)}
    return Limits(**{key: int(each.number()) for key, each in node.mapping().items() if key in known})
