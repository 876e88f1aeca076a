"""Record the vectors of this room from real peers: ``python protocols/http2/tools/record_vectors.py [name…]``.

Each conversation below is held through a relay on the loopback, and written as ``vectors/<name>.txt`` in the order in which the relay saw it,
a line for each of its reads. Needs nghttp, nghttpd and curl (PATH), and ``apache-dubbo``, ``grpcio``, ``h2`` and ``hypercorn`` (PyPI).
Those with Dubbo for Java (triple-java-…) need a JDK and Maven, and a namespace without a network, since its provider listens on every interface:

    (cd protocols/http2/tools/dubbo && mvn -q -B compile dependency:copy-dependencies)
    unshare --net sh -c 'ip link set lo up; python protocols/http2/tools/record_vectors.py triple-java-unary …'
"""

# ruff: noqa: E501
from __future__ import annotations

import contextlib
import importlib.metadata
import json
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.settings

from l7codecs import Sender
from l7codecs.testing import Relay, Vector, free_port

ROOM = Path(__file__).resolve().parent.parent
VECTORS = ROOM / "vectors"
SIZE_LIMIT = 8192  # octets of a vector's text
Pieces = Sequence[tuple[Sender, bytes]]


# ------------------------------------------------------------------------------------------------------ nghttp and curl

NGHTTP: dict[str, tuple[list[str], list[str]]] = {
    # name: (options of nghttpd, the client's command; HTTP stands for the relay's address, BODY for a file of 300 octets)
    "get": ([], ["nghttp", "HTTP/index.html?a=1&b=2"]),
    "get-again": ([], ["nghttp", "-m", "3", "--no-dep", "HTTP/index.html"]),
    "post": (["--echo-upload"], ["nghttp", "-d", "BODY", "-H", "content-type: text/plain", "HTTP/echo"]),
    "post-padded": (["--echo-upload", "-b", "40"], ["nghttp", "-b", "100", "-d", "BODY", "HTTP/echo"]),
    "not-found": ([], ["nghttp", "HTTP/missing"]),
    "head": ([], ["nghttp", "-H", ":method: HEAD", "HTTP/index.html"]),
    "many": ([], ["nghttp", "HTTP/index.html", "HTTP/style.css", "HTTP/missing", "HTTP/index.html?again", "HTTP/style.css"]),
    "push": (["-p/index.html=/style.css,/missing"], ["nghttp", "HTTP/index.html"]),
    "push-refused": (["-p/index.html=/style.css"], ["nghttp", "--no-push", "HTTP/index.html"]),
    "prior-knowledge-curl": ([], ["curl", "-s", "--http2-prior-knowledge", "-A", "agent", "-d", "a=b", "-H", "X-Mixed: Case", "HTTP/index.html"]),
    "trailers": (["--trailer", "x-sum: 42", "--trailer", "x-more: yes"], ["nghttp", "-d", "BODY", "--trailer", "x-end: here", "HTTP/index.html"]),
    "expect-continue": (["--echo-upload"], ["nghttp", "--expect-continue", "-d", "BODY", "HTTP/echo"]),
    "table-none": (["-c", "0", "--encoder-header-table-size=0"], ["nghttp", "-c", "0", "--encoder-header-table-size=0", "-m", "2", "HTTP/index.html"]),
    "table-small": (["-c", "64"], ["nghttp", "-c", "128", "-c", "32", "-m", "3", "HTTP/index.html"]),
    "table-large": (["-c", "65536", "--encoder-header-table-size=65536"], ["nghttp", "-c", "16384", "--encoder-header-table-size=65536", "-m", "3", "HTTP/index.html"]),
    "window-small": (["-w", "7", "-W", "9", "--echo-upload"], ["nghttp", "-w", "7", "-W", "8", "-d", "BODY", "HTTP/echo"]),
    "no-rfc7540-priorities": (["--no-rfc7540-pri"], ["nghttp", "--no-rfc7540-pri", "HTTP/index.html"]),
    "unindexed": ([], ["nghttp", "-H", "authorization: Basic c2VjcmV0", "-H", "cookie: a=b; c=d", "-H", "x-repeat: 1", "-H", "x-repeat: 2", "-m", "2", "HTTP/index.html"]),
}  # fmt: skip


