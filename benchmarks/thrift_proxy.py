"""examples/thrift_proxy.py against a plain TCP relay of the same shape: ``python benchmarks/thrift_proxy.py``.

Calls with 100 octets of argument, framed strict binary, on 50 connections with one call in flight each, as clients of Thrift are. Both are
asyncio of one process. The relay reads nothing: it opens a connection to the server for each client and copies octets. The proxy decodes
every call and every answer, looks at the method, and has all clients on one connection, with sequence ids of its own. They take turns; what
counts is the requests for each second of the processor that the process in the middle takes, since that is what limits it, and the best of
each, since everything else only slows; beside it the median of the ratios. Requests a second of the whole are told too.

First between peers that do nothing but copy recorded octets, then between Apache Thrift's own for Python.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import statistics
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import shared_proxy
from shared_proxy import HOST, cpu, wait_for

from l7codecs.testing import free_port

ROOT = Path(__file__).resolve().parent.parent
EXAMPLE = ROOT / "examples" / "thrift_proxy.py"
TOOLS = ROOT / "protocols" / "thrift" / "tools"
SIZE, CLIENTS, CALLS, REAL_CALLS, ROUNDS = 100, 50, 60_000, 10_000, 9
TICKS = os.sysconf("SC_CLK_TCK")


def message(kind: int, name: bytes, field: int) -> tuple[bytes, bytes]:
    """A frame with one string of `SIZE` octets: what stands before its sequence id, and what behind."""
    head = struct.pack(">HBBi", 0x8001, 0, kind, len(name)) + name
    body = struct.pack(">BHi", 11, field, SIZE) + b"x" * SIZE + b"\0"
    return struct.pack(">i", len(head) + 4 + len(body)) + head, body


CALL, REPLY = message(1, b"echo", 1), message(2, b"echo", 0)
NUMBER_AT, CALL_SIZE, REPLY_SIZE = len(CALL[0]), sum(map(len, CALL)) + 4, sum(map(len, REPLY)) + 4


class Frames(asyncio.Protocol):
    """Whole messages of a connection, which all have one size."""

    size = 0

    def __init__(self) -> None:
        self._rest = b""
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, octets: bytes) -> None:
        octets = self._rest + octets
        count = len(octets) // self.size
        self._rest = octets[count * self.size :]
        self.take([octets[at + NUMBER_AT : at + NUMBER_AT + 4] for at in range(0, count * self.size, self.size)])

    def take(self, numbers: list[bytes]) -> None:
        """Messages with these ids have come."""
        raise NotImplementedError


class Server(Frames):
    """Answers every call with the same value."""

    size = CALL_SIZE

    def take(self, numbers: list[bytes]) -> None:
        assert self.transport is not None
        before, behind = REPLY
        self.transport.write(b"".join([before + number + behind for number in numbers]))


class Client(Frames):
    """Asks one call at a time, with one id for ever, until all are answered."""

    size = REPLY_SIZE

    def __init__(self, calls: int, done: asyncio.Future[None]) -> None:
        super().__init__()
        self._left = calls
        self._done = done
        self._call = CALL[0] + bytes(4) + CALL[1]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        transport.write(self._call)  # type: ignore[attr-defined]

    def take(self, numbers: list[bytes]) -> None:
        assert self.transport is not None and numbers in ([], [bytes(4)])
        self._left -= len(numbers)
        if self._left and numbers:
            self.transport.write(self._call)
        elif not self._left:
            self._done.set_result(None)


async def serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Server, HOST, port)
    await server.serve_forever()


async def ask(port: int) -> float:
    """Make all calls; seconds."""
    loop = asyncio.get_running_loop()
    waits = [loop.create_future() for _ in range(CLIENTS)]
    begun = time.perf_counter()
    made = [
        await loop.create_connection(lambda done=done: Client(CALLS // CLIENTS, done), HOST, port) for done in waits
    ]
    await asyncio.gather(*waits)
    for transport, _ in made:
        transport.close()
    return time.perf_counter() - begun


def compare(title: str, port: int, calls: int, run: Callable[[int], float]) -> None:
    """Measure the ways to the server at `port` in turns."""
    relay_port, proxy_port = free_port(), free_port()
    relay = [sys.executable, shared_proxy.__file__, "relay", str(relay_port), str(port)]
    proxy = [sys.executable, str(EXAMPLE), str(proxy_port), f"other*@{relay_port}", f"*@{port}"]
    with subprocess.Popen(relay) as plain, subprocess.Popen(proxy) as proxied:
        try:
            ways = {"direct": (port, None), "relay": (relay_port, plain), "proxy": (proxy_port, proxied)}
            for each in (relay_port, proxy_port):
                wait_for(each)
            rates: dict[str, list[float]] = {name: [] for name in ways}
            costs: dict[str, list[float]] = {"relay": [], "proxy": []}
            for turn in range(-1, ROUNDS):
                for name, (to, process) in ways.items():
                    before = 0 if process is None else cpu(process)
                    seconds = run(to)
                    if turn < 0:
                        continue  # the first warms
                    rates[name].append(calls / seconds)
                    if process is not None:
                        costs[name].append(calls * TICKS / max(1, cpu(process) - before))
            print(f"{title}, direct: {max(rates['direct']):,.0f} requests a second")
            for name, found in costs.items():
                print(f"{title}, {name}: {max(rates[name]):,.0f} a second; {max(found):,.0f} for each of the processor")
            for what, of in (("for each of the processor", costs), ("of the whole", rates)):
                best = max(of["proxy"]) / max(of["relay"])
                median = statistics.median([one / other for one, other in zip(of["proxy"], of["relay"], strict=True)])
                print(
                    f"{title}, proxy to relay, a second {what}: {best:.2f}×; median of {ROUNDS} turns {median:.2f}×",
                    flush=True,
                )
        finally:
            plain.terminate()
            proxied.terminate()


# Apache Thrift for Python, which reads and writes its structs in C.


def ask_real(port: int) -> float:
    """Make all calls with a thread for each connection; seconds."""
    import python_shop

    def run() -> None:
        client = python_shop.ApacheClient(port, "framed", "binary")
        client.call("echo", "x" * SIZE)
        ready.wait()
        for _ in range(REAL_CALLS // CLIENTS):
            client.call("echo", "x" * SIZE)
        client.close()

    ready = threading.Barrier(CLIENTS + 1)
    threads = [threading.Thread(target=run) for _ in range(CLIENTS)]
    for each in threads:
        each.start()
    ready.wait()
    begun = time.perf_counter()
    for each in threads:
        each.join()
    return time.perf_counter() - begun


def run_real(port: int) -> float:
    """As `ask_real`, in a process of its own."""
    command = [sys.executable, __file__, "ask", str(port)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def main() -> None:
    real = [sys.executable, str(TOOLS / "python_shop.py"), "apache"]
    for title, calls, run, command, words in (
        ("recorded octets", CALLS, lambda to: asyncio.run(ask(to)), [sys.executable, __file__, "serve"], []),
        ("Apache Thrift for Python", REAL_CALLS, run_real, real, ["framed", "binary", "a"]),
    ):
        port = free_port()
        with subprocess.Popen([*command, str(port), *words]) as server:
            try:
                wait_for(port)
                compare(title, port, calls, run)
            finally:
                server.terminate()


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(serve(int(sys.argv[2])))
    elif sys.argv[1:2] == ["ask"]:
        sys.path.append(str(TOOLS))
        print(ask_real(int(sys.argv[2])))
    else:
        main()
