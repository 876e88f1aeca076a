"""examples/dubbo_proxy.py between real consumers and two providers: what goes where, what is shared, and what a provider's end does."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest

from l7codecs import Kind, Sender
from l7codecs.testing import Relay, free_port

from .conftest import needs, tool
from .heard import Heard

pytestmark = pytest.mark.interop

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "dubbo_proxy.py"
SHOP = "l7codecs.peers.Shop"


class Setup:
    """Two providers, a relay before each, a proxy, and consumers."""

    def __init__(self, stage: Any, version: str) -> None:
        module = tool("dubbo_peers")
        self.version = version
        self._stack = ExitStack()
        self.consumers = [stage.peer("consumer"), stage.peer("consumer", number=2)]
        self.providers = [self._stack.enter_context(module.Peer("provider", version)) for _ in range(2)]
        self.relays = [
            self._stack.enter_context(Relay(("127.0.0.1", each.export(name=name))))
            for name, each in zip("ab", self.providers, strict=True)
        ]
        first, second = (each.port for each in self.relays)
        self.port = free_port()
        rules = [f"{SHOP}/hello?tenant=b@{second}", f"{SHOP}/slow@{first}", f"{SHOP}/*@{first},{second}"]
        self._proxy = subprocess.Popen([sys.executable, str(EXAMPLE), str(self.port), *rules], stderr=subprocess.PIPE)
        end = time.monotonic() + 30
        while time.monotonic() < end:
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
                return
            time.sleep(0.05)
        raise TimeoutError("the proxy does not listen")

    def close(self) -> str:
        """End it; what the proxy has printed."""
        self._proxy.kill()
        _, printed = self._proxy.communicate()
        for each in self.consumers:
            each.ask("release")
        self._stack.close()
        return printed.decode()

    def call(self, *calls: dict[str, Any], **options: Any) -> list[dict[str, Any]]:
        """What the first consumer says of these calls."""
        found: list[dict[str, Any]] = self.consumers[0].ask("call", to=self.port, calls=list(calls), **options)[
            "results"
        ]
        return found


@pytest.fixture(params=["3.3.6", "2.7.23"])
def setup(request: pytest.FixtureRequest, dubbo_stage: Any) -> Iterator[Setup]:
    opened = needs(Setup, dubbo_stage, request.param)
    try:
        yield opened
    finally:
        printed = opened.close()
    assert "closing" not in printed and "Traceback" not in printed, printed


def call(method: str, *arguments: str, **more: Any) -> dict[str, Any]:
    return {"method": method, "arguments": list(arguments), **more}


SLOW = [call("slow", f"text:{number}", "int:15000") for number in range(3)]


def test_routes_on_shared_connections(setup: Setup) -> None:
    """By interface, method and attachment; both consumers on one connection to each provider, large calls among small ones."""
    calls = [call("hello", "text:1"), call("hello", "text:2", attachments={"tenant": "text:b", "want": "text:attachments"}),
             call("hello", "text:3", attachments={"tenant": "text:c"}), call("slow", "text:4", "int:50"), call("bare"),
             call("note", "text:n"), call("binary", "bytes:300000"), call("place", "order", "quantities"),
             call("failing", "text:declared")]  # fmt: skip
    for each in setup.consumers:
        each.begin("call", to=setup.port, calls=calls)
    for each in setup.consumers:
        said = each.answer()
        results = said["results"]
        expected = ["a: hello, 1", "b: hello, 2", "a: hello, 3", "a: 4", 42, None]
        assert [result.get("value") for result in results[:6]] == expected
        assert results[6]["value"] == results[6]["arguments"][0]
        assert results[7]["value"]["fields"][0] == ["id", {"long": 8589934593}]
        assert results[8]["failure"] == {"exception": "l7codecs.peers.ShopException", "message": "sold out"}
        assert said["heard"][1]["answered"]["by"] == "b"
    (first,), (second,) = (each.recordings for each in setup.relays)
    heard = [Heard(first), Heard(second)]
    for each in heard:
        each.check()
    assert [len(each.calls) for each in heard] == [16, 2]
    assert [each.request.attachment("tenant") for each in heard[1].calls] == ["b", "b"]


def test_a_provider_that_is_killed(setup: Setup) -> None:
    """What was on its way is answered with an error, at once; the next calls have the other provider."""
    setup.call(call("bare"))
    consumer = setup.consumers[0]
    consumer.begin(
        "call", to=setup.port, together=True, calls=[call("slow", f"text:{number}", "int:15000") for number in range(3)]
    )
    while setup.relays[0].recordings[0].octets(Sender.CLIENT).count(b"slow") < 3:
        time.sleep(0.02)
    begun = time.monotonic()
    setup.providers[0].kill()
    results = consumer.answer()["results"]
    assert time.monotonic() - begun < 10
    assert ["the provider is gone" in result["failure"]["message"] for result in results] == [True] * 3
    hello, slow = setup.call(call("hello", "text:on"), call("slow", "text:nowhere", "int:1"))
    assert hello["value"] == "b: hello, on"
    assert "the provider is gone" in slow["failure"]["message"]


def test_a_provider_that_stops(setup: Setup) -> None:
    """It answers what it has, and no call is lost."""
    busy, loading = setup.consumers
    quick = [call("slow", f"text:{number}", "int:1500") for number in range(3)]
    for each in setup.consumers:
        each.ask("call", to=setup.port, calls=[call("bare")])
    (first,) = setup.relays[0].recordings
    setup.call(call("bare"))
    busy.begin("call", to=setup.port, together=True, calls=quick)
    loading.begin("load", to=setup.port, octets=100, calls=20000, threads=20)
    first.wait_for(b"slow", Sender.CLIENT)
    while first.octets(Sender.CLIENT).count(b"binary") < 500:
        time.sleep(0.02)
    setup.providers[0].terminate()
    answered = "a: " if setup.version == "3.3.6" else "a, interrupted: "  # 2.7.23 interrupts what it still does
    assert [result.get("value") for result in busy.answer()["results"]] == [
        f"{answered}{number}" for number in range(3)
    ]
    said = loading.answer()
    assert said["failed"] == 0 and said["calls"] == 20000
    first, second = (Heard(each.recordings[0]) for each in setup.relays)
    assert first.of_kind(Kind.GOAWAY)
    counts = [sum(each.request.operation == "binary" for each in one.calls) for one in (first, second)]
    assert sum(counts) == 20000 and min(counts) > 0
    assert all(each.response is not None for one in (first, second) for each in one.calls)
    assert setup.call(call("hello", "text:on"))[0]["value"] == "b: hello, on"
