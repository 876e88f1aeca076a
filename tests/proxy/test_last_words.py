"""What a client says without waiting for an answer, and goes: its server hears it, on a connection that is of this client alone."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable

import pytest

from .running import TO_ONE, read, running, wait_until


def thrift_over_http(size: int) -> bytes:
    """A one-way call."""
    call = b"\x80\1\0\4" + b"\0\0\0\4fire" + bytes(4) + b"\x0b\0\1" + size.to_bytes(4, "big") + b"x" * size + b"\0"
    head = b"POST / HTTP/1.1\r\nHost: shop\r\nContent-Type: application/x-thrift\r\nContent-Length: %d\r\n\r\n"
    return head % len(call) + call


def without_replies(size: int) -> bytes:
    """Redis answers to nothing behind the first."""
    return b"CLIENT REPLY OFF\r\n*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$%d\r\n%s\r\n" % (size, b"x" * size)


def without_acks(size: int) -> bytes:
    """Produce of version 3 with acks=0, for one partition."""
    topics = struct.pack(">ih2sii", 1, 2, b"tt", 1, 0) + size.to_bytes(4, "big") + b"x" * size
    body = struct.pack(">hhih", 0, 3, 1, -1) + struct.pack(">hhi", -1, 0, 1000) + topics
    return len(body).to_bytes(4, "big") + body


@pytest.mark.parametrize("size", [10, 200_000])
@pytest.mark.parametrize(
    ("name", "said"),
    [("thrift", thrift_over_http), ("redis", without_replies), ("kafka", without_acks)],
    ids=["thrift", "redis", "kafka"],
)
def test_who_tells_something_and_goes_at_once_has_told_it(name: str, said: Callable[[int], bytes], size: int) -> None:
    """What no answer is waited for goes out on a connection of this client that is not there yet, and ends orderly behind it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(10)
        text = TO_ONE.format(name, listener.getsockname()[1])
        with running(text) as here:
            with socket.create_connection(("127.0.0.1", here.port())) as raw:
                raw.sendall(said(size))
            server, _ = listener.accept()
            with server:
                # What Redis is told goes where others ask as well, and that stays.
                heard = read(
                    server, len(said(size)) - len(b"CLIENT REPLY OFF\r\n") if name == "redis" else 2 * size + 1000
                )
                assert heard.endswith(said(size)[-size:])
            wait_until(lambda: here.seen.exchanges and not here.engine.clients)
            assert here.seen.exchanges[-1].failure is None


def test_a_transaction_of_who_wants_no_replies_and_goes_at_once_is_whole() -> None:
    """It goes on a connection of its own, which answers, though nobody waits for that."""
    transaction = b"MULTI\r\n*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\nEXEC\r\n"
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(10)
        with running(TO_ONE.format("redis", listener.getsockname()[1])) as here:
            with socket.create_connection(("127.0.0.1", here.port())) as raw:
                raw.sendall(b"CLIENT REPLY OFF\r\n" + transaction)
            server, _ = listener.accept()
            with server:
                assert read(server, len(transaction)) == transaction
                server.sendall(b"+OK\r\n+QUEUED\r\n*1\r\n+OK\r\n")
                assert server.recv(1) == b""
            wait_until(lambda: not here.engine.clients)
