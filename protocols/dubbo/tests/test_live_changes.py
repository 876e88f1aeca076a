"""Changes between real consumers and providers: both sides log what was changed, and only that."""

from __future__ import annotations

import selectors
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

import l7codecs
from l7codecs import Changes, Kind, Message, Sender, Session, Status
from l7codecs_dubbo import DubboMessage, DubboRequest, DubboResponse, DubboSession

from .heard import plain

pytestmark = pytest.mark.interop

SHOP = "l7codecs.peers.Shop"
VERSIONS = ["3.3.6", "2.7.23"]
Rewrite = Callable[[Any, DubboMessage], Changes | bytes | None]


class Between:
    """Listens, and passes on what each consumer and the provider say, with what `rewrite` makes of it.

    That is given the session to the consumer, and a message; it returns changes, or octets for the consumer in its place.
    """

    def __init__(self, port: int, rewrite: Rewrite) -> None:
        self.upstream, self.rewrite = port, rewrite
        self.connections = 0
        self.errors: list[BaseException] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._stops = False
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Between:
        return self

    def __exit__(self, *_: object) -> None:
        self._stops = True
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        assert self.errors == []

    def _accept(self) -> None:
        while not self._stops:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        try:
            with client, socket.create_connection(("127.0.0.1", self.upstream)) as server:
                self._pass(client, server)
        except ConnectionError:
            pass
        except BaseException as error:
            self.errors.append(error)

    def _pass(self, client: socket.socket, server: socket.socket) -> None:
        down = l7codecs.open_session("dubbo", endpoint=Sender.SERVER)
        up = l7codecs.open_session("dubbo", endpoint=Sender.CLIENT)
        chosen = selectors.DefaultSelector()
        chosen.register(client, selectors.EVENT_READ)
        chosen.register(server, selectors.EVENT_READ)
        while not self._stops:
            for key, _ in chosen.select(0.2):
                octets = key.fileobj.recv(1 << 16)  # type: ignore[union-attr]
                if not octets:
                    return
                here, there = (down, up) if key.fileobj is client else (up, down)
                self._give(here, there, down, octets, client, server)

    def _give(
        self, here: Session, there: Session, down: Session, octets: bytes, client: socket.socket, server: socket.socket
    ) -> None:
        for event in here.receive(Sender.CLIENT if here is down else Sender.SERVER, octets):
            made = self.rewrite(down, event) if isinstance(event, DubboMessage) else None
            if isinstance(made, bytes):
                client.sendall(made)
            else:
                (server if here is down else client).sendall(there.send(event, made))


@pytest.fixture(
    params=[(consumer, provider) for consumer in VERSIONS for provider in VERSIONS], ids=lambda each: "-".join(each)
)
def pair(request: pytest.FixtureRequest, dubbo_stage: Any) -> Iterator[tuple[Any, Any, str]]:
    """A consumer and a provider, and the provider's version."""
    consumer, provider = request.param
    client, server = dubbo_stage.peer("consumer", consumer), dubbo_stage.peer("provider", provider)
    server.ask("seen")
    yield client, dubbo_stage, provider
    client.ask("release")


def called(method: str, *arguments: str, **more: Any) -> dict[str, Any]:
    return {"method": method, "arguments": list(arguments), **more}


