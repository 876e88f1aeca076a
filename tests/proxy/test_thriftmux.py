"""ThriftMux: many clients share a connection, whatever tags they use; pings are answered here."""

import socket
import threading
from struct import pack, unpack
from typing import Any

from .running import running

TDISPATCH, RDISPATCH, TPING, RPING, RERR = 2, -2, 65, -65, 127


def frame(kind: int, tag: int, body: bytes = b"") -> bytes:
    return pack(">i", len(body) + 4) + pack(">b", kind) + pack(">I", tag)[1:] + body


def dispatch(tag: int, name: bytes) -> bytes:
    return frame(TDISPATCH, tag, bytes(6) + b"\x80\x01\x00\x01" + pack(">i", len(name)) + name + b"\0\0\0\0\0")


def read(raw: socket.socket) -> tuple[int, int, bytes]:
    (size,) = unpack(">i", raw.recv(4, socket.MSG_WAITALL))
    found = raw.recv(size, socket.MSG_WAITALL)
    return unpack(">b", found[:1])[0], int.from_bytes(found[1:4], "big"), found[4:]


def serve(listener: socket.socket, name: bytes, tags: list[int]) -> None:
    """Answer with `name`; two calls at a time, the later one first."""
    raw, _ = listener.accept()
    waiting: list[int] = []
    with raw:
        while True:
            try:
                kind, tag, _ = read(raw)
            except Exception:
                return
            if kind == TDISPATCH:
                waiting.append(tag)
                tags.append(tag)
            if len(waiting) == 2:
                for each in reversed(waiting):
                    reply = b"\x80\x01\x00\x02\0\0\0\5hello\0\0\0\0\x0b\0\0" + pack(">i", len(name)) + name + b"\0"
                    raw.sendall(frame(RDISPATCH, each, bytes(3) + reply))
                waiting = []


def test_clients_share_a_connection_and_each_has_its_own_tags() -> None:
    seen: dict[bytes, list[int]] = {b"one": [], b"two": []}
    listeners: list[Any] = []
    for name, tags in seen.items():
        listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=serve, args=(listener, name, tags), daemon=True).start()
        listeners.append(listener)
    text = """
listeners: {{ main: {{ address: "127.0.0.1:0", protocol: thriftmux }} }}
clusters: {{ one: {{ hosts: ["127.0.0.1:{}"] }}, two: {{ hosts: ["127.0.0.1:{}"] }} }}
rules:
- match: {{ operation: hello }}
  cluster: one
- match: {{ operation: bye }}
  cluster: two
""".format(*(each.getsockname()[1] for each in listeners))
    with running(text) as here:
        clients = [socket.create_connection(("127.0.0.1", here.port())) for _ in range(2)]
        for client in clients:
            client.settimeout(10)
            client.sendall(frame(TPING, 1))
            assert read(client) == (RPING, 1, b"")
        for client in clients:
            client.sendall(dispatch(7, b"hello") + dispatch(9, b"bye"))
        for client in clients:
            found = {tag: body for _, tag, body in (read(client), read(client))}
            assert found.keys() == {7, 9} and b"one" in found[7] and b"two" in found[9]
        assert all(len(tags) == len(set(tags)) == 2 for tags in seen.values()), (
            "on one connection, with tags of their own"
        )
        clients[0].sendall(dispatch(3, b"nowhere"))
        kind, tag, body = read(clients[0])
        assert (kind, tag, body[:1]) == (RDISPATCH, 3, b"\1") and b"no route for nowhere" in body
        for client in clients:
            client.close()
    for each in listeners:
        each.close()
