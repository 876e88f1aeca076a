"""The command and what ends it: in order by the first signal, at once by the second."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from l7codecs.testing import free_port

from .running import wait_until

CONFIG = """
listeners:
  main: {{ address: "127.0.0.1:{port}", protocol: redis, cluster: silent }}
clusters:
  silent: {{ hosts: ["127.0.0.1:{silent}"] }}
drain: 60s
workers: {workers}
"""
SHORT = 0.6
"""Seconds in which a process that is told to end at once would have."""


class Waiting:
    """The command, with a client whose request nobody answers."""

    def __init__(self, path: Path, workers: int) -> None:
        self._silent = socket.create_server(("127.0.0.1", 0))
        port = free_port()
        path.write_text(CONFIG.format(port=port, silent=self._silent.getsockname()[1], workers=workers))
        command = [sys.executable, "-m", "l7codecs", "proxy", "-c", str(path)]
        self.process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        self._connections: list[socket.socket] = []
        try:
            wait_until(lambda: self._connects(port))
            self._connections[0].sendall(b"GET k\r\n")
            self._silent.settimeout(20)
            self._connections.append(self._silent.accept()[0])
            assert self._connections[1].recv(100)
        except BaseException:
            self.close()
            raise

    def _connects(self, port: int) -> bool:
        try:
            self._connections.append(socket.create_connection(("127.0.0.1", port), 20))
        except OSError:
            return False
        return True

    def is_waiting(self) -> bool:
        """Whether it has not ended in a while, and the client is still connected."""
        time.sleep(SHORT)
        client = self._connections[0]
        client.setblocking(False)
        try:
            client.recv(1)
        except BlockingIOError:
            return self.process.poll() is None
        except ConnectionError:
            pass
        return False

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        for each in (*self._connections, self._silent):
            each.close()


@pytest.fixture
def waiting(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Waiting]:
    found = Waiting(tmp_path / "proxy.yaml", request.param)
    yield found
    found.close()


@pytest.mark.parametrize("waiting", [1], indirect=True)
@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_it_at_once(waiting: Waiting, second: signal.Signals) -> None:
    waiting.process.terminate()
    assert waiting.is_waiting()
    waiting.process.send_signal(second)
    assert waiting.process.wait(20) == 0
    assert not waiting.is_waiting()


@pytest.mark.parametrize("waiting", [1], indirect=True)
def test_two_signals_at_the_same_time_are_one(waiting: Waiting) -> None:
    """As `timeout` sends them: to what it has started, and to its group. It gets these while it stands, so that no time is between them."""
    for number in (signal.SIGSTOP, signal.SIGTERM, signal.SIGINT, signal.SIGCONT):
        waiting.process.send_signal(number)
    assert waiting.is_waiting()


@pytest.mark.parametrize("waiting", [2], indirect=True)
def test_workers_end_in_order_however_often_they_are_told(waiting: Waiting) -> None:
    """As systemd does, which tells all of a service: each of them is told by its parent as well. The parent's second signal ends all."""
    children = Path(f"/proc/{waiting.process.pid}/task/{waiting.process.pid}/children")
    if not children.exists():
        pytest.skip("children are found by /proc")
    workers: list[Any] = [int(each) for each in children.read_text().split()]
    waiting.process.terminate()
    for _ in range(2):
        time.sleep(0.2)
        for worker in workers:
            try:
                os.kill(worker, signal.SIGTERM)
            except ProcessLookupError:
                pass  # the one without a client
    assert waiting.is_waiting()
    waiting.process.terminate()
    assert waiting.process.wait(20) == 0
    assert not waiting.is_waiting()
