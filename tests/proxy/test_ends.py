"""Connections that are closed while nobody takes their last octets: they end all the same."""

from __future__ import annotations

import json
import socket
from typing import Any

import pytest

from l7codecs.proxy import sweeping

from .running import read, running, wait_until


def text_of(host: str) -> str:
    listener = {"address": "127.0.0.1:0", "protocol": "redis", "cluster": "a", "stalled": "300ms"}
    return json.dumps({"listeners": {"main": listener}, "clusters": {"a": {"hosts": [host]}, "b": {}}})


def test_a_client_that_breaks_the_protocol_and_reads_nothing_does_not_stay(servers: Any) -> None:
    """What it has asked before is given to its transport, and the connection is closed behind that."""
    servers.direct[0].set("k", b"v" * 6_000_000)
    with running(text_of(servers.hosts[0])) as here, socket.socket() as raw:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        raw.connect(("127.0.0.1", here.port()))
        raw.sendall(b"GET k\r\n")
        wait_until(lambda: here.seen.exchanges)
        (client,) = here.engine.clients
        raw.sendall(b"*1\r\n:no\r\n")
        wait_until(lambda: here.seen.refusals)
        wait_until(lambda: here.engine.connected == 0)
        assert client.done


@pytest.mark.parametrize("stays", [True, False], ids=["stays", "leaves"])
def test_a_host_that_waits_for_us_to_read_does_not_keep_its_connection(
    monkeypatch: pytest.MonkeyPatch, stays: bool
) -> None:
    """It takes no more before its answers are read, which nobody waits for: not either where it left the configuration."""
    monkeypatch.setattr(sweeping, "_TAKEN", 0.3)
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        running(text_of(f"127.0.0.1:{server.getsockname()[1]}")) as here,
        socket.create_connection(("127.0.0.1", here.port())) as raw,
    ):
        (host,) = here.engine.pools["a"].hosts.values()
        raw.sendall(b"GET k\r\n")
        accepted, _ = server.accept()
        assert read(accepted, 7) == b"GET k\r\n"
        accepted.sendall(b"$-1\r\n")
        assert read(raw, 5) == b"$-1\r\n"

        async def retire() -> None:
            (connection,) = host.servers
            connection.transport.write(bytes(32 << 20))  # more than anything on the way takes
            connection.retire()
            assert connection.done and connection.transport.get_write_buffer_size()

        here.call(retire())
        if not stays:
            here.apply(text_of("127.0.0.1:1"))
        wait_until(lambda: not host.servers)
        accepted.close()


def test_asyncio_ends_a_transport_once_that_is_closed_when_it_takes_more_again(servers: Any) -> None:
    """It calls `resume_writing` in the midst of its own work, and would call what comes at the end a second time behind that."""
    servers.direct[0].set("k", b"v" * 400_000)
    told: list[dict[str, Any]] = []
    with running(text_of(servers.hosts[0])) as here:

        async def listen() -> None:
            here.loop.set_exception_handler(lambda loop, context: told.append(context))

        here.call(listen())
        for _ in range(5):
            with socket.socket() as raw:
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                raw.connect(("127.0.0.1", here.port()))
                raw.sendall(b"SUBSCRIBE c\r\nUNSUBSCRIBE c\r\nMULTI\r\n" + b"GET k\r\n" * 20 + b"EXEC\r\nWATCH k\r\n")
                raw.shutdown(socket.SHUT_WR)
                assert len(read(raw, 9_000_000)) > 8_000_000
        wait_until(lambda: here.engine.connected == 0)
    assert told == []
