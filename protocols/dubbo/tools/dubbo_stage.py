"""A stage for real peers of Dubbo: providers and consumers of each version, with a recording relay between them.

stage = Stage()
talk = stage.play(SCENARIOS["plain"], consumer=NEWEST, provider=OLDER)
talk.said, talk.seen            what the consumer got, and what the provider saw
talk.recordings[0].to_vector()
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from dubbo_peers import NEWEST, Peer

from l7codecs import Sender
from l7codecs.testing import Recording, Relay

Call = dict[str, Any]


@dataclass(frozen=True)
class Scenario:
    """Calls of one consumer, and how the service is offered and referred to.

    calls: see Talk.java.
    export: options of the provider's ``export``.
    refer: options of the consumer's ``call``, beside.
    versions: of either side, where it is not for all.
    """

    calls: Sequence[Call]
    export: dict[str, Any] = field(default_factory=dict)
    refer: dict[str, Any] = field(default_factory=dict)
    consumers: tuple[str, ...] = ()
    providers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Talk:
    """What passed, and what both sides say of it.

    results: of each call, in their order: its arguments, and ``value`` or ``failure``.
    sent: what the consumer's Dubbo says of each call that it sent, with all attachments both ways, in the order of sending.
    seen: what the service saw of each call that reached it.
    served: as `sent`, of the provider's Dubbo.
    """

    results: list[dict[str, Any]]
    sent: list[dict[str, Any]]
    seen: list[dict[str, Any]]
    served: list[dict[str, Any]]
    recordings: list[Recording]


def call(method: str, *arguments: str, **more: Any) -> Call:
    """A call of the service."""
    return {"method": method, "arguments": list(arguments), **more}


class Stage:
    """All peers that were asked for by now."""

    def __init__(self) -> None:
        self._stack = contextlib.ExitStack()
        self._peers: dict[tuple[str, str, int], Peer] = {}
        self._ports: dict[str, int] = {}

    def close(self) -> None:
        """End all of it."""
        self._stack.close()

    def peer(self, role: str, version: str = NEWEST, number: int = 1) -> Peer:
        """The one of that role and version, which is started where it is not."""
        key = role, version, number
        if key not in self._peers:
            self._peers[key] = self._stack.enter_context(Peer(role, version))
        return self._peers[key]

    def port(self, release: str = NEWEST, /, **options: Any) -> int:
        """Where a provider of that release offers the service in that way."""
        key = f"{release} {json.dumps(options, sort_keys=True)}"
        if key not in self._ports:
            self._ports[key] = self.peer("provider", release).export(**options)
        return self._ports[key]

    def play(self, scenario: Scenario, consumer: str = NEWEST, provider: str = NEWEST) -> Talk:
        """Let a consumer make its calls, each on connections of its own."""
        server, client = self.peer("provider", provider), self.peer("consumer", consumer)
        server.ask("seen")
        with Relay(("127.0.0.1", self.port(provider, **scenario.export))) as relay:
            own = {key: scenario.export[key] for key in ("version", "group", "path") if key in scenario.export}
            said = client.ask("call", to=relay.port, calls=list(scenario.calls), **{**own, **scenario.refer})
            client.ask("release")
            recordings = [each for each in relay.recordings if each.pieces]
            for each in recordings:
                each.wait_closed()
            seen = server.ask("seen")
        return Talk(said["results"], said["heard"], seen["calls"], seen["heard"], recordings)

    def stop(self, consumer: str = NEWEST, provider: str = NEWEST) -> Recording:
        """What passes where a provider is told to end while a call is on its way."""
        with Peer("provider", provider) as server, Relay(("127.0.0.1", server.export())) as relay:
            client = self.peer("consumer", consumer)
            client.begin("call", to=relay.port, calls=[call("bare"), call("slow", "text:on its way", "int:4000")])
            while len(relay.recordings) == 0:
                time.sleep(0.02)
            relay.recordings[0].wait_for(b"on its way", Sender.CLIENT)
            time.sleep(0.3)
            server.terminate()
            assert "value" in client.answer()["results"][1]
            server.wait()
            client.ask("release")
            return relay.wait_closed()[0]
