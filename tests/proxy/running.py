"""An engine beside a test: in a thread with a loop of its own."""

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from typing import Any

from l7codecs.kinds import Address
from l7codecs.proxy.engine import Engine
from l7codecs.proxy.exchange import Exchange
from l7codecs.proxy.loading import parse_settings
from l7codecs.proxy.observing import Observer

WAIT = 20.0
TWO_OF_REDIS = """
listeners:
  main: {{ address: "127.0.0.1:0", protocol: redis }}
clusters:
  a: {{ hosts: ["{0}"] }}
  b: {{ hosts: ["{1}"] }}
rules:
"""
"""Before two servers, `a` and `b`; what follows are rules."""
TO_ONE = """
listeners:
  main: {{ address: "127.0.0.1:0", protocol: {0}, cluster: a }}
clusters:
  a: {{ hosts: ["127.0.0.1:{1}"] }}
"""
"""Before one server, of a protocol and at a port, to which all goes."""


class Seen(Observer):
    """All exchanges that have ended."""

    def __init__(self) -> None:
        self.exchanges: list[Exchange] = []
        self.refusals: list[str] = []

    def ended(self, exchange: Exchange) -> None:
        self.exchanges.append(exchange)

    def refused(self, listener: str, text: str, peer: Address | None) -> None:
        self.refusals.append(text)

    def told(self) -> list[tuple[str | None, str | None, str | None]]:
        """Operation, cluster, and failure or status."""
        return [
            (
                each.request.operation,
                each.cluster,
                each.failure.name if each.failure else each.status.name if each.status is not None else None,
            )
            for each in self.exchanges
        ]


class Running:
    def __init__(self, engine: Engine, loop: asyncio.AbstractEventLoop, seen: Seen) -> None:
        self.engine = engine
        self.loop = loop
        self.seen = seen

    def port(self, name: str = "main") -> int:
        at = self.engine.addresses[name]
        assert isinstance(at, tuple)
        return at[1]

    def call(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Run `coroutine` in the engine's loop, to its end."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(WAIT)

    def apply(self, text: str) -> None:
        """Reload."""
        self.call(self.engine.apply(parse_settings(text)))


def wait_until(true: Callable[[], Any], seconds: float = 30) -> Any:
    """What `true` returns once that is so. Fails where it is not in so many seconds."""
    end = time.monotonic() + seconds
    while not (found := true()) and time.monotonic() < end:
        time.sleep(0.01)
    assert found
    return found


def read(raw: socket.socket, size: int) -> bytes:
    """So many octets, or all up to the end."""
    raw.settimeout(10)
    found = b""
    while len(found) < size:
        more = raw.recv(size - len(found))
        if not more:
            break
        found += more
    return found


@contextlib.contextmanager
def running(
    text: str, observers: Sequence[Observer] = (), new_loop: Callable[[], Any] = asyncio.new_event_loop
) -> Iterator[Running]:
    """An engine of the settings in `text`."""
    seen = Seen()
    engine = Engine(parse_settings(text), [seen, *observers])
    loop = new_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    here = Running(engine, loop, seen)
    try:
        here.call(engine.start())
        yield here
        assert engine.observers.failed == []
    finally:
        here.call(engine.stop())
        loop.call_soon_threadsafe(loop.stop)
        thread.join(WAIT)
        loop.close()
