"""Clients that take their answers slowly, or not at all, on a connection to a real server that they share with others."""

from __future__ import annotations

import socket
import time
from typing import Any

import psutil

from .running import read, running, wait_until

ONE = """
listeners:
  main: {{ address: "127.0.0.1:0", protocol: redis, cluster: a }}
clusters:
  a: {{ hosts: ["{0}"] }}
"""
SIZE = 4 << 20
ANSWER = b"$%d\r\n" % SIZE + bytes(SIZE) + b"\r\n"


def connect(port: int) -> socket.socket:
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
    raw.connect(("127.0.0.1", port))
    return raw


def connections(servers: Any) -> int:
    return int(servers.direct[0].info("clients")["connected_clients"])


def test_who_waits_behind_a_slow_reader_is_answered_and_it_loses_nothing(servers: Any) -> None:
    servers.direct[0].set("large", bytes(SIZE))
    with running(ONE.format(*servers.hosts)) as here, connect(here.port()) as slow, connect(here.port()) as other:
        slow.sendall(b"DEBUG SLEEP 0.3\r\n" + b"GET large\r\n" * 10)
        wait_until(lambda: here.engine.in_flight == 11)
        began = time.monotonic()
        other.sendall(b"SET k 1\r\nGET k\r\n")
        assert read(other, 12) == b"+OK\r\n$1\r\n1\r\n"
        assert time.monotonic() - began < 5, "less than who reads nothing may take"
        assert read(slow, 5) == b"+OK\r\n"
        for _ in range(10):
            assert read(slow, len(ANSWER)) == ANSWER
        slow.sendall(b"GET k\r\n")
        assert read(slow, 7) == b"$1\r\n1\r\n"


def test_who_comes_later_has_another_connection_and_memory_stays(servers: Any) -> None:
    """The slow one is held back by its server, as it would be without the engine."""
    servers.direct[0].set("large", bytes(SIZE))
    with running(ONE.format(*servers.hosts)) as here, connect(here.port()) as slow:
        before = connections(servers)
        process = psutil.Process()
        held = process.memory_info().rss
        slow.sendall(b"GET large\r\n" * 30)
        wait_until(lambda: any(not server.reading for server in here.engine.pools["a"].hosts[servers.hosts[0]].servers))
        for _ in range(3):
            with connect(here.port()) as other:
                began = time.monotonic()
                other.sendall(b"SET k 1\r\nGET k\r\n")
                assert read(other, 12) == b"+OK\r\n$1\r\n1\r\n"
                assert time.monotonic() - began < 2
        assert process.memory_info().rss - held < 50 << 20, "of 120 MiB"
        assert connections(servers) == before + 2
        for _ in range(30):
            assert read(slow, len(ANSWER)) == ANSWER
        wait_until(lambda: connections(servers) == before + 1)
        slow.sendall(b"GET k\r\n")
        assert read(slow, 7) == b"$1\r\n1\r\n"


def test_a_slow_reader_with_others_behind_it_ends_at_its_bound(servers: Any) -> None:
    servers.direct[0].set("large", bytes(SIZE))
    text = ONE.format(*servers.hosts) + "limits: { queued: 1048576 }\n"
    with running(text) as here, connect(here.port()) as slow, connect(here.port()) as other:
        slow.sendall(b"DEBUG SLEEP 0.3\r\n" + b"GET large\r\n" * 10)
        wait_until(lambda: here.engine.in_flight == 11)
        other.sendall(b"SET k 1\r\nGET k\r\n")
        assert read(other, 12) == b"+OK\r\n$1\r\n1\r\n"
        wait_until(lambda: len(here.engine.clients) == 1)
        gone = [told for told in here.seen.told() if told[2] == "CLIENT_GONE"]
        assert gone and {name for name, _, _ in gone} == {"GET"}
