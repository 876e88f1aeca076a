"""Clients that speak something else than a listener, of every protocol: told, and not left for ever."""

from __future__ import annotations

import contextlib
import json
import random
import socket
from pathlib import Path

import pytest

from l7codecs.proxy.telemetry.access_log import AccessLog
from l7codecs.proxy.telemetry.masking import Mask
from l7codecs.registry import usable_protocols

from .running import running, wait_until

ONE = """
listeners:
  main: {{ address: "127.0.0.1:0", protocol: {0}, cluster: c, opening: 1s, idle: 1s }}
clusters:
  c: {{ hosts: ["127.0.0.1:{1}"] }}
"""
SAID = {
    "octets at random": random.Random(1).randbytes(3000),
    "a greeting": b"SSH-2.0-OpenSSH_9.9\r\n",
    "a part of a word": b"hel",
    "the end of a TLS handshake": b"\x14\x03\x03\x00\x01\x01",
    "zeros": bytes(63),
    "ones": b"\xff" * 64,
    "one octet": b"\x01",
}
COMMANDS = {"a greeting"}
"""Lines that are commands of Redis: unknown ones, which its server answers."""


@pytest.mark.parametrize("name", [*(each.name for each in usable_protocols()), "auto"])
def test_is_told_and_ended(name: str, tmp_path: Path) -> None:
    """By the engine, at once or where it says no more; with a line in the log and in the count."""
    log = tmp_path / "log"
    with socket.create_server(("127.0.0.1", 0)) as server:
        lines = AccessLog(str(log), Mask())
        with contextlib.closing(lines), running(ONE.format(name, server.getsockname()[1]), [lines]) as here:
            clients: dict[str, socket.socket] = {}
            for what, octets in SAID.items():
                if name == "redis" and what in COMMANDS:
                    continue
                clients[what] = socket.create_connection(("127.0.0.1", here.port()))
                clients[what].sendall(octets)
            for what, client in clients.items():
                client.settimeout(10)
                try:
                    while client.recv(65536):
                        pass
                except ConnectionResetError:
                    pass
                except TimeoutError:
                    pytest.fail(f"{what} is left open")
                finally:
                    client.close()
            wait_until(lambda: not here.engine.clients)
            assert len(here.seen.refusals) == len(clients), here.seen.refusals
    refused = [line for line in map(json.loads, log.read_text().splitlines()) if line["kind"] == "refused"]
    assert len(refused) == len(clients)
    assert all(line["listener"] == "main" and line["flow"].startswith("127.0.0.1:") for line in refused)
    assert all("expected" in line["error"] for line in refused), refused
