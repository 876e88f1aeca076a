"""TLS that does not come about: who operates the proxy hears of it."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path
from typing import Any

import pytest

from .running import read, running, wait_until

TLS = Path(__file__).resolve().parent / "tls"


@pytest.mark.parametrize("name", ["asyncio", "uvloop"])
def test_clients_that_do_not_come_to_terms_by_tls_are_told(servers: Any, name: str) -> None:
    loop = pytest.importorskip(name).new_event_loop
    secured = f"tls: {{ certificate: {TLS}/server.pem, key: {TLS}/server.key, clients: {TLS}/ca.pem }}"
    text = f"""
listeners: {{ main: {{ address: "127.0.0.1:0", protocol: redis, cluster: a, {secured} }} }}
clusters: {{ a: {{ hosts: ["{servers.hosts[0]}"] }} }}
"""
    with running(text, new_loop=loop) as here:
        with socket.create_connection(("127.0.0.1", here.port())) as raw:
            raw.sendall(b"GET k\r\n")
            wait_until(lambda: here.seen.refusals)
        trusted = ssl.create_default_context(cafile=str(TLS / "ca.pem"))
        with (
            socket.create_connection(("127.0.0.1", here.port())) as raw,
            trusted.wrap_socket(raw, server_hostname="localhost"),
        ):
            wait_until(lambda: len(here.seen.refusals) == 2)
        trusted.load_cert_chain(TLS / "server.pem", TLS / "server.key")
        with (
            socket.create_connection(("127.0.0.1", here.port())) as raw,
            trusted.wrap_socket(raw, server_hostname="localhost") as secure,
        ):
            secure.sendall(b"GET none\r\n")
            assert read(secure, 5) == b"$-1\r\n"
        plain, bare = here.seen.refusals
        assert plain.startswith("saw no TLS that can be agreed on: ")
        assert "PEER_DID_NOT_RETURN_A_CERTIFICATE" in bare
