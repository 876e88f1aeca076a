"""Ports for servers that are told where to listen: nobody else's, in this process or beside it."""

import socket
import subprocess
import sys
from itertools import pairwise

import pytest

import l7codecs.testing.ports as ports
from l7codecs.testing import free_port

TAKING = "from l7codecs.testing import free_port; print(*[free_port() for _ in range(300)], flush=True); input()"


def test_processes_side_by_side_get_different_ports() -> None:
    """Of 20000 ports, 900 drawn by chance alone would meet more than ten times."""
    running = [
        subprocess.Popen([sys.executable, "-c", TAKING], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    found: list[int] = []
    for process in running:
        assert process.stdout is not None
        found += map(int, process.stdout.readline().split())
    for process in running:
        process.communicate("\n", timeout=20)
        assert process.returncode == 0
    assert len(found) == 900
    assert all(one < other for one, other in pairwise(sorted(found)))
    assert min(found) >= 10_000 and max(found) < 30_000


@pytest.mark.parametrize("where", ["127.0.0.1", ""])
def test_a_port_is_free(where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where only one port is left, and a server has that, there is none; once it is closed, there is."""
    port = free_port()
    with socket.create_server((where, port)):
        ports._release()
        monkeypatch.setattr(ports, "_FIRST", port)
        monkeypatch.setattr(ports, "_LAST", port)
        monkeypatch.setattr(ports, "_TRIES", 1)
        with pytest.raises(OSError, match="no port of the loopback is free"):
            free_port()
    assert free_port() == port
    with pytest.raises(OSError, match="no port"):
        free_port()
