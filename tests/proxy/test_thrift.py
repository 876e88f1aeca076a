"""Clients and servers of thriftpy2 with the engine between them, and frames written by hand for what they do not say."""

import socket
import struct
import threading
import time
from typing import Any

import pytest
import thriftpy2
import thriftpy2.http
from thriftpy2.protocol import TBinaryProtocolFactory, TCompactProtocolFactory
from thriftpy2.rpc import make_client
from thriftpy2.server import TThreadedServer
from thriftpy2.thrift import TApplicationException, TProcessor
from thriftpy2.transport import TBufferedTransportFactory, TFramedTransportFactory, TServerSocket

from l7codecs.testing import free_port

from .running import running

SPLIT = """
listeners:
  main: {{ address: "127.0.0.1:0", protocol: thrift }}
clusters:
  a: {{ hosts: ["127.0.0.1:{0}"] }}
  b: {{ hosts: ["127.0.0.1:{1}"] }}
  none: {{ hosts: ["127.0.0.1:{none}"] }}
rules:
- match: {{ operation: lost }}
  cluster: none
- match: {{ operation: [echo, fire] }}
  cluster: a
- match: {{ operation: [twice, slow] }}
  cluster: b
  deadline: 300ms
"""


@pytest.fixture(scope="module")
def idl(tmp_path_factory: pytest.TempPathFactory) -> Any:
    path = tmp_path_factory.mktemp("idl") / "shop.thrift"
    path.write_text("""
service Shop {
  string echo(1: string text), string twice(1: string text), string slow(1: string text), string lost(1: string text),
  string nowhere(1: string text), oneway void fire(1: string text)
}
""")
    return thriftpy2.load(str(path), "engine_shop_thrift")


class Handler:
    def __init__(self, name: str) -> None:
        self.name = name
        self.fired: list[str] = []

    def echo(self, text: str) -> str:
        return f"{self.name}:{text}"

    def twice(self, text: str) -> str:
        return f"{self.name}:{text}{text}"

    def slow(self, text: str) -> str:
        time.sleep(1)
        return "late"

    def fire(self, text: str) -> None:
        self.fired.append(text)


FORMS = {
    "framed binary": (TFramedTransportFactory, TBinaryProtocolFactory),
    "framed compact": (TFramedTransportFactory, TCompactProtocolFactory),
    "unframed binary": (TBufferedTransportFactory, TBinaryProtocolFactory),
}


@pytest.fixture(params=FORMS)
def servers(request: Any, idl: Any) -> tuple[Any, list[int], list[Handler]]:
    transport, protocol = FORMS[request.param]
    ports, handlers = [], []
    for name in "ab":
        handler = Handler(name)
        listener = TServerSocket("127.0.0.1", free_port())
        server = TThreadedServer(
            TProcessor(idl.Shop, handler), listener, iprot_factory=protocol(), itrans_factory=transport(), daemon=True
        )
        threading.Thread(target=server.serve, daemon=True).start()
        ports.append(listener.port)
        handlers.append(handler)
    for port in ports:
        wait_for(port)

    def connect(port: int) -> Any:
        return make_client(
            idl.Shop, "127.0.0.1", port, proto_factory=protocol(), trans_factory=transport(), timeout=10_000
        )

    return connect, ports, handlers


def wait_for(port: int) -> None:
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except OSError:
            time.sleep(0.02)


def test_calls_go_by_method_and_each_client_gets_its_own(servers: Any) -> None:
    connect, ports, handlers = servers
    with running(SPLIT.format(*ports, none=free_port())) as here:
        clients = [connect(here.port()) for _ in range(5)]
        for number in range(20):
            for name, client in enumerate(clients):
                assert client.echo(f"{name}.{number}") == f"a:{name}.{number}"
                assert client.twice(str(name)) == f"b:{name}{name}"
        clients[0].fire("now")
        assert clients[0].echo("x") == "a:x"
        assert handlers[0].fired == ["now"] and handlers[1].fired == []
        assert len(here.engine.pools["a"].hosts[f"127.0.0.1:{ports[0]}"].servers) == 1
        assert ("fire", "a", None) in here.seen.told()
        for client in clients:
            client.close()


def test_each_failure_is_told_as_thrift_tells_it(servers: Any) -> None:
    connect, ports, _ = servers
    with running(SPLIT.format(*ports, none=free_port())) as here:
        client = connect(here.port())
        for method, text in (
            ("lost", "no connection for lost"),
            ("nowhere", "no route for nowhere"),
            ("slow", "no answer in time to slow"),
        ):
            with pytest.raises(TApplicationException, match=text):
                getattr(client, method)("x")
        assert client.echo("x") == "a:x"
        client.close()