def wait_for_port(port: int, patience: float = 10) -> None:
    """Wait until something listens there, at most `patience` seconds."""
    end = time.monotonic() + patience
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        if time.monotonic() > end:
            raise TimeoutError(f"nothing listens on port {port}")
        time.sleep(0.02)


def record_nghttp(server: list[str], client: list[str]) -> tuple[Pieces, str]:
    """One connection of nghttp or curl to nghttpd."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "index.html").write_text("<p>index</p>\n")
        (root / "style.css").write_text("p { color: red }\n")
        (root / "echo").write_text("echo\n")
        body = root / "body"
        body.write_text("0123456789" * 30)
        port = free_port()
        command = ["nghttpd", "--no-tls", "-a", "127.0.0.1", "-d", folder, *server, str(port)]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as daemon:
            try:
                wait_for_port(port)
                with Relay(("127.0.0.1", port)) as relay:
                    words = [
                        word.replace("HTTP", f"http://{relay.address}").replace("BODY", str(body)) for word in client
                    ]
                    subprocess.run(words, stdout=subprocess.DEVNULL, timeout=20, check=False)
                    (recording,) = relay.wait_closed()
            finally:
                daemon.terminate()
    said = " ".join(client).replace("HTTP", "http://…")
    return recording.to_vector().pieces, f"{version('nghttpd')} {' '.join(server)} and {version(client[0])}: {said}"


# nghttpd does not upgrade; hypercorn does.
UPGRADES: dict[str, list[str]] = {
    "upgrade-nghttp": ["nghttp", "-u", "HTTP/index.html", "HTTP/style.css"],
    "upgrade-table-nghttp": ["nghttp", "-u", "-c", "16384", "HTTP/index.html"],
    "upgrade-head-nghttp": ["nghttp", "-u", "-H", ":method: HEAD", "HTTP/index.html"],
    "upgrade-curl": ["curl", "-s", "--http2", "HTTP/index.html?q", "HTTP/style.css"],
    "upgrade-head-curl": ["curl", "-s", "--http2", "-I", "HTTP/index.html"],
    "hypercorn-curl": ["curl", "-s", "--http2-prior-knowledge", "HTTP/missing?q", "-d", "a=b"],
}
APPLICATION = """
async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    while (await receive()).get("more_body"):
        pass
    status = 404 if scope["path"] == "/missing" else 200
    await send({"type": "http.response.start", "status": status, "headers": [(b"x-path", scope["raw_path"])]})
    await send({"type": "http.response.body", "body": b"hello"})
