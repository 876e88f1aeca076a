"""examples/dubbo_proxy.py against a plain TCP relay of the same shape: ``python benchmarks/dubbo_proxy.py``.

Calls of 100 octets of argument, 50 in flight on one connection. Both are asyncio of one process. The relay reads nothing: it opens a
connection to the provider for each consumer and copies octets. The proxy decodes every call and every answer, looks at interface, method
and an attachment behind the arguments, has all consumers on one connection, and rewrites the ids. They take turns; the best of each
counts, since everything else only slows, and beside it the median of the ratios.

First between peers that do nothing but copy: a consumer and a provider whose octets were recorded, so that what stands between is what
limits. Then between Apache Dubbo's own (needs Java, and what is downloaded for it), which limit themselves.
"""

from __future__ import annotations

import asyncio
import contextlib
import statistics
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import shared_proxy
from shared_proxy import HOST, cpu, wait_for

from l7codecs.testing import free_port

ROOT = Path(__file__).resolve().parent.parent
EXAMPLE = ROOT / "examples" / "dubbo_proxy.py"
SHOP = "l7codecs.peers.Shop"
SIZE, FLIGHT, CALLS, REAL_CALLS, ROUNDS = 100, 50, 60_000, 10_000, 9
HEADER = struct.Struct(">HBBQI")


def text(value: str) -> bytes:
    """A short string of Hessian 2."""
    octets = value.encode()
    return (bytes([len(octets)]) if len(octets) < 32 else bytes([0x30, len(octets)])) + octets


def request() -> bytes:
    """A call as a consumer of Dubbo 3.3.6 writes it, without its id."""
    attachments = {
        "path": SHOP,
        "remote.application": "load",
        "interface": SHOP,
        "version": "0.0.0",
        "timeout": "20000",
        "tenant": "a",
    }
    words = b"".join(map(text, ("2.0.2", SHOP, "0.0.0", "binary", "[B")))
    argument = bytes([0x34, SIZE]) + bytes(SIZE)
    return words + argument + b"H" + b"".join(text(word) for pair in attachments.items() for word in pair) + b"Z"


def answer() -> bytes:
    """Its answer, without the id."""
    return b"\x94" + bytes([0x34, SIZE]) + bytes(SIZE) + b"H" + text("dubbo") + text("2.0.2") + b"Z"


class Frames(asyncio.Protocol):
    """Whole messages of a connection."""

    def __init__(self) -> None:
        self._rest = b""
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, octets: bytes) -> None:
        octets = self._rest + octets
        at, numbers = 0, []
        while len(octets) - at >= 16:
            _, flags, _, number, size = HEADER.unpack_from(octets, at)
            if len(octets) - at < 16 + size:
                break
            numbers.append((flags, number))
            at += 16 + size
        self._rest = octets[at:]
        self.take(numbers)

    def take(self, numbers: list[tuple[int, int]]) -> None:
        """These messages have come."""
        raise NotImplementedError


class Provider(Frames):
    """Answers every call with the same value."""

    BODY = answer()

    def take(self, numbers: list[tuple[int, int]]) -> None:
        assert self.transport is not None
        size = len(self.BODY)
        self.transport.write(b"".join([HEADER.pack(0xDABB, 2, 20, number, size) + self.BODY for _, number in numbers]))


class Consumer(Frames):
    """Keeps so many calls in flight, until all are answered."""

    BODY = request()

    def __init__(self, done: asyncio.Future[None]) -> None:
        super().__init__()
        self._sent = self._answered = 0
        self._done = done

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.send(FLIGHT)

    def send(self, count: int) -> None:
        """Make so many more calls."""
        assert self.transport is not None
        numbers = range(self._sent, min(self._sent + count, CALLS))
        self._sent += len(numbers)
        size = len(self.BODY)
        self.transport.write(b"".join([HEADER.pack(0xDABB, 0xC2, 0, each, size) + self.BODY for each in numbers]))

    def take(self, numbers: list[tuple[int, int]]) -> None:
        self._answered += len(numbers)
        self.send(len(numbers))
        if self._answered == CALLS:
            self._done.set_result(None)


async def provide(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Provider, HOST, port)
    await server.serve_forever()


async def consume(port: int) -> float:
    """Make all calls; seconds."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()
    begun = time.perf_counter()
    transport, _ = await loop.create_connection(lambda: Consumer(done), HOST, port)
    await done
    transport.close()
    return time.perf_counter() - begun


def rules(port: int) -> list[str]:
    """An attachment decides of each call, which it does not have."""
    return [f"{SHOP}/*?tenant=b@{port}", f"{SHOP}/*@{port}"]


def compare(title: str, port: int, calls: int, run: Callable[[int], float]) -> None:
    """Measure the ways to the provider at `port` in turns."""
    relay_port, proxy_port = free_port(), free_port()
    relay = [sys.executable, shared_proxy.__file__, "relay", str(relay_port), str(port)]
    proxy = [sys.executable, str(EXAMPLE), str(proxy_port), *rules(port)]
    with subprocess.Popen(relay) as plain, subprocess.Popen(proxy) as proxied:
        try:
            ways = {"direct": (port, None), "relay": (relay_port, plain), "proxy": (proxy_port, proxied)}
            for each in (relay_port, proxy_port):
                wait_for(each)
            rates: dict[str, list[float]] = {name: [] for name in ways}
            ticks: dict[str, list[int]] = {name: [] for name in ways}
            for turn in range(-1, ROUNDS):
                for name, (to, process) in ways.items():
                    before = 0 if process is None else cpu(process)
                    seconds = run(to)
                    if turn >= 0:  # the first warms
                        rates[name].append(calls / seconds)
                        ticks[name].append(0 if process is None else cpu(process) - before)
            for name in ways:
                print(f"{title}, {name}: {max(rates[name]):,.0f} calls a second; processor {min(ticks[name])} ticks")
            ratios = [one / other for one, other in zip(rates["proxy"], rates["relay"], strict=True)]
            best = max(rates["proxy"]) / max(rates["relay"])
            print(
                f"{title}, proxy to relay: {best:.2f}×; median of {ROUNDS} turns {statistics.median(ratios):.2f}×",
                flush=True,
            )
        finally:
            plain.terminate()
            proxied.terminate()


def main() -> None:
    port = free_port()
    with subprocess.Popen([sys.executable, __file__, "provide", str(port)]) as provider:
        try:
            wait_for(port)
            compare("recorded octets", port, CALLS, lambda to: asyncio.run(consume(to)))
        finally:
            provider.terminate()
    sys.path.append(str(ROOT / "protocols" / "dubbo" / "tools"))
    from dubbo_peers import Peer

    with Peer("provider") as real, Peer("consumer") as consumer:

        def load(to: int) -> float:
            said = consumer.ask("load", to=to, octets=SIZE, calls=REAL_CALLS, threads=FLIGHT)
            assert said["failed"] == 0, said
            return float(said["seconds"])

        compare("Dubbo 3.3.6", real.export(), REAL_CALLS, load)


if __name__ == "__main__":
    if sys.argv[1:2] == ["provide"]:
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(provide(int(sys.argv[2])))
    else:
        main()