def call(name: bytes, number: int, kind: int = 1) -> bytes:
    body = struct.pack(">HHI", 0x8001, kind, len(name)) + name + struct.pack(">i", number) + b"\0"
    return struct.pack(">I", len(body)) + body


def test_no_error_is_written_for_a_one_way_call() -> None:
    """Neither for one that says so, nor for one that is written as a call, once somebody has written it one way."""
    text = SPLIT.format(free_port(), free_port(), none=free_port())
    with running(text) as here, socket.create_connection(("127.0.0.1", here.port())) as raw:
        raw.settimeout(10)
        raw.sendall(call(b"fire", 0, 4) + call(b"fire", 1) + call(b"nowhere", 2))
        (size,) = struct.unpack(">I", raw.recv(4, socket.MSG_WAITALL))
        found = raw.recv(size, socket.MSG_WAITALL)
        assert found[8:15] == b"nowhere"
        raw.settimeout(0.3)
        with pytest.raises(TimeoutError):
            raw.recv(1)


def test_an_upgrade_of_finagle_is_that_of_one_client() -> None:
    """Which has a connection of its own from then on; others of the same server share theirs."""
    listener = socket.create_server(("127.0.0.1", 0))
    heard: list[list[bytes]] = []

    def serve(raw: socket.socket, frames: list[bytes]) -> None:
        upgraded = False
        with raw:
            while size := raw.recv(4, socket.MSG_WAITALL):
                frame = raw.recv(int.from_bytes(size, "big"), socket.MSG_WAITALL)
                frames.append(frame)
                start = 1 if upgraded else 0
                name = frame[start + 8 : start + 8 + int.from_bytes(frame[start + 4 : start + 8], "big")]
                reply = struct.pack(">HHI", 0x8001, 2, len(name)) + name + frame[-5:-1] + b"\0"
                reply = b"\0" * start + reply
                upgraded = upgraded or name.startswith(b"__can")
                raw.sendall(struct.pack(">I", len(reply)) + reply)

    def accept() -> None:
        while True:
            raw, _ = listener.accept()
            heard.append([])
            threading.Thread(target=serve, args=(raw, heard[-1]), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    text = f"""
listeners: {{ main: {{ address: "127.0.0.1:0", protocol: thrift, cluster: a }} }}
clusters: {{ a: {{ hosts: ["127.0.0.1:{listener.getsockname()[1]}"] }} }}
"""
    with running(text) as here:
        clients = [socket.create_connection(("127.0.0.1", here.port())) for _ in range(3)]
        for number, client in enumerate(clients):
            client.settimeout(10)
            client.sendall(call(b"__can__finagle__trace__v3__", 0) if number == 0 else call(b"hello", 7))
            answer = client.recv(4, socket.MSG_WAITALL)
            assert client.recv(int.from_bytes(answer, "big"), socket.MSG_WAITALL)[-5:] == bytes(
                [0, 0, 0, 7 * (number > 0), 0]
            )
        plain = call(b"hello", 9)[4:]
        clients[0].sendall(struct.pack(">I", len(plain) + 1) + b"\0" + plain)
        answer = clients[0].recv(4, socket.MSG_WAITALL)
        assert clients[0].recv(int.from_bytes(answer, "big"), socket.MSG_WAITALL)[-5:] == b"\0\0\0\x09\0"
        assert sorted(len(frames) for frames in heard) == [2, 2]
        for client in clients:
            client.close()


def test_clients_of_http_have_connections_of_their_own(idl: Any) -> None:
    """thriftpy2's server ends each answer with its connection: what two clients share would never end for the first."""
    handlers = [Handler("a"), Handler("b")]
    ports = [free_port(), free_port()]
    servers = [
        thriftpy2.http.make_server(idl.Shop, handler, "127.0.0.1", port)
        for handler, port in zip(handlers, ports, strict=True)
    ]
    for server in servers:
        threading.Thread(target=server.serve, daemon=True).start()
    for port in ports:
        wait_for(port)
    with running(SPLIT.format(*ports, none=free_port())) as here:
        for number in range(3):
            with thriftpy2.http.client_context(idl.Shop, "127.0.0.1", here.port(), timeout=5_000) as client:
                assert client.echo(f"x{number}") == f"a:x{number}"
            with thriftpy2.http.client_context(idl.Shop, "127.0.0.1", here.port(), timeout=5_000) as client:
                assert client.twice(f"y{number}") == f"b:y{number}y{number}"
    for server in servers:
        server.close()