"""


def record_hypercorn(client: list[str]) -> tuple[Pieces, str]:
    """One connection of nghttp or curl to hypercorn."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "application.py").write_text(APPLICATION)
        port = free_port()
        command = [sys.executable, "-m", "hypercorn", "-b", f"127.0.0.1:{port}", "application:app"]
        with subprocess.Popen(command, cwd=folder, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as server:
            try:
                wait_for_port(port)
                with Relay(("127.0.0.1", port)) as relay:
                    words = [word.replace("HTTP", f"http://{relay.address}") for word in client]
                    subprocess.run(words, stdout=subprocess.DEVNULL, timeout=20, check=False)
                    (recording,) = relay.wait_closed()
            finally:
                server.terminate()
    said = " ".join(client).replace("HTTP", "http://…")
    return (
        recording.to_vector().pieces,
        f"hypercorn {importlib.metadata.version('hypercorn')} and {version(client[0])}: {said}",
    )


def version(program: str) -> str:
    """Name and version of a program."""
    printed = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout.split()
    return f"curl {printed[1]}" if program == "curl" else f"{program} {printed[1].removeprefix('nghttp2/')}"


# ----------------------------------------------------------------------------------------------------------------- gRPC


def _unary(request: bytes, context: grpc.ServicerContext) -> bytes:
    context.send_initial_metadata((("x-initial", "i"), ("x-bytes-bin", b"\0\1\xff")))
    context.set_trailing_metadata((("x-trailing", "t"), ("x-trailing", "u")))
    return request


def _fail(request: bytes, context: grpc.ServicerContext) -> bytes:
    context.set_trailing_metadata((("grpc-status-details-bin", b"\x08\x05\x12\x07no such"), ("x-trailing", "t")))
    context.abort(grpc.StatusCode.NOT_FOUND, "no such: ключ %")
    raise AssertionError


def _late_fail(request: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
    yield request
    context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "enough")


def _sleep(request: bytes, context: grpc.ServicerContext) -> bytes:
    for _ in range(100):
        if not context.is_active():
            break
        time.sleep(0.02)
    return b""


def _many(request: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
    for number in range(5):
        yield request * number


def _forever(request: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
    while context.is_active():
        yield request
        time.sleep(0.05)


def _collect(requests: Iterator[bytes], context: grpc.ServicerContext) -> bytes:
    return b"|".join(requests)


def _both(requests: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
    yield from requests


HANDLERS = {
    "Unary": grpc.unary_unary_rpc_method_handler(_unary),
    "Fail": grpc.unary_unary_rpc_method_handler(_fail),
    "LateFail": grpc.unary_stream_rpc_method_handler(_late_fail),
    "Sleep": grpc.unary_unary_rpc_method_handler(_sleep),
    "Many": grpc.unary_stream_rpc_method_handler(_many),
    "Forever": grpc.unary_stream_rpc_method_handler(_forever),
    "Collect": grpc.stream_unary_rpc_method_handler(_collect),
    "Both": grpc.stream_stream_rpc_method_handler(_both),
}
METADATA = (("x-key", "one"), ("x-key", "two"), ("x-data-bin", b"\xff\0binary"))


def _quietly(call: Callable[[], object]) -> None:
    with contextlib.suppress(grpc.RpcError):
        call()


def _cancel(channel: grpc.Channel) -> None:
    call = channel.unary_stream("/test.Echo/Forever")(b"x")
    next(call)
    call.cancel()
    _quietly(lambda: next(call))
    time.sleep(0.2)


def _at_once(channel: grpc.Channel) -> None:
    calls = [
        channel.unary_unary("/test.Echo/Unary").future(b"%d" % number, metadata=METADATA[:1]) for number in range(4)
    ]
    for call in calls:
        call.result()


GRPC: dict[str, Callable[[grpc.Channel], object]] = {
    "grpc-unary": lambda channel: channel.unary_unary("/test.Echo/Unary")(b"hello", metadata=METADATA, timeout=30),
    "grpc-server-streaming": lambda channel: list(channel.unary_stream("/test.Echo/Many")(b"abc")),
    "grpc-client-streaming": lambda channel: channel.stream_unary("/test.Echo/Collect")(iter([b"a", b"", b"bc"])),
    "grpc-bidi": lambda channel: list(channel.stream_stream("/test.Echo/Both")(iter([b"a", b"b" * 100, b""]))),
    "grpc-error": lambda channel: _quietly(lambda: channel.unary_unary("/test.Echo/Fail")(b"x")),
    "grpc-late-error": lambda channel: _quietly(lambda: list(channel.unary_stream("/test.Echo/LateFail")(b"x"))),
    "grpc-unimplemented": lambda channel: _quietly(lambda: channel.unary_unary("/test.Echo/None")(b"x")),
    "grpc-deadline": lambda channel: _quietly(lambda: channel.unary_unary("/test.Echo/Sleep")(b"x", timeout=0.25)),
    "grpc-cancel": _cancel,
    "grpc-at-once": _at_once,
    "grpc-compressed": lambda channel: channel.unary_unary("/test.Echo/Unary")(b"z" * 2000, compression=grpc.Compression.Gzip),
}  # fmt: skip


def record_grpc(talk: Callable[[grpc.Channel], object]) -> tuple[Pieces, str]:
    """One connection of grpcio to grpcio."""
    server = grpc.server(ThreadPoolExecutor(4), options=(("grpc.http2.bdp_probe", 0),))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Echo", HANDLERS),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with Relay(("127.0.0.1", port)) as relay:
        with grpc.insecure_channel(
            relay.address, options=(("grpc.http2.bdp_probe", 0), ("grpc.enable_http_proxy", 0))
        ) as channel:
            talk(channel)
        (recording,) = relay.wait_closed()
    server.stop(0).wait()
    name = importlib.metadata.version("grpcio")
    return recording.to_vector().pieces, f"grpcio {name}, client and server"


# ---------------------------------------------------------------------------------------------------------------- Triple

PEER = ROOM / "tests" / "dubbo_peer.py"
TRI = {"version": "1.2.3", "group": "blue", "application": "shop", "timeout": "1500m", "attachments": {"x-key": "one"}}
TRIPLE: dict[str, dict[str, object]] = {
    # name: what dubbo_peer.py is to call
    "triple-unary": {"kind": "unary", "method": "greet", "messages": ["world"], "metadata": TRI},
    "triple-server-stream": {"kind": "server_stream", "method": "many", "messages": ["n"], "metadata": TRI},
    "triple-client-stream": {"kind": "client_stream", "method": "join", "messages": ["a", "b"], "metadata": TRI},
    "triple-bidi": {"kind": "bi_stream", "method": "both", "messages": ["a", "b", "c"], "metadata": TRI},
    "triple-error": {"kind": "unary", "method": "greet", "messages": ["nobody"], "metadata": TRI},
    "triple-no-headers": {"kind": "unary", "method": "greet", "messages": ["world"]},
}


def record_triple(call: dict[str, object]) -> tuple[Pieces, str]:
    """One connection of apache-dubbo to apache-dubbo."""
    port = free_port()
    command = [sys.executable, str(PEER), "server", str(port)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL):
        wait_for_port(port)
        with Relay(("127.0.0.1", port)) as relay:
            words, asked = [sys.executable, str(PEER), "client", str(relay.port)], json.dumps([call]).encode()
            subprocess.run(
                words, input=asked, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=30, check=True
            )
            (recording,) = relay.wait_closed()
    return recording.to_vector().pieces, f"apache-dubbo {importlib.metadata.version('apache-dubbo')}, client and server"


CURL = [
    "curl",
    "-s",
    "--http2-prior-knowledge",
    "-H",
    "content-type:application/json",
    "-H",
    "tri-protocol-version:1.0.0",
    "-H",
    "tri-service-version:1.2.3",
    "-H",
    "tri-service-group:blue",
    "-H",
    "tri-service-timeout:3000",
]
JAVA: dict[str, list[str]] = {
    # name: the consumer's command; HTTP and PORT stand for the relay
    "triple-java-unary": ["consumer", "PORT", "unary"],
    "triple-java-exception": ["consumer", "PORT", "exception"],
    "triple-java-many": ["consumer", "PORT", "many"],
    "triple-java-both": ["consumer", "PORT", "both"],
    "triple-java-http": [*CURL, "-d", '["world",2]', "HTTP/pack.Greeter/greet"],
    "triple-java-http-unknown": [*CURL, "-d", "[]", "HTTP/pack.Greeter/none"],
    "triple-java-http-exception": [*CURL, "-d", '["",2]', "HTTP/pack.Greeter/greet"],
}


def record_java(client: list[str]) -> tuple[Pieces, str]:
    """One connection of Dubbo's consumer for Java, or of curl, to its provider for Java."""
    if len(socket.if_nameindex()) > 1:
        raise RuntimeError(
            "the provider listens on every interface: record it in a namespace that has only the loopback"
        )
    target = ROOM / "tools" / "dubbo" / "target"
    talk = ["java", "-Djava.net.preferIPv4Stack=true", "-cp", f"{target}/classes:{target}/dependency/*", "pack.Talk"]
    port = free_port()
    with subprocess.Popen([*talk, "provider", str(port)], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL):  # fmt: skip
        wait_for_port(port, 30)
        with Relay(("127.0.0.1", port)) as relay:
            words = [
                word.replace("HTTP", f"http://{relay.address}").replace("PORT", str(relay.port)) for word in client
            ]
            words = [*talk, *words] if client[0] == "consumer" else words
            subprocess.run(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60, check=True)
            (recording,) = relay.wait_closed()
    (jar,) = (target / "dependency").glob("dubbo-[0-9]*.jar")
    who = f"Apache Dubbo for Java {jar.stem.removeprefix('dubbo-')}"
    if client[0] == "consumer":
        return recording.to_vector().pieces, f"{who}, consumer and provider"
    return recording.to_vector().pieces, f"{who} and {version('curl')}: {' '.join(client).replace('HTTP', 'http://…')}"


# ------------------------------------------------------------------------------------------------------------------- h2


class Pair:
    """A client and a server of h2, and what they said to each other."""

    def __init__(self) -> None:
        self.client = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True, header_encoding="utf-8"))
        self.server = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
        self.said: list[tuple[Sender, bytes]] = []
        self.server.update_settings({h2.settings.SettingCodes.ENABLE_CONNECT_PROTOCOL: 1})
        self.client.initiate_connection()
        self.server.initiate_connection()
        self.settle()

    def settle(self) -> None:
        """Pass on what either has to say, until both are silent."""
        while True:
            asked, answered = self.client.data_to_send(), b""
            if asked:
                self.said.append((Sender.CLIENT, asked))
                self.server.receive_data(asked)
            answered = self.server.data_to_send()
            if answered:
                self.said.append((Sender.SERVER, answered))
                self.client.receive_data(answered)
            if not asked and not answered:
                return

    def inject(self, sender: Sender, octets: bytes) -> None:
        """Let `sender` send a frame that h2 has no call for; the other receives it."""
        self.said.append((sender, octets))
        (self.server if sender is Sender.CLIENT else self.client).receive_data(octets)
        self.settle()

    def ask(self, stream: int, *more: tuple[str, str], method: str = "GET", end: bool = True) -> None:
        own = [(":method", method), (":scheme", "http"), (":authority", "example.test"), (":path", f"/{stream}"), *more]
        self.client.send_headers(stream, own, end_stream=end)
        self.settle()

    def answer(self, stream: int, *more: tuple[str, str], status: str = "200", end: bool = True) -> None:
        self.server.send_headers(stream, [(":status", status), *more], end_stream=end)
        self.settle()


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    """A frame of HTTP/2."""
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload


def _resets(pair: Pair) -> None:
    pair.ask(1, end=False, method="POST")
    pair.client.send_data(1, b"begun")
    pair.client.reset_stream(1, h2.errors.ErrorCodes.CANCEL)
    pair.settle()
    pair.ask(3)
    pair.server.reset_stream(3, h2.errors.ErrorCodes.REFUSED_STREAM)
    pair.settle()
    pair.ask(5, end=False, method="POST")
    pair.answer(5, status="413")
    pair.server.reset_stream(5, h2.errors.ErrorCodes.NO_ERROR)
    pair.settle()
    pair.ask(7)
    pair.answer(7)


def _priorities(pair: Pair) -> None:
    pair.client.prioritize(9, weight=200, depends_on=0, exclusive=True)
    pair.client.send_headers(
        1, [(":method", "GET"), (":scheme", "http"), (":authority", "example.test"), (":path", "/")], end_stream=True,
        priority_weight=16, priority_depends_on=9, priority_exclusive=False,
    )  # fmt: skip
    pair.client.prioritize(1, weight=1)
    pair.settle()
    pair.inject(Sender.CLIENT, frame(16, 0, 0, b"\0\0\0\1u=3, i"))
    pair.answer(1, ("priority", "u=1"))


def _interim(pair: Pair) -> None:
    pair.ask(1, ("expect", "100-continue"), method="POST", end=False)
    for status in ("100", "103"):
        pair.server.send_headers(1, [(":status", status), ("link", "</style.css>; rel=preload")])
        pair.settle()
    pair.client.send_data(1, b"body", end_stream=True)
    pair.settle()
    pair.answer(1, ("content-length", "4"), status="201", end=False)
    pair.server.send_data(1, b"body", end_stream=True)
    pair.settle()


def _extensions(pair: Pair) -> None:
    pair.ask(1, end=False, method="POST")
    pair.server.advertise_alternative_service(b'h2=":8443"; ma=60', origin=b"example.test")
    pair.server.advertise_alternative_service(b"clear", stream_id=1)
    pair.settle()
    pair.inject(Sender.SERVER, frame(0x0C, 0, 0, b"\0\x13https://example.org"))
    pair.inject(Sender.CLIENT, frame(0xBE, 0xFF, 1, b"unknown"))
    pair.inject(Sender.SERVER, frame(0x4, 0, 0, b"\xff\xfe\0\0\0\1"))
    pair.client.ping(b"12345678")
    pair.settle()
    pair.client.end_stream(1)
    pair.answer(1, status="204")


def _connect(pair: Pair) -> None:
    pair.client.send_headers(
        1,
        [
            (":method", "CONNECT"),
            (":protocol", "websocket"),
            (":scheme", "http"),
            (":authority", "example.test"),
            (":path", "/chat"),
            ("sec-websocket-version", "13"),
        ],
    )
    pair.settle()
    pair.answer(1, end=False)
    pair.client.send_data(1, b"\x81\x85\0\0\0\0hello")
    pair.server.send_data(1, b"\x81\x05hello")
    pair.settle()
    pair.client.send_headers(3, [(":method", "CONNECT"), (":authority", "example.test:443")])
    pair.settle()
    pair.answer(3, end=False)
    pair.client.send_data(3, b"tunnel", end_stream=True)
    pair.server.send_data(3, b"back", end_stream=True)
    pair.server.end_stream(1)
    pair.client.end_stream(1)
    pair.settle()


def _goaway(pair: Pair) -> None:
    pair.ask(1)
    pair.server.close_connection(h2.errors.ErrorCodes.ENHANCE_YOUR_CALM, b"slower", last_stream_id=1)
    pair.settle()


def _settings(pair: Pair) -> None:
    codes = h2.settings.SettingCodes
    pair.ask(1, ("x-first", "value"))
    pair.server.update_settings({codes.HEADER_TABLE_SIZE: 0, codes.INITIAL_WINDOW_SIZE: 10})
    pair.settle()
    pair.answer(1, ("x-first", "value"))
    pair.server.update_settings({codes.HEADER_TABLE_SIZE: 100})
    pair.server.update_settings({codes.HEADER_TABLE_SIZE: 8192, codes.MAX_FRAME_SIZE: 32768})
    pair.settle()
    pair.ask(3, ("x-first", "value"), ("x-second", "value"))
    pair.answer(3, ("x-first", "value"))
    pair.ask(5, ("x-first", "value"), ("x-second", "value"))
    pair.answer(5)


def _continuation(pair: Pair) -> None:
    """h2's own blocks, cut into CONTINUATION frames: also of no octets, padded, with priority."""
    own = [
        (":method", "GET"),
        (":scheme", "http"),
        (":authority", "example.test"),
        (":path", "/cut"),
        ("x-long", "value" * 8),
    ]
    block = pair.client.encoder.encode(own)
    pair.inject(Sender.CLIENT, b"".join((
        frame(1, 0x29, 1, b"\x03\0\0\0\0\x0f" + block[:7] + b"\0\0\0"), frame(9, 0, 1, b""), frame(9, 0, 1, block[7:8]), frame(9, 4, 1, block[8:]),
    )))  # fmt: skip
    block = pair.server.encoder.encode([(":status", "200"), ("x-long", "value" * 8)])
    pair.said.append((Sender.SERVER, frame(1, 1, 1, b"") + frame(9, 4, 1, block)))


H2: dict[str, Callable[[Pair], None]] = {
    "h2-continuation": _continuation,
    "h2-resets": _resets,
    "h2-priorities": _priorities,
    "h2-interim": _interim,
    "h2-extensions": _extensions,
    "h2-connect": _connect,
    "h2-goaway": _goaway,
    "h2-settings": _settings,
}


def record_h2(talk: Callable[[Pair], None]) -> tuple[Pieces, str]:
    """What two connections of h2 say to each other, without a network between them."""
    pair = Pair()
    talk(pair)
    return pair.said, f"h2 {importlib.metadata.version('h2')}, client and server"


# ----------------------------------------------------------------------------------------------------------------- main


def record(name: str) -> tuple[Pieces, str]:
    """The pieces of one conversation, and who held it."""
    if name in NGHTTP:
        return record_nghttp(*NGHTTP[name])
    if name in UPGRADES:
        return record_hypercorn(UPGRADES[name])
    if name in TRIPLE:
        return record_triple(TRIPLE[name])
    if name in JAVA:
        return record_java(JAVA[name])
    return record_grpc(GRPC[name]) if name in GRPC else record_h2(H2[name])


def main() -> None:
    """Write the vectors named on the command line, or all but those with Java."""
    VECTORS.mkdir(exist_ok=True)
    for name in sys.argv[1:] or [*NGHTTP, *UPGRADES, *GRPC, *TRIPLE, *H2]:
        said, who = record(name)
        vector = Vector(name, tuple(said))
        size = len(vector.to_text())
        if not said or size > SIZE_LIMIT:
            raise ValueError(f"{name}: {size} octets in {len(said)} pieces")
        vector.save(VECTORS, f"{who}: python protocols/http2/tools/record_vectors.py {name}")
        print(f"{name}: {len(said)} pieces, {vector.size} octets; {threading.active_count()} threads")


if __name__ == "__main__":
    main()
