"""examples/redis_shared_proxy.py against a plain TCP relay of the same shape, under redis-benchmark: ``python benchmarks/shared_proxy.py``.

Both are asyncio of one process, before the same redis-server (which has to be installed, with redis-benchmark). The relay reads nothing:
it opens a connection to the server for each client and copies octets. The proxy decodes every command and every reply, has all clients on
one connection, and looks at what would pin or block. They take turns; the best of each counts, since everything else only slows.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import subprocess
import sys
import time
from pathlib import Path

from l7codecs.testing import free_port

HOST = "127.0.0.1"
EXAMPLE = Path(__file__).resolve().parent.parent / "examples" / "redis_shared_proxy.py"
CLIENTS, PIPELINE, SIZE, COMMANDS, ROUNDS = 50, 16, 100, 300_000, 5


class Upstream(asyncio.Protocol):
    def __init__(self, client: Downstream) -> None:
        self._client = client

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._client.server = transport
        transport.writelines(self._client.early)

    def data_received(self, octets: bytes) -> None:
        assert self._client.transport is not None
        self._client.transport.write(octets)

    def connection_lost(self, error: Exception | None) -> None:
        if self._client.transport is not None:
            self._client.transport.close()


class Downstream(asyncio.Protocol):
    """A client, whose octets are copied to a connection of its own."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.transport: asyncio.Transport | None = None
        self.server: asyncio.Transport | None = None
        self.early: list[bytes] = []
        self._connecting: asyncio.Task[object] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        loop = asyncio.get_running_loop()
        self._connecting = loop.create_task(loop.create_connection(lambda: Upstream(self), HOST, self._port))

    def data_received(self, octets: bytes) -> None:
        if self.server is None:
            self.early.append(octets)
        else:
            self.server.write(octets)

    def connection_lost(self, error: Exception | None) -> None:
        if self.server is not None:
            self.server.close()


async def relay(port: int, to: int) -> None:
    server = await asyncio.get_running_loop().create_server(lambda: Downstream(to), HOST, port)
    await server.serve_forever()


def wait_for(port: int) -> None:
    until = time.monotonic() + 20
    while True:
        with contextlib.suppress(OSError), socket.create_connection((HOST, port), timeout=1):
            return
        if time.monotonic() > until:
            raise SystemExit(f"nothing listens on {port}")
        time.sleep(0.05)


def cpu(process: subprocess.Popen[bytes]) -> int:
    """Ticks of a process, where the system tells them."""
    with contextlib.suppress(OSError):
        words = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
        return int(words[11]) + int(words[12])
    return 0


def asked(port: int, test: str) -> float:
    """Commands a second."""
    command = ["redis-benchmark", "-h", HOST, "-p", port, "-P", PIPELINE, "-c", CLIENTS, "-n", COMMANDS, "-d", SIZE]
    run = subprocess.run(
        [*map(str, command), "-r", "100000", "-t", test, "-q"], capture_output=True, text=True, check=True
    )
    found = re.findall(r"([\d.]+) requests per second", run.stdout)
    return float(found[-1])


def main() -> None:
    ports = {name: free_port() for name in ("server", "relay", "proxy")}
    server, to = ["redis-server", "--bind", HOST, "--save", "", "--port"], str(ports["server"])
    quiet = subprocess.DEVNULL
    with (
        subprocess.Popen([*server, to], stdout=quiet) as redis,
        subprocess.Popen([sys.executable, __file__, "relay", str(ports["relay"]), to]) as plain,
        subprocess.Popen([sys.executable, str(EXAMPLE), str(ports["proxy"]), to]) as proxy,
    ):
        try:
            for port in ports.values():
                wait_for(port)
            for test in ("set", "get"):
                best = {"relay": (0.0, 1 << 30), "proxy": (0.0, 1 << 30)}
                for _ in range(ROUNDS):
                    for name, process in (("relay", plain), ("proxy", proxy)):
                        before = cpu(process)
                        rate = asked(ports[name], test)
                        best[name] = max(best[name][0], rate), min(best[name][1], cpu(process) - before)
                (relayed, relay_cpu), (proxied, proxy_cpu) = best["relay"], best["proxy"]
                print(
                    f"{test}: relay {relayed:,.0f} a second, proxy {proxied:,.0f}: {proxied / relayed:.2f}×;"
                    f" processor {relay_cpu} and {proxy_cpu} ticks"
                )
        finally:
            for each in (redis, plain, proxy):
                each.terminate()


if __name__ == "__main__":
    if sys.argv[1:2] == ["relay"]:
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(relay(int(sys.argv[2]), int(sys.argv[3])))
    else:
        main()
