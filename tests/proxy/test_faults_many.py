"""Ten thousand clients who say nothing, and what they cost; how fast others are answered beside them."""

from __future__ import annotations

import contextlib
import resource
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from .running import running
from .servers import Upstream
from .tongues import REDIS, read_answers

COUNT = 10_000
SPARE = 500
"""Files that are open beside the connections."""
MANY = """
listeners:
  main: {{ address: "127.0.0.1:0", protocol: redis, cluster: a, opening: 60s }}
clusters:
  a: {{ hosts: ["127.0.0.1:{0}"] }}
"""
HOLD = """
import resource, socket, sys
port, count = map(int, sys.argv[1:])
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
held = [socket.create_connection(("127.0.0.1", port)) for _ in range(count)]
for each in held[::10]:
    each.sendall(b"*2\\r\\n$3\\r\\nGET\\r\\n$1\\r\\nk\\r\\n")
    assert each.recv(100) == b"$1\\r\\nk\\r\\n"
print("there", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def room() -> Iterator[int]:
    """As many connections as this process may have, up to COUNT. Those who hold them are another process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield COUNT if hard == resource.RLIM_INFINITY else min(COUNT, hard - SPARE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def memory() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="what it holds is read in /proc")
def test_ten_thousand_idle_connections(room: int) -> None:
    with Upstream(REDIS) as upstream, running(MANY.format(upstream.port)) as here:
        before = memory()
        command = [sys.executable, "-c", HOLD, str(here.port()), str(room)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
            assert holder.stdout is not None and holder.stdin is not None
            assert holder.stdout.readline() == b"there\n"
            assert len(here.engine.clients) == room and upstream.accepted == 1
            assert (memory() - before) / room < 40_000, "octets for each"
            with socket.create_connection(("127.0.0.1", here.port())) as raw:
                began = time.monotonic()
                for turn in range(100):
                    raw.sendall(REDIS.ask(turn, f"turn {turn}"))
                    assert [each.value for each in read_answers(raw, REDIS, 1)] == [f"turn {turn}"]
                assert time.monotonic() - began < 10
            holder.stdin.close()
        end = time.monotonic() + 20
        with contextlib.suppress(OSError):
            while here.engine.clients and time.monotonic() < end:
                time.sleep(0.05)
        assert here.engine.clients == []