def exported(provider: str, serialization: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """How it is offered, and what a consumer says to speak that serialization."""
    if serialization == "hessian2":
        return {"version": "1.2.3", "group": "changed"}, {}
    parameters = {"serialization": serialization, "prefer.serialization": serialization}
    return {"version": "1.2.3", "group": f"changed-{serialization}", "serialization": serialization}, {
        "parameters": parameters
    }


def serializations(pair: tuple[Any, Any, str], consumer: str) -> list[str]:
    if "3.3.6" == pair[2] == consumer:
        return ["hessian2", "fastjson2"]
    return ["hessian2", "fastjson", "gson"] if "2.7.23" == pair[2] == consumer else ["hessian2"]


def every(pair: tuple[Any, Any, str], request: pytest.FixtureRequest) -> list[str]:
    return serializations(pair, request.node.callspec.params["pair"][0])


def test_who_is_called(pair: tuple[Any, Any, str], request: pytest.FixtureRequest) -> None:
    """Another interface, version, group and method than the consumer asks for."""
    client, stage, provider = pair
    for serialization in every(pair, request):
        export, refer = exported(provider, serialization)

        def rewrite(_: Any, message: DubboMessage, export: dict[str, Any] = export) -> Changes | None:
            if not isinstance(message, DubboRequest):
                return None
            names: dict[str, Any] = {
                "dubbo.service": SHOP,
                "dubbo.service_version": "1.2.3",
                "dubbo.group": export["group"],
            }
            if message.method == "added":
                names["dubbo.method"] = "hello"
            return Changes(names)

        asked = {**refer, "interface": "l7codecs.peers.Stall", "version": "9.9.9", "group": "nobody"}
        with Between(stage.port(provider, **export), rewrite) as between:
            said = client.ask(
                "call",
                to=between.port,
                calls=[called("hello", "text:é😀"), called("bare"), called("hello", "text:b", "int:2")],
                **asked,
            )
            client.ask("release")
            values = [each.get("value", each) for each in said["results"]]
            assert values[0].endswith("hello, é😀"), values
            assert values[2] == "bb", values
            if serialization == "hessian2":
                said = client.ask(
                    "call", to=between.port, calls=[called("added", "text:other")], **{**asked, "interface": SHOP}
                )
                client.ask("release")
                assert said["results"][0]["value"].endswith("hello, other"), said["results"]
        seen = stage.peer("provider", provider).ask("seen")["calls"]
        assert [each["method"] for each in seen][:3] == ["hello", "bare", "hello"]


def test_a_generic_call(pair: tuple[Any, Any, str]) -> None:
    client, stage, provider = pair
    with Between(
        stage.port(provider, version="1.2.3", group="changed"),
        lambda _, message: Changes({"dubbo.method": "hello"}) if isinstance(message, DubboRequest) else None,
    ) as between:
        calls = [called("nowhere", "text:x", types=["java.lang.String"])]
        said = client.ask("call", to=between.port, calls=calls, version="1.2.3", group="changed", generic="true")
        client.ask("release")
        assert said["results"][0]["value"].endswith("hello, x"), said


ATTACHED = {
    "tenant": "text:a",
    "list": "list",
    "CamelKey": "text:képt 😀",
    "long": "long:42",
    "again": "list",
    "last": "int:7",
}


def test_attachments_of_requests(pair: tuple[Any, Any, str], request: pytest.FixtureRequest) -> None:
    """Set, replaced and removed: the provider sees the others as without a change."""
    client, stage, provider = pair
    changes = Changes(
        set_headers={"tenant": "b😀", "zone": "é", "number": 5, "large": 2**40, "yes": True, "ratio": 0.5},
        remove_headers=["list", "absent"],
    )
    for serialization in every(pair, request):
        export, refer = exported(provider, serialization)
        heard = []
        for given in (None, changes):
            with Between(
                stage.port(provider, **export),
                lambda _, message, given=given: given if isinstance(message, DubboRequest) else None,
            ) as between:
                asked = {**refer, "version": export["version"], "group": export["group"]}
                said = client.ask(
                    "call", to=between.port, calls=[called("hello", "text:x", attachments=ATTACHED)], **asked
                )
                client.ask("release")
                assert said["results"][0]["value"].endswith("hello, x"), said
            (seen,) = stage.peer("provider", provider).ask("seen")["calls"]
            heard.append(plain(seen["attachments"]))
        before, after = heard
        assert "list" in before
        expected = {key: value for key, value in before.items() if key != "list"}
        expected |= {"tenant": "b😀", "zone": "é", "number": 5, "yes": True}
        assert float(after.pop("large")) == 2**40  # gson reads every number as a double
        assert "0.5" in str(after.pop("ratio"))
        assert after == expected


def test_attachments_of_answers(pair: tuple[Any, Any, str], request: pytest.FixtureRequest) -> None:
    client, stage, provider = pair
    changes = Changes(set_headers={"by": "a proxy", "new": "é", "count": 3}, remove_headers=["several", "flag"])
    for serialization in every(pair, request):
        export, refer = exported(provider, serialization)
        heard = []
        for given in (None, changes):
            with Between(
                stage.port(provider, **export),
                lambda _, message, given=given: given if isinstance(message, DubboResponse) else None,
            ) as between:
                asked = {**refer, "version": export["version"], "group": export["group"]}
                calls = [called("hello", "text:x", attachments={"want": "text:attachments"})]
                said = client.ask("call", to=between.port, calls=calls, **asked)
                client.ask("release")
                assert said["results"][0]["value"].endswith("hello, x"), said
                heard.append(plain(said["heard"][0]["answered"]))
        before, after = heard
        assert {"several", "flag"} <= set(before)
        expected = {key: value for key, value in before.items() if key not in ("several", "flag")}
        assert after == {**expected, "by": "a proxy", "new": "é", "count": 3}


def test_errors(pair: tuple[Any, Any, str], request: pytest.FixtureRequest) -> None:
    """Errors and exceptions that are made here are what the consumer's caller gets; the provider sees nothing of it."""
    client, stage, provider = pair

    def rewrite(down: DubboSession, message: DubboMessage) -> bytes | None:
        if not isinstance(message, DubboRequest):
            return None
        if message.operation == "hello":
            return down.reply_error(message, Status.UNAVAILABLE, "no server for you: é😀")
        if message.operation == "slow":
            return down.reply_error(message, Status.DEADLINE_EXCEEDED, "too late")
        if message.operation == "bare":
            return down.reply_exception(message, "nothing left: é😀")
        if message.operation == "note":
            return down.reply_exception(message, "not so", "java.lang.IllegalStateException")
        return None

    for serialization in every(pair, request):
        export, refer = exported(provider, serialization)
        asked = {**refer, "version": export["version"], "group": export["group"]}
        calls = [
            called("hello", "text:x"),
            called("slow", "text:x", "int:1"),
            called("bare"),
            called("note", "text:n"),
            called("any", "int:5"),
        ]
        with Between(stage.port(provider, **export), rewrite) as between:
            said = client.ask("call", to=between.port, calls=calls, **asked)["results"]
            client.ask("release")
        failures = [str(each.get("failure")) for each in said]
        assert "no server for you: é😀" in failures[0], failures
        assert "imeout" in failures[1], failures
        assert "too late" in failures[1], failures
        assert "RpcException" in failures[2], failures
        assert "nothing left: é😀" in failures[2], failures
        assert "java.lang.IllegalStateException" in failures[3], failures
        assert "not so" in failures[3], failures
        assert said[4]["value"] in (5, {"double": "5.0"})
        assert [each["method"] for each in stage.peer("provider", provider).ask("seen")["calls"]] == ["any"]


def test_heartbeats(pair: tuple[Any, Any, str], request: pytest.FixtureRequest) -> None:
    """The consumer's are answered without the provider; it keeps its connection."""
    client, stage, provider = pair
    for serialization in every(pair, request):
        if serialization in ("fastjson", "gson"):
            continue
        beats: list[Message] = []

        def rewrite(down: DubboSession, message: DubboMessage, beats: list[Message] = beats) -> bytes | None:
            if message.kind is Kind.HEARTBEAT and message.sender is Sender.CLIENT:
                beats.append(message)
                return down.reply_heartbeat(message)
            return None

        export, refer = exported(provider, serialization)
        asked = {**refer, "version": export["version"], "group": export["group"]}
        asked["parameters"] = {**asked.get("parameters", {}), "heartbeat": "700"}
        with Between(stage.port(provider, **export), rewrite) as between:
            said = client.ask("call", to=between.port, calls=[called("bare")], idle=4000, **asked)
            assert "value" in said["results"][0], said
            said = client.ask("call", to=between.port, calls=[called("bare")], **asked)
            client.ask("release")
            assert "value" in said["results"][0], said
            assert between.connections == 1
        assert len(beats) >= 3
